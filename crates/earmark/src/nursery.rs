//! Marks of what is young: what the wheel asks of whoever keeps them.
//!
//! They lie beside the slots, so that marking a slot writes to memory that whoever took it has at hand, and that
//! no other lane writes to. The wheel knows no slots, and the slab no wheel: this stands between.

use crate::marks::Marks;
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Words of a group.
pub(crate) const GROUP: usize = u64::BITS as usize;

/// Marks over slots: a word for each few of them, and groups of such words.
pub(crate) trait Nursery {
    /// Slots of one word.
    const WIDTH: usize;

    /// A word of marks, if its slots were ever used.
    fn word(&self, word: usize) -> Option<&AtomicU64>;

    /// Where a slot is marked, whoever marks it.
    fn mark(&self, slot: u32) -> Option<Mark<'_>>;

    /// The first group at or after this one in which words may have marks. A mark whose setting has returned is
    /// found.
    fn next_group(&self, from: usize) -> Option<usize>;

    /// Which words of a group to look at. They are found no more, unless somebody marks a slot of theirs from here
    /// on, or may still do so without saying so.
    fn open_group(&self, group: usize) -> u64;

    /// These words of a group are to be found again.
    fn close_group(&self, group: usize, words: u64);
}

/// Where one slot is marked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) bit: u64,
    /// Where it is told that the word has marks, unless that is known already.
    pub(crate) tell: Option<(&'a Marks, usize)>,
}

impl Mark<'_> {
    #[inline(always)]
    pub(crate) fn set(self) {
        // ORDERING: SeqCst: the first half of a "mark, then look" (W3).
        self.word.fetch_or(self.bit, SeqCst);
        if let Some((marks, word)) = self.tell {
            marks.set(word);
        }
    }
}

/// Marks of a few slots, for tests of the wheel alone.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Flat(Vec<AtomicU64>);

#[cfg(test)]
impl Flat {
    pub(crate) fn new(slots: usize) -> Self {
        Self((0..slots.div_ceil(Self::WIDTH)).map(|_| AtomicU64::new(0)).collect())
    }
}

#[cfg(test)]
impl Nursery for Flat {
    const WIDTH: usize = 64;

    fn word(&self, word: usize) -> Option<&AtomicU64> {
        self.0.get(word)
    }

    fn mark(&self, slot: u32) -> Option<Mark<'_>> {
        let (word, bit) = (slot as usize / Self::WIDTH, 1 << (slot as usize % Self::WIDTH));
        Some(Mark { word: self.0.get(word)?, bit, tell: None })
    }

    fn next_group(&self, from: usize) -> Option<usize> {
        (from..self.0.len().div_ceil(GROUP)).find(|&group| self.open_group(group) != 0)
    }

    fn open_group(&self, group: usize) -> u64 {
        let words = self.0.iter().skip(group * GROUP).take(GROUP);
        words.enumerate().fold(0, |found, (at, word)| found | u64::from(crate::sync::look(word) != 0) << at)
    }

    fn close_group(&self, _group: usize, _words: u64) {}
}
