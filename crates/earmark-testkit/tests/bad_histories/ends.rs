//! Rule (c): one end, told truly, and in time.

use earmark_testkit::Rule;
use earmark_testkit::history::{Ended, Op, Outcome};

use super::{on, open, refused, reserve, told, twins, unanswered};

#[test]
fn c_a_confirm_at_the_deadline_is_late() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let confirm = |call| on(1, Op::Confirm, call, 60);
    twins(Rule::LateConfirm, &[open(), hold.clone(), confirm(50)], &[open(), hold, confirm(49)]);
}

#[test]
fn c_an_extension_makes_a_confirm_timely() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let confirm = on(1, Op::Confirm, 60, 61);
    let extend = |call| on(1, Op::Extend, call, 55).with_deadline(100);
    twins(Rule::LateMove, &[open(), hold.clone(), extend(50), confirm.clone()], &[open(), hold, extend(49), confirm]);
}

#[test]
fn c_expired_is_not_said_before_the_deadline() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let answer = |ret| on(1, Op::Confirm, 40, ret).with_result(Outcome::Expired);
    twins(Rule::EarlyExpiry, &[open(), hold.clone(), answer(49)], &[open(), hold, answer(50)]);
}

#[test]
fn c_one_end() {
    let hold = reserve(1, 10, 12, 1);
    let confirm = on(1, Op::Confirm, 20, 30);
    let release = on(1, Op::Release, 25, 35);
    let lost = told(1, Op::Release, 25, 35, Ended::Confirmed);
    twins(Rule::DoubleEnd, &[open(), hold.clone(), confirm.clone(), release], &[open(), hold, confirm, lost]);
}

#[test]
fn c_the_winner_is_named() {
    let hold = reserve(1, 10, 12, 1);
    let confirm = on(1, Op::Confirm, 20, 30);
    let answer = |how| told(1, Op::Release, 25, 35, how);
    let with = |how| [open(), hold.clone(), confirm.clone(), answer(how)];
    let good = with(Ended::Confirmed);
    twins(Rule::WrongWinner, &with(Ended::Released), &good);
    twins(Rule::WrongWinner, &with(Ended::Expired), &good);
    // Nor before it can have won.
    let early = told(1, Op::Release, 15, 19, Ended::Confirmed);
    let timely = told(1, Op::Release, 15, 20, Ended::Confirmed);
    twins(Rule::WrongWinner, &[open(), hold.clone(), confirm.clone(), early], &[open(), hold, confirm, timely]);
}

#[test]
fn c_nothing_succeeds_afterwards() {
    let hold = reserve(1, 10, 12, 2);
    let release = on(1, Op::Release, 20, 30);
    let extend = |call| on(1, Op::Extend, call, 40).with_deadline(2_000);
    let back = |call| on(1, Op::ReleasePart, call, 40).with_item(0, 1);
    for after in [extend, back] {
        twins(
            Rule::AfterEnd,
            &[open(), hold.clone(), release.clone(), after(31)],
            &[open(), hold.clone(), release.clone(), after(30)],
        );
    }
}

#[test]
fn c_what_was_told_binds() {
    // Nobody saw the release succeed, but somebody was told that it had.
    let hold = reserve(1, 10, 12, 5);
    let lost = unanswered(1, Op::Release, 15);
    let heard = told(1, Op::Confirm, 20, 30, Ended::Released);
    twins(
        Rule::FalseSoldOut,
        &[open(), hold.clone(), lost.clone(), heard.clone(), refused(31, 32, 1)],
        &[open(), hold, lost, heard, refused(30, 32, 1)],
    );
}

#[test]
fn c_no_more_goes_back_than_was_held() {
    let hold = reserve(1, 10, 12, 4);
    let part = |qty| on(1, Op::ReleasePart, 20, 21).with_item(0, qty);
    let rest = on(1, Op::Confirm, 30, 31).with_item(0, 2);
    twins(Rule::OverRelease, &[open(), hold.clone(), part(3), rest.clone()], &[open(), hold.clone(), part(2), rest]);
    let elsewhere = on(1, Op::ReleasePart, 20, 21).with_item(7, 1);
    twins(Rule::OverRelease, &[open(), hold.clone(), elsewhere], &[open(), hold, part(4)]);
}

#[test]
fn c_a_live_reservation_is_found() {
    let hold = reserve(1, 10, 12, 4);
    let missing = |ret| on(1, Op::Confirm, 30, ret).with_result(Outcome::NotFound);
    twins(Rule::LostReservation, &[open(), hold.clone(), missing(999)], &[open(), hold, missing(1_000)]);
}

#[test]
fn c_an_id_is_issued_before_it_is_used() {
    let hold = reserve(1, 10, 12, 4);
    let confirm = |id| on(id, Op::Confirm, 30, 31);
    twins(Rule::UnknownId, &[open(), hold.clone(), confirm(2)], &[open(), hold.clone(), confirm(1)]);
    let early = on(1, Op::Extend, 5, 9).with_deadline(1_000);
    let timely = on(1, Op::Extend, 5, 10).with_deadline(1_000);
    twins(Rule::UnknownId, &[open(), hold.clone(), early], &[open(), hold, timely]);
}

#[test]
fn c_an_id_is_issued_once() {
    let hold = reserve(1, 10, 12, 2);
    twins(Rule::DuplicateId, &[open(), hold.clone(), reserve(1, 20, 22, 2)], &[open(), hold, reserve(2, 20, 22, 2)]);
}
