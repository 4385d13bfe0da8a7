//! Marks of what is young: what the wheel asks of whoever keeps them.
//!
//! They lie beside the slots, so that marking a slot writes to memory that whoever took it has at hand, and that
//! no other lane writes to. The wheel knows no slots, and the slab no wheel: this stands between.

use crate::sync::atomic::AtomicU64;

/// Marks over slots, a word for each few of them.
pub(crate) trait Nursery {
    /// Slots of one word.
    const WIDTH: usize;

    /// A word of marks, if its slots were ever used.
    fn word(&self, word: usize) -> Option<&AtomicU64>;

    /// Where a slot is marked.
    fn mark(&self, slot: u32) -> Option<Mark<'_>> {
        Some(Mark { word: self.word(slot as usize / Self::WIDTH)?, bit: 1 << (slot as usize % Self::WIDTH) })
    }

    /// The first word at or after `from` with marks, if one is near. A mark whose setting has returned is found.
    fn search(&self, from: usize) -> Search;
}

/// Where one slot is marked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark<'a> {
    pub(crate) word: &'a AtomicU64,
    pub(crate) bit: u64,
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// This word has marks.
    Found(usize),
    /// Nothing up to here; it goes on.
    At(usize),
    End,
}

/// Looks at slots that a search costs which finds nothing near.
pub(crate) const SEARCH_LOOKS: usize = 64;

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

    fn search(&self, from: usize) -> Search {
        let found = (from..self.0.len()).find(|&word| crate::sync::look(&self.0[word]) != 0);
        found.map_or(Search::End, Search::Found)
    }
}
