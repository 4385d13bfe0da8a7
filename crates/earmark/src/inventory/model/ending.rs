//! Steps on an id: ends, parts, deadlines, payments, late money, reviews.

use std::collections::BTreeMap;

use super::classes;
use super::ops::{Dice, Step};
use super::reference::Stand;
use super::said::{KeySaid, Said, key_said, said};
use super::world::{Check, Command, World, ensure};
use crate::clock::Ttl;
use crate::error::ShortItem;
use crate::inventory::{CloseMode, Item, Key, Late, Resolution, State};
use crate::{
    ConfirmError, End, ExtendError, PartError, PaymentError, PendingPolicy, Phase, Quantity, ReacquireError,
    ReleaseError, ReservationId, ReviewError, StockId, Timestamp,
};

impl World<'_> {
    pub(super) fn confirm(&mut self, step: Step) -> Check {
        let id = self.id(step.a);
        let found = self.engine.confirm(id);
        self.check_confirm(id, &found)
    }

    pub(super) fn confirm_with(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let id = self.id(dice.word());
        let key = self.key(dice.word()).unwrap_or_else(|| self.engine.key(&format!("key {}", dice.roll(40))));
        self.confirm_keyed(id, key)
    }

    pub(super) fn confirm_keyed(&mut self, id: ReservationId, key: Key) -> Check {
        let found = self.engine.confirm_with(id, key);
        self.noted(Command::Confirm(id, key));
        if let Err(ConfirmError::Key(error)) = &found {
            self.see("key", classes::key(error));
        }
        if let Err(ConfirmError::Full(error)) = &found {
            self.see("full", classes::full(&error.table));
        }
        let command = format!("confirm {id}");
        if self.keyed(Some(key), &command, &found, key_said!(ConfirmError, &found))? {
            self.see("confirm", classes::confirm(&found));
            return Ok(());
        }
        self.check_confirm(id, &found)?;
        self.remember(Some(key), command, &found);
        Ok(())
    }

    pub(super) fn release(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let id = self.id(dice.word());
        match self.key(dice.word()) {
            Some(key) => self.release_keyed(id, key),
            None => {
                let found = self.engine.release(id);
                self.check_release(id, &found)
            }
        }
    }

    pub(super) fn release_keyed(&mut self, id: ReservationId, key: Key) -> Check {
        let found = self.engine.release_with(id, key);
        self.noted(Command::Release(id, key));
        if let Err(ReleaseError::Key(error)) = &found {
            self.see("key", classes::key(error));
        }
        let command = format!("release {id}");
        if self.keyed(Some(key), &command, &found, key_said!(ReleaseError, &found))? {
            self.see("release", classes::release(&found));
            return Ok(());
        }
        self.check_release(id, &found)?;
        self.remember(Some(key), command, &found);
        Ok(())
    }

    pub(super) fn extend(&mut self, step: Step) -> Check {
        let id = self.id(step.a);
        let ttl = if step.b % 3 == 0 { Ttl::MAX } else { self.ttl(step) };
        let found = self.engine.extend(id, ttl);
        self.see("extend", classes::extend(&found.clone().map(drop)));
        let Some(phase) = self.lost("extend", id, said!(ExtendError, &found, id))? else { return Ok(()) };
        if phase != Phase::Reserved {
            self.see("phase", classes::phase(&phase));
            return self.same("extend", &found, &Err(ExtendError::WrongPhase { id, phase }));
        }
        let held = &self.truth.all[&id];
        let current = held.deadline.unwrap_or(0);
        let (wanted, limit) = (self.truth.after(ttl), held.born + self.truth.set.life_max.as_millis());
        let next = wanted.min(limit).max(current);
        if next == current && wanted > current {
            let max = self.truth.life_max();
            return self.same("extend", &found, &Err(ExtendError::LifeUsedUp { id, max }));
        }
        self.same("extend", &found, &Ok(Timestamp::from_millis(next)))?;
        self.truth.count_of(id, |counts| counts.extended += u64::from(next > current));
        self.set_deadline(id, Phase::Reserved, next);
        Ok(())
    }

    fn set_deadline(&mut self, id: ReservationId, phase: Phase, deadline: u64) {
        self.touched(self.truth.items(id).into_keys());
        self.entries += 1;
        if let Some(held) = self.truth.all.get_mut(&id) {
            held.state = State::Live(phase);
            held.deadline = Some(deadline);
        }
    }

    pub(super) fn part(&mut self, step: Step, confirm: bool) -> Check {
        let mut dice = Dice::of(step);
        let id = self.id(dice.word());
        let mut held = self.truth.items(id);
        if !matches!(self.truth.stand(id), Stand::Live(_)) {
            held = BTreeMap::from([(self.known_line(dice.word()), 1)]); // it will not matter
        }
        let mut part: Vec<Item> = Vec::new();
        let shape = dice.roll(12);
        for (line, units) in &held {
            let some = match shape {
                0 => 0,
                1..3 => *units,
                3 => *units + 1,
                _ => dice.roll(u64::from(*units) + 1) as u32,
            };
            part.extend(Quantity::new(some).map(|quantity| Item { line: *line, quantity }));
        }
        if shape == 4 {
            part.push(Item { line: self.line(dice.word()), quantity: Quantity::ONE });
        }
        if shape == 5 && dice.roll(4) == 0 {
            let most = Quantity::new(crate::UNITS_MAX).unwrap_or(Quantity::ONE);
            part.extend([Item { line: StockId::new(0), quantity: most }; 2]);
        }
        let key = self.key(dice.word());
        self.part_keyed(id, &part, key, confirm)
    }

    pub(super) fn part_keyed(&mut self, id: ReservationId, part: &[Item], key: Option<Key>, confirm: bool) -> Check {
        let found = match (confirm, key) {
            (true, Some(key)) => self.engine.confirm_part_with(id, part, key),
            (true, None) => self.engine.confirm_part(id, part),
            (false, Some(key)) => self.engine.release_part_with(id, part, key),
            (false, None) => self.engine.release_part(id, part),
        };
        if let Some(key) = key {
            self.noted(Command::Part(id, part.to_vec(), key, confirm));
        }
        if let Err(PartError::Key(error)) = &found {
            self.see("key", classes::key(error));
        }
        self.see("part", classes::part(&found));
        let mut asked: BTreeMap<StockId, u64> = BTreeMap::new();
        for item in part {
            *asked.entry(item.line).or_default() += u64::from(item.quantity.get());
        }
        let command = format!("{} {id} {asked:?}", if confirm { "confirm_part" } else { "release_part" });
        if self.keyed(key, &command, &found, key_said!(PartError, &found))? {
            return Ok(());
        }
        self.check_part(id, part, asked, confirm, &found)?;
        self.remember(key, command, &found);
        Ok(())
    }

    fn check_part(
        &mut self,
        id: ReservationId,
        part: &[Item],
        asked: BTreeMap<StockId, u64>,
        confirm: bool,
        found: &Result<(), PartError>,
    ) -> Check {
        let held = self.truth.items(id);
        if *found == Err(PartError::NoItems { id }) {
            ensure!(part.is_empty(), "part: {found:?} of {part:?}");
            return Ok(());
        }
        let Some(_) = self.lost("part", id, said!(PartError, found, id))? else { return Ok(()) };
        let mut right = Vec::new();
        if part.is_empty() {
            right.push(PartError::NoItems { id });
        }
        for (&line, &asked) in &asked {
            let held = held.get(&line).copied().unwrap_or(0);
            if asked > u64::from(held) {
                right.push(PartError::NotHeld { id, line, asked, held });
            }
        }
        let whole = held.iter().all(|(line, units)| asked.get(line) == Some(&u64::from(*units)));
        if !confirm && whole && right.is_empty() {
            right.push(PartError::Whole { id });
        }
        if let Err(error) = found {
            return self.one_of("part", error, &right);
        }
        ensure!(right.is_empty(), "part: ok of {part:?}, expected one of {right:?}");
        self.touched(held.keys().copied());
        let asked: BTreeMap<StockId, u32> = asked.into_iter().map(|(line, units)| (line, units as u32)).collect();
        if confirm {
            self.truth.end(id, End::Confirmed, &asked);
            return Ok(());
        }
        let units: u64 = asked.values().map(|units| u64::from(*units)).sum();
        self.truth.count_of(id, |counts| counts.released_units += units);
        if let Some(held) = self.truth.all.get_mut(&id) {
            for (line, units) in asked {
                if let Some(left) = held.items.get_mut(&line) {
                    *left -= units;
                }
            }
            held.items.retain(|_, units| *units > 0);
        }
        Ok(())
    }

    pub(super) fn payment(&mut self, step: Step, begin: bool) -> Check {
        if !begin && step.c % 16 == 0 {
            return self.payments_pending();
        }
        let id = self.id(step.a);
        let found = if begin { self.engine.begin_payment(id) } else { self.engine.payment_pending(id) };
        self.see("payment", classes::payment(&found.clone().map(drop)));
        let Some(phase) = self.lost("payment", id, said!(PaymentError, &found, id))? else { return Ok(()) };
        self.see("phase", classes::phase(&phase));
        let leads = match phase {
            Phase::Reserved | Phase::Paying => true,
            Phase::PaymentPending => !begin,
            Phase::InReview => false,
        };
        if !leads {
            return self.same("payment", &found, &Err(PaymentError::WrongPhase { id, phase }));
        }
        let deadline = if begin { self.begun(id) } else { self.pending(id) };
        self.same("payment", &found, &Ok(Timestamp::from_millis(deadline)))?;
        self.moved(id, begin, deadline);
        Ok(())
    }

    fn begun(&self, id: ReservationId) -> u64 {
        let end_of_life = self.truth.all[&id].born + self.truth.set.life_max.as_millis();
        self.truth.after(self.truth.set.payment_ttl).min(end_of_life)
    }

    fn pending(&self, id: ReservationId) -> u64 {
        // Not earlier than the deadline that stands.
        self.truth.after(self.truth.set.pending_ttl).max(self.truth.all[&id].deadline.unwrap_or(0))
    }

    fn moved(&mut self, id: ReservationId, begin: bool, deadline: u64) {
        let phase = if begin { Phase::Paying } else { Phase::PaymentPending };
        let moved = u64::from(self.truth.all[&id].state != State::Live(phase));
        self.truth.count_of(id, |counts| match begin {
            true => counts.payments_begun += moved,
            false => counts.payments_pending += moved,
        });
        self.set_deadline(id, phase, deadline);
    }

    fn payments_pending(&mut self) -> Check {
        let paying = |id: &&ReservationId| self.truth.all[*id].state == State::Live(Phase::Paying);
        let ids: Vec<_> = self.truth.live.iter().filter(paying).copied().collect();
        self.same("payments_pending", &self.engine.payments_pending(), &ids.len())?;
        for id in ids {
            let deadline = self.pending(id);
            self.moved(id, false, deadline);
        }
        Ok(())
    }

    pub(super) fn reviews(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let in_review = |id: &ReservationId| self.truth.all[id].state == State::Live(Phase::InReview);
        if dice.roll(2) == 0 {
            let mut found = self.engine.reviews();
            found.sort_unstable();
            let all: Vec<_> = self.truth.live.iter().copied().filter(in_review).collect();
            if self.truth.set.sweep_budget > 1_000 {
                return self.same("reviews", &found, &all);
            }
            ensure!(found.iter().all(|id| all.contains(id)), "reviews: {found:?}, expected of {all:?}");
            return Ok(());
        }
        let mut ids: Vec<_> = self.truth.live.iter().copied().filter(in_review).take(1).collect();
        ids.push(self.id(dice.word()));
        let confirm = dice.roll(2) == 0;
        let found = self.engine.resolve_reviews(&ids, if confirm { Resolution::Confirm } else { Resolution::Release });
        self.same("resolve_reviews: answers", &found.len(), &ids.len())?;
        for (id, found) in ids.into_iter().zip(found) {
            self.see("review", classes::review(&found));
            match self.truth.stand(id) {
                Stand::Live(Phase::InReview) => {
                    self.same("resolve_reviews", &found, &Ok(()))?;
                    let items = self.truth.items(id);
                    self.touched(items.keys().copied());
                    match confirm {
                        true => self.truth.end(id, End::Confirmed, &items),
                        false => self.truth.end(id, End::Released, &BTreeMap::new()),
                    }
                }
                Stand::Live(phase) => {
                    self.same("resolve_reviews", &found, &Err(ReviewError::NotInReview { id, phase }))?
                }
                Stand::Ended(..) | Stand::Unknown => {
                    self.lost("resolve_reviews", id, said!(ReviewError, &found, id))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn late(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        while self.truth.swept_some > 0 {
            self.swept_once(false)?; // so that it is known which are swept
        }
        let (due, parked) = (&self.truth.due, &self.truth.parked);
        let id = match dice.roll(4) {
            0 if !due.is_empty() => *due.iter().nth(dice.roll(due.len() as u64) as usize).unwrap_or(&self.foreign),
            1 | 2 if !parked.is_empty() => parked[dice.roll(parked.len() as u64) as usize],
            _ => self.id(dice.word()),
        };
        let key = self.key(dice.word());
        self.late_keyed(id, key)
    }

    pub(super) fn late_keyed(&mut self, id: ReservationId, key: Option<Key>) -> Check {
        while self.truth.swept_some > 0 {
            self.swept_once(false)?;
        }
        let unswept = self.truth.due.contains(&id);
        let found = match key {
            Some(key) => self.engine.confirm_or_reacquire_with(id, key),
            None => self.engine.confirm_or_reacquire(id),
        };
        if let Some(key) = key {
            self.noted(Command::Late(id, key));
        }
        if let Err(ReacquireError::Key(error)) = &found {
            self.see("key", classes::key(error));
        }
        self.see("reacquire", classes::reacquire(&found));
        let command = format!("confirm_or_reacquire {id}");
        if self.keyed(key, &command, &found, key_said!(ReacquireError, &found))? {
            return Ok(());
        }
        self.check_late(id, unswept, &found)?;
        self.remember(key, command, &found);
        Ok(())
    }

    fn check_late(&mut self, id: ReservationId, unswept: bool, found: &Result<Late, ReacquireError>) -> Check {
        let items = self.truth.items(id);
        match self.truth.stand(id) {
            Stand::Ended(End::Expired, may_forget) => {
                let forgettable = may_forget || self.is_parked_no_more(id);
                if *found == Err(ReacquireError::NotFound { id }) {
                    ensure!(
                        forgettable && !unswept,
                        "late: {id} not found, but what it held is remembered: {:?}, of {:?}",
                        self.truth.all[&id],
                        self.truth.parked
                    );
                    return Ok(());
                }
                let mut short = Vec::new();
                let mut right = Vec::new();
                for (&line, &units) in &items {
                    let available = self.truth.available(line);
                    let Ok(asked) = Quantity::new(units) else { continue };
                    if self.truth.line(line).is_some_and(|books| books.retired) {
                        let short = [ShortItem { line, asked, available: 0 }];
                        right.push(Err(ReacquireError::Short { id, short: short.into() }));
                    }
                    if available < units {
                        short.push(ShortItem { line, asked, available });
                    }
                }
                if !short.is_empty() {
                    right.push(Err(ReacquireError::Short { id, short: short.into() }));
                }
                if unswept {
                    right.clear(); // its units are still set aside, so they are there
                }
                if right.is_empty() {
                    right.push(Ok(Late::Reacquired));
                }
                self.one_of("late", found, &right)?;
                if *found == Ok(Late::Reacquired) {
                    self.touched(items.keys().copied());
                    self.truth.due.remove(&id);
                    self.truth.end(id, End::Reacquired, &items);
                }
                Ok(())
            }
            Stand::Live(_) => {
                self.same("late", found, &Ok(Late::InTime))?;
                self.touched(items.keys().copied());
                self.truth.end(id, End::Confirmed, &items);
                Ok(())
            }
            Stand::Ended(..) | Stand::Unknown => self.lost("late", id, said!(ReacquireError, found, id)).map(drop),
        }
    }

    /// What an expired one held may be forgotten long before its end is.
    fn is_parked_no_more(&self, id: ReservationId) -> bool {
        let held = &self.truth.all[&id];
        held.freed.or_else(|| self.truth.perhaps_freed(held)).is_some()
    }

    pub(super) fn close(&mut self, step: Step) -> Check {
        let mode = if step.a % 2 == 0 { CloseMode::Drain } else { CloseMode::Release };
        let report = self.engine.close(mode);
        self.truth.closed = true;
        let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self.truth.live.clone() {
            let State::Live(phase) = self.truth.all[&id].state else { continue };
            *phases.entry(classes::phase(&phase)).or_default() += 1;
            if mode == CloseMode::Release && phase == Phase::Reserved {
                self.touched(self.truth.items(id).into_keys());
                self.truth.end(id, End::Released, &BTreeMap::new());
            }
        }
        let count = |phase| phases.get(classes::phase(&phase)).copied().unwrap_or(0);
        let reserved = count(Phase::Reserved);
        let released = if mode == CloseMode::Release { reserved } else { 0 };
        self.same("close: released", &report.released, &released)?;
        self.same("close: changing", &report.changing, &0)?;
        let told = report.reserved + report.paying + report.pending + report.in_review;
        let all: usize = phases.values().sum::<usize>() - released;
        let due = self.truth.due.len();
        ensure!((all..=all + due).contains(&told), "close: {report:?}, expected {phases:?}, {due} due");
        self.same("close: drained", &report.is_drained(), &(told == 0))
    }

    /// How many are in a phase other than reserved, seen by `reservations`.
    pub(super) fn check_paying(&mut self, expected: usize) -> Check {
        let mut found = 0;
        for phase in [Phase::Paying, Phase::PaymentPending, Phase::InReview] {
            found += self.engine.reservations(&crate::Filter::all().with_state(State::Live(phase))).count();
        }
        let _ = PendingPolicy::Release;
        self.same("reservations in payment", &found, &expected)
    }
}
