//! Steps on a line's books.

use super::classes;
use super::ops::{Dice, Step};
use super::said::{KeySaid, key_said};
use super::world::{Check, Command, World, ensure};
use crate::inventory::{Cause, Count, Levels};
use crate::{BLOCK_REASONS_MAX, NameError, Quantity, StockError, StockId, UNITS_MAX};

type Answer = Result<Levels, StockError>;

impl World<'_> {
    fn see_stock(&self, found: &Result<(), StockError>) {
        self.see("stock", classes::stock(found));
        match found {
            Err(StockError::Key(error)) => self.see("key", classes::key(error)),
            Err(StockError::Full(error)) => self.see("full", classes::full(&error.table)),
            _ => {}
        }
    }

    fn cause(&mut self, dice: &mut Dice) -> Cause {
        let mut cause = Cause::none();
        if dice.roll(5) == 0 {
            cause = cause.with_source(["warehouse", "count", ""][dice.roll(12).saturating_sub(9) as usize]);
        }
        if dice.roll(8) == 0 {
            cause = cause.with_external_ref(&"r".repeat(if dice.roll(6) == 0 { 257 } else { 7 }));
        }
        match self.key(dice.word()) {
            Some(key) => cause.with_key(key),
            None => cause,
        }
    }

    /// Refusals that come before the key: labels and the line.
    fn judge_cause(&self, cause: &Cause, lines: &[StockId]) -> Vec<StockError> {
        let mut right = Vec::new();
        if cause.source.as_deref() == Some("") {
            right.push(NameError { what: "source", bytes: 0, bytes_max: 128 }.into());
        }
        if let Some(text) = cause.external_ref.as_deref().filter(|text| text.len() > 256) {
            right.push(NameError { what: "external_ref", bytes: text.len(), bytes_max: 256 }.into());
        }
        let unknown = lines.iter().filter(|line| self.truth.line(**line).is_none());
        right.extend(unknown.map(|line| StockError::UnknownLine { line: *line }));
        right
    }

    /// The judgement of every command on one line: `judge` says what is right on a known line.
    fn commanded(
        &mut self,
        what: &'static str,
        arguments: String,
        line: StockId,
        cause: &Cause,
        found: &Answer,
        judge: impl FnOnce(&mut super::reference::Line, u32, u64) -> Result<bool, Vec<StockError>>,
    ) -> Check {
        self.see_stock(&found.clone().map(drop));
        let before = self.judge_cause(cause, &[line]);
        if !before.is_empty() {
            return self.one_of(what, found, &before.into_iter().map(Err).collect::<Vec<_>>());
        }
        let command = format!("{what} {line} {arguments}, {}", told(cause));
        if self.keyed(cause.key, &command, found, key_said!(StockError, found))? {
            return Ok(());
        }
        if matches!(found, Err(StockError::Contended { .. })) {
            return self.contended(what);
        }
        let (available, now) = (self.truth.available(line), self.truth.now);
        let books = &mut self.truth.lines[line.index()];
        let saved = books.clone();
        match judge(books, available, now) {
            Ok(changed) => {
                books.last = Some((what, cause.source.clone(), cause.external_ref.clone(), now));
                let (now, before) = (&self.truth.lines[line.index()], &saved);
                let more = |now: u32, before: u32| u64::from(now.saturating_sub(before));
                let counts = &mut self.truth.counts;
                counts.stock_changes += u64::from(changed);
                match what {
                    "receive" => counts.received_units += more(now.on_hand, before.on_hand),
                    "adjust" | "adjust_set" => {
                        counts.adjusted_up_units += more(now.on_hand, before.on_hand);
                        counts.adjusted_down_units += more(before.on_hand, now.on_hand);
                    }
                    "block" => counts.blocked_units += more(now.blocked(), before.blocked()),
                    "unblock" => counts.unblocked_units += more(before.blocked(), now.blocked()),
                    "ship" => counts.shipped_units += more(before.committed, now.committed),
                    "cancel_order" => counts.cancelled_units += more(before.committed, now.committed),
                    _ => {}
                }
                let Ok(levels) = found else { return Err(format!("{what} {arguments}: {found:?}, of {saved:?}")) };
                self.touched([line]);
                self.same(what, &levels.line, &line)?;
                self.check_levels(what, levels)?;
            }
            Err(right) => {
                self.truth.lines[line.index()] = saved;
                self.one_of(what, found, &right.into_iter().map(Err).collect::<Vec<_>>())?;
            }
        }
        self.remember(cause.key, command, found);
        Ok(())
    }

    pub(super) fn receive(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let units = match dice.roll(12) {
            0 => UNITS_MAX,
            1..4 => 1,
            _ => 1 + dice.roll(12) as u32,
        };
        let quantity = Quantity::new(units).unwrap_or(Quantity::ONE);
        let cause = self.cause(&mut dice);
        let found = self.engine.receive(line, quantity, &cause);
        if cause.key.is_some() {
            self.noted(Command::Receive(line, quantity, cause.clone()));
        }
        self.check_received(line, quantity, &cause, &found)
    }

    pub(super) fn check_received(&mut self, line: StockId, quantity: Quantity, cause: &Cause, found: &Answer) -> Check {
        let units = quantity.get();
        self.commanded("receive", format!("{units}"), line, cause, found, |books, _, _| {
            let right = into(line, books, units);
            books.on_hand = books.on_hand.saturating_add(units);
            if right.is_empty() { Ok(true) } else { Err(right) }
        })
    }

    pub(super) fn adjust(&mut self, step: Step, set: bool) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let on_hand = self.truth.line(line).map_or(0, |books| books.on_hand);
        let available = self.truth.available(line);
        let delta = match dice.roll(16) {
            0 => 0,
            1 => i64::from(UNITS_MAX) + 1,
            2 => -i64::from(available) - 1,
            3 => -i64::from(available),
            4..9 => -(dice.roll(4) as i64),
            _ => dice.roll(8) as i64,
        };
        let cause = self.cause(&mut dice);
        let (what, arguments, found, expected);
        if set {
            let counted = (i64::from(on_hand) + delta).max(0) as u32;
            expected = if dice.roll(3) == 0 { on_hand + 1 } else { on_hand };
            (what, arguments) = ("adjust_set", format!("{expected} {counted}"));
            found = self.engine.adjust_set(line, Count { expected, counted }, &cause);
            return self.commanded(what, arguments, line, &cause, &found, |books, available, _| {
                if books.on_hand != expected {
                    return Err(vec![StockError::Unexpected { line, expected, found: books.on_hand }]);
                }
                corrected(line, books, available, i64::from(counted) - i64::from(expected))
            });
        }
        let delta = delta as i32;
        found = self.engine.adjust(line, delta, &cause);
        self.commanded("adjust", format!("{delta}"), line, &cause, &found, |books, available, _| {
            corrected(line, books, available, i64::from(delta))
        })
    }

    pub(super) fn block(&mut self, step: Step, block: bool) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let stock = self.truth.set.profile == super::ops::STOCK;
        let reason = match dice.roll(40) {
            0 => String::new(),
            _ if stock => format!("reason {:02}", dice.roll(400)),
            _ => format!("reason {:02}", dice.roll(3)),
        };
        if !block {
            return self.unblock(line, &reason, &mut dice);
        }
        // Where reasons shall run out, a line is filled with them in one step.
        if stock && dice.roll(4) == 0 {
            self.fill_reasons(line)?;
        }
        let quantity = if stock && dice.roll(3) > 0 { Quantity::ONE } else { self.units(line, dice.word()) };
        let found = self.engine.block(line, quantity, &reason, &Cause::none());
        self.check_blocked(line, quantity, &reason, &found)
    }

    fn fill_reasons(&mut self, line: StockId) -> Check {
        let Some(books) = self.truth.line(line) else { return Ok(()) };
        let missing = BLOCK_REASONS_MAX.saturating_sub(books.blocked.len());
        if missing == 0 || books.retired {
            return Ok(());
        }
        let quantity = Quantity::new(missing as u32).unwrap_or(Quantity::ONE);
        let found = self.engine.receive(line, quantity, &Cause::none());
        self.check_received(line, quantity, &Cause::none(), &found)?;
        for at in 0..missing {
            let reason = format!("filled {at}");
            let found = self.engine.block(line, Quantity::ONE, &reason, &Cause::none());
            self.check_blocked(line, Quantity::ONE, &reason, &found)?;
        }
        Ok(())
    }

    pub(super) fn check_blocked(&mut self, line: StockId, quantity: Quantity, reason: &str, found: &Answer) -> Check {
        if let Some(wrong) = bad_reason(reason) {
            self.see_stock(&found.clone().map(drop));
            return self.same("block", found, &Err(wrong));
        }
        let units = quantity.get();
        self.commanded("block", format!("{units} {reason}"), line, &Cause::none(), found, |books, available, _| {
            let mut right = out_of(line, available, units);
            if books.blocked.len() >= BLOCK_REASONS_MAX && !books.blocked.contains_key(reason) {
                right.push(StockError::TooManyReasons { line, max: BLOCK_REASONS_MAX });
            }
            if !right.is_empty() {
                return Err(right);
            }
            *books.blocked.entry(reason.into()).or_default() += units;
            Ok(true)
        })
    }

    fn unblock(&mut self, line: StockId, reason: &str, dice: &mut Dice) -> Check {
        let known = self.truth.line(line).and_then(|books| books.blocked.keys().next().cloned());
        let reason = known.filter(|_| dice.roll(4) > 0).unwrap_or_else(|| reason.into());
        let quantity = Quantity::new(1 + dice.roll(3) as u32).unwrap_or(Quantity::ONE);
        let cause = self.cause(dice);
        let found = self.engine.unblock(line, quantity, &reason, &cause);
        if let Some(wrong) = bad_reason(&reason) {
            self.see_stock(&found.clone().map(drop));
            let mut right = self.judge_cause(&cause, &[line]);
            right.push(wrong);
            return self.one_of("unblock", &found, &right.into_iter().map(Err).collect::<Vec<_>>());
        }
        let units = quantity.get();
        self.commanded("unblock", format!("{units} {reason}"), line, &cause, &found, |books, _, _| {
            let held = books.blocked.get(&reason).copied().unwrap_or(0);
            let right = out_of(line, held, units);
            if !right.is_empty() {
                return Err(right);
            }
            books.blocked.insert(reason.clone(), held - units);
            books.blocked.retain(|_, units| *units > 0);
            Ok(true)
        })
    }

    pub(super) fn safety_stock(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let cause = self.cause(&mut dice);
        let now = self.truth.line(line).map_or(0, |books| books.safety);
        let units = match dice.roll(6) {
            0 => now + self.truth.available(line) + 1,
            1 => now,
            2..5 => 0,
            _ => dice.roll(6) as u32,
        };
        let found = self.engine.set_safety_stock(line, units, &cause);
        self.commanded("set_safety_stock", format!("{units}"), line, &cause, &found, |books, available, _| {
            let right = out_of(line, available, units.saturating_sub(books.safety));
            if !right.is_empty() {
                return Err(right);
            }
            let changed = books.safety != units;
            books.safety = units;
            Ok(changed)
        })
    }

    pub(super) fn ship(&mut self, step: Step, ship: bool) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let committed = self.truth.line(line).map_or(0, |books| books.committed);
        let units = match dice.roll(5) {
            0 => committed + 1,
            1 => committed,
            _ => 1 + dice.roll(3) as u32,
        };
        let quantity = Quantity::new(units.max(1)).unwrap_or(Quantity::ONE);
        let units = quantity.get();
        let cause = self.cause(&mut dice);
        let (what, found) = match ship {
            true => ("ship", self.engine.ship(line, quantity, &cause)),
            false => ("cancel_order", self.engine.cancel_order(line, quantity, &cause)),
        };
        self.commanded(what, format!("{units}"), line, &cause, &found, |books, _, _| {
            let right = out_of(line, books.committed, units);
            if !right.is_empty() {
                return Err(right);
            }
            books.committed -= units;
            books.on_hand -= if ship { units } else { 0 };
            Ok(true)
        })
    }

    pub(super) fn transfer(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let (from, to) = (self.line(dice.word()), self.line(dice.word()));
        let quantity = self.units(from, dice.word());
        let cause = self.cause(&mut dice);
        if cause.key.is_some() {
            self.noted(Command::Transfer(from, to, quantity, cause.clone()));
        }
        self.transfer_with(from, to, quantity, &cause)
    }

    pub(super) fn transfer_with(&mut self, from: StockId, to: StockId, quantity: Quantity, cause: &Cause) -> Check {
        let units = quantity.get();
        let found = self.engine.transfer(from, to, quantity, cause);
        self.see_stock(&found.clone().map(drop));
        let mut before = self.judge_cause(cause, &[from, to]);
        if from == to {
            before.push(StockError::SameLine { line: from });
        }
        if !before.is_empty() {
            return self.one_of("transfer", &found, &before.into_iter().map(Err).collect::<Vec<_>>());
        }
        let command = format!("transfer {from} {to} {units}, {}", told(cause));
        if self.keyed(cause.key, &command, &found, key_said!(StockError, &found))? {
            return Ok(());
        }
        if matches!(found, Err(StockError::Contended { .. })) {
            return self.contended("transfer");
        }
        let mut right = out_of(from, self.truth.available(from), units);
        right.extend(into(to, &self.truth.lines[to.index()], units));
        match &found {
            Err(error) => self.one_of("transfer", error, &right)?,
            Ok((source, target)) => {
                ensure!(right.is_empty(), "transfer: {found:?}, expected one of {right:?}");
                self.truth.lines[from.index()].on_hand -= units;
                self.truth.lines[to.index()].on_hand += units;
                self.truth.counts.stock_changes += 2;
                self.truth.counts.transferred_units += u64::from(units);
                let now = self.truth.now;
                for (line, what) in [(from, "transfer_out"), (to, "transfer_in")] {
                    let last = (what, cause.source.clone(), cause.external_ref.clone(), now);
                    self.truth.lines[line.index()].last = Some(last);
                }
                self.touched([from, to]);
                self.same("transfer: lines", &(source.line, target.line), &(from, to))?;
                self.check_levels("transfer", source)?;
                self.check_levels("transfer", target)?;
            }
        }
        self.remember(cause.key, command, &found);
        Ok(())
    }

    pub(super) fn retire(&mut self, step: Step, retire: bool) -> Check {
        let mut dice = Dice::of(step);
        let line = self.line(dice.word());
        let cause = self.cause(&mut dice);
        let (what, found) = match retire {
            true => ("retire", self.engine.retire(line, &cause)),
            false => ("reinstate", self.engine.reinstate(line, &cause)),
        };
        self.commanded(what, String::new(), line, &cause, &found, |books, _, _| {
            let changed = books.retired != retire;
            books.retired = retire;
            Ok(changed)
        })
    }

    /// `blocked` and `last_change`.
    pub(super) fn books(&mut self, step: Step) -> Check {
        let line = self.line(step.a);
        let (blocked, last) = (self.engine.blocked(line), self.engine.last_change(line));
        let Some(books) = self.truth.line(line) else {
            let looked = classes::stock(&blocked.clone().map(drop)); // a look: nothing is refused
            self.run.borrow_mut().tally.see("stock", looked);
            self.same("blocked", &blocked, &Err(StockError::UnknownLine { line }))?;
            return self.same("last_change", &last, &Err(StockError::UnknownLine { line }));
        };
        let expected = books.blocked.iter().map(|(reason, units)| (reason.as_str().into(), *units)).collect();
        self.same("blocked", &blocked, &Ok(expected))?;
        let last = last.map_err(|error| error.to_string())?;
        let last = last.map(|last| (last.what, last.source, last.external_ref, last.at.as_millis()));
        self.same("last_change", &last, &books.last)
    }
}

/// What of a cause makes another command.
fn told(cause: &Cause) -> String {
    format!("{:?} {:?}", cause.source, cause.external_ref)
}

fn bad_reason(reason: &str) -> Option<StockError> {
    reason.is_empty().then(|| NameError { what: "reason", bytes: 0, bytes_max: 128 }.into())
}

/// What stands against units coming in.
fn into(line: StockId, books: &super::reference::Line, units: u32) -> Vec<StockError> {
    let mut right = Vec::new();
    if books.retired {
        right.push(StockError::Retired { line });
    }
    let room = UNITS_MAX - books.on_hand.min(UNITS_MAX);
    if units > room {
        right.push(StockError::NoRoom { line, room });
    }
    right
}

/// What stands against units leaving.
fn out_of(line: StockId, held: u32, units: u32) -> Vec<StockError> {
    let short_by = units.saturating_sub(held);
    if short_by > 0 { vec![StockError::Short { line, short_by }] } else { Vec::new() }
}

fn corrected(
    line: StockId,
    books: &mut super::reference::Line,
    available: u32,
    delta: i64,
) -> Result<bool, Vec<StockError>> {
    let after = i64::from(books.on_hand) + delta;
    let room = UNITS_MAX - books.on_hand;
    if after > i64::from(UNITS_MAX) {
        return Err(vec![StockError::NoRoom { line, room }]);
    }
    let short_by = -delta - i64::from(available);
    if short_by > 0 {
        return Err(vec![StockError::Short { line, short_by: short_by as u32 }]);
    }
    books.on_hand = after as u32;
    Ok(delta != 0)
}
