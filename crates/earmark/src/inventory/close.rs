//! Closing: takes nothing new, and tells what still lives.

use std::sync::atomic::Ordering::Release;

use super::{Fact, Inventory, NO_CHANNEL};
use crate::reservation::id::ReservationId;
use crate::reservation::phase::Phase;
use crate::reservation::slot::Slot;
use crate::reservation::state::Standing;
use crate::sync::Pause;

/// Looks that a close takes before it says that something is on its way.
const CLOSE_LOOKS: usize = 5;

/// What a close does with what is still reserved.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
/// let paying = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.begin_payment(paying)?;
/// let _idle = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let report = inventory.close(CloseMode::Release);
/// assert_eq!((report.released, report.paying), (1, 1)); // money on its way is not cut off
/// inventory.confirm(paying)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseMode {
    /// Nothing: it may still be confirmed, released, or expire. Ask again to see what is left.
    Drain,
    /// Release what no payment runs for.
    Release,
}

/// What a close found and did.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let report = inventory.close(CloseMode::Drain);
/// assert_eq!((report.released, report.reserved, report.changing), (0, 1, 0));
/// inventory.confirm(id)?; // what lives may still end well
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub struct CloseReport {
    /// Reservations released by this close.
    pub released: usize,
    /// Still reserved.
    pub reserved: usize,
    /// Still paying.
    pub paying: usize,
    /// Still waiting for the outcome of a payment.
    pub pending: usize,
    /// Still waiting for a person.
    pub in_review: usize,
    /// Being changed this instant; if nothing else is left, one for all that calls under way are making or
    /// giving back.
    pub changing: usize,
}

impl CloseReport {
    /// Whether nothing lives any more, and nothing will.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.begin_payment(id)?; // and the buyer walks away
    /// while !inventory.close(CloseMode::Release).is_drained() {
    ///     clock.advance(Duration::from_secs(1)); // with a real clock: wait a little, or give up after a while
    /// }
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.reserved + self.paying + self.pending + self.in_review + self.changing == 0
    }
}

impl Inventory {
    /// Takes no new reservations from here on, and tells what still lives. Ends, payments and commands
    /// on stock go on. Call it again until the report is drained: then nothing lives, and no reserve that
    /// was under way when it began can still succeed. Such a reserve is answered `Closed`, or shows in the
    /// report. One pass over lines and slots in use, up to five while calls are under way.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// assert_eq!(inventory.close(CloseMode::Drain).reserved, 1);
    /// assert!(matches!(inventory.reserve(tee, Quantity::ONE, Ttl::MIN), Err(ReserveError::Closed)));
    /// inventory.confirm(id)?;
    /// assert!(inventory.close(CloseMode::Drain).is_drained());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self, mode: CloseMode) -> CloseReport {
        // ORDERING: Release, met by the lines' words (I3).
        if !self.closed.swap(true, Release) {
            self.record(NO_CHANNEL, Fact::Closed);
        }
        while !self.sweep().complete {
            // Something due is being changed, or the backlog is long: a bounded look, then report it as it is.
            if self.sweep().expired == 0 {
                break;
            }
        }
        let mut report = CloseReport::default();
        for look in 0..CLOSE_LOOKS {
            report = CloseReport { released: report.released, ..CloseReport::default() };
            if !self.look_for_living(mode, &mut report) {
                return report;
            }
            let mut pause = Pause::new();
            while look + 1 < CLOSE_LOOKS && pause.wait() {}
        }
        report.changing += 1;
        report
    }

    /// One pass. Whether something is on its way although no slot shows it: units that were reserved
    /// when the line was met, after the close was marked (I3), and lie in no slot.
    fn look_for_living(&self, mode: CloseMode, report: &mut CloseReport) -> bool {
        self.lines.meet();
        // Of a hot line each stripe is met by closing it. What cannot be told is on its way.
        let met = self.lines.iter().map(|(counter, line)| match counter.meet() {
            word if word.parted() => self.hot.whole(line.name.id, counter),
            word => Some(word),
        });
        let reserved: Option<u64> = met.map(|word| word.map(|word| u64::from(word.reserved()))).sum();
        let mut overdue = 0;
        for at in 0..self.slab.high_water() {
            let Some(slot) = self.slab.get(at) else { continue };
            let seen = slot.snapshot();
            let id: ReservationId = self.id(at, seen.generation());
            match seen.standing() {
                Standing::Live(Phase::Reserved)
                    if mode == CloseMode::Release
                        && self.release_live(id, |phase| phase == Phase::Reserved).is_ok() =>
                {
                    report.released += 1;
                }
                Standing::Live(Phase::Reserved) => report.reserved += 1,
                Standing::Live(Phase::Paying) => report.paying += 1,
                Standing::Live(Phase::PaymentPending) => report.pending += 1,
                Standing::Live(Phase::InReview) => report.in_review += 1,
                Standing::Changing | Standing::Expiring => report.changing += 1,
                Standing::Overdue => overdue += self.units_overdue(at, slot),
                Standing::Free | Standing::Claimed | Standing::Ended(_) => {}
            }
        }
        report.is_drained() && reserved != Some(overdue)
    }

    /// Units that expired, told so, and not swept yet; none if that changed meanwhile.
    fn units_overdue(&self, at: u32, slot: &Slot) -> u64 {
        let looked = self.look(at, slot, self.tick());
        let overdue = looked.filter(|looked| looked.snapshot.standing() == Standing::Overdue);
        overdue.map_or(0, |looked| looked.items().map(|(_, units)| u64::from(units)).sum())
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::{Arc, Mutex};

    use crate::inventory::model::clock::HookClock;
    use crate::*;

    /// A close comes between a reserve's first look and its taking: one of the two must know of the other.
    #[test]
    fn what_was_reported_drained_stays_so() {
        for items in [1, 2] {
            let clock = HookClock::new(ManualClock::default());
            let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
            let mut request = ReserveRequest::new(Ttl::MAX);
            for sku in ["TEE", "CAP"].into_iter().take(items) {
                let line = inventory.declare(LineSpec::new(sku)).unwrap();
                let _ = inventory.receive(line, Quantity::ONE, &Cause::none()).unwrap();
                request = request.with_item(line, Quantity::ONE);
            }
            let (closing, told) = (Arc::downgrade(&inventory), Arc::new(Mutex::new(None)));
            let report = Arc::clone(&told);
            clock.at_reading(0, move || {
                *report.lock().unwrap() = Some(closing.upgrade().unwrap().close(CloseMode::Drain));
            });
            let reserved = inventory.reserve_with(&request).map(|guard| guard.detach());
            assert!(told.lock().unwrap().unwrap().is_drained());
            assert_eq!(reserved, Err(ReserveError::Closed), "{items} items");
            for levels in inventory.levels_all().lines {
                assert_eq!((levels.available, levels.reserved), (1, 0));
            }
        }
    }

    /// Units are taken, and no reservation shows yet.
    #[test]
    fn what_is_being_made_is_not_drained() {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
        let counter = inventory.counter(tee).unwrap();
        counter.take(1).unwrap();
        let report = inventory.close(CloseMode::Release);
        assert_eq!((report.is_drained(), report.changing), (false, 1));
        counter.end(0, 1);
        assert!(inventory.close(CloseMode::Release).is_drained());
    }
}
