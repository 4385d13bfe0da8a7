//! An array that grows by pages and never moves what it holds.
//!
//! The directory is sized once from the cap; a page appears when an index on it is first claimed and
//! stays. Reading a place is two dependent loads, no lock.

use std::sync::OnceLock;

/// Elements of one page, where nothing else is said.
pub(crate) const PAGE_LEN: usize = if cfg!(earmark_loom) { 2 } else { 1 << 12 };

/// A page has `LEN` elements, a power of two: its length is in its type, so that an index within it needs no check.
pub(crate) struct Paged<T, const LEN: usize = PAGE_LEN> {
    pages: Box<[OnceLock<Box<[T; LEN]>>]>,
    make: fn() -> T,
}

impl<T, const LEN: usize> std::fmt::Debug for Paged<T, LEN> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filled = self.pages.iter().filter(|page| page.get().is_some()).count();
        f.debug_struct("Paged").field("pages", &filled).field("pages_max", &self.pages.len()).finish()
    }
}

impl<T, const LEN: usize> Paged<T, LEN> {
    const BITS: u32 = {
        assert!(LEN.is_power_of_two());
        LEN.trailing_zeros()
    };

    /// Room for `len` elements at most; none of them exists yet.
    pub(crate) fn new(len: usize, make: fn() -> T) -> Self {
        let paged = Self { pages: (0..len.div_ceil(LEN)).map(|_| OnceLock::new()).collect(), make };
        if cfg!(earmark_loom) {
            // A model must create its atomics in the same order in every execution.
            for index in 0..paged.pages.len() {
                paged.grow(index << Self::BITS);
            }
        }
        paged
    }

    /// The element, or `None` where no page was ever claimed.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let page = self.pages.get(index >> Self::BITS)?.get()?;
        Some(&page[index & (LEN - 1)])
    }

    /// The element, its page made if need be; `None` past the cap.
    #[inline]
    pub(crate) fn grow(&self, index: usize) -> Option<&T> {
        match self.get(index) {
            Some(found) => Some(found),
            None => self.make_page(index),
        }
    }

    #[cold]
    fn make_page(&self, index: usize) -> Option<&T> {
        let page = self.pages.get(index >> Self::BITS)?;
        let page = page.get_or_init(|| {
            let made: Box<[T]> = (0..LEN).map(|_| (self.make)()).collect();
            made.try_into().unwrap_or_else(|_| unreachable!("a page was made of another length"))
        });
        Some(&page[index & (LEN - 1)])
    }
}
