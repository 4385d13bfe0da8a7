//! A slot: the state word, and the two words that hold what is reserved.

use super::state::{GENERATION_MAX, No, Snapshot, past, serial};
use crate::seeded::{Break, on};
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::word::Field;

/// The state word, and the two words that hold what is reserved.
///
/// Twenty-four bytes. The state decides; the others are read after it (Acquire) and written before it
/// (Release), or by the one call that made it `Changing`.
#[derive(Debug)]
pub(crate) struct Slot {
    state: AtomicU64,
    what: AtomicU64,
    origin: AtomicU64,
}

const LINE: Field = Field::lowest(32);
const UNITS: Field = LINE.above(30);

const BORN: Field = Field::lowest(37);
const CHANNEL: Field = BORN.above(16);
const HAS_EXTRA: Field = CHANNEL.above(1);
const IS_CART: Field = HAS_EXTRA.above(1);
const _: () = assert!(IS_CART.end() <= u64::BITS);

/// What a slot holds besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) line: u32,
    pub(crate) units: u32,
    pub(crate) born: u64,
    pub(crate) channel: u16,
    /// Owner, key, metadata or cart items lie beside the slab.
    pub(crate) has_extra: bool,
    /// The items are in the extra; line and units are unused.
    pub(crate) is_cart: bool,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { state: apart(0), what: apart(0), origin: apart(0) }
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with `publish`: who sees a live phase reads what it stands for.
        Snapshot(self.state.load(Acquire))
    }

    /// Whether it was used for the last time.
    #[inline]
    pub(crate) fn is_worn(&self) -> bool {
        // Relaxed: only whoever gives the slot back asks, and that thread knows of its generation.
        Snapshot(self.state.load(Relaxed)).generation() >= GENERATION_MAX
    }

    /// A new generation takes the slot, for a reservation until `deadline`. Only the thread that was given
    /// the slot calls this.
    #[inline]
    pub(crate) fn claim(&self, deadline: u64) -> u32 {
        let seen = Snapshot(self.state.load(Relaxed));
        let generation = if on(Break::SameGeneration) { seen.generation().max(1) } else { seen.generation() + 1 };
        debug_assert!(generation <= GENERATION_MAX);
        // ORDERING: the stores of `fill` are Release, so none is seen before this one: a reader that
        // read a new body finds the old state gone (see `read`).
        self.state.store(Snapshot::claimed(generation, deadline).0, Release);
        generation
    }

    /// Writes what is reserved. Before `publish`, or while `Changing` (R3).
    #[inline]
    pub(crate) fn fill(&self, body: Body) {
        let order = if on(Break::RelaxedPublish) { Relaxed } else { Release };
        let what = UNITS.put(LINE.put(0, u64::from(body.line)), u64::from(body.units));
        let origin = CHANNEL.put(BORN.put(0, serial(body.born)), u64::from(body.channel));
        let origin = HAS_EXTRA.put(origin, u64::from(body.has_extra));
        self.origin.store(IS_CART.put(origin, u64::from(body.is_cart)), order);
        self.what.store(what, order);
    }

    /// The reservation is live from here on.
    #[inline]
    pub(crate) fn publish(&self, generation: u32, deadline: u64) {
        let word = Snapshot::reserved(generation, deadline);
        // ORDERING: Release pairs with `snapshot`; with Relaxed a sweeper could give back an older
        // reservation's units.
        self.state.store(word.0, if on(Break::RelaxedPublish) { Relaxed } else { Release });
    }

    /// A claim that came to nothing: the generation is used up, and nobody was ever given its id.
    pub(crate) fn abandon(&self, generation: u32) {
        self.state.store(Snapshot::free(generation).0, Release);
    }

    /// Ends the exclusive change that `lock` or `reopen` began.
    #[inline]
    pub(crate) fn unlock(&self, next: Snapshot) {
        self.state.store(next.0, Release);
    }

    /// What is reserved. Right for the generation whose state was read before, and still stands after.
    pub(crate) fn body(&self, now: u64) -> Body {
        // ORDERING: Acquire, so that a later look at the state is not older than what is read here.
        let (what, origin) = (self.what.load(Acquire), self.origin.load(Acquire));
        Body {
            line: LINE.of(what) as u32,
            units: UNITS.of(what) as u32,
            born: past(BORN.of(origin), now),
            channel: CHANNEL.of(origin) as u16,
            has_extra: HAS_EXTRA.of(origin) == 1,
            is_cart: IS_CART.of(origin) == 1,
        }
    }

    /// Line and units, if that is all: one item, of no channel, and nothing kept beside the slab.
    #[inline]
    pub(crate) fn plain(&self) -> Option<(u32, u32)> {
        // ORDERING: as in `body`.
        let (what, origin) = (self.what.load(Acquire), self.origin.load(Acquire));
        (origin == BORN.of(origin)).then(|| (LINE.of(what) as u32, UNITS.of(what) as u32))
    }

    /// [`fill`](Self::fill) with one item, of no channel, and nothing beside it.
    #[inline]
    pub(crate) fn fill_plain(&self, line: u32, units: u32, born: u64) {
        self.fill(Body { line, units, born, channel: 0, has_extra: false, is_cart: false });
    }

    /// When it was made, as in `body`.
    #[inline]
    pub(crate) fn born(&self, now: u64) -> u64 {
        past(BORN.of(self.origin.load(Acquire)), now)
    }

    /// Fetches what a sweep will read, and guesses the line. Orders nothing and decides nothing.
    #[inline]
    pub(crate) fn touch(&self) -> u32 {
        let (_state, what, _origin) = (self.state.load(Relaxed), self.what.load(Relaxed), self.origin.load(Relaxed));
        LINE.of(what) as u32
    }

    /// One try of a change that was decided on `seen`.
    #[inline]
    pub(crate) fn change(&self, seen: Snapshot, next: Snapshot) -> bool {
        if on(Break::StateBlind) {
            self.state.store(next.0, Release);
            return true;
        }
        // ORDERING: as in `update`.
        self.state.compare_exchange(seen.0, next.0, AcqRel, Acquire).is_ok()
    }

    /// State and body of the same instant, or `None` if they changed meanwhile.
    #[cfg(all(test, earmark_loom))]
    pub(crate) fn read(&self, now: u64) -> Option<(Snapshot, Body)> {
        let before = self.snapshot();
        let body = self.body(now);
        (self.snapshot() == before).then_some((before, body))
    }

    /// The loop around the rules: the only compare-exchange on this word.
    #[inline]
    pub(crate) fn update(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, No>) -> Result<Snapshot, No> {
        if on(Break::StateBlind) {
            return self.update_blind(rule);
        }
        let mut seen = self.snapshot();
        loop {
            let next = rule(seen)?;
            // ORDERING: Acquire pairs with `publish`: the winner goes on to read the body. Release: who
            // sees the end sees what was done before it.
            match self.state.compare_exchange_weak(seen.0, next.0, AcqRel, Acquire) {
                Ok(_) => return Ok(seen),
                Err(newer) => seen = Snapshot(newer),
            }
        }
    }

    /// A seeded break: decide on one look, write without another.
    pub(crate) fn update_blind(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, No>) -> Result<Snapshot, No> {
        let seen = self.snapshot();
        let next = rule(seen)?;
        self.state.store(next.0, Release);
        Ok(seen)
    }
}
