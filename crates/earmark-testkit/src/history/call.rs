//! One call: what was asked, when it began and returned, what was answered.

use super::{Id, Items, Short, Shorts};

/// One call as its caller saw it. 96 bytes.
///
/// The effect of a call, if it has one, happened at some instant of `[call_ns, return_ns]`, both ends
/// included. Two calls that share an instant count as concurrent.
///
/// ```
/// use earmark_testkit::history::{Call, Op, Outcome};
///
/// let reserve = Call::new(Op::Reserve, 100, 140).with_item(0, 2).with_id(7_u64).with_deadline(5_000);
/// let refused = Call::new(Op::Reserve, 120, 150).with_item(0, 9).with_result(Outcome::short(0, 8));
/// assert_eq!(reserve.result, Outcome::Ok);
/// assert_eq!(refused.id, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who called. Names the caller in a report and decides nothing.
    pub thread: u32,
    /// When the call began.
    pub call_ns: u64,
    /// When it returned; `u64::MAX` if it never did.
    pub return_ns: u64,
    /// What was asked.
    pub op: Op,
    /// Of what, and how much. Equal lines are summed.
    pub items: Items,
    /// Which reservation: the one made (`Reserve` answered `Ok`) or the one meant.
    pub id: Option<Id>,
    /// What was answered.
    pub result: Outcome,
    /// The deadline that the answer gave, on the same axis as `call_ns`.
    ///
    /// On an `Ok` reserve, `None` means that it never expires. On an `Ok` call that moves the deadline,
    /// `None` means that the new one was not told, and both sides get the benefit of the doubt.
    pub deadline_ns: Option<u64>,
}

const _: () = assert!(size_of::<Call>() <= 96);

impl Call {
    /// A call of thread 0 without items or id, answered `Ok`.
    pub fn new(op: Op, call_ns: u64, return_ns: u64) -> Call {
        Call {
            thread: 0,
            call_ns,
            return_ns,
            op,
            items: Items::none(),
            id: None,
            result: Outcome::Ok,
            deadline_ns: None,
        }
    }

    /// A call whose answer was never seen: it may or may not have had its effect, at any time after it began.
    pub fn unanswered(op: Op, call_ns: u64) -> Call {
        Call::new(op, call_ns, u64::MAX).with_result(Outcome::Unknown)
    }

    /// The same call by `thread`.
    pub fn with_thread(mut self, thread: u32) -> Call {
        self.thread = thread;
        self
    }

    /// The same call with these items in place of any it had.
    pub fn with_items(mut self, items: impl Into<Items>) -> Call {
        self.items = items.into();
        self
    }

    /// The same call with one item in place of any it had.
    pub fn with_item(self, line: u32, qty: u64) -> Call {
        self.with_items(Items::one(line, qty))
    }

    /// The same call on this reservation.
    pub fn with_id(mut self, id: impl Into<Id>) -> Call {
        self.id = Some(id.into());
        self
    }

    /// The same call with another answer.
    pub fn with_result(mut self, result: Outcome) -> Call {
        self.result = result;
        self
    }

    /// The same call with the deadline that its answer gave.
    pub fn with_deadline(mut self, deadline_ns: u64) -> Call {
        self.deadline_ns = Some(deadline_ns);
        self
    }
}

/// What a call asked for.
///
/// Things that are not here are recorded through things that are:
/// - a *transfer* between lines: `AdjustDown` on the one and `AdjustUp` on the other, with the same times;
/// - a change of *safety stock*: `Block` or `Unblock` of the difference;
/// - a *replacement* of one reservation by another: `Replace` on the old id and `Reserve` with the new one,
///   same times; if it was refused, one `Reserve` of the difference, `Insufficient`;
/// - a *replayed answer* (same idempotency key): `Get` on the id, since nothing new was reserved;
/// - a *confirm that took units anew* after expiry: `Reserve` and `Confirm`, under an id of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// A line comes into being with a stock. A line that was never opened holds nothing.
    Open,
    /// Units arrive.
    Receive,
    /// A count is corrected upwards.
    AdjustUp,
    /// A count is corrected downwards. `Insufficient` is judged like a reserve's.
    AdjustDown,
    /// Available units are set aside. `Insufficient` is judged like a reserve's.
    Block,
    /// Units set aside are available again.
    Unblock,
    /// Confirmed units leave: by items, or all that the id confirmed if it names none.
    Ship,
    /// Confirmed units become available again: by items, or all that the id confirmed if it names none.
    CancelOrder,
    /// Units are set aside until a deadline, all items or none.
    Reserve,
    /// The reservation ends, its units are sold: all of them, or the items named, the rest goes back.
    Confirm,
    /// The reservation ends, its units go back. An `Ok` after the deadline is not held against the engine:
    /// either way the units go back.
    Release,
    /// Some units go back (the items), the reservation stays.
    ReleasePart,
    /// The reservation ends because another took its place.
    Replace,
    /// The deadline moves.
    Extend,
    /// The deadline moves, usually nearer: a payment runs.
    BeginPayment,
    /// The deadline moves, usually away: the payment's outcome is not known.
    PaymentPending,
    /// The deadline moves: a person will decide.
    InReview,
    /// The reservation is looked up; `Ok` says that it is live. Recording it is optional.
    Get,
    /// Available units are looked at; the items say how many were seen. No promise, so the judge passes it by.
    Read,
}

impl Op {
    /// Every operation, in the order of declaration.
    pub const ALL: [Op; 19] = [
        Op::Open,
        Op::Receive,
        Op::AdjustUp,
        Op::AdjustDown,
        Op::Block,
        Op::Unblock,
        Op::Ship,
        Op::CancelOrder,
        Op::Reserve,
        Op::Confirm,
        Op::Release,
        Op::ReleasePart,
        Op::Replace,
        Op::Extend,
        Op::BeginPayment,
        Op::PaymentPending,
        Op::InReview,
        Op::Get,
        Op::Read,
    ];

    /// The name in a file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Op::Open => "open",
            Op::Receive => "receive",
            Op::AdjustUp => "adjust_up",
            Op::AdjustDown => "adjust_down",
            Op::Block => "block",
            Op::Unblock => "unblock",
            Op::Ship => "ship",
            Op::CancelOrder => "cancel_order",
            Op::Reserve => "reserve",
            Op::Confirm => "confirm",
            Op::Release => "release",
            Op::ReleasePart => "release_part",
            Op::Replace => "replace",
            Op::Extend => "extend",
            Op::BeginPayment => "begin_payment",
            Op::PaymentPending => "payment_pending",
            Op::InReview => "in_review",
            Op::Get => "get",
            Op::Read => "read",
        }
    }

    /// Whether an `Ok` gives the reservation a new deadline.
    pub const fn moves_deadline(self) -> bool {
        matches!(self, Op::Extend | Op::BeginPayment | Op::PaymentPending | Op::InReview)
    }

    /// How an `Ok` ends the reservation, if it does.
    pub const fn ends(self) -> Option<Ended> {
        match self {
            Op::Confirm => Some(Ended::Confirmed),
            Op::Release => Some(Ended::Released),
            Op::Replace => Some(Ended::Replaced),
            _ => None,
        }
    }
}

/// How a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// Its units were sold.
    Confirmed,
    /// Its owner gave it back.
    Released,
    /// Its deadline passed.
    Expired,
    /// Another reservation took its place.
    Replaced,
    /// The grant it lived on was taken away; its units may belong to somebody else since any time.
    Lost,
}

/// What a call was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Done.
    Ok,
    /// Refused as sold out; perhaps it said which items were short.
    Insufficient(Shorts),
    /// Not now, ask again: no effect, and nothing to judge.
    Contended,
    /// Refused because the reservation's deadline had passed. Means the same as `AlreadyEnded(Expired)`.
    Expired,
    /// Refused because the reservation had ended, and how.
    AlreadyEnded(Ended),
    /// There is no such reservation, or no longer.
    NotFound,
    /// Any other refusal without effect.
    Refused,
    /// No answer was seen: it may have had its effect, or have it later.
    Unknown,
}

impl Outcome {
    /// A refusal that did not say what was short.
    pub const fn insufficient() -> Outcome {
        Outcome::Insufficient(Shorts::unlisted())
    }

    /// A refusal that named one short line and how many units it had.
    pub fn short(line: u32, available: u64) -> Outcome {
        let short = Short { line, available: Some(available) };
        Outcome::Insufficient([short].into_iter().collect())
    }

    /// The end that the answer tells of, if it tells of one.
    pub const fn tells(&self) -> Option<Ended> {
        match self {
            Outcome::Expired => Some(Ended::Expired),
            Outcome::AlreadyEnded(how) => Some(*how),
            _ => None,
        }
    }

    /// The name in a file.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Insufficient(_) => "insufficient",
            Outcome::Contended => "contended",
            Outcome::Expired => "expired",
            Outcome::AlreadyEnded(Ended::Confirmed) => "already_confirmed",
            Outcome::AlreadyEnded(Ended::Released) => "already_released",
            Outcome::AlreadyEnded(Ended::Expired) => "already_expired",
            Outcome::AlreadyEnded(Ended::Replaced) => "already_replaced",
            Outcome::AlreadyEnded(Ended::Lost) => "already_lost",
            Outcome::NotFound => "not_found",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}
