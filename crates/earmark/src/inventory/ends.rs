//! Ends that a holder asks for: confirm and release; and moving the deadline.
//!
//! One compare-exchange on the slot's state decides (R1). Only then does the winner move the counters,
//! and give the slot back last.

use std::ops::Deref;
use std::sync::Arc;

use super::request::{Item, Key};
use super::{Extra, Fact, Inventory, Lost, NO_CHANNEL};
use crate::clock::{Timestamp, Ttl};
use crate::error::{ConfirmError, ExtendError, ReleaseError};
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::reservation::slot::{Body, Slot};
use crate::reservation::state::{No, Snapshot};
use crate::seeded::{Break, Step, on, step};
use crate::sku::StockId;

/// What a reservation holds: one item in the slot, or a cart's beside it.
#[derive(Debug)]
pub(super) enum Items {
    None,
    One([Item; 1]),
    Cart(Arc<Extra>),
}

impl Deref for Items {
    type Target = [Item];

    fn deref(&self) -> &[Item] {
        match self {
            Self::None => &[],
            Self::One(item) => item,
            Self::Cart(extra) => &extra.items,
        }
    }
}

impl Items {
    /// Units over all lines.
    pub(super) fn units(&self) -> u64 {
        self.iter().map(|item| u64::from(item.quantity.get())).sum()
    }
}

impl Inventory {
    /// Ends a reservation as confirmed: its units are committed to an order. Lock-free.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.confirm(id)?;
    /// assert!(matches!(inventory.release(id), Err(ReleaseError::Ended { end: End::Confirmed, .. })));
    /// assert_eq!(inventory.levels(tee)?.committed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfirmError`]: another end won, the deadline has come (also if no sweep ran, P5), or the id is
    /// unknown.
    #[inline]
    pub fn confirm(&self, id: ReservationId) -> Result<(), ConfirmError> {
        if id.incarnation() == self.incarnation && self.confirm_plain(id.slot(), id.generation()) {
            return Ok(());
        }
        self.confirm_the_long_way(id)
    }

    #[cold]
    fn confirm_the_long_way(&self, id: ReservationId) -> Result<(), ConfirmError> {
        self.confirm_bare(id).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    fn confirm_bare(&self, id: ReservationId) -> Result<(), ConfirmError> {
        self.confirm_live(id, |_| true).map_err(|lost| confirm_error(id, lost))
    }

    /// [`confirm`](Self::confirm) under an idempotency key: a retry gets the first answer inside the
    /// key's window, also when the end itself is no longer remembered (P7).
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let key = inventory.key("order 17");
    /// inventory.confirm_with(id, key)?;
    /// inventory.confirm_with(id, key)?; // the answer was lost: asking again is safe
    /// assert!(matches!(inventory.confirm(id), Err(ConfirmError::Ended { end: End::Confirmed, .. }))); // without it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfirmError`], `Key` among them.
    pub fn confirm_with(&self, id: ReservationId, key: Key) -> Result<(), ConfirmError> {
        let fingerprint = || self.hash(&("confirm", id.to_bits()));
        self.keyed(NO_CHANNEL, Some(key), fingerprint, || self.confirm_bare(id)).answer()
    }

    /// Ends a reservation as released: its units can be reserved again. Lock-free, save that other calls
    /// on the same id wait a bounded time for one that is under way, and then say `Contended`.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.release(id)?;
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReleaseError`]: another end won, the deadline has come, or the id is unknown.
    #[inline]
    pub fn release(&self, id: ReservationId) -> Result<(), ReleaseError> {
        if id.incarnation() == self.incarnation && self.release_plain(id.slot(), id.generation()) {
            return Ok(());
        }
        self.release_the_long_way(id)
    }

    #[cold]
    fn release_the_long_way(&self, id: ReservationId) -> Result<(), ReleaseError> {
        self.release_bare(id).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// [`release`](Self::release) under an idempotency key, as [`confirm_with`](Self::confirm_with).
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let key = inventory.key("the buyer went away");
    /// inventory.release_with(id, key)?;
    /// inventory.release_with(id, key)?; // not `Ended`: the same call again
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReleaseError`], `Key` among them.
    pub fn release_with(&self, id: ReservationId, key: Key) -> Result<(), ReleaseError> {
        let fingerprint = || self.hash(&("release", id.to_bits()));
        self.keyed(NO_CHANNEL, Some(key), fingerprint, || self.release_bare(id)).answer()
    }

    fn release_bare(&self, id: ReservationId) -> Result<(), ReleaseError> {
        self.release_live(id, |_| true).map_err(|lost| match lost {
            Lost::NotFound => ReleaseError::NotFound { id },
            Lost::Ended(end) => ReleaseError::Ended { id, end },
            Lost::Contended | Lost::Phase(_) => ReleaseError::Contended { id },
        })
    }

    /// Moves the deadline to `ttl` from now. Never shortens, and never beyond `life_max` from the
    /// reservation's beginning. Returns the deadline that holds now. Lock-free.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// let later = inventory.extend(guard.id(), Ttl::minutes(10)?)?;
    /// assert!(later > guard.deadline());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ExtendError`]: it ended, its longest life is used up, or a payment runs.
    pub fn extend(&self, id: ReservationId, ttl: Ttl) -> Result<Timestamp, ExtendError> {
        self.extend_bare(id, ttl).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    fn extend_bare(&self, id: ReservationId, ttl: Ttl) -> Result<Timestamp, ExtendError> {
        let life_max = self.settings.life_max;
        let refused = |lost| match lost {
            Lost::NotFound => ExtendError::NotFound { id },
            Lost::Ended(end) => ExtendError::Ended { id, end },
            Lost::Contended => ExtendError::Contended { id },
            Lost::Phase(phase) => ExtendError::WrongPhase { id, phase },
        };
        let slot = self.slot(id).map_err(refused)?;
        let read = self.read_clock();
        // Read for this generation or, if the rule finds another, not used.
        let end_of_life = slot.body(self.tick()).born.saturating_add(life_max.as_millis());
        let asked = |now: u64| read.max(now) + ttl.as_millis();
        let rule = |seen: Snapshot, now: u64| {
            let reserved = |phase| phase == Phase::Reserved;
            let moved = |current: u64| asked(now).min(end_of_life).max(current);
            seen.move_to(id.generation(), now, self.settings.pending_policy, reserved, Phase::Reserved, moved)
        };
        let (before, now) = if on(Break::ExtendBlind) {
            let now = self.time.now();
            slot.update_blind(|seen| rule(seen, now)).map(|seen| (seen, now)).map_err(|no| refused(lost(no)))?
        } else {
            self.decide(slot, rule).map_err(refused)?
        };
        let current = before.deadline(now);
        let asked = asked(now);
        if asked > current && end_of_life <= current {
            return Err(ExtendError::LifeUsedUp { id, max: life_max.as_duration() });
        }
        let deadline = asked.min(end_of_life).max(current);
        if deadline > current {
            self.record(slot.body(now).channel, Fact::Extended { id, deadline });
        }
        Ok(Timestamp::from_millis(deadline))
    }

    /// R1: the compare-exchange decides; what follows belongs to the winner alone.
    pub(super) fn confirm_live(&self, id: ReservationId, from: impl Fn(Phase) -> bool) -> Result<(), Lost> {
        let _world = on(Break::ConfirmStopsTheWorld).then(crate::seeded::stop_the_world);
        let (slot, policy) = (self.slot(id)?, self.settings.pending_policy);
        let rule = |seen: Snapshot, now| seen.end(id.generation(), now, policy, &from, End::Confirmed);
        let (before, now) = self.decide(slot, rule)?;
        let body = slot.body(now);
        step(Step::Ended);
        self.tell_of_review(id, before, body.channel, now);
        self.settle_ended(id, &body, End::Confirmed, true);
        step(Step::Settled);
        self.finish(id, &body, now);
        Ok(())
    }

    /// A release is `Changing` until its units are back: a refusal that meets it after the deadline
    /// says `contended`, not that the units are gone (P4).
    pub(super) fn release_live(&self, id: ReservationId, from: impl Fn(Phase) -> bool) -> Result<(), Lost> {
        let (slot, policy) = (self.slot(id)?, self.settings.pending_policy);
        let (before, now) = if on(Break::ReleaseTwice) {
            let now = self.time.now();
            let locked = slot.update_blind(|seen| seen.lock(id.generation(), now, policy, &from));
            (locked.map_err(lost)?, now)
        } else {
            self.decide(slot, |seen, now| seen.lock(id.generation(), now, policy, &from))?
        };
        self.give_up(slot, before, id, now);
        Ok(())
    }

    /// Releases without waiting and without reading the clock, for a guard that is dropped, and only
    /// while no payment runs: money may be on its way. Judged by
    /// the tick: at worst something overdue is released a moment before it would have expired.
    pub(super) fn release_at_once(&self, id: ReservationId) -> Result<(), Lost> {
        let (slot, policy, now) = (self.slot(id)?, self.settings.pending_policy, self.tick());
        let unpaid = |phase| phase == Phase::Reserved;
        let before = slot.update(|seen| seen.lock(id.generation(), now, policy, unpaid)).map_err(lost)?;
        self.give_up(slot, before, id, now);
        Ok(())
    }

    fn give_up(&self, slot: &Slot, before: Snapshot, id: ReservationId, now: u64) {
        let freed_early = on(Break::FreeBeforeReturn);
        if freed_early {
            self.slab.give_back(self.lane(), id.slot(), now);
        }
        let body = slot.body(now);
        step(Step::Ended);
        self.tell_of_review(id, before, body.channel, now);
        if on(Break::ReleaseAtOnce) {
            slot.unlock(before.ended(End::Released));
        }
        self.settle_ended(id, &body, End::Released, false);
        step(Step::Settled);
        if !freed_early {
            slot.unlock(before.ended(End::Released));
            self.finish(id, &body, now);
        }
    }

    /// What a reservation holds. Call it with the body of a generation that is still one's own to read.
    pub(super) fn items_of(&self, slot: u32, body: &Body) -> Items {
        if body.is_cart {
            // The map's shard is let go at once.
            return self.extra_of(slot).map_or(Items::None, Items::Cart);
        }
        match Quantity::new(body.units) {
            Ok(quantity) => Items::One([Item { line: StockId::new(body.line), quantity }]),
            Err(_) => Items::None,
        }
    }

    /// A reservation has ended: tells of it, then moves the counters of all its lines. What gives stock
    /// back is told before the counter rises (P6).
    pub(super) fn settle_ended(&self, id: ReservationId, body: &Body, end: End, settled: bool) {
        let items = self.items_of(id.slot(), body);
        self.record(body.channel, Fact::Ended { id, end, units: items.units() });
        for item in items.iter() {
            if let Some(counter) = self.counter(item.line) {
                let units = item.quantity.get();
                if settled {
                    self.end_units(item.line, counter, units, 0)
                } else {
                    self.end_units(item.line, counter, 0, units)
                }
            }
        }
    }

    /// The slot of an ended reservation goes back, and with it what was kept beside it.
    pub(super) fn finish(&self, id: ReservationId, body: &Body, now: u64) {
        if body.has_extra {
            self.let_go(id.slot(), body);
        }
        self.slab.give_back(self.lane(), id.slot(), now);
    }
}

/// A rule's refusal, without waiting.
pub(super) const fn lost(no: No) -> Lost {
    match no {
        No::Gone => Lost::NotFound,
        No::Ended(end) => Lost::Ended(end),
        No::Due => Lost::Ended(End::Expired),
        No::Phase(phase) => Lost::Phase(phase),
        No::NotDue | No::Busy => Lost::Contended,
    }
}

const fn confirm_error(id: ReservationId, lost: Lost) -> ConfirmError {
    match lost {
        Lost::NotFound => ConfirmError::NotFound { id },
        Lost::Ended(end) => ConfirmError::Ended { id, end },
        Lost::Contended | Lost::Phase(_) => ConfirmError::Contended { id },
    }
}
