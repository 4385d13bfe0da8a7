//! A line's books, opened under their lock: the steps that every command on stock is made of.
//!
//! What takes stock is recorded after the counter fell, what gives stock back before it rises (P6). A hot line
//! is plain while its books are open.

use super::facts::{Fact, StockChange};
use super::reserve::Shortfall;
use super::{Cause, Inventory, Levels, NO_CHANNEL};
use crate::clock::Timestamp;
use crate::error::StockError;
use crate::sku::StockId;
use crate::stock::counter::{Counter, Snapshot as Word};
use crate::stock::ledger::{LastChange, Ledger};
use crate::stock::table::Line;
use crate::sync::{MutexGuard, Pause};

/// A line's books, locked.
pub(super) struct Books<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) line: StockId,
    pub(super) counter: &'a Counter,
    pub(super) ledger: MutexGuard<'a, Ledger>,
    pub(super) now: Timestamp,
}

impl Inventory {
    pub(super) fn known(&self, line: StockId) -> Result<&Line, StockError> {
        self.lines.line(line).ok_or(StockError::UnknownLine { line })
    }

    /// Locks a line's books. Waits for whoever has them.
    pub(super) fn books(&self, line: StockId, now: Timestamp) -> Result<Books<'_>, StockError> {
        let counter = self.counter(line).ok_or(StockError::UnknownLine { line })?;
        Ok(self.open(self.known(line)?, counter, now))
    }

    pub(super) fn open<'a>(&'a self, line: &'a Line, counter: &'a Counter, now: Timestamp) -> Books<'a> {
        let ledger = line.ledger.lock();
        self.hot.fold(line.name.id, counter); // and plain it stays while the books are open: the word says all
        Books { inventory: self, line: line.name.id, counter, ledger, now }
    }
}

impl Books<'_> {
    /// Refuses what would come into a retired line.
    pub(super) fn check_open(&self) -> Result<(), StockError> {
        if self.counter.snapshot().retired() {
            return Err(StockError::Retired { line: self.line });
        }
        Ok(())
    }

    /// Refuses what would raise `on_hand` to 2^30 or more.
    pub(super) fn check_room(&self, units: u32) -> Result<(), StockError> {
        let room = self.ledger.room();
        if units > room {
            return Err(StockError::NoRoom { line: self.line, room });
        }
        Ok(())
    }

    /// Refuses what would take more than is held.
    pub(super) fn check_held(&self, held: u32, units: u32) -> Result<(), StockError> {
        match units.checked_sub(held) {
            Some(short_by) if short_by > 0 => Err(StockError::Short { line: self.line, short_by }),
            _ => Ok(()),
        }
    }

    /// Moves `on_hand` and available by a difference that fits 32 bits and a sign.
    pub(super) fn adjust(&mut self, delta: i64) -> Result<(), StockError> {
        // Beyond 32 bits there is no room and nothing that available could hold.
        let units = u32::try_from(delta.unsigned_abs()).unwrap_or(u32::MAX);
        match delta {
            0 => {}
            1.. => {
                self.check_room(units)?;
                self.bring_in(StockChange::AdjustedUp, units);
            }
            _ => self.take_out(StockChange::AdjustedDown, units)?,
        }
        Ok(())
    }

    /// Units come into the house; room was checked.
    pub(super) fn bring_in(&mut self, change: StockChange, units: u32) {
        self.record(change, units); // gives stock: its place in the order before the counter rises
        self.ledger.bring_in(units);
        self.counter.add(units);
    }

    /// Available units leave the house.
    pub(super) fn take_out(&mut self, change: StockChange, units: u32) -> Result<(), StockError> {
        self.take(units)?;
        self.ledger.take_out(units);
        self.record(change, units); // takes stock: its place after the counter fell
        Ok(())
    }

    /// Takes units out of available, or says for certain that they were not there (P4).
    pub(super) fn take(&self, units: u32) -> Result<(), StockError> {
        let line = self.line;
        let mut pause = Pause::new();
        while self.counter.remove(units).is_err() {
            // May sweep, which gives back through counters and locks no books.
            match self.inventory.judge_shortage(line, self.counter, units, &mut pause) {
                Shortfall::Retry => {}
                Shortfall::Settled { available } => {
                    return Err(StockError::Short { line, short_by: units.saturating_sub(available) });
                }
                Shortfall::Contended => return Err(StockError::Contended { line }),
            }
        }
        Ok(())
    }

    /// Closes the line for what is new, or opens it again.
    pub(super) fn set_retired(&mut self, change: StockChange) {
        let retired = change == StockChange::Retired;
        if self.counter.snapshot().retired() != retired {
            self.record(change, 0);
            self.counter.set_retired(retired);
        }
    }

    pub(super) fn record(&self, change: StockChange, units: u32) {
        self.inventory.record(NO_CHANNEL, Fact::Stock { line: self.line, change, units });
    }

    pub(super) fn note(&mut self, what: &'static str, cause: &Cause) {
        let (source, external_ref) = (cause.source.clone(), cause.external_ref.clone());
        self.ledger.last = Some(LastChange { what, source, external_ref, at: self.now });
    }

    pub(super) fn committed(&self) -> u32 {
        self.ledger.committed(self.counter.snapshot())
    }

    pub(super) fn levels(&self) -> Levels {
        self.levels_at(self.counter.snapshot())
    }

    /// The numbers with the hot word as it was read under this lock.
    pub(super) fn levels_at(&self, word: Word) -> Levels {
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
