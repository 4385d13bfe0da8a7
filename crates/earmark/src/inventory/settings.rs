//! The knobs and their defaults; their bounds: `builder`.

use std::time::Duration;

use crate::clock::Ttl;
use crate::reservation::phase::PendingPolicy;
use crate::stock::stripes::HOT_LINES_MAX;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) time_slack: Duration,
    pub(crate) lines_max: usize,
    pub(crate) reservations_max: usize,
    pub(crate) lanes: usize,
    pub(crate) hot_lines_max: usize,
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

impl Settings {
    /// Whether an expired reservation can be taken up again by a late payment.
    pub(crate) fn remembers_expired(&self) -> bool {
        self.expired_capacity > 0 && !self.expired_retention.is_zero()
    }
}

impl Default for Settings {
    fn default() -> Self {
        let lanes = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(LANES_MAX));
        Self {
            time_slack: Duration::from_secs(1),
            lines_max: 1 << 20,
            reservations_max: 1 << 24,
            lanes,
            hot_lines_max: HOT_LINES_MAX,
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
pub(super) const LANES_MAX: usize = 64;
/// Most lines or reservations an inventory can be built for: 2^30.
pub(super) const TABLE_MAX: usize = 1 << 30;
