//! The deadlines that one reservation can have had.
//!
//! A move of the deadline took effect somewhere between its call and its return, and moves may overlap,
//! so at an instant there is a set of deadlines that may be the current one:
//!
//! **D1** A move is *superseded* once another move that began after it returned has itself returned.
//! **D2** The reservation precedes every other call on its id: any move supersedes its first deadline.
//! **D3** A move that was answered `Ok` found the reservation live: it was live until that move began.
//! **D4** A move without an answer may happen at any time after it began, or never; it supersedes nothing.

/// A call that set the deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) index: usize,
    pub(super) call: u64,
    /// `u64::MAX` if it was not answered.
    pub(super) ret: u64,
    /// The deadline for what must be live: as told, or 0 if it was not.
    pub(super) earliest: u64,
    /// The deadline for what may be live: as told, or never.
    pub(super) latest: u64,
}

/// All deadlines of one reservation.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    first: Option<Move>,
    sure: Vec<Move>,
    unsure: Vec<Move>,
    /// Per sure move: the instant at which it is superseded (D1).
    superseded: Vec<u64>,
    /// Running maxima over `sure`: they end a scan backwards as soon as nothing earlier can count.
    return_max: Vec<u64>,
    superseded_max: Vec<u64>,
    /// When the first deadline is superseded (D2).
    first_superseded: u64,
    /// Running extremes over `unsure`.
    earliest_min: Vec<u64>,
    latest_max: Vec<u64>,
    slack: u64,
}

impl Deadlines {
    pub(super) fn clear(&mut self, slack: u64) {
        self.first = None;
        self.sure.clear();
        self.unsure.clear();
        self.slack = slack;
    }

    pub(super) fn set_first(&mut self, first: Move) {
        self.first = Some(first);
    }

    pub(super) fn push_sure(&mut self, step: Move) {
        self.sure.push(step);
    }

    pub(super) fn push_unsure(&mut self, step: Move) {
        self.unsure.push(step);
    }

    pub(super) fn sure(&self) -> &[Move] {
        &self.sure
    }

    /// Puts the moves in order; to be called once they are all here.
    pub(super) fn settle(&mut self) {
        self.sure.sort_unstable_by_key(|step| step.call);
        self.unsure.sort_unstable_by_key(|step| step.call);
        let sure = &self.sure;

        // Read backwards: the earliest return among the moves from `at` on.
        let mut first_return = vec![u64::MAX; if sure.is_empty() { 0 } else { sure.len() + 1 }];
        for at in (0..sure.len()).rev() {
            first_return[at] = first_return[at + 1].min(sure[at].ret);
        }
        self.first_superseded = first_return.first().copied().unwrap_or(u64::MAX);
        self.superseded.clear();
        self.superseded.extend(sure.iter().map(|step| {
            let later = sure.partition_point(|other| other.call <= step.ret);
            first_return[later]
        }));

        running(&mut self.return_max, sure.iter().map(|step| step.ret), u64::max);
        running(&mut self.superseded_max, self.superseded.iter().copied(), u64::max);
        running(&mut self.earliest_min, self.unsure.iter().map(|step| step.earliest), u64::min);
        let slack = self.slack;
        running(
            &mut self.latest_max,
            // A move whose deadline is past when it begins makes nothing live.
            self.unsure.iter().map(|step| {
                let latest = step.latest.saturating_add(slack);
                if latest > step.call { latest } else { 0 }
            }),
            u64::max,
        );
    }

    /// Until when the reservation is live whatever happened, `u64::MAX` for ever. The end is not included.
    pub(super) fn definite_end(&self) -> u64 {
        let Some(first) = self.first else { return 0 };
        let early = |deadline: u64| match deadline {
            u64::MAX => u64::MAX,
            deadline => deadline.saturating_sub(self.slack),
        };
        let mut end = u64::MAX;
        let mut proved = 0;
        match self.sure.last() {
            None => end = end.min(early(first.earliest)),
            Some(last) => {
                proved = last.call; // D3
                self.scan_current(self.sure.len(), |step| {
                    end = end.min(early(step.earliest));
                    Scan::On
                });
            }
        }
        for step in &self.unsure {
            end = end.min(early(step.earliest).max(step.call));
        }
        end.max(proved)
    }

    /// From when on the reservation is surely over unless it was confirmed; `u64::MAX` never.
    pub(super) fn possible_end(&self, lag: u64) -> u64 {
        let grace = self.slack.saturating_add(lag);
        let Some(first) = self.first else {
            return u64::MAX;
        };
        let until = |step: &Move, superseded: u64| {
            let began = if step.ret == u64::MAX { step.call } else { step.ret };
            step.latest.saturating_add(grace).max(began.saturating_add(1)).min(superseded.saturating_add(1))
        };
        let sure = self.sure.iter().zip(&self.superseded);
        sure.map(|(step, superseded)| until(step, *superseded))
            .chain(self.unsure.iter().map(|step| until(step, u64::MAX)))
            .fold(until(&first, self.first_superseded), u64::max)
    }

    /// Whether a call on `[call, ret]` can have found the reservation live; else the latest deadline it can have had.
    /// `skip` is the call itself if it is a move.
    pub(super) fn may_be_live(&self, call: u64, ret: u64, skip: usize) -> Result<(), u64> {
        let mut latest = 0;
        let mut offer = |begun: u64, deadline: u64| {
            latest = deadline.max(latest);
            call.max(begun) < deadline
        };
        if let Some(first) = &self.first
            && self.first_superseded >= call
            && offer(first.call, first.latest.saturating_add(self.slack))
        {
            return Ok(());
        }
        let begun = self.unsure.partition_point(|step| step.call <= ret);
        if begun > 0 && offer(0, self.latest_max[begun - 1]) {
            return Ok(());
        }
        let begun = self.sure.partition_point(|step| step.call <= ret);
        for at in (0..begun).rev() {
            if self.superseded_max[at] < call {
                break;
            }
            let step = &self.sure[at];
            if step.index != skip
                && self.superseded[at] >= call
                && offer(step.call, step.latest.saturating_add(self.slack))
            {
                return Ok(());
            }
        }
        Err(latest)
    }

    /// Whether the reservation can have expired by `at`.
    pub(super) fn may_be_over(&self, at: u64) -> bool {
        let limit = at.saturating_add(self.slack);
        let over = |deadline: u64| deadline != u64::MAX && deadline <= limit;
        let unsure = self.unsure.partition_point(|step| step.call <= at);
        if unsure > 0 && over(self.earliest_min[unsure - 1]) {
            return true;
        }
        match self.sure.partition_point(|step| step.call <= at) {
            0 => self.first.is_some_and(|first| over(first.earliest)),
            begun => {
                let mut found = false;
                self.scan_current(begun, |step| {
                    found = over(step.earliest);
                    if found { Scan::Stop } else { Scan::On }
                });
                found
            }
        }
    }

    /// Visits those of the first `begun` sure moves that may have been the last of them.
    fn scan_current(&self, begun: usize, mut visit: impl FnMut(&Move) -> Scan) {
        let last_call = self.sure[begun - 1].call;
        for at in (0..begun).rev() {
            if self.return_max[at] < last_call {
                return;
            }
            if self.sure[at].ret >= last_call && visit(&self.sure[at]) == Scan::Stop {
                return;
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Scan {
    On,
    Stop,
}

fn running(into: &mut Vec<u64>, values: impl Iterator<Item = u64>, pick: fn(u64, u64) -> u64) {
    into.clear();
    let mut so_far = None;
    for value in values {
        let next = so_far.map_or(value, |seen| pick(seen, value));
        into.push(next);
        so_far = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(call: u64, ret: u64, deadline: u64) -> Move {
        Move { index: call as usize, call, ret, earliest: deadline, latest: deadline }
    }

    fn deadlines(first: Move, sure: &[Move]) -> Deadlines {
        let mut all = Deadlines::default();
        all.clear(0);
        all.set_first(first);
        for step in sure {
            all.push_sure(*step);
        }
        all.settle();
        all
    }

    #[test]
    fn one_deadline() {
        let d = deadlines(at(1, 2, 10), &[]);
        assert_eq!((d.definite_end(), d.possible_end(0), d.possible_end(5)), (10, 10, 15));
        assert_eq!(d.may_be_live(9, 20, usize::MAX), Ok(()));
        assert_eq!(d.may_be_live(10, 20, usize::MAX), Err(10));
        assert!(!d.may_be_over(9));
        assert!(d.may_be_over(10));
    }

    #[test]
    fn d1_a_shorter_deadline_holds_once_it_is_sure() {
        // Between 20 and 30 either deadline may be the current one.
        let d = deadlines(at(1, 2, 100), &[at(20, 30, 40)]);
        assert_eq!((d.definite_end(), d.possible_end(0)), (40, 40));
        assert_eq!(d.may_be_live(30, 50, usize::MAX), Ok(()));
        assert_eq!(d.may_be_live(40, 50, usize::MAX), Err(40));
        // Shorter than its own call lasts: only the old one keeps it alive inside.
        let d = deadlines(at(1, 2, 100), &[at(20, 30, 22)]);
        assert_eq!((d.definite_end(), d.possible_end(0)), (22, 31));
    }

    #[test]
    fn d1_of_two_overlapping_moves_either_may_be_last() {
        let d = deadlines(at(1, 2, 100), &[at(20, 30, 200), at(25, 35, 60)]);
        assert_eq!((d.definite_end(), d.possible_end(0)), (60, 200));
        assert!(d.may_be_over(60));
        assert_eq!(d.may_be_live(150, 151, usize::MAX), Ok(()));
    }

    #[test]
    fn d3_an_accepted_move_proves_the_time_before_it() {
        let d = deadlines(at(1, 2, 10), &[at(50, 55, 60)]);
        assert_eq!(d.definite_end(), 60);
        assert_eq!(d.may_be_live(50, 55, 50), Err(10), "late itself");
    }

    #[test]
    fn d4_a_move_without_answer_shortens_and_lengthens() {
        let mut d = Deadlines::default();
        d.clear(0);
        d.set_first(at(1, 2, 100));
        d.push_unsure(Move { index: 9, call: 20, ret: u64::MAX, earliest: 0, latest: u64::MAX });
        d.settle();
        assert_eq!((d.definite_end(), d.possible_end(0)), (20, u64::MAX));
        assert!(!d.may_be_over(19));
        assert!(d.may_be_over(20));
    }
}
