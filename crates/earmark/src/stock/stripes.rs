//! Stripes: a hot line's units spread over the lanes, so that its buyers do not all change one word.
//!
//! ```text
//!              head: whose stripes, since which tag, open?
//!                |
//!  line's word --+-- stripe of lane 0    taken from and given back to by the threads of lane 0
//!   the pool     +-- stripe of lane 1    ... of lane 1
//!     ^  |
//!     |  '--- a batch, when a stripe is empty
//!     '------ all of it, when the stripes are closed
//!
//!  plain --heat--> hot --close--> cooling --fold--> plain
//! ```
//!
//! A line's stripes are opened and folded by who has its books locked; anybody closes them, and must before a
//! refusal. A thread that finds a stripe closed goes to the pool, which is never wrong.
//!
//! **Z3** While the pool is hot, available are its units and those of the stripes. From the change on that makes
//! it cooling, every stripe is closed, and all their units are in the pool: then a shortage of the pool is one
//! of the line. Who closes adds up what lies in closed stripes, which does not change any more, and moves it by
//! that one change; of several who close, one does it, and one who is stopped is not missed.
//! **Z4** So the line must not be hot anew before all who close are done: each holds a pin on the head, and no
//! head is given while it has pins, nor any to a line that has pins on another.
//! **Z5** A stripe can be opened only under an open head, and a head is opened only once the pool is hot: or an
//! end would put into a stripe what a refusal misses.
//! **Z6** What is reserved is the sum of pool and stripes, modulo 2^30, also when they are closed; a fold moves it
//! all into the pool by one change. A batch on its way to a stripe counts as reserved, and marks the pool (S3).

use std::sync::OnceLock;

use crossbeam::utils::CachePadded;

use super::counter::{Counter, Refused, Snapshot};
use super::stripe::{Part, STRIPE_UNITS_MAX, TAG_MAX};
use crate::seeded::{Break, Step, on, step};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};
use crate::word::Field;

/// Lines that can be hot at a time, however many are allowed.
pub(crate) const HOT_LINES_MAX: usize = 64;
/// Units that go to a stripe at a time.
const BATCH: u32 = 256;
/// A batch is at most this part of what the pool has for each lane.
const SHARES: u32 = if cfg!(earmark_loom) { 1 } else { 4 };
/// Readings of all words before they are told as they are.
const LOOKS: usize = 4;

const LINE: Field = Field::lowest(30);
const TAG: Field = LINE.above(24);
const STATE: Field = TAG.above(2);
const PINS: Field = STATE.above(8);
const _: () = assert!(PINS.end() <= u64::BITS);
const _: () = assert!(TAG.max() == TAG_MAX as u64);

const FREE: u64 = 0;
/// Given to a line whose pool does not say so yet.
const OPENING: u64 = 1;
const OPEN: u64 = 2;
const CLOSED: u64 = 3;

/// Whose stripes, since which tag, in what state, and how many are closing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head(u64);

impl Head {
    const fn line(self) -> u32 {
        LINE.of(self.0) as u32
    }

    const fn tag(self) -> u32 {
        TAG.of(self.0) as u32
    }

    const fn state(self) -> u64 {
        STATE.of(self.0)
    }

    const fn pins(self) -> u64 {
        PINS.of(self.0)
    }

    const fn with(self, field: Field, value: u64) -> Self {
        Self(field.put(self.0, value))
    }

    fn is_of(self, line: u32) -> bool {
        self.state() != FREE && self.line() == line
    }
}

/// Heads, and the stripes of each, a lane's beside a lane's.
#[derive(Debug)]
struct Places {
    heads: Box<[CachePadded<AtomicU64>]>,
    stripes: Box<[CachePadded<AtomicU64>]>,
}

/// The stripes of an inventory: none, until a line is hot.
#[derive(Debug)]
pub(crate) struct Stripes {
    lanes: usize,
    lines_max: usize,
    places: OnceLock<Places>,
}

impl Stripes {
    pub(crate) fn new(lanes: usize, lines_max: usize) -> Self {
        Self { lanes, lines_max, places: OnceLock::new() }
    }

    /// Takes units of a line that is hot, or was a moment ago: from the lane's stripe, or from the pool and a
    /// batch for the stripe with it. Short means that neither had enough: close, and look again.
    pub(crate) fn take(
        &self,
        line: u32,
        pool: &Counter,
        lane: usize,
        units: u32,
        lost: &mut u32,
    ) -> Result<(), Refused> {
        let Some((stripe, tag)) = self.open(line, lane) else { return pool.take_here(units, lost) };
        match change(stripe, |part| part.under(tag)?.take(units)) {
            Ok(_) => Ok(()),
            Err(left) => self.refill(pool, stripe, tag, units, left, lost),
        }
    }

    /// Units for the caller, and a batch for the stripe, which was left as it is.
    #[cold]
    fn refill(
        &self,
        pool: &Counter,
        stripe: &AtomicU64,
        tag: u32,
        units: u32,
        left: Part,
        lost: &mut u32,
    ) -> Result<(), Refused> {
        let most = left.under(tag).map_or(0, |left| BATCH.min(STRIPE_UNITS_MAX - left.available()));
        let batch = pool.take_and_fill(units, SHARES * self.lanes as u32, most, lost)?;
        if batch > 0 {
            step(Step::Refilling);
            let filled = change(stripe, |part| part.under(tag)?.fill(batch)).is_ok();
            pool.filled(if filled { 0 } else { batch }, lost);
        }
        Ok(())
    }

    /// Ends or shrinks a reservation of a line that is hot, or was a moment ago.
    pub(crate) fn end(&self, line: u32, pool: &Counter, lane: usize, settled: u32, returned: u32, lost: &mut u32) {
        if let Some((stripe, tag)) = self.open(line, lane)
            && change(stripe, |part| part.under(tag)?.end(settled, returned)).is_ok()
        {
            return;
        }
        pool.end_here(settled, returned, lost);
    }

    /// Makes a plain line hot; call it with the line's books locked. `false`: no place is free, or it is retired.
    pub(crate) fn heat(&self, line: u32, pool: &Counter) -> bool {
        self.fold(line, pool);
        if pool.snapshot().retired() || self.lines_max == 0 {
            return false;
        }
        let places = self.places();
        let Some((at, tag)) = self.give(places, line) else { return false };
        if on(Break::OpenedEarly) {
            places.reopen(at, line, tag);
        }
        let hot = pool.heat();
        debug_assert!(hot);
        if !on(Break::OpenedEarly) && !places.reopen(at, line, tag) {
            self.fold(line, pool); // closed before it was open
            return false;
        }
        true
    }

    /// A free head for this line, and its new tag (Z4).
    fn give(&self, places: &Places, line: u32) -> Option<(usize, u32)> {
        let pinned = |head: Head| head.line() == line && head.pins() > 0;
        if places.around(line).any(|(_, head)| pinned(Head(head.load(Acquire)))) {
            return None;
        }
        places.around(line).find_map(|(at, head)| {
            let seen = Head(head.load(Acquire));
            if seen.state() != FREE || seen.pins() > 0 || seen.tag() == TAG_MAX {
                return None;
            }
            let tag = seen.tag() + 1;
            let given = Head(0).with(LINE, line.into()).with(TAG, tag.into()).with(STATE, OPENING);
            head.compare_exchange(seen.0, given.0, AcqRel, Acquire).is_ok().then_some((at, tag))
        })
    }

    /// Closes the stripes of a hot line; all their units are in the pool then (Z3), unless too many do so at
    /// once, or the line is hot again already.
    fn close(&self, line: u32, pool: &Counter) {
        let Some(places) = self.places.get() else { return };
        if let Some((at, tag)) = places.pin(line) {
            pool.cool(self.close_all(places, at, tag));
            places.unpin(at);
        }
    }

    /// The word of a line that is not hot, if only because its stripes were closed just now.
    #[inline]
    pub(crate) fn cooled(&self, line: u32, pool: &Counter) -> Snapshot {
        let word = pool.snapshot();
        if !word.hot() || on(Break::RefusedHot) {
            return word;
        }
        self.close(line, pool);
        pool.snapshot()
    }

    /// Closes every stripe of a place, and adds up the units that lie in them.
    fn close_all(&self, places: &Places, at: usize, tag: u32) -> u32 {
        self.stripes_of(places, at)
            .map(|stripe| {
                step(Step::Closing);
                let (Ok(part) | Err(part)) = change(stripe, |part| part.close(tag));
                part.available()
            })
            .sum()
    }

    /// Units that closed stripes count as reserved, modulo 2^30.
    fn residue(&self, places: &Places, at: usize) -> u32 {
        // ORDERING: Acquire; closed under this tag by who reads, or before somebody whose change was acquired.
        self.stripes_of(places, at).fold(0, |sum: u32, stripe| sum.wrapping_add(Part(stripe.load(Acquire)).reserved()))
    }

    /// Makes the line plain, so that its word says all; call it with the line's books locked. Waits for nobody.
    pub(crate) fn fold(&self, line: u32, pool: &Counter) {
        while pool.snapshot().parted() {
            let Some((places, at, head)) = self.place_of(line) else {
                debug_assert!(false, "a parted line without a place");
                return;
            };
            places.set_state(at, CLOSED);
            pool.cool(self.close_all(places, at, head.tag()));
            let residue = if on(Break::ResidueForgotten) { 0 } else { self.residue(places, at) };
            if pool.fold(residue) {
                places.set_state(at, FREE);
            }
        }
    }

    /// The line's word as it would be if it were plain, without its books; closes the stripes. `None`: too much
    /// of it is being changed.
    pub(crate) fn whole(&self, line: u32, pool: &Counter) -> Option<Snapshot> {
        for _ in 0..LOOKS {
            let word = pool.snapshot();
            if !word.parted() {
                return Some(word);
            }
            let places = self.places.get()?;
            let Some((at, tag)) = places.pin(line) else { continue };
            pool.cool(self.close_all(places, at, tag));
            let residue = self.residue(places, at);
            // While the pin stands it is not hot anew: if it is cooling now, no fold has moved the residue.
            let word = pool.snapshot();
            places.unpin(at);
            if let Some(plain) = word.fold(residue) {
                return Some(plain);
            }
        }
        None
    }

    /// Units available in pool and stripes. Exact if they stood still for two readings; else as they were read
    /// one after the other.
    pub(crate) fn available(&self, line: u32, pool: &Counter) -> u32 {
        let mut last = None;
        for _ in 0..LOOKS {
            let word = pool.snapshot();
            if !word.hot() {
                return word.available();
            }
            let Some((places, at, head)) = self.place_of(line) else { continue };
            let mut units = word.available();
            let mut print = word.bits();
            for stripe in self.stripes_of(places, at) {
                let part = Part(stripe.load(Acquire));
                units += part.of(head.tag()).map_or(0, Part::available);
                print = print.rotate_left(7).wrapping_mul(FINGERPRINT) ^ part.0;
            }
            if last == Some((print, units)) {
                return units;
            }
            last = Some((print, units));
        }
        last.map_or_else(|| pool.snapshot().available(), |(_, units)| units)
    }

    /// Places that are given to lines now: which, and the line.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, u32)> {
        self.places.get().into_iter().flat_map(|places| {
            let head = |(at, head): (usize, &CachePadded<AtomicU64>)| (at, Head(head.load(Acquire)));
            let given = places.heads.iter().enumerate().map(head).filter(|(_, head)| head.state() != FREE);
            given.map(|(at, head)| (at, head.line()))
        })
    }

    /// The words of a place's stripes, to see whether they change.
    pub(crate) fn words(&self, at: usize) -> impl Iterator<Item = u64> {
        // ORDERING: Acquire, though any old value would do: a word that did not change is no proof of anything.
        self.places.get().into_iter().flat_map(move |places| self.stripes_of(places, at).map(|word| word.load(Acquire)))
    }

    fn places(&self) -> &Places {
        let words = |count: usize| (0..count).map(|_| CachePadded::new(AtomicU64::new(Part::UNUSED.0))).collect();
        self.places.get_or_init(|| Places { heads: words(self.lines_max), stripes: words(self.lines_max * self.lanes) })
    }

    /// Makes the room, before the threads of a model begin.
    #[cfg(all(test, earmark_loom))]
    pub(super) fn prepare(&self) {
        self.places();
    }

    fn place_of(&self, line: u32) -> Option<(&Places, usize, Head)> {
        let places = self.places.get()?;
        let (at, head) = places.find(line)?;
        Some((places, at, head))
    }

    /// The lane's stripe of a line, if its head is open, and the tag.
    #[inline(always)]
    fn open(&self, line: u32, lane: usize) -> Option<(&AtomicU64, u32)> {
        let places = self.places.get()?;
        let home = places.home(line);
        // ORDERING: Acquire pairs with the change that opened the head: who finds it open finds the pool hot (Z5).
        let mut found = (home, Head(places.heads[home].load(Acquire)));
        if !found.1.is_of(line) {
            found = places.find_away(line)?;
        }
        let (at, head) = found;
        (head.state() == OPEN).then(|| (&*places.stripes[at * self.lanes + lane], head.tag()))
    }

    fn stripes_of<'a>(&self, places: &'a Places, at: usize) -> impl Iterator<Item = &'a AtomicU64> {
        places.stripes[at * self.lanes..][..self.lanes].iter().map(|stripe| &**stripe)
    }
}

/// An odd number without a pattern.
const FINGERPRINT: u64 = 0x9E37_79B9_7F4A_7C15;

impl Places {
    /// Every head, from the line's own on.
    fn around(&self, line: u32) -> impl Iterator<Item = (usize, &AtomicU64)> {
        let home = self.home(line);
        let (before, from) = self.heads.split_at(home);
        let from = from.iter().enumerate().map(move |(at, head)| (home + at, &**head));
        from.chain(before.iter().enumerate().map(|(at, head)| (at, &**head)))
    }

    #[inline]
    fn home(&self, line: u32) -> usize {
        let spread = u64::from(line.wrapping_mul(FINGERPRINT as u32));
        ((spread * self.heads.len() as u64) >> u32::BITS) as usize
    }

    /// The head that is this line's.
    fn find(&self, line: u32) -> Option<(usize, Head)> {
        self.around(line).map(|(at, head)| (at, Head(head.load(Acquire)))).find(|(_, head)| head.is_of(line))
    }

    /// The same, where it is not at home.
    #[cold]
    fn find_away(&self, line: u32) -> Option<(usize, Head)> {
        self.find(line)
    }

    /// Opens a head that was given for this, if nobody closed it meanwhile.
    fn reopen(&self, at: usize, line: u32, tag: u32) -> bool {
        let given = Head(0).with(LINE, line.into()).with(TAG, tag.into()).with(STATE, OPENING);
        self.heads[at].compare_exchange(given.0, given.with(STATE, OPEN).0, AcqRel, Acquire).is_ok()
    }

    /// Closes the line's head and keeps it from being given anew (Z4): which, and its tag. `None`: the line has
    /// none now, or it is crowded with pins.
    fn pin(&self, line: u32) -> Option<(usize, u32)> {
        let (at, mut seen) = self.find(line)?;
        while seen.is_of(line) && seen.pins() < PINS.max() {
            let pins = if on(Break::ClosedUnpinned) { seen.pins() } else { seen.pins() + 1 };
            let next = seen.with(STATE, CLOSED).with(PINS, pins);
            match self.heads[at].compare_exchange(seen.0, next.0, AcqRel, Acquire) {
                Ok(_) => return Some((at, seen.tag())),
                Err(newer) => seen = Head(newer),
            }
        }
        None
    }

    fn unpin(&self, at: usize) {
        if on(Break::ClosedUnpinned) {
            return;
        }
        // A pin is there: its own.
        self.heads[at].fetch_sub(PINS.put(0, 1), AcqRel);
    }

    /// Closes or frees a head; only who has the line's books locked. Whoever pins it meanwhile stays.
    fn set_state(&self, at: usize, state: u64) {
        let mut seen = self.heads[at].load(Acquire);
        while let Err(newer) =
            self.heads[at].compare_exchange_weak(seen, Head(seen).with(STATE, state).0, AcqRel, Acquire)
        {
            seen = newer;
        }
    }
}

/// The loop around the rules of a stripe: what it is after the change, or was if there is none.
#[inline]
fn change(stripe: &AtomicU64, rule: impl Fn(Part) -> Option<Part>) -> Result<Part, Part> {
    // ORDERING: as with the line's word: whoever sees units gone, or a stripe closed, also sees what was written
    // before they were taken, or it was closed.
    let mut seen = stripe.load(Acquire);
    loop {
        let Some(next) = rule(Part(seen)) else { return Err(Part(seen)) };
        match stripe.compare_exchange_weak(seen, next.0, AcqRel, Acquire) {
            Ok(_) => return Ok(next),
            Err(newer) => seen = newer,
        }
    }
}
