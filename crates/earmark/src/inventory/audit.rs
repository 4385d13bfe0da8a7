//! `verify`: do the books agree with what stands in the slots, and with what was counted? (P3)

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::Inventory;
use super::facts::Counts;
use crate::reservation::state::Standing;
use crate::sku::StockId;
use crate::stock::counter::Counter;
use crate::stock::table::Line;

/// Passes that must find the same difference before it is reported.
const LOOKS: u32 = 8;
/// The wait before the second pass; each further one is twice as long, 127 ms in all: longer than a thread
/// that was put aside in the middle of a call stays away on a machine that is not out of order.
const WAIT: Duration = Duration::from_millis(1);

/// What [`Inventory::verify`] found.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
/// let _held = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
/// let Verification { reservations, differences, .. } = inventory.verify();
/// assert_eq!((reservations, differences), (1, vec![]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub struct Verification {
    /// Lines looked at.
    pub lines: usize,
    /// Reservations that held units when the last pass came by.
    pub reservations: usize,
    /// What disagreed in every pass, the same way each time.
    pub differences: Vec<Difference>,
}

impl Verification {
    /// Whether everything agreed.
    ///
    /// ```
    /// assert!(earmark::Inventory::new().verify().is_clean());
    /// ```
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Two figures that should be the same. Any of them is a bug of the engine.
///
/// ```
/// # use earmark::*;
/// let found = Difference::Committed { expected: 3, found: 2 }; // say, of a `verify` that ran by night
/// assert_eq!(found.to_string(), "3 units should be committed by what happened, the books say 2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Difference {
    /// A line's counter of reserved units is not the sum of its reservations.
    Reserved {
        /// The line.
        line: StockId,
        /// Units of all its reservations that hold any.
        counted: u64,
        /// Units that its counter says.
        found: u32,
    },
    /// Committed units of all lines are not what was confirmed less what was shipped or cancelled.
    Committed {
        /// Units by what happened.
        expected: i64,
        /// Units by the books.
        found: u64,
    },
    /// More units are available, reserved or set aside than are on hand.
    Books {
        /// The line.
        line: StockId,
        /// Units on hand.
        on_hand: u32,
        /// Units that it should cover at least.
        set_aside: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { line, counted, found } => {
                write!(f, "{line}: its reservations hold {counted} units, its counter says {found}")
            }
            Self::Committed { expected, found } => {
                write!(f, "{expected} units should be committed by what happened, the books say {found}")
            }
            Self::Books { line, on_hand, set_aside } => {
                write!(f, "{line}: {on_hand} units on hand cannot cover {set_aside}")
            }
        }
    }
}

impl Inventory {
    /// Compares the books with every reservation and with what was counted. Changes nothing.
    ///
    /// At rest it is exact. Under load a pass can see a reservation on its way, so a difference is looked
    /// for up to eight times, over 127 ms, and reported only if it is there each time, with the same figures.
    /// What is due but not swept counts as reserved, as its line's counter does. Cost: a pass looks at every
    /// slot ever in use and locks each line's books for a moment; one pass and no wait, if it finds nothing.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// let found = inventory.verify();
    /// assert!(found.is_clean(), "{:?}", found.differences);
    /// assert_eq!((found.lines, found.reservations), (1, 1));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self) -> Verification {
        let mut found = self.look_for_differences();
        for look in 1..LOOKS {
            if found.is_clean() {
                break;
            }
            std::thread::sleep(WAIT * (1 << (look - 1)));
            let again = self.look_for_differences();
            let still: HashSet<_> = again.differences.into_iter().collect();
            found.differences.retain(|difference| still.contains(difference));
            found = Verification { differences: found.differences, ..again };
        }
        found
    }

    /// One pass. A figure that moved while it was compared proves nothing and is left out.
    fn look_for_differences(&self) -> Verification {
        let now = self.read_clock();
        let counts = self.facts.counts();
        let plain = |counter: &Counter, line: &Line| {
            if counter.snapshot().parted() {
                let _books = line.ledger.lock();
                self.hot.fold(line.name.id, counter);
            }
            counter.snapshot()
        };
        let before: Vec<_> = self.lines.iter().map(|(counter, line)| plain(counter, line)).collect();
        let mut counted = vec![0u64; before.len()];
        let mut reservations = 0;
        for (_, looked) in self.slots(now) {
            let standing = looked.snapshot.standing();
            if matches!(standing, Standing::Live(_) | Standing::Changing | Standing::Overdue | Standing::Expiring) {
                reservations += 1;
                for (line, units) in looked.items() {
                    if let Some(sum) = counted.get_mut(line.index()) {
                        *sum += u64::from(units);
                    }
                }
            }
        }
        let mut differences = Vec::new();
        let mut committed = 0u64;
        for (((counter, line), before), counted) in self.lines.iter().zip(&before).zip(counted) {
            let id = line.name.id;
            let ledger = line.ledger.lock();
            self.hot.fold(id, counter);
            let word = counter.snapshot();
            if word == *before && u64::from(word.reserved()) != counted {
                differences.push(Difference::Reserved { line: id, counted, found: word.reserved() });
            }
            let parts = [word.available(), word.reserved(), ledger.blocked(), ledger.safety_stock()];
            let set_aside: u64 = parts.into_iter().map(u64::from).sum();
            let on_hand = ledger.on_hand();
            match u64::from(on_hand).checked_sub(set_aside) {
                Some(left) => committed += left,
                None => differences.push(Difference::Books { line: id, on_hand, set_aside }),
            }
        }
        let expected = committed_by(&counts);
        let moved = self.facts.counts() != counts || self.lines.len() != before.len();
        if !moved && i64::try_from(committed) != Ok(expected) {
            differences.push(Difference::Committed { expected, found: committed });
        }
        Verification { lines: before.len(), reservations, differences }
    }
}

/// Units that should be committed after all that was counted. The counts wrap, and so does this.
fn committed_by(counts: &Counts) -> i64 {
    let came = counts.confirmed_units.wrapping_add(counts.reacquired_units);
    let went = counts.shipped_units.wrapping_add(counts.cancelled_units);
    came.wrapping_sub(went) as i64
}

/// How full every table is.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
/// # let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let guard = inventory.reserve_with(&request.with_owner(inventory.owner("ada")))?;
/// assert_eq!(inventory.usage().owners, 1);
/// drop(guard);
/// assert_eq!(inventory.usage().owners, 0); // counted while something of theirs lives
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Usage {
    /// Declared lines.
    pub lines: usize,
    /// Lines whose units are spread over lanes, for many want them at once. One that nobody wants any more is
    /// counted until `advance` has seen that, 2 to 3 s later.
    pub hot_lines: usize,
    /// Slots ever used: live reservations, remembered ends, and free ones waiting to be used again.
    pub slots: usize,
    /// Slots out of service because their generations are used up.
    pub slots_retired: u64,
    /// Reservations with an owner, key, metadata or more than one item.
    pub extras: usize,
    /// Owners with live reservations.
    pub owners: usize,
    /// Keys remembered.
    pub keys: usize,
    /// Channel labels.
    pub channels: usize,
    /// Expired reservations remembered for a late payment.
    pub expired_remembered: usize,
    /// Reservations waiting in the wheel's rings, ended ones included; `None` while somebody sweeps.
    pub ring_entries: Option<usize>,
}

#[cfg(feature = "metrics")]
impl Usage {
    /// Each number that is known, with its name.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let of = |number: usize| Some(number as u64);
        [
            ("lines", of(self.lines)),
            ("hot_lines", of(self.hot_lines)),
            ("slots", of(self.slots)),
            ("slots_retired", Some(self.slots_retired)),
            ("extras", of(self.extras)),
            ("owners", of(self.owners)),
            ("keys", of(self.keys)),
            ("channels", of(self.channels)),
            ("expired_remembered", of(self.expired_remembered)),
            ("ring_entries", self.ring_entries.map(|entries| entries as u64)),
        ]
        .into_iter()
        .filter_map(|(name, number)| Some((name, number?)))
    }
}

impl Inventory {
    /// How full every table is. Cheap, but not for the hot path.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// inventory.declare(LineSpec::new("TEE"))?;
    /// assert_eq!(inventory.usage().lines, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            lines: self.lines.len(),
            hot_lines: self.hot.lines(),
            slots: self.slab.high_water() as usize,
            slots_retired: self.slab.retired(),
            extras: self.extras.len(),
            owners: self.owners.len(),
            keys: self.keys.len(),
            channels: self.channels.count() - 1, // the first stands for none
            expired_remembered: self.slab.parked() as usize,
            ring_entries: self.wheel.ring_len(),
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;
    use crate::{Cause, LineSpec, Quantity, Ttl};

    #[test]
    fn a_broken_counter_and_broken_books_are_found() {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let cap = inventory.declare(LineSpec::new("CAP")).unwrap();
        for line in [tee, cap] {
            inventory.receive(line, Quantity::new(9).unwrap(), &Cause::none()).unwrap();
        }
        let _ = inventory.reserve(tee, Quantity::new(2).unwrap(), Ttl::MAX).unwrap().detach();
        assert!(inventory.verify().is_clean());
        inventory.counter(tee).unwrap().take(3).unwrap();
        inventory.counter(cap).unwrap().add(4);
        let found = inventory.verify().differences;
        assert!(found.contains(&Difference::Reserved { line: tee, counted: 2, found: 5 }), "{found:?}");
        assert!(found.contains(&Difference::Books { line: cap, on_hand: 9, set_aside: 13 }), "{found:?}");
    }

    #[test]
    fn units_that_vanished_are_missed_in_committed() {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        inventory.receive(tee, Quantity::new(9).unwrap(), &Cause::none()).unwrap();
        inventory.counter(tee).unwrap().remove(4).unwrap();
        assert_eq!(inventory.verify().differences, [Difference::Committed { expected: 0, found: 4 }]);
    }
}
