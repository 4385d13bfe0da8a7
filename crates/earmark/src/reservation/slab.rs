//! Where reservations live: slots that never move, given out by pages.
//!
//! ```text
//! lane:  page 7, free 0b0110...   takes a bit at a time; one compare-exchange a reservation
//! page:  free 0b1000...           slots given back since the page was last taken
//! reusable: {3, 9, ...}           pages with at least PAGE_REUSE_MIN given back
//! ```
//!
//! A page is handed out again only when a good part of it is free, so that a lane walks through memory
//! in order: with single slots reused in the order they came free, a reservation cost 210 ns instead of
//! 70. Up to `PAGE_REUSE_MIN − 1` free slots of a page wait for company; the slab is that much larger.
//!
//! **R4** A slot is given to one claimer until it is given back: each bit is taken by one successful
//! compare-exchange or swap.
//! **R5** A page whose slots ended within the retention is not handed out while fewer than
//! `retained_pages` pages wait: so long is an end remembered (P2).

use crossbeam::utils::CachePadded;

use super::state::{GENERATION_MAX, Slot};
use crate::marks::Marks;
use crate::paged::Paged;
use crate::seeded::{Break, on};
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
// Counts and hints that order nothing: loom need not explore them.
use std::sync::atomic::AtomicU64 as Hint;

/// Slots of a page.
pub(crate) const PAGE_LEN: usize = if cfg!(earmark_loom) { 2 } else { 32 };
/// Slots of a page that must be free before it is handed out again.
const PAGE_REUSE_MIN: u32 = if cfg!(earmark_loom) { 1 } else { 8 };
const MASK_BITS: u32 = 32;
const MASK_FULL: u64 = (1 << PAGE_LEN) - 1;
const _: () = assert!(PAGE_LEN <= MASK_BITS as usize);

#[derive(Debug)]
struct PageHead {
    free: AtomicU64,
    /// When a slot of the page last ended, on the engine's clock.
    ended_at: Hint,
}

#[derive(Debug)]
struct Lane {
    /// Page number above, free mask below.
    word: AtomicU64,
    /// Where the search for a reusable page goes on.
    cursor: Hint,
}

#[derive(Debug)]
pub(crate) struct Slab {
    slots: Paged<Slot>,
    pages: Paged<PageHead>,
    reusable: Marks,
    reusable_len: Hint,
    retired: Hint,
    fresh: AtomicU64,
    lanes: Box<[CachePadded<Lane>]>,
    pages_max: usize,
    retained_pages: u64,
    retention_ms: u64,
}

/// Sizes of a slab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Reservations that must find room, ended ones that are remembered included.
    pub(crate) reservations: usize,
    pub(crate) lanes: usize,
    /// Ended reservations remembered for the retention.
    pub(crate) retained: usize,
    pub(crate) retention_ms: u64,
}

impl Sizes {
    /// Pages enough that `reservations` always find room, whatever waits for company.
    fn pages(self) -> usize {
        let sure = PAGE_LEN - PAGE_REUSE_MIN as usize + 1;
        self.reservations.div_ceil(sure) + self.lanes
    }

    /// Slots in all.
    pub(crate) fn slots(self) -> usize {
        self.pages() * PAGE_LEN
    }
}

impl Slab {
    pub(crate) fn new(sizes: Sizes) -> Self {
        let lane = || CachePadded::new(Lane { word: apart(0), cursor: Hint::new(0) });
        let pages_max = sizes.pages();
        Self {
            slots: Paged::new(pages_max * PAGE_LEN, Slot::new),
            pages: Paged::new(pages_max, || PageHead { free: apart(0), ended_at: Hint::new(0) }),
            reusable: Marks::new(pages_max),
            reusable_len: Hint::new(0),
            retired: Hint::new(0),
            fresh: apart(0),
            lanes: (0..sizes.lanes.max(1)).map(|_| lane()).collect(),
            pages_max,
            retained_pages: (sizes.retained / PAGE_LEN) as u64,
            retention_ms: sizes.retention_ms,
        }
    }

    /// Lanes: bounded by cores, shared by threads.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// A slot, if it was ever used.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot as usize)
    }

    /// One past the highest slot ever given out.
    pub(crate) fn high_water(&self) -> u32 {
        let pages = (self.fresh.load(Acquire) as usize).min(self.pages_max);
        (pages * PAGE_LEN) as u32
    }

    /// Slots that were used 2^24 − 1 times and are out of service.
    pub(crate) fn retired(&self) -> u64 {
        self.retired.load(Relaxed)
    }

    /// A slot of one's own (R4), or `None` when every page is in use.
    #[inline]
    pub(crate) fn take(&self, lane: usize, now: u64) -> Option<(u32, &Slot)> {
        let lane = &self.lanes[lane % self.lanes.len()];
        let mut seen = lane.word.load(Acquire);
        loop {
            let mask = seen & MASK_FULL;
            if mask == 0 {
                let (page, free) = self.take_page(lane, now)?;
                // ORDERING: AcqRel; the bits were taken with Acquire from those who gave them back, and
                // threads that share the lane get them through this word.
                match lane.word.compare_exchange(seen, page << MASK_BITS | free, AcqRel, Acquire) {
                    Ok(_) => seen = page << MASK_BITS | free,
                    Err(newer) => {
                        self.give_bits(page as usize, free); // a thread of the same lane was faster
                        seen = newer;
                    }
                }
                continue;
            }
            let bit = mask & mask.wrapping_neg();
            if on(Break::PageBlind) {
                lane.word.store(seen & !bit, Release);
                let slot = (seen >> MASK_BITS) as usize * PAGE_LEN + bit.trailing_zeros() as usize;
                return Some((slot as u32, self.slots.get(slot)?));
            }
            match lane.word.compare_exchange_weak(seen, seen & !bit, AcqRel, Acquire) {
                Ok(_) => {
                    let slot = (seen >> MASK_BITS) as usize * PAGE_LEN + bit.trailing_zeros() as usize;
                    return Some((slot as u32, self.slots.get(slot)?));
                }
                Err(newer) => seen = newer,
            }
        }
    }

    /// Gives an ended slot back. Its state stays readable until the page is handed out again.
    #[inline]
    pub(crate) fn give_back(&self, slot: u32, now: u64) {
        let Some(place) = self.slots.get(slot as usize) else { return };
        if place.snapshot().generation() >= GENERATION_MAX {
            self.retired.fetch_add(1, Relaxed);
            return;
        }
        let page = slot as usize / PAGE_LEN;
        if let Some(head) = self.pages.get(page) {
            // Relaxed: a hint for R5; a late one keeps a page a moment less long.
            if head.ended_at.load(Relaxed) < now {
                head.ended_at.store(now, Relaxed);
            }
        }
        self.give_bits(page, 1 << (slot as usize % PAGE_LEN));
    }

    fn give_bits(&self, page: usize, bits: u64) {
        let Some(head) = self.pages.get(page) else { return };
        // ORDERING: Release pairs with the swap in `take_page`: the next claimer sees the state that
        // its generation goes on from.
        let before = head.free.fetch_or(bits, AcqRel);
        let after = before | bits;
        if before.count_ones() < PAGE_REUSE_MIN && after.count_ones() >= PAGE_REUSE_MIN {
            self.reusable_len.fetch_add(1, Relaxed);
            self.reusable.set(page);
        }
    }

    #[cold]
    fn take_page(&self, lane: &Lane, now: u64) -> Option<(u64, u64)> {
        let crowded = self.reusable_len.load(Relaxed) > self.retained_pages;
        if let Some(taken) = self.take_reusable(lane, now, crowded) {
            return Some(taken);
        }
        if (self.fresh.load(Relaxed) as usize) < self.pages_max {
            let page = self.fresh.fetch_add(1, AcqRel);
            let first = page as usize * PAGE_LEN;
            if (page as usize) < self.pages_max {
                self.slots.grow(first)?;
                self.slots.grow(first + PAGE_LEN - 1)?;
                self.pages.grow(page as usize)?;
                return Some((page, MASK_FULL));
            }
        }
        self.take_reusable(lane, now, true) // no room to grow: forget early rather than refuse
    }

    fn take_reusable(&self, lane: &Lane, now: u64, forget_early: bool) -> Option<(u64, u64)> {
        loop {
            let from = lane.cursor.load(Relaxed) as usize;
            let leaf = self.reusable.next(from).or_else(|| self.reusable.next(0))?;
            lane.cursor.store(leaf as u64, Relaxed);
            let Some(page) = self.reusable.take_one(leaf) else { continue };
            let head = self.pages.get(page)?;
            if !forget_early && head.ended_at.load(Relaxed).saturating_add(self.retention_ms) > now {
                self.reusable.set(page); // R5
                return None;
            }
            self.reusable_len.fetch_sub(1, Relaxed);
            let free = head.free.swap(0, AcqRel);
            if free != 0 {
                return Some((page as u64, free));
            }
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;
    use crate::reservation::state::End;

    fn slab(reservations: usize) -> Slab {
        Slab::new(Sizes { reservations, lanes: 1, retained: 0, retention_ms: 0 })
    }

    #[test]
    fn r4_every_slot_once_and_the_promised_number_fits() {
        let slab = slab(1_000);
        let mut seen = std::collections::HashSet::new();
        while let Some((slot, _)) = slab.take(0, 0) {
            assert!(seen.insert(slot));
        }
        assert!(seen.len() >= 1_000, "{}", seen.len());
    }

    #[test]
    fn whatever_order_slots_come_back_in_the_promised_number_fits_again() {
        let slab = slab(200);
        let mut held: Vec<_> = std::iter::from_fn(|| slab.take(0, 0)).collect();
        // Give back all but 199 in an order that leaves every page with some.
        held.sort_by_key(|(slot, _)| (slot % 32, *slot));
        for (slot, place) in held.split_off(199) {
            let generation = place.claim();
            place.publish(generation, 5);
            place.abandon(generation);
            slab.give_back(slot, 0);
        }
        assert!(slab.take(0, 0).is_some());
    }

    #[test]
    fn a_slot_retires_before_its_generation_wraps() {
        let slab = slab(1);
        let (slot, place) = slab.take(0, 0).unwrap();
        place.abandon(GENERATION_MAX);
        slab.give_back(slot, 0);
        assert_eq!(slab.retired(), 1);
        assert_eq!(place.snapshot().standing(), crate::reservation::state::Standing::Ended(End::Released));
    }
}
