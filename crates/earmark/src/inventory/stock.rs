//! The books of a line: what comes in, what is set aside, what leaves.
//!
//! Every command locks the books of its line (a transfer both, in order of line number), which no
//! reservation does. What leaves `available` passes the same judgement as a reserve: expired units that
//! nobody swept count as there (P4). What stands promised is never revoked; the command is refused.

use std::hash::Hash;
use std::sync::Arc;

use super::facts::Fact;
use super::reserve::Shortfall;
use super::{Cause, Inventory, Levels};
use crate::clock::Timestamp;
use crate::error::StockError;
use crate::quantity::Quantity;
use crate::sku::{NAME_BYTES_MAX, NameError, REFERENCE_BYTES_MAX, StockId, check_name};
use crate::stock::counter::{Counter, Snapshot as Word};
use crate::stock::ledger::{BLOCK_REASONS_MAX, LastChange, Ledger};
use crate::stock::table::Line;
use crate::sync::{MutexGuard, Pause};

/// Readings of every line's word before [`Inventory::levels_all`] gives up on a quiet moment.
const LOOKS: usize = 8;

/// Every line's numbers, and how far they belong together.
///
/// Each line by itself is exact. Received, shipped, moved between lines: nothing of that happens while
/// the snapshot is taken. Reservations go on meanwhile; `settled` says whether any was noticed.
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

/// A line's books, locked.
struct Books<'a> {
    inventory: &'a Inventory,
    line: StockId,
    counter: &'a Counter,
    ledger: MutexGuard<'a, Ledger>,
    now: Timestamp,
}

impl Inventory {
    /// Units arrived: `on_hand` and `available` rise. Answers with the line's numbers after it.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// let levels = inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// assert_eq!((levels.on_hand, levels.available), (40, 40));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown or retired line, no room below 2^30, a bad label, the key stands against it.
    pub fn receive(&self, line: StockId, quantity: Quantity, cause: &Cause) -> Result<Levels, StockError> {
        self.command("receive", line, quantity.get(), cause, |books| {
            books.check_open()?;
            books.check_room(quantity.get())?;
            books.bring_in("receive", quantity.get());
            Ok(())
        })
    }

    /// A count was off by `delta` units: corrects `on_hand`, and `available` with it. Zero changes
    /// nothing but [`last_change`](Self::last_change). A retired line can be corrected too.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// assert_eq!(inventory.adjust(tee, -3, &Cause::none().with_source("stock-take"))?.on_hand, 37);
    /// assert!(matches!(inventory.adjust(tee, -40, &Cause::none()), Err(StockError::Short { short_by: 3, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is free of promises, no room below 2^30, contended, a bad
    /// label, the key stands against it.
    pub fn adjust(&self, line: StockId, delta: i32, cause: &Cause) -> Result<Levels, StockError> {
        self.command("adjust", line, delta, cause, |books| books.adjust("adjust", i64::from(delta)))
    }

    /// The shelf was counted: sets `on_hand` to `counted` units, if it still stands at `expected`.
    /// The difference moves `available`.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// assert_eq!(inventory.adjust_set(tee, 40, 38, &Cause::none())?.on_hand, 38);
    /// assert!(matches!(inventory.adjust_set(tee, 40, 39, &Cause::none()), Err(StockError::Unexpected { found: 38, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: as [`adjust`](Self::adjust), and if `on_hand` is not what was expected.
    pub fn adjust_set(&self, line: StockId, expected: u32, counted: u32, cause: &Cause) -> Result<Levels, StockError> {
        self.command("adjust_set", line, (expected, counted), cause, |books| {
            let found = books.ledger.on_hand();
            if found != expected {
                return Err(StockError::Unexpected { line, expected, found });
            }
            books.adjust("adjust_set", i64::from(counted) - i64::from(found))
        })
    }

    /// Sets units aside with a reason (1 to 128 bytes): from available to blocked. A line tells
    /// [`BLOCK_REASONS_MAX`] reasons apart.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// let levels = inventory.block(tee, Quantity::new(4)?, "water damage", &Cause::none())?;
    /// assert_eq!((levels.available, levels.blocked, levels.on_hand), (36, 4, 40));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is free of promises, too many reasons, contended, a bad
    /// label, the key stands against it.
    pub fn block(&self, line: StockId, quantity: Quantity, reason: &str, cause: &Cause) -> Result<Levels, StockError> {
        check_name("reason", reason, NAME_BYTES_MAX)?;
        self.command("block", line, (quantity.get(), reason), cause, |books| {
            if !books.ledger.has_room_for(reason) {
                return Err(StockError::TooManyReasons { line, max: BLOCK_REASONS_MAX });
            }
            books.take(quantity.get())?;
            books.ledger.block(reason, quantity.get());
            books.record("block", quantity.get(), false);
            Ok(())
        })
    }

    /// Gives blocked units back: from blocked, under this reason, to available.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// inventory.block(tee, Quantity::new(4)?, "inspection", &Cause::none())?;
    /// assert_eq!(inventory.unblock(tee, Quantity::ONE, "inspection", &Cause::none())?.blocked, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is blocked for this reason, a bad label, the key stands
    /// against it.
    pub fn unblock(
        &self,
        line: StockId,
        quantity: Quantity,
        reason: &str,
        cause: &Cause,
    ) -> Result<Levels, StockError> {
        check_name("reason", reason, NAME_BYTES_MAX)?;
        self.command("unblock", line, (quantity.get(), reason), cause, |books| {
            books.check_held(books.ledger.blocked_for(reason), quantity.get())?;
            books.record("unblock", quantity.get(), false);
            books.ledger.unblock(reason, quantity.get());
            books.counter.add(quantity.get());
            Ok(())
        })
    }

    /// Keeps this many units as a buffer that no reservation reaches. Raising it takes the difference out
    /// of available, lowering it gives the difference back.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// assert_eq!(inventory.set_safety_stock(tee, 5, &Cause::none())?.available, 35);
    /// assert_eq!(inventory.set_safety_stock(tee, 2, &Cause::none())?.available, 38);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is free of promises, contended, a bad label, the key stands
    /// against it.
    pub fn set_safety_stock(&self, line: StockId, units: u32, cause: &Cause) -> Result<Levels, StockError> {
        self.command("set_safety_stock", line, units, cause, |books| {
            let before = books.ledger.safety_stock();
            if let Some(more) = units.checked_sub(before).filter(|more| *more > 0) {
                books.take(more)?;
                books.ledger.set_safety_stock(units);
                books.record("set_safety_stock", more, false);
            } else if before > units {
                books.record("set_safety_stock", before - units, false);
                books.ledger.set_safety_stock(units);
                books.counter.add(before - units);
            }
            Ok(())
        })
    }

    /// Confirmed units left the house: off committed and off `on_hand`.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// inventory.reserve(tee, Quantity::new(2)?, Ttl::minutes(5)?)?.confirm()?;
    /// let levels = inventory.ship(tee, Quantity::new(2)?, &Cause::none())?;
    /// assert_eq!((levels.on_hand, levels.committed), (38, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is committed, a bad label, the key stands against it.
    pub fn ship(&self, line: StockId, quantity: Quantity, cause: &Cause) -> Result<Levels, StockError> {
        self.command("ship", line, quantity.get(), cause, |books| {
            books.check_held(books.committed(), quantity.get())?;
            books.ledger.take_out(quantity.get());
            books.record("ship", quantity.get(), true);
            Ok(())
        })
    }

    /// An order was cancelled after its confirm: from committed back to available.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// inventory.reserve(tee, Quantity::new(2)?, Ttl::minutes(5)?)?.confirm()?;
    /// assert_eq!(inventory.cancel_order(tee, Quantity::new(2)?, &Cause::none())?.available, 40);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, more than is committed, a bad label, the key stands against it.
    pub fn cancel_order(&self, line: StockId, quantity: Quantity, cause: &Cause) -> Result<Levels, StockError> {
        self.command("cancel_order", line, quantity.get(), cause, |books| {
            // Committed only grows beside this lock, so what was found here is still there.
            books.check_held(books.committed(), quantity.get())?;
            books.record("cancel_order", quantity.get(), true);
            books.counter.add(quantity.get());
            Ok(())
        })
    }

    /// Moves available units from one line to another, at once: no snapshot sees them in both or in
    /// neither. Answers with both lines' numbers, the giver's first.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let berlin = inventory.declare(LineSpec::new("TEE").with_location("berlin"))?;
    /// let paris = inventory.declare(LineSpec::new("TEE").with_location("paris"))?;
    /// inventory.receive(berlin, Quantity::new(40)?, &Cause::none())?;
    /// let (from, to) = inventory.transfer(berlin, paris, Quantity::new(15)?, &Cause::none())?;
    /// assert_eq!((from.available, to.available), (25, 15));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: an unknown line, twice the same line, the target is retired or has no room below
    /// 2^30, more than is free of promises at the source, contended, a bad label, the key stands against it.
    pub fn transfer(
        &self,
        from: StockId,
        to: StockId,
        quantity: Quantity,
        cause: &Cause,
    ) -> Result<(Levels, Levels), StockError> {
        check_cause(cause)?;
        self.known(from)?;
        self.known(to)?;
        if from == to {
            return Err(StockError::SameLine { line: from });
        }
        let now = self.now();
        let fingerprint = self.hash(&("transfer", from.raw(), to.raw(), quantity.get()));
        self.keyed(cause.key, fingerprint, || {
            // In order of line number, as everybody who locks more than one line's books.
            let low = self.books(from.min(to), now)?;
            let high = self.books(from.max(to), now)?;
            let (mut source, mut target) = if from < to { (low, high) } else { (high, low) };
            target.check_open()?;
            target.check_room(quantity.get())?;
            source.take_out("transfer_out", quantity.get())?;
            target.bring_in("transfer_in", quantity.get());
            source.note("transfer_out", cause);
            target.note("transfer_in", cause);
            Ok((source.levels(), target.levels()))
        })
    }

    /// Closes a line for new reservations and new units. What is promised stays promised, and units that
    /// come back stay on the line. Retiring a retired line is no error.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// assert!(inventory.retire(tee)?.retired);
    /// assert!(matches!(inventory.receive(tee, Quantity::ONE, &Cause::none()), Err(StockError::Retired { .. })));
    /// assert!(!inventory.reinstate(tee)?.retired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn retire(&self, line: StockId) -> Result<Levels, StockError> {
        self.set_retired(line, "retire", true)
    }

    /// Opens a retired line again; see [`retire`](Self::retire). No error if it is open.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.retire(tee)?;
    /// inventory.reinstate(tee)?;
    /// assert_eq!(inventory.receive(tee, Quantity::ONE, &Cause::none())?.available, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError::UnknownLine`].
    pub fn reinstate(&self, line: StockId) -> Result<Levels, StockError> {
        self.set_retired(line, "reinstate", false)
    }

    /// Units that can be reserved now: one look at the line's hot word, no lock. Expired units that
    /// nobody swept yet are not in it, though a reserve would get them. A read is not a promise.
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
        match self.counter(line).map_or(0, |counter| counter.snapshot().available()) {
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

    /// One line's command, under its key if it has one.
    fn command(
        &self,
        what: &'static str,
        line: StockId,
        arguments: impl Hash,
        cause: &Cause,
        run: impl FnOnce(&mut Books<'_>) -> Result<(), StockError>,
    ) -> Result<Levels, StockError> {
        check_cause(cause)?;
        self.known(line)?;
        let now = self.now(); // before any lock: a user's clock may panic
        let fingerprint = self.hash(&(what, line.raw(), arguments));
        self.keyed(cause.key, fingerprint, || {
            let mut books = self.books(line, now)?;
            run(&mut books)?;
            books.note(what, cause);
            Ok(books.levels())
        })
    }

    fn set_retired(&self, line: StockId, what: &'static str, retired: bool) -> Result<Levels, StockError> {
        let now = self.now();
        let mut books = self.books(line, now)?;
        if books.counter.snapshot().retired() != retired {
            books.record(what, 0, false);
            books.counter.set_retired(retired);
        }
        books.note(what, &Cause::none());
        Ok(books.levels())
    }

    fn known(&self, line: StockId) -> Result<&Line, StockError> {
        self.lines.line(line).ok_or(StockError::UnknownLine { line })
    }

    /// Locks a line's books. Waits for whoever has them.
    fn books(&self, line: StockId, now: Timestamp) -> Result<Books<'_>, StockError> {
        let counter = self.counter(line).ok_or(StockError::UnknownLine { line })?;
        Ok(self.open(self.known(line)?, counter, now))
    }

    fn open<'a>(&'a self, line: &'a Line, counter: &'a Counter, now: Timestamp) -> Books<'a> {
        Books { inventory: self, line: line.name.id, counter, ledger: line.ledger.lock(), now }
    }
}

impl Books<'_> {
    /// Refuses what would come into a retired line.
    fn check_open(&self) -> Result<(), StockError> {
        if self.counter.snapshot().retired() {
            return Err(StockError::Retired { line: self.line });
        }
        Ok(())
    }

    /// Refuses what would raise `on_hand` to 2^30 or more.
    fn check_room(&self, units: u32) -> Result<(), StockError> {
        let room = self.ledger.room();
        if units > room {
            return Err(StockError::NoRoom { line: self.line, room });
        }
        Ok(())
    }

    /// Refuses what would take more than is held.
    fn check_held(&self, held: u32, units: u32) -> Result<(), StockError> {
        match units.checked_sub(held) {
            Some(short_by) if short_by > 0 => Err(StockError::Short { line: self.line, short_by }),
            _ => Ok(()),
        }
    }

    /// Moves `on_hand` and available by a difference that fits 32 bits and a sign.
    fn adjust(&mut self, what: &'static str, delta: i64) -> Result<(), StockError> {
        // Beyond 32 bits there is no room and nothing that available could hold.
        let units = u32::try_from(delta.unsigned_abs()).unwrap_or(u32::MAX);
        match delta {
            0 => {}
            1.. => {
                self.check_room(units)?;
                self.bring_in(what, units);
            }
            _ => self.take_out(what, units)?,
        }
        Ok(())
    }

    /// Units come into the house; room was checked.
    fn bring_in(&mut self, what: &'static str, units: u32) {
        self.record(what, units, false); // gives stock: its place in the order before the counter rises
        self.ledger.bring_in(units);
        self.counter.add(units);
    }

    /// Available units leave the house.
    fn take_out(&mut self, what: &'static str, units: u32) -> Result<(), StockError> {
        self.take(units)?;
        self.ledger.take_out(units);
        self.record(what, units, false); // takes stock: its place after the counter fell
        Ok(())
    }

    /// Takes units out of available, or says for certain that they were not there (P4).
    fn take(&self, units: u32) -> Result<(), StockError> {
        let line = self.line;
        let mut pause = Pause::new();
        while self.counter.remove(units).is_err() {
            // May sweep, which gives back through counters and locks no books.
            match self.inventory.judge_shortage(self.counter, units, &mut pause) {
                Shortfall::Retry => {}
                Shortfall::Settled { available } => {
                    return Err(StockError::Short { line, short_by: units.saturating_sub(available) });
                }
                Shortfall::Contended => {
                    self.inventory.facts.record(self.inventory.lane(), Fact::Refused { line, contended: true });
                    return Err(StockError::Contended { line });
                }
            }
        }
        Ok(())
    }

    fn record(&self, what: &'static str, units: u32, committed: bool) {
        let fact = Fact::Stock { line: self.line, what, units, committed };
        self.inventory.facts.record(self.inventory.lane(), fact);
    }

    fn note(&mut self, what: &'static str, cause: &Cause) {
        let (source, external_ref) = (cause.source.clone(), cause.external_ref.clone());
        self.ledger.last = Some(LastChange { what, source, external_ref, at: self.now });
    }

    fn committed(&self) -> u32 {
        self.ledger.committed(self.counter.snapshot())
    }

    fn levels(&self) -> Levels {
        self.levels_at(self.counter.snapshot())
    }

    /// The numbers with the hot word as it was read under this lock.
    fn levels_at(&self, word: Word) -> Levels {
        Levels {
            line: self.line,
            on_hand: self.ledger.on_hand(),
            available: word.available(),
            reserved: word.reserved(),
            committed: self.ledger.committed(word),
            blocked: self.ledger.blocked(),
            safety_stock: self.ledger.safety_stock(),
            retired: word.retired(),
            as_of: self.now,
        }
    }
}

fn check_cause(cause: &Cause) -> Result<(), NameError> {
    if let Some(source) = &cause.source {
        check_name("source", source, NAME_BYTES_MAX)?;
    }
    if let Some(reference) = &cause.external_ref {
        check_name("external_ref", reference, REFERENCE_BYTES_MAX)?;
    }
    Ok(())
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{LineSpec, ManualClock, Ttl, UNITS_MAX};

    fn shop(units: u32) -> (Inventory, StockId) {
        let inventory = Inventory::new();
        let line = inventory.declare(LineSpec::new("TEE")).unwrap();
        if let Ok(units) = Quantity::new(units) {
            inventory.receive(line, units, &Cause::none()).unwrap();
        }
        (inventory, line)
    }

    fn units(units: u32) -> Quantity {
        Quantity::new(units).unwrap()
    }

    fn assert_sum(levels: Levels) {
        let sum = levels.available + levels.reserved + levels.committed + levels.blocked + levels.safety_stock;
        assert_eq!(levels.on_hand, sum, "{levels:?}");
    }

    #[test]
    fn p3_on_hand_is_the_sum_after_every_command() {
        let (inventory, line) = shop(100);
        let none = Cause::none();
        let ttl = Ttl::minutes(5).unwrap();
        let held = inventory.reserve(line, units(10), ttl).unwrap();
        inventory.reserve(line, units(20), ttl).unwrap().confirm().unwrap();
        assert_sum(inventory.levels(line).unwrap());
        assert_sum(inventory.block(line, units(5), "damaged", &none).unwrap());
        assert_sum(inventory.set_safety_stock(line, 7, &none).unwrap());
        assert_sum(inventory.ship(line, units(6), &none).unwrap());
        assert_sum(inventory.cancel_order(line, units(4), &none).unwrap());
        assert_sum(inventory.unblock(line, units(2), "damaged", &none).unwrap());
        let levels = inventory.adjust(line, -3, &none).unwrap();
        assert_sum(levels);
        let got = (levels.on_hand, levels.reserved, levels.committed, levels.blocked, levels.safety_stock);
        assert_eq!(got, (91, 10, 10, 3, 7));
        assert!(matches!(inventory.ship(line, units(11), &none), Err(StockError::Short { short_by: 1, .. })));
        drop(held);
        assert!(inventory.verify().is_clean());
    }

    #[test]
    fn the_widest_numbers_are_refused_not_wrapped() {
        let (inventory, line) = shop(5);
        let none = Cause::none();
        let short_by = i32::MIN.unsigned_abs() - 5;
        assert_eq!(inventory.adjust(line, i32::MIN, &none), Err(StockError::Short { line, short_by }));
        let room = UNITS_MAX - 5;
        assert_eq!(inventory.adjust(line, i32::MAX, &none), Err(StockError::NoRoom { line, room }));
        assert_eq!(inventory.adjust_set(line, 5, u32::MAX, &none), Err(StockError::NoRoom { line, room }));
        assert!(inventory.set_safety_stock(line, u32::MAX, &none).is_err());
        assert_eq!(inventory.adjust_set(line, 5, UNITS_MAX, &none).unwrap().available, UNITS_MAX);
        assert_eq!(inventory.receive(line, Quantity::ONE, &none), Err(StockError::NoRoom { line, room: 0 }));
        assert_eq!(inventory.adjust_set(line, UNITS_MAX, 0, &none).unwrap().on_hand, 0);
    }

    #[test]
    fn p4_expired_units_that_nobody_swept_can_be_blocked() {
        let clock = ManualClock::default();
        let inventory = Inventory::builder().clock(clock.clone()).build().unwrap();
        let line = inventory.declare(LineSpec::new("TEE")).unwrap();
        inventory.receive(line, units(5), &Cause::none()).unwrap();
        let _ = inventory.reserve(line, units(5), Ttl::millis(10).unwrap()).unwrap().detach();
        let block = || inventory.block(line, units(5), "recall", &Cause::none());
        clock.advance(Duration::from_millis(9));
        assert_eq!(block(), Err(StockError::Short { line, short_by: 5 }));
        clock.advance(Duration::from_millis(1));
        assert_eq!(block().unwrap().blocked, 5);
    }

    #[test]
    fn unknown_same_and_retired_lines_are_refused() {
        let (inventory, line) = shop(5);
        let other = inventory.declare(LineSpec::new("CAP")).unwrap();
        let unknown = StockId::new(2);
        let none = Cause::none();
        assert_eq!(inventory.available(unknown), Err(StockError::UnknownLine { line: unknown }));
        assert_eq!(inventory.available(other), Ok(0));
        let move_to = |to| inventory.transfer(line, to, units(2), &none).unwrap_err();
        assert_eq!(move_to(unknown), StockError::UnknownLine { line: unknown });
        assert_eq!(move_to(line), StockError::SameLine { line });
        inventory.retire(other).unwrap();
        assert_eq!(move_to(other), StockError::Retired { line: other });
        assert_eq!(inventory.levels_all().lines.iter().map(|levels| levels.on_hand).sum::<u32>(), 5);
        let long = Cause::none().with_external_ref(&"x".repeat(REFERENCE_BYTES_MAX + 1));
        assert!(matches!(inventory.adjust(line, 1, &long), Err(StockError::Name(_))));
    }

    #[test]
    fn reasons_are_bounded() {
        let (inventory, line) = shop(1_000);
        let block = |reason: &str| inventory.block(line, Quantity::ONE, reason, &Cause::none());
        for reason in 0..BLOCK_REASONS_MAX {
            block(&reason.to_string()).unwrap();
        }
        assert_eq!(block("one more"), Err(StockError::TooManyReasons { line, max: BLOCK_REASONS_MAX }));
        assert_eq!(block("0").unwrap().blocked as usize, BLOCK_REASONS_MAX + 1);
        assert_eq!(inventory.blocked(line).unwrap().len(), BLOCK_REASONS_MAX);
    }
}
