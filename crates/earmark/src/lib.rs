//! earmark sets stock aside, fast, and never twice.
//!
//! Between "is it there?" and "it is paid" lie 0.5 to 2 seconds in which others buy too. Whoever only
//! *reads* `available: 1` can pay for a unit that is gone. Whoever *reserves* it cannot: the units leave
//! `available` before the payment begins, and come back by themselves if nobody confirms in time.
//!
//! ```
//! use earmark::{Cause, Inventory, LineSpec, Quantity, ReserveError, Ttl};
//!
//! let inventory = Inventory::new();
//! let tee = inventory.declare(LineSpec::new("TEE"))?;
//! inventory.receive(tee, Quantity::ONE, &Cause::none())?;
//!
//! let a = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?; // released if dropped
//! let b = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?);
//! assert!(matches!(b, Err(ReserveError::OutOfStock { .. })));
//! inventory.begin_payment(a.id())?; // a short deadline of its own
//! a.confirm()?;
//! assert_eq!(inventory.levels(tee)?.committed, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything is in memory and in this process: no I/O, no hidden threads, no runtime. Time is moved by
//! whoever calls [`Inventory::advance`], or by a [`Driver`].
//!
//! # Promises
//!
//! - **P1 no oversell.** Live reservations and committed units never exceed what was received.
//! - **P2 one end.** Of confirm, release, expire and replace exactly one wins; the others are told which,
//!   for as long as ends are remembered. A stale id never reaches somebody else's reservation.
//! - **P3 conservation.** `on_hand = available + reserved + committed + blocked + safety_stock` in every
//!   reading of a line.
//! - **P4 no false sold-out.** `OutOfStock` and `Insufficient` are true at some moment inside the call; what
//!   cannot be settled in bounded work is `Contended`.
//! - **P5 expiry.** Never before the deadline given in the answer; a confirm at or after it is refused, swept
//!   or not. With a driver, as far as it keeps its time: [`docs::time`].
//! - **P7 same key, same answer**, inside the key's window and this process.
//! - **P10 bounded.** Every table has a cap and a refusal of its own.
//! - **P11 true `retry_after`**, computed at most once per line and tick.
//!
//! P6 (what was acknowledged survives a crash), P8 (unknown is an answer) and P9 (a process that was cut off
//! cannot confirm) are for stores and several processes, which **do not exist yet**: when this process ends,
//! its reservations are gone.
//!
//! Not promised: fairness among buyers; that a reading still holds when you act on it; that all lines of a
//! cart fall at one instant; that ids are secret.
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | lines and their books | [`Inventory::declare`], [`receive`](Inventory::receive), [`adjust`](Inventory::adjust), [`ship`](Inventory::ship), [`LineSpec`], [`Cause`], [`Levels`] |
//! | reserving | [`Inventory::reserve`], [`reserve_with`](Inventory::reserve_with) with a [`ReserveRequest`] (carts, owners, keys), [`Guard`], [`OwnedGuard`] |
//! | ends and phases | [`Inventory::confirm`], [`release`](Inventory::release), [`extend`](Inventory::extend), [`begin_payment`](Inventory::begin_payment), [`confirm_or_reacquire`](Inventory::confirm_or_reacquire) |
//! | time | [`Clock`], [`ManualClock`], [`Driver`], [`LoopDriver`], [`Inventory::advance`] |
//! | looking | [`Inventory::available`], [`levels`](Inventory::levels), [`get`](Inventory::get), [`counts`](Inventory::counts), [`usage`](Inventory::usage), [`verify`](Inventory::verify) |
//! | settings and their bounds | [`InventoryBuilder`] |
//! | refusals | [`ReserveError`], [`ConfirmError`], and an enum for each other operation |
//!
//! Chapters: [`docs::design`], [`docs::time`], [`docs::refusals`], [`docs::life`], [`docs::proofs`].
//!
//! # Features
//!
//! None is on by default: `tokio` (`TokioDriver`), `serde`, `metrics` (`Inventory::publish_metrics`),
//! `tracing` (every change as an event), `quanta` (`QuantaClock`).

mod clock;
pub mod docs;
mod error;
mod inventory;
mod lane;
#[cfg(all(test, earmark_loom))]
mod loom_explore;
mod marks;
mod nursery;
mod paged;
mod quantity;
mod reservation;
mod seeded;
mod sku;
mod stock;
mod sync;
mod wheel;
mod word;

#[cfg(feature = "quanta")]
pub use clock::QuantaClock;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, Ttl, TtlError};
pub use error::{
    ChannelError, ConfirmError, DeclareError, ExtendError, FullError, KeyError, OwnerCap, PartError, PaymentError,
    ReacquireError, ReleaseError, ReplaceError, RequestError, ReserveError, ReviewError, SettingError, ShortItem,
    StockError, Table,
};
#[cfg(feature = "tokio")]
pub use inventory::TokioDriver;
pub use inventory::{
    Advanced, Cause, Channel, ChannelCounts, CloseMode, CloseReport, Count, Counts, Difference, Driver, DriverReport,
    Filter, Guard, Inventory, InventoryBuilder, Item, Key, Late, Levels, LoopDriver, OwnedGuard, Owner, Reservation,
    ReserveRequest, Reserved, Resolution, Shortage, Snapshot, State, Usage, Verification,
};
pub use quantity::{Quantity, QuantityError, UNITS_MAX};
pub use reservation::id::{ParseIdError, ReservationId};
pub use reservation::phase::{End, PendingPolicy, Phase};
pub use sku::{LineName, LineSpec, NAME_BYTES_MAX, NameError, REFERENCE_BYTES_MAX, StockId};
pub use stock::ledger::{BLOCK_REASONS_MAX, LastChange};

/// The README's example is run like any other.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
