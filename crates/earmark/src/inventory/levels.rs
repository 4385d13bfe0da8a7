//! Reading stock: one line, every line, and what lies behind the numbers.

use std::sync::Arc;

use super::{Inventory, Levels};
use crate::clock::Timestamp;
use crate::error::StockError;
use crate::sku::StockId;
use crate::stock::counter::Snapshot as Word;
use crate::stock::ledger::LastChange;

/// Readings of every line's word before [`Inventory::levels_all`] gives up on a quiet moment.
const LOOKS: usize = 8;

/// Every line's numbers, and how far they belong together.
///
/// Each line by itself is exact. Received, shipped, moved between lines: nothing of that happens while
/// the snapshot is taken. Reservations go on meanwhile; `settled` says whether any was noticed.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
/// let Snapshot { lines, .. } = inventory.levels_all();
/// let on_hand: u64 = lines.iter().map(|levels| u64::from(levels.on_hand)).sum();
/// assert_eq!(on_hand, 40); // over all lines
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// In order of declaration.
    pub lines: Vec<Levels>,
    /// Two readings in a row found every line the same, and no cart half-way.
    pub settled: bool,
    /// When this was read, on the engine's clock.
    pub as_of: Timestamp,
}

impl Inventory {
    /// Units that can be reserved now: one look at the line's hot word, no lock. Expired units that
    /// nobody swept yet are not in it, though a reserve would get them. A read is not a promise. Of a line that
    /// is spread over lanes because many want it at once, its parts are read twice, and if they moved meanwhile
    /// told as they were read, one after the other.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// assert_eq!(inventory.available(tee)?, 39);
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    #[inline]
    pub fn available(&self, line: StockId) -> Result<u32, StockError> {
        match self.counter(line).map_or(0, |counter| self.hot.available(line, counter)) {
            // A line that was never declared has nothing, so only nothing needs the second question.
            0 => self.known(line).map(|_| 0),
            units => Ok(units),
        }
    }

    /// A line's numbers, all from the same instant: `on_hand` is always the sum of the others (P3).
    /// Locks the line's books for a moment, and reads the clock.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::new(3)?, Ttl::minutes(5)?)?;
    /// let levels = inventory.levels(tee)?;
    /// assert_eq!((levels.on_hand, levels.available, levels.reserved), (40, 37, 3));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn levels(&self, line: StockId) -> Result<Levels, StockError> {
        let now = self.now();
        Ok(self.books(line, now)?.levels())
    }

    /// Every line's numbers. Locks all books at once, so that units under way between lines are seen on
    /// one side exactly; reservations go on meanwhile, which [`Snapshot::settled`] tells. For reports and
    /// audits: costs a lock and up to nine looks for each line.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// let snapshot = inventory.levels_all();
    /// assert!(snapshot.settled);
    /// assert_eq!(snapshot.lines[tee.index()].available, 40);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn levels_all(&self) -> Snapshot {
        let as_of = self.now();
        let books: Vec<_> = self.lines.iter().map(|(counter, line)| self.open(line, counter, as_of)).collect();
        let read = || -> Vec<Word> { books.iter().map(|books| books.counter.snapshot()).collect() };
        let mut words = read();
        let mut settled = false;
        for _ in 0..LOOKS {
            let again = read();
            settled = again == words && again.iter().all(|word| word.midway() == 0);
            words = again;
            if settled {
                break;
            }
        }
        let lines = books.iter().zip(words).map(|(books, word)| books.levels_at(word)).collect();
        Snapshot { lines, settled, as_of }
    }

    /// What is blocked on a line: each reason with its units, in order of reason.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// inventory.block(tee, Quantity::new(4)?, "inspection", &Cause::none())?;
    /// assert_eq!(inventory.blocked(tee)?, [("inspection".into(), 4)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn blocked(&self, line: StockId) -> Result<Vec<(Arc<str>, u32)>, StockError> {
        let ledger = self.known(line)?.ledger.lock();
        Ok(ledger.blocked_by_reason().map(|(reason, units)| (Arc::clone(reason), units)).collect())
    }

    /// Who changed a line's books last, and why; `None` if nobody has. Reservations are no such change.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// assert_eq!(inventory.last_change(tee)?, None);
    /// inventory.receive(tee, Quantity::ONE, &Cause::none().with_source("warehouse-7"))?;
    /// let last = inventory.last_change(tee)?.expect("something was received");
    /// assert_eq!((last.what, last.source.as_deref()), ("receive", Some("warehouse-7")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn last_change(&self, line: StockId) -> Result<Option<LastChange>, StockError> {
        Ok(self.known(line)?.ledger.lock().last.clone())
    }
}
