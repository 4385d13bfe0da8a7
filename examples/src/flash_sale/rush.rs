//! What the hammer did, and how long it hammered: read from the history like every figure.

use earmark_testkit::history::{Call, Op, Outcome};

/// A longer time without any call of a hammer lies between two rushes.
const PAUSE_NS: u64 = 100_000_000;

/// The calls of all hammers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rush {
    /// Calls in all.
    pub calls: u64,
    /// Reservations made.
    pub reserved: u64,
    /// Reserve calls refused for want of units.
    pub refused: u64,
    /// Reservations made and given back.
    pub pairs: u64,
    /// How long any hammer was at work, in ns of real time; agents had their turns meanwhile.
    pub ns: u64,
    until_ns: u64,
}

impl Rush {
    /// Counts a call; they come in the order in which they began.
    pub(crate) fn add(&mut self, call: &Call) {
        let goes_on = self.calls > 0 && call.call_ns < self.until_ns + PAUSE_NS;
        let from = if goes_on { self.until_ns } else { call.call_ns };
        self.ns += call.return_ns.saturating_sub(from);
        self.until_ns = self.until_ns.max(call.return_ns);
        self.calls += 1;
        match (call.op, &call.result) {
            (Op::Reserve, Outcome::Ok) => self.reserved += 1,
            (Op::Reserve, Outcome::Insufficient(_)) => self.refused += 1,
            (Op::Release, Outcome::Ok) => self.pairs += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hammers at once count once, and the pause between two rushes does not count.
    #[test]
    fn time_is_what_lies_within_rushes() {
        let second = 1_000_000_000;
        let mut rush = Rush::default();
        for start in [0, second] {
            for (from, to) in [(0, 10), (2, 4), (5, 20), (50, 60)] {
                rush.add(&Call::new(Op::Reserve, start + from, start + to).with_item(0, 1));
                rush.add(&Call::new(Op::Release, start + to, start + to));
            }
        }
        assert_eq!((rush.calls, rush.reserved, rush.pairs, rush.ns), (16, 8, 8, 120));
    }
}
