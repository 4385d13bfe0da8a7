//! What a caller asks for.

use std::sync::Arc;

use super::NO_CHANNEL;
use crate::clock::Ttl;
use crate::quantity::Quantity;
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
