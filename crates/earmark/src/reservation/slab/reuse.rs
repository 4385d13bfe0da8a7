//! Which page a lane goes on with: one of its own that ended long ago, one of another lane's, or a new one.

use std::ops::ControlFlow;

use super::{Hint, LanePages, MASK_BITS, MASK_FULL, Slab, groups};
use crate::lane::Lane;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Pages that are looked at for one whose retention is over.
const CANDIDATES: usize = 8;
/// No time at which anybody looked.
pub(super) const NEVER: u64 = u64::MAX;

/// A page's free slots, on their way into a lane.
#[derive(Debug)]
pub(super) struct Moved<'a> {
    pub(super) page: u64,
    pub(super) free: u64,
    pub(super) move_of: Moving<'a>,
}

/// A move; done when it is dropped.
#[derive(Debug)]
pub(super) struct Moving<'a>(pub(super) &'a Hint);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, AcqRel);
    }
}

impl Slab {
    #[cold]
    pub(super) fn take_page(&self, lane: Lane, now: u64) -> Option<Moved<'_>> {
        if !self.has_room() {
            return None; // R6
        }
        let at = self.lanes.index(lane);
        let pages = self.pages_of.get(at)?;
        let own = matches!(lane, Lane::Own(_)).then_some(&**pages);
        let crowded = self.is_crowded();
        if let Some(taken) = self.take_reusable(at, pages, own, now, crowded) {
            return Some(taken);
        }
        if (self.fresh.load(Relaxed) as usize) < self.pages_max {
            let moving = self.begin_move(pages);
            let page = self.fresh.fetch_add(1, AcqRel);
            if (page as usize) < self.pages_max {
                // Relaxed: nobody knows of the page yet.
                self.pages.grow(page as usize)?.free.store((at as u64) << MASK_BITS, Relaxed);
                return Some(Moved { page, free: MASK_FULL, move_of: moving });
            }
        }
        self.take_reusable(at, pages, own, now, true) // no room to grow: forget early rather than refuse
    }

    fn take_reusable<'a>(
        &'a self,
        at: usize,
        pages: &'a LanePages,
        own: Option<&LanePages>,
        now: u64,
        forget_early: bool,
    ) -> Option<Moved<'a>> {
        loop {
            let (home, page) = self.choose(at, pages, now, forget_early)?;
            let moving = self.begin_move(pages);
            if !home.reusable.take(page) {
                continue; // another lane was faster
            }
            let free = self.pages.get(page)?.free.swap((at as u64) << MASK_BITS, AcqRel) & MASK_FULL;
            self.note_waiting(own, groups(free).wrapping_neg());
            if free != 0 {
                return Some(Moved { page: page as u64, free, move_of: moving });
            }
        }
    }

    /// A page, and where it waits: one of the lane's own whose retention is over; else one of another's; else, to
    /// forget early, the lane's own (R5).
    fn choose<'a>(
        &'a self,
        at: usize,
        pages: &'a LanePages,
        now: u64,
        forget_early: bool,
    ) -> Option<(&'a LanePages, usize)> {
        let (mine, next) = self.look_through(pages, now, forget_early);
        pages.cursor.store(next as u64, Relaxed);
        let mine = match mine {
            Some((page, true)) => return Some((pages, page)),
            mine => mine.map(|(page, _)| (pages, page)),
        };
        let elsewhere = |forget_early| {
            let others = self.pages_of.iter().enumerate().filter(|&(lane, _)| lane != at);
            others
                .map(|(_, home)| home)
                .find_map(|home| Some((&**home, self.look_through(home, now, forget_early).0?.0)))
        };
        // Whoever found none there looks no more until time has moved: it is another core's memory.
        if pages.none_elsewhere.load(Relaxed) != now {
            if let Some(over) = elsewhere(false) {
                return Some(over);
            }
            pages.none_elsewhere.store(now, Relaxed);
        }
        mine.or_else(|| forget_early.then(|| elsewhere(true)).flatten())
    }

    /// Of the next few reusable pages the first whose retention is over (`true`); else, to forget early, the one that
    /// ended first. And where to go on.
    fn look_through(&self, home: &LanePages, now: u64, forget_early: bool) -> (Option<(usize, bool)>, usize) {
        let from = home.cursor.load(Relaxed) as usize;
        let (mut next, mut seen, mut first) = (from, 0, u64::MAX);
        let mut chosen = None;
        home.reusable.look_at(from, |page| {
            let Some(head) = self.pages.get(page) else { return ControlFlow::Continue(()) };
            let ended_at = head.ended_at.load(Relaxed);
            next = page + 1;
            if ended_at.saturating_add(self.sizes.retention_ms) <= now {
                chosen = Some((page, true));
                return ControlFlow::Break(());
            }
            if forget_early && ended_at < first {
                (chosen, first) = (Some((page, false)), ended_at);
            }
            seen += 1;
            if seen < CANDIDATES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        (chosen, next)
    }
}
