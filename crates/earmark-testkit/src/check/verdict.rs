//! Rule (c): the answers about one reservation fit together.

use crate::history::{Call, Ended, Op, Outcome};

use super::act::Act;
use super::course::Course;
use super::report::{Report, Violation};
use super::story::Story;

/// No call is skipped when a deadline is judged.
const NOBODY: usize = usize::MAX;

/// Judges one story.
pub(super) fn judge(story: &Story, course: &Course, calls: &[Call], report: &mut Report) {
    judge_ends(story, report);
    judge_moves(story, report);
    judge_told(story, report);
    judge_afterwards(story, calls, report);
    judge_parts(story, report);
    for act in &story.not_found {
        if course.definitely_live(act.call, act.ret) {
            report.add(Violation::LostReservation { call: act.index, id: story.id });
        }
    }
}

/// One end, and a confirm before the deadline.
fn judge_ends(story: &Story, report: &mut Report) {
    let sure = story.sure_ends();
    for end in sure.iter().skip(1) {
        report.add(Violation::DoubleEnd { call: end.act.index, id: story.id, first: sure[0].how, second: end.how });
    }
    // A release may still be accepted after the deadline: either way the units go back.
    for end in sure.iter().filter(|end| end.how == Ended::Confirmed) {
        let Act { call, ret, .. } = end.act;
        if let Err(deadline_ns) = story.deadlines.may_be_live(call, ret, NOBODY) {
            report.add(Violation::LateConfirm { call: end.act.index, id: story.id, deadline_ns });
        }
    }
}

fn judge_moves(story: &Story, report: &mut Report) {
    for step in story.deadlines.sure() {
        if let Err(deadline_ns) = story.deadlines.may_be_live(step.call, step.ret, step.index) {
            report.add(Violation::LateMove { call: step.index, id: story.id, deadline_ns });
        }
    }
}

/// Who was told of an end was told of the one that won.
fn judge_told(story: &Story, report: &mut Report) {
    let sure = story.sure_ends();
    let empty_from = story.may_be_empty_from();
    // Per end: since when it can have happened.
    let mut since = [u64::MAX; 5];
    let candidates = if sure.is_empty() { story.unsure_ends() } else { sure };
    for end in candidates {
        let first = &mut since[end.how as usize];
        *first = end.act.call.min(*first);
    }
    let first_told = story.told.first().map(|told| told.how);
    for told in &story.told {
        let by = told.act.ret;
        let ended = since[told.how as usize] <= by;
        let possible = match told.how {
            _ if !sure.is_empty() => ended,
            Ended::Lost => true,
            Ended::Expired => {
                if !story.deadlines.may_be_over(by) {
                    report.add(Violation::EarlyExpiry { call: told.act.index, id: story.id });
                    continue;
                }
                true
            }
            Ended::Released => ended || empty_from <= by,
            Ended::Confirmed | Ended::Replaced => ended,
        };
        let agreed = !sure.is_empty() || Some(told.how) == first_told;
        if !possible || !agreed {
            report.add(Violation::WrongWinner { call: told.act.index, id: story.id, told: told.how });
        }
    }
}

/// Nothing succeeds on a reservation that has surely ended. (That it ended twice is said elsewhere.)
fn judge_afterwards(story: &Story, calls: &[Call], report: &mut Report) {
    let ended = story.sure_ends().first().map(|end| end.act.ret);
    // What was told by a shipment is no end of its own.
    let told = story.told.iter().find(|told| calls[told.act.index].result != Outcome::Ok);
    let told = told.map(|told| told.act.ret);
    let mut after = |act: Act, ended_ns: u64| {
        if act.call > ended_ns {
            report.add(Violation::AfterEnd { call: act.index, id: story.id, ended_ns });
        }
    };
    if let Some(ended_ns) = ended.into_iter().chain(told).min() {
        let moves = story.deadlines.sure().iter().map(|step| step.index);
        let mut parts: Vec<usize> =
            story.parts.iter().filter(|part| part.act.sure).map(|part| part.act.index).collect();
        parts.sort_unstable();
        parts.dedup(); // a part of many items is one call
        for index in moves.chain(parts) {
            after(Act::of(index, &calls[index]), ended_ns);
        }
        for act in &story.gets {
            after(*act, ended_ns);
        }
    }
    // All that was confirmed leaves once: a second shipment or cancellation of everything finds nothing.
    let mut gone: Vec<Act> = story.ships.iter().chain(&story.cancels).copied().collect();
    gone.retain(|act| act.sure);
    gone.sort_unstable_by_key(|act| (act.ret, act.index));
    for act in gone.iter().skip(1) {
        report.add(Violation::AfterEnd { call: act.index, id: story.id, ended_ns: gone[0].ret });
    }
}

/// No more goes back, or is confirmed, than was held.
fn judge_parts(story: &Story, report: &mut Report) {
    if story.parts.is_empty() && story.kept.is_empty() {
        return;
    }
    let mut lines: Vec<u32> = story.parts.iter().map(|part| part.line).collect();
    lines.extend(story.kept.iter().map(|kept| kept.line));
    lines.sort_unstable();
    lines.dedup();
    let confirm = story.sure_ends().iter().find(|end| end.how == Ended::Confirmed);
    for line in lines {
        let sum = |qty: u64, more: u64| qty.saturating_add(more);
        let held = super::qty_of(&story.items, line);
        let parts = story.parts_of(line).iter().filter(|part| part.act.sure);
        let mut given = parts.map(|part| part.qty).fold(0, sum);
        if let Some(confirm) = confirm {
            let kept = story.kept_of(line).iter();
            let kept = kept.filter(|kept| kept.call == confirm.act.index);
            given = kept.map(|kept| kept.qty).fold(given, sum);
        }
        if given > held {
            report.add(Violation::OverRelease { id: story.id, line, held, given });
        }
    }
}

/// Whether a call of this kind needs an id to mean anything.
pub(super) fn needs_id(op: Op) -> bool {
    op.ends().is_some() || op.moves_deadline() || matches!(op, Op::ReleasePart | Op::Get)
}

/// Whether a call with this answer needs items to mean anything.
pub(super) fn needs_items(call: &Call) -> bool {
    match call.result {
        Outcome::Insufficient(_) => true,
        Outcome::Ok | Outcome::Unknown => match call.op {
            Op::Confirm | Op::Release | Op::Replace | Op::Get => false,
            Op::Ship | Op::CancelOrder => call.id.is_none(), // with an id: all that it confirmed
            op => !op.moves_deadline(),
        },
        _ => false,
    }
}
