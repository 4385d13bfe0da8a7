//! Finding a record by hash: tables of places, and the records in chunks beside them.
//!
//! ```text
//! cells:   [ place 7 | 0 ][ place 2 | 1 ][  empty  ][ place 9 | 0 ]     how far from home, in the low bits
//! records: chunk 0: 0 .. 255   chunk 1: 256 .. 511                      never moved, used again when free
//! ```
//!
//! A cell is four bytes: a place, and how far the cell is from where its hash belongs. That distance does what
//! a part of the hash does elsewhere: only records that share a home are compared. Tables grow by a sixth, not
//! twofold, so an entry costs 4.4 to 5.2 bytes whatever their number.
//!
//! **D1** Along a run of cells no distance is more than one above that of the cell before (Robin Hood), so a
//! search ends at the first cell that is nearer to its home than the search has come.
//! **D2** Every place in the table is there once; who calls sees to it that no place is free and in the table.

/// Bits of a place: more than half again of what a shard is meant to hold at most.
pub(super) const PLACE_BITS: u32 = 25;
/// No place: the end of a list.
pub(super) const NOWHERE: u32 = (1 << PLACE_BITS) - 1;
/// Cells from home at most; a table in which one would be further off grows.
const AWAY_MAX: u32 = (1 << (u32::BITS - PLACE_BITS)) - 2;
const EMPTY: u32 = u32::MAX;
/// At most so much of a table is full: nine of ten cells.
const FULL: (usize, usize) = (9, 10);
/// A table grows by a sixth.
const GROWTH: usize = 6;
/// The smallest table, and what one grows by besides.
const CELLS_MIN: usize = 8;
/// Records of one chunk: a power of two.
const CHUNK_BITS: u32 = 8;
const CHUNK_LEN: usize = 1 << CHUNK_BITS;

/// A table of places by hash.
#[derive(Debug, Default)]
pub(super) struct Index {
    cells: Box<[u32]>,
    len: usize,
}

const fn cell(place: u32, away: u32) -> u32 {
    away << PLACE_BITS | place
}

const fn place(cell: u32) -> u32 {
    cell & NOWHERE
}

const fn away(cell: u32) -> u32 {
    cell >> PLACE_BITS
}

impl Index {
    #[cfg(all(test, not(earmark_loom)))]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first cell that a hash may be in: by its upper half, because shards are chosen by the lower one.
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.cells.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.cells.len() { 0 } else { at + 1 }
    }

    /// The cell of the first place with this hash that `is` the wanted one.
    fn cell_of(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let mut at = self.home(hash);
        for steps in 0..=AWAY_MAX {
            let found = self.cells[at];
            if found == EMPTY || away(found) < steps {
                return None; // D1
            }
            if away(found) == steps && is(place(found)) {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    /// The first place with this hash that `is` the wanted one.
    pub(super) fn find(&self, hash: u64, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.cell_of(hash, is).map(|at| place(self.cells[at]))
    }

    /// Puts in a place that is not there. If the table has to grow it is made anew from `all` that belong in it,
    /// each place with its hash, the new one among them.
    pub(super) fn insert<I: Iterator<Item = (u32, u64)>>(&mut self, hash: u64, new: u32, all: impl Fn() -> I) {
        debug_assert!(new < NOWHERE);
        let full = (self.len + 1) * FULL.1 > self.cells.len() * FULL.0;
        if full || self.put(hash, new).is_err() {
            self.make_anew(self.cells.len() + self.cells.len() / GROWTH + CELLS_MIN, &all);
        } else {
            self.len += 1;
        }
    }

    /// Puts a place into a table that has room; `Err` if one, this or another, would come too far from its home.
    fn put(&mut self, hash: u64, new: u32) -> Result<(), TooFar> {
        let (mut at, mut carried) = (self.home(hash), cell(new, 0));
        loop {
            let found = self.cells[at];
            if found == EMPTY {
                self.cells[at] = carried;
                return Ok(());
            }
            if away(found) < away(carried) {
                self.cells[at] = carried; // D1: who is nearer to its home moves on
                carried = found;
            }
            if away(carried) == AWAY_MAX {
                return Err(TooFar);
            }
            carried += cell(0, 1);
            at = self.next(at);
        }
    }

    /// Takes a place out, if it is there. What stood behind it moves up. `all` as with [`insert`](Self::insert),
    /// without this one.
    pub(super) fn remove<I: Iterator<Item = (u32, u64)>>(&mut self, hash: u64, old: u32, all: impl Fn() -> I) -> bool {
        let Some(mut at) = self.cell_of(hash, |found| found == old) else { return false };
        loop {
            let next = self.next(at);
            let behind = self.cells[next];
            if behind == EMPTY || away(behind) == 0 {
                break;
            }
            self.cells[at] = behind - cell(0, 1);
            at = next;
        }
        self.cells[at] = EMPTY;
        self.len -= 1;
        if self.cells.len() > 4 * self.len + 4 * CELLS_MIN {
            self.make_anew(self.len * 2 + CELLS_MIN, &all); // memory follows what is there (P10)
        }
        true
    }

    /// A table of so many cells, or as many more as it needs. Records are read in their order: a table of its own
    /// order would meet a cold line for each.
    fn make_anew<I: Iterator<Item = (u32, u64)>>(&mut self, cells: usize, all: &impl Fn() -> I) {
        let mut cells = cells;
        loop {
            self.cells = Box::default(); // before the new one: never both
            self.cells = vec![EMPTY; cells].into();
            self.len = 0;
            let put = all().try_for_each(|(place, hash)| {
                self.len += 1;
                if self.len < cells { self.put(hash, place) } else { Err(TooFar) }
            });
            if put.is_ok() {
                return;
            }
            cells += cells / GROWTH + CELLS_MIN;
        }
    }
}

/// A place would come further from its home than a cell can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooFar;

/// Records that stay where they are; a place that is free is used again.
#[derive(Debug)]
pub(super) struct Records<T> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }
}

impl<T> Records<T> {
    /// The place of a new record; `None` if there are as many as places.
    pub(super) fn add(&mut self, record: T) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            *self.at_mut(place) = record;
            return Some(place);
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_LEN) {
            // The first grows as it is filled: small tables are small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK_LEN };
            self.chunks.push(Vec::with_capacity(room));
        }
        let before = (self.chunks.len() - 1) << CHUNK_BITS;
        let chunk = self.chunks.last_mut()?;
        let place = (before + chunk.len()) as u32;
        if place >= NOWHERE {
            return None;
        }
        chunk.push(record);
        Some(place)
    }

    /// Every place that was ever used, free ones among them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.chunks.iter().flatten().enumerate().map(|(place, record)| (place as u32, record))
    }

    /// The place may be used again.
    pub(super) fn free(&mut self, place: u32) {
        self.free.push(place);
        if self.free.len() + CHUNK_LEN >= self.room() {
            self.shrink();
        }
    }

    pub(super) fn at(&self, place: u32) -> &T {
        &self.chunks[place as usize >> CHUNK_BITS][place as usize & (CHUNK_LEN - 1)]
    }

    pub(super) fn at_mut(&mut self, place: u32) -> &mut T {
        &mut self.chunks[place as usize >> CHUNK_BITS][place as usize & (CHUNK_LEN - 1)]
    }

    #[cfg(all(test, not(earmark_loom)))]
    pub(super) fn in_use(&self) -> usize {
        self.room() - self.free.len()
    }

    /// Records, and places that are free.
    fn room(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK_LEN + last
    }

    /// Nothing is left: neither are the chunks.
    fn shrink(&mut self) {
        if self.free.len() == self.room() {
            *self = Self::default();
        }
    }
}

/// A number in words of four bytes, for records that need no more room for their alignment.
pub(super) const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> u32::BITS) as u32]
}

/// [`halves`] joined.
pub(super) const fn whole(halves: [u32; 2]) -> u64 {
    halves[0] as u64 | (halves[1] as u64) << u32::BITS
}

/// As [`halves`].
pub(super) const fn quarters(bits: u128) -> [u32; 4] {
    let [low, high] = [halves(bits as u64), halves((bits >> u64::BITS) as u64)];
    [low[0], low[1], high[0], high[1]]
}

/// [`quarters`] joined.
pub(super) const fn joined([a, b, c, d]: [u32; 4]) -> u128 {
    whole([a, b]) as u128 | (whole([c, d]) as u128) << u64::BITS
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// D1 for every cell, and each place once (D2).
    fn check(index: &Index) {
        let full = index.cells.iter().filter(|found| **found != EMPTY).count();
        assert_eq!(full, index.len);
        for (at, &found) in index.cells.iter().enumerate().filter(|(_, found)| **found != EMPTY) {
            let before = index.cells[(at + index.cells.len() - 1) % index.cells.len()];
            let most = if before == EMPTY { 0 } else { away(before) + 1 };
            assert!(away(found) <= most, "D1: {} after {before:x}", away(found));
        }
    }

    proptest! {
        /// Against a plain map, with hashes that meet often.
        #[test]
        fn d1_d2_an_index_is_a_map(turns in prop::collection::vec((0u32..200, any::<bool>()), 0..600), spread in 1u64..64) {
            let hash_of = |place: u32| (u64::from(place) % spread).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let (mut index, mut known) = (Index::default(), HashMap::new());
            for (place, insert) in turns {
                let there = index.find(hash_of(place), |found| found == place);
                prop_assert_eq!(there, known.get(&place).copied());
                if insert && there.is_none() {
                    known.insert(place, place);
                    index.insert(hash_of(place), place, || known.keys().map(|&place| (place, hash_of(place))));
                } else if !insert {
                    known.remove(&place);
                    let removed =
                        index.remove(hash_of(place), place, || known.keys().map(|&place| (place, hash_of(place))));
                    prop_assert_eq!(removed, there.is_some());
                }
                check(&index);
                prop_assert!(index.cells.len() <= 4 * index.len() + 5 * CELLS_MIN, "P10: {}", index.cells.len());
            }
        }
    }

    #[test]
    fn an_entry_costs_little_more_than_five_bytes_at_every_size() {
        let hash_of = |place: u32| u64::from(place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut index = Index::default();
        for place in 0..200_000u32 {
            index.insert(hash_of(place), place, || (0..=place).map(|place| (place, hash_of(place))));
            let bytes = size_of_val(&*index.cells);
            assert!(place < 1_000 || bytes * 100 < 525 * index.len(), "{bytes} bytes for {}", index.len());
        }
    }

    #[test]
    fn p10_records_that_are_all_free_take_no_room() {
        let mut records = Records::default();
        let places: Vec<_> = (0..1_000u32).map(|record| records.add(record).unwrap()).collect();
        assert_eq!(places, (0..1_000).collect::<Vec<_>>());
        records.free(7);
        assert_eq!(records.add(1_000), Some(7));
        assert_eq!((*records.at(7), *records.at(999)), (1_000, 999));
        places.into_iter().for_each(|place| records.free(place));
        assert_eq!((records.room(), records.chunks.capacity()), (0, 0));
    }
}
