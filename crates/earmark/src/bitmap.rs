//! A flat set of small integers that many threads mark and one collects.
//!
//! One read-modify-write a mark, and nothing else: for sets that are collected whole and seldom, where looking
//! at every word costs less than keeping levels above them. Sets that are searched often: [`marks`](crate::marks).

use crate::marks::WORD;
use crate::paged::{PAGE_LEN, Paged};
use crate::sync::atomic::{AtomicU64, Ordering::SeqCst};
use crate::sync::{apart, look};

/// Words that are looked at in one search, at most: 2 µs, as dear as some looks at slots.
pub(crate) const SEARCH_WORDS: usize = PAGE_LEN;

#[derive(Debug)]
pub(crate) struct Bitmap {
    words: Paged<AtomicU64>,
    len: usize,
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

impl Bitmap {
    /// A set of integers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.div_ceil(WORD);
        Self { words: Paged::new(len, || apart(0)), len }
    }

    /// Puts an integer into the set.
    #[inline(always)]
    pub(crate) fn set(&self, index: usize) {
        self.set_word(index / WORD, 1 << (index % WORD));
    }

    /// Puts several integers of one word into the set.
    #[inline(always)]
    pub(crate) fn set_word(&self, word: usize, bits: u64) {
        if let Some(word) = self.words.grow(word) {
            // ORDERING: SeqCst: one half of a "mark, then look"; see who calls it.
            word.fetch_or(bits, SeqCst);
        }
    }

    /// The first word at or after `from` with marks, if one is near.
    pub(crate) fn search(&self, from: usize) -> Search {
        let mut at = from;
        while at < self.len {
            let Some(words) = self.words.rest_of_page(at) else {
                at = (at / PAGE_LEN + 1) * PAGE_LEN; // nothing of that page was ever marked
                continue;
            };
            let words = &words[..words.len().min(self.len - at)];
            return match words.iter().position(|word| look(word) != 0) {
                Some(found) => Search::Found(at + found),
                None if at + words.len() < self.len => Search::At(at + words.len()),
                None => Search::End,
            };
        }
        Search::End
    }

    /// Takes every mark of a word.
    pub(crate) fn take_word(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |word| word.swap(0, SeqCst))
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_set_in_order_and_says_how_far_it_came() {
        let set = Bitmap::new(1 << 22);
        let wanted = [0, 1, 63, 64, 4_095, 300_000, 300_001, 3_000_000, (1 << 22) - 1];
        for index in wanted {
            set.set(index);
        }
        let (mut from, mut found, mut stops) = (0, Vec::new(), 0);
        loop {
            match set.search(from) {
                Search::End => break,
                Search::At(at) => {
                    assert!(at > from);
                    (from, stops) = (at, stops + 1);
                }
                Search::Found(word) => {
                    let bits = set.take_word(word);
                    found.extend((0..WORD).filter(|bit| bits >> bit & 1 == 1).map(|bit| word * WORD + bit));
                    from = word + 1;
                }
            }
        }
        assert_eq!(found, wanted);
        assert!(stops > 0);
        assert_eq!(Bitmap::new(1 << 12).search(0), Search::End);
    }
}
