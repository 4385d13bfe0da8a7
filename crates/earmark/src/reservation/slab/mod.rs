//! Where reservations live: slots that never move, given out by pages.
//!
//! ```text
//! lane:  page 7, free 0b0110...   takes a bit at a time; one compare-exchange a reservation, or, where
//!                                 the lane is the thread's own, a plain store
//!        page 6, back 0b1001...   own lanes only: slots that ended here, given back to their page together
//!        reusable: {3, 9, ...}    pages that it took last, and that have at least PAGE_REUSE_MIN given back
//! page:  home, free 0b1000...     the lane that took it last; slots given back since
//! ```
//!
//! A page is handed out again only when a good part of it is free, so that a lane walks through memory
//! in order: with single slots reused in the order they came free, a reservation cost 210 ns instead of
//! 70. Up to `PAGE_REUSE_MIN − 1` free slots of a page wait for company; the slab is that much larger.
//!
//! **R4** A slot is given to one claimer until it is given back: each bit is taken by one successful
//! compare-exchange or swap.
//! **R5** A page on which a slot ended within the retention is not handed out unless more than `ended`
//! slots wait: so long is an end remembered (P2). Then, of a few pages, the one that ended first. A lane goes
//! through its own pages first, which are in its core's cache: one that another core has written costs as much as
//! all 32 reservations on it.
//! **R7** Slots on their way from a page to a lane are nobody's to count. Who is refused looks again while any
//! were, a bounded time: a thread stopped there keeps up to a page from others.
//! **R8** A lane of a thread's own is written by that thread alone: what it takes and gives back there needs no
//! read-modify-write. The next thread to own the lane sees all of it (H2).
//! **R6** No page is handed out while `live` slots or more are in use. They are counted only where an
//! estimate does not tell; beyond `COUNTED_PAGES` the estimate alone does, and it leaves out up to
//! `PAGE_REUSE_MIN − 1` slots of each page.

mod reuse;
#[cfg(all(test, not(earmark_loom)))]
mod tests;
mod young;

use crossbeam::utils::CachePadded;

use self::reuse::{Moved, Moving};
use super::slot::Slot;
use crate::lane::{Lane, Lanes};
use crate::marks::Marks;
use crate::nursery::Mark;
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
/// Pages that are made at once.
const BLOCK_LEN: usize = if cfg!(earmark_loom) { 2 } else { 128 };
/// Waiting slots of which an own lane has not told, less than: a part of those that are to be remembered.
const UNTOLD_MAX: u64 = 256;
const UNTOLD_PART: u64 = 64;
/// And all lanes together at most this part.
const UNTOLD_PART_OF_ALL: u64 = 4;
/// Slots of a page that must be free before it is handed out again.
const PAGE_REUSE_MIN: u32 = if cfg!(earmark_loom) { 1 } else { 8 };
/// Slots in use are counted one page after the other only in slabs of up to so many pages.
const COUNTED_PAGES: usize = if cfg!(earmark_loom) { 0 } else { 1 << 14 };
/// Pages beyond those needed at a time: a slot serves 2^24 − 1 times, so these 8.4 million slots are good for
/// 1.4 · 10^14 reservations, four years at a million a second.
const SPARE_PAGES: usize = if cfg!(earmark_loom) { 0 } else { 1 << 18 };
/// One turn of the upper half of `headroom`.
const HEADROOM_TURN: u64 = 1 << 32;
const MASK_BITS: u32 = 32;
const MASK_FULL: u64 = (1 << PAGE_LEN) - 1;
const _: () = assert!(PAGE_LEN <= MASK_BITS as usize);
/// The word of a lane that never had a page.
const NO_PAGE: u64 = u64::MAX << MASK_BITS;

/// Slots, and before them what is written when they are taken and given back. Two lanes, each on a page of its own,
/// meet at most where one page ends and the next begins; lines of their own for each would cost a twentieth more.
#[derive(Debug)]
struct Page {
    /// The lane that took it last above, slots given back since below.
    free: AtomicU64,
    /// A bit for each slot that the nursery has not looked at yet.
    young: AtomicU64,
    /// When a slot of the page last ended, on the engine's clock.
    ended_at: Hint,
    slots: [Slot; PAGE_LEN],
}

impl Page {
    fn new() -> Self {
        let slots = std::array::from_fn(|_| Slot::new());
        Self { free: apart(0), young: apart(0), ended_at: Hint::new(0), slots }
    }
}

/// A slot of one's own, and where to mark it as young.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) slot: u32,
    pub(crate) place: &'a Slot,
    pub(crate) young: Mark<'a>,
}

#[derive(Debug)]
struct LanePages {
    /// Page number above, free mask below.
    word: AtomicU64,
    /// The same of slots that ended in an own lane and wait to be given back together.
    back: AtomicU64,
    /// When the last of them ended.
    back_ended_at: Hint,
    /// Pages of an own lane in which slots are marked as young (R9): only the sweep writes here too.
    young: Marks,
    /// Pages that this lane took last and that are worth handing out again.
    reusable: Marks,
    /// Where the search for one goes on.
    cursor: Hint,
    /// Which other lane is looked through next.
    elsewhere: Hint,
    /// When none there had a better one.
    none_elsewhere: Hint,
    /// Pages that a thread began to move into the lane, and that arrived or went back (R7).
    moves_begun: Hint,
    moves_done: Hint,
    /// Slots that an own lane put among those that wait, or took from them, and has not told of yet.
    untold: Hint,
}

#[derive(Debug)]
pub(crate) struct Slab {
    pages: Paged<Page, BLOCK_LEN>,
    /// Pages in which slots are marked as young, by whoever is not the page's own lane (R9).
    young_pages: Marks,
    /// Slots that wait in the lanes' `reusable`, in whole groups of `PAGE_REUSE_MIN`.
    waiting: Hint,
    /// Slots whose reservation expired and is still remembered.
    parked: Hint,
    retired: Hint,
    /// Slots that can be handed out before anybody needs to count again, signed, in the lower half; how often
    /// that changed in the upper one.
    headroom: Hint,
    fresh: AtomicU64,
    pages_of: Box<[CachePadded<LanePages>]>,
    lanes: Lanes,
    pages_max: usize,
    sizes: Sizes,
}

/// Sizes of a slab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Live reservations that always find room.
    pub(crate) live: usize,
    /// Expired reservations that find room besides.
    pub(crate) expired: usize,
    /// Ended reservations remembered for the retention.
    pub(crate) ended: usize,
    pub(crate) retention_ms: u64,
    pub(crate) lanes: Lanes,
}

impl Sizes {
    /// Pages enough for all of them, whatever waits for company, and for those that take the place of pages
    /// whose slots retired.
    fn pages(self) -> usize {
        let sure = PAGE_LEN - PAGE_REUSE_MIN as usize + 1;
        let all = self.live.saturating_add(self.expired).saturating_add(self.ended);
        all.div_ceil(sure) + self.lanes.pages() + 1 + SPARE_PAGES
    }

    /// Slots in all.
    pub(crate) fn slots(self) -> usize {
        self.pages() * PAGE_LEN
    }
}

impl Slab {
    pub(crate) fn new(sizes: Sizes) -> Self {
        let pages_max = sizes.pages();
        let lane = || {
            let hint = || Hint::new(0);
            CachePadded::new(LanePages {
                word: apart(NO_PAGE),
                back: apart(0),
                back_ended_at: hint(),
                young: Marks::new(pages_max),
                reusable: Marks::new(pages_max),
                cursor: hint(),
                elsewhere: hint(),
                none_elsewhere: Hint::new(reuse::NEVER),
                moves_begun: hint(),
                moves_done: hint(),
                untold: hint(),
            })
        };
        Self {
            pages: Paged::new(pages_max, Page::new),
            young_pages: Marks::new(pages_max),
            waiting: Hint::new(0),
            parked: Hint::new(0),
            retired: Hint::new(0),
            headroom: Hint::new(0),
            fresh: apart(0),
            pages_of: (0..sizes.lanes.len()).map(|_| lane()).collect(),
            lanes: sizes.lanes,
            pages_max,
            sizes,
        }
    }

    /// How many lanes there are.
    #[inline]
    pub(crate) fn lanes(&self) -> Lanes {
        self.lanes
    }

    /// A slot, if it was ever used.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&Slot> {
        let page = self.pages.get(slot as usize / PAGE_LEN)?;
        Some(&page.slots[slot as usize % PAGE_LEN])
    }

    /// The slot, and what is written when it is given back is fetched too. Orders nothing.
    pub(crate) fn foresee(&self, slot: u32) -> Option<&Slot> {
        let page = self.pages.get(slot as usize / PAGE_LEN)?;
        let _ = (page.free.load(Relaxed), page.ended_at.load(Relaxed));
        Some(&page.slots[slot as usize % PAGE_LEN])
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
    #[inline(always)]
    pub(crate) fn take(&self, lane: Lane, now: u64) -> Option<Taken<'_>> {
        let pages = self.pages_of.get(self.lanes.index(lane))?;
        let Lane::Own(_) = lane else { return self.take_shared(lane, pages, now) };
        // ORDERING: Relaxed throughout: this thread alone writes the word (R8); what it leads to was acquired
        // with the page.
        let mut seen = pages.word.load(Relaxed);
        if seen & MASK_FULL == 0 {
            seen = self.refill(lane, pages, now)?;
        }
        let bit = seen & seen.wrapping_neg();
        // ORDERING: Release: a pass that sees a later page here sees the marks in earlier ones (R9).
        pages.word.store(seen & !bit, Release);
        self.slot_of(seen, bit, false)
    }

    /// The next page for an own lane, as a word.
    #[cold]
    #[inline(never)]
    fn refill(&self, lane: Lane, pages: &LanePages, now: u64) -> Option<u64> {
        self.flush(pages);
        let Moved { page, free, move_of: _moving } = self.take_page(lane, now)?;
        // All of it is used in a moment: waiting for its lines of memory together is waiting once.
        for slot in &self.pages.get(page as usize)?.slots {
            slot.touch();
        }
        // ORDERING: Release, and told after it (R9): a pass that clears what is told here sees the lane at this page.
        let word = page << MASK_BITS | free;
        pages.word.store(word, Release);
        pages.young.set(page as usize);
        Some(word)
    }

    /// `shared`: other threads take from the page too, and each tells of it.
    #[inline(always)]
    fn slot_of(&self, word: u64, bit: u64, shared: bool) -> Option<Taken<'_>> {
        let (page, at) = ((word >> MASK_BITS) as usize, bit.trailing_zeros() as usize % PAGE_LEN);
        let (slot, home) = ((page * PAGE_LEN + at) as u32, self.pages.get(page)?);
        let tell = if shared { Some((&self.young_pages, page)) } else { None };
        Some(Taken { slot, place: &home.slots[at], young: Mark { word: &home.young, bit, tell } })
    }

    #[inline(never)]
    fn take_shared(&self, lane: Lane, pages: &LanePages, now: u64) -> Option<Taken<'_>> {
        let mut seen = pages.word.load(Acquire);
        loop {
            let mask = seen & MASK_FULL;
            if mask == 0 {
                let Moved { page, free, move_of: _moving } = self.take_page(lane, now)?;
                // ORDERING: AcqRel; the bits were taken with Acquire from those who gave them back, and
                // threads that share the lane get them through this word.
                match pages.word.compare_exchange(seen, page << MASK_BITS | free, AcqRel, Acquire) {
                    Ok(_) => seen = page << MASK_BITS | free,
                    Err(newer) => {
                        self.give_bits(None, page as usize, free); // a thread of the same lane was faster
                        seen = newer;
                    }
                }
                continue;
            }
            let bit = mask & mask.wrapping_neg();
            if on(Break::PageBlind) {
                pages.word.store(seen & !bit, Release);
                return self.slot_of(seen, bit, true);
            }
            match pages.word.compare_exchange_weak(seen, seen & !bit, AcqRel, Acquire) {
                Ok(_) => return self.slot_of(seen, bit, true),
                Err(newer) => seen = newer,
            }
        }
    }

    /// [`take`](Self::take), and again while `wait` says so and slots were on their way into a lane: those are
    /// not missing (R7).
    pub(crate) fn take_patiently(&self, lane: Lane, now: u64, mut wait: impl FnMut() -> bool) -> Option<Taken<'_>> {
        loop {
            let moves = self.moves();
            if let Some(taken) = self.take(lane, now) {
                return Some(taken);
            }
            let quiet = moves.0 == moves.1 && self.moves() == moves;
            if quiet || !wait() {
                return None;
            }
        }
    }

    /// Moves begun, and moves done, over all lanes.
    fn moves(&self) -> (u64, u64) {
        let sum = |count: fn(&LanePages) -> &Hint| {
            self.pages_of.iter().fold(0u64, |sum, lane| sum.wrapping_add(count(lane).load(Acquire)))
        };
        let done = sum(|lane| &lane.moves_done);
        (sum(|lane| &lane.moves_begun), done)
    }

    fn begin_move<'a>(&self, lane: &'a LanePages) -> Moving<'a> {
        lane.moves_begun.fetch_add(1, AcqRel);
        Moving(&lane.moves_done)
    }

    /// Whether more slots wait than ends are to be remembered (R5).
    fn is_crowded(&self) -> bool {
        let (waiting, enough) = (self.waiting.load(Relaxed) as i64, (self.sizes.ended + PAGE_LEN) as i64);
        // What the lanes have not told may be less than nothing. They are not asked: each would lose its cache line.
        waiting > enough + (self.lanes.own() as u64 * self.untold_max()) as i64
    }

    fn untold_max(&self) -> u64 {
        let (ended, own) = (self.sizes.ended as u64, self.lanes.own().max(1) as u64);
        (ended / UNTOLD_PART).min(ended / UNTOLD_PART_OF_ALL / own).min(UNTOLD_MAX)
    }

    /// Slots wait, or wait no more. An own lane tells of many at once: what all lanes write to is dear.
    fn note_waiting(&self, own: Option<&LanePages>, change: u64) {
        let Some(lane) = own else {
            self.waiting.fetch_add(change, Relaxed);
            return;
        };
        let untold = lane.untold.load(Relaxed).wrapping_add(change);
        if (untold as i64).unsigned_abs() < self.untold_max() {
            return lane.untold.store(untold, Relaxed);
        }
        // What is less is told before it is forgotten, what is more after it: who reads in between sees too few.
        if (untold as i64) < 0 {
            self.waiting.fetch_add(untold, Relaxed);
            lane.untold.store(0, Relaxed);
        } else {
            lane.untold.store(0, Relaxed);
            self.waiting.fetch_add(untold, Relaxed);
        }
    }

    /// Gives back a slot of which nobody knows an id: nothing ended.
    pub(crate) fn give_back_unused(&self, lane: Lane, slot: u32) {
        self.give_back(lane, slot, 0);
    }

    /// Gives an ended slot back. Its state stays readable until the page is handed out again.
    #[inline]
    pub(crate) fn give_back(&self, lane: Lane, slot: u32, now: u64) {
        let Some(place) = self.get(slot) else { return };
        self.give_back_place(lane, slot, place, now);
    }

    /// The same of a slot that is at hand.
    #[inline(always)]
    pub(crate) fn give_back_place(&self, lane: Lane, slot: u32, place: &Slot, now: u64) {
        if place.is_worn() {
            return self.retire();
        }
        let (page, bit) = (slot as usize / PAGE_LEN, 1 << (slot as usize % PAGE_LEN));
        match (lane, self.pages_of.get(self.lanes.index(lane))) {
            (Lane::Own(_), Some(pages)) => {
                // ORDERING: Relaxed: this thread alone writes here (R8); `give_bits` releases.
                let back = pages.back.load(Relaxed);
                if back >> MASK_BITS == page as u64 && back & MASK_FULL != 0 {
                    pages.back.store(back | bit, Relaxed);
                } else {
                    self.flush(pages);
                    pages.back.store((page as u64) << MASK_BITS | bit, Relaxed);
                }
                if pages.back_ended_at.load(Relaxed) < now {
                    pages.back_ended_at.store(now, Relaxed);
                }
            }
            _ => self.give_back_shared(page, bit, now),
        }
    }

    #[cold]
    fn retire(&self) {
        self.retired.fetch_add(1, Relaxed);
    }

    #[inline(never)]
    fn give_back_shared(&self, page: usize, bit: u64, now: u64) {
        self.note_end(page, now);
        self.give_bits(None, page, bit);
    }

    /// Gives back what waits in an own lane.
    #[inline(never)]
    fn flush(&self, lane: &LanePages) {
        let back = lane.back.load(Relaxed);
        if back & MASK_FULL == 0 {
            return;
        }
        let page = (back >> MASK_BITS) as usize;
        self.note_end(page, lane.back_ended_at.load(Relaxed));
        self.give_bits(Some(lane), page, back & MASK_FULL);
        // Only now: who counts slots in between counts these twice as idle, and refuses nobody for it.
        if !on(Break::BackTwice) {
            lane.back.store(0, Relaxed);
        }
        lane.back_ended_at.store(0, Relaxed);
    }

    fn note_end(&self, page: usize, now: u64) {
        if let Some(head) = self.pages.get(page) {
            // Relaxed: a hint for R5; a late one keeps a page a moment less long.
            if head.ended_at.load(Relaxed) < now {
                head.ended_at.store(now, Relaxed);
            }
        }
    }

    fn give_bits(&self, own: Option<&LanePages>, page: usize, bits: u64) {
        let Some(head) = self.pages.get(page) else { return };
        // ORDERING: Release pairs with the swap in `take_page`: the next claimer sees the state that
        // its generation goes on from.
        let seen = head.free.fetch_or(bits, if on(Break::FreeRelaxed) { Relaxed } else { AcqRel });
        let (home, before) = ((seen >> MASK_BITS) as usize, seen & MASK_FULL);
        let after = before | bits;
        let more = groups(after) - groups(before);
        if more > 0 {
            self.note_waiting(own, more);
        }
        if groups(before) == 0 && more > 0 {
            // Another home meanwhile is as good: whoever looks for a page looks in all of them.
            if let Some(home) = self.pages_of.get(home) {
                home.reusable.set(page);
            }
        }
    }

    /// A reservation expired and is remembered: its slot is not in use, and not free.
    pub(crate) fn park(&self) {
        self.parked.fetch_add(1, Relaxed);
    }

    /// It is no longer remembered, or was taken up again.
    pub(crate) fn unpark(&self) {
        self.parked.fetch_sub(1, Relaxed);
    }

    /// Expired reservations that are remembered.
    pub(crate) fn parked(&self) -> u64 {
        self.parked.load(Relaxed)
    }

    /// Whether another page may be handed out (R6).
    fn has_room(&self) -> bool {
        let page = PAGE_LEN as u64;
        let pages = self.fresh.load(Relaxed);
        if (pages + 1) * page <= self.sizes.live as u64 {
            return true; // all slots that there ever were, and a page more
        }
        let headroom = self.headroom.load(Relaxed);
        if headroom as i32 >= PAGE_LEN as i32 {
            self.headroom.fetch_add(HEADROOM_TURN - page, Relaxed);
            return true;
        }
        let pages = (pages as usize).min(self.pages_max);
        let max = self.sizes.live as u64;
        // Too low or too high by what own lanes have not told, and below zero for that reason.
        let waiting = (self.waiting.load(Relaxed) as i64).max(0) as u64;
        let untold = self.lanes.own() as u64 * self.untold_max();
        let idle = waiting + self.parked.load(Relaxed) + self.retired.load(Relaxed);
        let at_most = (pages * PAGE_LEN) as u64 - idle.min((pages * PAGE_LEN) as u64);
        let unseen = pages as u64 * u64::from(PAGE_REUSE_MIN - 1) + self.lanes.pages() as u64 * page + untold;
        let in_use = if at_most + untold < max {
            at_most + untold
        } else if at_most >= max + unseen || pages > COUNTED_PAGES {
            at_most.saturating_sub(unseen)
        } else {
            self.count_in_use(pages)
        };
        if in_use >= max {
            return false;
        }
        // Only if nobody counted or took meanwhile: what was counted long ago must not be given out now.
        let left = (max - in_use).saturating_sub(page);
        let turn = (headroom / HEADROOM_TURN).wrapping_add(1) << HEADROOM_TURN.trailing_zeros();
        let _ = self.headroom.compare_exchange(headroom, turn | left, Relaxed, Relaxed);
        true
    }

    fn count_in_use(&self, pages: usize) -> u64 {
        let in_page =
            |page| self.pages.get(page).map_or(0, |head: &Page| (head.free.load(Relaxed) & MASK_FULL).count_ones());
        let in_pages: u64 = (0..pages).map(|page| u64::from(in_page(page))).sum();
        let count = |word: &AtomicU64| u64::from((word.load(Relaxed) & MASK_FULL).count_ones());
        let in_lanes: u64 = self.pages_of.iter().map(|lane| count(&lane.word) + count(&lane.back)).sum();
        let idle = in_pages + in_lanes + self.parked.load(Relaxed) + self.retired.load(Relaxed);
        ((pages * PAGE_LEN) as u64).saturating_sub(idle)
    }
}

/// Free slots in whole groups that make a page worth handing out.
const fn groups(free: u64) -> u64 {
    (free.count_ones() / PAGE_REUSE_MIN * PAGE_REUSE_MIN) as u64
}
