//! Steps that look, declare, move the time, or build.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::classes::{self, Retry};
use super::ops::{Dice, Step};
use super::reference::{Line, Stand};
use super::said::Said;
use super::world::{Check, TURNS, World, ensure};
use crate::inventory::{Cause, ChannelCounts, Counts, Filter, Inventory, Item, Reservation, State};
use crate::{
    DeclareError, End, FullError, LineSpec, NameError, ParseIdError, Phase, Quantity, ReservationId, StockError,
    StockId, Table, Timestamp,
};

/// How far time may run ahead of the last complete sweep.
const LEAP_MAX: u64 = 395 * 86_400_000;
/// Channel labels that an inventory can be built for.
const CHANNELS_MAX: usize = 65_534;

impl World<'_> {
    pub(super) fn declare(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let sku = match dice.roll(24) {
            0 => String::new(),
            1 => "s".repeat(129),
            _ => format!("SKU {}", dice.roll(5)),
        };
        let location = (dice.roll(3) == 0).then(|| format!("place {}", dice.roll(2)));
        let category = (dice.roll(6) == 0).then(|| "other".to_owned());
        let mut spec = LineSpec::new(&sku);
        if let Some(location) = &location {
            spec = spec.with_location(location);
        }
        if let Some(category) = &category {
            spec = spec.with_category(category);
        }
        let found = self.engine.declare(spec);
        self.see("declare", classes::declare(&found.clone().map(drop)));
        if let Err(DeclareError::Full(full)) = &found {
            self.see("full", classes::full(&full.table));
        }
        let bytes = sku.len();
        if bytes == 0 || bytes > 128 {
            let wrong = NameError { what: "SKU", bytes, bytes_max: 128 };
            return self.same("declare", &found, &Err(wrong.into()));
        }
        let named = |line: &Line| line.sku == sku && line.location == location;
        let expected = match self.truth.lines.iter().position(named) {
            Some(at) if self.truth.lines[at].category == category => Ok(StockId::new(at as u32)),
            Some(at) => Err(DeclareError::Differs { line: StockId::new(at as u32) }),
            None if self.truth.lines.len() >= self.truth.set.lines_max => {
                Err(self.truth.full(Table::Lines, self.truth.set.lines_max).into())
            }
            None => {
                self.truth.lines.push(Line { sku, location, category, ..Line::default() });
                self.truth.counts.declared += 1;
                Ok(StockId::new(self.truth.lines.len() as u32 - 1))
            }
        };
        self.same("declare", &found, &expected)
    }

    /// Two lines with some stock, so that a case does not begin with nothing.
    pub(super) fn open_shop(&mut self) -> Check {
        for sku in ["SKU 0", "SKU 1"] {
            let line = self.engine.declare(LineSpec::new(sku)).map_err(|error| error.to_string())?;
            self.truth.lines.push(Line { sku: sku.to_owned(), ..Line::default() });
            self.truth.counts.declared += 1;
            let quantity = Quantity::new(12).map_err(|error| error.to_string())?;
            let found = self.engine.receive(line, quantity, &Cause::none());
            self.check_received(line, quantity, &Cause::none(), &found)?;
        }
        Ok(())
    }

    pub(super) fn names(&mut self, step: Step) -> Check {
        let line = self.line(step.a);
        let (sku, location) = self.name_of(line);
        let found = match &location {
            Some(location) => self.engine.lookup_at(&sku, location),
            None => self.engine.lookup(&sku),
        };
        let known = self.truth.line(line);
        self.same("lookup", &found, &known.map(|_| line))?;
        let name = self.engine.name(line).map(|name| (name.sku, name.location, name.category, name.id));
        let arc = |text: &String| Arc::<str>::from(text.as_str());
        let expected = known
            .map(|books| (arc(&books.sku), books.location.as_ref().map(arc), books.category.as_ref().map(arc), line));
        self.same("name", &name, &expected)?;
        self.same("lines", &self.engine.lines(), &self.truth.lines.len())?;
        let skus: Vec<_> = self.engine.names().map(|name| name.sku.to_string()).collect();
        self.same("names", &skus, &self.truth.lines.iter().map(|line| line.sku.clone()).collect())?;
        self.same("owner", &self.engine.owner(&sku), &self.engine.owner(&sku))?;
        ensure!(self.engine.owner(&sku) != self.engine.owner("another"), "owner: two names, one owner");
        ensure!(self.engine.key(&sku) != self.engine.key("another"), "key: two texts, one key");
        self.parse_id(step)
    }

    /// An id as text, as it is, cut, or with one character changed.
    fn parse_id(&mut self, step: Step) -> Check {
        let id = self.id(step.b);
        let mut text = id.to_string().into_bytes();
        let at = 1 + step.c as usize / 4 % (text.len() - 1);
        let expected = match step.c % 4 {
            0 => Ok(id),
            1 => {
                text.truncate(at);
                Err(ParseIdError::Length { bytes: at })
            }
            2 => {
                text[at] = b'G';
                Err(ParseIdError::Character { at })
            }
            _ => {
                text[at] = if text[at] == b'7' { b'8' } else { b'7' };
                Err(ParseIdError::Check)
            }
        };
        let found = String::from_utf8(text).map_err(|error| error.to_string())?.parse();
        self.see("parse_id", classes::parse_id(&found.map(drop)));
        self.same("id as text", &found, &expected)
    }

    pub(super) fn channels(&mut self, step: Step) -> Check {
        if step.a % 3 == 0 {
            return self.too_many_channels();
        }
        let label = format!("channel {}", step.b % 5);
        let found = self.engine.channel(&label);
        self.see("channel", classes::channel(&found.clone().map(drop)));
        let found = found.map_err(|error| error.to_string())?;
        let at = self.truth.channels.iter().position(|counts| *counts.label == *label);
        if at.is_none() {
            let label = label.as_str().into();
            self.truth.channels.push(ChannelCounts { label, counts: Counts::default() });
        }
        let at = at.unwrap_or(self.truth.channels.len() - 1);
        self.same("channel", &usize::from(found.0), &(at + 1))?;
        let wrong = NameError { what: "channel", bytes: 0, bytes_max: 128 };
        let found = self.engine.channel("");
        self.see("channel", classes::channel(&found.clone().map(drop)));
        self.same("channel", &found, &Err(wrong.into()))
    }

    /// One inventory for the whole run has as many channels as fit.
    fn too_many_channels(&mut self) -> Check {
        let mut run = self.run.borrow_mut();
        let crowded = run.crowded.get_or_insert_with(|| {
            let crowded = Inventory::builder().channels_max(CHANNELS_MAX).build().unwrap_or_default();
            for label in 0..CHANNELS_MAX {
                assert!(crowded.channel(&format!("{label}")).is_ok(), "channel {label} of {CHANNELS_MAX}");
            }
            crowded
        });
        let found = crowded.channel("one more");
        let full = FullError { table: Table::Channels, max: CHANNELS_MAX };
        run.tally.see("full", classes::full(&full.table));
        run.tally.see("channel", classes::channel(&found.clone().map(drop)));
        drop(run);
        self.same("channel", &found, &Err(full.into()))
    }

    pub(super) fn get(&mut self, step: Step) -> Check {
        let wanted = match step.b % 6 {
            0 => State::Ended(End::Replaced),
            1 => State::Ended(End::Reacquired),
            2 | 3 => State::Live(Phase::InReview),
            _ => State::Live(Phase::Paying),
        };
        let mut recent = self.truth.live.iter().chain(self.truth.order.iter().rev().take(200)).copied();
        let wanted = recent.find(|id| self.truth.all[id].state == wanted && !self.truth.all[id].forgotten);
        let id = wanted.filter(|_| step.b % 5 > 0).unwrap_or_else(|| self.id(step.a));
        let found = self.engine.get(id);
        self.see("state", classes::state(&found.as_ref().map(|found| found.state)));
        match found {
            None => self.lost("get", id, Said::NotFound).map(drop),
            Some(found) => self.check_found(&found),
        }
    }

    /// Everything that `get` and `reservations` tell about one.
    fn check_found(&mut self, found: &Reservation) -> Check {
        let id = found.id;
        let said = match found.state {
            State::Live(_) => Said::Other,
            State::Ended(end) => Said::Ended(end),
        };
        let Some(phase) = self.lost("get", id, said)? else {
            let empty = found.items.is_empty() && found.deadline.is_none() && found.remaining.is_none();
            ensure!(empty, "get: {found:?} has ended");
            return Ok(());
        };
        self.see("phase", classes::phase(&phase));
        let held = &self.truth.all[&id];
        let item = |(line, units): (&StockId, &u32)| Some(Item { line: *line, quantity: Quantity::new(*units).ok()? });
        let deadline = held.deadline.map(Timestamp::from_millis);
        // 37 bits are kept of the birth; after 4.3 years, in review, another one is told, as documented.
        let mut born = held.born;
        if self.truth.now - born >= (1 << 37) - (1 << 20) && (found.born.as_millis() ^ born) & ((1 << 37) - 1) == 0 {
            born = found.born.as_millis();
        }
        let expected = Reservation {
            id,
            state: State::Live(phase),
            items: held.items.iter().filter_map(item).collect(),
            deadline,
            remaining: held.deadline.map(|deadline| Duration::from_millis(deadline - self.truth.now)),
            born: Timestamp::from_millis(born),
            owner: held.owner,
            channel: held.channel.map(|channel| Arc::clone(&self.truth.channels[channel].label)),
            key: held.key,
            metadata: held.metadata.clone(),
        };
        self.same("get", found, &expected)
    }

    pub(super) fn list(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let mut filter = Filter::all();
        let line = (dice.roll(2) == 0).then(|| self.line(dice.word()));
        let owner = (dice.roll(3) == 0).then(|| self.engine.owner(&format!("owner {}", dice.roll(5))));
        let state = (dice.roll(2) == 0).then(|| match dice.roll(5) {
            0 => State::Live(Phase::Reserved),
            1 => State::Live(Phase::InReview),
            2 => State::Ended(End::Expired),
            3 => State::Ended(End::Released),
            _ => State::Ended(End::Confirmed),
        });
        if let Some(line) = line {
            filter = filter.with_line(line);
        }
        if let Some(owner) = owner {
            filter = filter.with_owner(owner);
        }
        if let Some(state) = state {
            filter = filter.with_state(state);
        }
        let found: Vec<_> = self.engine.reservations(&filter).collect();
        for found in &found {
            self.check_found(found)?;
        }
        let found: BTreeSet<ReservationId> = found.iter().map(|found| found.id).collect();
        let admits = |id: &&ReservationId| {
            let held = &self.truth.all[*id];
            owner.is_none_or(|owner| held.owner == Some(owner))
                && line.is_none_or(|line| held.items.contains_key(&line))
                && state.is_none_or(|state| held.state == state)
        };
        if let Some(State::Ended(end)) = state {
            // Ended ones hold nothing and may have forgotten their owner; those remembered must be there.
            let sure = |(id, held): (&ReservationId, &super::reference::Held)| {
                let told = self.truth.stand(*id) == Stand::Ended(end, false);
                (told && held.state == State::Ended(end)).then_some(*id)
            };
            let sure: BTreeSet<_> = self.truth.all.iter().filter_map(sure).collect();
            let right =
                (line.is_none() || found.is_empty()) && (owner.is_some() || line.is_some() || found.is_superset(&sure));
            ensure!(right, "reservations: {found:?} ended so, expected {sure:?} at least");
            return Ok(());
        }
        let expected: BTreeSet<_> = self.truth.live.iter().filter(admits).copied().collect();
        self.same("reservations", &found, &expected)
    }

    pub(super) fn retry_after(&mut self, step: Step) -> Check {
        let line = self.line(step.a);
        let quantity = self.units(line, step.b);
        let found = self.engine.retry_after(line, quantity).map(|at| at.map(Timestamp::as_millis));
        let now = self.truth.now;
        self.see(
            "retry_after",
            classes::retry(&match found {
                Err(_) => Retry::UnknownLine,
                Ok(None) => Retry::Never,
                Ok(Some(at)) if at == now => Retry::Now,
                Ok(Some(_)) => Retry::Later,
            }),
        );
        if self.truth.line(line).is_none() {
            return self.same("retry_after", &found, &Err(StockError::UnknownLine { line }));
        }
        let expected = self.truth.retry_after(line, quantity.get());
        if self.asked_at != now {
            self.asked.clear();
            self.asked_at = now;
            self.asked_before.clear();
        }
        // Computed at most once per line and tick: what changed since then may not be in it yet.
        let fresh = self.asked_before.insert(line) || self.asked.contains(&line);
        self.asked.insert(line);
        if fresh {
            return self.same("P11: retry_after", &found, &Ok(expected));
        }
        self.asked.remove(&line);
        let there = expected == Some(now) && self.truth.unswept(line) == 0;
        let early = matches!(found, Ok(at) if at.is_none_or(|at| at >= now));
        ensure!(early && (!there || found == Ok(expected)), "P11: retry_after {found:?}, the truth is {expected:?}");
        Ok(())
    }

    // ---- time ----

    pub(super) fn move_clock(&mut self, step: Step) -> Check {
        let now = self.truth.now;
        let live = self.truth.live.iter().nth(usize::from(step.a / 16) % self.truth.live.len().max(1));
        let deadline = live.and_then(|id| self.truth.all[id].deadline).unwrap_or(now);
        let ages = self.truth.set.profile == super::ops::AGES;
        let to = match step.a % 16 {
            0..3 => deadline.saturating_sub(1),
            3..6 => deadline,
            6 => deadline + 1,
            7 => now + 1,
            8..11 => now + u64::from(step.c % 3_000),
            11 if ages => now + step.span(39),
            12 | 13 if ages => now + step.span(35),
            14 => {
                // A clock that goes back stands still.
                self.clock.time.set(Timestamp::from_millis(now.saturating_sub(u64::from(step.c))));
                self.same("now", &self.engine.now().as_millis(), &now)?;
                self.clock.time.set(Timestamp::from_millis(now));
                now
            }
            _ => now + step.span(20),
        };
        self.move_to(to.max(now))
    }

    /// The clock shows `to`; what that ends has ended.
    pub(super) fn move_to(&mut self, to: u64) -> Check {
        let (before, alive) = (self.truth.now, !self.truth.live.is_empty());
        self.clock.time.set(Timestamp::from_millis(to));
        if to > self.swept + LEAP_MAX {
            // T3: as far ahead of a complete sweep as the clock may run; then sweep, and on.
            loop {
                let now = self.engine.now().as_millis();
                ensure!(now <= to && now >= before, "now: {now} after a leap from {before} to {to}");
                self.truth.tick(now);
                self.swept_once(false)?;
                if self.swept == to {
                    break;
                }
            }
        } else {
            self.truth.tick(to);
        }
        let mut run = self.run.borrow_mut();
        for (turn, bits) in run.turns.iter_mut().zip(TURNS) {
            *turn += u64::from(alive && before >> bits != to >> bits);
        }
        Ok(())
    }

    /// One call of `advance` or `sweep`.
    pub(super) fn swept_once(&mut self, advance: bool) -> Check {
        let before = self.engine.counts().expired;
        let advanced = match advance {
            true => self.engine.advance(Timestamp::from_millis(self.truth.now)),
            false => self.engine.sweep(),
        };
        self.after_sweep(advanced, before)
    }

    pub(super) fn sweep(&mut self, step: Step, advance: bool) -> Check {
        if advance && step.a % 4 == 0 {
            // Time is what `advance` says, also ahead of the clock; before the last one it stands still.
            let to = self.truth.now + u64::from(step.b % 64);
            let before = self.engine.counts().expired;
            let advanced = self.engine.advance(Timestamp::from_millis(to));
            self.truth.tick(to.min(self.swept + LEAP_MAX));
            self.clock.time.set(Timestamp::from_millis(self.truth.now));
            return self.after_sweep(advanced, before);
        }
        self.swept_once(advance)?;
        // Until nothing is left, mostly: each call does a bounded piece of it.
        let mut calls = 0;
        while step.b % 4 > 0 && self.swept < self.truth.now {
            calls += 1;
            ensure!(calls < 200_000, "advance: not complete after {calls} calls");
            self.swept_once(advance)?;
        }
        Ok(())
    }

    // ---- settings ----

    pub(super) fn build(&mut self, step: Step) -> Check {
        let wrong = classes::SETTINGS[usize::from(step.a) % classes::SETTINGS.len()];
        let (b, far) = (Inventory::builder(), Duration::from_secs(401 * 86_400));
        let many = (1 << 30) + 1 + usize::from(step.b);
        let none = step.b % 2 == 0;
        let size = if none { 0 } else { many };
        let builder = match wrong {
            "lines_max" => b.lines_max(size),
            "reservations_max" => b.reservations_max(size),
            "lanes" => b.lanes(if none { 0 } else { 65 }),
            "hot_lines_max" => b.hot_lines_max(65),
            "ended_capacity" => b.ended_capacity(many),
            "expired_capacity" => b.expired_capacity(many),
            "items_max" => b.items_max(if none { 0 } else { 65_537 }),
            "owners_max" => b.owners_max(size),
            "keys_max" => b.keys_max(size),
            "channels_max" => b.channels_max(size),
            "sweep_budget" => b.sweep_budget(0),
            "time_slack" => b.time_slack(Duration::from_secs(3_601)),
            "ended_retention" => b.ended_retention(far),
            "expired_retention" => b.expired_retention(far),
            _ => b.key_window(if none { Duration::ZERO } else { far }),
        };
        match builder.build() {
            Ok(_) => Err(format!("build: {wrong} was not refused")),
            Err(error) => {
                self.see("setting", wrong);
                self.same("build", &error.setting, &wrong)
            }
        }
    }
}
