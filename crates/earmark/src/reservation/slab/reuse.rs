//! Which page a lane goes on with: one of its own that ended long ago, one of another lane's, or a new one.

use std::ops::ControlFlow;

use super::{Hint, LanePages, MASK_BITS, MASK_FULL, Slab, groups};
use crate::lane::Lane;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Pages that are looked at for one whose retention is over.
const CANDIDATES: usize = 8;
/// Other lanes that are looked through together.
const LANES_TOGETHER: usize = 8;
/// A page of another lane is forgotten before one's own if it ended earlier by this part of the retention: less is
/// not worth another core's memory.
const OLDER_PART: u64 = 8;
/// No time at which anybody looked.
pub(super) const NEVER: u64 = u64::MAX;

/// Which pages will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Those whose retention is over.
    Over,
    /// Others too: ends are forgotten early.
    Early,
    /// The same, in every lane: there is no room for a new page.
    EarlyAnywhere,
}

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
        if let Some(taken) = self.take_reusable(at, pages, own, now, if crowded { Search::Early } else { Search::Over })
        {
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
        self.take_reusable(at, pages, own, now, Search::EarlyAnywhere) // no room to grow: forget early rather than refuse
    }

    fn take_reusable<'a>(
        &'a self,
        at: usize,
        pages: &'a LanePages,
        own: Option<&LanePages>,
        now: u64,
        search: Search,
    ) -> Option<Moved<'a>> {
        loop {
            let (home, page) = self.choose(at, pages, now, search)?;
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
    /// forget early, the lane's own, unless much older ends are remembered elsewhere (R5).
    fn choose<'a>(
        &'a self,
        at: usize,
        pages: &'a LanePages,
        now: u64,
        search: Search,
    ) -> Option<(&'a LanePages, usize)> {
        let forget_early = search != Search::Over;
        let all = search == Search::EarlyAnywhere;
        let (mine, looked) = self.look_through(pages, now, forget_early);
        pages.cursor.store(looked.next as u64, Relaxed);
        if let Some(Found { page, over: true, .. }) = mine {
            return Some((pages, page));
        }
        let few = looked.pages < CANDIDATES; // a lane that has just begun
        let older_than = match mine {
            Some(found) if few => found.ended_at + 1,
            Some(found) => found.ended_at.saturating_sub(self.sizes.retention_ms / OLDER_PART),
            None => u64::MAX,
        };
        // Whoever found nothing there looks no more until time has moved: it is other cores' memory.
        if all || few || pages.none_elsewhere.load(Relaxed) != now {
            let (lanes, from) = (self.pages_of.len(), pages.elsewhere.load(Relaxed) as usize);
            let looks = if all { lanes } else { lanes.min(LANES_TOGETHER) };
            for lane in (from..from + looks).map(|lane| lane % lanes).filter(|&lane| lane != at) {
                let home = &*self.pages_of[lane];
                match self.look_through(home, now, forget_early).0 {
                    Some(found) if found.over || found.ended_at < older_than => {
                        pages.elsewhere.store(lane as u64, Relaxed);
                        return Some((home, found.page));
                    }
                    _ => {}
                }
            }
            pages.elsewhere.store(((from + looks) % lanes) as u64, Relaxed);
            pages.none_elsewhere.store(now, Relaxed);
        }
        mine.map(|found| (pages, found.page))
    }

    /// Of the next few reusable pages the first whose retention is over; else, to forget early, the one that ended
    /// first. And how far that went.
    fn look_through(&self, home: &LanePages, now: u64, forget_early: bool) -> (Option<Found>, Looked) {
        let from = home.cursor.load(Relaxed) as usize;
        let (mut found, mut looked): (Option<Found>, _) = (None, Looked { next: from, pages: 0 });
        home.reusable.look_at(from, |page| {
            let Some(head) = self.pages.get(page) else { return ControlFlow::Continue(()) };
            let ended_at = head.ended_at.load(Relaxed);
            looked.next = page + 1;
            if ended_at.saturating_add(self.sizes.retention_ms) <= now {
                found = Some(Found { page, ended_at, over: true });
                return ControlFlow::Break(());
            }
            if forget_early && found.is_none_or(|first| ended_at < first.ended_at) {
                found = Some(Found { page, ended_at, over: false });
            }
            looked.pages += 1;
            if looked.pages < CANDIDATES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        (found, looked)
    }
}

/// A page that may be handed out again.
#[derive(Debug, Clone, Copy)]
struct Found {
    page: usize,
    ended_at: u64,
    /// Its retention is over.
    over: bool,
}

/// How far a look through the pages of a lane went.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// Where the next look begins.
    next: usize,
    /// Pages whose retention is not over.
    pages: usize,
}
