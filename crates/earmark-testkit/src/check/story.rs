//! Everything that was recorded about one id, sorted by what it means.

use crate::history::{Call, Ended, Id, Item, Op, Outcome};

use super::act::Act;
use super::deadline::{Deadlines, Move};
use super::report::{Report, Violation};

/// A call that ended the reservation, or may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) act: Act,
    pub(super) how: Ended,
}

/// Units that went back, or may have, while the reservation stayed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) line: u32,
    pub(super) qty: u64,
    pub(super) act: Act,
}

/// An answer that named the reservation's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) act: Act,
    pub(super) how: Ended,
}

/// What a confirm kept of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) line: u32,
    pub(super) qty: u64,
    pub(super) call: usize,
}

/// One id's story. Reused from id to id, so that a short story allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) id: Id,
    /// When it can have begun, when it surely had, and by which call.
    pub(super) begin: Begin,
    /// What it held at first, one entry a line, by line.
    pub(super) items: Vec<Item>,
    pub(super) deadlines: Deadlines,
    /// Sure ends first, in the order of their return.
    pub(super) ends: Vec<End>,
    /// By line.
    pub(super) parts: Vec<Part>,
    /// In the order of return.
    pub(super) told: Vec<Told>,
    /// What confirms that named their items kept, by line.
    pub(super) kept: Vec<Kept>,
    /// Successful look-ups.
    pub(super) gets: Vec<Act>,
    pub(super) not_found: Vec<Act>,
    /// Shipments and cancellations of all that the id confirmed.
    pub(super) ships: Vec<Act>,
    pub(super) cancels: Vec<Act>,
}

/// How a reservation came to be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Begin {
    /// The earliest call of a reserve with this id.
    pub(super) call: u64,
    /// The return of the one that was answered, if one was.
    pub(super) ret: Option<u64>,
}

impl Story {
    /// Reads the calls on one id; `group` holds their places. False if the id was never issued.
    pub(super) fn read(
        &mut self,
        id: Id,
        calls: &[Call],
        group: &[(Id, u32)],
        slack: u64,
        report: &mut Report,
    ) -> bool {
        self.clear(id, slack);
        let on_id = || group.iter().map(|(_, index)| (*index as usize, &calls[*index as usize]));
        let issued = self.read_reserve(on_id(), report);
        for (index, call) in on_id().filter(|(_, call)| call.op != Op::Reserve) {
            let act = Act::of(index, call);
            let answered = call.result == Outcome::Ok || call.result.tells().is_some();
            if answered && (!issued || act.ret < self.begin.call) {
                report.add(Violation::UnknownId { call: index, id });
            } else if issued {
                self.read_call(act, call);
            }
        }
        self.deadlines.settle();
        self.ends.sort_unstable_by_key(|end| (!end.act.sure, end.act.ret, end.act.index));
        self.parts.sort_unstable_by_key(|part| (part.line, part.act.index));
        self.told.sort_unstable_by_key(|told| (told.act.ret, told.act.index));
        self.kept.sort_unstable_by_key(|kept| (kept.line, kept.call));
        issued
    }

    fn clear(&mut self, id: Id, slack: u64) {
        self.id = id;
        self.begin = Begin::default();
        self.items.clear();
        self.deadlines.clear(slack);
        self.ends.clear();
        self.parts.clear();
        self.told.clear();
        self.kept.clear();
        self.gets.clear();
        self.not_found.clear();
        self.ships.clear();
        self.cancels.clear();
    }

    /// Finds the call that issued the id. An unanswered reserve that was asked again under its id is the same one.
    fn read_reserve<'a>(&mut self, on_id: impl Iterator<Item = (usize, &'a Call)>, report: &mut Report) -> bool {
        let mut best: Option<(Act, &Call)> = None;
        let mut begun = u64::MAX;
        for (index, call) in on_id {
            if call.op != Op::Reserve || !matches!(call.result, Outcome::Ok | Outcome::Unknown) {
                continue;
            }
            let act = Act::of(index, call);
            if let Some((other, _)) = &best
                && other.sure
                && act.sure
            {
                report.add(Violation::DuplicateId { call: index.max(other.index), id: self.id });
            }
            begun = begun.min(act.call);
            let rank = |act: &Act| (!act.sure, act.call, act.index);
            if best.as_ref().is_none_or(|(other, _)| rank(&act) < rank(other)) {
                best = Some((act, call));
            }
        }
        let Some((act, call)) = best else {
            return false;
        };
        self.begin = Begin { call: begun, ret: act.sure.then_some(act.ret) };
        super::merge_lines(call.items.iter(), &mut self.items);
        let never = u64::MAX;
        self.deadlines.set_first(Move {
            index: act.index,
            call: begun,
            ret: act.ret,
            earliest: call.deadline_ns.unwrap_or(if act.sure { never } else { 0 }),
            latest: call.deadline_ns.unwrap_or(never),
        });
        true
    }

    fn read_call(&mut self, act: Act, call: &Call) {
        if let Some(how) = call.result.tells() {
            self.told.push(Told { act, how });
        }
        match call.result {
            Outcome::Ok | Outcome::Unknown => {}
            Outcome::NotFound => {
                self.not_found.push(act);
                return;
            }
            _ => return,
        }
        if let Some(how) = call.op.ends() {
            self.ends.push(End { act, how });
        }
        match call.op {
            Op::Confirm => {
                let items = call.items.iter();
                self.kept.extend(items.map(|item| Kept { line: item.line, qty: item.qty, call: act.index }));
            }
            Op::ReleasePart => {
                let items = call.items.iter();
                self.parts.extend(items.map(|item| Part { line: item.line, qty: item.qty, act }));
            }
            Op::Ship | Op::CancelOrder => {
                if act.sure {
                    // What ships was confirmed: as good as being told.
                    let how = Ended::Confirmed;
                    self.told.push(Told { act, how });
                }
                match (call.op, call.items.is_empty()) {
                    (Op::Ship, true) => self.ships.push(act),
                    (_, true) => self.cancels.push(act),
                    _ => {} // by items: a matter of the line
                }
            }
            Op::Get if act.sure => self.gets.push(act),
            op if op.moves_deadline() => {
                let step = Move {
                    index: act.index,
                    call: act.call,
                    ret: act.ret,
                    earliest: call.deadline_ns.unwrap_or(0),
                    latest: call.deadline_ns.unwrap_or(u64::MAX),
                };
                if act.sure {
                    self.deadlines.push_sure(step);
                } else {
                    self.deadlines.push_unsure(step);
                }
            }
            _ => {}
        }
    }

    /// The ends that were answered `Ok`, in the order of their return.
    pub(super) fn sure_ends(&self) -> &[End] {
        let sure = self.ends.partition_point(|end| end.act.sure);
        &self.ends[..sure]
    }

    /// The ends without an answer.
    pub(super) fn unsure_ends(&self) -> &[End] {
        &self.ends[self.sure_ends().len()..]
    }

    /// The parts of one line.
    pub(super) fn parts_of(&self, line: u32) -> &[Part] {
        let from = self.parts.partition_point(|part| part.line < line);
        let rest = &self.parts[from..];
        &rest[..rest.partition_point(|part| part.line == line)]
    }

    /// What confirms kept of one line by naming it.
    pub(super) fn kept_of(&self, line: u32) -> &[Kept] {
        let from = self.kept.partition_point(|kept| kept.line < line);
        let rest = &self.kept[from..];
        &rest[..rest.partition_point(|kept| kept.line == line)]
    }

    /// Since when it may have been empty because all its units were given back one by one; `u64::MAX` never.
    pub(super) fn may_be_empty_from(&self) -> u64 {
        let held = self.items.iter().fold(0_u64, |sum, item| sum.saturating_add(item.qty));
        let back = self.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.qty));
        let first = self.parts.iter().map(|part| part.act.call).min();
        first.filter(|_| back >= held).unwrap_or(u64::MAX)
    }
}
