//! Histories that no honest engine can produce, each beside a twin that differs in one thing and is clean.
//!
//! A checker that was never seen to object proves nothing (`reliability.md` 4.5).

use earmark_testkit::history::{Call, Ended, Op, Outcome, Short};
use earmark_testkit::{Final, Options, Rule, check};

/// Line 0 with five units, before anything else.
fn open() -> Call {
    Call::new(Op::Open, 0, 1).with_item(0, 5)
}

fn reserve(id: u64, call: u64, ret: u64, qty: u64) -> Call {
    Call::new(Op::Reserve, call, ret)
        .with_item(0, qty)
        .with_id(id)
        .with_deadline(1_000)
}

fn refused(call: u64, ret: u64, qty: u64) -> Call {
    Call::new(Op::Reserve, call, ret)
        .with_item(0, qty)
        .with_result(Outcome::insufficient())
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

// (a) Oversell.

#[test]
fn a_two_buyers_of_the_same_unit() {
    let first = reserve(1, 10, 12, 3);
    twins(
        Rule::Oversold,
        &[open(), first.clone(), reserve(2, 11, 14, 3)],
        &[open(), first, reserve(2, 11, 14, 2)],
    );
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
    twins(
        Rule::Oversold,
        &[&sold[..], std::slice::from_ref(&late)].concat(),
        &[&sold[..], &[cancel, late]].concat(),
    );
}

#[test]
fn a_shipping_frees_nothing() {
    let sold = [
        open(),
        reserve(1, 10, 12, 5),
        on(1, Op::Confirm, 20, 30),
        Call::new(Op::Ship, 40, 50).with_item(0, 5),
    ];
    let again = reserve(2, 60, 70, 1);
    let more = Call::new(Op::Receive, 55, 65).with_item(0, 1);
    twins(
        Rule::Oversold,
        &[&sold[..], std::slice::from_ref(&again)].concat(),
        &[&sold[..], &[again, more]].concat(),
    );
}

#[test]
fn a_the_deadline_frees_and_an_extension_does_not() {
    let first = reserve(1, 10, 12, 5).with_deadline(50);
    let second = reserve(2, 60, 62, 5);
    let extend = on(1, Op::Extend, 40, 45).with_deadline(100);
    twins(
        Rule::Oversold,
        &[open(), first.clone(), extend, second.clone()],
        &[open(), first, second],
    );
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
    twins(
        Rule::Oversold,
        &[open(), hold.clone(), adjust(2)],
        &[open(), hold, adjust(1)],
    );
}

#[test]
fn a_the_rest_of_a_part_confirm_goes_back() {
    let hold = reserve(1, 10, 12, 5);
    let confirm = on(1, Op::Confirm, 20, 21).with_item(0, 2);
    let second = |qty| reserve(2, 30, 31, qty);
    twins(
        Rule::Oversold,
        &[open(), hold.clone(), confirm.clone(), second(4)],
        &[open(), hold, confirm, second(3)],
    );
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

// (b) False sold-out.

#[test]
fn b_the_last_unit_was_there() {
    let hold = reserve(1, 10, 12, 4);
    twins(
        Rule::FalseSoldOut,
        &[open(), hold.clone(), refused(20, 21, 1)],
        &[open(), hold, refused(20, 21, 2)],
    );
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
fn b_expired_units_count_as_there() {
    let hold = reserve(1, 10, 12, 5).with_deadline(50);
    twins(
        Rule::FalseSoldOut,
        &[open(), hold.clone(), refused(50, 55, 1)],
        &[open(), hold, refused(49, 55, 1)],
    );
}

#[test]
fn b_a_refused_cart_excuses_nobody() {
    let cart = Call::new(Op::Reserve, 10, 30)
        .with_items([(0, 5), (1, 1)])
        .with_result(Outcome::short(1, 0));
    let refusal = refused(15, 20, 1);
    let taken = cart.clone().with_id(1_u64).with_result(Outcome::Ok);
    let one = Call::new(Op::Open, 0, 1).with_item(1, 1);
    twins(
        Rule::FalseSoldOut,
        &[open(), cart, refusal.clone()],
        &[open(), one, taken, refusal],
    );
}

#[test]
fn b_each_item_named_was_short() {
    let cart = |lines: &[u32]| {
        let shorts = lines.iter().map(|line| Short {
            line: *line,
            available: None,
        });
        Call::new(Op::Reserve, 10, 20)
            .with_items([(0, 2), (1, 2), (0, 4)])
            .with_result(Outcome::Insufficient(shorts.collect()))
    };
    let other = Call::new(Op::Open, 0, 1).with_item(1, 2);
    twins(
        Rule::FalseSoldOut,
        &[open(), other.clone(), cart(&[0, 1])],
        &[open(), other, cart(&[0])],
    );
}

#[test]
fn b_a_cart_without_a_list_had_one_item_short() {
    let cart = |qty| {
        Call::new(Op::Reserve, 10, 20)
            .with_items([(0, 5), (1, qty)])
            .with_result(Outcome::insufficient())
    };
    let other = Call::new(Op::Open, 0, 1).with_item(1, 2);
    twins(
        Rule::FalseSoldOut,
        &[open(), other.clone(), cart(2)],
        &[open(), other, cart(3)],
    );
}

#[test]
fn b_a_figure_is_one_that_was_possible() {
    let hold = reserve(1, 10, 12, 3);
    let short = |available| refused(20, 21, 4).with_result(Outcome::short(0, available));
    let with = |available| [open(), hold.clone(), short(available)];
    twins(Rule::WrongAvailable, &with(1), &with(2));
    twins(Rule::WrongAvailable, &with(4), &with(3));
}

// (c) Ends.

#[test]
fn c_a_confirm_at_the_deadline_is_late() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let confirm = |call| on(1, Op::Confirm, call, 60);
    twins(
        Rule::LateConfirm,
        &[open(), hold.clone(), confirm(50)],
        &[open(), hold, confirm(49)],
    );
}

#[test]
fn c_an_extension_makes_a_confirm_timely() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let confirm = on(1, Op::Confirm, 60, 61);
    let extend = |call| on(1, Op::Extend, call, 55).with_deadline(100);
    twins(
        Rule::LateMove,
        &[open(), hold.clone(), extend(50), confirm.clone()],
        &[open(), hold, extend(49), confirm],
    );
}

#[test]
fn c_expired_is_not_said_before_the_deadline() {
    let hold = reserve(1, 10, 12, 1).with_deadline(50);
    let answer = |ret| on(1, Op::Confirm, 40, ret).with_result(Outcome::Expired);
    twins(
        Rule::EarlyExpiry,
        &[open(), hold.clone(), answer(49)],
        &[open(), hold, answer(50)],
    );
}

#[test]
fn c_one_end() {
    let hold = reserve(1, 10, 12, 1);
    let confirm = on(1, Op::Confirm, 20, 30);
    let release = on(1, Op::Release, 25, 35);
    let lost = told(1, Op::Release, 25, 35, Ended::Confirmed);
    twins(
        Rule::DoubleEnd,
        &[open(), hold.clone(), confirm.clone(), release],
        &[open(), hold, confirm, lost],
    );
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
    twins(
        Rule::WrongWinner,
        &[open(), hold.clone(), confirm.clone(), early],
        &[open(), hold, confirm, timely],
    );
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
        &[
            open(),
            hold.clone(),
            lost.clone(),
            heard.clone(),
            refused(31, 32, 1),
        ],
        &[open(), hold, lost, heard, refused(30, 32, 1)],
    );
}

#[test]
fn c_no_more_goes_back_than_was_held() {
    let hold = reserve(1, 10, 12, 4);
    let part = |qty| on(1, Op::ReleasePart, 20, 21).with_item(0, qty);
    let rest = on(1, Op::Confirm, 30, 31).with_item(0, 2);
    twins(
        Rule::OverRelease,
        &[open(), hold.clone(), part(3), rest.clone()],
        &[open(), hold.clone(), part(2), rest],
    );
    let elsewhere = on(1, Op::ReleasePart, 20, 21).with_item(7, 1);
    twins(
        Rule::OverRelease,
        &[open(), hold.clone(), elsewhere],
        &[open(), hold, part(4)],
    );
}

#[test]
fn c_a_live_reservation_is_found() {
    let hold = reserve(1, 10, 12, 4);
    let missing = |ret| on(1, Op::Confirm, 30, ret).with_result(Outcome::NotFound);
    twins(
        Rule::LostReservation,
        &[open(), hold.clone(), missing(999)],
        &[open(), hold, missing(1_000)],
    );
}

#[test]
fn c_an_id_is_issued_before_it_is_used() {
    let hold = reserve(1, 10, 12, 4);
    let confirm = |id| on(id, Op::Confirm, 30, 31);
    twins(
        Rule::UnknownId,
        &[open(), hold.clone(), confirm(2)],
        &[open(), hold.clone(), confirm(1)],
    );
    let early = on(1, Op::Extend, 5, 9).with_deadline(1_000);
    let timely = on(1, Op::Extend, 5, 10).with_deadline(1_000);
    twins(
        Rule::UnknownId,
        &[open(), hold.clone(), early],
        &[open(), hold, timely],
    );
}

#[test]
fn c_an_id_is_issued_once() {
    let hold = reserve(1, 10, 12, 2);
    twins(
        Rule::DuplicateId,
        &[open(), hold.clone(), reserve(1, 20, 22, 2)],
        &[open(), hold, reserve(2, 20, 22, 2)],
    );
}

// (d) Conservation.

#[test]
fn d_the_books_agree_with_the_history() {
    let calls = [
        open(),
        reserve(1, 10, 12, 3),
        reserve(2, 10, 12, 1),
        on(1, Op::Confirm, 20, 21),
        Call::new(Op::Ship, 30, 31).with_item(0, 1),
        Call::new(Op::Receive, 30, 31).with_item(0, 4),
        Call::new(Op::Block, 30, 31).with_item(0, 2),
        Call::new(Op::CancelOrder, 30, 31).with_item(0, 1),
    ];
    let good = Final {
        line: 0,
        at_ns: 100,
        on_hand: 8,
        available: 4,
        reserved: 1,
        committed: 1,
        blocked: 2,
    };
    let judge = |seen: Final| check(&calls, &Options::default().with_finals([seen]));
    assert!(judge(good).is_clean(), "{}", judge(good));
    // Every figure is looked at, and so is the sum.
    for bad in [
        Final { on_hand: 9, ..good },
        Final {
            available: 3,
            ..good
        },
        Final {
            reserved: 0,
            ..good
        },
        Final {
            committed: 2,
            ..good
        },
        Final { blocked: 0, ..good },
    ] {
        assert_eq!(judge(bad).conservation(), 2, "{bad:?}: {}", judge(bad));
    }
    // The second reservation is over at its deadline.
    let later = Final {
        at_ns: 1_000,
        available: 5,
        reserved: 0,
        ..good
    };
    assert!(judge(later).is_clean(), "{}", judge(later));
}

#[test]
fn d_no_more_ships_than_was_confirmed() {
    let sold = [open(), reserve(1, 10, 12, 4), on(1, Op::Confirm, 20, 21)];
    let ship = |qty| Call::new(Op::Ship, 30, 31).with_item(0, qty);
    let cancel = Call::new(Op::CancelOrder, 40, 41).with_item(0, 2);
    twins(
        Rule::Conservation,
        &[&sold[..], &[ship(3), cancel.clone()]].concat(),
        &[&sold[..], &[ship(2), cancel]].concat(),
    );
}

#[test]
fn d_an_order_is_cancelled_once_and_only_if_confirmed() {
    let sold = [open(), reserve(1, 10, 12, 4), on(1, Op::Confirm, 20, 21)];
    let cancel = |call| on(1, Op::CancelOrder, call, call + 1);
    let refusal = cancel(40).with_result(Outcome::Refused);
    twins(
        Rule::AfterEnd,
        &[&sold[..], &[cancel(30), cancel(40)]].concat(),
        &[&sold[..], &[cancel(30), refusal]].concat(),
    );
    twins(
        Rule::WrongWinner,
        &[open(), reserve(1, 10, 12, 4), cancel(30)],
        &[&sold[..], &[cancel(30)]].concat(),
    );
}

// The record itself.

#[test]
fn a_record_that_makes_no_sense_is_told() {
    let get = |call, ret| Call::new(Op::Get, call, ret).with_id(1_u64);
    let hold = reserve(1, 1, 2, 1);
    twins(
        Rule::Malformed,
        &[open(), hold.clone(), get(10, 9)],
        &[open(), hold.clone(), get(9, 10)],
    );
    let nameless = Call::new(Op::Confirm, 10, 11);
    twins(
        Rule::Malformed,
        &[open(), nameless.clone()],
        &[open(), nameless.with_result(Outcome::Refused)],
    );
}

// What an option forgives, it forgives by exactly so much.

#[test]
fn slack_and_lag_are_exact() {
    let hold = reserve(1, 10, 12, 5).with_deadline(50);
    let slack = Options::default().with_clock_slack_ns(5);
    let confirm = |call| [open(), hold.clone(), on(1, Op::Confirm, call, 60)];
    twins_with(&slack, Rule::LateConfirm, 1, &confirm(55), &confirm(54));
    let early = |ret| {
        let answer = on(1, Op::Confirm, 40, ret).with_result(Outcome::Expired);
        [open(), hold.clone(), answer]
    };
    twins_with(&slack, Rule::EarlyExpiry, 1, &early(44), &early(45));
    let next = |at| [open(), hold.clone(), reserve(2, at, at, 1)];
    twins_with(&slack, Rule::Oversold, 1, &next(44), &next(45));
    let lag = slack.with_expiry_lag_ns(10);
    let refusal = |call| [open(), hold.clone(), refused(call, call, 1)];
    twins_with(&lag, Rule::FalseSoldOut, 1, &refusal(65), &refusal(64));
}
