//! The cold half of a line: its books.
//!
//! **S4** `on_hand = available + reserved + committed + blocked + safety_stock`, always: the four
//! numbers besides committed are written, committed is what is left. The sum of available and reserved
//! changes only under this lock, save for a confirm, which turns reserved into committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counter::Snapshot;
use crate::clock::Timestamp;
use crate::quantity::UNITS_MAX;

/// Different reasons for which units of one line can be blocked at a time.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(99)?, &Cause::none())?;
/// for reason in 0..BLOCK_REASONS_MAX {
///     inventory.block(tee, Quantity::ONE, &format!("pallet {reason}"), &Cause::none())?;
/// }
/// let refused = inventory.block(tee, Quantity::ONE, "one more", &Cause::none());
/// assert!(matches!(refused, Err(StockError::TooManyReasons { max: 64, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const BLOCK_REASONS_MAX: usize = 64;

/// Who changed a line's books last, and why.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// inventory.receive(tee, Quantity::ONE, &Cause::none().with_external_ref("delivery 4711"))?;
/// let LastChange { what, external_ref, .. } = inventory.last_change(tee)?.expect("received");
/// assert_eq!((what, external_ref.as_deref()), ("receive", Some("delivery 4711")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastChange {
    /// What was done: `receive`, `adjust`, ...
    pub what: &'static str,
    /// The system that said so, if it was given.
    pub source: Option<Arc<str>>,
    /// The caller's own reference, if it was given.
    pub external_ref: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    on_hand: u32,
    safety_stock: u32,
    blocked: BTreeMap<Arc<str>, u32>,
    blocked_total: u32,
    pub(crate) last: Option<LastChange>,
}

impl Ledger {
    pub(crate) const fn on_hand(&self) -> u32 {
        self.on_hand
    }

    pub(crate) const fn safety_stock(&self) -> u32 {
        self.safety_stock
    }

    pub(crate) const fn blocked(&self) -> u32 {
        self.blocked_total
    }

    pub(crate) fn blocked_by_reason(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.blocked.iter().map(|(reason, units)| (reason, *units))
    }

    pub(crate) fn blocked_for(&self, reason: &str) -> u32 {
        self.blocked.get(reason).copied().unwrap_or(0)
    }

    /// Whether one more reason fits.
    pub(crate) fn has_room_for(&self, reason: &str) -> bool {
        self.blocked.len() < BLOCK_REASONS_MAX || self.blocked.contains_key(reason)
    }

    /// Units that may still come in.
    pub(crate) const fn room(&self) -> u32 {
        UNITS_MAX - self.on_hand
    }

    /// S4: what is neither available nor reserved nor set aside is committed.
    pub(crate) fn committed(&self, word: Snapshot) -> u32 {
        let set_aside = word.available() + word.reserved() + self.blocked_total + self.safety_stock;
        assert!(set_aside <= self.on_hand, "books of a line broken (S4): {self:?} {word:?}");
        self.on_hand - set_aside
    }

    /// Units came in; the caller has checked `room`.
    pub(crate) fn bring_in(&mut self, units: u32) {
        self.on_hand += units;
    }

    /// Units left; the caller has taken them from where they were.
    pub(crate) fn take_out(&mut self, units: u32) {
        self.on_hand -= units;
    }

    /// Units blocked; the caller has taken them out of available and checked `has_room_for`.
    pub(crate) fn block(&mut self, reason: &str, units: u32) {
        *self.blocked.entry(reason.into()).or_default() += units;
        self.blocked_total += units;
    }

    /// Units unblocked; the caller has checked `blocked_for`.
    pub(crate) fn unblock(&mut self, reason: &str, units: u32) {
        if let Some(blocked) = self.blocked.get_mut(reason) {
            *blocked -= units;
            if *blocked == 0 {
                self.blocked.remove(reason);
            }
            self.blocked_total -= units;
        }
    }

    /// Sets the buffer; the caller moves the difference.
    pub(crate) fn set_safety_stock(&mut self, units: u32) {
        self.safety_stock = units;
    }
}
