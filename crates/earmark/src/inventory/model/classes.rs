//! Outcome classes: every variant of every public outcome and error, by exhaustive match.
//!
//! A class that makes up less than one in a hundred of its group's outcomes fails the run: then the
//! generator does not reach it, and nothing was proved about it.

use std::collections::BTreeMap;

use crate::inventory::{Advanced, Late, State};
use crate::{
    ChannelError, ConfirmError, DeclareError, End, ExtendError, KeyError, OwnerCap, ParseIdError, PartError,
    PaymentError, Phase, ReacquireError, ReleaseError, ReplaceError, RequestError, ReserveError, ReviewError,
    StockError, Table,
};

/// A match without a wildcard, and the list of everything it can answer.
macro_rules! classes {
    ($list:ident, $class:ident, $what:ty, { $($pattern:pat => $name:literal,)+ }) => {
        pub(super) fn $class(what: &$what) -> &'static str {
            match what { $($pattern => $name,)+ }
        }
        const $list: &[&str] = &[$($name,)+];
    };
}

classes!(RESERVE, reserve, Result<(), ReserveError>, {
    Ok(()) => "ok",
    Err(ReserveError::Insufficient { .. }) => "insufficient",
    Err(ReserveError::OutOfStock { .. }) => "out_of_stock",
    Err(ReserveError::CartShort { .. }) => "cart_short",
    Err(ReserveError::Contended { .. }) => "contended",
    Err(ReserveError::Retired { .. }) => "retired",
    Err(ReserveError::UnknownLine { .. }) => "unknown_line",
    Err(ReserveError::UnknownName { .. }) => "unknown_name",
    Err(ReserveError::OwnerCap { .. }) => "owner_cap",
    Err(ReserveError::Request(_)) => "request",
    Err(ReserveError::Key(_)) => "key",
    Err(ReserveError::Full(_)) => "full",
    Err(ReserveError::Closed) => "closed",
});
classes!(REQUEST, request, RequestError, {
    RequestError::NoItems => "no_items",
    RequestError::TooManyItems { .. } => "too_many_items",
    RequestError::TooManyUnits { .. } => "too_many_units",
    RequestError::TtlTooLong { .. } => "ttl_too_long",
    RequestError::MetadataTooLong { .. } => "metadata_too_long",
    RequestError::UnknownChannel => "unknown_channel",
    RequestError::NoOwner => "no_owner",
    RequestError::WholeOnly => "whole_only",
});
classes!(KEY, key, KeyError, { KeyError::Reused => "reused", KeyError::InFlight => "in_flight", });
classes!(OWNER_CAP, owner_cap, OwnerCap, {
    OwnerCap::Reservations => "reservations",
    OwnerCap::Units => "units",
    OwnerCap::UnitsPerLine => "units_per_line",
});
classes!(FULL, full, Table, {
    Table::Lines => "lines",
    Table::Reservations => "reservations",
    Table::Owners => "owners",
    Table::Keys => "keys",
    Table::Channels => "channels",
});
classes!(END, end, End, {
    End::Confirmed => "confirmed",
    End::Released => "released",
    End::Expired => "expired",
    End::Replaced => "replaced",
    End::Reacquired => "reacquired",
});
classes!(PHASE, phase, Phase, {
    Phase::Reserved => "reserved",
    Phase::Paying => "paying",
    Phase::PaymentPending => "payment_pending",
    Phase::InReview => "in_review",
});
classes!(CONFIRM, confirm, Result<(), ConfirmError>, {
    Ok(()) => "ok",
    Err(ConfirmError::NotFound { .. }) => "not_found",
    Err(ConfirmError::Ended { .. }) => "ended",
    Err(ConfirmError::Contended { .. }) => "contended",
    Err(ConfirmError::Key(_)) => "key",
    Err(ConfirmError::Full(_)) => "full",
});
classes!(RELEASE, release, Result<(), ReleaseError>, {
    Ok(()) => "ok",
    Err(ReleaseError::NotFound { .. }) => "not_found",
    Err(ReleaseError::Ended { .. }) => "ended",
    Err(ReleaseError::Contended { .. }) => "contended",
    Err(ReleaseError::Key(_)) => "key",
    Err(ReleaseError::Full(_)) => "full",
});
classes!(PART, part, Result<(), PartError>, {
    Ok(()) => "ok",
    Err(PartError::NotFound { .. }) => "not_found",
    Err(PartError::Ended { .. }) => "ended",
    Err(PartError::Contended { .. }) => "contended",
    Err(PartError::NotHeld { .. }) => "not_held",
    Err(PartError::NoItems { .. }) => "no_items",
    Err(PartError::Whole { .. }) => "whole",
    Err(PartError::Key(_)) => "key",
    Err(PartError::Full(_)) => "full",
});
classes!(EXTEND, extend, Result<(), ExtendError>, {
    Ok(()) => "ok",
    Err(ExtendError::NotFound { .. }) => "not_found",
    Err(ExtendError::Ended { .. }) => "ended",
    Err(ExtendError::Contended { .. }) => "contended",
    Err(ExtendError::LifeUsedUp { .. }) => "life_used_up",
    Err(ExtendError::WrongPhase { .. }) => "wrong_phase",
});
classes!(PAYMENT, payment, Result<(), PaymentError>, {
    Ok(()) => "ok",
    Err(PaymentError::NotFound { .. }) => "not_found",
    Err(PaymentError::Ended { .. }) => "ended",
    Err(PaymentError::Contended { .. }) => "contended",
    Err(PaymentError::WrongPhase { .. }) => "wrong_phase",
});
classes!(REACQUIRE, reacquire, Result<Late, ReacquireError>, {
    Ok(Late::InTime) => "in_time",
    Ok(Late::Reacquired) => "reacquired",
    Err(ReacquireError::NotFound { .. }) => "not_found",
    Err(ReacquireError::Ended { .. }) => "ended",
    Err(ReacquireError::Contended { .. }) => "contended",
    Err(ReacquireError::Short { .. }) => "short",
    Err(ReacquireError::Key(_)) => "key",
    Err(ReacquireError::Full(_)) => "full",
});
classes!(REVIEW, review, Result<(), ReviewError>, {
    Ok(()) => "ok",
    Err(ReviewError::NotFound { .. }) => "not_found",
    Err(ReviewError::Ended { .. }) => "ended",
    Err(ReviewError::Contended { .. }) => "contended",
    Err(ReviewError::NotInReview { .. }) => "not_in_review",
});
classes!(CHANNEL, channel, Result<(), ChannelError>, {
    Ok(()) => "ok",
    Err(ChannelError::Name(_)) => "name",
    Err(ChannelError::Full(_)) => "full",
});
classes!(REPLACE, replace, Result<(), ReplaceError>, {
    Ok(()) => "ok",
    Err(ReplaceError::NotFound { .. }) => "not_found",
    Err(ReplaceError::Ended { .. }) => "ended",
    Err(ReplaceError::Contended { .. }) => "contended",
    Err(ReplaceError::WrongPhase { .. }) => "wrong_phase",
    Err(ReplaceError::NotOwner { .. }) => "not_owner",
    Err(ReplaceError::Reserve(_)) => "reserve",
});
classes!(DECLARE, declare, Result<(), DeclareError>, {
    Ok(()) => "ok",
    Err(DeclareError::Name(_)) => "name",
    Err(DeclareError::Differs { .. }) => "differs",
    Err(DeclareError::Full(_)) => "full",
});
classes!(STOCK, stock, Result<(), StockError>, {
    Ok(()) => "ok",
    Err(StockError::UnknownLine { .. }) => "unknown_line",
    Err(StockError::Short { .. }) => "short",
    Err(StockError::NoRoom { .. }) => "no_room",
    Err(StockError::Unexpected { .. }) => "unexpected",
    Err(StockError::TooManyReasons { .. }) => "too_many_reasons",
    Err(StockError::Retired { .. }) => "retired",
    Err(StockError::SameLine { .. }) => "same_line",
    Err(StockError::Contended { .. }) => "contended",
    Err(StockError::Name(_)) => "name",
    Err(StockError::Key(_)) => "key",
    Err(StockError::Full(_)) => "full",
});
classes!(STATE, state, Option<State>, {
    None => "not_found",
    Some(State::Live(Phase::Reserved)) => "reserved",
    Some(State::Live(Phase::Paying)) => "paying",
    Some(State::Live(Phase::PaymentPending)) => "payment_pending",
    Some(State::Live(Phase::InReview)) => "in_review",
    Some(State::Ended(End::Confirmed)) => "confirmed",
    Some(State::Ended(End::Released)) => "released",
    Some(State::Ended(End::Expired)) => "expired",
    Some(State::Ended(End::Replaced)) => "replaced",
    Some(State::Ended(End::Reacquired)) => "reacquired",
});
classes!(PARSE_ID, parse_id, Result<(), ParseIdError>, {
    Ok(()) => "ok",
    Err(ParseIdError::Length { .. }) => "length",
    Err(ParseIdError::Character { .. }) => "character",
    Err(ParseIdError::Check) => "check",
});
classes!(ADVANCE, advance, Advanced, {
    Advanced { complete: true, expired: 0, looked: _ } => "complete_none_expired",
    Advanced { complete: true, .. } => "complete_some_expired",
    Advanced { complete: false, .. } => "incomplete",
});
/// What the answer of `retry_after` is, relative to now.
#[derive(Debug)]
pub(super) enum Retry {
    Now,
    Later,
    Never,
    UnknownLine,
}
classes!(RETRY, retry, Retry, {
    Retry::Now => "now",
    Retry::Later => "later",
    Retry::Never => "never",
    Retry::UnknownLine => "unknown_line",
});
/// Settings that `build` refuses by name.
pub(super) const SETTINGS: &[&str] = &[
    "lines_max",
    "reservations_max",
    "lanes",
    "hot_lines_max",
    "ended_capacity",
    "expired_capacity",
    "items_max",
    "owners_max",
    "keys_max",
    "channels_max",
    "sweep_budget",
    "time_slack",
    "ended_retention",
    "expired_retention",
    "key_window",
];

const GROUPS: &[(&str, &[&str])] = &[
    ("reserve", RESERVE),
    ("request", REQUEST),
    ("key", KEY),
    ("owner_cap", OWNER_CAP),
    ("full", FULL),
    ("end", END),
    ("phase", PHASE),
    ("confirm", CONFIRM),
    ("release", RELEASE),
    ("part", PART),
    ("extend", EXTEND),
    ("payment", PAYMENT),
    ("reacquire", REACQUIRE),
    ("replace", REPLACE),
    ("review", REVIEW),
    ("channel", CHANNEL),
    ("declare", DECLARE),
    ("stock", STOCK),
    ("state", STATE),
    ("parse_id", PARSE_ID),
    ("advance", ADVANCE),
    ("retry_after", RETRY),
    ("setting", SETTINGS),
];

/// What operations answer; the other groups are parts of an answer, or looks that refuse nothing.
const ANSWERS: &[&str] = &[
    "reserve",
    "confirm",
    "release",
    "part",
    "extend",
    "payment",
    "reacquire",
    "replace",
    "review",
    "channel",
    "declare",
    "stock",
];

/// Whether this is an answer that the engine counts as a refusal.
pub(super) fn is_refusal(group: &str, class: &str) -> bool {
    ANSWERS.contains(&group) && !["ok", "in_time", "reacquired"].contains(&class)
}

/// Classes that one thread cannot bring about; here they must not occur at all.
const EXCLUDED: &[(&str, &str)] = &[
    ("confirm", "contended"),
    ("release", "contended"),
    ("part", "contended"),
    ("extend", "contended"),
    ("payment", "contended"),
    ("reacquire", "contended"),
    ("replace", "contended"),
    ("review", "contended"),
];

/// How often each class was seen.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(&'static str, &'static str), u64>);

impl Tally {
    pub(super) fn see(&mut self, group: &'static str, class: &'static str) {
        *self.0.entry((group, class)).or_default() += 1;
    }

    pub(super) fn see_inner(&mut self, error: Option<&ReserveError>) {
        match error {
            Some(ReserveError::Request(error)) => self.see("request", request(error)),
            Some(ReserveError::Key(error)) => self.see("key", key(error)),
            Some(ReserveError::Full(error)) => self.see("full", full(&error.table)),
            Some(ReserveError::OwnerCap { cap, .. }) => self.see("owner_cap", owner_cap(cap)),
            _ => {}
        }
    }

    fn count(&self, group: &'static str, class: &'static str) -> u64 {
        self.0.get(&(group, class)).copied().unwrap_or(0)
    }

    /// How many classes were demanded.
    pub(super) fn classes(&self) -> usize {
        GROUPS.iter().map(|(_, classes)| classes.len()).sum::<usize>() - EXCLUDED.len()
    }

    /// The table, and every class below one in a hundred.
    pub(super) fn judge(&self) -> (String, Vec<String>) {
        let (mut table, mut missed) = (String::new(), Vec::new());
        for &(group, classes) in GROUPS {
            let all: u64 = classes.iter().map(|class| self.count(group, class)).sum();
            table.push_str(&format!("  {group} ({all}):"));
            for class in classes {
                let count = self.count(group, class);
                table.push_str(&format!(" {class} {:.1} %,", count as f64 * 100.0 / all.max(1) as f64));
                let excluded = EXCLUDED.contains(&(group, class));
                if excluded && count > 0 {
                    missed.push(format!("{group}/{class}: {count}, but one thread cannot bring it about"));
                }
                if !excluded && (count * 100 < all || count == 0) {
                    missed.push(format!("{group}/{class}: {count} of {all}, below 1 %"));
                }
            }
            table.push('\n');
        }
        (table, missed)
    }
}
