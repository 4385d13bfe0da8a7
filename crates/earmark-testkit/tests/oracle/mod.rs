//! The rules once more, by brute force: every instant, every pair of calls, nothing sorted, nothing clever.
//!
//! Only for small histories whose times lie below [`END`]. It follows the rules as the documentation states
//! them and shares no code with the checker.

mod tale;

use earmark_testkit::Rule;
use earmark_testkit::history::{Call, Id, Op, Outcome};

use tale::Tale;

/// No call and no deadline lies at or after this instant.
pub(crate) const END: u64 = 40;

/// How often each rule is broken. Books are not judged here.
pub(crate) fn counts(calls: &[Call]) -> Vec<(Rule, u64)> {
    let world = World { calls: calls.iter().collect() };
    let mut ids: Vec<Id> = calls.iter().filter_map(|call| call.id).collect();
    ids.sort();
    ids.dedup();
    let tales: Vec<Tale> = ids.iter().map(|id| world.tale(*id)).collect();
    let sum = |count: fn(&Tale) -> u64| tales.iter().map(count).sum::<u64>();
    vec![
        (Rule::Oversold, world.oversold(&tales)),
        (Rule::FalseSoldOut, world.false_sold_out(&tales)),
        (Rule::LateConfirm, sum(|tale| tale.late_confirms())),
        (Rule::LateMove, sum(|tale| tale.late_moves())),
        (Rule::EarlyExpiry, sum(|tale| tale.early_expiries())),
        (Rule::DoubleEnd, sum(|tale| tale.double_ends())),
        (Rule::WrongWinner, sum(|tale| tale.wrong_winners())),
        (Rule::AfterEnd, sum(|tale| tale.after_ends())),
        (Rule::OverRelease, sum(|tale| tale.over_releases())),
        (Rule::LostReservation, sum(|tale| tale.lost())),
        (Rule::UnknownId, sum(|tale| tale.strangers)),
        (Rule::DuplicateId, sum(|tale| tale.duplicates)),
    ]
}

fn sure(call: &Call) -> bool {
    call.result != Outcome::Unknown
}

/// Ok or perhaps Ok.
fn effective(call: &Call) -> bool {
    matches!(call.result, Outcome::Ok | Outcome::Unknown)
}

fn returned(call: &Call) -> u64 {
    if sure(call) { call.return_ns } else { u64::MAX }
}

fn units(call: &Call, line: u32) -> u64 {
    let of_line = call.items.iter().filter(|item| item.line == line);
    of_line.map(|item| item.qty).sum()
}

struct World<'a> {
    calls: Vec<&'a Call>,
}

impl<'a> World<'a> {
    fn tale(&self, id: Id) -> Tale<'a> {
        let mine: Vec<&Call> = self.calls.iter().copied().filter(|call| call.id == Some(id)).collect();
        let reserves: Vec<&Call> =
            mine.iter().copied().filter(|call| call.op == Op::Reserve && effective(call)).collect();
        let answered = reserves.iter().copied().filter(|call| sure(call));
        let begin = answered.clone().min_by_key(|call| call.call_ns);
        let begin = begin.or_else(|| reserves.iter().copied().min_by_key(|call| call.call_ns));
        let begun = reserves.iter().map(|call| call.call_ns).min().unwrap_or(u64::MAX);
        let mut tale = Tale {
            begin,
            begun,
            rest: Vec::new(),
            strangers: 0,
            duplicates: (answered.count() as u64).saturating_sub(1),
        };
        for call in mine.into_iter().filter(|call| call.op != Op::Reserve) {
            let says = call.result == Outcome::Ok || call.result.tells().is_some();
            if says && (begin.is_none() || call.return_ns < begun) {
                tale.strangers += 1;
            } else if begin.is_some() {
                tale.rest.push(call);
            }
        }
        tale
    }

    fn oversold(&self, tales: &[Tale]) -> u64 {
        let over = |line: u32, t: u64| {
            let mut stock = 0_i64;
            let mut held: i64 = tales.iter().map(|tale| tale.least(line, t) as i64).sum();
            for call in self.calls.iter().filter(|call| effective(call)) {
                let qty = units(call, line) as i64;
                match call.op {
                    Op::Open | Op::Receive | Op::AdjustUp | Op::Unblock if call.call_ns <= t => stock += qty,
                    Op::AdjustDown | Op::Block if returned(call) <= t => stock -= qty,
                    Op::CancelOrder if call.call_ns <= t => held -= qty,
                    _ => {}
                }
            }
            held > stock
        };
        let lines = 0..2_u32;
        let starts = lines.map(|line| {
            let starts = (0..END).filter(|t| over(line, *t) && (*t == 0 || !over(line, *t - 1)));
            starts.count() as u64
        });
        starts.sum()
    }

    /// Whether `qty` of a line may have been missing at `t`.
    fn missing(&self, tales: &[Tale], line: u32, qty: u64, t: u64) -> bool {
        let mut stock = 0_i64;
        let mut held: i64 = tales.iter().map(|tale| tale.most(line, t) as i64).sum();
        for call in self.calls.iter().filter(|call| effective(call)) {
            let units = units(call, line) as i64;
            let past = returned(call) < t;
            match call.op {
                Op::Open | Op::Receive | Op::AdjustUp | Op::Unblock if past => stock += units,
                Op::AdjustDown | Op::Block if call.call_ns <= t => stock -= units,
                Op::CancelOrder if past => held -= units,
                _ => {}
            }
        }
        held + qty as i64 > stock
    }

    fn false_sold_out(&self, tales: &[Tale]) -> u64 {
        let mut count = 0;
        for call in &self.calls {
            let Outcome::Insufficient(shorts) = &call.result else {
                continue;
            };
            if !matches!(call.op, Op::Reserve | Op::AdjustDown | Op::Block) {
                continue;
            }
            let short = |line: u32| {
                let mut during = call.call_ns..=call.return_ns;
                during.any(|t| self.missing(tales, line, units(call, line), t))
            };
            if shorts.as_slice().is_empty() {
                count += u64::from(!call.items.iter().any(|item| short(item.line)));
            } else {
                let named = shorts.as_slice().iter();
                count += named.filter(|named| !short(named.line)).count() as u64;
            }
        }
        count
    }
}
