//! Hot lines: which are spread over the lanes, and when they come together again.
//!
//! A change of a line's word that somebody else's change made fail is the sign of a crowd. A lane that loses
//! [`HEAT`] of them on one line within [`WINDOW_MS`] makes it hot, if there is enough to go round; a look into the
//! books, a refusal, or a second or two in which only one lane wants it, make it plain again. None of this is
//! on the way of a line that is not hot, but a look at one bit.

use crossbeam::utils::CachePadded;

use super::Inventory;
use crate::sku::StockId;
use crate::stock::counter::{Counter, Refused, Snapshot as Word, Tried};
use crate::stock::stripes::Stripes;
use crate::sync::Mutex;
use crate::word::Field;
// Only hints: plain atomics also in loom models, which need not explore them.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Lost changes of one line by one lane that make it hot: what a crowd does in a tenth of a millisecond.
pub(super) const HEAT: u64 = 256;
/// They must come within this time.
pub(super) const WINDOW_MS: u64 = 100;
/// At most one line is made hot in this time, or lines that are looked into often would use up all tags.
pub(super) const HEAT_EVERY_MS: u64 = 20;
/// Available units for each lane below which a line is not made hot: batches would be too small to be worth it.
pub(super) const UNITS_PER_LANE: u32 = 128;
/// How often it is looked at which lines cool.
pub(super) const COOL_EVERY_MS: u64 = 1_000;
/// Looks in a row that find at most one lane at work, before a line is plain again.
const QUIET_LOOKS: u8 = 2;

const LINE: Field = Field::lowest(30);
const LOST: Field = LINE.above(10);
const SINCE: Field = LOST.above(24);
const _: () = assert!(SINCE.end() <= u64::BITS && LOST.max() > 2 * HEAT);

/// The lines that are hot, and those that may become so.
#[derive(Debug)]
pub(super) struct HotLines {
    stripes: Stripes,
    /// For each lane the line on which it lost most, how often, and since when.
    heat: Box<[CachePadded<AtomicU64>]>,
    heated_at: AtomicU64,
    looked_at: AtomicU64,
    looks: Mutex<Vec<Look>>,
}

/// What the last look at a place found.
#[derive(Debug, Default)]
struct Look {
    words: Vec<u64>,
    quiet: u8,
}

impl HotLines {
    pub(super) fn new(lanes: usize, lines_max: usize) -> Self {
        Self {
            stripes: Stripes::new(lanes, lines_max),
            heat: (0..if lanes > 1 && lines_max > 0 { lanes } else { 0 }).map(|_| CachePadded::default()).collect(),
            heated_at: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            looks: Mutex::new(Vec::new()),
        }
    }

    /// Makes a line plain, so that its word says all; with its books locked.
    #[inline]
    pub(super) fn fold(&self, line: StockId, counter: &Counter) {
        if counter.snapshot().parted() {
            self.stripes.fold(line.raw(), counter);
        }
    }

    /// The word of a line that is not hot, if only because its stripes were closed just now.
    #[inline]
    pub(super) fn cooled(&self, line: StockId, counter: &Counter) -> Word {
        self.stripes.cooled(line.raw(), counter)
    }

    /// The word of a line as it would be if it were plain; closes its stripes.
    pub(super) fn whole(&self, line: StockId, counter: &Counter) -> Option<Word> {
        self.stripes.whole(line.raw(), counter)
    }

    #[inline]
    pub(super) fn available(&self, line: StockId, counter: &Counter) -> u32 {
        let word = counter.snapshot();
        if word.hot() { self.stripes.available(line.raw(), counter) } else { word.available() }
    }

    pub(super) fn lines(&self) -> usize {
        self.stripes.given().count()
    }
}

impl Inventory {
    /// Takes units for a reservation.
    #[inline]
    pub(super) fn take_units(&self, line: StockId, counter: &Counter, units: u32) -> Result<(), Refused> {
        let seen = counter.snapshot();
        match seen.take(units) {
            Ok(next) if counter.change_once(seen, next) => Ok(()),
            Ok(_) => self.take_beside_others(line, counter, units, Tried::Lost),
            Err(Refused::Hot) => self.take_beside_others(line, counter, units, Tried::Parted),
            Err(refused) => Err(refused),
        }
    }

    /// Ends or shrinks a reservation. An end in the line's own word loses to nobody, so it is no sign of a crowd.
    #[inline]
    pub(super) fn end_units(&self, line: StockId, counter: &Counter, settled: u32, returned: u32) {
        if counter.snapshot().parted() {
            return self.end_beside_others(line, counter, settled, returned);
        }
        counter.end(settled, returned); // also if it is parted by now (S5)
    }

    /// The calling thread's stripe.
    fn stripe(&self) -> usize {
        let lanes = self.slab.lanes();
        lanes.stripe(self.lane())
    }

    #[inline(never)]
    pub(super) fn take_beside_others(
        &self,
        line: StockId,
        counter: &Counter,
        units: u32,
        tried: Tried,
    ) -> Result<(), Refused> {
        let (lane, mut lost) = (self.stripe(), u32::from(tried == Tried::Lost));
        let taken = self.hot.stripes.take(line.raw(), counter, lane, units, &mut lost);
        if lost > 0 {
            self.warm(line, counter, lane, lost);
        }
        taken
    }

    #[inline(never)]
    fn end_beside_others(&self, line: StockId, counter: &Counter, settled: u32, returned: u32) {
        let (lane, mut lost) = (self.stripe(), 0);
        self.hot.stripes.end(line.raw(), counter, lane, settled, returned, &mut lost);
        if lost > 0 {
            self.warm(line, counter, lane, lost);
        }
    }

    /// Changes of this line were lost. Whoever shares the lane may overwrite the note: it is a hint.
    #[cold]
    pub(super) fn warm(&self, line: StockId, counter: &Counter, lane: usize, lost: u32) {
        let Some(note) = self.hot.heat.get(lane) else { return };
        if counter.snapshot().hot() {
            return; // as hot as can be
        }
        let (seen, now) = (note.load(Relaxed), self.tick());
        let (noted, before, since) = (LINE.of(seen), LOST.of(seen), SINCE.of(seen));
        let (lost, late) = (u64::from(lost).min(HEAT), (now & SINCE.max()).wrapping_sub(since) & SINCE.max());
        let next = match line.raw().into() {
            line if noted == line && late <= WINDOW_MS => (line, before + lost, since),
            // Who comes here for the first time, or after long, or beats what was noted, is noted.
            line if noted == line || late > WINDOW_MS || lost >= before => (line, lost, now & SINCE.max()),
            _ => (noted, before - lost, since),
        };
        if next.1 < HEAT {
            return note.store(LINE.put(LOST.put(SINCE.put(0, next.2), next.1), next.0), Relaxed);
        }
        note.store(LINE.put(0, next.0), Relaxed);
        let enough = UNITS_PER_LANE.saturating_mul(self.settings.lanes as u32);
        let heated = self.hot.heated_at.load(Relaxed);
        if counter.snapshot().available() >= enough && (heated == 0 || now.saturating_sub(heated) >= HEAT_EVERY_MS) {
            self.hot.heated_at.store(now.max(1), Relaxed);
            self.make_hot(line);
        }
    }

    /// Spreads a line over the lanes, if nobody has its books: whether it is so now.
    pub(super) fn make_hot(&self, line: StockId) -> bool {
        let (Some(known), Some(counter)) = (self.lines.line(line), self.counter(line)) else { return false };
        // Who holds the books may count on a plain line.
        known.ledger.try_lock().is_some_and(|_books| self.hot.stripes.heat(line.raw(), counter))
    }

    /// Makes plain what only one lane wants any more, and what was closed. A look at every place now and then.
    pub(super) fn cool_lines(&self, now: u64) {
        if self.hot.stripes.given().next().is_none() {
            return;
        }
        let due = |looked: u64| (looked == 0 || now.saturating_sub(looked) >= COOL_EVERY_MS).then_some(now.max(1));
        let Some(mut looks) = self.hot.looks.try_lock() else { return };
        if self.hot.looked_at.fetch_update(Relaxed, Relaxed, due).is_err() {
            return;
        }
        for (at, line) in self.hot.stripes.given() {
            if looks.len() <= at {
                looks.resize_with(at + 1, Look::default);
            }
            let (look, words) = (&mut looks[at], self.hot.stripes.words(at).collect::<Vec<_>>());
            let moved = look.words.iter().zip(&words).filter(|(before, after)| before != after).count();
            look.quiet = if moved > 1 || look.words.is_empty() { 0 } else { look.quiet + 1 };
            look.words = words;
            let line = StockId::new(line);
            let (Some(known), Some(counter)) = (self.lines.line(line), self.counter(line)) else { continue };
            if look.quiet >= QUIET_LOOKS || !counter.snapshot().hot() {
                if let Some(_books) = known.ledger.try_lock() {
                    self.hot.fold(line, counter);
                }
                *look = Look::default();
            }
        }
    }
}
