//! Steps that set a stage: a backlog, a crowd, a call inside a call, a command again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::ops::Step;
use super::world::{Check, Command, HELP, World, ensure};
use crate::clock::Ttl;
use crate::inventory::{Cause, ReserveRequest};
use crate::{KeyError, Quantity, ReserveError, StockError};

/// Reservations of one backlog: more than several helping calls can settle.
const BACKLOG: u32 = 2_600;

impl World<'_> {
    /// A backlog that no single call can settle: the answer is `contended`, never `insufficient` (P4).
    pub(super) fn backlog(&mut self, step: Step) -> Check {
        let line = self.known_line(step.a);
        let Some(books) = self.truth.line(line) else { return Ok(()) };
        if books.retired || books.on_hand > 1 << 20 || self.truth.closed {
            return Ok(());
        }
        let room = self.truth.set.reservations_max.saturating_sub(self.truth.live.len() + self.truth.parked.len());
        let many = BACKLOG.min(room as u32).saturating_sub(200);
        let ttl = Ttl::millis(10 + u64::from(step.c % 5_000)).unwrap_or(Ttl::MIN).min(self.truth.set.life_max);
        if let Ok(quantity) = Quantity::new(many) {
            let found = self.engine.receive(line, quantity, &Cause::none());
            self.check_received(line, quantity, &Cause::none(), &found)?;
        }
        for _ in 0..many {
            let found = self.engine.reserve(line, Quantity::ONE, ttl).map(|guard| {
                let reserved = guard.reserved();
                let _ = guard.detach();
                reserved
            });
            let reserved = found.map_err(|error| format!("reserve of a backlog: {error}"))?;
            let request = ReserveRequest::new(ttl).with_item(line, Quantity::ONE);
            self.check_made(&request, reserved, BTreeMap::from([(line, 1)]))?;
        }
        self.move_to(self.truth.after(ttl))?;
        let all = Quantity::new(self.truth.line(line).map_or(1, |books| books.on_hand + 1)).unwrap_or(Quantity::ONE);
        for call in 0..2 * many / HELP as u32 {
            let before = self.engine.counts().expired;
            let contended = if call % 3 < 2 {
                let request = ReserveRequest::new(Ttl::MIN).with_item(line, all);
                let found = self.engine.reserve(line, all, Ttl::MIN).map(|guard| guard.reserved());
                self.check_served(&request, &found)?;
                matches!(found, Err(ReserveError::Contended { .. }))
            } else {
                let found = self.engine.block(line, all, "backlog", &Cause::none());
                self.check_blocked(line, all, "backlog", &found)?;
                matches!(found, Err(StockError::Contended { .. }))
            };
            let expired = self.engine.counts().expired - before;
            ensure!(!contended || expired > 0, "P10: contended, and the backlog did not shrink");
        }
        Ok(())
    }

    /// Reservations until no more find room.
    pub(super) fn crowd(&mut self, step: Step) -> Check {
        let line = self.known_line(step.a);
        if self.truth.line(line).is_none_or(|books| books.retired || books.on_hand > 1 << 20) || self.truth.closed {
            return Ok(());
        }
        let many = Quantity::new(160).unwrap_or(Quantity::ONE);
        let found = self.engine.receive(line, many, &Cause::none());
        self.check_received(line, many, &Cause::none(), &found)?;
        let ttl = self.truth.set.life_max;
        let request = ReserveRequest::new(ttl).with_item(line, Quantity::ONE);
        for _ in 0..many.get() {
            let found = self.engine.reserve_batch(std::slice::from_ref(&request));
            self.check_taken(&request, &found[0], None)?;
            if found[0].is_err() {
                self.refused_unseen();
                break;
            }
        }
        Ok(())
    }

    /// A call with a key that is under way: the clock calls back into the inventory.
    pub(super) fn reenter(&mut self, step: Step) -> Check {
        let line = self.known_line(step.a);
        let key = self.engine.key(&format!("reentered {}", self.truth.order.len() + self.commands.len()));
        let ttl = Ttl::millis(50).unwrap_or(Ttl::MIN).min(self.truth.set.life_max);
        let request = ReserveRequest::new(ttl).with_item(line, Quantity::ONE).with_key(key);
        let inner = Arc::new(Mutex::new(None));
        let (engine, again, told) = (Arc::downgrade(&self.engine), request.clone(), Arc::clone(&inner));
        self.clock.at_reading(1, move || {
            if let Some(engine) = engine.upgrade() {
                let found = engine.reserve_with(&again).map(|guard| guard.detach());
                *told.lock().unwrap() = Some(found);
            }
        });
        let found = self.engine.reserve_with(&request).map(|guard| {
            let reserved = guard.reserved();
            let _ = guard.detach();
            reserved
        });
        self.clock.unhook();
        if let Some(inner) = inner.lock().unwrap().take() {
            self.see_reserve(&inner.clone().map(drop));
            self.same("P7: a call under way", &inner, &Err(KeyError::InFlight.into()))?;
        }
        self.check_served(&request, &found)
    }

    pub(super) fn noted(&mut self, command: Command) {
        if self.commands.len() >= 16 {
            self.commands.remove(0);
        }
        self.commands.push(command);
    }

    /// An earlier command again: its key stands for it (P7).
    pub(super) fn again(&mut self, step: Step) -> Check {
        if self.commands.is_empty() {
            return Ok(());
        }
        let command = self.commands[usize::from(step.a) % self.commands.len()].clone();
        match command {
            // Mostly with a guard, and mostly dropped: it must own nothing.
            Command::Reserve(request) if step.b % 4 > 0 => self.serve(&request, u64::from(step.b / 4 % 5)),
            Command::Reserve(request) => {
                let found = self.engine.reserve_batch(std::slice::from_ref(&request));
                self.check_served(&request, &found[0])
            }
            Command::Confirm(id, key) => self.confirm_keyed(id, key),
            Command::Release(id, key) => self.release_keyed(id, key),
            Command::Part(id, part, key, confirm) => self.part_keyed(id, &part, Some(key), confirm),
            Command::Late(id, key) => self.late_keyed(id, Some(key)),
            Command::Replace(old, request) => self.replace_with(old, request),
            Command::Receive(line, quantity, cause) => {
                let found = self.engine.receive(line, quantity, &cause);
                self.check_received(line, quantity, &cause, &found)
            }
            Command::Transfer(from, to, quantity, cause) => self.transfer_with(from, to, quantity, &cause),
        }
    }
}
