//! The word of one stripe: a lane's share of a hot line.
//!
//! ```text
//!   63   62 ........ 39   38 .......... 9   8 ......... 0
//! [open][     tag     ][    reserved     ][  available   ]
//! ```
//!
//! **Z1** Units in `available` are there. `reserved` counts modulo 2^30: a reservation may be taken in one stripe
//! and ended in another or in the line's word, so that here it may be less than nothing. The sum over the word
//! and its stripes is exact.
//! **Z2** A stripe changes only while it is open, under the tag that its line was given. What is closed stays as
//! it is until the next tag. A tag never comes back: who was stopped between reading a stripe and changing it
//! cannot hit another line's units.

use crate::seeded::{Break, on};
use crate::word::Field;

const AVAILABLE: Field = Field::lowest(9);
const RESERVED: Field = AVAILABLE.above(30);
const TAG: Field = RESERVED.above(24);
const OPEN: Field = TAG.above(1);
const _: () = assert!(OPEN.end() <= u64::BITS);

/// Units that a stripe can hold; more go to the line's word.
pub(super) const STRIPE_UNITS_MAX: u32 = AVAILABLE.max() as u32;
/// Times that a stripe's place can be given to a line; then it is out of service.
pub(super) const TAG_MAX: u32 = TAG.max() as u32;
const RESERVED_MASK: u32 = RESERVED.max() as u32;

/// What one load of a stripe's word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part(pub(super) u64);

impl Part {
    /// Before any line had it.
    pub(super) const UNUSED: Self = Self(0);

    pub(super) const fn available(self) -> u32 {
        AVAILABLE.of(self.0) as u32
    }

    /// Modulo 2^30 (Z1).
    pub(super) const fn reserved(self) -> u32 {
        RESERVED.of(self.0) as u32
    }

    const fn tag(self) -> u32 {
        TAG.of(self.0) as u32
    }

    const fn is_open(self) -> bool {
        OPEN.of(self.0) == 1
    }

    const fn empty(tag: u32) -> Self {
        Self(TAG.put(0, tag as u64))
    }

    const fn moved(self, available: u32, reserved: u32) -> Self {
        Self(RESERVED.put(AVAILABLE.put(self.0, available as u64), (reserved & RESERVED_MASK) as u64))
    }

    /// The stripe as whoever has this tag may change it: open under it, or closed under the one before, whose
    /// line has no more claim to it, and opened by this very change (Z2).
    #[inline]
    pub(super) fn under(self, tag: u32) -> Option<Self> {
        if self.is_open() && (self.tag() == tag || on(Break::TagUnchecked)) {
            return Some(self);
        }
        (!self.is_open() && self.tag() + 1 == tag).then(|| Self(OPEN.put(Self::empty(tag).0, 1)))
    }

    /// The stripe if it belongs to this tag, open or closed.
    pub(super) fn of(self, tag: u32) -> Option<Self> {
        (self.tag() == tag).then_some(self)
    }

    /// Rule: units are reserved here; `None` if there are too few.
    #[inline]
    pub(super) fn take(self, units: u32) -> Option<Self> {
        let left = self.available().checked_sub(units)?;
        Some(self.moved(left, self.reserved().wrapping_add(units)))
    }

    /// Rule: a reservation ends here: part is settled, part goes back; `None` if that finds no room.
    #[inline]
    pub(super) fn end(self, settled: u32, returned: u32) -> Option<Self> {
        let available = self.available().checked_add(returned).filter(|units| *units <= STRIPE_UNITS_MAX)?;
        Some(self.moved(available, self.reserved().wrapping_sub(settled + returned)))
    }

    /// Rule: units that the line's word counts as reserved, for being on their way, arrive.
    pub(super) fn fill(self, units: u32) -> Option<Self> {
        self.end(0, units)
    }

    /// Rule: closed under this tag, with what it holds; `None` if it is.
    pub(super) fn close(self, tag: u32) -> Option<Self> {
        self.under(tag).map(|open| Self(OPEN.put(open.0, 0)))
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(tag: u32, open: bool, available: u32, reserved: u32) -> Part {
        Part(OPEN.put(Part::empty(tag).moved(available, reserved).0, u64::from(open)))
    }

    proptest! {
        /// Z1, Z2 for every rule: what leaves one field arrives in the other, modulo 2^30, and nothing else moves.
        #[test]
        fn z1_z2_rules_move_units_and_touch_nothing_else(
            tag in 1..TAG_MAX, available in 0..=STRIPE_UNITS_MAX, reserved in 0..=RESERVED_MASK,
            units in 0..=2 * STRIPE_UNITS_MAX, settled in 0..=RESERVED_MASK,
        ) {
            let before = part(tag, true, available, reserved);
            let wrapped = |units: i64| (i64::from(reserved) + units).rem_euclid(1 << 30) as u32;
            match before.take(units) {
                Some(after) => prop_assert_eq!(after, part(tag, true, available - units, wrapped(units.into()))),
                None => prop_assert!(units > available),
            }
            let ended = i64::from(settled) + i64::from(units);
            match before.end(settled, units) {
                Some(after) => prop_assert_eq!(after, part(tag, true, available + units, wrapped(-ended))),
                None => prop_assert!(available + units > STRIPE_UNITS_MAX),
            }
            match before.fill(units) {
                Some(after) => prop_assert_eq!(after, part(tag, true, available + units, wrapped(-i64::from(units)))),
                None => prop_assert!(available + units > STRIPE_UNITS_MAX),
            }
            let closed = part(tag, false, available, reserved);
            prop_assert_eq!(before.close(tag), Some(closed));
            prop_assert_eq!(closed.close(tag), None);
        }

        /// Z2: of all stripes only two can be changed under a tag.
        #[test]
        fn z2_under_a_tag_only_its_own_stripes_and_those_it_follows(
            tag in 1..=TAG_MAX, other in 0..=TAG_MAX, near in -2i64..=2, available in 0..=STRIPE_UNITS_MAX,
            reserved in 0..=RESERVED_MASK, open: bool,
        ) {
            for other in [other, (i64::from(tag) + near).clamp(0, TAG_MAX.into()) as u32] {
                let found = part(other, open, available, reserved);
                let wanted = match (open, i64::from(tag) - i64::from(other)) {
                    (true, 0) => Some(found),
                    (false, 1) => Some(part(tag, true, 0, 0)),
                    _ => None,
                };
                prop_assert_eq!(found.under(tag), wanted);
            }
        }
    }
}
