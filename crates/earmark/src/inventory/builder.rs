//! Building an inventory: every setting with its bounds.

use std::fmt;
use std::time::Duration;

use super::settings::{LANES_MAX, Settings, TABLE_MAX};
use super::{CHANNELS_MAX, Inventory};
use crate::clock::{Clock, SystemClock, Ttl};
use crate::error::SettingError;
use crate::reservation::phase::PendingPolicy;
use crate::stock::stripes::HOT_LINES_MAX;

/// Builds an [`Inventory`]; every knob has a default, and `build` names the one it refuses.
///
/// ```
/// use earmark::{Inventory, Ttl};
/// let inventory = Inventory::builder()
///     .lines_max(10_000)
///     .payment_ttl(Ttl::secs(30)?)
///     .owner_units_per_line_max(4)
///     .build()?;
/// assert!(Inventory::builder().lines_max(0).build().is_err());
/// # drop(inventory);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct InventoryBuilder {
    settings: Settings,
    clock: Box<dyn Clock>,
}

impl fmt::Debug for InventoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InventoryBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Default for InventoryBuilder {
    fn default() -> Self {
        Self { settings: Settings::default(), clock: Box::new(SystemClock::new()) }
    }
}

impl InventoryBuilder {
    /// Where the time comes from. Default: [`SystemClock`].
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(inventory.now(), Timestamp::from_millis(5_000));
    /// # Ok::<(), SettingError>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// How far the shared tick may stand before a deadline and still be believed: 0 to 1 h, default 1 s;
    /// zero reads the clock every time. Only counts while a driver runs.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # let clock = ManualClock::default();
    /// let exact = Inventory::builder().clock(clock.clone()).time_slack(Duration::ZERO);
    /// let inventory = Arc::new(exact.build()?);
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let _driver = Driver::spawn(Arc::clone(&inventory), Duration::from_secs(1))?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// clock.advance(Duration::from_secs(5 * 60)); // and the driver has not swept since
    /// assert!(matches!(inventory.confirm(id), Err(ConfirmError::Ended { end: End::Expired, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn time_slack(mut self, slack: Duration) -> Self {
        self.settings.time_slack = slack;
        self
    }

    /// Stock lines: 1 to 2^30, default 2^20. A line costs about 300 bytes once declared.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().lines_max(1).build()?;
    /// inventory.declare(LineSpec::new("TEE"))?;
    /// assert!(matches!(inventory.declare(LineSpec::new("CAP")), Err(DeclareError::Full(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lines_max(mut self, lines: usize) -> Self {
        self.settings.lines_max = lines;
        self
    }

    /// Live reservations: 1 to 2^30, default 2^24. Up to this many always find room. The refusal comes
    /// within 32 more for each thread at work (of many, for each of 3 × `lanes` + 2 lanes); where more than half a million slots are in use, with ended and expired
    /// ones, within a third more. Each costs 25 bytes once used, and 16 more if it has an owner, a key, metadata
    /// or more than one item.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().reservations_max(8).lanes(1).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(99)?, &Cause::none())?;
    /// let guards = std::iter::repeat_with(|| inventory.reserve(tee, Quantity::ONE, Ttl::MAX));
    /// let guards: Vec<_> = guards.map_while(Result::ok).collect();
    /// assert!((8..=8 + 32).contains(&guards.len()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reservations_max(mut self, reservations: usize) -> Self {
        self.settings.reservations_max = reservations;
        self
    }

    /// Cores to be at home on: 1 to 64, default the number of cores. Twice as many threads and two each have a lane
    /// of the slab and of the counts to themselves, those that came first; the others share as many lanes as this.
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Inventory::builder().lanes(65).build().unwrap_err().bounds, "1 to 64");
    /// ```
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.settings.lanes = lanes;
        self
    }

    /// Lines that are *hot* at a time: 0 to 64, default 64; zero: none. A line that several lanes want at once
    /// is spread over them, until it sells out, is looked into, or cools. The first one makes room for all:
    /// 128 bytes each, and as many for each lane.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().hot_lines_max(0).build()?;
    /// assert_eq!(inventory.usage().hot_lines, 0); // and so it stays
    /// assert_eq!(Inventory::builder().hot_lines_max(65).build().unwrap_err().bounds, "0 to 64");
    /// # Ok::<(), SettingError>(())
    /// ```
    pub fn hot_lines_max(mut self, lines: usize) -> Self {
        self.settings.hot_lines_max = lines;
        self
    }

    /// How long the end of a reservation is remembered (P2): 0 to 400 days, default 1 s; of as many as
    /// [`ended_capacity`](Self::ended_capacity) says, so raise both together.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().ended_retention(Duration::from_secs(60)).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(99)?, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::MAX)?.detach();
    /// inventory.release(id)?;
    /// clock.advance(Duration::from_secs(59)); // and many other reservations came and went
    /// # for _ in 0..1_000 { drop(inventory.reserve(tee, Quantity::ONE, Ttl::MAX)?) }
    /// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Released)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ended_retention(mut self, retention: Duration) -> Self {
        self.settings.ended_retention = retention;
        self
    }

    /// How many ended reservations are remembered for that long: 0 to 2^30, default 16,384, and up to a quarter
    /// more. When more than these wait to be forgotten, some are forgotten early: of eight pages of 32 that
    /// the calling thread used the one on which something ended longest ago, unless ends older by an eighth of
    /// [`ended_retention`](Self::ended_retention) are remembered from other threads.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().ended_capacity(0).lanes(1).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(99)?, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::MAX)?.detach();
    /// inventory.release(id)?; // then others come and go, all within `ended_retention`
    /// # for _ in 0..100 {
    /// #     clock.advance(std::time::Duration::from_millis(1));
    /// #     drop(inventory.reserve(tee, Quantity::ONE, Ttl::MAX)?);
    /// # }
    /// assert_eq!(inventory.confirm(id), Err(ConfirmError::NotFound { id }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ended_capacity(mut self, ended: usize) -> Self {
        self.settings.ended_capacity = ended;
        self
    }

    /// How long what an expired reservation held is remembered, for `confirm_or_reacquire`: 0 to 400 days,
    /// default 15 min.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().expired_retention(Duration::from_secs(60)).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::secs(1)?)?.detach();
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(inventory.sweep().expired, 1);
    /// clock.advance(Duration::from_secs(60));
    /// let _ = inventory.sweep();
    /// assert!(matches!(inventory.confirm_or_reacquire(id), Err(ReacquireError::NotFound { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expired_retention(mut self, retention: Duration) -> Self {
        self.settings.expired_retention = retention;
        self
    }

    /// How many expired reservations are remembered so: 0 to 2^30, default 65,536; the oldest go first.
    /// Zero: none.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().expired_capacity(0).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::secs(1)?)?;
    /// clock.set(guard.deadline());
    /// assert_eq!((inventory.sweep().expired, inventory.usage().expired_remembered), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expired_capacity(mut self, expired: usize) -> Self {
        self.settings.expired_capacity = expired;
        self
    }

    /// The longest a reservation may live from its beginning, extensions included. Default 400 days.
    /// A pending payment may take longer.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().life_max(Ttl::minutes(30)?).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let refused = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(31)?);
    /// assert!(matches!(refused, Err(ReserveError::Request(RequestError::TtlTooLong { .. }))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn life_max(mut self, life: Ttl) -> Self {
        self.settings.life_max = life;
        self
    }

    /// The deadline of a running payment, from `begin_payment` on. Default 1 min.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().payment_ttl(Ttl::secs(30)?).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?;
    /// assert_eq!(inventory.begin_payment(guard.id())?, clock.now().after(Ttl::secs(30)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn payment_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.payment_ttl = ttl;
        self
    }

    /// The deadline of a payment whose outcome is unknown. Default 24 h.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().pending_ttl(Ttl::minutes(90)?).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?;
    /// assert_eq!(inventory.payment_pending(guard.id())?, clock.now().after(Ttl::minutes(90)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pending_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.pending_ttl = ttl;
        self
    }

    /// What happens when that deadline comes. Default: release.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().pending_policy(PendingPolicy::Review).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(15)?)?.detach();
    /// clock.set(inventory.payment_pending(id)?);
    /// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Live(Phase::InReview)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pending_policy(mut self, policy: PendingPolicy) -> Self {
        self.settings.pending_policy = policy;
        self
    }

    /// Items of one request: 1 to 65,536, default 4,096.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().items_max(1).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// let two = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_item(tee, Quantity::ONE);
    /// let refused = inventory.reserve_with(&two).map(|guard| guard.units());
    /// assert_eq!(refused, Err(RequestError::TooManyItems { items: 2, max: 1 }.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn items_max(mut self, items: usize) -> Self {
        self.settings.items_max = items;
        self
    }

    /// Bytes of a reservation's metadata: default 4,096.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().metadata_bytes_max(8).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_metadata("gift wrap");
    /// let refused = inventory.reserve_with(&request).map(|guard| guard.units());
    /// assert_eq!(refused, Err(RequestError::MetadataTooLong { bytes: 9, max: 8 }.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metadata_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.metadata_bytes_max = bytes;
        self
    }

    /// Owners with live reservations: 1 to 2^30, default 2^20. A new one that finds no room sweeps once
    /// before it is refused. Each costs about 41 bytes, whatever it holds.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().owners_max(1).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// let one = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
    /// let _ada = inventory.reserve_with(&one.clone().with_owner(inventory.owner("ada")))?;
    /// let bob = inventory.reserve_with(&one.with_owner(inventory.owner("bob")));
    /// assert!(matches!(bob, Err(ReserveError::Full(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owners_max(mut self, owners: usize) -> Self {
        self.settings.owners_max = owners;
        self
    }

    /// Live reservations of one owner. Default: no cap of its own. A reserve far from all caps of its owner
    /// costs the same however many there are; one near a cap looks at each of them.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().owner_reservations_max(1).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// # let ada = ReserveRequest::new(Ttl::minutes(5)?).with_owner(inventory.owner("ada"));
    /// let first = inventory.reserve_with(&ada.clone().with_item(tee, Quantity::new(5)?))?;
    /// assert!(inventory.reserve_with(&ada.clone().with_item(tee, Quantity::ONE)).is_err());
    /// drop(first);
    /// assert!(inventory.reserve_with(&ada.with_item(tee, Quantity::ONE)).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner_reservations_max(mut self, reservations: u64) -> Self {
        self.settings.owner_reservations_max = reservations;
        self
    }

    /// Units in live reservations of one owner, over all lines. Default: no cap of its own.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().owner_units_max(4).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// # let ada = ReserveRequest::new(Ttl::minutes(5)?).with_owner(inventory.owner("ada"));
    /// let five = inventory.reserve_with(&ada.with_item(tee, Quantity::new(5)?));
    /// assert!(matches!(five, Err(ReserveError::OwnerCap { cap: OwnerCap::Units, asked: 5, max: 4, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner_units_max(mut self, units: u64) -> Self {
        self.settings.owner_units_max = units;
        self
    }

    /// Units of one line in live reservations of one owner. Default: no cap of its own. A reserve looks at
    /// each of the owner's reservations once they hold about this many units over all lines.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().owner_units_per_line_max(2).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(9)?, &Cause::none())?;
    /// # let ada = ReserveRequest::new(Ttl::minutes(5)?).with_owner(inventory.owner("ada"));
    /// let _two = inventory.reserve_with(&ada.clone().with_item(tee, Quantity::new(2)?))?;
    /// let third = inventory.reserve_with(&ada.with_item(tee, Quantity::ONE));
    /// assert!(matches!(third, Err(ReserveError::OwnerCap { cap: OwnerCap::UnitsPerLine, held: 2, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner_units_per_line_max(mut self, units: u64) -> Self {
        self.settings.owner_units_per_line_max = units;
        self
    }

    /// Idempotency keys remembered at a time: 1 to 2^30, default 2^20. One that stands for a success costs about
    /// 49 bytes; for a refusal, more than 127 units, or a deadline more than 37 hours ahead, about 200.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().keys_max(1).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// let receive = |key| inventory.receive(tee, Quantity::ONE, &Cause::none().with_key(inventory.key(key)));
    /// assert!(receive("delivery 1").is_ok());
    /// assert!(matches!(receive("delivery 2"), Err(StockError::Full(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keys_max(mut self, keys: usize) -> Self {
        self.settings.keys_max = keys;
        self
    }

    /// Channel labels: 1 to 65,534, default 1,024. A label stays for the life of the inventory: about 350 bytes.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().channels_max(1).build()?;
    /// assert!(inventory.channel("mobile").is_ok());
    /// assert!(matches!(inventory.channel("kiosk"), Err(ChannelError::Full(_))));
    /// # Ok::<(), SettingError>(())
    /// ```
    pub fn channels_max(mut self, channels: usize) -> Self {
        self.settings.channels_max = channels;
        self
    }

    /// How long a key's answer is remembered (P7): 1 ms to 400 days, default 15 min. Over a long time no more
    /// than `keys_max` new keys find room in each window: 1,165 a second by default.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().key_window(Duration::from_secs(60)).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// let cause = Cause::none().with_key(inventory.key("delivery 4711"));
    /// inventory.receive(tee, Quantity::ONE, &cause)?;
    /// clock.advance(Duration::from_secs(60)); // forgotten: now the same is done again
    /// assert_eq!(inventory.receive(tee, Quantity::ONE, &cause)?.on_hand, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_window(mut self, window: Duration) -> Self {
        self.settings.key_window = window;
        self
    }

    /// Slots that one `advance` looks at: 1 or more, default 8,192, about half a millisecond. It looks at up to 64
    /// together and stops once it has reached this, so that a few more may be looked at; and at two more for each
    /// that it moved into the ring, to drop from there what has ended.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// let inventory = Inventory::builder().sweep_budget(1).clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(200)?, &Cause::none())?;
    /// # for _ in 0..200 { let _ = inventory.reserve(tee, Quantity::ONE, Ttl::MIN)?.detach(); }
    /// # clock.advance(std::time::Duration::from_millis(1));
    /// let first = inventory.sweep(); // of 200 that are due
    /// assert!(!first.complete && first.expired <= 64);
    /// while !inventory.sweep().complete {}
    /// assert_eq!(inventory.available(tee)?, 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sweep_budget(mut self, slots: usize) -> Self {
        self.settings.sweep_budget = slots;
        self
    }

    /// Builds the inventory. Reads the clock once.
    ///
    /// ```
    /// # use earmark::*;
    /// let error = Inventory::builder().items_max(0).build().unwrap_err();
    /// assert_eq!(error.to_string(), "setting items_max = 0 is out of bounds: choose 1 to 65,536");
    /// ```
    ///
    /// # Errors
    /// [`SettingError`] names the setting that is out of bounds.
    pub fn build(self) -> Result<Inventory, SettingError> {
        let s = &self.settings;
        let days = Ttl::MAX.as_duration();
        check("lines_max", s.lines_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("reservations_max", s.reservations_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("lanes", s.lanes, 1, LANES_MAX, "1 to 64")?;
        check("hot_lines_max", s.hot_lines_max, 0, HOT_LINES_MAX, "0 to 64")?;
        check("ended_capacity", s.ended_capacity, 0, TABLE_MAX, "0 to 2^30")?;
        check("expired_capacity", s.expired_capacity, 0, TABLE_MAX, "0 to 2^30")?;
        check("items_max", s.items_max, 1, 65_536, "1 to 65,536")?;
        check("owners_max", s.owners_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("keys_max", s.keys_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("channels_max", s.channels_max, 1, CHANNELS_MAX, "1 to 65,534")?;
        check("sweep_budget", s.sweep_budget, 1, usize::MAX, "at least 1")?;
        check_time("time_slack", s.time_slack, Duration::ZERO, Duration::from_secs(3_600), "0 to 1 h")?;
        check_time("ended_retention", s.ended_retention, Duration::ZERO, days, "0 to 400 days")?;
        check_time("expired_retention", s.expired_retention, Duration::ZERO, days, "0 to 400 days")?;
        check_time("key_window", s.key_window, Duration::from_millis(1), days, "1 ms to 400 days")?;
        Ok(Inventory::with_settings(self.settings, self.clock))
    }
}

fn check(
    setting: &'static str,
    value: usize,
    min: usize,
    max: usize,
    bounds: &'static str,
) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(SettingError { setting, value: value.to_string(), bounds })
}

fn check_time(
    setting: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
    bounds: &'static str,
) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(SettingError { setting, value: format!("{value:?}"), bounds })
}
