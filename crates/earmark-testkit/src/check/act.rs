//! When a call can have had its effect.

use crate::history::{Call, Outcome};

/// A call that had its effect on `[call, ret]`, or, unanswered, may have it at any time from `call` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    /// The call's place in the history.
    pub(super) index: usize,
    pub(super) call: u64,
    /// `u64::MAX` if unanswered, whatever the record says: a call that was given up may still arrive.
    pub(super) ret: u64,
    /// Answered.
    pub(super) sure: bool,
}

impl Act {
    pub(super) fn of(index: usize, call: &Call) -> Act {
        let sure = call.result != Outcome::Unknown;
        Act { index, call: call.call_ns, ret: if sure { call.return_ns } else { u64::MAX }, sure }
    }

    /// The first instant at which the effect surely lies in the past; `u64::MAX` never.
    pub(super) fn after(self) -> u64 {
        self.ret.saturating_add(1)
    }
}
