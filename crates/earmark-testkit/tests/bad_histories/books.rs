//! Rule (d): the books add up; and what the record and the options themselves may say.

use earmark_testkit::history::{Call, Op, Outcome};
use earmark_testkit::{Final, Options, Rule, check};

use super::{on, open, refused, reserve, twins, twins_with};

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
    let good = Final { line: 0, at_ns: 100, on_hand: 8, available: 4, reserved: 1, committed: 1, blocked: 2 };
    let judge = |seen: Final| check(&calls, &Options::default().with_finals([seen]));
    assert!(judge(good).is_clean(), "{}", judge(good));
    // Every figure is looked at, and so is the sum.
    for bad in [
        Final { on_hand: 9, ..good },
        Final { available: 3, ..good },
        Final { reserved: 0, ..good },
        Final { committed: 2, ..good },
        Final { blocked: 0, ..good },
    ] {
        assert_eq!(judge(bad).conservation(), 2, "{bad:?}: {}", judge(bad));
    }
    // The second reservation is over at its deadline.
    let later = Final { at_ns: 1_000, available: 5, reserved: 0, ..good };
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
    twins(Rule::WrongWinner, &[open(), reserve(1, 10, 12, 4), cancel(30)], &[&sold[..], &[cancel(30)]].concat());
}

// The record itself.

#[test]
fn a_record_that_makes_no_sense_is_told() {
    let get = |call, ret| Call::new(Op::Get, call, ret).with_id(1_u64);
    let hold = reserve(1, 1, 2, 1);
    twins(Rule::Malformed, &[open(), hold.clone(), get(10, 9)], &[open(), hold.clone(), get(9, 10)]);
    let nameless = Call::new(Op::Confirm, 10, 11);
    twins(Rule::Malformed, &[open(), nameless.clone()], &[open(), nameless.with_result(Outcome::Refused)]);
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
