//! Money that comes late: taking an expired reservation up again.

use super::cart::TakeRefused;
use super::ends::lost;
use super::parts::Changing;
use super::request::Key;
use super::{Fact, Inventory, Lost, NO_CHANNEL};
use crate::error::{ReacquireError, ShortItem};
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::End;
use crate::reservation::slot::Slot;
use crate::reservation::state::No;
use crate::sync::Pause;

/// How a late payment found its reservation.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// match inventory.confirm_or_reacquire(id)? {
///     Late::InTime => {} // as if it had been `confirm`
///     other => panic!("it was not late, yet {other:?}"),
/// }
/// assert_eq!(inventory.counts().reacquired, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[must_use]
#[non_exhaustive]
pub enum Late {
    /// Still alive: confirmed as usual.
    InTime,
    /// Expired, but all its units were still there and are committed now.
    Reacquired,
}

impl Inventory {
    /// Confirms a reservation whose money may have come after the deadline. If it expired, and what it
    /// held is still remembered (`expired_retention`) and still there, its units are taken again and
    /// committed at once, all or nothing. A forgotten id is refused, never guessed.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::secs(30)?)?.detach();
    /// clock.advance(Duration::from_secs(31)); // the provider took its time
    /// assert!(inventory.confirm(id).is_err());
    /// assert_eq!(inventory.confirm_or_reacquire(id)?, Late::Reacquired);
    /// assert_eq!(inventory.levels(tee)?.committed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReacquireError`]; nothing changed.
    pub fn confirm_or_reacquire(&self, id: ReservationId) -> Result<Late, ReacquireError> {
        self.reacquire_bare(id).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// [`confirm_or_reacquire`](Self::confirm_or_reacquire) under an idempotency key: a retry gets the first
    /// answer, and not that the id is forgotten. Money hangs on that answer, so prefer this one.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::secs(30)?)?.detach();
    /// clock.advance(Duration::from_secs(31));
    /// let key = inventory.key("payment 4711");
    /// assert_eq!(inventory.confirm_or_reacquire_with(id, key)?, Late::Reacquired);
    /// assert_eq!(inventory.confirm_or_reacquire_with(id, key)?, Late::Reacquired); // the answer was lost
    /// assert_eq!(inventory.levels(tee)?.committed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReacquireError`], `Key` among them; nothing changed.
    pub fn confirm_or_reacquire_with(&self, id: ReservationId, key: Key) -> Result<Late, ReacquireError> {
        let fingerprint = || self.hash(&("confirm_or_reacquire", id.to_bits()));
        self.keyed(NO_CHANNEL, Some(key), fingerprint, || self.reacquire_bare(id)).answer()
    }

    fn reacquire_bare(&self, id: ReservationId) -> Result<Late, ReacquireError> {
        let refused = |lost| match lost {
            Lost::NotFound => ReacquireError::NotFound { id },
            Lost::Ended(end) => ReacquireError::Ended { id, end },
            Lost::Contended | Lost::Phase(_) => ReacquireError::Contended { id },
        };
        let slot = self.slot(id).map_err(refused)?;
        let policy = self.settings.pending_policy;
        let now = self.time_to_begin(|time| time.now()).ok_or(refused(Lost::Contended))?;
        let mut pause = Pause::new();
        loop {
            // Alive, perhaps overdue and not swept yet: its units are still set aside.
            match slot.update(|seen| seen.end_late(id.generation(), now, policy)) {
                Ok(before) => {
                    let in_time = before.in_time(id.generation(), now, policy).is_ok();
                    let (end, late) =
                        if in_time { (End::Confirmed, Late::InTime) } else { (End::Reacquired, Late::Reacquired) };
                    let body = slot.body(now);
                    self.tell_of_review(id, before, body.channel, now);
                    self.settle_ended(id, &body, end, true);
                    self.finish(id, &body, now);
                    return Ok(late);
                }
                Err(No::Ended(End::Expired)) => self.sweep_before(now),
                Err(No::Busy) if pause.wait() => continue,
                Err(no) => return Err(refused(lost(no))),
            }
            return match slot.update(|seen| seen.reopen(id.generation())) {
                Ok(before) => self.reacquire(id, slot, Changing::new(slot, before), now),
                Err(No::Ended(End::Expired)) => Err(ReacquireError::NotFound { id }), // what it held is forgotten
                Err(No::Busy | No::Phase(_)) if pause.wait() => continue,
                Err(no) => Err(refused(lost(no))),
            };
        }
    }

    /// What is due for a look is looked at before a call makes a reservation `Changing` and then takes
    /// units: its own helping sweep would meet that very reservation, and could never be complete.
    pub(super) fn sweep_before(&self, now: u64) {
        if !self.wheel.settled(now) {
            self.help_sweep(now);
        }
    }

    fn reacquire(
        &self,
        id: ReservationId,
        slot: &Slot,
        changing: Changing<'_>,
        now: u64,
    ) -> Result<Late, ReacquireError> {
        let body = slot.body(now);
        let items = self.items_of(id.slot(), &body);
        self.take_all(&items).map_err(|refused| match refused {
            TakeRefused::Short(short) => ReacquireError::Short { id, short },
            TakeRefused::Contended(_) => ReacquireError::Contended { id },
            TakeRefused::Retired(line) | TakeRefused::Unknown(line) => {
                let asked = items.iter().find(|item| item.line == line).map_or(Quantity::ONE, |item| item.quantity);
                ReacquireError::Short { id, short: [ShortItem { line, asked, available: 0 }].into() }
            }
        })?;
        self.record(body.channel, Fact::Ended { id, end: End::Reacquired, units: items.units() });
        changing.end(End::Reacquired);
        for item in items.iter() {
            if let Some(counter) = self.counter(item.line) {
                counter.end(item.quantity.get(), 0);
            }
        }
        self.leave_all(&items);
        self.slab.unpark();
        self.finish(id, &body, now);
        Ok(Late::Reacquired)
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::time::Duration;

    use crate::*;

    /// Without a driver a look falls due between the reservation and the call. That look must not meet
    /// what the call itself is changing: it would answer `Contended`, and again, for ever.
    #[test]
    fn a_call_is_not_contended_by_what_it_changes_itself() {
        let clock = ManualClock::default();
        let inventory = Inventory::builder().clock(clock.clone()).build().unwrap();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let units = |units| Quantity::new(units).unwrap();
        let _ = inventory.receive(tee, units(2), &Cause::none()).unwrap();
        let request = ReserveRequest::new(Ttl::minutes(1).unwrap()).with_owner(inventory.owner("ada"));
        let old = inventory.reserve_with(&request.clone().with_item(tee, units(1))).unwrap().detach();
        clock.advance(Duration::from_secs(5));
        let refused = inventory.replace(old, &request.clone().with_item(tee, units(3)));
        let short = ReserveError::Insufficient { line: tee, asked: units(3), available: 2 };
        assert_eq!(refused, Err(ReplaceError::Reserve(short)));
        assert_eq!(inventory.replace(old, &request.with_item(tee, units(2))).unwrap().units, 2);

        clock.advance(Duration::from_secs(61));
        let other = inventory.reserve(tee, units(1), Ttl::minutes(1).unwrap()).unwrap().detach();
        let expired = Filter::all().with_state(State::Ended(End::Expired));
        let late = inventory.reservations(&expired).next().unwrap().id;
        clock.advance(Duration::from_secs(5));
        let short = [ShortItem { line: tee, asked: units(2), available: 1 }].into();
        assert_eq!(inventory.confirm_or_reacquire(late), Err(ReacquireError::Short { id: late, short }));
        inventory.release(other).unwrap();
        assert_eq!(inventory.confirm_or_reacquire(late), Ok(Late::Reacquired));
    }

    /// The same, where an earlier sweep was cut short: finishing its pass over the young is not enough.
    #[test]
    fn a_call_is_not_contended_by_a_pass_that_was_cut_short() {
        let clock = ManualClock::default();
        let inventory = Inventory::builder().clock(clock.clone()).sweep_budget(1).build().unwrap();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let units = |units| Quantity::new(units).unwrap();
        let _ = inventory.receive(tee, units(9), &Cause::none()).unwrap();
        let ttl = Ttl::millis(500).unwrap();
        let reserve = || inventory.reserve(tee, units(1), ttl).unwrap().detach();
        let _ = reserve();
        clock.advance(Duration::from_millis(3_500));
        let _ = reserve();
        let _ = inventory.sweep();
        let _ = reserve();
        clock.advance(Duration::from_millis(4_096));
        let request = ReserveRequest::new(ttl).with_owner(inventory.owner("ada"));
        let old = inventory.reserve_with(&request.clone().with_item(tee, units(1))).unwrap().detach();
        let refused = inventory.replace(old, &request.with_item(tee, units(10)));
        let short = ReserveError::Insufficient { line: tee, asked: units(10), available: 9 };
        assert_eq!(refused, Err(ReplaceError::Reserve(short)));
    }
}
