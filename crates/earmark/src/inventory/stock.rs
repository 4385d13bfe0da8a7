//! The books of a line: what comes in, what is set aside, what leaves.
//!
//! Every command locks the books of its line (a transfer both, in order of line number), for which no
//! reservation waits. What leaves `available` passes the same judgement as a reserve: expired units that
//! nobody swept count as there (P4). What stands promised is never revoked; the command is refused.

use std::hash::Hash;

use super::books::Books;
use super::facts::StockChange;
use super::{Cause, Count, Inventory, Levels, NO_CHANNEL};
use crate::error::StockError;
use crate::quantity::Quantity;
use crate::sku::{NAME_BYTES_MAX, NameError, REFERENCE_BYTES_MAX, StockId, check_name};
use crate::stock::ledger::BLOCK_REASONS_MAX;

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
            books.bring_in(StockChange::Received, quantity.get());
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
        self.command("adjust", line, delta, cause, |books| books.adjust(i64::from(delta)))
    }

    /// The shelf was counted: sets `on_hand` to what was counted, if it still stands at what was expected.
    /// The difference moves `available`.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::new(40)?, &Cause::none())?;
    /// assert_eq!(inventory.adjust_set(tee, Count { expected: 40, counted: 38 }, &Cause::none())?.on_hand, 38);
    /// let stale = inventory.adjust_set(tee, Count { expected: 40, counted: 39 }, &Cause::none());
    /// assert!(matches!(stale, Err(StockError::Unexpected { found: 38, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: as [`adjust`](Self::adjust), and if `on_hand` is not what was expected.
    pub fn adjust_set(&self, line: StockId, count: Count, cause: &Cause) -> Result<Levels, StockError> {
        self.command("adjust_set", line, count, cause, |books| {
            let (expected, found) = (count.expected, books.ledger.on_hand());
            if found != expected {
                return Err(StockError::Unexpected { line, expected, found });
            }
            books.adjust(i64::from(count.counted) - i64::from(found))
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
        self.checked(|| Ok(check_name("reason", reason, NAME_BYTES_MAX)?))?;
        self.command("block", line, (quantity.get(), reason), cause, |books| {
            if !books.ledger.has_room_for(reason) {
                return Err(StockError::TooManyReasons { line, max: BLOCK_REASONS_MAX });
            }
            books.take(quantity.get())?;
            books.ledger.block(reason, quantity.get());
            books.record(StockChange::Blocked, quantity.get());
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
        self.checked(|| Ok(check_name("reason", reason, NAME_BYTES_MAX)?))?;
        self.command("unblock", line, (quantity.get(), reason), cause, |books| {
            books.check_held(books.ledger.blocked_for(reason), quantity.get())?;
            books.record(StockChange::Unblocked, quantity.get());
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
                books.record(StockChange::Buffered, more);
            } else if before > units {
                books.record(StockChange::Unbuffered, before - units);
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
            books.record(StockChange::Shipped, quantity.get());
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
            books.record(StockChange::OrderCancelled, quantity.get());
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
        self.checked(|| {
            check_cause(cause)?;
            self.known(from)?;
            self.known(to)?;
            if from == to { Err(StockError::SameLine { line: from }) } else { Ok(()) }
        })?;
        let now = self.now();
        let fingerprint = || self.hash(&("transfer", from.raw(), to.raw(), quantity.get(), cause.told()));
        self.keyed(NO_CHANNEL, cause.key, fingerprint, || {
            // In order of line number, as everybody who locks more than one line's books.
            let low = self.books(from.min(to), now)?;
            let high = self.books(from.max(to), now)?;
            let (mut source, mut target) = if from < to { (low, high) } else { (high, low) };
            target.check_open()?;
            target.check_room(quantity.get())?;
            source.take_out(StockChange::TransferredOut, quantity.get())?;
            target.bring_in(StockChange::TransferredIn, quantity.get());
            source.note("transfer_out", cause);
            target.note("transfer_in", cause);
            Ok((source.levels(), target.levels()))
        })
        .answer()
    }

    /// Closes a line for new reservations and new units. What is promised stays promised, and units that
    /// come back stay on the line. Retiring a retired line is no error.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// assert!(inventory.retire(tee, &Cause::none())?.retired);
    /// assert!(matches!(inventory.receive(tee, Quantity::ONE, &Cause::none()), Err(StockError::Retired { .. })));
    /// assert!(!inventory.reinstate(tee, &Cause::none())?.retired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, a bad label, the key stands against it.
    pub fn retire(&self, line: StockId, cause: &Cause) -> Result<Levels, StockError> {
        self.command("retire", line, (), cause, |books| {
            books.set_retired(StockChange::Retired);
            Ok(())
        })
    }

    /// Opens a retired line again; see [`retire`](Self::retire). No error if it is open.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// inventory.retire(tee, &Cause::none().with_source("catalogue"))?;
    /// inventory.reinstate(tee, &Cause::none())?;
    /// assert_eq!(inventory.receive(tee, Quantity::ONE, &Cause::none())?.available, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StockError`]: unknown line, a bad label, the key stands against it.
    pub fn reinstate(&self, line: StockId, cause: &Cause) -> Result<Levels, StockError> {
        self.command("reinstate", line, (), cause, |books| {
            books.set_retired(StockChange::Reinstated);
            Ok(())
        })
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
        self.checked(|| {
            check_cause(cause)?;
            self.known(line).map(drop)
        })?;
        let now = self.now(); // before any lock: a user's clock may panic
        let fingerprint = || self.hash(&(what, line.raw(), arguments, cause.told()));
        self.keyed(NO_CHANNEL, cause.key, fingerprint, || {
            let mut books = self.books(line, now)?;
            run(&mut books)?;
            books.note(what, cause);
            Ok(books.levels())
        })
        .answer()
    }

    /// What is refused before any key is looked at.
    fn checked(&self, check: impl FnOnce() -> Result<(), StockError>) -> Result<(), StockError> {
        check().inspect_err(|error| self.refused(NO_CHANNEL, error))
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
        assert_eq!(
            inventory.adjust_set(line, Count { expected: 5, counted: u32::MAX }, &none),
            Err(StockError::NoRoom { line, room })
        );
        assert!(inventory.set_safety_stock(line, u32::MAX, &none).is_err());
        assert_eq!(
            inventory.adjust_set(line, Count { expected: 5, counted: UNITS_MAX }, &none).unwrap().available,
            UNITS_MAX
        );
        assert_eq!(inventory.receive(line, Quantity::ONE, &none), Err(StockError::NoRoom { line, room: 0 }));
        assert_eq!(inventory.adjust_set(line, Count { expected: UNITS_MAX, counted: 0 }, &none).unwrap().on_hand, 0);
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
        inventory.retire(other, &Cause::none()).unwrap();
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
