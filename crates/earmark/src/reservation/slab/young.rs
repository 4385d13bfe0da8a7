//! The marks of young slots, where they lie: in the pages.

use super::{LanePages, MASK_BITS, PAGE_LEN, Slab};
use crate::nursery::{GROUP, Mark, Nursery};
use crate::seeded::{Break, on};
use crate::sync::atomic::{AtomicU64, Ordering::Acquire};

/// The marks of the young lie in the pages: who takes a slot has that line at hand.
///
/// **R9** A page with marks is in `young_pages`, in `young` of the own lane that took it, or it is the page of an own
/// lane, which is put there anew each time it is found: its thread marks slots without saying so, until it has gone
/// on to another page.
impl Nursery for Slab {
    const WIDTH: usize = PAGE_LEN;

    fn word(&self, word: usize) -> Option<&AtomicU64> {
        Some(&self.pages.get(word)?.young)
    }

    fn mark(&self, slot: u32) -> Option<Mark<'_>> {
        let (page, at) = (slot as usize / PAGE_LEN, slot as usize % PAGE_LEN);
        Some(Mark { word: &self.pages.get(page)?.young, bit: 1 << at, tell: Some((&self.young_pages, page)) })
    }

    fn next_group(&self, from: usize) -> Option<usize> {
        let own = self.own_lanes().filter_map(|lane| lane.young.next(from));
        own.chain(self.young_pages.next(from)).min()
    }

    fn open_group(&self, group: usize) -> u64 {
        // A lane without marks there is left in peace: a look costs nothing that lanes share.
        let marked = self.own_lanes().filter(|lane| lane.young.next(group) == Some(group));
        let own = marked.fold(0, |found, lane| found | lane.young.take_word(group));
        let mut found = own | self.young_pages.take_word(group);
        if on(Break::LanesUnseen) {
            return found;
        }
        // ORDERING: Acquire, after the marks were taken. Whoever told of its page before that is seen at this page
        // or at a later one; and what it marked in a page that it has left since was marked before it left.
        for lane in self.own_lanes() {
            let page = (lane.word.load(Acquire) >> MASK_BITS) as usize;
            if page / GROUP == group {
                lane.young.set(page);
                found |= 1 << (page % GROUP);
            }
        }
        found
    }

    fn close_group(&self, group: usize, words: u64) {
        if words != 0 {
            self.young_pages.set_word(group, words);
        }
    }
}

impl Slab {
    fn own_lanes(&self) -> impl Iterator<Item = &LanePages> {
        self.pages_of.iter().take(self.lanes.own()).map(|lane| &**lane)
    }
}
