//! An array that grows by pages and never moves what it holds.
//!
//! The directory is sized once from the cap; a page appears when an index on it is first claimed and
//! stays. Reading a place is two dependent loads, no lock.

use std::sync::OnceLock;

/// Elements of one page: a power of two.
const PAGE_BITS: u32 = if cfg!(earmark_loom) { 1 } else { 12 };
pub(crate) const PAGE_LEN: usize = 1 << PAGE_BITS;

/// A page knows its length by its type: an index within it needs no check.
type Page<T> = Box<[T; PAGE_LEN]>;

pub(crate) struct Paged<T> {
    pages: Box<[OnceLock<Page<T>>]>,
    make: fn() -> T,
}

impl<T> std::fmt::Debug for Paged<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filled = self.pages.iter().filter(|page| page.get().is_some()).count();
        f.debug_struct("Paged").field("pages", &filled).field("pages_max", &self.pages.len()).finish()
    }
}

impl<T> Paged<T> {
    /// Room for `len` elements at most; none of them exists yet.
    pub(crate) fn new(len: usize, make: fn() -> T) -> Self {
        let paged = Self { pages: (0..len.div_ceil(PAGE_LEN)).map(|_| OnceLock::new()).collect(), make };
        if cfg!(earmark_loom) {
            // A model must create its atomics in the same order in every execution.
            for index in 0..paged.pages.len() {
                paged.grow(index << PAGE_BITS);
            }
        }
        paged
    }

    /// The element, or `None` where no page was ever claimed.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let page = self.pages.get(index >> PAGE_BITS)?.get()?;
        Some(&page[index & (PAGE_LEN - 1)])
    }

    /// The elements from this one to the end of its page, or `None` where no page was ever claimed.
    pub(crate) fn rest_of_page(&self, index: usize) -> Option<&[T]> {
        let page = self.pages.get(index >> PAGE_BITS)?.get()?;
        page.get(index & (PAGE_LEN - 1)..)
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
        let page = self.pages.get(index >> PAGE_BITS)?;
        let page = page.get_or_init(|| {
            let made: Box<[T]> = (0..PAGE_LEN).map(|_| (self.make)()).collect();
            made.try_into().unwrap_or_else(|_| unreachable!("a page was made of another length"))
        });
        Some(&page[index & (PAGE_LEN - 1)])
    }
}
