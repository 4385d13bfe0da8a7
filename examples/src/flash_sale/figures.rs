//! What the history says: counted from the recorded calls, never from the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use earmark_testkit::history::{Call, Id, Op, Outcome as Answered};
use earmark_testkit::{Final, Options, Report, Violation, check};

use super::rush::Rush;

/// Violations that the judge describes, of each rule: enough to see every oversold line.
const DETAILS_MAX: usize = 100_000;

/// The figures of a history.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// Units confirmed.
    pub sold: u64,
    /// Reserve calls refused for want of units.
    pub refused: u64,
    /// Reserve calls that could not be decided: asked again.
    pub contended: u64,
    /// Reservations made.
    pub reserved: u64,
    /// Reservations confirmed.
    pub confirmed: u64,
    /// Reservations given back.
    pub released: u64,
    /// Reservations that nobody ended.
    pub expired: u64,
    /// Units sold or promised beyond the stock: the judge's worst case of each line, added up.
    pub oversold: u64,
    /// Refusals as sold out though the units were there at every instant of the call.
    pub false_sold_out: u64,
    /// Whether somebody looked at the books at rest, and they are what the history makes them.
    pub conserved: bool,
    /// Calls that the judge judged: all but reads.
    pub checked_calls: u64,
    /// Everything that the judge found wrong.
    pub violations: u64,
    /// Pairs of a reserve and an end, in a real second: the hammer's while it hammered; without one, all pairs
    /// over the whole length.
    pub pairs_per_second: f64,
    /// The hammer's part of all this.
    pub hammer: Rush,
    /// The reserve calls, by length.
    pub reserve: Latency,
    /// Those of them that were granted.
    pub granted: Latency,
    sold_by_line: Vec<u64>,
    oversold_by_line: BTreeMap<u32, u64>,
}

/// Who called, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// How long it took in all.
    pub(crate) length: Duration,
    /// The threads from this number on are hammers.
    pub(crate) hammers_from: u32,
}

/// How long calls took, in ns, the two readings of the clock around each included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// Half of the calls took this or less.
    pub p50_ns: u64,
    /// 99 % did.
    pub p99_ns: u64,
    /// 99.9 % did.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Figures {
    /// Has a history, in order of time, judged and counts it, side by side.
    pub(crate) fn of(calls: &[Call], finals: &[Final], load: Load) -> (Figures, Report) {
        let options = Options::default().with_details_max(DETAILS_MAX).with_finals(finals.iter().copied());
        let (report, mut figures) = std::thread::scope(|scope| {
            let counting = scope.spawn(|| count(calls, load));
            let report = check(calls, &options);
            (report, counting.join().expect("counting does not panic"))
        });
        figures.oversold_by_line = oversold(&report);
        figures.oversold = figures.oversold_by_line.values().sum();
        figures.false_sold_out = report.false_sold_out();
        figures.conserved = report.conservation() == 0 && (!finals.is_empty() || calls.is_empty());
        figures.checked_calls = report.calls;
        figures.violations = report.total();
        (figures, report)
    }

    /// Reservations that agents made.
    pub fn agent_reserved(&self) -> u64 {
        self.reserved - self.hammer.reserved
    }

    /// Reserve calls of agents that were refused for want of units.
    pub fn agent_refused(&self) -> u64 {
        self.refused - self.hammer.refused
    }

    /// Units of one line sold or promised beyond its stock, at the worst moment.
    pub fn oversold_of(&self, line: u32) -> u64 {
        self.oversold_by_line.get(&line).copied().unwrap_or(0)
    }

    /// Units of one line that were sold.
    pub fn sold_of(&self, line: u32) -> u64 {
        self.sold_by_line.get(line as usize).copied().unwrap_or(0)
    }
}

/// The judge's worst case of each line.
fn oversold(report: &Report) -> BTreeMap<u32, u64> {
    let mut worst = BTreeMap::new();
    for violation in report.details() {
        if let Violation::Oversold { line, worst_by, .. } = violation {
            let by = u64::try_from(*worst_by).unwrap_or(u64::MAX);
            worst.entry(*line).and_modify(|worst: &mut u64| *worst = by.max(*worst)).or_insert(by);
        }
    }
    worst
}

fn count(calls: &[Call], load: Load) -> Figures {
    let mut figures = Figures::default();
    let mut lengths = Vec::new();
    let mut granted = Vec::new();
    let mut held: Vec<(Id, usize)> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        if call.thread >= load.hammers_from {
            figures.hammer.add(call);
        }
        if call.op != Op::Reserve {
            continue;
        }
        match &call.result {
            Answered::Ok => held.extend(call.id.map(|id| (id, place))),
            Answered::Insufficient(_) => figures.refused += 1,
            Answered::Contended => figures.contended += 1,
            _ => continue, // a repeated answer, or a request that no stock could serve
        }
        let length = call.return_ns - call.call_ns;
        lengths.push(length);
        if call.result == Answered::Ok {
            granted.push(length);
        }
    }
    held.sort_unstable();
    figures.reserved = held.len() as u64;
    for call in calls.iter().filter(|call| call.result == Answered::Ok) {
        match call.op {
            Op::Release => figures.released += 1,
            Op::Confirm => {
                figures.confirmed += 1;
                let id = call.id.unwrap_or_default();
                let at = held.binary_search_by_key(&id, |(id, _)| *id);
                let Ok(at) = at else { continue };
                for item in calls[held[at].1].items.iter() {
                    figures.sold += item.qty;
                    let line = item.line as usize;
                    if figures.sold_by_line.len() <= line {
                        figures.sold_by_line.resize(line + 1, 0);
                    }
                    figures.sold_by_line[line] += item.qty;
                }
            }
            _ => {}
        }
    }
    figures.expired = figures.reserved.saturating_sub(figures.confirmed + figures.released);
    let (pairs, length) = match figures.hammer.pairs {
        0 => (figures.confirmed + figures.released, load.length),
        pairs => (pairs, Duration::from_nanos(figures.hammer.ns)),
    };
    figures.pairs_per_second = pairs as f64 / length.as_secs_f64().max(1e-9);
    figures.reserve = Latency::of(lengths);
    figures.granted = Latency::of(granted);
    figures
}

impl Latency {
    /// Of all lengths exactly, by sorting.
    fn of(mut lengths: Vec<u64>) -> Latency {
        lengths.sort_unstable();
        let at = |share: f64| {
            let rank = (lengths.len() as f64 * share).ceil() as usize;
            lengths.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Latency { p50_ns: at(0.5), p99_ns: at(0.99), p999_ns: at(0.999), max_ns: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_calls_themselves() {
        let latency = Latency::of((1..=1_000).rev().collect());
        assert_eq!(latency, Latency { p50_ns: 500, p99_ns: 990, p999_ns: 999, max_ns: 1_000 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }

    #[test]
    fn what_was_sold_is_what_was_confirmed() {
        let calls = [
            Call::new(Op::Open, 0, 1).with_item(0, 3),
            Call::new(Op::Reserve, 2, 3).with_item(0, 2).with_id(1_u64).with_deadline(100),
            Call::new(Op::Confirm, 4, 5).with_id(1_u64),
            Call::new(Op::Reserve, 6, 9).with_item(0, 1).with_id(2_u64).with_deadline(7),
            Call::new(Op::Reserve, 6, 7).with_item(0, 2).with_result(Answered::short(0, 1)),
        ];
        let load = Load { length: Duration::from_secs(1), hammers_from: 1 };
        let (figures, report) = Figures::of(&calls, &[], load);
        assert!(report.is_clean(), "{report}");
        assert_eq!((figures.sold, figures.sold_of(0), figures.sold_of(1)), (2, 2, 0));
        assert_eq!((figures.reserved, figures.refused, figures.expired), (2, 1, 1));
        assert!(!figures.conserved, "nobody looked");
        assert_eq!((figures.pairs_per_second, figures.agent_refused()), (1.0, 1));
    }
}
