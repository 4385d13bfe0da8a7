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

use crate::paged::Paged;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::{apart, look};

/// Integers in one word.
pub(crate) const WORD: usize = u64::BITS as usize;
/// The root level is read word by word, so it stays this short.
const ROOT_WORDS_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Marks {
    leaves: Paged<AtomicU64>,
    upper: Vec<Box<[AtomicU64]>>,
}

impl Marks {
    /// A set of integers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        let mut words = len.div_ceil(WORD).max(1);
        let leaves = Paged::new(words, || apart(0));
        let mut upper = Vec::new();
        loop {
            words = words.div_ceil(WORD);
            upper.push((0..words).map(|_| apart(0)).collect());
            if words <= ROOT_WORDS_MAX {
                return Self { leaves, upper };
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

    fn set_path(&self, from_level: usize, mut child: usize) {
        for level in &self.upper[from_level..] {
            let (word, bit) = (&level[child / WORD], 1 << (child % WORD));
            if look(word) & bit == 0 {
                word.fetch_or(bit, SeqCst);
            }
            child /= WORD; // M1: the whole path, even where the parent stood
        }
    }

    /// The first leaf word at or after `from` that may hold marks.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        self.next_at(0, from)
    }

    fn next_at(&self, level: usize, from: usize) -> Option<usize> {
        let words = self.upper.get(level)?;
        let (mut at, mut mask) = (from / WORD, u64::MAX << (from % WORD));
        while at < words.len() {
            let bits = look(&words[at]) & mask;
            if bits != 0 {
                return Some(at * WORD + bits.trailing_zeros() as usize);
            }
            mask = u64::MAX;
            at = if level + 1 < self.upper.len() { self.next_at(level + 1, at + 1)? } else { at + 1 };
        }
        None
    }

    /// Takes every mark of a leaf word. One collector at a time (the sweep lock sees to it).
    pub(crate) fn take_word(&self, leaf: usize) -> u64 {
        self.clear_path(0, leaf);
        self.leaves.get(leaf).map_or(0, |word| word.swap(0, SeqCst))
    }

    /// The integers in the set, from `from` on and once round. What is set or taken meanwhile may be
    /// among them or not.
    pub(crate) fn members(&self, from: usize) -> impl Iterator<Item = usize> {
        self.range(from, usize::MAX).chain(self.range(0, from))
    }

    fn range(&self, from: usize, until: usize) -> impl Iterator<Item = usize> {
        let mut at = from;
        std::iter::from_fn(move || {
            while at < until {
                let leaf = self.next(at / WORD)?;
                at = at.max(leaf * WORD);
                let word = self.leaves.get(leaf)?;
                let all = look(word);
                let bits = all & (u64::MAX << (at % WORD));
                if bits != 0 {
                    at = leaf * WORD + bits.trailing_zeros() as usize + 1;
                    return (at <= until).then_some(at - 1);
                }
                if all == 0 {
                    self.settle(leaf, word);
                }
                at = (leaf + 1) * WORD;
            }
            None
        })
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
        let Some(words) = self.upper.get(level) else { return };
        let (at, bit) = (child / WORD, 1u64 << (child % WORD));
        let before = words[at].fetch_and(!bit, SeqCst);
        if before & !bit == 0 && level + 1 < self.upper.len() {
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
        for (from, wanted) in [(0, all), (6, [7, 70, 9_000, 5]), (70, [70, 9_000, 5, 7]), (9_001, all)] {
            assert_eq!(marks.members(from).collect::<Vec<_>>(), wanted, "from {from}");
        }
        assert!(all.iter().all(|&index| marks.take(index)));
        assert!(!all.iter().any(|&index| marks.take(index)));
        assert_eq!(marks.members(3).next(), None);
    }
}
