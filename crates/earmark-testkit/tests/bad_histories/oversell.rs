//! Rule (a): no unit is promised twice.

use earmark_testkit::Rule;
use earmark_testkit::history::{Call, Op};

use super::{on, open, reserve, twins, unanswered};

#[test]
fn a_two_buyers_of_the_same_unit() {
    let first = reserve(1, 10, 12, 3);
    twins(Rule::Oversold, &[open(), first.clone(), reserve(2, 11, 14, 3)], &[open(), first, reserve(2, 11, 14, 2)]);
}

#[test]
fn a_units_come_back_when_the_release_is_called() {
    let first = [open(), reserve(1, 10, 12, 5), on(1, Op::Release, 20, 30)];
    let with = |call, ret| [&first[..], &[reserve(2, call, ret, 1)]].concat();
    twins(Rule::Oversold, &with(15, 19), &with(15, 20));
}

#[test]
fn a_confirmed_units_never_come_back_by_themselves() {
    let sold = [open(), reserve(1, 10, 12, 5), on(1, Op::Confirm, 20, 30)];
    let late = reserve(2, 5_000, 5_001, 1).with_deadline(9_000);
    let cancel = Call::new(Op::CancelOrder, 4_000, 4_001).with_item(0, 1);
    twins(Rule::Oversold, &[&sold[..], std::slice::from_ref(&late)].concat(), &[&sold[..], &[cancel, late]].concat());
}

#[test]
fn a_shipping_frees_nothing() {
    let sold = [open(), reserve(1, 10, 12, 5), on(1, Op::Confirm, 20, 30), Call::new(Op::Ship, 40, 50).with_item(0, 5)];
    let again = reserve(2, 60, 70, 1);
    let more = Call::new(Op::Receive, 55, 65).with_item(0, 1);
    twins(Rule::Oversold, &[&sold[..], std::slice::from_ref(&again)].concat(), &[&sold[..], &[again, more]].concat());
}

#[test]
fn a_the_deadline_frees_and_an_extension_does_not() {
    let first = reserve(1, 10, 12, 5).with_deadline(50);
    let second = reserve(2, 60, 62, 5);
    let extend = on(1, Op::Extend, 40, 45).with_deadline(100);
    twins(Rule::Oversold, &[open(), first.clone(), extend, second.clone()], &[open(), first, second]);
}

#[test]
fn a_a_payment_may_shorten_the_deadline() {
    let first = reserve(1, 10, 12, 5).with_deadline(500);
    let pay = on(1, Op::BeginPayment, 20, 25);
    let second = reserve(2, 99, 99, 1);
    let with = |deadline| {
        let pay = pay.clone().with_deadline(deadline);
        [open(), first.clone(), pay, second.clone()]
    };
    twins(Rule::Oversold, &with(100), &with(99));
}

#[test]
fn a_stock_is_never_taken_from_under_a_promise() {
    let hold = reserve(1, 10, 12, 4);
    let adjust = |qty| Call::new(Op::AdjustDown, 20, 25).with_item(0, qty);
    twins(Rule::Oversold, &[open(), hold.clone(), adjust(2)], &[open(), hold, adjust(1)]);
}

#[test]
fn a_the_rest_of_a_part_confirm_goes_back() {
    let hold = reserve(1, 10, 12, 5);
    let confirm = on(1, Op::Confirm, 20, 21).with_item(0, 2);
    let second = |qty| reserve(2, 30, 31, qty);
    twins(Rule::Oversold, &[open(), hold.clone(), confirm.clone(), second(4)], &[open(), hold, confirm, second(3)]);
}

#[test]
fn a_a_lost_answer_to_a_confirm_frees_nothing() {
    let hold = reserve(1, 10, 12, 5);
    let lost = |op| unanswered(1, op, 20);
    let second = reserve(2, 30, 31, 5);
    twins(
        Rule::Oversold,
        &[open(), hold.clone(), lost(Op::Confirm), second.clone()],
        &[open(), hold, lost(Op::Release), second],
    );
}
