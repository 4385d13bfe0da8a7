//! What a caller is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::request::{Item, Key, Owner};
use crate::clock::Timestamp;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::sku::StockId;

/// What was reserved. `Copy`; a promise until `deadline`.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
/// let guard = inventory.reserve(tee, Quantity::new(2)?, Ttl::minutes(5)?)?;
/// let Reserved { units, deadline, .. } = guard.reserved();
/// assert!(units == 2 && deadline > inventory.now());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub struct Reserved {
    /// Its name.
    pub id: ReservationId,
    /// Units set aside, over all its lines: as many as asked for, unless the request said
    /// [`Shortage::TakeRest`](crate::Shortage::TakeRest).
    pub units: u64,
    /// When it expires: confirm, extend or begin the payment before.
    pub deadline: Timestamp,
}

/// One line's numbers, all from the same instant.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
/// let levels = inventory.set_safety_stock(tee, 2, &Cause::none())?;
/// let promised = levels.reserved + levels.committed;
/// assert_eq!(levels.on_hand, levels.available + promised + levels.blocked + levels.safety_stock);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Levels {
    /// The line.
    pub line: StockId,
    /// Units physically there: the sum of the five below.
    pub on_hand: u32,
    /// Can be reserved now.
    pub available: u32,
    /// Promised by live reservations; also by expired ones that nobody swept yet.
    pub reserved: u32,
    /// Confirmed, not shipped yet.
    pub committed: u32,
    /// Set aside with a reason.
    pub blocked: u32,
    /// Kept as a buffer.
    pub safety_stock: u32,
    /// Takes no new reservations.
    pub retired: bool,
    /// When this was read, on the engine's clock. A read is not a promise.
    pub as_of: Timestamp,
}

/// Where a reservation stands, or how it ended.
///
/// ```
/// # use earmark::*;
/// assert_eq!(State::Live(Phase::PaymentPending).to_string(), "payment_pending");
/// assert_eq!(State::Ended(End::Reacquired).to_string(), "reacquired");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// It lives, in this phase.
    Live(Phase),
    /// It ended so.
    Ended(End),
}

/// Everything about one reservation.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
/// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let Reservation { born, deadline, .. } = inventory.get(id).expect("it lives");
/// assert_eq!(deadline, Some(born.after(Ttl::minutes(5)?)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reservation {
    /// Its name.
    pub id: ReservationId,
    /// Where it stands. Expired also if its time is up and nobody swept yet.
    pub state: State,
    /// What it holds, in order of line number; empty once it has ended.
    pub items: Vec<Item>,
    /// When it expires; `None` in review and after the end.
    pub deadline: Option<Timestamp>,
    /// Time left until then.
    pub remaining: Option<Duration>,
    /// When it was made.
    pub born: Timestamp,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Where it came from: the channel's label.
    pub channel: Option<Arc<str>>,
    /// The key it was made with.
    pub key: Option<Key>,
    /// The text kept with it.
    pub metadata: Option<Arc<str>>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(phase) => phase.fmt(f),
            Self::Ended(end) => end.fmt(f),
        }
    }
}
