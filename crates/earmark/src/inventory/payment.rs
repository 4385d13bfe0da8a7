//! Phases between reserved and the end: a payment runs, its outcome is unknown, a person decides.

use super::ends::lost;
use super::{Fact, Inventory, Lost, NO_CHANNEL};
use crate::clock::Timestamp;
use crate::error::{PaymentError, ReviewError};
use crate::nursery::Nursery;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::Phase;
use crate::reservation::state::{Snapshot, Standing};
use crate::seeded::{Break, Step, on, step};

/// What a person decided.
///
/// ```
/// # use earmark::*;
/// # let clock = ManualClock::default();
/// let review = Inventory::builder().pending_policy(PendingPolicy::Review);
/// # let inventory = review.clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// # clock.set(inventory.payment_pending(id)?);
/// // ... a payment stayed unknown until `pending_ttl`, and the provider now says that it failed:
/// assert_eq!(inventory.resolve_reviews(&inventory.reviews(), Resolution::Release), [Ok(())]);
/// assert_eq!(inventory.available(tee)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Resolution {
    /// The money is there.
    Confirm,
    /// It is not.
    Release,
}

impl Inventory {
    /// A payment begins: from here on a short deadline of its own counts (`payment_ttl` from now,
    /// within the reservation's longest life). Begin it before taking the money; asking again while
    /// paying gives the payment new time.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?;
    /// let pay_until = inventory.begin_payment(guard.id())?;
    /// assert!(pay_until < guard.deadline());
    /// // ... the money is taken ...
    /// guard.confirm()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PaymentError`]: it ended, or its outcome is already pending or in review.
    pub fn begin_payment(&self, id: ReservationId) -> Result<Timestamp, PaymentError> {
        let from = |phase| matches!(phase, Phase::Reserved | Phase::Paying);
        self.pay(id, from, Phase::Paying)
    }

    /// The payment's outcome is unknown: a long deadline counts (`pending_ttl` from now, or the one it has if
    /// that is later; not bounded by the longest life). When it comes, `pending_policy` says whether the
    /// reservation is released or waits for a person.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?.detach();
    /// let soon = inventory.begin_payment(id)?;
    /// let late = inventory.payment_pending(id)?; // the provider did not answer
    /// assert!(late > soon);
    /// inventory.confirm(id)?; // it did, hours later
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PaymentError`]: it ended, or is in review.
    pub fn payment_pending(&self, id: ReservationId) -> Result<Timestamp, PaymentError> {
        let from = |phase| matches!(phase, Phase::Reserved | Phase::Paying | Phase::PaymentPending);
        self.pay(id, from, Phase::PaymentPending)
    }

    /// [`payment_pending`](Self::payment_pending) for everything that is paying now: the provider is
    /// down. Returns how many were moved. One pass over the slots in use.
    ///
    /// One that another call is changing this instant is waited for, a bounded time. If that call does not
    /// come through, the reservation is left as it was and not counted: call again.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?.detach();
    /// inventory.begin_payment(id)?;
    /// assert_eq!(inventory.payments_pending(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn payments_pending(&self) -> usize {
        let paying = |phase| phase == Phase::Paying;
        // What is being changed may be paying: `move_phase` waits for it, and then judges.
        let ids = self.ids_where(|seen| matches!(seen.standing(), Standing::Live(Phase::Paying) | Standing::Changing));
        ids.into_iter().filter(|&id| self.move_phase(id, paying, Phase::PaymentPending).is_ok()).count()
    }

    /// Everything that waits for a person, in no order; also what no sweep has moved there yet. One
    /// pass over the slots in use.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().pending_policy(PendingPolicy::Review).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let until = inventory.payment_pending(id)?;
    /// assert_eq!(inventory.reviews(), []);
    /// clock.set(until);
    /// assert_eq!(inventory.reviews(), [id]); // its units stay set aside until somebody decides
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reviews(&self) -> Vec<ReservationId> {
        let (now, policy) = (self.read_clock(), self.settings.pending_policy);
        self.ids_where(|seen| seen.in_time(seen.generation(), now, policy) == Ok(Phase::InReview))
    }

    /// Resolves what waits for a person; an answer for each id, in order.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let inventory = Inventory::builder()
    ///     .clock(clock.clone())
    ///     .pending_policy(PendingPolicy::Review)
    ///     .pending_ttl(Ttl::minutes(30)?)
    ///     .build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.payment_pending(id)?;
    /// clock.advance(Duration::from_secs(3_600));
    /// assert_eq!(inventory.reviews(), [id]);
    /// assert_eq!(inventory.resolve_reviews(&[id], Resolution::Confirm), [Ok(())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// For each id [`ReviewError`]; nothing changed for that one.
    pub fn resolve_reviews(&self, ids: &[ReservationId], resolution: Resolution) -> Vec<Result<(), ReviewError>> {
        let resolve = |&id| {
            let resolved = self.resolve_review(id, resolution).map_err(|lost| review_error(id, lost));
            resolved.inspect_err(|error| self.refused(NO_CHANNEL, error))
        };
        ids.iter().map(resolve).collect()
    }

    fn resolve_review(&self, id: ReservationId, resolution: Resolution) -> Result<(), Lost> {
        let in_review = |phase| phase == Phase::InReview;
        match resolution {
            Resolution::Confirm => self.confirm_live(id, in_review),
            Resolution::Release => self.release_live(id, in_review),
        }
    }

    fn pay(&self, id: ReservationId, from: impl Fn(Phase) -> bool, to: Phase) -> Result<Timestamp, PaymentError> {
        let moved = self.move_phase(id, from, to).map_err(|lost| payment_error(id, lost));
        moved.inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    fn move_phase(&self, id: ReservationId, from: impl Fn(Phase) -> bool, to: Phase) -> Result<Timestamp, Lost> {
        let slot = self.slot(id)?;
        let (settings, read) = (&self.settings, self.read_clock());
        let born = slot.body(self.tick()).born; // of this generation, or the rule finds another
        let moved = |current: u64, now: u64| match to {
            Phase::Paying => {
                let end_of_life = born.saturating_add(settings.life_max.as_millis());
                (read.max(now) + settings.payment_ttl.as_millis()).min(end_of_life.max(current))
            }
            _ => (read.max(now) + settings.pending_ttl.as_millis()).max(current),
        };
        let rule = |seen: Snapshot, now: u64| {
            let moved = |current| moved(current, now);
            let next = seen.move_to(id.generation(), now, settings.pending_policy, &from, to, moved)?;
            let earlier = moved(seen.deadline(now)) < seen.deadline(now);
            Ok(if earlier { next.moving() } else { next })
        };
        let (before, now) = if on(Break::PendingBlind) && to == Phase::PaymentPending {
            slot.update_blind(|seen| rule(seen, read)).map(|seen| (seen, read)).map_err(lost)?
        } else {
            self.decide(slot, rule)?
        };
        let current = before.deadline(now);
        let deadline = moved(current, now);
        if deadline < current {
            // The wheel knows of it before anybody is told (P4).
            step(Step::Moving);
            if let Some(young) = self.slab.mark(id.slot()) {
                self.wheel.push(young, id.slot(), deadline);
            }
            slot.unlock(before.paying(deadline));
        }
        let fact = match before.standing() == Standing::Live(to) {
            true => Fact::Renewed { id, phase: to, deadline },
            false => Fact::Moved { id, phase: to, deadline },
        };
        self.record(slot.body(now).channel, fact);
        Ok(Timestamp::from_millis(deadline))
    }

    /// Of what ends out of a review that no sweep had moved it to: that it came there is told first.
    pub(super) fn tell_of_review(&self, id: ReservationId, before: Snapshot, channel: u16, now: u64) {
        let pending = before.standing() == Standing::Live(Phase::PaymentPending);
        let policy = self.settings.pending_policy;
        if pending && before.in_time(id.generation(), now, policy) == Ok(Phase::InReview) {
            self.record(channel, Fact::Moved { id, phase: Phase::InReview, deadline: 0 });
        }
    }

    fn ids_where(&self, wanted: impl Fn(Snapshot) -> bool) -> Vec<ReservationId> {
        let all = 0..self.slab.high_water();
        all.filter_map(|at| {
            let seen = self.slab.get(at)?.snapshot();
            wanted(seen).then(|| self.id(at, seen.generation()))
        })
        .collect()
    }
}

const fn review_error(id: ReservationId, lost: Lost) -> ReviewError {
    match lost {
        Lost::NotFound => ReviewError::NotFound { id },
        Lost::Ended(end) => ReviewError::Ended { id, end },
        Lost::Contended => ReviewError::Contended { id },
        Lost::Phase(phase) => ReviewError::NotInReview { id, phase },
    }
}

const fn payment_error(id: ReservationId, lost: Lost) -> PaymentError {
    match lost {
        Lost::NotFound => PaymentError::NotFound { id },
        Lost::Ended(end) => PaymentError::Ended { id, end },
        Lost::Contended => PaymentError::Contended { id },
        Lost::Phase(phase) => PaymentError::WrongPhase { id, phase },
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::inventory::model::clock::HookClock;
    use crate::{Cause, LineSpec, ManualClock, Quantity, State, Ttl};

    fn paying(clock: &HookClock) -> (Arc<Inventory>, ReservationId) {
        let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
        let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15).unwrap()).unwrap().detach();
        let _ = inventory.begin_payment(id).unwrap();
        (inventory, id)
    }

    #[test]
    fn asked_for_again_a_payment_gets_new_time_and_is_counted_once() {
        let time = ManualClock::default();
        let (inventory, id) = paying(&HookClock::new(time.clone()));
        let calls = [Inventory::begin_payment, Inventory::payment_pending, Inventory::payment_pending];
        let mut until = inventory.get(id).unwrap().deadline.unwrap();
        for call in calls {
            time.advance(Duration::from_secs(1));
            let later = call(&inventory, id).unwrap();
            assert!(later > until);
            until = later;
        }
        let counts = inventory.counts();
        assert_eq!((counts.payments_begun, counts.payments_pending, counts.extended), (1, 1, 0));
    }

    /// The provider is down while another call is changing what is being paid.
    #[test]
    fn what_is_being_changed_this_instant_is_moved_too() {
        let clock = HookClock::new(ManualClock::default());
        let (inventory, id) = paying(&clock);
        let lock = |inventory: &Inventory| {
            let slot = inventory.slot(id).unwrap();
            slot.update(|seen| seen.lock(id.generation(), 0, Default::default(), |_| true)).unwrap()
        };
        let before = lock(&inventory);
        let changing = Arc::downgrade(&inventory);
        // Read for the new deadline, for the first look and for the second: then the other call is through.
        clock.at_reading(2, move || changing.upgrade().unwrap().slot(id).unwrap().unlock(before));
        assert_eq!(inventory.payments_pending(), 1);
        assert_eq!(inventory.get(id).unwrap().state, State::Live(Phase::PaymentPending));

        let _stopped = lock(&inventory);
        assert_eq!(inventory.payments_pending(), 0, "the wait is bounded");
    }
}
