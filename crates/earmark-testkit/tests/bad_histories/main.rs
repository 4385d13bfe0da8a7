//! Histories that no honest engine can produce, each beside a twin that differs in one thing and is clean.
//!
//! A checker that was never seen to object proves nothing (`reliability.md` 4.5).

mod books;
mod ends;
mod oversell;
mod sold_out;

use earmark_testkit::history::{Call, Ended, Op, Outcome};
use earmark_testkit::{Options, Rule, check};

/// Line 0 with five units, before anything else.
fn open() -> Call {
    Call::new(Op::Open, 0, 1).with_item(0, 5)
}

fn reserve(id: u64, call: u64, ret: u64, qty: u64) -> Call {
    Call::new(Op::Reserve, call, ret).with_item(0, qty).with_id(id).with_deadline(1_000)
}

fn refused(call: u64, ret: u64, qty: u64) -> Call {
    Call::new(Op::Reserve, call, ret).with_item(0, qty).with_result(Outcome::insufficient())
}

fn on(id: u64, op: Op, call: u64, ret: u64) -> Call {
    Call::new(op, call, ret).with_id(id)
}

fn told(id: u64, op: Op, call: u64, ret: u64, how: Ended) -> Call {
    on(id, op, call, ret).with_result(Outcome::AlreadyEnded(how))
}

fn unanswered(id: u64, op: Op, call: u64) -> Call {
    Call::unanswered(op, call).with_id(id)
}

/// `bad` breaks exactly `rule`, `times` times and nothing else; `good` breaks nothing.
#[track_caller]
fn twins_with(options: &Options, rule: Rule, times: u64, bad: &[Call], good: &[Call]) {
    let options = options.clone();
    let report = check(bad, &options);
    assert_eq!(report.count(rule), times, "bad twin: {report}");
    assert_eq!(report.total(), times, "bad twin, other rules: {report}");
    assert_eq!(report.details().len() as u64, times);
    assert!(report.details().iter().all(|found| found.rule() == rule));
    let report = check(good, &options);
    assert!(report.is_clean(), "good twin: {report}");
    // The order of the records is of no account.
    let mut backwards = bad.to_vec();
    backwards.reverse();
    assert_eq!(check(&backwards, &options).count(rule), times);
}

#[track_caller]
fn twins(rule: Rule, bad: &[Call], good: &[Call]) {
    twins_with(&Options::default(), rule, 1, bad, good);
}
