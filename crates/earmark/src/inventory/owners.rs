//! Owners: who holds how much.
//!
//! An owner's book lists the ids of its reservations. It is open, that is locked, while a reservation of
//! that owner is judged *and* made, so that two at once cannot both slip under a cap. What it lists is
//! looked up in the slab only where its own sums cannot tell: what ended or is overdue does not count.
//!
//! **O1** Between the judging of the caps and the adding of the id nobody else adds to the book.
//! **O2** A book that left the map is marked dead under its lock; who still has it looks again. Whoever
//! closes a book strikes out what ended meanwhile, and takes an empty book out of the map.
//! **O3** A book's sums are never below what its living reservations hold: after the adding, units only
//! get fewer.

use std::collections::HashMap;
use std::sync::Arc;

use dashmap::DashMap;
use foldhash::quality::RandomState;

use super::Inventory;
use super::request::{Item, Owner};
use crate::error::{FullError, OwnerCap, ReserveError, Table};
use crate::reservation::id::ReservationId;
use crate::reservation::state::{No, Standing};
use crate::seeded::{Break, on};
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::{Mutex, MutexGuard, barrier, look, switch_before_unlock};

/// Nothing ended since the book was last struck through.
const NONE: u64 = 0;
/// Ids in `ended` wait to be struck out.
const LISTED: u64 = 1;
/// Some that ended could not be listed: look at each.
const UNLISTED: u64 = 2;

#[derive(Debug)]
pub(super) struct Owners {
    books: DashMap<Owner, Arc<SharedBook>, RandomState>,
    max: usize,
}

/// A book, and beside its lock what ended while it was open.
#[derive(Debug)]
struct SharedBook {
    book: Mutex<OwnerBook>,
    /// Held for a push or a take, never while something else is waited for.
    ended: Mutex<Vec<ReservationId>>,
    marks: AtomicU64,
}

/// The ids of one owner's reservations, each with its units when it was last looked at; some may have
/// ended.
#[derive(Debug, Default)]
pub(super) struct OwnerBook {
    ids: HashMap<ReservationId, u64, RandomState>,
    /// The sum over `ids`.
    units: u64,
    dead: bool,
}

impl OwnerBook {
    pub(super) fn add(&mut self, id: ReservationId, units: u64) {
        self.units += units;
        let before = self.ids.insert(id, units);
        debug_assert_eq!(before, None);
    }

    pub(super) fn remove(&mut self, id: ReservationId) {
        if let Some(units) = self.ids.remove(&id) {
            self.units -= units;
        }
        if self.ids.capacity() > 4 * self.ids.len() + 64 {
            self.ids.shrink_to(2 * self.ids.len()); // memory follows what lives (P10)
        }
    }

    /// At most so many reservations and units live, without `except` (O3).
    fn at_most(&self, except: Option<ReservationId>) -> (u64, u64) {
        let ids = self.ids.len() as u64;
        match except.and_then(|id| self.ids.get(&id)) {
            Some(units) => (ids - 1, self.units - units),
            None => (ids, self.units),
        }
    }

    /// Keeps what has units, and knows them anew.
    fn look_at_each(&mut self, mut units_of: impl FnMut(ReservationId) -> Option<u64>) {
        self.units = 0;
        let sum = &mut self.units;
        self.ids.retain(|&id, known| {
            let Some(units) = units_of(id) else { return false };
            *known = units;
            *sum += units;
            true
        });
    }
}

impl SharedBook {
    fn new() -> Self {
        Self { book: Mutex::new(OwnerBook::default()), ended: Mutex::new(Vec::new()), marks: AtomicU64::new(NONE) }
    }

    /// Leaves an id for whoever closes the book.
    fn leave(&self, id: ReservationId) {
        let mark = match self.ended.lock_bounded() {
            Some(mut ended) => {
                ended.push(id);
                LISTED
            }
            None => UNLISTED, // a thread was stopped here; it must not stop others
        };
        self.marks.fetch_or(mark, SeqCst);
        barrier(); // mark, then look: the other half is in `Open::drop`
    }
}

/// Why an owner's book was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerBusy {
    Contended,
    Full(FullError),
}

impl Owners {
    pub(super) fn new(max: usize) -> Self {
        Self { books: DashMap::with_hasher(RandomState::default()), max }
    }

    pub(super) fn len(&self) -> usize {
        self.books.len()
    }

    /// The book in the map; the map's shard is let go before the book is locked.
    fn find(&self, owner: Owner) -> Option<Arc<SharedBook>> {
        self.books.get(&owner).map(|book| Arc::clone(&book))
    }

    fn find_or_make(&self, owner: Owner) -> Result<Arc<SharedBook>, FullError> {
        if let Some(book) = self.find(owner) {
            return Ok(book);
        }
        if self.books.len() >= self.max {
            return Err(FullError { table: Table::Owners, max: self.max });
        }
        let fresh = Arc::new(SharedBook::new());
        fresh.book.hand_on();
        Ok(Arc::clone(&self.books.entry(owner).or_insert(fresh)))
    }

    /// Takes an empty book out of the map (O2).
    fn bury(&self, owner: Owner, book: &mut OwnerBook, this: &Arc<SharedBook>) {
        if book.ids.is_empty() {
            book.dead = true;
            self.books.remove_if(&owner, |_, found| Arc::ptr_eq(found, this));
        }
    }
}

/// An open book; closed when it is dropped, also by a panic.
struct Open<'a> {
    inventory: &'a Inventory,
    owner: Owner,
    shared: &'a Arc<SharedBook>,
    book: Option<MutexGuard<'a, OwnerBook>>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self { inventory, owner, shared, book } = self;
        while let Some(mut open) = book.take() {
            inventory.strike_out(shared, &mut open);
            inventory.owners.bury(*owner, &mut open, shared);
            switch_before_unlock(&shared.marks);
            drop(open);
            // ORDERING: unlock, then look, against `forget_owned`: mark, then try the lock. With less than
            // a total order over the four both could miss the other, and the id would stay in the book.
            barrier();
            if look(&shared.marks) != NONE && !on(Break::OwnerBlind) {
                *book = shared.book.try_lock(); // if somebody else has it, they look when they close it
            }
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
        run: impl FnOnce(&mut OwnerBook) -> R,
    ) -> Result<R, OwnerBusy> {
        let mut swept = false;
        loop {
            let shared = match self.owners.find_or_make(owner) {
                Ok(shared) => shared,
                Err(full) if swept => return Err(OwnerBusy::Full(full)),
                Err(_) => {
                    swept = true;
                    if !self.time.is_behind() || self.catch_up() {
                        self.help_sweep(now);
                    }
                    continue;
                }
            };
            let book = shared.book.lock_bounded().ok_or(OwnerBusy::Contended)?;
            if book.dead {
                continue; // O2: buried between finding and locking; it is no longer in the map
            }
            let mut open = Open { inventory: self, owner, shared: &shared, book: Some(book) };
            let Some(book) = open.book.as_deref_mut() else { unreachable!("a book is open until it is dropped") };
            return Ok(run(book));
        }
    }

    /// The ids in an owner's book; some may have ended. `None` if the book stays open for too long.
    pub(super) fn owned_by(&self, owner: Owner) -> Option<Vec<ReservationId>> {
        let Some(shared) = self.owners.find(owner) else { return Some(Vec::new()) };
        let book = shared.book.lock_bounded()?;
        let mut open = Open { inventory: self, owner, shared: &shared, book: Some(book) };
        open.book.as_mut().map(|book| book.ids.keys().copied().collect())
    }

    /// Whether the owner may have these items too. `except` is being replaced and does not count.
    ///
    /// Looks at nothing where the book's sums are far enough from the caps; else at each of the owner's
    /// reservations, and then the sums are exact.
    pub(super) fn check_caps(
        &self,
        book: &mut OwnerBook,
        items: &[Item],
        except: Option<ReservationId>,
        now: u64,
    ) -> Result<(), ReserveError> {
        let settings = &self.settings;
        let units_of = |item: &Item| u64::from(item.quantity.get());
        let asked: u64 = items.iter().map(units_of).sum();
        let (held, units) = book.at_most(except);
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
        book.look_at_each(|id| {
            let owned = self.live_items(id, now)?;
            for item in owned.iter().filter(|_| Some(id) != except) {
                if let Ok(at) = items.binary_search_by_key(&item.line, |wanted| wanted.line) {
                    per_line[at] += units_of(item);
                }
            }
            Some(owned.units())
        });
        let (held, units) = book.at_most(except);
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

    /// An owner's reservation ended. Does not wait for the book: if it is open, whoever closes it strikes
    /// the id out.
    pub(super) fn forget_owned(&self, owner: Owner, id: ReservationId) {
        let Some(shared) = self.owners.find(owner) else { return };
        let open = |book| Open { inventory: self, owner, shared: &shared, book: Some(book) };
        if let Some(mut book) = shared.book.try_lock() {
            book.remove(id);
            drop(open(book));
        } else {
            shared.leave(id);
            drop(shared.book.try_lock().map(open)); // closed before it saw the mark: then it is ours to close
        }
    }

    /// Strikes out of an open book what ended meanwhile.
    fn strike_out(&self, shared: &SharedBook, book: &mut OwnerBook) {
        let marks = shared.marks.swap(NONE, SeqCst);
        if marks == NONE {
            return;
        }
        // The marks were taken first: what is listed from here on has a new mark.
        let listed = shared.ended.lock_bounded().map(|mut ended| std::mem::take(&mut *ended));
        if marks & UNLISTED != 0 || listed.is_none() {
            let now = self.tick(); // no clock is read in a drop; what is overdue by now goes with a sweep
            book.look_at_each(|id| self.live_items(id, now).map(|items| items.units()));
        }
        for id in listed.unwrap_or_default() {
            book.remove(id);
        }
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
    static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;
    use crate::*;

    fn units(units: u32) -> Quantity {
        Quantity::new(units).unwrap()
    }

    fn stocked(builder: InventoryBuilder, on_hand: u32) -> (Inventory, StockId) {
        let inventory = builder.expired_capacity(0).build().unwrap();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, units(on_hand), &Cause::none()).unwrap();
        (inventory, tee)
    }

    fn of(owner: u128, line: StockId) -> ReserveRequest {
        ReserveRequest::new(Ttl::minutes(1).unwrap()).with_item(line, units(1)).with_owner(Owner::from_bits(owner))
    }

    #[test]
    fn o2_what_ends_while_its_book_is_open_leaves_it_without_a_sweep() {
        let (inventory, tee) = stocked(Inventory::builder(), 3);
        let take = || inventory.reserve_with(&of(1, tee)).unwrap().detach();
        for _ in 0..1_000 {
            let (one, two) = (take(), take());
            let ends = |_: &mut OwnerBook| [one, two].map(|id| inventory.release(id).unwrap());
            inventory.with_owner(Owner::from_bits(1), 0, ends).unwrap();
        }
        assert_eq!(inventory.usage().owners, 0);
    }

    #[test]
    fn o2_an_id_that_could_not_be_listed_is_found_by_a_look_at_each() {
        let (inventory, tee) = stocked(Inventory::builder(), 9);
        let take = || inventory.reserve_with(&of(1, tee)).unwrap().detach();
        let ids = [take(), take(), take()];
        let shared = inventory.owners.find(Owner::from_bits(1)).unwrap();
        inventory
            .with_owner(Owner::from_bits(1), 0, |_| {
                inventory.release(ids[0]).unwrap();
                let _stopped = shared.ended.lock();
                inventory.release(ids[1]).unwrap();
            })
            .unwrap();
        let left: Vec<_> = shared.book.lock().ids.keys().copied().collect();
        assert_eq!((left, shared.ended.lock().len()), (vec![ids[2]], 0));
        inventory.release(ids[2]).unwrap();
        assert_eq!(inventory.usage().owners, 0);
        // Who still has the buried book closes it too, and the next one stays.
        let next = take();
        shared.leave(next);
        drop(Open { inventory: &inventory, owner: Owner::from_bits(1), shared: &shared, book: shared.book.try_lock() });
        assert_eq!((inventory.usage().owners, shared.ended.lock().len()), (1, 0));
        inventory.release(next).unwrap();
        assert_eq!(inventory.usage().owners, 0);
    }

    #[test]
    fn o2_one_owner_on_four_threads_leaves_nothing() {
        let (inventory, tee) = stocked(Inventory::builder(), 1_000);
        let turns = || {
            for _ in 0..5_000 {
                match inventory.reserve_with(&of(1, tee)).map(Guard::detach) {
                    Ok(id) => inventory.release(id).unwrap(),
                    Err(error) => assert!(matches!(error, ReserveError::Contended { .. }), "{error}"),
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(turns))));
        assert_eq!(inventory.usage().owners, 0);
        assert!(inventory.verify().is_clean());
    }

    #[test]
    fn owners_who_hold_nothing_but_what_is_overdue_make_room() {
        let clock = ManualClock::default();
        let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()).owners_max(2), 9);
        let _ada = inventory.reserve_with(&of(1, tee)).unwrap().detach();
        let _bob = inventory.reserve_with(&of(2, tee)).unwrap().detach();
        clock.advance(Duration::from_secs(59));
        let full = ReserveError::Full(FullError { table: Table::Owners, max: 2 });
        assert_eq!(inventory.reserve_with(&of(3, tee)).map(Guard::detach), Err(full.clone()));
        clock.advance(Duration::from_secs(1));
        let eve = inventory.reserve_with(&of(3, tee)).unwrap().detach();
        assert_eq!(inventory.usage().owners, 1);
        let _dan = inventory.reserve_with(&of(4, tee)).unwrap().detach();
        assert_eq!(inventory.reserve_with(&of(5, tee)).map(Guard::detach), Err(full));
        inventory.release(eve).unwrap();
        let _fay = inventory.reserve_with(&of(5, tee)).unwrap().detach();
    }

    fn looks(run: impl FnOnce()) -> usize {
        let before = LOOKS.get();
        run();
        LOOKS.get() - before
    }

    #[test]
    fn o3_a_reserve_far_from_the_caps_looks_at_nothing() {
        let builder = Inventory::builder();
        let builder = builder.owner_reservations_max(20_000).owner_units_max(20_000).owner_units_per_line_max(20_000);
        let (inventory, tee) = stocked(builder, 30_000);
        let take = || inventory.reserve_with(&of(1, tee)).unwrap().detach();
        let mut ids: Vec<_> = (0..10_000).map(|_| take()).collect();
        let further = looks(|| {
            for id in &mut ids[..1_000] {
                take();
                inventory.release(*id).unwrap();
                *id = inventory.replace(take(), &of(1, tee)).unwrap().id;
            }
        });
        assert_eq!(further, 0, "10,000 live reservations, 3,000 more");
        let shared = inventory.owners.find(Owner::from_bits(1)).unwrap();
        ids.into_iter().for_each(|id| inventory.release(id).unwrap());
        let book = shared.book.lock();
        assert_eq!((book.ids.len(), book.units), (1_000, 1_000));
        assert!(book.ids.capacity() < 10_000, "P10: {}", book.ids.capacity());
    }

    /// Near a cap one look at each makes the sums exact, and then there is room again.
    #[test]
    fn o3_what_was_given_back_in_part_is_looked_at_once() {
        let (inventory, tee) = stocked(Inventory::builder().owner_units_max(1_000), 9_000);
        let ten = ReserveRequest::new(Ttl::minutes(1).unwrap()).with_owner(Owner::from_bits(1));
        let ten = ten.with_item(tee, units(10));
        for _ in 0..100 {
            let id = inventory.reserve_with(&ten).unwrap().detach();
            inventory.release_part(id, &[Item { line: tee, quantity: units(9) }]).unwrap();
        }
        let further = looks(|| {
            for _ in 0..900 {
                let _ = inventory.reserve_with(&of(1, tee)).unwrap().detach();
            }
        });
        assert_eq!(further, 100, "each of the hundred, once");
        let refused = inventory.reserve_with(&of(1, tee)).map(Guard::detach);
        let (cap, held, asked, max) = (OwnerCap::Units, 1_000, 1, 1_000);
        assert_eq!(refused, Err(ReserveError::OwnerCap { cap, held, asked, max }));
    }

    #[test]
    fn o3_a_cap_of_a_line_is_judged_by_that_line() {
        let builder = Inventory::builder().owner_units_per_line_max(3);
        let (inventory, tee) = stocked(builder, 9);
        let mug = inventory.declare(LineSpec::new("MUG")).unwrap();
        let _ = inventory.receive(mug, units(9), &Cause::none()).unwrap();
        let take =
            |line, wanted| inventory.reserve_with(&of(1, line).with_item(line, units(wanted))).map(Guard::detach);
        let old = take(tee, 1).unwrap();
        take(mug, 2).unwrap();
        let (cap, held, asked, max) = (OwnerCap::UnitsPerLine, 2, 2, 3);
        assert_eq!(take(tee, 1), Err(ReserveError::OwnerCap { cap, held, asked, max }));
        assert_eq!(inventory.replace(old, &of(1, tee).with_item(tee, units(2))).unwrap().units, 3);
    }

    /// A clock that panics at one of its readings.
    #[derive(Clone, Default)]
    struct Fragile(Arc<AtomicU64>);

    impl Clock for Fragile {
        fn now(&self) -> Timestamp {
            assert_ne!(self.0.fetch_sub(1, Relaxed), 0, "the clock fell");
            Timestamp::from_millis(0)
        }
    }

    #[test]
    fn o2_a_clock_that_panics_leaves_no_book_behind() {
        let clock = Fragile(Arc::new(AtomicU64::new(u64::MAX)));
        let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()), 9);
        let mut fell = 0;
        for reading in 0..4 {
            clock.0.store(reading, Relaxed);
            let taken = catch_unwind(AssertUnwindSafe(|| inventory.reserve_with(&of(1, tee)).map(drop)));
            clock.0.store(u64::MAX, Relaxed);
            fell += usize::from(taken.is_err());
            assert_eq!(inventory.usage().owners, 0, "reading {reading}");
            assert!(inventory.verify().is_clean());
        }
        assert_eq!(fell, 2, "one reading before the book is opened, one inside");
    }

    /// A clock that asks the inventory it serves, once, at one of its readings.
    #[derive(Clone, Default)]
    struct Curious(Arc<std::sync::OnceLock<std::sync::Weak<Inventory>>>, Arc<AtomicU64>);

    impl Clock for Curious {
        fn now(&self) -> Timestamp {
            let asks = self.1.fetch_sub(1, Relaxed) == 0;
            if let Some(inventory) = self.0.get().filter(|_| asks).and_then(std::sync::Weak::upgrade) {
                let inner = inventory.reserve_with(&of(1, StockId::new(0))).map(drop);
                assert_eq!(inner, Err(ReserveError::Contended { line: StockId::new(0) }));
                self.1.store(u64::MAX, Relaxed);
            }
            Timestamp::from_millis(0)
        }
    }

    /// Documented as forbidden; the wait is bounded all the same.
    #[test]
    fn a_clock_that_calls_its_inventory_finds_the_book_open() {
        let clock = Curious(Arc::default(), Arc::new(AtomicU64::new(u64::MAX)));
        let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()), 9);
        let inventory = Arc::new(inventory);
        clock.0.set(Arc::downgrade(&inventory)).unwrap();
        clock.1.store(1, Relaxed); // the second reading: the book is open
        inventory.reserve_with(&of(1, tee)).unwrap().release().unwrap();
        assert_eq!((inventory.counts().reserved, inventory.usage().owners), (1, 0));
    }
}
