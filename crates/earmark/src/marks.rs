//! A set of small integers that many threads mark and one collects, without a queue.
//!
//! ```text
//! upper[1]   1                      one bit per word below
//! upper[0]   0 1 0                  one bit per leaf word
//! leaves     0 0 0 0 1 1 0 1 0 ...  one bit per integer
//! ```
//!
//! A mark is one read-modify-write of its leaf plus a look at each parent, which is nearly always set
//! already. Memory is fixed by the largest integer, whatever happens: nothing is appended.
//!
//! **M1** A mark whose `set` has returned is found by every later `next`, even if another marking
//! thread stopped half-way: each marks the whole path itself.
//! **M2** A collector clears a parent before it takes the child, and looks at the child again after
//! clearing; so either it sees the mark or the marking thread sees the cleared parent (see `look`).

use std::ops::ControlFlow;

use crate::paged::Paged;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::{apart, look};

/// Integers in one word.
pub(crate) const WORD: usize = u64::BITS as usize;
/// The root level is read word by word, so it stays this short.
const ROOT_WORDS_MAX: usize = 64;

/// Levels above the leaves, at most: enough for 2^36 integers.
const LEVELS_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Marks {
    leaves: Paged<AtomicU64>,
    /// All upper levels, the lowest first.
    upper: Box<[AtomicU64]>,
    /// Where each begins, and after the highest where it ends.
    starts: [usize; LEVELS_MAX + 1],
    levels: usize,
}

impl Marks {
    /// A set of integers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        let mut words = len.div_ceil(WORD).max(1);
        let leaves = Paged::new(words, || apart(0));
        let (mut starts, mut levels, mut end) = ([0; LEVELS_MAX + 1], 0, 0);
        loop {
            words = words.div_ceil(WORD);
            end += words;
            levels += 1;
            starts[levels] = end;
            if words <= ROOT_WORDS_MAX || levels == LEVELS_MAX {
                return Self { leaves, upper: (0..end).map(|_| apart(0)).collect(), starts, levels };
            }
        }
    }

    /// Puts an integer into the set.
    #[inline]
    pub(crate) fn set(&self, index: usize) {
        self.set_word(index / WORD, 1 << (index % WORD));
    }

    /// Puts several integers of one leaf word into the set.
    #[inline]
    pub(crate) fn set_word(&self, leaf: usize, bits: u64) {
        let Some(word) = self.leaves.grow(leaf) else { return };
        // ORDERING: SeqCst pairs with the collector's clear of the parent (M2); weaker, both could
        // miss each other and the mark would lie under an unmarked parent.
        word.fetch_or(bits, SeqCst);
        self.set_path(0, leaf);
    }

    #[inline]
    fn set_path(&self, from_level: usize, mut child: usize) {
        for &start in &self.starts[from_level..self.levels] {
            let Some(word) = self.upper.get(start + child / WORD) else { return };
            let bit = 1 << (child % WORD);
            if look(word) & bit == 0 {
                word.fetch_or(bit, SeqCst);
            }
            child /= WORD; // M1: the whole path, even where the parent stood
        }
    }

    /// The words of an upper level.
    fn level(&self, level: usize) -> Option<&[AtomicU64]> {
        if level < self.levels { self.upper.get(self.starts[level]..self.starts[level + 1]) } else { None }
    }

    /// The first leaf word at or after `from` that may hold marks.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        self.next_at(0, from)
    }

    fn next_at(&self, level: usize, from: usize) -> Option<usize> {
        let words = self.level(level)?;
        let (mut at, mut mask) = (from / WORD, u64::MAX << (from % WORD));
        while at < words.len() {
            let bits = look(&words[at]) & mask;
            if bits != 0 {
                return Some(at * WORD + bits.trailing_zeros() as usize);
            }
            mask = u64::MAX;
            at = if level + 1 < self.levels { self.next_at(level + 1, at + 1)? } else { at + 1 };
        }
        None
    }

    /// Takes every mark of a leaf word. One collector at a time (the sweep lock sees to it).
    pub(crate) fn take_word(&self, leaf: usize) -> u64 {
        self.clear_path(0, leaf);
        self.leaves.get(leaf).map_or(0, |word| word.swap(0, SeqCst))
    }

    /// Shows the integers in the set, from `from` on and once round, until `show` breaks. What is set or taken
    /// meanwhile may be among them or not.
    pub(crate) fn look_at(&self, from: usize, mut show: impl FnMut(usize) -> ControlFlow<()>) {
        if self.look_between(from, usize::MAX, &mut show).is_continue() {
            let _ = self.look_between(0, from, &mut show);
        }
    }

    fn look_between(
        &self,
        from: usize,
        until: usize,
        show: &mut impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (mut leaf, mut mask, mut marked) = (from / WORD, u64::MAX << (from % WORD), false);
        while leaf.saturating_mul(WORD) < until {
            let word = self.leaves.get(leaf);
            let all = word.map_or(0, look);
            let mut bits = all & mask;
            while bits != 0 {
                let index = leaf * WORD + bits.trailing_zeros() as usize;
                if index >= until {
                    return ControlFlow::Continue(());
                }
                show(index)?;
                bits &= bits - 1;
            }
            if marked
                && all == 0
                && let Some(word) = word
            {
                self.settle(leaf, word);
            }
            (mask, marked) = (u64::MAX, true);
            leaf = match self.next(leaf + 1) {
                Some(next) => next,
                None => return ControlFlow::Continue(()),
            };
        }
        ControlFlow::Continue(())
    }

    /// Takes one integer out, if it is there; any number of collectors.
    pub(crate) fn take(&self, index: usize) -> bool {
        let (leaf, bit) = (index / WORD, 1 << (index % WORD));
        let Some(word) = self.leaves.get(leaf) else { return false };
        let before = word.fetch_and(!bit, SeqCst);
        if before == bit {
            self.settle(leaf, word);
        }
        before & bit != 0
    }

    /// An empty leaf loses its parent's mark, unless somebody marked it meanwhile (M2).
    fn settle(&self, leaf: usize, word: &AtomicU64) {
        self.clear_path(0, leaf);
        if look(word) != 0 {
            self.set_path(0, leaf);
        }
    }

    fn clear_path(&self, level: usize, child: usize) {
        let Some(words) = self.level(level) else { return };
        let (at, bit) = (child / WORD, 1u64 << (child % WORD));
        let before = words[at].fetch_and(!bit, SeqCst);
        if before & !bit == 0 && level + 1 < self.levels {
            self.clear_path(level + 1, at);
            if look(&words[at]) != 0 {
                self.set_path(level + 1, at);
            }
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_set_in_order_across_every_level() {
        let marks = Marks::new(1 << 20);
        let wanted = [0, 1, 63, 64, 4095, 4096, 262_143, 262_144, (1 << 20) - 1];
        for index in wanted {
            marks.set(index);
        }
        let (mut from, mut found) = (0, Vec::new());
        while let Some(leaf) = marks.next(from) {
            let mut bits = marks.take_word(leaf);
            while bits != 0 {
                found.push(leaf * WORD + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
            from = leaf + 1;
        }
        assert_eq!(found, wanted);
        assert_eq!(marks.next(0), None);
    }

    #[test]
    fn members_go_once_round_and_take_gives_each_mark_once() {
        let marks = Marks::new(1 << 14);
        let all = [5, 7, 70, 9_000];
        for index in all {
            marks.set(index);
        }
        let members = |from| {
            let mut found = Vec::new();
            marks.look_at(from, |index| {
                found.push(index);
                ControlFlow::Continue(())
            });
            found
        };
        for (from, wanted) in [(0, all), (6, [7, 70, 9_000, 5]), (70, [70, 9_000, 5, 7]), (9_001, all)] {
            assert_eq!(members(from), wanted, "from {from}");
        }
        assert!(all.iter().all(|&index| marks.take(index)));
        assert!(!all.iter().any(|&index| marks.take(index)));
        assert!(members(3).is_empty());
    }
}
