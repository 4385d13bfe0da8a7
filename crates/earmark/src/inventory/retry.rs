//! `retry_after`: when enough units may come back (P11).
//!
//! Deadlines are not kept by line, so an answer costs one pass over the slots. A line's deadlines are
//! then kept for as long as the tick stands, so that a crowd before an empty shelf pays once.

use std::collections::HashMap;
use std::sync::Arc;

use super::Inventory;
use crate::clock::Timestamp;
use crate::error::StockError;
use crate::quantity::Quantity;
use crate::reservation::phase::{PendingPolicy, Phase};
use crate::reservation::state::Standing;
use crate::sku::StockId;
use crate::stock::counter::{Counter, Snapshot as Word};
use crate::sync::Mutex;

/// Lines whose deadlines are kept at a time; beyond it a call computes for itself.
const RETRY_LINES_MAX: usize = 1_024;

/// Deadlines of the lines asked about in this tick. Older ticks are dropped at the next miss, so that
/// memory follows the living (P10).
#[derive(Debug)]
pub(super) struct Retries(Mutex<HashMap<StockId, (u64, Place)>>);

/// A line's deadlines, filled by the first who asks.
type Place = Arc<Mutex<Option<Returns>>>;

/// What comes back to one line, and when.
#[derive(Debug)]
struct Returns {
    /// The hot word after the pass.
    word: Word,
    /// Available around the pass, with what a call has taken that no slot shows yet: a moment before that
    /// call it was there.
    available: u64,
    /// Deadlines, ascending, each with the units that are back by then.
    back: Box<[(u64, u64)]>,
}

impl Default for Retries {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl Retries {
    /// The line's place in this tick; `None` if there is no room for it, or somebody keeps the table.
    fn place(&self, line: StockId, now: u64) -> Option<Place> {
        let mut lines = self.0.lock_bounded()?;
        if let Some((tick, place)) = lines.get(&line)
            && *tick >= now
        {
            return Some(Arc::clone(place));
        }
        lines.retain(|_, (tick, _)| *tick >= now);
        if lines.len() >= RETRY_LINES_MAX {
            return None;
        }
        let place = Place::new(Mutex::new(None));
        lines.insert(line, (now, Arc::clone(&place)));
        Some(place)
    }
}

impl Returns {
    fn new(word: Word, available: u64, mut deadlines: Vec<(u64, u32)>) -> Self {
        deadlines.sort_unstable();
        let sum = |sum: &mut u64, (deadline, units): (u64, u32)| {
            *sum += u64::from(units);
            Some((deadline, *sum))
        };
        Self { word, available, back: deadlines.into_iter().scan(0, sum).collect() }
    }

    /// The earliest instant by which this many units may be there. `seen` is the hot word as it is now:
    /// if it moved since the pass, what cannot be told from here is put off to the next tick.
    fn earliest(&self, units: u32, seen: Word, now: u64) -> Option<u64> {
        if seen.available() >= units {
            return Some(now);
        }
        let missing = u64::from(units).saturating_sub(self.available);
        if missing == 0 {
            return Some(now + 1); // they were there, and went to somebody since
        }
        let at = self.back.partition_point(|(_, back)| *back < missing);
        match self.back.get(at) {
            Some((deadline, _)) => Some((*deadline).max(now)),
            // Whether its stripes are open or closed says nothing of its units.
            None if !seen.holds_as(self.word) && seen.available() + seen.reserved() >= units => Some(now + 1),
            None => None,
        }
    }
}

impl Inventory {
    /// The earliest time at which this many units of a line may be there: now, if they are; else the
    /// deadline by which enough of its live reservations are over; `None` if that will not happen by
    /// itself, which is so for a retired line and for units in review.
    ///
    /// Says the next millisecond while too much of the line is being changed to tell.
    ///
    /// Never later than the truth at the moment of computing: units may come back earlier, by a release
    /// or a delivery, and later, if reservations are extended or confirmed. It promises nothing to who
    /// comes back then.
    ///
    /// Computed at most once per line and tick (one millisecond), for up to 1,024 lines a tick; a call
    /// that waits in vain for another's pass makes its own. Cost: nothing if the units are there, else
    /// one pass over all slots ever in use, of which what lives on the line is kept until the next tick.
    /// Reads the clock.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
    /// let first = inventory.reserve(tee, Quantity::new(2)?, Ttl::minutes(5)?)?;
    /// let second = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(10)?)?;
    /// assert_eq!(inventory.retry_after(tee, Quantity::new(1)?)?, Some(first.deadline()));
    /// assert_eq!(inventory.retry_after(tee, Quantity::new(4)?)?, Some(second.deadline()));
    /// assert_eq!(inventory.retry_after(tee, Quantity::new(6)?)?, None);
    /// # drop((first, second));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn retry_after(&self, line: StockId, quantity: Quantity) -> Result<Option<Timestamp>, StockError> {
        let now = self.read_clock();
        let declared = self.lines.line(line).and_then(|_| self.counter(line));
        let counter = declared.ok_or(StockError::UnknownLine { line })?;
        let units = quantity.get();
        if counter.snapshot().retired() {
            return Ok(None);
        }
        if self.hot.available(line, counter) >= units {
            return Ok(Some(Timestamp::from_millis(now)));
        }
        let place = self.retries.place(line, now);
        let at = match place.as_deref().and_then(Mutex::lock_bounded) {
            Some(mut place) => {
                if place.is_none() {
                    *place = self.returns(line, counter, now);
                }
                place.as_ref().map(|returns| self.earliest(returns, line, counter, units, now))
            }
            None => {
                let returns = self.returns(line, counter, now);
                returns.map(|returns| self.earliest(&returns, line, counter, units, now))
            }
        };
        Ok(at.unwrap_or(Some(now + 1)).map(Timestamp::from_millis))
    }

    /// The answer of a pass, with the line's word as it is now; the next millisecond if that cannot be told.
    fn earliest(&self, returns: &Returns, line: StockId, counter: &Counter, units: u32, now: u64) -> Option<u64> {
        let word = self.hot.whole(line, counter);
        word.map_or(Some(now + 1), |word| returns.earliest(units, word, now))
    }

    /// One pass: what lives on the line, by deadline. What is due already is back now. Closes the line's
    /// stripes; `None` if too much of it is being changed.
    fn returns(&self, line: StockId, counter: &Counter, now: u64) -> Option<Returns> {
        let before = self.hot.whole(line, counter)?;
        let policy = self.settings.pending_policy;
        let (mut deadlines, mut seen) = (Vec::new(), 0);
        for (_, looked) in self.slots(now) {
            let snapshot = looked.snapshot;
            let deadline = match snapshot.standing() {
                Standing::Free | Standing::Claimed | Standing::Ended(_) => continue,
                Standing::Live(Phase::InReview) => None,
                Standing::Live(Phase::PaymentPending) if policy == PendingPolicy::Review => None,
                Standing::Live(_) => Some(snapshot.deadline(now).max(now)),
                Standing::Overdue | Standing::Expiring => Some(now),
                Standing::Changing => Some(now + 1), // whatever becomes of it
            };
            for (_, units) in looked.items().filter(|(held, units)| *held == line && *units > 0) {
                seen += u64::from(units);
                deadlines.extend(deadline.map(|deadline| (deadline, units)));
            }
        }
        let word = self.hot.whole(line, counter)?;
        // What was released behind the pass is in the later word, what was reserved behind it in the earlier.
        let available = u64::from(before.available().max(word.available()));
        let unseen = u64::from(before.reserved().min(word.reserved())).saturating_sub(seen);
        Some(Returns::new(word, available + unseen, deadlines))
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Cause, LineSpec, ManualClock, Ttl};

    fn units(units: u32) -> Quantity {
        Quantity::new(units).unwrap()
    }

    #[test]
    fn p11_deadlines_add_up_and_due_ones_are_back_now() {
        let clock = ManualClock::new(Timestamp::from_millis(100));
        let inventory = Inventory::builder().clock(clock.clone()).build().unwrap();
        let line = inventory.declare(LineSpec::new("TEE")).unwrap();
        inventory.receive(line, units(6), &Cause::none()).unwrap();
        for (count, ttl) in [(3, 50), (2, 10)] {
            let _ = inventory.reserve(line, units(count), Ttl::millis(ttl).unwrap()).unwrap().detach();
        }
        let at = |count| inventory.retry_after(line, units(count)).unwrap().map(Timestamp::as_millis);
        assert_eq!([1, 2, 3, 4, 6, 7].map(at), [Some(100), Some(110), Some(110), Some(150), Some(150), None]);
        clock.advance(Duration::from_millis(20));
        assert_eq!([3, 4, 7].map(at), [Some(120), Some(150), None]);
        let unknown = StockId::new(1);
        let refused = inventory.retry_after(unknown, Quantity::ONE);
        assert_eq!(refused, Err(StockError::UnknownLine { line: unknown }));
    }

    #[test]
    fn a_line_that_moved_since_the_pass_is_asked_about_again() {
        let clock = ManualClock::new(Timestamp::from_millis(100));
        let inventory = Inventory::builder().clock(clock.clone()).build().unwrap();
        let line = inventory.declare(LineSpec::new("TEE")).unwrap();
        inventory.receive(line, units(2), &Cause::none()).unwrap();
        let at = |count| inventory.retry_after(line, units(count)).unwrap().map(Timestamp::as_millis);
        assert_eq!(at(3), None);
        inventory.receive(line, units(1), &Cause::none()).unwrap();
        let _ = inventory.reserve(line, units(3), Ttl::millis(40).unwrap()).unwrap().detach();
        assert_eq!(at(3), Some(101));
        clock.advance(Duration::from_millis(1));
        assert_eq!(at(3), Some(140));
    }

    /// Units are taken, and no reservation shows yet: they will come back.
    #[test]
    fn p11_what_is_being_reserved_is_asked_about_again() {
        let inventory = Inventory::builder().clock(ManualClock::new(Timestamp::from_millis(100))).build().unwrap();
        let line = inventory.declare(LineSpec::new("TEE")).unwrap();
        inventory.receive(line, units(3), &Cause::none()).unwrap();
        let _ = inventory.reserve(line, units(1), Ttl::millis(40).unwrap()).unwrap().detach();
        inventory.counter(line).unwrap().take(2).unwrap();
        let at = |count| inventory.retry_after(line, units(count)).unwrap().map(Timestamp::as_millis);
        assert_eq!([1, 2, 3, 4].map(at), [Some(101), Some(101), Some(140), None]);
    }

    #[test]
    fn p10_the_table_is_bounded_and_forgets_old_ticks() {
        let retries = Retries::default();
        for line in 0..RETRY_LINES_MAX as u32 {
            assert!(retries.place(StockId::new(line), 5).is_some());
        }
        assert!(retries.place(StockId::new(u32::MAX), 5).is_none());
        assert!(retries.place(StockId::new(u32::MAX), 6).is_some());
        assert_eq!(retries.0.lock().len(), 1);
    }
}
