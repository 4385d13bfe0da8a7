//! Step functions over time, one per line, and the sweep that compares two of them.
//!
//! **S1** The value at `t` counts every step at or before `t`: what holds once all that shares the instant is done.

use super::report::{Report, Violation};

/// A change of a line's figure at an instant. Sorted by line, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    pub(super) line: u32,
    pub(super) at: u64,
    pub(super) side: Side,
    pub(super) delta: i64,
}

const _: () = assert!(size_of::<Step>() == 24);

/// Which of two figures a step changes: what is promised, or what there is to promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Promised,
    Stock,
}

/// Steps of both figures of every line.
#[derive(Debug, Default)]
pub(super) struct Timeline(Vec<Step>);

impl Timeline {
    /// A change of what is promised. An instant of `u64::MAX` never comes.
    pub(super) fn promised(&mut self, line: u32, at: u64, delta: i64) {
        self.push(line, at, Side::Promised, delta);
    }

    /// A change of what there is to promise.
    pub(super) fn stock(&mut self, line: u32, at: u64, delta: i64) {
        self.push(line, at, Side::Stock, delta);
    }

    fn push(&mut self, line: u32, at: u64, side: Side, delta: i64) {
        if at < u64::MAX && delta != 0 {
            self.0.push(Step { line, at, side, delta });
        }
    }

    /// The steps in order of line and time.
    pub(super) fn sorted(mut self) -> Vec<Step> {
        self.0.sort_unstable();
        self.0
    }
}

/// Promised units and stock, summed up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    pub(super) promised: i128,
    pub(super) stock: i128,
}

impl Level {
    pub(super) fn apply(&mut self, step: &Step) {
        let side = match step.side {
            Side::Promised => &mut self.promised,
            Side::Stock => &mut self.stock,
        };
        *side += i128::from(step.delta);
    }

    fn over(self) -> i128 {
        self.promised - self.stock
    }
}

/// A stretch of time in which more was promised than there was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) line: u32,
    pub(super) from: u64,
    /// `u64::MAX`: to the end.
    pub(super) until: u64,
    pub(super) level: Level,
    pub(super) worst_by: i128,
}

/// Finds every stretch in which a line's promises exceed its stock. `steps` are sorted.
pub(super) fn overdrawn(steps: &[Step], mut found: impl FnMut(Stretch)) {
    for line in steps.chunk_by(|a, b| a.line == b.line) {
        let mut level = Level::default();
        let mut open: Option<Stretch> = None;
        for instant in line.chunk_by(|a, b| a.at == b.at) {
            for step in instant {
                level.apply(step);
            }
            let at = instant[0].at; // S1
            match (&mut open, level.over() > 0) {
                (None, true) => {
                    open = Some(Stretch {
                        line: instant[0].line,
                        from: at,
                        until: u64::MAX,
                        level,
                        worst_by: level.over(),
                    });
                }
                (Some(stretch), true) => stretch.worst_by = stretch.worst_by.max(level.over()),
                (Some(stretch), false) => {
                    stretch.until = at;
                    found(*stretch);
                    open = None;
                }
                (None, false) => {}
            }
        }
        if let Some(stretch) = open {
            found(stretch);
        }
    }
}

/// Rule (a): definitely live and confirmed units never exceed the largest stock there can be.
pub(super) fn judge_oversell(steps: &[Step], report: &mut Report) {
    overdrawn(steps, |stretch| {
        report.add(Violation::Oversold {
            line: stretch.line,
            at_ns: stretch.from,
            until_ns: stretch.until,
            held: stretch.level.promised,
            stock: stretch.level.stock,
            worst_by: stretch.worst_by,
        });
    });
}

/// Rule (d), in part: no more is shipped and cancelled than was confirmed. Given units are `promised` here.
pub(super) fn judge_given(steps: &[Step], report: &mut Report) {
    overdrawn(steps, |stretch| {
        report.add(Violation::OverGiven {
            line: stretch.line,
            at_ns: stretch.from,
            given: stretch.level.promised,
            confirmed: stretch.level.stock,
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(timeline: Timeline) -> Vec<(u32, u64, u64, i128)> {
        let mut all = Vec::new();
        overdrawn(&timeline.sorted(), |s| all.push((s.line, s.from, s.until, s.worst_by)));
        all
    }

    #[test]
    fn each_stretch_counts_once() {
        let mut t = Timeline::default();
        t.stock(0, 1, 5);
        t.promised(0, 2, 6);
        t.promised(0, 3, 2);
        t.promised(0, 4, -3);
        t.promised(0, 9, 4);
        t.promised(1, 9, 1);
        assert_eq!(stretches(t), [(0, 2, 4, 3), (0, 9, u64::MAX, 4), (1, 9, u64::MAX, 1)]);
    }

    #[test]
    fn s1_an_instant_is_judged_when_all_of_it_is_done() {
        let mut t = Timeline::default();
        t.promised(0, 1, 5);
        t.stock(0, 1, 5);
        t.promised(0, 2, 5);
        t.promised(0, 2, -5);
        assert_eq!(stretches(t), []);
    }
}
