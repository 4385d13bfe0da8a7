//! The hot word of a line: what changes together on every reservation.
//!
//! ```text
//!  63 .......... 34   33  32   31     30    29 ........... 0
//! [   reserved    ][ midway ][parted][shut][   available     ]
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
//! **S3** `midway` counts carts that took from this line and may yet give back, and units on their way to a
//! stripe. While it is not zero a shortage proves nothing (P4).
//! **S5** The two bits tell how the line stands. While it is *parted* its stripes hold a part of what is
//! reserved, and the number here counts modulo 2^30: only the sum means something. While it is *hot*, shut and
//! parted, they may hold available units too, and a shortage proves nothing either (see [`super::stripes`]).

use std::cell::Cell;
use std::convert::Infallible;

use crate::quantity::UNITS_MAX;
use crate::seeded::{Break, on};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use crate::word::Field;

const AVAILABLE: Field = Field::lowest(30);
/// A take looks closer: the line is retired, or hot.
const SHUT: Field = AVAILABLE.above(1);
const PARTED: Field = SHUT.above(1);
const MIDWAY: Field = PARTED.above(2);
const RESERVED: Field = MIDWAY.above(30);
/// Both bits at once, and the marks above them.
const STANDING: Field = AVAILABLE.above(2);
const STANDING_AND_MIDWAY: Field = AVAILABLE.above(4);
const RETIRED: u64 = 1;
const COOLING: u64 = 2;
const HOT: u64 = 3;
const _: () = assert!(STANDING.end() == PARTED.end() && STANDING_AND_MIDWAY.end() == MIDWAY.end());
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
    /// Units lie in the line's stripes.
    Hot,
}

/// Why one try to change the word came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Somebody else changed it in between.
    Lost,
    /// The line's stripes have a say in it (S5).
    Parted,
}

impl Snapshot {
    pub(crate) const fn available(self) -> u32 {
        AVAILABLE.of(self.0) as u32
    }

    pub(crate) const fn reserved(self) -> u32 {
        RESERVED.of(self.0) as u32
    }

    pub(crate) const fn retired(self) -> bool {
        STANDING.of(self.0) == RETIRED
    }

    /// Open, with nothing in stripes and nobody midway: a shortage here is one.
    #[inline]
    pub(crate) const fn is_quiet(self) -> bool {
        STANDING_AND_MIDWAY.of(self.0) & !COOLING == 0
    }

    /// As many units in each place.
    pub(crate) const fn holds_as(self, other: Self) -> bool {
        self.available() == other.available() && self.reserved() == other.reserved()
    }

    /// The whole word, to compare.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Stripes hold a part of what is reserved (S5).
    pub(crate) const fn parted(self) -> bool {
        PARTED.of(self.0) == 1
    }

    /// Stripes may hold available units too.
    pub(crate) const fn hot(self) -> bool {
        STANDING.of(self.0) == HOT
    }

    /// A shortage seen here proves nothing: units may lie in stripes, or be given back (S3, S5).
    pub(crate) fn is_unsure(self) -> bool {
        if on(Break::RefusedHot) {
            return self.midway() > 0;
        }
        STANDING_AND_MIDWAY.of(self.0) >= HOT // hot, or somebody is midway, whatever else
    }

    /// Whoever took from this line and may yet give back.
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

    /// What is reserved and so much more or, by a number that wrapped, less (S5).
    const fn reserved_and(self, units: u32) -> u32 {
        self.reserved().wrapping_add(units) & RESERVED.max() as u32
    }

    /// Rule: available to reserved.
    #[inline]
    pub(crate) fn take(self, units: u32) -> Result<Self, Refused> {
        if SHUT.of(self.0) == 1 {
            return Err(if self.parted() { Refused::Hot } else { Refused::Retired });
        }
        self.take_here(units)
    }

    /// Rule: the same from this word alone, also if the line is hot.
    #[inline]
    pub(crate) fn take_here(self, units: u32) -> Result<Self, Refused> {
        if self.retired() {
            return Err(Refused::Retired);
        }
        debug_assert!(self.parted() || units > self.available() || self.reserved() <= UNITS_MAX - units);
        if self.available() < units {
            return Err(Refused::Short { available: self.available() });
        }
        // S2: the units are there, and all units together fit the upper field; or it wraps (S5).
        Ok(Self(self.0.wrapping_add(RESERVED.put(0, u64::from(units))) - u64::from(units)))
    }

    /// Whether a try to take this much makes sense, or why not.
    #[inline]
    pub(crate) fn may_take(self, units: u32) -> Result<(), Refused> {
        match self.take(units) {
            Ok(_) | Err(Refused::Hot) => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    /// Rule: the same for a cart, which may yet give back.
    fn take_midway(self, units: u32) -> Result<Self, Refused> {
        let taken = self.take_here(units)?;
        if u64::from(self.midway()) == MIDWAY.max() {
            return Err(Refused::Crowded);
        }
        Ok(taken.with(MIDWAY, u64::from(self.midway() + 1)))
    }

    /// Rule: this much is taken, and so much more for a stripe, on its way until
    /// [`leave_midway`](Self::leave_midway). Nothing more where it is not worth it.
    fn take_and_fill(self, units: u32, batch: u32) -> Result<Self, Refused> {
        let more = units + batch;
        if batch > 0 && self.hot() && more <= self.available() && u64::from(self.midway()) < MIDWAY.max() {
            let taken = self.take_here(more)?;
            let marked = !on(Break::RefillUnmarked);
            return Ok(if marked { taken.with(MIDWAY, u64::from(self.midway() + 1)) } else { taken });
        }
        self.take_here(units)
    }

    /// Rule: stripes hold units from here on.
    fn heat(self) -> Option<Self> {
        let plain = SHUT.of(self.0) == 0 && !self.parted();
        plain.then(|| self.with(SHUT, 1).with(PARTED, 1))
    }

    /// Rule: every stripe is closed; the units in them are here now, what they counted as reserved is not yet.
    fn cool(self, units: u32) -> Option<Self> {
        (self.hot() || on(Break::CooledTwice))
            .then(|| self.moved(self.available() + units, self.reserved()).with(SHUT, 0).with(PARTED, 1))
    }

    /// Rule: what the closed stripes counted as reserved is here too.
    pub(super) fn fold(self, reserved: u32) -> Option<Self> {
        let cooling = self.parted() && !self.hot();
        cooling.then(|| self.moved(self.available(), self.reserved_and(reserved)).with(PARTED, 0))
    }

    /// Rule: the cart is through with this line, and gives back this much.
    fn leave_midway(self, units_back: u32) -> Self {
        self.end(0, units_back).with(MIDWAY, u64::from(self.midway().saturating_sub(1)))
    }

    /// Rule: a reservation ends or shrinks: part is settled (committed), part goes back.
    #[inline]
    pub(crate) fn end(self, settled: u32, returned: u32) -> Self {
        let ended = settled + returned;
        if self.parted() {
            return self.moved(self.available() + returned, self.reserved_and(ended.wrapping_neg()));
        }
        debug_assert!(self.reserved() >= ended || crate::seeded::any());
        self.moved(self.available() + returned, self.reserved().saturating_sub(ended))
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

    /// Takes units for a reservation, from this word alone; counts the tries that were lost.
    pub(crate) fn take_here(&self, units: u32, lost: &mut u32) -> Result<(), Refused> {
        self.update_counting(lost, |seen| seen.take_here(units)).map(drop)
    }

    /// Takes units for a reservation and, if the line is hot, a batch for a stripe: its size.
    /// `share` is how much of what there is makes a batch, `most` how much of it at most.
    pub(crate) fn take_and_fill(&self, units: u32, share: u32, most: u32, lost: &mut u32) -> Result<u32, Refused> {
        let before = Cell::new(Snapshot(0));
        let after = self.update_counting(lost, |seen| {
            before.set(seen);
            seen.take_and_fill(units, (seen.available() / share).min(most))
        })?;
        Ok(before.get().available() - after.available() - units)
    }

    /// The batch came to its stripe, or goes back.
    pub(crate) fn filled(&self, units_back: u32, lost: &mut u32) {
        if on(Break::RefillUnmarked) {
            return self.end(0, units_back);
        }
        let Ok(_) = self.update_counting(lost, |seen| Ok::<_, Infallible>(seen.leave_midway(units_back)));
    }

    /// The line is hot from here on: whether it was plain.
    pub(crate) fn heat(&self) -> bool {
        self.update(|seen| seen.heat().ok_or(())).is_ok()
    }

    /// Every stripe is closed, and this much was available in them. Only the first to say so changes something.
    pub(crate) fn cool(&self, units: u32) {
        let _ = self.update(|seen| seen.cool(units).ok_or(()));
    }

    /// Every stripe is closed, and this much they counted as reserved: whether the line was cooling.
    pub(crate) fn fold(&self, reserved: u32) -> bool {
        self.update(|seen| seen.fold(reserved).ok_or(())).is_ok()
    }

    /// Takes units for a reservation.
    #[cfg(test)]
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

    /// The same; counts the tries that were lost.
    pub(crate) fn end_here(&self, settled: u32, returned: u32, lost: &mut u32) {
        let Ok(_) = self.update_counting(lost, |seen| Ok::<_, Infallible>(seen.end(settled, returned)));
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

    /// Opens or closes the line for new reservations. It is plain, or retired: its books are locked.
    pub(crate) fn set_retired(&self, retired: bool) {
        self.change(|seen| {
            debug_assert!(!seen.parted());
            seen.with(SHUT, u64::from(retired))
        });
    }

    fn change(&self, rule: impl Fn(Snapshot) -> Snapshot) {
        let Ok(_) = self.update(|seen| Ok::<_, Infallible>(rule(seen)));
    }

    #[inline]
    fn update<E>(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, E>) -> Result<Snapshot, E> {
        self.update_counting(&mut 0, rule)
    }

    /// The loop around the rules.
    #[inline]
    fn update_counting<E>(
        &self,
        lost: &mut u32,
        rule: impl Fn(Snapshot) -> Result<Snapshot, E>,
    ) -> Result<Snapshot, E> {
        let mut seen = self.0.load(Acquire);
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
            *lost += 1;
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
            midway in 0u32..=3, units in 1..=UNITS_MAX, part in 0u32..=100,
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
                Err(Refused::Crowded) => prop_assert_eq!(midway, 3),
                Err(_) => prop_assert!(units > available),
            }
            match before.remove(units) {
                Ok(after) => prop_assert_eq!(after, word(available - units, reserved, midway)),
                Err(_) => prop_assert!(units > available),
            }
            let settled = reserved / 100 * part;
            let returned = reserved - settled;
            prop_assert_eq!(before.end(settled, returned), word(available + returned, 0, midway));
            prop_assert!(before.with(SHUT, 1).take(units) == Err(Refused::Retired));
            prop_assert_eq!(before.is_unsure(), midway > 0);
        }

        /// S5: a hot line's number wraps; heat, cool and fold move what they say and nothing else.
        #[test]
        fn s5_rules_of_a_hot_line_keep_the_sum(
            available in 0..=UNITS_MAX / 4, reserved in 0..=UNITS_MAX, midway in 0u32..=3,
            units in 0..=UNITS_MAX / 4, batch in 0..=512u32, residue in 0..=UNITS_MAX,
        ) {
            let wrapped = |more: i64| (i64::from(reserved) + more).rem_euclid(1 << 30) as u32;
            let plain = word(available, reserved, midway);
            let hot = plain.heat().unwrap();
            prop_assert!(hot.hot() && hot.is_unsure() && hot.heat().is_none() && hot.fold(residue).is_none());
            prop_assert_eq!(hot.take(units), Err(Refused::Hot));
            prop_assert_eq!(hot.may_take(units), Ok(()));
            let cooling = hot.cool(units).unwrap();
            prop_assert_eq!((cooling.available(), cooling.reserved(), cooling.midway()), (available + units, reserved, midway));
            prop_assert!(cooling.parted() && !cooling.hot() && cooling.cool(units).is_none() && cooling.heat().is_none());
            prop_assert_eq!(cooling.is_unsure(), midway > 0);
            prop_assert_eq!(cooling.fold(residue), Some(word(available + units, wrapped(residue.into()), midway)));
            prop_assert_eq!(cooling.fold(residue).map(|word| word.parted()), Some(false));
            let ended = hot.end(units, residue.min(UNITS_MAX / 4));
            prop_assert_eq!(ended.reserved(), wrapped(-i64::from(units) - i64::from(residue.min(UNITS_MAX / 4))));
            match hot.take_and_fill(units, batch) {
                Err(refused) => {
                    prop_assert_eq!(refused, Refused::Short { available });
                    prop_assert!(units > available);
                }
                Ok(after) => {
                    let left = available - after.available();
                    let filled = batch > 0 && midway < 3 && units + batch <= available;
                    prop_assert_eq!(left, if filled { units + batch } else { units });
                    prop_assert_eq!((after.reserved(), after.midway()), (wrapped(left.into()), midway + u32::from(filled)));
                    prop_assert!(after.hot());
                }
            }
            let exact = word(available, reserved / 2, midway); // of a plain line all fields add up below 2^30
            if let Ok(after) = exact.take_and_fill(units, batch) {
                prop_assert_eq!(after, word(available - units, reserved / 2 + units, midway));
            }
        }
    }
}
