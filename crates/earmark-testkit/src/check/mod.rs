//! The judge: reads a history, and says what no honest engine could have answered.
//!
//! A history shows intervals, not instants, so every quantity has two bounds. *At least* counts what holds
//! however the calls interleaved; *at most* counts what could. A rule is broken only if no interleaving helps:
//!
//! | rule | broken if | bounds |
//! |---|---|---|
//! | (a) oversell | at an instant: promised > stock | promised at least, stock at most |
//! | (b) false sold-out | at every instant of the call: promised + asked ≤ stock | promised at most, stock at least |
//! | (c) one end | the answers about one id contradict each other or its deadlines | either, per answer |
//! | (d) conservation | a figure at rest lies outside its range | both |
//!
//! What is judged is a necessary condition: a legal history is always clean; an illegal one is caught when the
//! contradiction shows at an instant or in one reservation. Full linearizability is NP-complete, this is
//! O(n log n): sort by id, sort by line and time, sweep.
//!
//! ```text
//!   calls --by id--> story --> verdict (c)
//!                      '-----> course --> hold --> timelines --by line, time--> sweep (a), refusal (b)
//!   calls on lines ---------------------> stock ----^                  '------> book (d)
//! ```

mod act;
mod book;
mod course;
mod deadline;
mod hold;
mod options;
mod refusal;
mod report;
mod stock;
mod story;
mod sweep;
mod verdict;
mod words;

use std::collections::HashSet;

use crate::history::{Call, Id, Item, Op, Outcome};

pub use options::{Figures, Final, Options};
pub use report::{Answers, Report, Rule, Violation};

use act::Act;
use book::Books;
use course::Course;
use hold::Bounds;
use refusal::Refusals;
use story::Story;
use sweep::Timeline;

/// Where the judge keeps what it has understood.
#[derive(Debug)]
struct Ledgers {
    /// Promised at least, stock at most: for oversell.
    tight: Timeline,
    /// Promised at most, stock at least: for refusals.
    loose: Timeline,
    /// Shipped and cancelled at least (as promised), confirmed at most (as stock).
    given: Timeline,
    /// The lines on which anything is shipped or cancelled by items.
    given_lines: HashSet<u32>,
    books: Books,
}

/// Judges a history in O(n log n). The calls may be in any order.
///
/// ```
/// use earmark_testkit::{Options, Rule, check};
/// use earmark_testkit::history::{Call, Op, Outcome};
///
/// let mut calls = vec![
///     Call::new(Op::Open, 0, 1).with_item(0, 3),
///     Call::new(Op::Reserve, 10, 12).with_item(0, 2).with_id(1_u64).with_deadline(100),
///     Call::new(Op::Reserve, 11, 14).with_item(0, 2).with_result(Outcome::short(0, 1)),
///     Call::new(Op::Confirm, 20, 22).with_id(1_u64),
/// ];
/// assert!(check(&calls, &Options::default()).is_clean());
///
/// // One unit is left. Whoever gets two, or is refused one, was told something untrue.
/// calls.push(Call::new(Op::Reserve, 30, 31).with_item(0, 2).with_id(2_u64).with_deadline(100));
/// calls.push(Call::new(Op::Reserve, 25, 26).with_item(0, 1).with_result(Outcome::insufficient()));
/// let report = check(&calls, &Options::default());
/// assert_eq!(report.oversold(), 1);
/// assert_eq!(report.false_sold_out(), 1);
/// println!("{report}");
/// ```
///
/// # Panics
/// If there are 2^32 calls or more.
pub fn check(calls: &[Call], options: &Options) -> Report {
    assert!(u32::try_from(calls.len()).is_ok(), "2^32 calls or more");
    let mut report = Report::new(options.details_max);
    let mut ledgers = Ledgers {
        tight: Timeline::default(),
        loose: Timeline::default(),
        given: Timeline::default(),
        given_lines: given_lines(calls),
        books: Books::new(&options.finals),
    };
    let mut refusals = Refusals::default();
    let mut by_id: Vec<(Id, u32)> = Vec::new();
    let mut story = Story::default();
    let mut bounds = Bounds::default();

    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.op != Op::Read) {
        report.answered(call);
        if let Some(what) = fault(call) {
            report.add(Violation::Malformed { call: index, what });
            continue;
        }
        refusals.note(index, call);
        if matches!(call.result, Outcome::Ok | Outcome::Unknown) {
            stock::enter(call, Act::of(index, call), &mut ledgers);
        }
        let place = index as u32; // fits: asserted above
        match call.id {
            Some(id) => by_id.push((id, place)),
            None if call.op == Op::Reserve => {
                // Nobody can have named it again: a story of one call.
                let alone = [(Id::default(), place)];
                if story.read(Id::default(), calls, &alone, options.clock_slack_ns, &mut report) {
                    let course = Course::of(&story, options.expiry_lag_ns);
                    course.enter(&story, &mut bounds, &mut ledgers);
                }
            }
            None => {}
        }
    }

    by_id.sort_unstable();
    for group in by_id.chunk_by(|a, b| a.0 == b.0) {
        let id = group[0].0;
        if story.read(id, calls, group, options.clock_slack_ns, &mut report) {
            let course = Course::of(&story, options.expiry_lag_ns);
            verdict::judge(&story, &course, calls, &mut report);
            course.enter(&story, &mut bounds, &mut ledgers);
        }
    }
    drop(by_id);

    let Ledgers { tight, loose, given, books, .. } = ledgers;
    sweep::judge_oversell(&tight.sorted(), &mut report);
    refusals.judge(&loose.sorted(), options.figures, &mut report);
    sweep::judge_given(&given.sorted(), &mut report);
    books.judge(&mut report);
    report
}

/// What makes a record unfit to be judged.
fn fault(call: &Call) -> Option<&'static str> {
    let total = call.items.iter().try_fold(0_u64, |sum, item| sum.checked_add(item.qty));
    if call.return_ns < call.call_ns {
        Some("it returned before it began")
    } else if total.is_none_or(|total| i64::try_from(total).is_err()) {
        Some("its quantities exceed i64::MAX")
    } else if verdict::needs_id(call.op) && call.id.is_none() && call.result == Outcome::Ok {
        Some("it succeeded on a reservation that it does not name")
    } else if call.items.is_empty() && verdict::needs_items(call) {
        Some("it names no items")
    } else {
        None
    }
}

fn given_lines(calls: &[Call]) -> HashSet<u32> {
    let given = calls.iter().filter(|call| matches!(call.op, Op::Ship | Op::CancelOrder));
    given.flat_map(|call| call.items.iter()).map(|item| item.line).collect()
}

/// One entry a line, by line; equal lines are summed.
fn by_line(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut merged = Vec::new();
    merge_lines(items, &mut merged);
    merged
}

fn merge_lines(items: impl Iterator<Item = Item>, into: &mut Vec<Item>) {
    into.extend(items);
    into.sort_unstable();
    into.dedup_by(|next, kept| {
        let same = next.line == kept.line;
        if same {
            kept.qty = kept.qty.saturating_add(next.qty);
        }
        same
    });
}

fn qty_of(items: &[Item], line: u32) -> u64 {
    let place = items.binary_search_by_key(&line, |item| item.line);
    place.map_or(0, |place| items[place].qty)
}
