//! Names to numbers: an open table that only grows, read without a lock.
//!
//! ```text
//!  63 .. 47   46 ....... 39   38 .. 31   30 ....... 0
//! [  tag    ][ location len ][ SKU len ][ number + 1 ]   [ 24 bytes: SKU, then location, then zeros ]
//! ```
//!
//! A cell is 32 bytes, half a cache line: a short name is found by one miss. Of a longer one (`SHORT_BYTES_MAX`)
//! the cell keeps its whole hash, and the caller compares the name itself. The hash (foldhash) is keyed at random: no list of
//! names collides in every inventory. Whoever lets strangers declare names, and measure times, caps the lines.
//!
//! A table that is four fifths full is copied to one twice as large, which then takes its place; readers go on
//! in the old one meanwhile. What was outgrown stays, so that nobody can read what is freed: 40 to 80 bytes a name
//! in the newest table, and as much again in all older ones.
//!
//! **N1** A cell shows its number only after all of its name. It never changes afterwards.
//! **N2** A table takes its place only after every name of the one before is in it: whose `insert` has returned
//! is found.
//! **N3** A table always has an empty cell, where every search ends.
//!
//! One thread at a time inserts; the table of lines sees to that.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

#[cfg(earmark_loom)]
use foldhash::quality::FixedState as Keyed; // a model must take the same path in every execution
#[cfg(not(earmark_loom))]
use foldhash::quality::RandomState as Keyed;

use crate::seeded::{Break, on};
use crate::sku::{NAME_BYTES_MAX, StockId};
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::word::Field;

const NUMBER: Field = Field::lowest(31);
const SKU_LEN: Field = NUMBER.above(8);
/// Zero: no location; else one more than its length.
const LOCATION_LEN: Field = SKU_LEN.above(8);
/// The highest bits of the hash; the lowest choose the cell.
const TAG: Field = LOCATION_LEN.above(TAG_BITS);
const TAG_BITS: u32 = 17;
const _: () = assert!(TAG.end() == u64::BITS);
const _: () = assert!(NAME_BYTES_MAX < SKU_LEN.max() as usize && NAME_BYTES_MAX < LOCATION_LEN.max() as usize);

/// Words of a name inside its cell.
const NAME_WORDS: usize = 3;
/// SKU and location together: so long a name lies in its cell.
const SHORT_BYTES_MAX: usize = NAME_WORDS * size_of::<u64>();
/// Cells of the first table: a power of two.
const CELLS_FIRST: usize = 64;
/// Least cells that hold a name and leave one empty.
const CELLS_MIN: usize = 2;

/// A name and its number: half a cache line, so that it never lies across two.
#[repr(align(32))]
struct Cell {
    head: AtomicU64,
    name: [AtomicU64; NAME_WORDS],
}

const _: () = assert!(cfg!(earmark_loom) || size_of::<Cell>() == 32);

pub(crate) struct Names<S = Keyed> {
    hasher: S,
    /// Each twice as large as the one before; made when it is needed.
    tables: Box<[OnceLock<Box<[Cell]>>]>,
    /// Tables that took their place: the last of them is searched.
    begun: AtomicU64,
    cells_first: usize,
}

/// What a cell says of a name: its head without the number, and its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    hash: u64,
    head: u64,
    name: [u64; NAME_WORDS],
}

impl<S> std::fmt::Debug for Names<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("cells", &self.newest().map_or(0, <[Cell]>::len)).finish_non_exhaustive()
    }
}

impl Names {
    /// Room for `names_max` names; takes no memory for them yet.
    pub(crate) fn new(names_max: usize) -> Self {
        let all = cells_for(names_max);
        Self::with(names_max, CELLS_FIRST.min(all), Keyed::default())
    }
}

impl<S: BuildHasher> Names<S> {
    /// With so many cells in the first table: a power of two.
    fn with(names_max: usize, cells_first: usize, hasher: S) -> Self {
        assert!(cells_first.is_power_of_two() && cells_first >= CELLS_MIN);
        let doublings = (cells_for(names_max) / cells_first).max(1).ilog2() as usize;
        let tables: Box<[OnceLock<Box<[Cell]>>]> = (0..=doublings).map(|_| OnceLock::new()).collect();
        let names = Self { hasher, tables, begun: apart(0), cells_first };
        if cfg!(earmark_loom) {
            // A model must create its atomics in the same order in every execution.
            (0..=doublings).for_each(|level| _ = names.table(level));
        }
        names
    }

    /// The number of a name. Of a long one `is` says whether it is the name of this line.
    #[inline]
    pub(crate) fn find(&self, sku: &str, location: Option<&str>, is: impl Fn(StockId) -> bool) -> Option<StockId> {
        if location.is_none() && sku.len() <= SHORT_BYTES_MAX {
            return self.search(&Wanted::short(&self.hasher, lengths(sku.len(), None), pack(sku.as_bytes())), |_| true);
        }
        self.find_other(sku, location, is)
    }

    #[inline(never)]
    fn find_other(&self, sku: &str, location: Option<&str>, is: impl Fn(StockId) -> bool) -> Option<StockId> {
        let too_long = |name: &str| name.len() > NAME_BYTES_MAX;
        if too_long(sku) || location.is_some_and(too_long) {
            return None;
        }
        let wanted = Wanted::new(&self.hasher, sku, location);
        self.search(&wanted, |line| is_short(wanted.head) || is(line))
    }

    #[inline]
    fn search(&self, wanted: &Wanted, is: impl Fn(StockId) -> bool) -> Option<StockId> {
        let table = self.newest()?;
        let mut at = wanted.hash as usize;
        loop {
            let cell = &table[at & (table.len() - 1)];
            // ORDERING: Acquire pairs with the Release of `Cell::fill`: who sees the head sees the name, and the
            // line of that number. With Relaxed it could compare what was there before the name.
            let head = cell.head.load(Acquire);
            if head == 0 {
                return None; // N3
            }
            if NUMBER.put(head, 0) == wanted.head && cell.holds(wanted.name) {
                let line = StockId::new(NUMBER.of(head) as u32 - 1);
                if is(line) {
                    return Some(line);
                }
            }
            at = at.wrapping_add(1);
        }
    }

    /// Makes room for one more than `len` names.
    pub(crate) fn make_room(&self, len: usize) {
        let begun = self.begun.load(Relaxed) as usize; // Relaxed: whoever inserted before handed on the lock
        let cells = begun.checked_sub(1).map_or(0, |level| self.cells_first << level);
        if len < names_in(cells) || begun >= self.tables.len() {
            return;
        }
        let new = self.table(begun);
        if on(Break::NamesEarly) {
            self.begun.store(begun as u64 + 1, Release);
        }
        for cell in self.newest_of(begun).into_iter().flatten() {
            let head = cell.head.load(Relaxed);
            if head != 0 {
                place(new, self.hash_again(head, cell.words()), head, cell.words());
            }
        }
        // ORDERING: Release pairs with the Acquire in `newest`: who goes to this table finds in it whatever the
        // one before held (N2).
        self.begun.store(begun as u64 + 1, Release);
    }

    /// Names a line, for which `make_room` made room. The name must be new, and its SKU not empty.
    pub(crate) fn insert(&self, sku: &str, location: Option<&str>, line: StockId) {
        let wanted = Wanted::new(&self.hasher, sku, location);
        let table = self.newest().expect("room was made");
        place(table, wanted.hash, NUMBER.put(wanted.head, u64::from(line.raw()) + 1), wanted.name);
    }

    /// The hash of a name that stands in a cell.
    fn hash_again(&self, head: u64, name: [u64; NAME_WORDS]) -> u64 {
        if is_short(head) { Wanted::short(&self.hasher, lengths_of(head), name).hash } else { name[0] }
    }
}

impl<S> Names<S> {
    #[inline]
    fn newest(&self) -> Option<&[Cell]> {
        // ORDERING: Acquire pairs with the Release in `make_room`.
        self.newest_of(self.begun.load(Acquire) as usize)
    }

    #[inline]
    fn newest_of(&self, begun: usize) -> Option<&[Cell]> {
        Some(self.tables.get(begun.wrapping_sub(1))?.get()?)
    }

    fn table(&self, level: usize) -> &[Cell] {
        self.tables[level].get_or_init(|| (0..self.cells_first << level).map(|_| Cell::new()).collect())
    }
}

impl Cell {
    fn new() -> Self {
        Self { head: apart(0), name: [apart(0), apart(0), apart(0)] }
    }

    /// For the one thread that inserts.
    fn words(&self) -> [u64; NAME_WORDS] {
        [self.name[0].load(Relaxed), self.name[1].load(Relaxed), self.name[2].load(Relaxed)]
    }

    /// Word by word: as arrays they would be put together in memory first.
    #[inline]
    fn holds(&self, [first, second, third]: [u64; NAME_WORDS]) -> bool {
        // ORDERING: Relaxed; written once, before the head that the caller has read.
        self.name[0].load(Relaxed) == first
            && self.name[1].load(Relaxed) == second
            && self.name[2].load(Relaxed) == third
    }

    fn fill(&self, head: u64, name: [u64; NAME_WORDS]) {
        if on(Break::NamesHeadFirst) {
            self.head.store(head, Release);
        }
        self.name.iter().zip(name).for_each(|(word, value)| word.store(value, Relaxed));
        // ORDERING: Release pairs with the Acquire in `find` (N1).
        self.head.store(head, Release);
    }
}

impl Wanted {
    /// A name that lies in its cell.
    #[inline]
    fn short(hasher: &impl BuildHasher, lengths: u64, name: [u64; NAME_WORDS]) -> Self {
        let mut hasher = hasher.build_hasher();
        let [first, second, third] = name;
        for word in [first, second, third, lengths] {
            hasher.write_u64(word);
        }
        Self::hashed(hasher.finish(), lengths, name)
    }

    fn new(hasher: &impl BuildHasher, sku: &str, location: Option<&str>) -> Self {
        let lengths = lengths(sku.len(), location.map(str::len));
        let location = location.unwrap_or_default();
        if is_short(lengths) {
            let mut both = [0; SHORT_BYTES_MAX];
            both[..sku.len()].copy_from_slice(sku.as_bytes());
            both[sku.len()..][..location.len()].copy_from_slice(location.as_bytes());
            return Self::short(hasher, lengths, pack(&both));
        }
        let mut hasher = hasher.build_hasher();
        hasher.write(sku.as_bytes());
        hasher.write(location.as_bytes());
        hasher.write_u64(lengths);
        let hash = hasher.finish();
        Self::hashed(hash, lengths, [hash, 0, 0])
    }

    #[inline]
    fn hashed(hash: u64, lengths: u64, name: [u64; NAME_WORDS]) -> Self {
        Self { hash, head: TAG.put(lengths, hash >> (u64::BITS - TAG_BITS)), name }
    }
}

/// Both lengths of a name, where a head has them.
#[inline]
fn lengths(sku: usize, location: Option<usize>) -> u64 {
    LOCATION_LEN.put(SKU_LEN.put(0, sku as u64), location.map_or(0, |len| len as u64 + 1))
}

/// Those of a head.
fn lengths_of(head: u64) -> u64 {
    TAG.put(NUMBER.put(head, 0), 0)
}

/// Whether a name of the lengths in this head lies in its cell.
fn is_short(head: u64) -> bool {
    SKU_LEN.of(head) + LOCATION_LEN.of(head).saturating_sub(1) <= SHORT_BYTES_MAX as u64
}

/// The first empty cell from where this hash belongs takes it.
fn place(table: &[Cell], hash: u64, head: u64, name: [u64; NAME_WORDS]) {
    let from = hash as usize;
    let mut cells = (0..table.len()).map(|step| &table[from.wrapping_add(step) & (table.len() - 1)]);
    let empty = cells.find(|cell| cell.head.load(Relaxed) == 0);
    empty.expect("N3: a table has an empty cell").fill(head, name);
}

/// Up to `SHORT_BYTES_MAX` bytes as words, with zeros behind them, by reads that overlap: to copy a length that is
/// known only when it runs is a call, and what it stores piece by piece is slow to load as words.
#[inline]
fn pack(bytes: &[u8]) -> [u64; NAME_WORDS] {
    const WORD: usize = size_of::<u64>();
    let len = bytes.len();
    debug_assert!(len <= SHORT_BYTES_MAX);
    let (Some((first, rest)), Some(last)) = (bytes.split_first_chunk(), bytes.last_chunk()) else {
        return [tail(bytes), 0, 0];
    };
    let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    let last_of = |words: usize| last >> (8 * (words * WORD - len)); // its lowest bytes are in the word before
    match rest.first_chunk() {
        Some(second) if len > 2 * WORD => [first, u64::from_le_bytes(*second), last_of(3)],
        _ if len > WORD => [first, last_of(2), 0],
        _ => [first, 0, 0],
    }
}

/// Fewer than eight bytes as a word.
#[inline]
fn tail(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let at = |place: usize| u64::from(bytes[place]) << (8 * place);
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4))
        }
        _ if len > 0 => at(0) | at(len / 2) | at(len - 1),
        _ => 0,
    }
}

/// Names that a table of so many cells takes: four fifths, so that a name is found in the second or third cell it is
/// looked for in, most likely of the same cache line. Sparser tables were slower: what counts is how much of them
/// the cache holds.
const fn names_in(cells: usize) -> usize {
    (cells - cells / 5).saturating_sub(1)
}

/// Cells that take so many names.
fn cells_for(names: usize) -> usize {
    let mut cells = CELLS_MIN;
    while names_in(cells) < names {
        cells *= 2;
    }
    cells
}

#[cfg(all(test, not(earmark_loom)))]
mod properties;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A hasher that keeps only the lowest bits of a good one: with none, all names collide.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Coarse(pub(crate) u32);

    #[allow(missing_debug_implementations, reason = "what it is made of has none")]
    pub(crate) struct CoarseHasher(foldhash::quality::FoldHasher<'static>, u32);

    impl BuildHasher for Coarse {
        type Hasher = CoarseHasher;
        fn build_hasher(&self) -> CoarseHasher {
            CoarseHasher(foldhash::quality::FixedState::with_seed(7).build_hasher(), self.0)
        }
    }

    impl Hasher for CoarseHasher {
        fn write(&mut self, bytes: &[u8]) {
            self.0.write(bytes);
        }
        fn finish(&self) -> u64 {
            self.0.finish() & ((1 << self.1) - 1)
        }
    }

    impl Names<Coarse> {
        /// A table of two cells at first, with so many bits of hash.
        pub(crate) fn coarse(names_max: usize, bits: u32) -> Self {
            Self::with(names_max, CELLS_MIN, Coarse(bits))
        }
    }

    #[test]
    fn a_word_holds_its_bytes_and_zeros_behind_them() {
        let bytes: Vec<u8> = (1..=SHORT_BYTES_MAX as u8).collect();
        for len in 0..=SHORT_BYTES_MAX {
            let mut padded = [0; SHORT_BYTES_MAX];
            padded[..len].copy_from_slice(&bytes[..len]);
            let words = padded.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
            assert!(words.eq(pack(&bytes[..len])), "{len} bytes");
        }
    }

    #[test]
    fn n3_every_size_leaves_a_cell_empty_and_holds_what_it_is_made_for() {
        for names in 1..10_000 {
            let cells = cells_for(names);
            assert!(cells.is_power_of_two() && (names..cells).contains(&names_in(cells)), "{names}");
        }
        assert_eq!(names_in(0), 0);
    }
}
