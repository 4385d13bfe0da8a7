//! What time it is for the engine: one shared coarse tick, and the clock when the tick is not enough.
//!
//! **T1** The engine's time never goes back: every reading is raised to the tick.
//! **T2** The tick is trusted only while a driver keeps it moving, and only where it leaves more than
//! `time_slack` before the deadline in question; else the clock is read.
//! **T3** Time runs at most `LEAP_MAX` ahead of the last complete sweep, so that the 37 bits of a
//! deadline stay unambiguous however far a clock leaps. While it is behind the clock nothing is judged:
//! a call catches up, by sweeps, or says `contended`.

use crate::clock::{Clock, TIMESTAMP_MAX, Ttl};
use crate::reservation::state::{HALF, Snapshot};
// The tick orders nothing: plain atomics also in loom models, which need not explore them.
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// How far time may run ahead of the last complete sweep: 395 days.
pub(crate) const LEAP_MAX: u64 = 395 * 24 * 60 * 60 * 1_000;
// Who read the time before such a leap still tells a deadline rightly that was made after it.
const _: () = assert!(LEAP_MAX + Ttl::MAX.as_millis() < HALF);

pub(crate) struct Time {
    clock: Box<dyn Clock>,
    tick: AtomicU64,
    /// When a sweep was last complete.
    swept: AtomicU64,
    /// The latest time that T3 kept the tick from.
    leapt: AtomicU64,
    drivers: AtomicU64,
    slack_ms: u64,
    /// `slack_ms` while a driver runs; else zero: nobody keeps the tick moving.
    trusted_ms: AtomicU64,
    /// Readings that found the tick of a running driver more than the slack behind.
    late: AtomicU64,
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Time").field("tick", &self.tick).field("drivers", &self.drivers).finish_non_exhaustive()
    }
}

impl Time {
    pub(crate) fn new(clock: Box<dyn Clock>, slack_ms: u64) -> Self {
        let now = clock.now().as_millis().min(TIMESTAMP_MAX);
        Self {
            clock,
            tick: AtomicU64::new(now),
            swept: AtomicU64::new(now),
            leapt: AtomicU64::new(0),
            drivers: AtomicU64::new(0),
            slack_ms,
            trusted_ms: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }
    }

    /// Reads the clock and moves the tick. May panic where the user's clock does: call it before
    /// anything is claimed or locked.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let (read, tick) = (self.clock.now().as_millis(), self.tick());
        if read <= tick { tick } else { self.publish(read) } // T1; most readings are of the same millisecond
    }

    /// Moves the tick to `now` if it is behind, and returns where it stands (T1, T3).
    #[cold]
    pub(crate) fn publish(&self, now: u64) -> u64 {
        let asked = now.min(TIMESTAMP_MAX);
        let now = asked.min(self.swept.load(Relaxed).saturating_add(LEAP_MAX));
        if now < asked {
            self.leapt.fetch_max(asked, Relaxed);
        }
        // ORDERING: the tick orders nothing but itself; AcqRel keeps one thread's readings in order.
        let tick = self.tick.load(Acquire);
        if tick >= now {
            return tick;
        }
        if now - tick > self.slack_ms && self.slack_ms > 0 && self.drivers.load(Relaxed) > 0 {
            self.late.fetch_add(1, Relaxed);
        }
        self.tick.fetch_max(now, AcqRel).max(now)
    }

    /// Whether T3 keeps the tick behind a time that was read: then no deadline can be judged.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        self.leapt.load(Relaxed) > self.tick()
    }

    /// The time at which `now` will stand once it has caught up: what is remembered from here on is
    /// remembered from there.
    pub(crate) fn arrival(&self, now: u64) -> u64 {
        self.leapt.load(Relaxed).max(now)
    }

    /// Moves the tick towards the time that T3 kept it from, as far as the last sweep allows.
    pub(crate) fn follow(&self) -> u64 {
        self.publish(self.leapt.load(Relaxed))
    }

    /// The last published time: at or before now.
    #[inline]
    pub(crate) fn tick(&self) -> u64 {
        self.tick.load(Acquire)
    }

    /// A time that is good enough to compare with `deadline` (T2).
    #[inline]
    pub(crate) fn toward(&self, deadline: u64) -> u64 {
        let (trusted, tick) = (self.trusted_ms.load(Relaxed), self.tick());
        // The tick is below 2^63, and the slack an hour at most.
        if trusted > 0 && tick + trusted < deadline { tick } else { self.now() }
    }

    /// Whether the tick alone tells that `deadline` lies ahead (T2).
    #[inline]
    pub(crate) fn trusted_before(&self, deadline: u64) -> bool {
        let trusted = self.trusted_ms.load(Relaxed);
        trusted > 0 && self.tick() + trusted < deadline
    }

    /// A time at which something is not yet due: the tick, if it is not due by a margin beyond it either (T2), else
    /// the clock's. `None`: it may be due, or no deadline can be judged (T3).
    #[inline(always)]
    pub(crate) fn plainly_before(&self, ahead: impl Fn(u64, u64) -> bool) -> Option<u64> {
        let (trusted, tick) = (self.trusted_ms.load(Relaxed), self.tick());
        let now = if trusted > 0 && ahead(tick, trusted) {
            tick
        } else {
            let now = self.now();
            if !ahead(now, 0) {
                return None;
            }
            now
        };
        (self.leapt.load(Relaxed) <= now).then_some(now)
    }

    /// A time from which a deadline `ttl_ms` ahead may be counted.
    #[inline]
    pub(crate) fn before(&self, ttl_ms: u64) -> u64 {
        let trusted = self.trusted_ms.load(Relaxed);
        if trusted > 0 && ttl_ms > trusted { self.tick() } else { self.now() }
    }

    /// A time good enough to judge this reservation.
    #[inline]
    pub(crate) fn judging(&self, seen: Snapshot) -> u64 {
        self.toward(seen.deadline(self.tick()))
    }

    /// A sweep at `now` was complete.
    pub(crate) fn note_swept(&self, now: u64) {
        self.swept.fetch_max(now, Relaxed);
    }

    pub(crate) fn attach_driver(&self) {
        self.drivers.fetch_add(1, AcqRel);
        self.trusted_ms.store(self.slack_ms, Relaxed);
    }

    pub(crate) fn detach_driver(&self) {
        if self.drivers.fetch_sub(1, AcqRel) == 1 {
            // Beside another driver's attaching this may win: then the clock is read more often than it need be.
            self.trusted_ms.store(0, Relaxed);
        }
    }

    pub(crate) fn late(&self) -> u64 {
        self.late.load(Relaxed)
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ManualClock;

    /// T2: a driver that is held up is counted when the clock is read next, once for each time.
    #[test]
    fn t2_a_driver_that_is_late_is_counted() {
        let clock = ManualClock::default();
        let time = Time::new(Box::new(clock.clone()), 1_000);
        let late_after = |millis| {
            clock.advance(Duration::from_millis(millis));
            time.now();
            time.late()
        };
        assert_eq!(late_after(5_000), 0, "nobody drives");
        time.attach_driver();
        assert_eq!([late_after(1_000), late_after(1_001), late_after(1), late_after(60_000)], [0, 1, 1, 2]);
        time.detach_driver();
        assert_eq!(late_after(60_000), 2);
    }
}
