//! Agents that take no time: they reserve and give back as fast as the engine answers, in a rush a second.
//!
//! ```text
//!   calls   |   ,-----|   ,-----|   ,-----     a rush runs free until its part of the budget is used;
//!           |  /      |  /      |  /           what is recorded must be kept and judged, so there is a budget
//!           | /       | /       | /
//!           0         1         2     s
//! ```

use rand::RngExt;
use rand::rngs::SmallRng;

use super::SaleClock;
use super::live::Live;
use super::shop::Till;
use super::world::World;

/// When the next rush begins, after the last one began.
const RUSH_EVERY_NS: u64 = 1_000_000_000;
/// Pairs between two looks at which agents are due.
const BURST: u64 = 32;
/// A reserve and a release each.
const CALLS_OF_BURST: u64 = 2 * BURST;

/// One worker's hammer. `I` is its way into the shop, apart from the agents' own.
#[derive(Debug)]
pub(crate) struct Hammer<'a, I> {
    till: I,
    live: &'a Live,
    rng: SmallRng,
    budget: Budget,
    /// Up to when the rush under way has been counted.
    rushing: Option<u64>,
}

/// Calls that one hammer may make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) calls_max: u64,
    /// When the doors open, and close.
    pub(crate) open_ns: u64,
    pub(crate) close_ns: u64,
}

impl Budget {
    /// Calls that may have been made by now: a part for each rush that has begun, none once the doors are closed.
    fn calls(&self, now: u64) -> u64 {
        if now >= self.close_ns {
            return 0;
        }
        let rushes = (self.close_ns - self.open_ns).div_ceil(RUSH_EVERY_NS);
        let begun = now.saturating_sub(self.open_ns) / RUSH_EVERY_NS + 1;
        (u128::from(self.calls_max) * u128::from(begun) / u128::from(rushes)) as u64
    }
}

impl<'a, I: Till> Hammer<'a, I> {
    pub(crate) fn new(till: I, live: &'a Live, rng: SmallRng, budget: Budget) -> Hammer<'a, I> {
        Hammer { till, live, rng, budget, rushing: None }
    }

    /// Goes on with the rush under way; whether there is one.
    pub(crate) fn strike(&mut self, world: &World, clock: &SaleClock, now: u64) -> bool {
        if self.till.log().calls() + CALLS_OF_BURST > self.budget.calls(now) {
            self.rushing = None;
            return false;
        }
        for _ in 0..BURST {
            // Half of the pairs where everybody is.
            let line = match self.rng.random_ratio(1, 2) {
                true => self.rng.random_range(0..world.hot) as u32,
                false => world.pick_tail(&mut self.rng),
            };
            self.till.pair(line, self.rng.random_range(1..=2));
        }
        // What lies between two bursts belongs to the rush.
        let end = clock.ns();
        self.live.rushed_ns.add(end - self.rushing.unwrap_or(now));
        self.rushing = Some(end);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rush_gets_its_part_and_runs_free_within_it() {
        let second = RUSH_EVERY_NS;
        let budget = Budget { calls_max: 300, open_ns: 7, close_ns: 7 + 5 * second / 2 };
        assert_eq!([0, second / 2, second, 2 * second].map(|ns| budget.calls(7 + ns)), [100, 100, 200, 300]);
        assert_eq!(budget.calls(budget.close_ns), 0);
        let short = Budget { calls_max: 300, open_ns: 0, close_ns: second / 10 };
        assert_eq!(short.calls(1), 300, "one rush is all");
    }
}
