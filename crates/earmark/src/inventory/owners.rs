//! Owners: who holds how much.
//!
//! ```text
//! book of an owner: [ units | reservations | first slot ]
//!                                               |
//!                        side of slot 9  <------+   next, previous: a list through the sides of its slots
//!                        side of slot 4  <-- ...
//! ```
//!
//! A book is open, that is its owner's calls that add to it wait, while a reservation of that owner is judged
//! *and* made, so that two at once cannot both slip under a cap. What ends leaves the list at once, open or not:
//! only the adding is exclusive. A look at each reservation is needed only where the sums cannot tell, because
//! what is overdue is in the list until it is swept, or found so by such a look.
//!
//! **O1** Between the judging of the caps and the listing of the new reservation nobody else adds to the book.
//! **O2** A slot is listed before it is published and struck out before it is given back (X1). A book that is
//! not open, lists nothing, and is named by no side is gone.
//! **O3** A book's sums are never below what its living reservations hold: units are added before anybody can
//! give them back, and taken off by whoever gives them back, after that is decided.
//! **O4** Who goes through the list in steps is the one who has the book open; what is struck out meanwhile
//! moves the cursor on, and nothing is added.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Inventory;
use super::extras::{Extras, Links, Side};
use super::index::{Index, Records, halves, joined, quarters, whole};
use super::request::{Item, Owner};
use super::shards::{At, Shards};
use crate::error::{FullError, OwnerCap, ReserveError, Table};
use crate::reservation::id::ReservationId;
use crate::reservation::slot::Body;
use crate::reservation::state::{No, Standing};
use crate::seeded::{Break, on};
use crate::sync::Pause;
use crate::word::Field;

/// No slot: the end of a list. More than any slab has.
const END: u32 = u32::MAX;
/// Reservations looked at between two holds of a shard's lock.
const BATCH: usize = 32;

#[derive(Debug)]
pub(super) struct Owners {
    shards: Shards<Shard>,
    /// Books that are open or list something.
    len: AtomicUsize,
    max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    index: Index,
    books: Records<Book>,
    /// Who goes through a list in steps: the book's place, and the slot where it goes on (O4).
    walks: Vec<(u32, u32)>,
}

/// What one owner holds. Thirty-six bytes, in words that need no more room for their alignment.
#[derive(Debug, Clone, Copy)]
struct Book {
    owner: [u32; 4],
    /// Units of what is listed.
    units: [u32; 2],
    /// The slot that was listed last.
    first: u32,
    /// How many are listed.
    ids: u32,
    /// Sides that name the book and are not listed; and whether it is open.
    kept: u32,
}
const _: () = assert!(size_of::<Book>() == 36);
const KEPT: Field = Field::lowest(31);
const OPEN: Field = KEPT.above(1);

impl Book {
    /// An open one.
    const fn new(owner: Owner) -> Self {
        let kept = OPEN.put(0, 1) as u32;
        Self { owner: quarters(owner.to_bits()), units: [0; 2], first: END, ids: 0, kept }
    }

    const fn owner(&self) -> Owner {
        Owner::from_bits(joined(self.owner))
    }

    const fn units(&self) -> u64 {
        whole(self.units)
    }

    const fn is_open(&self) -> bool {
        OPEN.of(self.kept as u64) == 1
    }

    const fn set_open(&mut self, open: bool) {
        self.kept = OPEN.put(self.kept as u64, open as u64) as u32;
    }

    const fn kept(&self) -> u64 {
        KEPT.of(self.kept as u64)
    }

    const fn set_kept(&mut self, kept: u64) {
        self.kept = KEPT.put(self.kept as u64, kept) as u32;
    }

    /// Whether it counts as an owner.
    const fn counts(&self) -> bool {
        self.is_open() || self.ids > 0
    }

    /// Whether it is there at all (O2).
    const fn stands(&self) -> bool {
        self.counts() || self.kept() > 0
    }

    /// Puts a slot into the list.
    fn list(&mut self, extras: &Extras, slot: u32, units: u64) {
        let next = std::mem::replace(&mut self.first, slot);
        if let Some(side) = extras.side(slot) {
            side.link(Links { next, previous: END });
        }
        if let Some(side) = extras.side(next) {
            side.link(Links { previous: slot, ..side.links() });
        }
        self.ids += 1;
        self.units = halves(self.units() + units);
    }

    /// So many units less.
    fn less(&mut self, units: u64) {
        debug_assert!(self.units() >= units || crate::seeded::any());
        self.units = halves(self.units().saturating_sub(units));
    }

    /// Takes a slot out of the list; which one came next.
    fn strike(&mut self, extras: &Extras, side: &Side, units: u64) -> u32 {
        let Links { next, previous } = side.links();
        match extras.side(previous) {
            Some(before) => before.link(Links { next, ..before.links() }),
            None => self.first = next,
        }
        if let Some(behind) = extras.side(next) {
            behind.link(Links { previous, ..behind.links() });
        }
        debug_assert!(self.ids > 0 || crate::seeded::any());
        self.ids = self.ids.saturating_sub(1);
        self.less(units);
        side.strike();
        next
    }
}

impl Shard {
    fn find(&self, hash: u64, owner: Owner) -> Option<u32> {
        self.index.find(hash, |place| self.books.at(place).owner() == owner)
    }

    fn make(&mut self, shards: &Shards<Self>, hash: u64, owner: Owner) -> Option<u32> {
        let place = self.books.add(Book::new(owner))?; // open: one that stands
        self.index.insert(hash, place, || all(shards, &self.books));
        Some(place)
    }
}

/// Every book that stands, with its owner's hash.
fn all(shards: &Shards<Shard>, books: &Records<Book>) -> impl Iterator<Item = (u32, u64)> {
    books.iter().filter(|(_, book)| book.stands()).map(|(place, book)| (place, shards.hash(&book.owner())))
}

/// Why an owner's book was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerBusy {
    Contended,
    Full(FullError),
}

impl Owners {
    pub(super) fn new(max: usize) -> Self {
        Self { shards: Shards::new(), len: AtomicUsize::new(0), max }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Reservations and units by an owner's book, and sides that name it besides; `None` if there is no book.
    #[cfg(all(test, not(earmark_loom)))]
    pub(super) fn sums(&self, owner: Owner) -> Option<(u32, u64, u32)> {
        let hash = self.shards.hash(&owner);
        let shard = self.shards.lock(Shards::<Shard>::of(hash));
        let book = shard.books.at(shard.find(hash, owner)?);
        Some((book.ids, book.units(), book.kept() as u32))
    }

    /// Opens the book of an owner, if nobody has it open.
    fn open(&self, owner: Owner) -> Result<At, OwnerBusy> {
        let full = OwnerBusy::Full(FullError { table: Table::Owners, max: self.max });
        let hash = self.shards.hash(&owner);
        let number = Shards::<Shard>::of(hash);
        let mut shard = self.shards.lock(number);
        let found = shard.find(hash, owner);
        let before = found.map(|place| *shard.books.at(place));
        if before.is_some_and(|book| book.is_open()) {
            return Err(OwnerBusy::Contended);
        }
        // Counted first: the cap holds however many calls come at once.
        let counts = before.is_some_and(|book| book.counts());
        if !counts && self.len.fetch_add(1, Relaxed) >= self.max {
            self.len.fetch_sub(1, Relaxed);
            return Err(full);
        }
        let Some(place) = found.or_else(|| shard.make(&self.shards, hash, owner)) else {
            self.len.fetch_sub(1, Relaxed);
            return Err(full);
        };
        shard.books.at_mut(place).set_open(true);
        Ok(At::new(number, place))
    }

    /// Opens the book of an owner who has something in it; `Ok(None)` if there is none.
    fn open_listed(&self, owner: Owner) -> Result<Option<At>, OwnerBusy> {
        let hash = self.shards.hash(&owner);
        let number = Shards::<Shard>::of(hash);
        let mut shard = self.shards.lock(number);
        let Some(place) = shard.find(hash, owner) else { return Ok(None) };
        let book = shard.books.at_mut(place);
        if book.is_open() {
            return Err(OwnerBusy::Contended);
        }
        if !book.counts() {
            return Ok(None);
        }
        book.set_open(true);
        Ok(Some(At::new(number, place)))
    }

    /// Changes a book, and sees to what follows from it.
    fn change<R>(&self, at: At, change: impl FnOnce(&mut Book) -> R) -> R {
        let mut shard = self.shards.lock(at.shard());
        self.change_in(&mut shard, at, change)
    }

    fn change_in<R>(&self, shard: &mut Shard, at: At, change: impl FnOnce(&mut Book) -> R) -> R {
        let Shard { index, books, .. } = shard;
        let book = books.at_mut(at.place());
        let counted = book.counts();
        let changed = change(book);
        let book = *book;
        match (counted, book.counts()) {
            (true, false) => _ = self.len.fetch_sub(1, Relaxed),
            (false, true) => _ = self.len.fetch_add(1, Relaxed),
            _ => {}
        }
        if !book.stands() {
            index.remove(self.shards.hash(&book.owner()), at.place(), || all(&self.shards, books)); // O2
            books.free(at.place());
        }
        changed
    }

    /// Puts a reservation that is not published yet into its owner's list (O2). The book is open.
    pub(super) fn list(&self, extras: &Extras, owner: Owner, slot: u32, units: u64) {
        let Some(side) = extras.side(slot) else { return };
        let hash = self.shards.hash(&owner);
        let number = Shards::<Shard>::of(hash);
        let mut shard = self.shards.lock(number);
        let found = shard.find(hash, owner);
        let made = || {
            debug_assert!(crate::seeded::any());
            let place = shard.make(&self.shards, hash, owner)?;
            shard.books.at_mut(place).set_open(false);
            Some(place)
        };
        let Some(place) = found.or_else(made) else { return };
        let at = At::new(number, place);
        self.change_in(&mut shard, at, |book| book.list(extras, slot, units));
        side.enlist(at);
    }

    /// Strikes a reservation that holds so many units out of its owner's list, if it is there. Its side goes
    /// on naming the owner.
    fn strike(&self, extras: &Extras, slot: u32, units: u64, still: impl FnOnce() -> bool) {
        let Some((side, at)) = extras.side(slot).and_then(|side| Some((side, side.listed_by()?))) else { return };
        let mut shard = self.shards.lock(at.shard());
        if side.listed_by() == Some(at) && still() {
            self.strike_in(&mut shard, at, extras, (slot, side), units, 1);
        }
    }

    /// Takes a slot out of its owner's list, whoever is going through that; so many more sides name the book and
    /// are not listed.
    fn strike_in(&self, shard: &mut Shard, at: At, extras: &Extras, (slot, side): (u32, &Side), units: u64, kept: u64) {
        let next = self.change_in(shard, at, |book| {
            book.set_kept(book.kept() + kept);
            book.strike(extras, side, units)
        });
        for (place, cursor) in &mut shard.walks {
            if *place == at.place() && *cursor == slot && !on(Break::CursorLeft) {
                *cursor = next; // O4
            }
        }
    }

    /// A reservation has ended, and its side is let go: it leaves the list, and names its owner no more (X2).
    pub(super) fn let_go(&self, extras: &Extras, slot: u32, units: impl FnOnce() -> u64) {
        let Some((side, at)) = extras.side(slot).and_then(|side| Some((side, side.owner()?))) else { return };
        let units = if side.listed_by().is_some() { units() } else { 0 };
        let mut shard = self.shards.lock(at.shard());
        if side.owner() != Some(at) {
            return;
        }
        if side.listed_by().is_none() {
            self.change_in(&mut shard, at, |book| book.set_kept(book.kept().saturating_sub(1)));
        } else if !(on(Break::OwnerBlind) && shard.books.at(at.place()).is_open()) {
            self.strike_in(&mut shard, at, extras, (slot, side), units, 0);
        }
        side.disown();
    }

    /// Units of a listed reservation were given back (O3). While it is `Changing`.
    fn less(&self, extras: &Extras, slot: u32, units: u64) {
        let Some((side, at)) = extras.side(slot).and_then(|side| Some((side, side.listed_by()?))) else { return };
        let mut shard = self.shards.lock(at.shard());
        if side.listed_by() == Some(at) {
            shard.books.at_mut(at.place()).less(units);
        }
    }

    /// Whose the reservation is.
    pub(super) fn owner_of(&self, side: &Side) -> Option<Owner> {
        let at = side.owner()?;
        let shard = self.shards.lock(at.shard());
        let still = side.owner() == Some(at) || on(Break::SideBlind);
        still.then(|| shard.books.at(at.place()).owner()) // X2
    }
}

/// An open book; closed when it is dropped, also by a panic.
#[derive(Debug)]
pub(super) struct OpenBook<'a> {
    inventory: &'a Inventory,
    at: At,
}

impl Drop for OpenBook<'_> {
    fn drop(&mut self) {
        let (owners, at) = (&self.inventory.owners, self.at);
        let mut shard = owners.shards.lock(at.shard());
        shard.walks.retain(|(place, _)| *place != at.place()); // a panic may have left one
        owners.change_in(&mut shard, at, |book| book.set_open(false));
    }
}

impl OpenBook<'_> {
    /// At most so many reservations and units live, without `except` (O3).
    fn at_most(&self, except: Option<ReservationId>, now: u64) -> (u64, u64) {
        let Inventory { owners, extras, .. } = self.inventory;
        let mine = |id: &ReservationId| extras.side(id.slot()).and_then(|side| side.listed_by()) == Some(self.at);
        let except = except.filter(mine).and_then(|id| {
            let body = self.inventory.slab.get(id.slot())?.body(now);
            Some(self.inventory.items_of(id.slot(), &body).units())
        });
        let (ids, units) = owners.change(self.at, |book| (u64::from(book.ids), book.units()));
        match except {
            Some(held) => (ids.saturating_sub(1), units.saturating_sub(held)),
            None => (ids, units),
        }
    }

    /// Looks at each reservation in the list; holds no lock meanwhile (O4).
    pub(super) fn each(&self, mut look: impl FnMut(ReservationId)) {
        let Inventory { owners, extras, slab, .. } = self.inventory;
        let place = self.at.place();
        let lock = || owners.shards.lock(self.at.shard());
        let mut shard = lock();
        let first = shard.books.at(place).first;
        shard.walks.push((place, first));
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let Some((_, cursor)) = shard.walks.iter_mut().find(|walk| walk.0 == place) else { return };
            while batch.len() < BATCH {
                let (Some(side), Some(slot)) = (extras.side(*cursor), slab.get(*cursor)) else { break };
                batch.push(self.inventory.id(*cursor, slot.snapshot().generation()));
                *cursor = side.links().next;
            }
            if batch.is_empty() {
                return shard.walks.retain(|walk| walk.0 != place);
            }
            drop(shard);
            batch.drain(..).for_each(&mut look);
            shard = lock();
        }
    }
}

impl Inventory {
    /// Runs something with an owner's book open; waits a bounded time for it. If there are too many
    /// owners it sweeps once: some may hold nothing but what is overdue.
    pub(super) fn with_owner<R>(
        &self,
        owner: Owner,
        now: u64,
        run: impl FnOnce(&OpenBook<'_>) -> R,
    ) -> Result<R, OwnerBusy> {
        let (mut swept, mut pause) = (false, Pause::new());
        loop {
            match self.owners.open(owner) {
                Ok(at) => return Ok(run(&OpenBook { inventory: self, at })),
                Err(OwnerBusy::Full(_)) if !swept => {
                    swept = true;
                    if !self.time.is_behind() || self.catch_up() {
                        self.help_sweep(now);
                    }
                }
                Err(OwnerBusy::Contended) if pause.wait() => {}
                Err(busy) => return Err(busy),
            }
        }
    }

    /// The ids in an owner's book; some may have ended. `None` if the book stays open for too long.
    pub(super) fn owned_by(&self, owner: Owner) -> Option<Vec<ReservationId>> {
        let (mut pause, mut ids) = (Pause::new(), Vec::new());
        loop {
            match self.owners.open_listed(owner) {
                Ok(None) => return Some(ids),
                Ok(Some(at)) => {
                    OpenBook { inventory: self, at }.each(|id| ids.push(id));
                    return Some(ids);
                }
                Err(_) if pause.wait() => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether the owner may have these items too. `except` is being replaced and does not count.
    ///
    /// Looks at nothing where the book's sums are far enough from the caps; else at each of the owner's
    /// reservations, and what does not live is struck out.
    pub(super) fn check_caps(
        &self,
        book: &OpenBook<'_>,
        items: &[Item],
        except: Option<ReservationId>,
        now: u64,
    ) -> Result<(), ReserveError> {
        let settings = &self.settings;
        let units_of = |item: &Item| u64::from(item.quantity.get());
        let asked: u64 = items.iter().map(units_of).sum();
        let (held, units) = book.at_most(except, now);
        let caps = |held, units| {
            cap(OwnerCap::Reservations, held, 1, settings.owner_reservations_max)?;
            cap(OwnerCap::Units, units, asked, settings.owner_units_max)
        };
        let most_of_a_line = items.iter().map(units_of).max().unwrap_or(0);
        let line_cap = cap(OwnerCap::UnitsPerLine, units, most_of_a_line, settings.owner_units_per_line_max);
        if caps(held, units).and(line_cap).is_ok() {
            return Ok(()); // O3
        }
        let mut per_line: Vec<u64> = vec![0; items.len()];
        let (mut held, mut units) = (0, 0);
        book.each(|id| match self.live_items(id, now) {
            Some(owned) if Some(id) != except => {
                held += 1;
                units += owned.units();
                for item in owned.iter() {
                    if let Ok(at) = items.binary_search_by_key(&item.line, |wanted| wanted.line) {
                        per_line[at] += units_of(item);
                    }
                }
            }
            Some(_) => {}
            None => {
                if let Some(slot) = self.slab.get(id.slot()) {
                    self.strike_dead(id.slot(), id.generation(), &slot.body(now));
                }
            }
        });
        caps(held, units)?;
        for (item, held) in items.iter().zip(per_line) {
            cap(OwnerCap::UnitsPerLine, held, units_of(item), settings.owner_units_per_line_max)?;
        }
        Ok(())
    }

    /// What a reservation holds, if it lives at `now`.
    fn live_items(&self, id: ReservationId, now: u64) -> Option<super::ends::Items> {
        #[cfg(test)]
        LOOKS.set(LOOKS.get() + 1);
        let (slot, policy) = (self.slot(id).ok()?, self.settings.pending_policy);
        // What does not count as living must not come to life again (P2).
        let _ = slot.update(|seen| seen.overdue(id.generation(), now, policy));
        let seen = slot.snapshot();
        let body = slot.body(now);
        let judged = seen.in_time(id.generation(), now, policy);
        // One that is being changed counts: it may live on.
        let lives = judged.is_ok() || (judged == Err(No::Busy) && seen.standing() == Standing::Changing);
        lives.then(|| self.items_of(id.slot(), &body))
    }

    /// What expired, or was found not to live any more, leaves its owner's list, and still is the owner's. Its
    /// units change no more; and while it is listed its slot is not given back, so the generation, found there
    /// again under the lock, is the one that was looked at.
    pub(super) fn strike_dead(&self, slot: u32, generation: u32, body: &Body) {
        let Some(place) = self.slab.get(slot) else { return };
        let units = self.items_of(slot, body).units();
        self.owners.strike(&self.extras, slot, units, || place.snapshot().generation() == generation);
    }

    /// So many units of a reservation were given back, and it lives on.
    pub(super) fn owned_less(&self, slot: u32, units: u64) {
        self.owners.less(&self.extras, slot, units);
    }
}

fn cap(cap: OwnerCap, held: u64, asked: u64, max: u64) -> Result<(), ReserveError> {
    if held.saturating_add(asked) > max {
        return Err(ReserveError::OwnerCap { cap, held, asked, max });
    }
    Ok(())
}

#[cfg(test)]
std::thread_local! {
    /// Slots that this thread looked at to judge caps.
    pub(super) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
