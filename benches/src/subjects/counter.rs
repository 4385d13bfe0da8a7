//! What the rivals on concurrent maps share: a line's counter, the tick, numbers for reservations.

use std::cell::Cell;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// Numbers a thread takes at a time: one shared word is touched once in so many reservations.
const BLOCK: u64 = 1_024;

/// Units of a line that can be reserved. Those reserved are the maps' length, so a confirm leaves it alone.
#[derive(Debug)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn new(units: u32) -> Self {
        Self(AtomicU64::new(units.into()))
    }

    /// One unit less. Load first: a refusal writes nothing.
    #[inline]
    pub(super) fn take(&self) -> bool {
        // ORDERING: AcqRel, so that what a giver wrote before is seen by who takes its unit.
        self.0.fetch_update(AcqRel, Acquire, |units| units.checked_sub(1)).is_ok()
    }

    #[inline]
    pub(super) fn give(&self) {
        // ORDERING: Release pairs with the take.
        self.0.fetch_add(1, Release);
    }

    #[inline]
    pub(super) fn units(&self) -> u64 {
        self.0.load(Acquire)
    }
}

/// The shared coarse time, in milliseconds, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tick(AtomicU64);

impl Tick {
    // ORDERING: Relaxed: time orders nothing but itself.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Relaxed);
    }
}

/// A number that no other reservation of this process has.
#[inline]
pub(super) fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static MINE: Cell<u64> = const { Cell::new(0) };
    }
    MINE.with(|mine| {
        let mut id = mine.get();
        if id.is_multiple_of(BLOCK) {
            // ORDERING: Relaxed: only that blocks differ matters.
            id = NEXT.fetch_add(1, Relaxed) * BLOCK + 1;
        }
        mine.set(id + 1);
        id
    })
}
