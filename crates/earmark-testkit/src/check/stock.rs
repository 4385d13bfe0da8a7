//! Calls on lines: units that come, go, and are set aside.
//!
//! A change of stock is an interval too. For oversell a gain counts from its call and a loss from its return
//! (the largest stock there can be); for refusals a loss counts from its call and a gain only after its return.
//!
//! A shipment takes as much off the stock as off the promises, so it changes neither judgement.

use crate::history::{Call, Op};

use super::Ledgers;
use super::act::Act;
use super::book::Weight;
use super::hold::signed;

/// Enters a call that changes a line by its items; others pass by.
pub(super) fn enter(call: &Call, act: Act, ledgers: &mut Ledgers) {
    for item in call.items.iter() {
        let (line, delta) = (item.line, signed(item.qty));
        match call.op {
            Op::Open | Op::Receive | Op::AdjustUp | Op::Unblock => {
                ledgers.tight.stock(line, act.call, delta);
                if act.sure {
                    ledgers.loose.stock(line, act.after(), delta);
                }
            }
            Op::AdjustDown | Op::Block => {
                ledgers.loose.stock(line, act.call, -delta);
                if act.sure {
                    ledgers.tight.stock(line, act.ret, -delta);
                }
            }
            Op::CancelOrder => {
                ledgers.tight.promised(line, act.call, -delta);
                if act.sure {
                    ledgers.loose.promised(line, act.after(), -delta);
                    ledgers.given.promised(line, act.ret, delta);
                }
            }
            Op::Ship => {
                if act.sure {
                    ledgers.given.promised(line, act.ret, delta);
                }
            }
            _ => return,
        }
        if ledgers.books.is_empty() {
            continue;
        }
        ledgers.books.enter(line, |book| {
            let weight = Weight::at(book.at_ns(), act.call, act.ret);
            let account = match call.op {
                Op::AdjustDown => &mut book.lost,
                Op::Block => &mut book.blocked,
                Op::Unblock => &mut book.unblocked,
                Op::Ship => &mut book.shipped,
                Op::CancelOrder => &mut book.cancelled,
                _ => &mut book.gained,
            };
            account.add(item.qty, weight);
        });
    }
}
