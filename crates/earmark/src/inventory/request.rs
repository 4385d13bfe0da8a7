//! What a caller asks for, and what it is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::NO_CHANNEL;
use crate::clock::{Timestamp, Ttl};
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::state::{End, Phase};
use crate::sku::StockId;

/// Units of one line.
///
/// ```
/// # use earmark::*;
/// # let tee = Inventory::new().declare(LineSpec::new("TEE"))?;
/// let pair = Item { line: tee, quantity: Quantity::new(2)? };
/// let request = ReserveRequest::new(Ttl::minutes(5)?);
/// assert_eq!(request.clone().with_items([pair]), request.with_item(pair.line, pair.quantity));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[allow(clippy::exhaustive_structs, reason = "a pair, for good")]
pub struct Item {
    /// The line.
    pub line: StockId,
    /// How many units of it.
    pub quantity: Quantity,
}

/// Whose reservation it is: a buyer's cart, an agent. 128 bits; make one from a name with
/// [`Inventory::owner`](crate::Inventory::owner), or from an id that is well spread already.
///
/// With the feature `serde` a text of 32 hexadecimal digits.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let carts = std::collections::HashMap::from([(inventory.owner("ada"), "cart 17")]);
/// assert_eq!(carts.get(&inventory.owner("ada")), Some(&"cart 17"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Owner(#[cfg_attr(feature = "serde", serde(with = "super::bits"))] u128);

impl Owner {
    /// The owner with this id.
    ///
    /// ```
    /// # use earmark::*;
    /// const AGENT: Owner = Owner::from_bits(0x6f1d_93a0_5c7e_4b52_8e21_d0b4_9a37_c6f8); // its UUID
    /// assert_ne!(AGENT, Owner::from_bits(AGENT.to_bits() + 1));
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The id.
    ///
    /// ```
    /// # use earmark::*;
    /// let ada = Inventory::new().owner("ada");
    /// assert_eq!(Owner::from_bits(ada.to_bits()), ada); // stored as a number, and back
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

/// An idempotency key: same key, same answer, inside the window (P7). 128 bits; make one from a text
/// with [`Inventory::key`](crate::Inventory::key), or from a random or time-ordered id.
///
/// With the feature `serde` a text of 32 hexadecimal digits.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
/// # let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let request = request.with_key(inventory.key("cart 17"));
/// assert_eq!(inventory.reserve_with(&request)?.id(), inventory.reserve_with(&request)?.id());
/// assert_eq!(inventory.counts().reserved, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key(#[cfg_attr(feature = "serde", serde(with = "super::bits"))] u128);

impl Key {
    /// The key with these bits.
    ///
    /// ```
    /// # use earmark::*;
    /// let order = 0x0197_5a3c_11d2_7e40_b3f5_28c6_90ad_4e17; // a UUID that the caller made for the order
    /// assert_eq!(Key::from_bits(order).to_bits(), order);
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let key = inventory.key("order 17");
    /// assert_eq!(Key::from_bits(key.to_bits()), key);
    /// assert_ne!(key.to_bits(), inventory.owner("order 17").to_bits()); // keys and owners do not meet
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

/// Where a request came from: a small interned label, made by
/// [`Inventory::channel`](crate::Inventory::channel) and counted by
/// [`Inventory::channel_counts`](crate::Inventory::channel_counts).
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let elsewhere = Inventory::new().channel("mobile")?;
/// let request = ReserveRequest::new(Ttl::MIN).with_item(tee, Quantity::ONE).with_channel(elsewhere);
/// let refused = inventory.reserve_with(&request).map(|guard| guard.id());
/// assert_eq!(refused, Err(RequestError::UnknownChannel.into())); // it is of one inventory
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channel(pub(crate) u16);

/// What to do when fewer units are there than asked for.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
/// let five = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::new(5)?);
/// assert!(inventory.reserve_with(&five).is_err()); // `Refuse` by default
/// assert_eq!(inventory.reserve_with(&five.with_shortage(Shortage::TakeRest))?.units(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Shortage {
    /// Refuse; take nothing.
    #[default]
    Refuse,
    /// Take what there is of each line, and leave out lines of which there is nothing; refuse if nothing is
    /// left.
    TakeRest,
}

/// A request to reserve: items and a TTL, and whatever else is known about it. One item is a single
/// reservation; more are a cart, all or nothing, equal lines added up, under one id.
///
/// ```
/// use earmark::*;
/// let inventory = Inventory::new();
/// let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let cap = inventory.declare(LineSpec::new("CAP"))?;
/// inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
/// inventory.receive(cap, Quantity::new(5)?, &Cause::none())?;
///
/// let request = ReserveRequest::new(Ttl::minutes(10)?)
///     .with_item(tee, Quantity::new(2)?)
///     .with_item(cap, Quantity::ONE)
///     .with_owner(inventory.owner("cart-17"))
///     .with_channel(inventory.channel("mobile")?)
///     .with_key(inventory.key("checkout-17-attempt-1"))
///     .with_metadata("gift wrap");
/// let guard = inventory.reserve_with(&request)?;
/// assert_eq!(guard.units(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveRequest {
    pub(crate) items: Vec<Item>,
    pub(crate) ttl: Ttl,
    pub(crate) owner: Option<Owner>,
    pub(crate) channel: Option<Channel>,
    pub(crate) key: Option<Key>,
    pub(crate) metadata: Option<Arc<str>>,
    pub(crate) shortage: Shortage,
}

impl ReserveRequest {
    /// A request without items yet.
    ///
    /// ```
    /// # use earmark::*;
    /// let refused = Inventory::new().reserve_with(&ReserveRequest::new(Ttl::MIN)).map(|guard| guard.id());
    /// assert_eq!(refused, Err(RequestError::NoItems.into()));
    /// ```
    #[must_use]
    pub const fn new(ttl: Ttl) -> Self {
        Self {
            items: Vec::new(),
            ttl,
            owner: None,
            channel: None,
            key: None,
            metadata: None,
            shortage: Shortage::Refuse,
        }
    }

    /// The channel's number, also of none.
    pub(super) fn channel_number(&self) -> u16 {
        self.channel.map_or(NO_CHANNEL, |channel| channel.0)
    }

    /// Adds units of a line; the same line may come again and is added up.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let two = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::new(2)?);
    /// let guard = inventory.reserve_with(&two.with_item(tee, Quantity::ONE))?;
    /// assert_eq!(inventory.get(guard.id()).map(|found| found.items[0].quantity), Some(Quantity::new(3)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_item(mut self, line: StockId, quantity: Quantity) -> Self {
        self.items.push(Item { line, quantity });
        self
    }

    /// Adds items.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let basket = [(tee, Quantity::new(2)?), (tee, Quantity::ONE)].map(|(line, quantity)| Item { line, quantity });
    /// assert_eq!(inventory.reserve_with(&ReserveRequest::new(Ttl::minutes(5)?).with_items(basket))?.units(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_items(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.items.extend(items);
        self
    }

    /// Whose it is: counts against the owner's caps.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let ada = inventory.owner("ada");
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_owner(ada);
    /// let guard = inventory.reserve_with(&request)?;
    /// assert_eq!(inventory.get(guard.id()).and_then(|found| found.owner), Some(ada));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Where it came from.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// # let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
    /// let guard = inventory.reserve_with(&request.with_channel(inventory.channel("mobile")?))?;
    /// assert_eq!(inventory.get(guard.id()).and_then(|found| found.channel).as_deref(), Some("mobile"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_channel(mut self, channel: Channel) -> Self {
        self.channel = Some(channel);
        self
    }

    /// Makes the request safe to repeat (P7): inside the window the same key gets the same answer, also when
    /// that was a refusal on stock or caps. To try anew after such a refusal, use a new key. Another request
    /// under the key is refused: other lines or units (equal lines added up, in any order), another TTL,
    /// owner, channel, metadata or [`Shortage`].
    ///
    /// The answer tells what was decided then, not how things stand. After the reservation ended the key
    /// still answers `Ok` with the id of the ended one; [`Inventory::get`](crate::Inventory::get) tells.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?)
    ///     .with_item(tee, Quantity::ONE)
    ///     .with_key(inventory.key("checkout-17"));
    /// let id = inventory.reserve_with(&request)?.detach();
    /// inventory.release(id)?;
    /// let again = inventory.reserve_with(&request)?;
    /// assert_eq!(again.id(), id); // the first answer, and no new reservation
    /// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Released)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// A text kept with the reservation.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// # let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
    /// let guard = inventory.reserve_with(&request.with_metadata("gift wrap"))?;
    /// assert_eq!(inventory.get(guard.id()).and_then(|found| found.metadata).as_deref(), Some("gift wrap"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_metadata(mut self, metadata: &str) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// What to do when fewer units are there.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let cap = inventory.declare(LineSpec::new("CAP"))?; // none was received
    /// let cart = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_item(cap, Quantity::ONE);
    /// let guard = inventory.reserve_with(&cart.with_shortage(Shortage::TakeRest))?;
    /// assert_eq!(guard.units(), 1); // the cap is left out
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_shortage(mut self, shortage: Shortage) -> Self {
        self.shortage = shortage;
        self
    }
}

/// Why a line's books change: the system that says so, its reference, and a key to make it repeatable.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let cause = Cause::none()
///     .with_source("warehouse-7")
///     .with_external_ref("delivery 4711")
///     .with_key(inventory.key("delivery-4711"));
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// inventory.receive(tee, Quantity::new(40)?, &cause)?;
/// inventory.receive(tee, Quantity::new(40)?, &cause)?; // the same answer, counted once
/// assert_eq!(inventory.available(tee)?, 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    pub(crate) source: Option<Arc<str>>,
    pub(crate) external_ref: Option<Arc<str>>,
    pub(crate) key: Option<Key>,
}

/// A count of a shelf: the new figure, and the one it was made against.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
/// let expected = inventory.levels(tee)?.on_hand; // what the counter's list said
/// assert_eq!(inventory.adjust_set(tee, Count { expected, counted: 38 }, &Cause::none())?.on_hand, 38);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[allow(clippy::exhaustive_structs, reason = "made by callers; a count is these two numbers")]
pub struct Count {
    /// Units on hand that the books showed when the count was made.
    pub expected: u32,
    /// Units found.
    pub counted: u32,
}

impl Cause {
    /// No cause given.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// assert_eq!(inventory.last_change(tee)?.map(|last| (last.source, last.external_ref)), Some((None, None)));
    /// assert_eq!(Cause::none(), Cause::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self { source: None, external_ref: None, key: None }
    }

    /// The system that says so: 1 to 128 bytes.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// inventory.adjust(tee, -1, &Cause::none().with_source("stock-take"))?;
    /// assert_eq!(inventory.last_change(tee)?.and_then(|last| last.source).as_deref(), Some("stock-take"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: &str) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The caller's own reference: 1 to 256 bytes.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// inventory.adjust(tee, -1, &Cause::none().with_external_ref("sheet 9"))?;
    /// assert_eq!(inventory.last_change(tee)?.and_then(|last| last.external_ref).as_deref(), Some("sheet 9"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_external_ref(mut self, reference: &str) -> Self {
        self.external_ref = Some(reference.into());
        self
    }

    /// Makes the command safe to repeat (P7): the same command with the same source and reference gets the
    /// same answer, any other is refused under this key.
    ///
    /// ```
    /// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let cause = Cause::none().with_key(inventory.key("sheet 9"));
    /// assert_eq!(inventory.adjust(tee, -1, &cause)?, inventory.adjust(tee, -1, &cause)?); // counted once
    /// assert_eq!(inventory.adjust(tee, -2, &cause), Err(StockError::Key(KeyError::Reused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// What makes it another command (P7).
    pub(super) fn told(&self) -> (&Option<Arc<str>>, &Option<Arc<str>>) {
        (&self.source, &self.external_ref)
    }
}

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
    /// [`Shortage::TakeRest`].
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
