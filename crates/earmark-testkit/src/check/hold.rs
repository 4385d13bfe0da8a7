//! How many units of one line a reservation holds, over time: at least, and at most.
//!
//! ```text
//!              reserve        release_part      confirm of a part
//!             |------|           |----|            |-----|
//!  at most    +---------------------------+
//!             |                           +--------------+
//!  at least  -|      +-----------+                       +---------
//!             |      |           +-----------------+
//!                                                  +---------------
//! ```
//!
//! **H1** At every instant the value is the smaller of two: what was reserved less what went back, and the
//! cap that an end sets (nothing, or what was confirmed). The order in which the two change is of no account.

use super::sweep::Timeline;

/// A change of what is held.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// So many units went back.
    Less(u64),
    /// No more than so many are left.
    Cap(u64),
}

/// The two values of one reservation's units of one line.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) least: Hold,
    pub(super) most: Hold,
}

/// One reservation's units of one line, built up from changes; reused for the next.
#[derive(Debug, Default)]
pub(super) struct Hold {
    start: u64,
    qty: u64,
    changes: Vec<(u64, Change)>,
}

impl Hold {
    /// Begins anew: `qty` units from `start` on.
    pub(super) fn begin(&mut self, start: u64, qty: u64) {
        self.start = start;
        self.qty = qty;
        self.changes.clear();
    }

    /// From `at` on this holds; `u64::MAX` is never.
    pub(super) fn change(&mut self, at: u64, change: Change) {
        if at < u64::MAX {
            self.changes.push((at, change));
        }
    }

    /// What is held at an instant.
    pub(super) fn at(&self, t: u64) -> u64 {
        if t < self.start {
            return 0;
        }
        let happened = self.changes.iter().filter(|(at, _)| *at <= t);
        let state = happened.fold(State::new(self.qty), |state, (_, change)| state.after(*change));
        state.value()
    }

    /// Writes the steps of the value to the timeline.
    pub(super) fn trace(&mut self, line: u32, timeline: &mut Timeline) {
        self.changes.sort_unstable_by_key(|(at, _)| *at);
        let mut state = State::new(self.qty);
        let mut traced = 0;
        let mut changes = self.changes.iter().copied().peekable();
        let mut now = self.start;
        if now == u64::MAX {
            return; // never
        }
        loop {
            while let Some((_, change)) = changes.next_if(|(at, _)| *at <= now) {
                state = state.after(change);
            }
            let value = signed(state.value());
            timeline.promised(line, now, value - traced);
            traced = value;
            match changes.peek() {
                Some((at, _)) => now = *at,
                None => return,
            }
        }
    }
}

#[derive(Clone, Copy)]
struct State {
    left: u64,
    cap: u64,
}

impl State {
    fn new(qty: u64) -> State {
        State { left: qty, cap: u64::MAX }
    }

    fn after(self, change: Change) -> State {
        match change {
            Change::Less(qty) => State { left: self.left.saturating_sub(qty), ..self },
            Change::Cap(cap) => State { cap: self.cap.min(cap), ..self },
        }
    }

    fn value(self) -> u64 {
        self.left.min(self.cap) // H1
    }
}

/// Quantities beyond `i64::MAX` are refused as malformed before they come here.
pub(super) fn signed(qty: u64) -> i64 {
    i64::try_from(qty).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::sweep::Step;

    #[test]
    fn h1_the_order_of_a_part_and_the_end_is_of_no_account() {
        // 5 reserved, 1 back, 2 of the rest confirmed: 2 are left, whichever is seen first.
        for (part, end) in [(10, 20), (20, 10), (10, 10)] {
            let mut hold = Hold::default();
            hold.begin(1, 5);
            hold.change(part, Change::Less(1));
            hold.change(end, Change::Cap(2));
            assert_eq!(hold.at(0), 0);
            assert_eq!(hold.at(9), 5);
            assert_eq!(hold.at(20), 2);
            let mut timeline = Timeline::default();
            hold.trace(0, &mut timeline);
            assert_eq!(hold.at(20), 2);
            let steps: Vec<Step> = timeline.sorted();
            for t in 0..30 {
                let past = steps.iter().filter(|step| step.at <= t);
                let sum: i64 = past.map(|step| step.delta).sum();
                assert_eq!(sum as u64, hold.at(t), "at {t}");
            }
        }
    }
}
