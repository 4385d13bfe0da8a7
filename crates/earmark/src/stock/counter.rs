//! The hot word of a line: what changes together on every reservation.
//!
//! ```text
//!  63 .......... 34  33  31  30        29 ........... 0
//! [   reserved    ][ midway ][retired][   available     ]
//! ```
//!
//! Eight bytes a line, kept densely: padding each word to a cache line made uniform work 2–6 times
//! slower. Committed units are not here: they are what on_hand leaves over, so a confirm too is one
//! change of this word.
//!
//! **S1** A refusal never writes.
//! **S2** Available never goes below zero; no field spills into its neighbour, because the ledger keeps
//! on_hand, the sum of all, below 2^30.
//! `reserved` lies on top, so that an end is one addition: what leaves it borrows from nothing.
//!
//! **S3** `midway` counts carts that took from this line and may yet give back. While it is not zero a
//! shortage proves nothing (P4).

use crate::quantity::UNITS_MAX;
use crate::seeded::{Break, on};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use crate::word::Field;

const AVAILABLE: Field = Field::lowest(30);
const RETIRED: Field = AVAILABLE.above(1);
const MIDWAY: Field = RETIRED.above(3);
const RESERVED: Field = MIDWAY.above(30);
const _: () = assert!(RESERVED.end() == u64::BITS);
const _: () = assert!(AVAILABLE.max() == UNITS_MAX as u64);

/// What one load of the word tells: all of it from the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

/// Why units were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Fewer units than asked for.
    Short { available: u32 },
    /// The line takes no new reservations.
    Retired,
    /// More carts are midway on this line than the word can count.
    Crowded,
}

impl Snapshot {
    pub(crate) const fn available(self) -> u32 {
        AVAILABLE.of(self.0) as u32
    }

    pub(crate) const fn reserved(self) -> u32 {
        RESERVED.of(self.0) as u32
    }

    pub(crate) const fn retired(self) -> bool {
        RETIRED.of(self.0) == 1
    }

    /// Open, and no cart midway: a shortage here is one.
    #[inline]
    pub(crate) const fn is_quiet(self) -> bool {
        self.0 & (RETIRED.put(0, RETIRED.max()) | MIDWAY.put(0, MIDWAY.max())) == 0
    }

    /// Carts that took from this line and may yet give back.
    pub(crate) const fn midway(self) -> u32 {
        MIDWAY.of(self.0) as u32
    }

    const fn with(self, field: Field, value: u64) -> Self {
        Self(field.put(self.0, value))
    }

    /// Units move; the caller has checked that the source holds them.
    const fn moved(self, available: u32, reserved: u32) -> Self {
        self.with(AVAILABLE, available as u64).with(RESERVED, reserved as u64)
    }

    /// Rule: available to reserved.
    #[inline]
    pub(crate) fn take(self, units: u32) -> Result<Self, Refused> {
        if self.retired() {
            return Err(Refused::Retired);
        }
        if self.available() < units {
            return Err(Refused::Short { available: self.available() });
        }
        // S2: the units are there, and all units together fit the upper field.
        Ok(Self(self.0 + RESERVED.put(0, u64::from(units)) - u64::from(units)))
    }

    /// Rule: the same for a cart, which may yet give back.
    fn take_midway(self, units: u32) -> Result<Self, Refused> {
        let taken = self.take(units)?;
        if u64::from(self.midway()) == MIDWAY.max() {
            return Err(Refused::Crowded);
        }
        Ok(taken.with(MIDWAY, u64::from(self.midway() + 1)))
    }

    /// Rule: the cart is through with this line, and gives back this much.
    fn leave_midway(self, units_back: u32) -> Self {
        self.end(0, units_back).with(MIDWAY, u64::from(self.midway().saturating_sub(1)))
    }

    /// Rule: a reservation ends or shrinks: part is settled (committed), part goes back.
    #[inline]
    pub(crate) fn end(self, settled: u32, returned: u32) -> Self {
        debug_assert!(self.reserved() >= settled + returned || crate::seeded::any());
        self.moved(self.available() + returned, self.reserved().saturating_sub(settled + returned))
    }

    /// Rule: units leave available for the books (adjusted away, blocked, kept as a buffer).
    pub(crate) fn remove(self, units: u32) -> Result<Self, Refused> {
        match self.available().checked_sub(units) {
            None => Err(Refused::Short { available: self.available() }),
            Some(left) => Ok(self.moved(left, self.reserved())),
        }
    }

    /// Rule: units come into available from the books.
    pub(crate) fn add(self, units: u32) -> Self {
        self.moved(self.available() + units, self.reserved())
    }
}

/// One line's hot word.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the release half of `update`: whoever sees units gone also sees
        // what was written before they were taken.
        Snapshot(self.0.load(Acquire))
    }

    /// The word, by a read-modify-write: whoever changes it later also sees what was written before this.
    pub(crate) fn meet(&self) -> Snapshot {
        // ORDERING: a place in the word's order of changes. Who took before it is in what it reads; who
        // takes after it has acquired it. A load could miss the one and not be seen by the other.
        Snapshot(self.0.fetch_or(0, AcqRel))
    }

    /// Takes units for a reservation.
    pub(crate) fn take(&self, units: u32) -> Result<Snapshot, Refused> {
        self.update(|seen| seen.take(units))
    }

    /// One try of a change that was decided on `seen`.
    #[inline]
    pub(crate) fn change_once(&self, seen: Snapshot, next: Snapshot) -> bool {
        if on(Break::LoadThenStore) {
            self.0.store(next.0, Relaxed);
            return true;
        }
        // ORDERING: as in `update`.
        self.0.compare_exchange(seen.0, next.0, AcqRel, Acquire).is_ok()
    }

    /// Takes units for a cart and marks the line (S3).
    pub(crate) fn take_midway(&self, units: u32) -> Result<Snapshot, Refused> {
        if on(Break::CartUnmarked) {
            return self.update(|seen| seen.take(units));
        }
        self.update(|seen| seen.take_midway(units))
    }

    /// Ends a cart's mark, giving back what it does not keep.
    pub(crate) fn leave_midway(&self, units_back: u32) {
        if on(Break::CartUnmarked) {
            return self.end(0, units_back);
        }
        self.change(|seen| seen.leave_midway(units_back));
    }

    /// Ends or shrinks a reservation: the rule [`Snapshot::end`] as one addition, because it never refuses.
    #[inline]
    pub(crate) fn end(&self, settled: u32, returned: u32) {
        if crate::seeded::any() {
            return self.change(|seen| seen.end(settled, returned)); // a break may have left nothing to end
        }
        let more = u64::from(returned).wrapping_sub(RESERVED.put(0, u64::from(settled + returned)));
        // ORDERING: AcqRel, as in `update`.
        let seen = Snapshot(self.0.fetch_add(more, AcqRel));
        debug_assert!(Snapshot(seen.0.wrapping_add(more)) == seen.end(settled, returned));
    }

    /// Takes units out of available for the books.
    pub(crate) fn remove(&self, units: u32) -> Result<Snapshot, Refused> {
        if on(Break::AdjustUnchecked) {
            let seen = self.snapshot();
            let next = seen.remove(units)?;
            self.0.fetch_sub(seen.0 - next.0, AcqRel);
            return Ok(next);
        }
        self.update(|seen| seen.remove(units))
    }

    /// Brings units into available from the books.
    pub(crate) fn add(&self, units: u32) {
        self.change(|seen| seen.add(units));
    }

    /// Opens or closes the line for new reservations.
    pub(crate) fn set_retired(&self, retired: bool) {
        self.change(|seen| seen.with(RETIRED, u64::from(retired)));
    }

    fn change(&self, rule: impl Fn(Snapshot) -> Snapshot) {
        let changed: Result<_, std::convert::Infallible> = self.update(|seen| Ok(rule(seen)));
        let Ok(_) = changed;
    }

    /// The loop around the rules.
    #[inline]
    fn update<E>(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, E>) -> Result<Snapshot, E> {
        let Snapshot(mut seen) = self.snapshot();
        loop {
            let next = rule(Snapshot(seen))?; // S1: a refusal leaves here
            if on(Break::LoadThenStore) {
                self.0.store(next.0, Relaxed);
                return Ok(next);
            }
            match self.0.compare_exchange_weak(seen, next.0, AcqRel, Acquire) {
                Ok(_) => return Ok(next),
                Err(newer) => seen = newer,
            }
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(available: u32, reserved: u32, midway: u32) -> Snapshot {
        Snapshot(0).moved(available, reserved).with(MIDWAY, u64::from(midway))
    }

    proptest! {
        /// S2 for every rule: what leaves one field arrives in the other, and nothing else moves.
        #[test]
        fn s2_rules_move_units_and_touch_nothing_else(
            available in 0..=UNITS_MAX / 2, reserved in 0..=UNITS_MAX / 2,
            midway in 0u32..=7, units in 1..=UNITS_MAX, part in 0u32..=100,
        ) {
            let before = word(available, reserved, midway);
            match before.take(units) {
                Ok(after) => prop_assert_eq!(after, word(available - units, reserved + units, midway)),
                Err(refused) => {
                    prop_assert_eq!(refused, Refused::Short { available });
                    prop_assert!(units > available);
                }
            }
            match before.take_midway(units) {
                Ok(after) => prop_assert_eq!(after, word(available - units, reserved + units, midway + 1)),
                Err(Refused::Crowded) => prop_assert_eq!(midway, 7),
                Err(_) => prop_assert!(units > available),
            }
            match before.remove(units) {
                Ok(after) => prop_assert_eq!(after, word(available - units, reserved, midway)),
                Err(_) => prop_assert!(units > available),
            }
            let settled = reserved / 100 * part;
            let returned = reserved - settled;
            prop_assert_eq!(before.end(settled, returned), word(available + returned, 0, midway));
            prop_assert!(before.with(RETIRED, 1).take(units) == Err(Refused::Retired));
        }
    }
}
