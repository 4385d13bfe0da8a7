//! The knobs, their defaults and their bounds.

use std::fmt;
use std::time::Duration;

use super::{CHANNELS_MAX, Inventory};
use crate::clock::{Clock, SystemClock, Ttl};
use crate::error::SettingError;
use crate::reservation::state::PendingPolicy;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) time_slack: Duration,
    pub(crate) lines_max: usize,
    pub(crate) reservations_max: usize,
    pub(crate) lanes: usize,
    pub(crate) ended_retention: Duration,
    pub(crate) ended_capacity: usize,
    pub(crate) expired_retention: Duration,
    pub(crate) expired_capacity: usize,
    pub(crate) life_max: Ttl,
    pub(crate) payment_ttl: Ttl,
    pub(crate) pending_ttl: Ttl,
    pub(crate) pending_policy: PendingPolicy,
    pub(crate) items_max: usize,
    pub(crate) metadata_bytes_max: usize,
    pub(crate) owners_max: usize,
    pub(crate) owner_reservations_max: u64,
    pub(crate) owner_units_max: u64,
    pub(crate) owner_units_per_line_max: u64,
    pub(crate) keys_max: usize,
    pub(crate) channels_max: usize,
    pub(crate) key_window: Duration,
    pub(crate) sweep_budget: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let lanes = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(LANES_MAX));
        Self {
            time_slack: Duration::from_secs(1),
            lines_max: 1 << 20,
            reservations_max: 1 << 24,
            lanes,
            ended_retention: Duration::from_secs(1),
            ended_capacity: 16_384,
            expired_retention: Duration::from_secs(15 * 60),
            expired_capacity: 65_536,
            life_max: Ttl::MAX,
            payment_ttl: Ttl::constant(60_000),
            pending_ttl: Ttl::constant(24 * 60 * 60 * 1_000),
            pending_policy: PendingPolicy::Release,
            items_max: 4_096,
            metadata_bytes_max: 4_096,
            owners_max: 1 << 20,
            owner_reservations_max: u64::MAX,
            owner_units_max: u64::MAX,
            owner_units_per_line_max: u64::MAX,
            keys_max: 1 << 20,
            channels_max: 1_024,
            key_window: Duration::from_secs(15 * 60),
            sweep_budget: 8_192,
        }
    }
}

/// Lanes are bounded by this however many cores there are.
const LANES_MAX: usize = 64;
/// Most lines or reservations an inventory can be built for: 2^30.
const TABLE_MAX: usize = 1 << 30;

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
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// How far the shared tick may stand before a deadline and still be believed: 0 to 1 h, default 1 s;
    /// zero reads the clock every time. Only counts while a driver runs.
    pub fn time_slack(mut self, slack: Duration) -> Self {
        self.settings.time_slack = slack;
        self
    }

    /// Stock lines: 1 to 2^30, default 2^20. A line costs about 250 bytes once declared.
    pub fn lines_max(mut self, lines: usize) -> Self {
        self.settings.lines_max = lines;
        self
    }

    /// Live reservations: 1 to 2^30, default 2^24. Up to this many always find room. The refusal comes
    /// within 32 more for each lane; where more than half a million slots are in use, with ended and expired
    /// ones, within a third more. Each costs 24 bytes once used.
    pub fn reservations_max(mut self, reservations: usize) -> Self {
        self.settings.reservations_max = reservations;
        self
    }

    /// Lanes of the slab: 1 to 64, default the number of cores.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.settings.lanes = lanes;
        self
    }

    /// How long the end of a reservation is remembered (P2): 0 to 400 days, default 1 s; of as many as
    /// [`ended_capacity`](Self::ended_capacity) says, so raise both together.
    pub fn ended_retention(mut self, retention: Duration) -> Self {
        self.settings.ended_retention = retention;
        self
    }

    /// How many ended reservations are remembered for that long: 0 to 2^30, default 16,384. When more
    /// than these wait to be forgotten, some are forgotten early: of eight pages of 32 the one on which
    /// something ended longest ago.
    pub fn ended_capacity(mut self, ended: usize) -> Self {
        self.settings.ended_capacity = ended;
        self
    }

    /// How long what an expired reservation held is remembered, for `confirm_or_reacquire`: 0 to 400 days,
    /// default 15 min.
    pub fn expired_retention(mut self, retention: Duration) -> Self {
        self.settings.expired_retention = retention;
        self
    }

    /// How many expired reservations are remembered so: 0 to 2^30, default 65,536; the oldest go first.
    /// Zero: none.
    pub fn expired_capacity(mut self, expired: usize) -> Self {
        self.settings.expired_capacity = expired;
        self
    }

    /// The longest a reservation may live from its beginning, extensions included. Default 400 days.
    /// A pending payment may take longer.
    pub fn life_max(mut self, life: Ttl) -> Self {
        self.settings.life_max = life;
        self
    }

    /// The deadline of a running payment, from `begin_payment` on. Default 1 min.
    pub fn payment_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.payment_ttl = ttl;
        self
    }

    /// The deadline of a payment whose outcome is unknown. Default 24 h.
    pub fn pending_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.pending_ttl = ttl;
        self
    }

    /// What happens when that deadline comes. Default: release.
    pub fn pending_policy(mut self, policy: PendingPolicy) -> Self {
        self.settings.pending_policy = policy;
        self
    }

    /// Items of one request: 1 to 65,536, default 4,096.
    pub fn items_max(mut self, items: usize) -> Self {
        self.settings.items_max = items;
        self
    }

    /// Bytes of a reservation's metadata: default 4,096.
    pub fn metadata_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.metadata_bytes_max = bytes;
        self
    }

    /// Owners with live reservations: 1 to 2^30, default 2^20. A new one that finds no room sweeps once
    /// before it is refused.
    pub fn owners_max(mut self, owners: usize) -> Self {
        self.settings.owners_max = owners;
        self
    }

    /// Live reservations of one owner. Default: no cap of its own. A reserve far from all caps of its owner
    /// costs the same however many there are; one near a cap looks at each of them.
    pub fn owner_reservations_max(mut self, reservations: u64) -> Self {
        self.settings.owner_reservations_max = reservations;
        self
    }

    /// Units in live reservations of one owner, over all lines. Default: no cap of its own.
    pub fn owner_units_max(mut self, units: u64) -> Self {
        self.settings.owner_units_max = units;
        self
    }

    /// Units of one line in live reservations of one owner. Default: no cap of its own. A reserve looks at
    /// each of the owner's reservations once they hold about this many units over all lines.
    pub fn owner_units_per_line_max(mut self, units: u64) -> Self {
        self.settings.owner_units_per_line_max = units;
        self
    }

    /// Idempotency keys remembered at a time: 1 to 2^30, default 2^20.
    pub fn keys_max(mut self, keys: usize) -> Self {
        self.settings.keys_max = keys;
        self
    }

    /// Channel labels: 1 to 65,534, default 1,024. A label stays for the life of the inventory: about 350 bytes.
    pub fn channels_max(mut self, channels: usize) -> Self {
        self.settings.channels_max = channels;
        self
    }

    /// How long a key's answer is remembered (P7): 1 ms to 400 days, default 15 min. Over a long time no more
    /// than `keys_max` new keys find room in each window: 1,165 a second by default.
    pub fn key_window(mut self, window: Duration) -> Self {
        self.settings.key_window = window;
        self
    }

    /// Slots that one `advance` looks at, at most: 1 or more, default 8,192, about half a millisecond.
    pub fn sweep_budget(mut self, slots: usize) -> Self {
        self.settings.sweep_budget = slots;
        self
    }

    /// Builds the inventory. Reads the clock once.
    ///
    /// # Errors
    /// [`SettingError`] names the setting that is out of bounds.
    pub fn build(self) -> Result<Inventory, SettingError> {
        let s = &self.settings;
        let days = Ttl::MAX.as_duration();
        check("lines_max", s.lines_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("reservations_max", s.reservations_max, 1, TABLE_MAX, "1 to 2^30")?;
        check("lanes", s.lanes, 1, LANES_MAX, "1 to 64")?;
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
