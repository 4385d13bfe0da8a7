//! One id by brute force: when it may be live, what it holds, and which of its answers cannot be.

use earmark_testkit::history::{Call, Ended, Op, Outcome};

use super::{effective, returned, sure, units};

/// What is known of one id.
pub(super) struct Tale<'a> {
    pub(super) begin: Option<&'a Call>,
    pub(super) begun: u64,
    /// Calls on the id that are not reserves and not strangers.
    pub(super) rest: Vec<&'a Call>,
    pub(super) strangers: u64,
    pub(super) duplicates: u64,
}

impl<'a> Tale<'a> {
    fn is(&self, test: impl Fn(&Call) -> bool) -> impl Iterator<Item = &'a Call> {
        let picked: Vec<&Call> = self.rest.iter().copied().filter(|call| test(call)).collect();
        picked.into_iter()
    }

    fn ends(&self) -> Vec<&'a Call> {
        self.is(|call| call.op.ends().is_some() && effective(call)).collect()
    }

    fn sure_ends(&self) -> Vec<&'a Call> {
        self.ends().into_iter().filter(|call| sure(call)).collect()
    }

    /// Answers that name an end, the first returned first; a shipment names "confirmed".
    fn told(&self) -> Vec<(&'a Call, Ended)> {
        let mut told: Vec<_> = self
            .rest
            .iter()
            .filter_map(|call| {
                let ships = matches!(call.op, Op::Ship | Op::CancelOrder) && call.result == Outcome::Ok;
                let how = call.result.tells().or(ships.then_some(Ended::Confirmed));
                how.map(|how| (*call, how))
            })
            .collect();
        told.sort_by_key(|(call, _)| call.return_ns);
        told
    }

    /// Every call that set the deadline, the reserve among them.
    fn moves(&self) -> Vec<&'a Call> {
        let moves = self.is(|call| call.op.moves_deadline() && effective(call));
        self.begin.into_iter().chain(moves).collect()
    }

    fn earliest(&self, step: &Call) -> u64 {
        let never = step.op == Op::Reserve && sure(step);
        step.deadline_ns.unwrap_or(if never { u64::MAX } else { 0 })
    }

    /// A sure move that surely came after `step`.
    fn later(&self, step: &Call) -> Vec<&'a Call> {
        let moves = self.moves().into_iter();
        let later = moves.filter(|other| sure(other) && other.op != Op::Reserve);
        let first = step.op == Op::Reserve;
        later.filter(|other| first || returned(step) < other.call_ns).collect()
    }

    fn start(&self) -> Option<u64> {
        let begin = self.begin?;
        if sure(begin) {
            return Some(begin.return_ns);
        }
        let changes = |call: &Call| {
            let changes = call.op.ends().is_some() || call.op.moves_deadline() || call.op == Op::ReleasePart;
            changes && call.result == Outcome::Ok
        };
        self.is(changes).map(|call| call.return_ns).min()
    }

    /// Nothing so far can have let it expire, or something later proves that it had not.
    fn not_expired(&self, t: u64) -> bool {
        let proof = |call: &&Call| sure(call) && call.op.moves_deadline() && call.call_ns > t;
        if self.moves().iter().any(proof) {
            return true;
        }
        (0..=t).all(|u| {
            self.moves().iter().any(|call| sure(call) && call.op.moves_deadline() && call.call_ns > u)
                || self.moves().iter().all(|step| {
                    let begun = step.call_ns <= u || step.op == Op::Reserve;
                    let over = self.later(step).iter().any(|other| other.call_ns <= u);
                    !begun || over || u < self.earliest(step)
                })
        })
    }

    fn confirmed(&self) -> Option<bool> {
        let confirm = |call: &&&Call| call.op == Op::Confirm;
        let sure_ends = self.sure_ends();
        if !sure_ends.is_empty() {
            let kept = sure_ends.iter().filter(confirm).count();
            return match (kept > 0, kept < sure_ends.len()) {
                (true, false) => Some(true),
                (true, true) => None,
                (false, _) => Some(false),
            };
        }
        match self.told().first() {
            Some((_, how)) => Some(*how == Ended::Confirmed),
            None if self.ends().iter().any(|call| call.op == Op::Confirm) => None,
            None => Some(false),
        }
    }

    fn confirms(&self) -> Vec<&'a Call> {
        if self.confirmed() == Some(false) {
            return Vec::new();
        }
        let all: Vec<&Call> = self.ends().into_iter().filter(|call| call.op == Op::Confirm).collect();
        if all.iter().any(|call| sure(call)) { all.into_iter().filter(|call| sure(call)).collect() } else { all }
    }

    fn kept(&self, line: u32) -> Vec<u64> {
        let kept = |call: &&Call| {
            if call.items.is_empty() { u64::MAX } else { units(call, line) }
        };
        self.confirms().iter().map(kept).collect()
    }

    fn parts(&self) -> impl Iterator<Item = &'a Call> {
        self.is(|call| call.op == Op::ReleasePart && effective(call))
    }

    /// Orders cancelled as a whole.
    fn cancels(&self) -> impl Iterator<Item = &'a Call> {
        self.is(|call| call.op == Op::CancelOrder && call.items.is_empty() && effective(call))
    }

    /// Units surely held at `t`.
    pub(super) fn least(&self, line: u32, t: u64) -> u64 {
        let Some(begin) = self.begin else { return 0 };
        if self.start().is_none_or(|start| t < start) {
            return 0;
        }
        let surely_kept = self.confirmed() == Some(true);
        let given = self.ends().iter().any(|call| call.op != Op::Confirm && call.call_ns <= t);
        let lost = self.told().iter().any(|(_, how)| *how == Ended::Lost);
        let confirm_later = self.sure_ends().iter().any(|call| call.op == Op::Confirm && call.call_ns > t);
        if !surely_kept && (given || lost || !(self.not_expired(t) || confirm_later)) {
            return 0;
        }
        if self.cancels().any(|call| call.call_ns <= t) {
            return 0;
        }
        let back: u64 = self.parts().filter(|call| call.call_ns <= t).map(|call| units(call, line)).sum();
        let mut left = units(begin, line).saturating_sub(back);
        if self.confirms().iter().any(|call| call.call_ns <= t) {
            left = left.min(self.kept(line).into_iter().min().unwrap_or(u64::MAX));
        }
        left
    }

    /// Units perhaps held at `t`.
    pub(super) fn most(&self, line: u32, t: u64) -> u64 {
        let Some(begin) = self.begin else { return 0 };
        if t < self.begun || self.cancels().any(|call| returned(call) < t) {
            return 0;
        }
        let back: u64 = self.parts().filter(|call| returned(call) < t).map(|call| units(call, line)).sum();
        let left = units(begin, line).saturating_sub(back);
        let sure_confirm = self.sure_ends().into_iter().filter(|call| call.op == Op::Confirm);
        let sure_confirm = sure_confirm.min_by_key(|call| call.return_ns);
        let first_told = self.told().first().copied();
        let over = if let Some(confirm) = sure_confirm {
            confirm.return_ns < t
        } else if let (true, Some((call, Ended::Confirmed))) = (self.sure_ends().is_empty(), first_told) {
            call.return_ns < t
        } else {
            let given = self.sure_ends().iter().any(|call| call.return_ns < t);
            let heard = first_told.is_some_and(|(call, _)| call.return_ns < t);
            let natural = self.moves().iter().all(|step| {
                let began = if sure(step) { step.return_ns } else { step.call_ns };
                let past = step.deadline_ns.is_some_and(|deadline| deadline <= t) && began < t;
                past || self.later(step).iter().any(|other| other.return_ns < t)
            });
            given || heard || natural
        };
        match (over, self.confirmed()) {
            (false, _) => left,
            (true, Some(false)) => 0,
            (true, _) => left.min(self.kept(line).into_iter().max().unwrap_or(u64::MAX)),
        }
    }

    /// Whether a call can have found it live.
    fn timely(&self, call: &Call) -> bool {
        (call.call_ns..=call.return_ns).any(|u| {
            self.moves().iter().any(|step| {
                let other = !std::ptr::eq(*step, call);
                let begun = step.call_ns.min(if step.op == Op::Reserve { self.begun } else { u64::MAX }) <= u;
                let over = self.later(step).iter().any(|later| later.return_ns < u);
                let deadline = step.deadline_ns.unwrap_or(u64::MAX);
                other && begun && !over && u < deadline
            })
        })
    }

    pub(super) fn late_confirms(&self) -> u64 {
        let confirms = self.sure_ends().into_iter().filter(|call| call.op == Op::Confirm);
        confirms.filter(|call| !self.timely(call)).count() as u64
    }

    pub(super) fn late_moves(&self) -> u64 {
        let moves = self.moves().into_iter().filter(|call| sure(call) && call.op != Op::Reserve);
        moves.filter(|call| !self.timely(call)).count() as u64
    }

    /// Whether it can have expired by `r`.
    fn expired_by(&self, r: u64) -> bool {
        self.moves().iter().any(|step| {
            let begun = step.call_ns <= r || step.op == Op::Reserve;
            let over = self.later(step).iter().any(|other| other.call_ns <= r);
            let deadline = self.earliest(step);
            begun && !over && deadline != u64::MAX && deadline <= r
        })
    }

    pub(super) fn early_expiries(&self) -> u64 {
        if !self.sure_ends().is_empty() {
            return 0;
        }
        let expired = self.told().into_iter().filter(|(_, how)| *how == Ended::Expired);
        expired.filter(|(call, _)| !self.expired_by(call.return_ns)).count() as u64
    }

    pub(super) fn double_ends(&self) -> u64 {
        (self.sure_ends().len() as u64).saturating_sub(1)
    }

    fn emptied_by(&self, r: u64) -> bool {
        let all = |call: &Call| call.items.iter().map(|item| item.qty).sum::<u64>();
        let back: u64 = self.parts().map(all).sum();
        let first = self.parts().map(|call| call.call_ns).min();
        self.begin.is_some_and(|begin| back >= all(begin)) && first.is_some_and(|first| first <= r)
    }

    pub(super) fn wrong_winners(&self) -> u64 {
        let told = self.told();
        let sure_ends = self.sure_ends();
        let wrong = told.iter().filter(|(call, how)| {
            let by =
                |ends: &[&Call]| ends.iter().any(|end| end.op.ends() == Some(*how) && end.call_ns <= call.return_ns);
            if !sure_ends.is_empty() {
                return !by(&sure_ends);
            }
            let possible = match how {
                Ended::Lost => true,
                Ended::Expired if !self.expired_by(call.return_ns) => return false, // told apart
                Ended::Expired => true,
                Ended::Released => by(&self.ends()) || self.emptied_by(call.return_ns),
                _ => by(&self.ends()),
            };
            !possible || told[0].1 != *how
        });
        wrong.count() as u64
    }

    pub(super) fn after_ends(&self) -> u64 {
        let heard = self.is(|call| call.result.tells().is_some());
        let ended = self.sure_ends().into_iter().chain(heard).map(|call| call.return_ns).min();
        let late = self.is(|call| {
            let stays = call.op.moves_deadline() || matches!(call.op, Op::Get);
            let stays = stays || (call.op == Op::ReleasePart && !call.items.is_empty());
            stays && call.result == Outcome::Ok && ended.is_some_and(|ended| call.call_ns > ended)
        });
        let gone = self.is(|call| {
            let whole = matches!(call.op, Op::Ship | Op::CancelOrder) && call.items.is_empty();
            whole && call.result == Outcome::Ok
        });
        late.count() as u64 + (gone.count() as u64).saturating_sub(1)
    }

    pub(super) fn over_releases(&self) -> u64 {
        let Some(begin) = self.begin else { return 0 };
        let over = |line: &u32| {
            let parts = self.parts().filter(|call| sure(call));
            let back: u64 = parts.map(|call| units(call, *line)).sum();
            let mut confirms = self.sure_ends();
            confirms.retain(|call| call.op == Op::Confirm);
            let confirm = confirms.into_iter().min_by_key(|call| call.return_ns);
            back + confirm.map_or(0, |call| units(call, *line)) > units(begin, *line)
        };
        (0..2).filter(over).count() as u64
    }

    pub(super) fn lost(&self) -> u64 {
        let Some(start) = self.start() else { return 0 };
        let missing = self.is(|call| call.result == Outcome::NotFound);
        let live = |t: u64| {
            let ended = self.ends().iter().any(|call| call.call_ns <= t);
            let gone = self.told().iter().any(|(_, how)| *how == Ended::Lost);
            !ended && !gone && !self.emptied_by(t) && self.not_expired(t)
        };
        let wrong = missing.filter(|call| start < call.call_ns && (call.call_ns..=call.return_ns).all(live));
        wrong.count() as u64
    }
}
