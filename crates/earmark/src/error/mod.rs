//! Refusals: one enum for each operation, saying what was asked, why not, and what to do.
//!
//! Three answers return everywhere. *Not found*: the id is of another inventory, or ended longer ago
//! than ends are remembered. *Ended*: somebody was faster; the answer names the end that won. *Contended*:
//! nothing was decided and nothing changed; ask again shortly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::quantity::Quantity;
use crate::sku::{NameError, StockId};

mod ends;
pub(crate) mod why;

pub use ends::{
    ConfirmError, ExtendError, PartError, PaymentError, ReacquireError, ReleaseError, ReplaceError, ReviewError,
};

/// Short lines that a text names; the others are only counted.
const SHORT_LINES_NAMED: usize = 8;

/// A cart's item that was short.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
/// let cap = inventory.declare(LineSpec::new("CAP"))?;
/// let cart = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::new(3)?).with_item(cap, Quantity::ONE);
/// let Err(ReserveError::CartShort { short }) = inventory.reserve_with(&cart) else { panic!() };
/// let there: Vec<_> = short.iter().map(|item| (item.line, item.asked.get(), item.available)).collect();
/// assert_eq!(there, [(tee, 3, 2), (cap, 1, 0)]); // every short line, not just the first
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ShortItem {
    /// The line.
    pub line: StockId,
    /// Units the whole cart asked for on this line.
    pub asked: Quantity,
    /// Units that could be reserved at that moment.
    pub available: u32,
}

/// Which cap of an owner was reached.
///
/// ```
/// # use earmark::*;
/// let inventory = Inventory::builder().owner_units_max(4).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_owner(inventory.owner("ada"));
/// let _three = inventory.reserve_with(&request.clone().with_item(tee, Quantity::new(3)?))?;
/// let refused = inventory.reserve_with(&request.with_item(tee, Quantity::new(2)?)).map(|guard| guard.units());
/// assert_eq!(refused, Err(ReserveError::OwnerCap { cap: OwnerCap::Units, held: 3, asked: 2, max: 4 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OwnerCap {
    /// Live reservations.
    Reservations,
    /// Units over all lines.
    Units,
    /// Units of one line.
    UnitsPerLine,
}

impl fmt::Display for OwnerCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reservations => "live reservations",
            Self::Units => "units",
            Self::UnitsPerLine => "units of one line",
        })
    }
}

/// Why nothing was reserved.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
/// let guard = match inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?) {
///     Err(ReserveError::Insufficient { available, .. }) => {
///         inventory.reserve(tee, Quantity::new(available)?, Ttl::minutes(5)?)? // what there is
///     }
///     other => other?,
/// };
/// assert_eq!(guard.units(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// Some units are there, fewer than asked for: at some moment inside the call that was all (P4).
    #[error("{line}: asked for {asked}, {available} available; ask for less or retry after a release")]
    Insufficient {
        /// The line.
        line: StockId,
        /// Units asked for.
        asked: Quantity,
        /// Units that could be reserved at that moment, at least one.
        available: u32,
    },
    /// No unit is there: at some moment inside the call there was none (P4).
    #[error("{line}: asked for {asked}, none available; retry after a release (see `retry_after`)")]
    OutOfStock {
        /// The line.
        line: StockId,
        /// Units asked for.
        asked: Quantity,
    },
    /// Lines of a cart are short; nothing was taken.
    #[error("{}; drop or lower them", ShortLines(.short))]
    CartShort {
        /// Every short line, in order of line number, each short at some moment inside the call.
        short: Arc<[ShortItem]>,
    },
    /// It could not be settled in bounded work whether the units are there. Nothing was decided.
    #[error("{line}: contended; ask again shortly")]
    Contended {
        /// The line.
        line: StockId,
    },
    /// The line takes no new reservations.
    #[error("{line}: retired; it takes no new reservations")]
    Retired {
        /// The line.
        line: StockId,
    },
    /// No such line in this inventory.
    #[error("{line}: not declared in this inventory; declare it, or look its id up by name")]
    UnknownLine {
        /// The line.
        line: StockId,
    },
    /// No line has this name.
    #[error("no line is called {sku:?}{}; declare it first", At(.location.as_deref()))]
    UnknownName {
        /// The SKU asked for.
        sku: Arc<str>,
        /// The location asked for.
        location: Option<Arc<str>>,
    },
    /// The owner would have more than the settings allow. Nothing was taken.
    #[error("the owner has {held} {cap}, {asked} more would pass the cap of {max}; ask for less, or end some first")]
    OwnerCap {
        /// Which cap.
        cap: OwnerCap,
        /// What the owner has now.
        held: u64,
        /// What this request would add.
        asked: u64,
        /// The setting.
        max: u64,
    },
    /// The request itself cannot be served, whatever the stock.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full; its cap is a setting.
    #[error(transparent)]
    Full(#[from] FullError),
    /// The inventory was closed.
    #[error("the inventory is closed; it takes no new reservations")]
    Closed,
}

/// A request that no stock could serve. Nothing was looked at.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let most = Quantity::new(UNITS_MAX)?;
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, most).with_item(tee, Quantity::ONE);
/// let refused = inventory.reserve_with(&request).map(|guard| guard.units());
/// assert_eq!(refused, Err(RequestError::TooManyUnits { line: tee }.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A request without items.
    #[error("the request names no line; add at least one item")]
    NoItems,
    /// More items than the setting allows.
    #[error("the request has {items} items, the cap is {max}; split it")]
    TooManyItems {
        /// Items in the request.
        items: usize,
        /// The setting `items_max`.
        max: usize,
    },
    /// Equal lines add up to more than a line can hold.
    #[error("{line}: the items add up to 2^30 units or more; lower them")]
    TooManyUnits {
        /// The line.
        line: StockId,
    },
    /// The TTL is longer than the setting allows.
    #[error("a TTL of {asked:?} is longer than the longest life of {max:?}; ask for less")]
    TtlTooLong {
        /// The TTL asked for.
        asked: Duration,
        /// The setting `life_max`.
        max: Duration,
    },
    /// The metadata is longer than the setting allows.
    #[error("metadata of {bytes} bytes, the cap is {max}; store a reference instead")]
    MetadataTooLong {
        /// Bytes of the metadata.
        bytes: usize,
        /// The setting `metadata_bytes_max`.
        max: usize,
    },
    /// The channel is not one of this inventory.
    #[error("the channel is not of this inventory; make it with `Inventory::channel`")]
    UnknownChannel,
    /// A reservation is replaced by its owner, and the request names none.
    #[error("the request names no owner, and only its owner replaces a reservation; add `with_owner`")]
    NoOwner,
    /// A replacement is made whole or not at all, and the request would take what there is.
    #[error("a reservation is replaced whole or not at all; ask without `Shortage::TakeRest`")]
    WholeOnly,
}

/// Why a key stands against a command.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let cause = Cause::none().with_key(inventory.key("delivery 4711"));
/// inventory.receive(tee, Quantity::new(40)?, &cause)?;
/// let another = inventory.receive(tee, Quantity::new(50)?, &cause);
/// assert_eq!(another, Err(StockError::Key(KeyError::Reused)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key was used for another command inside the window (P7).
    #[error("the key was used for another command; make a new key for a new command")]
    Reused,
    /// The first call with this key has not answered yet.
    #[error("a call with this key is under way; ask again shortly for its answer")]
    InFlight,
}

/// Which table was full.
///
/// ```
/// # use earmark::*;
/// let inventory = Inventory::builder().owners_max(1).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let _ada = inventory.reserve_with(&request.clone().with_owner(inventory.owner("ada")))?;
/// let bob = inventory.reserve_with(&request.with_owner(inventory.owner("bob")));
/// assert!(matches!(bob, Err(ReserveError::Full(FullError { table: Table::Owners, .. }))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Table {
    /// Stock lines: setting `lines_max`.
    Lines,
    /// Live reservations: setting `reservations_max`.
    Reservations,
    /// Owners with live reservations: setting `owners_max`.
    Owners,
    /// Keys inside the window: setting `keys_max`.
    Keys,
    /// Channel labels: setting `channels_max`.
    Channels,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Reservations => "reservations",
            Self::Owners => "owners",
            Self::Keys => "keys",
            Self::Channels => "channels",
        })
    }
}

/// A table of the engine is full (P10). Nothing changed.
///
/// ```
/// # use earmark::*;
/// let inventory = Inventory::builder().channels_max(1).build()?;
/// inventory.channel("mobile")?;
/// let Err(ChannelError::Full(full)) = inventory.channel("kiosk") else { panic!() };
/// assert_eq!((full.table, full.max), (Table::Channels, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the table of {table} is full at {max}; {}", match .table {
    Table::Lines | Table::Channels => "raise the setting: they stay as long as the inventory does",
    Table::Reservations | Table::Owners | Table::Keys => "wait until some end, or raise the setting",
})]
#[non_exhaustive]
pub struct FullError {
    /// Which table.
    pub table: Table,
    /// Its cap.
    pub max: usize,
}

/// Why a line was not declared.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let tee = inventory.declare(LineSpec::new("TEE").with_category("apparel"))?;
/// let again = inventory.declare(LineSpec::new("TEE").with_category("shirts"));
/// assert_eq!(again, Err(DeclareError::Differs { line: tee })); // the line that stands can be used
/// # Ok::<(), DeclareError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclareError {
    /// A label is empty or too long.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The line stands already, with another category.
    #[error("{line}: already declared with another category; use that id, or another name")]
    Differs {
        /// The line that stands.
        line: StockId,
    },
    /// As many lines as the settings allow.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why a channel was not made.
///
/// ```
/// # use earmark::*;
/// let refused = Inventory::new().channel(&"x".repeat(NAME_BYTES_MAX + 1));
/// assert!(matches!(refused, Err(ChannelError::Name(NameError { bytes: 129, .. }))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The label is empty or too long.
    #[error(transparent)]
    Name(#[from] NameError),
    /// As many channels as the settings allow.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why a line's books were not changed.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
/// let _held = inventory.reserve(tee, Quantity::new(4)?, Ttl::minutes(5)?)?;
/// let refused = inventory.block(tee, Quantity::new(3)?, "recall", &Cause::none());
/// assert_eq!(refused, Err(StockError::Short { line: tee, short_by: 2 })); // what is promised stays promised
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StockError {
    /// No such line in this inventory.
    #[error("{line}: not declared in this inventory; declare it, or look its id up by name")]
    UnknownLine {
        /// The line.
        line: StockId,
    },
    /// The command would take more units than there are where it takes them: available ones, blocked ones
    /// (`unblock`), committed ones (`ship`, `cancel_order`). What is promised is never revoked.
    #[error("{line}: {short_by} units short of what this command may take; lower the number")]
    Short {
        /// The line.
        line: StockId,
        /// Units missing.
        short_by: u32,
    },
    /// The line would hold 2^30 units or more.
    #[error("{line}: room for {room} more units only; a line holds fewer than 2^30")]
    NoRoom {
        /// The line.
        line: StockId,
        /// Units that still fit.
        room: u32,
    },
    /// The count was not what the caller expected: somebody changed it meanwhile.
    #[error("{line}: expected {expected} on hand, found {found}; look again and decide anew")]
    Unexpected {
        /// The line.
        line: StockId,
        /// What the caller expected.
        expected: u32,
        /// What was found.
        found: u32,
    },
    /// Units are blocked for as many different reasons as a line can tell apart.
    #[error("{line}: blocked for {max} reasons already; unblock one, or use one of those")]
    TooManyReasons {
        /// The line.
        line: StockId,
        /// The cap.
        max: usize,
    },
    /// The line is retired: nothing new comes in.
    #[error("{line}: retired; reinstate it before units come in")]
    Retired {
        /// The line.
        line: StockId,
    },
    /// A transfer from a line to itself.
    #[error("{line}: a transfer needs two different lines")]
    SameLine {
        /// The line.
        line: StockId,
    },
    /// It could not be settled in bounded work whether the units are there. Nothing was decided.
    #[error("{line}: contended; ask again shortly")]
    Contended {
        /// The line.
        line: StockId,
    },
    /// A label is empty or too long.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// A setting that [`InventoryBuilder::build`](crate::InventoryBuilder::build) refuses.
///
/// ```
/// # use earmark::*;
/// let error = Inventory::builder().lanes(100).build().unwrap_err();
/// assert_eq!((error.setting, error.value.as_str(), error.bounds), ("lanes", "100", "1 to 64"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting {setting} = {value} is out of bounds: choose {bounds}")]
#[non_exhaustive]
pub struct SettingError {
    /// The setting's name.
    pub setting: &'static str,
    /// What was asked for.
    pub value: String,
    /// What is allowed.
    pub bounds: &'static str,
}

/// A location, where there is one.
struct At<'a>(Option<&'a str>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |location| write!(f, " at {location:?}"))
    }
}

/// The short lines of a cart, in words.
struct ShortLines<'a>(&'a [ShortItem]);

impl fmt::Display for ShortLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.len();
        match lines {
            1 => f.write_str("1 line of the cart is short: ")?,
            _ => write!(f, "{lines} lines of the cart are short: ")?,
        }
        for (at, ShortItem { line, asked, available }) in self.0.iter().take(SHORT_LINES_NAMED).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{line} (asked for {asked}, {available} available)")?;
        }
        match lines.saturating_sub(SHORT_LINES_NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_short_cart_names_its_short_lines_up_to_eight() {
        let short = |lines: u32| {
            let item = |line| ShortItem { line: StockId::new(line), asked: Quantity::ONE, available: 0 };
            ReserveError::CartShort { short: (0..lines).map(item).collect() }.to_string()
        };
        let two = "2 lines of the cart are short: line 0 (asked for 1, 0 available), line 1 (asked for 1, \
                   0 available); drop or lower them";
        assert_eq!(short(2), two);
        assert!(short(8).contains("line 7 (asked for 1, 0 available); drop"), "{}", short(8));
        assert!(short(10).contains("line 7 (asked for 1, 0 available), and 2 more; drop"), "{}", short(10));
        assert!(!short(10).contains("line 8"));
        assert!(short(1).starts_with("1 line of the cart is short: line 0 (asked"), "{}", short(1));
    }
}
