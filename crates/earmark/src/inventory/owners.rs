//! Owners: who holds how much.
//!
//! An owner's book lists the ids of its reservations. It is locked while a reservation of that owner
//! is judged *and* made, so that two at once cannot both slip under a cap. What the book lists is
//! looked up in the slab: what ended or is overdue does not count.
//!
//! **O1** Between the judging of the caps and the adding of the id nobody else adds to the book.
//! **O2** A book that left the map is marked dead under its lock; who still has it looks again.

use std::sync::Arc;

use crossbeam::queue::SegQueue;
use dashmap::DashMap;
use foldhash::quality::RandomState;

use super::Inventory;
use super::request::{Item, Owner};
use crate::error::{FullError, OwnerCap, ReserveError, Table};
use crate::reservation::id::ReservationId;
use crate::reservation::state::{No, Standing};
use crate::sync::Mutex;

/// Books cleaned up in one sweep, at most.
const CLEAN_BUDGET: usize = 64;

#[derive(Debug)]
pub(super) struct Owners {
    books: DashMap<Owner, Arc<Mutex<OwnerBook>>, RandomState>,
    /// Owners whose book could not be cleaned when a reservation ended.
    left: SegQueue<Owner>,
    max: usize,
}

/// The ids of one owner's reservations; some may have ended.
#[derive(Debug, Default)]
pub(super) struct OwnerBook {
    ids: Vec<ReservationId>,
    dead: bool,
}

impl OwnerBook {
    pub(super) fn add(&mut self, id: ReservationId) {
        self.ids.push(id);
    }

    pub(super) fn remove(&mut self, id: ReservationId) {
        self.ids.retain(|&other| other != id);
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
        Self { books: DashMap::with_hasher(RandomState::default()), left: SegQueue::new(), max }
    }

    pub(super) fn len(&self) -> usize {
        self.books.len()
    }

    /// The book in the map; the map's shard is let go before the book is locked.
    fn find(&self, owner: Owner) -> Option<Arc<Mutex<OwnerBook>>> {
        self.books.get(&owner).map(|book| Arc::clone(&book))
    }

    fn find_or_make(&self, owner: Owner) -> Result<Arc<Mutex<OwnerBook>>, OwnerBusy> {
        if let Some(book) = self.find(owner) {
            return Ok(book);
        }
        if self.books.len() >= self.max {
            return Err(OwnerBusy::Full(FullError { table: Table::Owners, max: self.max }));
        }
        let fresh = Arc::new(Mutex::new(OwnerBook::default()));
        Ok(Arc::clone(&self.books.entry(owner).or_insert(fresh)))
    }

    /// Takes an empty book out of the map (O2).
    fn bury(&self, owner: Owner, book: &mut OwnerBook, this: &Arc<Mutex<OwnerBook>>) {
        if book.ids.is_empty() {
            book.dead = true;
            self.books.remove_if(&owner, |_, found| Arc::ptr_eq(found, this));
        }
    }
}

impl Inventory {
    /// Runs something with an owner's book locked; waits a bounded time for it.
    pub(super) fn with_owner<R>(&self, owner: Owner, run: impl FnOnce(&mut OwnerBook) -> R) -> Result<R, OwnerBusy> {
        loop {
            let shared = self.owners.find_or_make(owner)?;
            let mut book = shared.lock_bounded().ok_or(OwnerBusy::Contended)?;
            if book.dead {
                continue; // O2: buried between finding and locking; it is no longer in the map
            }
            let result = run(&mut book);
            self.owners.bury(owner, &mut book, &shared);
            return Ok(result);
        }
    }

    /// Whether the owner may have these items too. `except` is being replaced and does not count.
    pub(super) fn check_caps(
        &self,
        book: &mut OwnerBook,
        items: &[Item],
        except: Option<ReservationId>,
        now: u64,
    ) -> Result<(), ReserveError> {
        let settings = &self.settings;
        let (mut held, mut units) = (0u64, 0u64);
        let mut per_line: Vec<u64> = vec![0; items.len()];
        book.ids.retain(|&id| {
            let Some(owned) = self.live_items(id, now) else { return false };
            if Some(id) != except {
                held += 1;
                for item in owned.iter() {
                    let quantity = u64::from(item.quantity.get());
                    units += quantity;
                    if let Ok(at) = items.binary_search_by_key(&item.line, |wanted| wanted.line) {
                        per_line[at] += quantity;
                    }
                }
            }
            true
        });
        let asked: u64 = items.iter().map(|item| u64::from(item.quantity.get())).sum();
        cap(OwnerCap::Reservations, held, 1, settings.owner_reservations_max)?;
        cap(OwnerCap::Units, units, asked, settings.owner_units_max)?;
        for (item, held) in items.iter().zip(per_line) {
            let asked = u64::from(item.quantity.get());
            cap(OwnerCap::UnitsPerLine, held, asked, settings.owner_units_per_line_max)?;
        }
        Ok(())
    }

    /// What a reservation holds, if it lives at `now`.
    fn live_items(&self, id: ReservationId, now: u64) -> Option<super::ends::Items> {
        let slot = self.slot(id).ok()?;
        let seen = slot.snapshot();
        let body = slot.body(now);
        let judged = seen.in_time(id.generation, now, self.settings.pending_policy);
        // One that is being changed counts: it may live on.
        let lives = judged.is_ok() || (judged == Err(No::Busy) && seen.standing() == Standing::Changing);
        lives.then(|| self.items_of(id.slot, &body))
    }

    /// An owner's reservation ended. Never waits: a book in use is cleaned by a later sweep.
    pub(super) fn forget_owned(&self, owner: Owner, id: ReservationId) {
        let Some(shared) = self.owners.find(owner) else { return };
        match shared.try_lock() {
            Some(mut book) => {
                book.ids.retain(|&other| other != id);
                self.owners.bury(owner, &mut book, &shared);
            }
            None => self.owners.left.push(owner),
        };
    }

    /// Cleans some of the books that could not be cleaned at once.
    pub(super) fn clean_owners(&self, now: u64) {
        for _ in 0..CLEAN_BUDGET.min(self.owners.left.len()) {
            let Some(owner) = self.owners.left.pop() else { return };
            let Some(shared) = self.owners.find(owner) else { continue };
            match shared.try_lock() {
                Some(mut book) => {
                    book.ids.retain(|&id| self.live_items(id, now).is_some());
                    self.owners.bury(owner, &mut book, &shared);
                }
                None => self.owners.left.push(owner),
            };
        }
    }
}

fn cap(cap: OwnerCap, held: u64, asked: u64, max: u64) -> Result<(), ReserveError> {
    if held.saturating_add(asked) > max {
        return Err(ReserveError::OwnerCap { cap, held, asked, max });
    }
    Ok(())
}
