//! Records that are found by hash: a few dozen parts, each under a lock of its own that is held for a look or a
//! change and never while a call runs, a clock is read, or another lock is waited for, save that of a cart's items.
//!
//! The lock is the one of `sync`, so that models see it, and everything that it guards.

use std::hash::{BuildHasher, Hash};

use crossbeam::utils::CachePadded;
use foldhash::quality::RandomState;

use super::index::{NOWHERE, PLACE_BITS};
use crate::sync::{Mutex, MutexGuard};

/// Parts: a power of two. Enough that cores seldom meet, that growing one is short, and that places suffice.
const SHARDS: usize = if cfg!(earmark_loom) { 1 } else { 64 };
const _: () = assert!(SHARDS.is_power_of_two());
const _: () = assert!(SHARDS.ilog2() + PLACE_BITS <= At::BITS);
/// The largest table: a shard may then hold half as much again as the middle one does.
const _: () = assert!(cfg!(earmark_loom) || super::settings::TABLE_MAX / SHARDS * 3 / 2 < NOWHERE as usize);

#[derive(Debug)]
pub(super) struct Shards<T> {
    shards: Box<[CachePadded<Mutex<T>>]>,
    hasher: RandomState,
}

/// Where a record is: its shard, and its place there. Fits `BITS` bits and is never zero there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(u32);

impl At {
    pub(super) const BITS: u32 = 31;

    pub(super) const fn new(shard: usize, place: u32) -> Self {
        Self((shard as u32) << PLACE_BITS | place)
    }

    pub(super) const fn shard(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    pub(super) const fn place(self) -> u32 {
        self.0 & NOWHERE
    }

    /// As a number that is not zero.
    pub(super) const fn to_bits(self) -> u64 {
        self.0 as u64 + 1
    }

    /// Zero is no place.
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        bits.checked_sub(1).map(|bits| Self(bits as u32))
    }
}

impl<T: Default> Shards<T> {
    pub(super) fn new() -> Self {
        let shard = || CachePadded::new(Mutex::new(T::default()));
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), hasher: RandomState::default() }
    }

    pub(super) fn hash(&self, what: &impl Hash) -> u64 {
        self.hasher.hash_one(what)
    }

    /// The number of the shard for a hash.
    pub(super) const fn of(hash: u64) -> usize {
        hash as usize & (SHARDS - 1)
    }

    pub(super) const fn count() -> usize {
        SHARDS
    }

    pub(super) fn lock(&self, shard: usize) -> MutexGuard<'_, T> {
        self.shards[shard].lock()
    }

    /// The shard, if nobody is in it this instant.
    pub(super) fn try_lock(&self, shard: usize) -> Option<MutexGuard<'_, T>> {
        self.shards[shard].try_lock()
    }
}
