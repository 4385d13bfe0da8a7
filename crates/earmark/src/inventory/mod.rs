//! The public face: the only module that knows stock, reservations and the wheel together.
//!
//! Split by role: [`reserve`] and [`cart`] take, [`ends`], [`parts`] and [`payment`] end and move, [`late`] rescues
//! what expired, [`replace`] swaps, [`stock`] keeps the [`books`], [`levels`] and [`view`] look, [`sweep`] expires,
//! [`hot`] spreads what many want at once, [`plain`] is the short way through the common case.
//! [`owners`], [`keys`] and [`extras`] remember; [`facts`] is where every change passes; [`driver`] moves the time, [`close`] ends it all.

mod answer;
mod audit;
#[cfg(feature = "serde")]
mod bits;
mod books;
mod builder;
mod cart;
mod cause;
mod close;
mod driver;
mod ends;
mod extras;
mod facts;
mod guard;
mod hot;
mod index;
mod keys;
mod late;
mod levels;
mod owners;
mod parts;
mod payment;
mod plain;
mod remembered;
mod replace;
mod request;
mod reserve;
mod retry;
mod settings;
mod shards;
mod stock;
mod sweep;
#[cfg(feature = "tokio")]
mod task;
mod time;
mod view;

#[cfg(all(test, not(earmark_loom)))]
mod bounds;
#[cfg(all(test, not(earmark_loom)))]
mod caps;
#[cfg(all(test, not(earmark_loom)))]
mod hot_tests;
#[cfg(all(test, not(earmark_loom)))]
mod leaps;
#[cfg(all(test, earmark_loom))]
mod loom_tests;
#[cfg(all(test, not(earmark_loom)))]
mod model;
#[cfg(all(test, earmark_seeded, not(earmark_loom)))]
mod progress;

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering::Relaxed;

use dashmap::DashMap;
use foldhash::quality::RandomState;
use siphasher::sip128::{Hasher128, SipHasher24};

pub use answer::{Levels, Reservation, Reserved, State};
pub use audit::{Difference, Usage, Verification};
pub use builder::InventoryBuilder;
pub use cause::{Cause, Count};
pub use close::{CloseMode, CloseReport};
pub use driver::{Driver, DriverReport, LoopDriver};
pub use facts::Counts;
pub use guard::{Guard, OwnedGuard};
pub use late::Late;
pub use levels::Snapshot;
pub use payment::Resolution;
pub use request::{Channel, Item, Key, Owner, ReserveRequest, Shortage};

pub use sweep::Advanced;
#[cfg(feature = "tokio")]
pub use task::TokioDriver;
pub use view::{ChannelCounts, Filter};

use crate::clock::Clock;
use crate::error::{ChannelError, DeclareError, FullError, RequestError, Table as FullTable};
use crate::lane::{Lane, Lanes};
use crate::reservation::id::ReservationId;
use crate::reservation::slab::{Sizes, Slab};
use crate::reservation::slot::Slot;
use crate::reservation::state::{No, Snapshot as SlotSnapshot};
use crate::seeded::{Break, on};
use crate::sku::{LineName, LineSpec, NAME_BYTES_MAX, StockId, check_name};
use crate::stock::counter::Counter;
use crate::stock::table::{Table, Undeclared};
use crate::sync::{AtomicBool, Mutex, Pause};
use crate::wheel::Wheel;
use extras::{Extra, Extras};
use facts::{Fact, Facts};
use keys::Keys;
use owners::Owners;
use remembered::Basis;
use settings::Settings;
use sweep::Parked;
use time::Time;

/// Channel labels that an inventory can be built for: what fits 16 bits, less the one that means none.
const CHANNELS_MAX: usize = u16::MAX as usize - 1;
/// The channel of a reservation that named none.
const NO_CHANNEL: u16 = 0;

/// Stock lines and the reservations on them. Usable by reference from any number of threads.
///
/// **Lock-free, and without allocation once grown**: [`reserve`](Self::reserve) by [`StockId`] or
/// [by name](Self::reserve_named) without owner, key or metadata, [`lookup`](Self::lookup),
/// [`confirm`](Self::confirm), [`release`](Self::release), [`extend`](Self::extend),
/// [`begin_payment`](Self::begin_payment), [`available`](Self::available).
/// With a key or an owner a call takes one shard of a table, for a look or a change, and so does one on a
/// reservation that has an owner, a key, metadata or more than one item. Commands on stock lock that line's books,
/// for which no reservation waits.
///
/// **Visibility**: what a thread wrote before a call that succeeded is visible to whoever learns of the
/// outcome through another call on the same reservation or line.
///
/// **Time**: nothing expires by itself. A reserve that would refuse sweeps a little; give the rest to a
/// [`Driver`], or call [`advance`](Self::advance).
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// // By reference from any thread; of two who race for the last unit one gets it.
/// let buy = || inventory.reserve(tee, Quantity::ONE, Ttl::MAX).is_ok_and(|guard| guard.confirm().is_ok());
/// let bought = std::thread::scope(|scope| {
///     let buyers = [scope.spawn(&buy), scope.spawn(&buy)];
///     buyers.map(|buyer| buyer.join().expect("no panic"))
/// });
/// assert_eq!(bought.iter().filter(|bought| **bought).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Inventory {
    settings: Settings,
    time: Time,
    lines: Table,
    hot: hot::HotLines,
    slab: Slab,
    wheel: Wheel,
    extras: Extras,
    owners: Owners,
    keys: Keys,
    parked: Parked,
    retries: retry::Retries,
    channels: boxcar::Vec<view::ChannelTally>,
    channel_ids: DashMap<Box<str>, u16, RandomState>,
    making_channel: Mutex<()>,
    facts: Facts,
    hash_key: [u8; 16],
    incarnation: u32,
    closed: AtomicBool,
}

/// Why a call on a reservation came to nothing; each operation says it in its own enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    NotFound,
    Ended(crate::reservation::phase::End),
    Contended,
    Phase(crate::reservation::phase::Phase),
}

/// A line about it, not what it holds: guards and errors are printed with it at hand.
impl std::fmt::Debug for Inventory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (lines, slots) = (self.lines.len(), self.slab.high_water());
        let mut shown = f.debug_struct("Inventory");
        shown.field("lines", &lines).field("slots", &slots).field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self::new()
    }
}

impl Inventory {
    /// An empty inventory with the default settings and the system's clock.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// assert_eq!((inventory.lines(), inventory.levels_all().lines), (0, vec![]));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        InventoryBuilder::default().build().unwrap_or_else(|error| unreachable!("defaults are in bounds: {error}"))
    }

    /// Settings of one's own.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().payment_ttl(Ttl::secs(30)?).clock(ManualClock::default()).build()?;
    /// assert_eq!(inventory.now(), Timestamp::default()); // the clock that was given
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> InventoryBuilder {
        InventoryBuilder::default()
    }

    fn with_settings(settings: Settings, clock: Box<dyn Clock>) -> Self {
        let time = Time::new(clock, settings.time_slack.as_millis() as u64);
        let lanes = Lanes::for_cores(settings.lanes);
        let sizes = Sizes {
            live: settings.reservations_max,
            expired: settings.expired_capacity,
            ended: settings.ended_capacity,
            lanes,
            retention_ms: settings.ended_retention.as_millis() as u64,
        };
        let random = std::collections::hash_map::RandomState::new();
        let seed = |n: u64| random.hash_one(n).to_le_bytes();
        let mut hash_key = [0; 16];
        hash_key[..8].copy_from_slice(&seed(1));
        hash_key[8..].copy_from_slice(&seed(2));
        let (incarnation, window_ms) = (random.hash_one(3u64) as u32, settings.key_window.as_millis() as u64);
        let basis = Basis { since: time.tick(), window_ms, incarnation };
        let channels = boxcar::Vec::new();
        channels.push(view::ChannelTally::new("".into())); // NO_CHANNEL
        Self {
            wheel: Wheel::new(sizes.slots(), time.tick()),
            lines: Table::new(settings.lines_max),
            hot: hot::HotLines::new(lanes.stripes(), settings.hot_lines_max),
            slab: Slab::new(sizes),
            extras: Extras::new(sizes.slots(), lanes.len()),
            owners: Owners::new(settings.owners_max),
            keys: Keys::new(settings.keys_max, basis),
            parked: Parked::new(),
            retries: retry::Retries::default(),
            channels,
            channel_ids: DashMap::with_hasher(RandomState::default()),
            making_channel: Mutex::new(()),
            facts: Facts::new(lanes),
            incarnation,
            closed: AtomicBool::new(false),
            hash_key,
            time,
            settings,
        }
    }

    /// Declares a stock line, or finds it declared in the same words. Takes a lock; not for the hot path.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// let berlin = inventory.declare(LineSpec::new("TEE").with_location("berlin").with_category("apparel"))?;
    /// assert_eq!(inventory.lookup_at("TEE", "berlin"), Some(berlin));
    /// assert_eq!(inventory.lookup("TEE"), None); // another line, never declared
    /// # Ok::<(), DeclareError>(())
    /// ```
    ///
    /// # Errors
    /// [`DeclareError`]: a bad label, another category under the same name, or the table is full.
    pub fn declare(&self, spec: LineSpec) -> Result<StockId, DeclareError> {
        let declared = spec.check().map_err(DeclareError::from).and_then(|()| {
            self.lines.declare(spec, |line| self.record(NO_CHANNEL, Fact::Declared { line })).map_err(|why| match why {
                Undeclared::Full => FullError { table: FullTable::Lines, max: self.settings.lines_max }.into(),
                Undeclared::Differs(line) => DeclareError::Differs { line },
            })
        });
        declared.inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// The line of a SKU without a location. Lock-free; an unknown name leaves no trace.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// assert_eq!(inventory.lookup("TEE"), Some(tee));
    /// assert_eq!(inventory.lookup("tee"), None); // case matters
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lookup(&self, sku: &str) -> Option<StockId> {
        self.lines.lookup(sku, None)
    }

    /// The line of a SKU at a location.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let berlin = inventory.declare(LineSpec::new("TEE").with_location("berlin"))?;
    /// assert_eq!(inventory.lookup_at("TEE", "berlin"), Some(berlin));
    /// assert_eq!(inventory.lookup_at("TEE", "paris"), None);
    /// # Ok::<(), DeclareError>(())
    /// ```
    #[must_use]
    pub fn lookup_at(&self, sku: &str, location: &str) -> Option<StockId> {
        self.lines.lookup(sku, Some(location))
    }

    /// The name of a line.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// assert_eq!(inventory.name(tee).map(|name| name.sku).as_deref(), Some("TEE"));
    /// assert_eq!(Inventory::new().name(tee), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(&self, line: StockId) -> Option<LineName> {
        self.lines.line(line).map(|line| line.name.clone())
    }

    /// How many lines are declared.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.declare(LineSpec::new("TEE"))?; // found, not declared again
    /// assert_eq!(inventory.lines(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The names of all lines, in order of declaration. Holds no lock between two of them.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// for city in ["berlin", "paris"] {
    ///     inventory.declare(LineSpec::new("TEE").with_location(city).with_category("apparel"))?;
    /// }
    /// let apparel = inventory.names().filter(|name| name.category.as_deref() == Some("apparel"));
    /// assert_eq!(apparel.filter_map(|name| name.location).collect::<Vec<_>>(), ["berlin".into(), "paris".into()]);
    /// # Ok::<(), DeclareError>(())
    /// ```
    pub fn names(&self) -> impl Iterator<Item = LineName> {
        self.lines.iter().map(|(_, line)| line.name.clone())
    }

    /// The owner of this name: a keyed hash, the same for the whole life of this inventory and for no
    /// other. To compare owners across processes make them with [`Owner::from_bits`].
    ///
    /// ```
    /// # use earmark::*;
    /// let [inventory, other] = [Inventory::new(), Inventory::new()];
    /// assert_eq!(inventory.owner("ada"), inventory.owner("ada"));
    /// assert_ne!(inventory.owner("ada"), other.owner("ada"));
    /// ```
    #[must_use]
    pub fn owner(&self, name: &str) -> Owner {
        Owner::from_bits(self.hash(&("owner", name)))
    }

    /// The idempotency key of this text: a keyed hash, as with [`owner`](Self::owner).
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let key = inventory.key("order 17");
    /// inventory.confirm_with(id, key)?;
    /// assert_eq!(inventory.confirm_with(id, inventory.key("order 17")), Ok(())); // the same text, the same key
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn key(&self, text: &str) -> Key {
        Key::from_bits(self.hash(&("key", text)))
    }

    /// The channel of this label, interned at its first use.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let mobile = inventory.channel("mobile")?;
    /// assert_eq!(inventory.channel("mobile")?, mobile);
    /// assert_eq!(inventory.usage().channels, 1);
    /// # Ok::<(), ChannelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ChannelError`]: the label is empty or longer than 128 bytes, or there are `channels_max` already.
    pub fn channel(&self, label: &str) -> Result<Channel, ChannelError> {
        self.find_or_make_channel(label).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    fn find_or_make_channel(&self, label: &str) -> Result<Channel, ChannelError> {
        check_name("channel", label, NAME_BYTES_MAX)?;
        if let Some(id) = self.channel_ids.get(label) {
            return Ok(Channel(*id));
        }
        let _one_at_a_time = self.making_channel.lock();
        if let Some(id) = self.channel_ids.get(label) {
            return Ok(Channel(*id));
        }
        let (index, max) = (self.channels.count(), self.settings.channels_max); // the first stands for none
        let id = u16::try_from(index).ok().filter(|_| index <= max);
        let id = id.ok_or(FullError { table: FullTable::Channels, max })?;
        self.channels.push(view::ChannelTally::new(label.into()));
        self.channel_ids.insert(label.into(), id);
        Ok(Channel(id))
    }

    fn hash(&self, what: &impl Hash) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.hash_key);
        what.hash(&mut hasher);
        hasher.finish128().as_u128()
    }

    /// The calling thread's lane.
    #[inline]
    fn lane(&self) -> Lane {
        self.slab.lanes().mine()
    }

    /// The engine's time by its coarse tick, without reading the clock.
    #[inline]
    fn tick(&self) -> u64 {
        self.time.tick()
    }

    /// Reads the clock; follows it through a leap as far as bounded work can (T3).
    fn read_clock(&self) -> u64 {
        let now = self.time.now();
        if !self.time.is_behind() {
            return now;
        }
        let _ = self.catch_up();
        self.tick()
    }

    /// The time at which a call begins to change something, read by `read`; `None` while the engine cannot
    /// follow a leap (T3): deadlines and windows must not be counted from a time that lags behind.
    #[inline]
    fn time_to_begin(&self, read: impl FnOnce(&Time) -> u64) -> Option<u64> {
        let now = read(&self.time);
        if !self.time.is_behind() {
            return Some(now);
        }
        self.catch_up().then(|| self.tick())
    }

    #[inline]
    fn is_closed(&self) -> bool {
        // ORDERING: Relaxed. After a line's word was changed, the word has acquired what I3 needs.
        self.closed.load(Relaxed)
    }

    /// The hot word of a line, also if it was never declared: then nothing can be taken from it.
    #[inline]
    fn counter(&self, line: StockId) -> Option<&Counter> {
        self.lines.counter(line)
    }

    #[inline]
    fn id(&self, slot: u32, generation: u32) -> ReservationId {
        ReservationId::new(self.incarnation, slot, generation)
    }

    /// The slot of an id of this inventory.
    #[inline]
    fn slot(&self, id: ReservationId) -> Result<&Slot, Lost> {
        if id.incarnation() != self.incarnation {
            return Err(Lost::NotFound);
        }
        self.slab.get(id.slot()).ok_or(Lost::NotFound)
    }

    /// Applies a rule to a slot, with a time that is good enough for the deadline found there. Waits a
    /// bounded time for a call that is changing it. Returns what stood there before, and the time used.
    fn decide(
        &self,
        slot: &Slot,
        rule: impl Fn(SlotSnapshot, u64) -> Result<SlotSnapshot, No>,
    ) -> Result<(SlotSnapshot, u64), Lost> {
        let mut pause = Pause::new();
        loop {
            let (now, generation) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
            let decided = slot.update(|seen| {
                now.set(self.time.judging(seen));
                if self.time.is_behind() {
                    return Err(No::Busy); // T3: no deadline can be judged yet
                }
                generation.set(seen.generation());
                rule(seen, now.get())
            });
            return match decided {
                Ok(before) => Ok((before, now.get())),
                Err(No::Gone) => Err(Lost::NotFound),
                Err(No::Ended(end)) => Err(Lost::Ended(end)),
                Err(No::Due) if on(Break::DueUnwritten) => Err(Lost::Ended(crate::reservation::phase::End::Expired)),
                Err(No::Due) => {
                    let policy = self.settings.pending_policy;
                    match slot.update(|seen| seen.overdue(generation.get(), now.get(), policy)) {
                        Ok(_) | Err(No::Due) => Err(Lost::Ended(crate::reservation::phase::End::Expired)),
                        Err(_) => continue, // somebody was faster, or the slot was used again: judge anew
                    }
                }
                Err(No::Phase(phase)) => Err(Lost::Phase(phase)),
                Err(No::NotDue) => Err(Lost::Contended),
                Err(No::Busy) if self.time.is_behind() && !self.catch_up() => Err(Lost::Contended),
                Err(No::Busy) if pause.wait() => continue,
                Err(No::Busy) => Err(Lost::Contended),
            };
        }
    }
}

/// Equal lines added up, in order of line number.
fn sum_items(items: &[Item]) -> Result<Vec<Item>, RequestError> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable_by_key(|item| item.line);
    let mut summed: Vec<Item> = Vec::with_capacity(sorted.len());
    for item in sorted {
        match summed.last_mut() {
            Some(last) if last.line == item.line => {
                let sum = last.quantity.checked_add(item.quantity);
                last.quantity = sum.ok_or(RequestError::TooManyUnits { line: item.line })?;
            }
            _ => summed.push(item),
        }
    }
    Ok(summed)
}
