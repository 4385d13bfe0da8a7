//! Rule (b): nobody is sent away while the units are there.

use earmark_testkit::Rule;
use earmark_testkit::history::{Call, Op, Outcome, Short};

use super::{on, open, refused, reserve, twins};

#[test]
fn b_the_last_unit_was_there() {
    let hold = reserve(1, 10, 12, 4);
    twins(Rule::FalseSoldOut, &[open(), hold.clone(), refused(20, 21, 1)], &[open(), hold, refused(20, 21, 2)]);
}

#[test]
fn b_a_reserve_under_way_may_have_taken_it() {
    let refusal = refused(20, 30, 1);
    twins(
        Rule::FalseSoldOut,
        &[open(), reserve(1, 31, 40, 5), refusal.clone()],
        &[open(), reserve(1, 30, 40, 5), refusal],
    );
}

#[test]
fn b_a_release_has_returned() {
    let first = [open(), reserve(1, 10, 12, 5), on(1, Op::Release, 15, 20)];
    let with = |call, ret| [&first[..], &[refused(call, ret, 1)]].concat();
    twins(Rule::FalseSoldOut, &with(21, 25), &with(20, 25));
}

#[test]
fn b_a_delivery_has_arrived() {
    let hold = reserve(1, 10, 12, 5);
    let arrives = Call::new(Op::Receive, 15, 20).with_item(0, 1);
    let refusal = |call| refused(call, 30, 1);
    twins(
        Rule::FalseSoldOut,
        &[open(), hold.clone(), arrives.clone(), refusal(21)],
        &[open(), hold, arrives, refusal(20)],
    );
}

#[test]
fn b_expired_units_count_as_there() {
    let hold = reserve(1, 10, 12, 5).with_deadline(50);
    twins(Rule::FalseSoldOut, &[open(), hold.clone(), refused(50, 55, 1)], &[open(), hold, refused(49, 55, 1)]);
}

#[test]
fn b_a_refused_cart_excuses_nobody() {
    let cart = Call::new(Op::Reserve, 10, 30).with_items([(0, 5), (1, 1)]).with_result(Outcome::short(1, 0));
    let refusal = refused(15, 20, 1);
    let taken = cart.clone().with_id(1_u64).with_result(Outcome::Ok);
    let one = Call::new(Op::Open, 0, 1).with_item(1, 1);
    twins(Rule::FalseSoldOut, &[open(), cart, refusal.clone()], &[open(), one, taken, refusal]);
}

#[test]
fn b_each_item_named_was_short() {
    let cart = |lines: &[u32]| {
        let shorts = lines.iter().map(|line| Short { line: *line, available: None });
        Call::new(Op::Reserve, 10, 20)
            .with_items([(0, 2), (1, 2), (0, 4)])
            .with_result(Outcome::Insufficient(shorts.collect()))
    };
    let other = Call::new(Op::Open, 0, 1).with_item(1, 2);
    twins(Rule::FalseSoldOut, &[open(), other.clone(), cart(&[0, 1])], &[open(), other, cart(&[0])]);
}

#[test]
fn b_a_cart_without_a_list_had_one_item_short() {
    let cart = |qty| Call::new(Op::Reserve, 10, 20).with_items([(0, 5), (1, qty)]).with_result(Outcome::insufficient());
    let other = Call::new(Op::Open, 0, 1).with_item(1, 2);
    twins(Rule::FalseSoldOut, &[open(), other.clone(), cart(2)], &[open(), other, cart(3)]);
}

#[test]
fn b_a_figure_is_one_that_was_possible() {
    let hold = reserve(1, 10, 12, 3);
    let short = |available| refused(20, 21, 4).with_result(Outcome::short(0, available));
    let with = |available| [open(), hold.clone(), short(available)];
    twins(Rule::WrongAvailable, &with(1), &with(2));
    twins(Rule::WrongAvailable, &with(4), &with(3));
}
