//! Parts: confirming or releasing only some of what a reservation holds.
//!
//! The slot is `Changing` meanwhile (R3): one call edits the items, the others on this id wait a bounded
//! time and then say `contended`. A thread stopped in here holds up calls on this one reservation; from its
//! deadline on also refusals, because it may be on its way back (P4).

use super::ends::Items;
use super::request::{Item, Key};
use super::{Fact, Inventory, Lost, NO_CHANNEL, sum_items};
use crate::error::PartError;
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::reservation::slot::{Body, Slot};
use crate::reservation::state::Snapshot;

/// The exclusive right to change a reservation. Dropped without `finish`, it stands as it was.
#[derive(Debug)]
pub(super) struct Changing<'a> {
    slot: &'a Slot,
    before: Snapshot,
    done: bool,
}

impl<'a> Changing<'a> {
    pub(super) const fn new(slot: &'a Slot, before: Snapshot) -> Self {
        Self { slot, before, done: false }
    }

    /// The reservation ends so.
    pub(super) fn end(mut self, end: End) {
        self.done = true;
        self.slot.unlock(self.before.ended(end));
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.slot.unlock(self.before);
        }
    }
}

/// A line of a reservation, split: this much of it is the part, the rest is not.
struct Split {
    item: Item,
    part: u32,
    rest: u32,
}

impl Inventory {
    /// Confirms some of what a reservation holds; the rest goes back, and the reservation ends as
    /// confirmed. For a cart one call names all items that are kept.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?)?.detach();
    /// inventory.confirm_part(id, &[Item { line: tee, quantity: Quantity::new(2)? }])?;
    /// let levels = inventory.levels(tee)?;
    /// assert_eq!((levels.committed, levels.available), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PartError`]; nothing changed.
    pub fn confirm_part(&self, id: ReservationId, part: &[Item]) -> Result<(), PartError> {
        self.confirm_part_bare(id, part).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// [`confirm_part`](Self::confirm_part) under an idempotency key, as
    /// [`confirm_with`](Self::confirm_with).
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?)?.detach();
    /// let (part, key) = ([Item { line: tee, quantity: Quantity::new(2)? }], inventory.key("order 17"));
    /// inventory.confirm_part_with(id, &part, key)?;
    /// inventory.confirm_part_with(id, &part, key)?; // the answer was lost
    /// assert_eq!(inventory.levels(tee)?.committed, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PartError`], `Key` among them; nothing changed.
    pub fn confirm_part_with(&self, id: ReservationId, part: &[Item], key: Key) -> Result<(), PartError> {
        let fingerprint = || self.part_fingerprint("confirm_part", id, part);
        self.keyed(NO_CHANNEL, Some(key), fingerprint, || self.confirm_part_bare(id, part)).answer()
    }

    fn confirm_part_bare(&self, id: ReservationId, part: &[Item]) -> Result<(), PartError> {
        let (changing, body, splits, now) = self.open_part(id, part)?;
        let part: u64 = splits.iter().map(|split| u64::from(split.part)).sum();
        let rest: u64 = splits.iter().map(|split| u64::from(split.rest)).sum();
        self.tell_of_review(id, changing.before, body.channel, now);
        self.record(body.channel, Fact::Ended { id, end: End::Confirmed, units: part });
        self.record(body.channel, Fact::PartReturned { id, units: rest });
        for split in &splits {
            if let Some(counter) = self.counter(split.item.line) {
                counter.end(split.part, split.rest);
            }
        }
        changing.end(End::Confirmed); // after the rest is back, as with a release
        self.finish(id, &body, now);
        Ok(())
    }

    /// Releases some of what a reservation holds. Its id and deadline stay.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?)?.detach();
    /// inventory.release_part(id, &[Item { line: tee, quantity: Quantity::ONE }])?;
    /// assert_eq!(inventory.available(tee)?, 1);
    /// inventory.confirm(id)?; // the two that are left
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PartError`], `Whole` if nothing would be left; nothing changed.
    pub fn release_part(&self, id: ReservationId, part: &[Item]) -> Result<(), PartError> {
        self.release_part_bare(id, part).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// [`release_part`](Self::release_part) under an idempotency key. Without one a part is given back as
    /// often as the call is made.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?)?.detach();
    /// let (part, key) = ([Item { line: tee, quantity: Quantity::ONE }], inventory.key("one less"));
    /// inventory.release_part_with(id, &part, key)?;
    /// inventory.release_part_with(id, &part, key)?; // the answer was lost
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PartError`], `Key` and `Whole` among them; nothing changed.
    pub fn release_part_with(&self, id: ReservationId, part: &[Item], key: Key) -> Result<(), PartError> {
        let fingerprint = || self.part_fingerprint("release_part", id, part);
        self.keyed(NO_CHANNEL, Some(key), fingerprint, || self.release_part_bare(id, part)).answer()
    }

    /// Equal lines added up; a part that cannot be added up is refused, and stands as it was asked.
    fn part_fingerprint(&self, what: &str, id: ReservationId, part: &[Item]) -> u128 {
        let part = sum_items(part).unwrap_or_else(|_| part.to_vec());
        let part: Vec<_> = part.iter().map(|item| (item.line.raw(), item.quantity.get())).collect();
        self.hash(&(what, id.to_bits(), part))
    }

    fn release_part_bare(&self, id: ReservationId, part: &[Item]) -> Result<(), PartError> {
        let (changing, body, splits, _) = self.open_part(id, part)?;
        if splits.iter().all(|split| split.rest == 0) {
            return Err(PartError::Whole { id });
        }
        let units = splits.iter().map(|split| u64::from(split.part)).sum();
        self.record(body.channel, Fact::PartReleased { id, units });
        if body.is_cart {
            let rest = splits
                .iter()
                .filter_map(|split| Some(Item { line: split.item.line, quantity: Quantity::new(split.rest).ok()? }));
            self.keep_items(id.slot(), rest.collect());
        } else if let Some(split) = splits.first() {
            changing.slot.fill(Body { units: split.rest, ..body });
        }
        if body.has_extra {
            self.owned_less(id.slot(), units);
        }
        for split in splits.iter().filter(|split| split.part > 0) {
            if let Some(counter) = self.counter(split.item.line) {
                counter.end(0, split.part);
            }
        }
        drop(changing);
        Ok(())
    }

    /// Locks a live reservation for change, waiting a bounded time for another that changes it.
    pub(super) fn open_live(
        &self,
        id: ReservationId,
        from: impl Fn(Phase) -> bool,
    ) -> Result<(Changing<'_>, Body, Items, u64), Lost> {
        let slot = self.slot(id)?;
        let policy = self.settings.pending_policy;
        let (before, now) = self.decide(slot, |seen, now| seen.lock(id.generation(), now, policy, &from))?;
        let changing = Changing::new(slot, before);
        let body = slot.body(now);
        let items = self.items_of(id.slot(), &body);
        Ok((changing, body, items, now))
    }

    fn open_part(&self, id: ReservationId, part: &[Item]) -> Result<(Changing<'_>, Body, Vec<Split>, u64), PartError> {
        if part.is_empty() {
            return Err(PartError::NoItems { id });
        }
        let (changing, body, items, now) = self.open_live(id, |_| true).map_err(|lost| part_error(id, lost))?;
        let held_of = |line| items.binary_search_by_key(&line, |item| item.line).ok().map(|at| items[at].quantity);
        let not_held =
            |line, asked| PartError::NotHeld { id, line, asked, held: held_of(line).map_or(0, Quantity::get) };
        let part = sum_items(part).map_err(|error| match error {
            crate::RequestError::TooManyUnits { line } => {
                let of_line = part.iter().filter(|item| item.line == line);
                not_held(line, of_line.map(|item| u64::from(item.quantity.get())).sum())
            }
            _ => PartError::NoItems { id }, // adding up refuses nothing else
        })?;
        for wanted in &part {
            if held_of(wanted.line).is_none_or(|held| held < wanted.quantity) {
                return Err(not_held(wanted.line, u64::from(wanted.quantity.get())));
            }
        }
        let split = |item: &Item| {
            let wanted = part.binary_search_by_key(&item.line, |wanted| wanted.line);
            let part = wanted.map_or(0, |at| part[at].quantity.get());
            Split { item: *item, part, rest: item.quantity.get() - part }
        };
        let splits = items.iter().map(split).collect();
        Ok((changing, body, splits, now))
    }
}

fn part_error(id: ReservationId, lost: Lost) -> PartError {
    match lost {
        Lost::NotFound => PartError::NotFound { id },
        Lost::Ended(end) => PartError::Ended { id, end },
        Lost::Contended | Lost::Phase(_) => PartError::Contended { id },
    }
}
