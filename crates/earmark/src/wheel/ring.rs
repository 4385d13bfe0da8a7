//! Four circles of 1,024 buckets: where reservations that outlived the nursery wait for their deadline.
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987) with one-millisecond ticks. The level of a
//! deadline is the highest digit, in base 1,024, in which it differs from now. Plain data: whoever
//! sweeps holds the lock around it. The deadline that counts lives in the slot alone, and is asked for
//! when an entry is due, so moving a deadline later costs the wheel nothing.
//!
//! ```text
//!  63 ....... 32  31 ... 12  11 ..... 0
//! [ slot        ] [ place  ] [ stamp   ]   place: the deadline as it was, from the start of its bucket
//! ```
//!
//! What a bucket of a higher circle holds goes on to lower ones by its place, and no slot is looked at
//! (a miss of the cache each) before its time: exactly up to 2^20 ms ahead of the bucket, 17 minutes; the
//! highest circle rounds down to 1,024 ms, and what is early for that is looked at and put in again.
//! The stamp is the generation's low bits. It only spares looks at what has ended: what lives in a slot
//! may always be looked at, and one entry more for it is one look more, no harm.
//!
//! Most entries end long before their deadline, and the ring is not told. So when it has grown to twice
//! what it was, it is *sifted*: bucket by bucket, what has ended is dropped and the rest put back. That
//! costs two looks for each entry ever inserted, and bounds the memory by the living (P10).
//!
//! **W1** No bucket whose span has begun is left unopened behind `now`.
//! **W2** An entry never fires after its deadline's tick has been reached by `open_next`.
//! **W5** Sifting moves no entry to a bucket that begins before its own: `next_start` stays a bound.
//! **W7** No entry is handed out to be looked at before its place says so, however many circles it comes down.

use crate::seeded::{Break, on};
use crate::word::Field;

/// The low bits of a generation: nearly always enough to know that it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(u16);

impl Stamp {
    pub(crate) const fn of(generation: u32) -> Self {
        Self(STAMP.of(generation as u64) as u16)
    }
}

/// A reservation as the wheel knows it: its slot, and a good part of its generation; never a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) slot: u32,
    pub(crate) stamp: Stamp,
}

impl Entry {
    /// Fills places that are not used.
    pub(crate) const NONE: Self = Self { slot: 0, stamp: Stamp(0) };

    const fn unpack(packed: u64) -> Self {
        Self { slot: SLOT.of(packed) as u32, stamp: Stamp(STAMP.of(packed) as u16) }
    }
}

const STAMP: Field = Field::lowest(12);
const PLACE_BITS: u32 = 20;
const PLACE: Field = STAMP.above(PLACE_BITS);
const SLOT: Field = PLACE.above(32);
const _: () = assert!(SLOT.end() == u64::BITS);

/// An entry in a bucket of `level`: where its deadline lies in there is part of it.
const fn pack(entry: Entry, deadline: u64, level: u32) -> u64 {
    let within = deadline & ((1 << (level * DIGIT_BITS)) - 1);
    (entry.slot as u64) << 32 | PLACE.put(entry.stamp.0 as u64, within >> unit(level))
}

/// The tick, of a bucket of `level` that begins at `start`, at which an entry is due: rounded down.
const fn due(packed: u64, start: u64, level: u32) -> u64 {
    start + (PLACE.of(packed) << unit(level))
}

/// What a place in a bucket of `level` is rounded to, as a shift.
const fn unit(level: u32) -> u32 {
    (level * DIGIT_BITS).saturating_sub(PLACE_BITS)
}

/// An entry taken out to be looked at early, and where it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sifted {
    /// The tick before which it must not be put.
    pub(crate) start: u64,
    packed: u64,
    level: u16,
    bucket: u16,
}

impl Sifted {
    pub(crate) const NONE: Self = Self { start: 0, packed: 0, level: 0, bucket: 0 };

    pub(crate) const fn entry(self) -> Entry {
        Entry::unpack(self.packed)
    }
}

const DIGIT_BITS: u32 = if cfg!(earmark_loom) { 3 } else { 10 };
const BUCKETS: usize = 1 << DIGIT_BITS;
const LEVELS: u32 = 4;
const OCCUPIED_WORDS: usize = BUCKETS.div_ceil(64);

/// Entries in one chunk: with its header a chunk is 512 bytes.
const CHUNK_LEN: usize = 63;
/// Chunks made at once.
const BLOCK_LEN: usize = if cfg!(earmark_loom) { 2 } else { 64 };
const NONE: u32 = u32::MAX;
/// A ring with fewer entries than this is not sifted. Small in tests, so that the models sift all the time.
const SIFT_MIN: usize = if cfg!(test) { 8 } else { 4_096 };

#[derive(Debug, Clone, Copy)]
struct Chunk {
    next: u32,
    len: u32,
    entries: [u64; CHUNK_LEN],
}

impl Chunk {
    const EMPTY: Self = Self { next: NONE, len: 0, entries: [0; CHUNK_LEN] };
}

#[derive(Debug)]
struct Level {
    heads: Box<[u32]>,
    occupied: [u64; OCCUPIED_WORDS],
}

impl Level {
    fn new() -> Self {
        Self { heads: vec![NONE; BUCKETS].into_boxed_slice(), occupied: [0; OCCUPIED_WORDS] }
    }

    /// The first occupied bucket at or after `from`, not going round.
    fn next_occupied(&self, from: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % 64);
        for at in from / 64..OCCUPIED_WORDS {
            let bits = self.occupied[at] & mask;
            if bits != 0 {
                return Some(at * 64 + bits.trailing_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }
}

#[derive(Debug)]
pub(crate) struct Ring {
    now: u64,
    levels: [Level; LEVELS as usize],
    blocks: Vec<Box<[Chunk]>>,
    free: u32,
    /// The bucket being worked off: it may take several calls.
    open: u32,
    /// More of that bucket: what was put back into it while the rest was being sifted.
    open_after: u32,
    /// Where it begins, and its level.
    open_start: u64,
    open_level: u32,
    /// The bucket being sifted, and the tick at which it begins.
    sifted: u32,
    sifted_start: u64,
    /// Level and bucket at which a sifting goes on; none is under way at `LEVELS`.
    sift_from: (usize, usize),
    /// The length at which the next sifting begins.
    sift_at: usize,
    len: usize,
    /// Entries that went to lower circles while a sifting was under way: it may have missed them.
    passed_on: usize,
}

impl Ring {
    pub(crate) fn new(now: u64) -> Self {
        let levels = std::array::from_fn(|_| Level::new());
        Self {
            now,
            levels,
            blocks: Vec::new(),
            free: NONE,
            open: NONE,
            open_after: NONE,
            open_start: 0,
            open_level: 0,
            sifted: NONE,
            sifted_start: 0,
            sift_from: (LEVELS as usize, 0),
            sift_at: SIFT_MIN,
            len: 0,
            passed_on: 0,
        }
    }

    /// The tick up to which every bucket was opened.
    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// Entries held, dead ones included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry that is due at `deadline`.
    pub(crate) fn insert(&mut self, entry: Entry, deadline: u64) {
        // A deadline that is not ahead of the ring goes into the bucket that is opened next (W2).
        let deadline = deadline.max(self.now + 1);
        let digit = (u64::BITS - 1 - (deadline ^ self.now).leading_zeros()) / DIGIT_BITS;
        let level = digit.min(LEVELS - 1);
        let shift = if on(Break::WrapOffByOne) && level > 0 { (level + 1) * DIGIT_BITS } else { level * DIGIT_BITS };
        let bucket = (deadline >> shift) as usize & (BUCKETS - 1);
        let level = &mut self.levels[level as usize];
        level.occupied[bucket / 64] |= 1 << (bucket % 64);
        let head = level.heads[bucket];
        let head = self.append(head, pack(entry, deadline, digit.min(LEVELS - 1)));
        self.levels[digit.min(LEVELS - 1) as usize].heads[bucket] = head;
        self.len += 1;
    }

    /// The tick at which the next bucket begins, if any: nothing held is due before it.
    pub(crate) fn next_start(&self) -> Option<u64> {
        if self.open != NONE {
            return Some(self.now);
        }
        let sifted = (self.sifted != NONE).then_some(self.sifted_start);
        let next = self.next_bucket().map(|(start, ..)| start);
        sifted.into_iter().chain(next).min()
    }

    /// Opens the next bucket that begins at or before `until`. `false`: none, and `now` is `until`.
    pub(crate) fn open_next(&mut self, until: u64) -> bool {
        if self.open != NONE {
            return true;
        }
        let Some(start) = self.next_start().filter(|&start| start <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        // Of a bucket that is being sifted both parts are opened together: what lies in lower circles
        // afterwards must not hide the second one (W1).
        if let Some((_, level, bucket)) = self.next_bucket().filter(|&(next, ..)| next == start) {
            self.open = self.take_bucket(level, bucket);
            self.open_level = level as u32;
        }
        self.open_start = start;
        if self.sifted != NONE && self.sifted_start == start {
            self.open_level = self.sift_from.0 as u32; // of the other part too: it is one bucket
            self.open_after = std::mem::replace(&mut self.open, std::mem::replace(&mut self.sifted, NONE));
        }
        self.now = self.now.max(start);
        true
    }

    /// Takes entries out of the open bucket: those due at `until` into `due`, as many as it holds; what is due later
    /// goes on to lower circles, `moves` at most. How many of each; none of either, and the bucket is empty.
    pub(crate) fn take_due(&mut self, until: u64, into: &mut [Entry], moves: usize) -> (usize, usize) {
        let (mut taken, mut moved) = (0, 0);
        while taken < into.len() && moved < moves {
            let Some(packed) = self.pop() else { break };
            let due = if on(Break::PlaceLost) { until } else { due(packed, self.open_start, self.open_level) };
            let entry = Entry::unpack(packed);
            if due > until {
                self.insert(entry, due);
                moved += 1;
            } else {
                into[taken] = entry;
                taken += 1;
            }
        }
        if self.sifts() {
            self.passed_on += moved;
        }
        (taken, moved)
    }

    fn pop(&mut self) -> Option<u64> {
        let mut open = self.open;
        let mut packed = self.pop_from(&mut open);
        if packed.is_none() {
            open = std::mem::replace(&mut self.open_after, NONE);
            packed = self.pop_from(&mut open);
        }
        self.open = open;
        packed
    }

    /// Whether a sifting is under way.
    const fn sifts(&self) -> bool {
        self.sift_from.0 < LEVELS as usize
    }

    /// Whether the ring has grown so much that what has ended is worth looking for.
    pub(crate) const fn wants_sifting(&self) -> bool {
        self.len > self.sift_at || self.sifts()
    }

    /// Puts an entry that was sifted back where it was (W5).
    pub(crate) fn put_back(&mut self, sifted: Sifted) {
        let Sifted { packed, level, bucket, .. } = sifted;
        let head = self.levels[level as usize].heads[bucket as usize];
        let head = self.append(head, packed);
        let level = &mut self.levels[level as usize];
        level.occupied[bucket as usize / 64] |= 1 << (bucket % 64);
        level.heads[bucket as usize] = head;
        self.len += 1;
    }

    /// Takes out an entry to be looked at early. `None`: every bucket was sifted, or the next one is about to be
    /// opened.
    pub(crate) fn sift(&mut self) -> Option<Sifted> {
        if !self.sifts() {
            (self.sift_from, self.passed_on) = ((0, 0), 0);
        }
        loop {
            if self.sifted != NONE {
                if self.sifted_start <= self.now {
                    return None; // W1: `open_next` takes it from here
                }
                let mut sifted = self.sifted;
                let packed = self.pop_from(&mut sifted);
                self.sifted = sifted;
                if let Some(packed) = packed {
                    let (level, next) = self.sift_from;
                    let (level, bucket) = (level as u16, next as u16 - 1);
                    return Some(Sifted { start: self.sifted_start, packed, level, bucket });
                }
            }
            let (level, from) = self.sift_from;
            if level >= LEVELS as usize {
                // What it missed counts as ended: sifted once more, it cannot outgrow the living (P10).
                self.sift_at = SIFT_MIN.max(self.len.saturating_sub(self.passed_on).saturating_mul(2));
                return None;
            }
            let Some(bucket) = (from < BUCKETS).then(|| self.levels[level].next_occupied(from)).flatten() else {
                self.sift_from = (level + 1, 0);
                continue;
            };
            let start = self.start_of(level, bucket);
            if start <= self.now {
                return None;
            }
            self.sifted = self.take_bucket(level, bucket);
            self.sifted_start = start;
            self.sift_from = (level, bucket + 1);
        }
    }

    fn take_bucket(&mut self, level: usize, bucket: usize) -> u32 {
        let level = &mut self.levels[level];
        level.occupied[bucket / 64] &= !(1 << (bucket % 64));
        std::mem::replace(&mut level.heads[bucket], NONE)
    }

    fn pop_from(&mut self, head: &mut u32) -> Option<u64> {
        while *head != NONE {
            let at = *head;
            let chunk = self.chunk(at);
            if chunk.len > 0 {
                chunk.len -= 1;
                let packed = chunk.entries[chunk.len as usize];
                self.len -= 1;
                return Some(packed);
            }
            let free = self.free;
            *head = std::mem::replace(&mut self.chunk(at).next, free);
            self.free = at;
        }
        None
    }

    /// The tick at which an occupied bucket begins.
    fn start_of(&self, level: usize, bucket: usize) -> u64 {
        let shift = level as u32 * DIGIT_BITS;
        let here = (self.now >> shift) as usize & (BUCKETS - 1);
        let circle = self.now >> shift >> DIGIT_BITS;
        // Only the highest circle goes round: what lies behind `here` is one turn ahead.
        let turn = u64::from(level + 1 == LEVELS as usize && bucket < here);
        (((circle + turn) << DIGIT_BITS) | bucket as u64) << shift
    }

    /// Start, level and number of the next occupied bucket. Lower levels lie before higher ones.
    fn next_bucket(&self) -> Option<(u64, usize, usize)> {
        for (level, ring) in self.levels.iter().enumerate() {
            let shift = level as u32 * DIGIT_BITS;
            let here = (self.now >> shift) as usize & (BUCKETS - 1);
            let mut bucket = ring.next_occupied(here);
            if level + 1 == LEVELS as usize {
                bucket = bucket.or_else(|| ring.next_occupied(0));
            }
            if let Some(bucket) = bucket {
                return Some((self.start_of(level, bucket), level, bucket));
            }
        }
        None
    }

    fn chunk(&mut self, index: u32) -> &mut Chunk {
        &mut self.blocks[index as usize / BLOCK_LEN][index as usize % BLOCK_LEN]
    }

    fn append(&mut self, head: u32, packed: u64) -> u32 {
        let mut at = head;
        if head == NONE || self.chunk(head).len as usize == CHUNK_LEN {
            at = self.fresh_chunk();
            self.chunk(at).next = head;
        }
        let chunk = self.chunk(at);
        chunk.entries[chunk.len as usize] = packed;
        chunk.len += 1;
        at
    }

    fn fresh_chunk(&mut self) -> u32 {
        if self.free == NONE {
            let first = (self.blocks.len() * BLOCK_LEN) as u32;
            self.blocks.push(vec![Chunk::EMPTY; BLOCK_LEN].into_boxed_slice());
            for at in first..first + BLOCK_LEN as u32 {
                let free = self.free;
                self.chunk(at).next = free;
                self.free = at;
            }
        }
        let at = self.free;
        let chunk = self.chunk(at);
        let next = std::mem::replace(&mut chunk.next, NONE);
        self.free = next;
        at
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Looks that an entry costs whose place was rounded, and of any other.
    const LOOKS_ROUNDED: u32 = 2;
    const LOOKS_EXACT: u32 = 1;
    /// Which of its signs is seen first is chance.
    const OUT_OF_PLACE: &str = "an entry is out of its place";

    proptest! {
        // A failure names its smallest input; a file of it would be left behind by the seeded break.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// W1 and W2 on the ring alone: every entry is due in the very tick of its deadline, from any start, over
        /// every level and the turn of the highest circle, also where time leaps over many buckets.
        /// W5: also while the ring is sifted in between, a little at a time.
        /// W7: nobody is looked at before that, or once if its deadline lay so far ahead that it was rounded.
        #[test]
        fn w1_w2_w5_w7_every_entry_fires_at_its_deadline(
            turn in 0u64..3, before_turn in 0u64..1 << 37, ahead in prop::collection::vec((0u32..36, any::<u64>()), 1..40),
            sifts in 0usize..20, leaps in prop::collection::vec(0u32..30, 1..20), room in 1usize..5, moves in 1usize..5,
        ) {
            let start = ((turn + 1) << (LEVELS * DIGIT_BITS)) - before_turn;
            let mut ring = Ring::new(start);
            // A number of each magnitude, so that every level is used.
            let deadlines: Vec<u64> =
                ahead.iter().map(|(bits, random)| start + (1 << bits) + random % (1u64 << bits)).collect();
            for (at, deadline) in deadlines.iter().enumerate() {
                ring.insert(Entry { slot: at as u32, stamp: Stamp::of(1) }, *deadline);
            }
            let looks_max = |deadline: u64| {
                let digit = (deadline ^ start).ilog2() / DIGIT_BITS;
                if unit(digit.min(LEVELS - 1)) == 0 { LOOKS_EXACT } else { LOOKS_ROUNDED }
            };
            let mut looks = vec![0; deadlines.len()];
            let mut fired = vec![None; deadlines.len()];
            let mut wanted = fired.clone();
            let mut leaps = leaps.into_iter().cycle();
            while let Some(next) = ring.next_start() {
                for _ in 0..sifts {
                    let Some(sifted) = ring.sift() else { break };
                    let entry = sifted.entry();
                    prop_assert!(sifted.start >= next && sifted.start > ring.now(), "{}: W5", OUT_OF_PLACE);
                    // Where it was, or where its deadline would put it now.
                    if entry.slot % 2 == 0 {
                        ring.put_back(sifted);
                    } else {
                        ring.insert(entry, deadlines[entry.slot as usize].max(sifted.start));
                    }
                }
                prop_assert!(ring.next_start() == Some(next), "{}: W5", OUT_OF_PLACE);
                let mut waiting = deadlines.iter().zip(&fired).filter(|(_, fired)| fired.is_none());
                prop_assert!(waiting.all(|(deadline, _)| next <= *deadline), "{}: W1", OUT_OF_PLACE);
                // Mostly to the very next bucket.
                let until = next + ((1u64 << leaps.next().unwrap_or(0)) >> 10);
                for (wanted, _) in wanted.iter_mut().zip(&deadlines).filter(|(_, deadline)| **deadline <= until) {
                    wanted.get_or_insert(until);
                }
                prop_assert!(ring.open_next(until));
                while ring.open_next(until) {
                    let mut due = [Entry::NONE; 4];
                    let (len, _) = ring.take_due(until, &mut due[..room], moves);
                    for entry in &due[..len] {
                        let at = entry.slot as usize;
                        looks[at] += 1;
                        if deadlines[at] <= until {
                            fired[at] = Some(until);
                        } else {
                            ring.insert(*entry, deadlines[at]);
                        }
                    }
                }
            }
            prop_assert!(fired == wanted && ring.len() == 0, "{}: W2, {:?}, not {:?}", OUT_OF_PLACE, fired, wanted);
            // Last, so that what is late is called late.
            for (deadline, looks) in deadlines.into_iter().zip(looks) {
                prop_assert!(looks <= looks_max(deadline), "W7: looked at {} times", looks);
            }
        }
    }

    /// P10: what a sifting misses because it went to a lower circle meanwhile is sifted soon after.
    #[test]
    fn sifting_goes_on_at_once_if_it_missed_many() {
        let mut ring = Ring::new(1 << 41);
        let far = (1 << 41) + (1 << (2 * DIGIT_BITS));
        for slot in 0..1_000 {
            ring.insert(Entry { slot, stamp: Stamp::of(1) }, (1 << 41) + 2_000);
        }
        for slot in 1_000..11_000 {
            ring.insert(Entry { slot, stamp: Stamp::of(1) }, far + 500);
        }
        let first = ring.sift().unwrap();
        ring.put_back(first);
        // Past all of the first; the bucket of the rest is opened, and they go on to a circle that is sifted already.
        while ring.open_next(far) {
            ring.take_due(far, &mut [Entry::NONE; 32], 32);
        }
        assert_eq!(ring.len(), 10_000);
        while ring.sift().is_some() {} // all have ended
        assert!(ring.wants_sifting());
        while ring.sift().is_some() {}
        assert!(!ring.wants_sifting());
        assert_eq!(ring.len(), 0);
    }

    #[test]
    fn sifting_visits_every_entry_once_and_then_waits_until_the_ring_has_doubled() {
        let mut ring = Ring::new(1 << 41);
        let entries = 3 * 4_096;
        let deadline = |slot: u32| (1 << 41) + 1 + (u64::from(slot) << (slot % 25));
        for slot in 0..entries {
            ring.insert(Entry { slot, stamp: Stamp::of(1) }, deadline(slot));
        }
        assert!(ring.wants_sifting());
        let mut seen = vec![0; entries as usize];
        while let Some(sifted) = ring.sift() {
            let slot = sifted.entry().slot;
            seen[slot as usize] += 1;
            if slot % 3 == 0 {
                ring.put_back(sifted);
            }
        }
        assert!(seen.iter().all(|&times| times == 1));
        assert_eq!(ring.len(), 4_096);
        assert!(!ring.wants_sifting());
        for slot in 0..=4_096 {
            assert!(!ring.wants_sifting());
            ring.insert(Entry { slot, stamp: Stamp::of(2) }, deadline(slot));
        }
        assert!(ring.wants_sifting());
    }
}
