//! One axis of time for the engine and for the judge.
//!
//! Agents live in simulated milliseconds, which pass faster than real ones: a millisecond takes `tick_ns`
//! real nanoseconds. The clock first shows millisecond `m` at the real instant `m × tick_ns`, to the
//! nanosecond, so a deadline of the engine has an exact place among the recorded times.

use std::time::Instant;

use earmark::{Clock, Timestamp};

/// A clock that starts at zero and runs at a fixed multiple of real time. Clones show the same time.
///
/// ```
/// use earmark::Timestamp;
/// use earmark_examples::flash_sale::SaleClock;
///
/// let clock = SaleClock::new(20_000); // 50 times as fast as real time
/// assert_eq!(clock.ns_of(Timestamp::from_millis(3)), 60_000);
/// ```
#[derive(Debug, Clone)]
pub struct SaleClock {
    start: Instant,
    tick_ns: u64,
}

impl SaleClock {
    /// A clock that starts now; a simulated millisecond takes `tick_ns` real nanoseconds.
    ///
    /// # Panics
    /// If `tick_ns` is zero.
    pub fn new(tick_ns: u64) -> SaleClock {
        assert!(tick_ns > 0, "a millisecond takes some time");
        let start = Instant::now();
        SaleClock { start, tick_ns }
    }

    /// Real nanoseconds since the start.
    pub fn ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The real instant at which the clock first shows `at`.
    pub fn ns_of(&self, at: Timestamp) -> u64 {
        self.ns_of_ms(at.as_millis())
    }

    /// How many real nanoseconds so many simulated milliseconds take.
    pub fn ns_of_ms(&self, ms: u64) -> u64 {
        ms.saturating_mul(self.tick_ns)
    }

    /// Simulated seconds at a real instant.
    pub(crate) fn simulated_s(&self, ns: u64) -> f64 {
        ns as f64 / self.tick_ns as f64 / 1_000.0
    }
}

impl Clock for SaleClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ns() / self.tick_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_shows_lies_between_the_instants_around_it() {
        let clock = SaleClock::new(1_000);
        for _ in 0..1_000 {
            let before = clock.ns();
            let shown = clock.now();
            let after = clock.ns();
            assert!(clock.ns_of(shown) <= after);
            assert!(clock.ns_of_ms(shown.as_millis() + 1) > before);
        }
    }
}
