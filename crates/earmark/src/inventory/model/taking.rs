//! Steps that reserve.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ops::{self, Dice, Step};
use super::said::{KeySaid, Said, key_said, said};
use super::world::{Check, Command, World, ensure};
use crate::inventory::{Channel, Item, ReserveRequest, Reserved, Shortage};
use crate::{
    ConfirmError, End, Phase, Quantity, ReleaseError, RequestError, ReservationId, ReserveError, StockId, Table,
    UNITS_MAX,
};

impl World<'_> {
    pub(super) fn reserve(&mut self, step: Step, by_name: bool) -> Check {
        let mut dice = Dice::of(step);
        let line = if by_name && step.b % 3 == 0 { StockId::new(u32::MAX) } else { self.line(dice.word()) };
        let (quantity, ttl) = (self.units(line, dice.word()), self.ttl(step));
        let request = ReserveRequest::new(ttl).with_item(line, quantity);
        let engine = Arc::clone(&self.engine);
        if !by_name {
            let found = engine.reserve(line, quantity, ttl);
            self.check_served(&request, &bare(&found))?;
            return found.map_or(Ok(()), |guard| self.guarded(dice.roll(16), guard));
        }
        let (sku, location) = self.name_of(line);
        let found = match &location {
            Some(location) => engine.reserve_named_at(&sku, location, quantity, ttl),
            None => engine.reserve_named(&sku, quantity, ttl),
        };
        if self.truth.line(line).is_none() {
            let expected =
                ReserveError::UnknownName { sku: sku.as_str().into(), location: location.as_deref().map(Into::into) };
            let found = found.map(|guard| guard.detach());
            self.see_reserve(&found.clone().map(drop));
            return self.same("reserve_named", &found, &Err(expected));
        }
        self.check_served(&request, &bare(&found))?;
        found.map_or(Ok(()), |guard| self.guarded(dice.roll(16), guard))
    }

    /// A name that fits the line; of an undeclared line one that nobody has.
    pub(super) fn name_of(&self, line: StockId) -> (String, Option<String>) {
        match self.truth.line(line) {
            Some(books) => (books.sku.clone(), books.location.clone()),
            None => ("NOBODY".into(), (line.index() % 2 == 0).then(|| "nowhere".into())),
        }
    }

    /// What becomes of a guard: mostly detached; dropped, confirmed or released at once.
    pub(super) fn guarded(&mut self, dice: u64, guard: crate::Guard<'_>) -> Check {
        let id = guard.id();
        match dice {
            0 | 1 if guard.is_replay() => {
                drop(guard);
                return Ok(()); // it owns nothing
            }
            0 | 1 => drop(guard),
            2 => {
                let found = guard.confirm();
                return self.check_confirm(id, &found);
            }
            3 => {
                let found = guard.release();
                return self.check_release(id, &found);
            }
            _ => {
                self.same("detach", &guard.detach(), &id)?;
                return Ok(());
            }
        }
        if let super::reference::Stand::Live(_) = self.truth.stand(id) {
            self.touched(self.truth.items(id).into_keys());
            self.truth.end(id, End::Released, &BTreeMap::new());
        }
        Ok(())
    }

    /// A request of all sorts.
    pub(super) fn request(&mut self, step: Step, dice: &mut Dice) -> ReserveRequest {
        let set = &self.truth.set;
        let owners = set.profile == ops::OWNERS;
        let items = match dice.roll(24) {
            0 => 0,
            1 => set.items_max + 1,
            2..12 => 1,
            _ => 1 + dice.roll(set.items_max as u64) as usize,
        };
        let mut request = ReserveRequest::new(self.ttl(step));
        for _ in 0..items {
            let word = dice.word();
            // A cart with several lines would nearly always name an unknown one.
            let line = if items > 1 && word % 8 != 0 { self.known_line(word / 8) } else { self.line(word / 8) };
            request = request.with_item(line, self.units(line, dice.word()));
        }
        if items == 1 && self.truth.set.items_max > 1 && dice.roll(40) == 0 {
            let most = Quantity::new(UNITS_MAX).unwrap_or(Quantity::ONE);
            let line = request.items[0].line;
            request = request.with_item(line, most);
        }
        if dice.roll(if owners { 8 } else { 3 }) != 0 && (owners || dice.roll(2) == 0) {
            request = request.with_owner(self.engine.owner(&format!("owner {}", dice.roll(5))));
        }
        if dice.roll(4) == 0 {
            let channels = self.truth.channels.len() as u64;
            let known = dice.roll(12) != 0 && channels > 0;
            let channel = if known { 1 + dice.roll(channels) } else { channels + 1 + dice.roll(4) };
            request = request.with_channel(Channel(channel as u16));
        }
        if let Some(key) = self.key(dice.word()) {
            request = request.with_key(key);
        }
        if dice.roll(4) == 0 {
            let bytes = if dice.roll(8) == 0 { self.truth.set.metadata_max + 1 } else { dice.roll(9) as usize };
            request = request.with_metadata(&"m".repeat(bytes));
        }
        if dice.roll(5) == 0 { request.with_shortage(Shortage::TakeRest) } else { request }
    }

    pub(super) fn reserve_with(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let request = self.request(step, &mut dice);
        self.noted(Command::Reserve(request.clone()));
        self.serve(&request, dice.roll(16))
    }

    /// A request and what becomes of its guard.
    pub(super) fn serve(&mut self, request: &ReserveRequest, dice: u64) -> Check {
        let (engine, given) = (Arc::clone(&self.engine), self.is_given(request));
        let found = engine.reserve_with(request);
        self.check_served(request, &bare(&found))?;
        let Ok(guard) = found else { return Ok(()) };
        self.same("P7: is_replay", &guard.is_replay(), &given)?;
        self.guarded(dice, guard)
    }

    /// Whether the request's key stands for an answer.
    fn is_given(&self, request: &ReserveRequest) -> bool {
        let known = request.key.and_then(|key| self.truth.keys.get(&key));
        known.is_some_and(|known| known.until > self.truth.now)
    }

    pub(super) fn reserve_owned(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let request = self.request(step, &mut dice);
        let given = self.is_given(&request);
        let found = self.engine.reserve_owned(&request);
        self.check_served(&request, &found.as_ref().map(|guard| guard.reserved()).map_err(Clone::clone))?;
        let Ok(guard) = found else { return Ok(()) };
        self.same("P7: is_replay", &guard.is_replay(), &given)?;
        let id = guard.id();
        match dice.roll(6) {
            0 => {
                drop(guard);
                if !given {
                    self.touched(self.truth.items(id).into_keys());
                    self.truth.end(id, End::Released, &BTreeMap::new());
                }
                Ok(())
            }
            1 => {
                let found = guard.confirm();
                self.check_confirm(id, &found)
            }
            2 => {
                let found = guard.release();
                self.check_release(id, &found)
            }
            _ => self.same("detach", &guard.id(), &guard.detach()),
        }
    }

    pub(super) fn reserve_batch(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let requests: Vec<_> = (0..1 + dice.roll(4)).map(|_| self.request(step, &mut dice)).collect();
        let found = self.engine.reserve_batch(&requests);
        self.same("reserve_batch: answers", &found.len(), &requests.len())?;
        for (request, found) in requests.iter().zip(&found) {
            // Each was answered after the ones before it.
            self.check_served(request, found)?;
        }
        Ok(())
    }

    /// The answer to a request, its key judged first.
    pub(super) fn check_served(&mut self, request: &ReserveRequest, found: &Result<Reserved, ReserveError>) -> Check {
        self.see_reserve(&found.clone().map(drop));
        let form = self.truth.judge_form(request);
        if !form.is_empty() {
            return match found {
                Err(error) => self.one_of("reserve", error, &form),
                Ok(reserved) => Err(format!("reserve: {reserved:?}, expected one of {form:?}")),
            };
        }
        let command = command("reserve", request);
        if self.keyed(request.key, &command, found, key_said!(ReserveError, found))? {
            return Ok(());
        }
        self.check_taken(request, found, None)?;
        let undecided = matches!(
            found,
            Err(ReserveError::Contended { .. } | ReserveError::Full(_) | ReserveError::Key(_) | ReserveError::Closed)
        );
        if !undecided {
            self.remember(request.key, command, found);
        }
        Ok(())
    }

    /// The answer to a request that was judged on stock and caps.
    pub(super) fn check_taken(
        &mut self,
        request: &ReserveRequest,
        found: &Result<Reserved, ReserveError>,
        except: Option<ReservationId>,
    ) -> Check {
        let verdict = self.truth.judge(request, except);
        match found {
            Err(ReserveError::Contended { .. }) => self.contended("reserve"),
            Err(error) if verdict.perhaps.contains(error) => Ok(()),
            Err(error) => {
                if !verdict.refusals.contains(error) && self.is_crowded(error) {
                    return Ok(());
                }
                self.one_of("P4: reserve", error, &verdict.refusals)
            }
            Ok(reserved) => {
                ensure!(verdict.refusals.is_empty(), "reserve: {reserved:?}, expected one of {:?}", verdict.refusals);
                self.check_made(request, *reserved, verdict.takes)
            }
        }
    }

    /// The slab is asked before stock and caps.
    fn is_crowded(&self, error: &ReserveError) -> bool {
        let max = self.truth.set.reservations_max;
        *error == self.truth.full(Table::Reservations, max).into() && self.truth.live.len() >= max
    }

    /// A reservation was made: with the units, the deadline and an id of its own.
    pub(super) fn check_made(
        &mut self,
        request: &ReserveRequest,
        reserved: Reserved,
        takes: BTreeMap<StockId, u32>,
    ) -> Check {
        let units: u64 = takes.values().map(|units| u64::from(*units)).sum();
        self.same("reserve: units", &reserved.units, &units)?;
        self.same("reserve: deadline", &reserved.deadline.as_millis(), &self.truth.after(request.ttl))?;
        let known = self.truth.all.get(&reserved.id);
        ensure!(known.is_none(), "P2: {} was given out before, to {known:?}", reserved.id);
        self.touched(takes.keys().copied());
        self.truth.make(reserved, request, takes);
        self.entries += 1;
        Ok(())
    }

    pub(super) fn replace(&mut self, step: Step) -> Check {
        let mut dice = Dice::of(step);
        let mut request = self.request(step, &mut dice);
        if dice.roll(7) > 0 {
            request.shortage = Shortage::Refuse;
        }
        let mut old = self.id(dice.word());
        if dice.roll(3) > 0 {
            let owned = |id: &&ReservationId| self.truth.all[*id].owner.is_some();
            let owned: Vec<_> = self.truth.live.iter().filter(owned).collect();
            old = owned.get(dice.roll(8) as usize % owned.len().max(1)).map_or(old, |id| **id);
        }
        if let (Some(owner), false) = (self.truth.all.get(&old).and_then(|held| held.owner), dice.roll(12) == 0) {
            request = request.with_owner(owner);
        }
        self.replace_with(old, request)
    }

    pub(super) fn replace_with(&mut self, old: ReservationId, request: ReserveRequest) -> Check {
        use crate::ReplaceError as Error;
        let found = self.engine.replace(old, &request);
        self.see("replace", super::classes::replace(&found.clone().map(drop)));
        if let Err(Error::Reserve(error)) = &found {
            self.run.borrow_mut().tally.see_inner(Some(error));
        }
        self.noted(Command::Replace(old, request.clone()));
        let form = self.truth.judge_form(&request);
        if !form.is_empty() {
            let form: Vec<_> = form.into_iter().map(Error::Reserve).collect();
            return self.one_of("replace", &found, &form.into_iter().map(Err).collect::<Vec<_>>());
        }
        if request.shortage == Shortage::TakeRest {
            return self.same("replace", &found, &Err(ReserveError::from(RequestError::WholeOnly).into()));
        }
        let Some(owner) = request.owner else {
            return self.same("replace", &found, &Err(ReserveError::from(RequestError::NoOwner).into()));
        };
        let command = format!("{} for {old}", command("replace", &request));
        let key_said = match &found {
            Err(Error::Reserve(error)) => key_said!(ReserveError, Err::<(), _>(error.clone()).as_ref()),
            _ => None,
        };
        if self.keyed(request.key, &command, &found, key_said)? {
            return Ok(());
        }
        self.check_replaced(old, owner, &request, &found)?;
        let undecided = matches!(
            &found,
            Err(Error::Contended { .. }
                | Error::Reserve(ReserveError::Contended { .. } | ReserveError::Full(_) | ReserveError::Closed))
        );
        if !undecided {
            self.remember(request.key, command, &found);
        }
        Ok(())
    }

    fn check_replaced(
        &mut self,
        old: ReservationId,
        owner: crate::Owner,
        request: &ReserveRequest,
        found: &Result<Reserved, crate::ReplaceError>,
    ) -> Check {
        use crate::ReplaceError as Error;
        if self.truth.closed && !matches!(found, Err(Error::Reserve(ReserveError::Full(_)))) {
            return self.same("replace", found, &Err(Error::Reserve(ReserveError::Closed)));
        }
        let verdict = self.truth.judge(request, Some(old));
        let owner_full = |error: &ReserveError| matches!(error, ReserveError::Full(_));
        if let Err(Error::Reserve(error)) = found
            && owner_full(error)
        {
            // The tables are asked first.
            let (perhaps, refusals) = (&verdict.perhaps, &verdict.refusals);
            let right = perhaps.contains(error) || refusals.contains(error) || self.is_crowded(error);
            ensure!(right, "P10: replace: {error}");
            return Ok(());
        }
        if !found.is_ok() {
            self.truth.attempt_failed();
        }
        let Some(phase) = self.lost("replace", old, said!(Error, found, old))? else { return Ok(()) };
        let mine = self.truth.all[&old].owner == Some(owner);
        let mut right = Vec::new();
        if phase != Phase::Reserved {
            right.push(Error::WrongPhase { id: old, phase });
        }
        if !mine {
            right.push(Error::NotOwner { id: old });
        }
        if right.is_empty() {
            let kept = self.truth.items(old);
            right.extend(verdict.refusals.iter().map(|error| Error::Reserve(differing(error, &kept))));
            right.extend(verdict.refusals.into_iter().map(Error::Reserve));
        }
        match found {
            Ok(reserved) => {
                ensure!(right.is_empty(), "replace: {reserved:?}, expected one of {right:?}");
                let mut takes: BTreeMap<StockId, u32> = BTreeMap::new();
                for Item { line, quantity } in &request.items {
                    *takes.entry(*line).or_default() += quantity.get();
                }
                self.touched(self.truth.items(old).into_keys());
                self.check_made(request, *reserved, takes)?;
                self.truth.end(old, End::Replaced, &BTreeMap::new());
                Ok(())
            }
            Err(error) => self.one_of("P4: replace", error, &right),
        }
    }

    pub(super) fn check_confirm(&mut self, id: ReservationId, found: &Result<(), ConfirmError>) -> Check {
        self.see("confirm", super::classes::confirm(found));
        let Some(_) = self.lost("confirm", id, said!(ConfirmError, found, id))? else { return Ok(()) };
        self.same("confirm", found, &Ok(()))?;
        let items = self.truth.items(id);
        self.touched(items.keys().copied());
        self.truth.end(id, End::Confirmed, &items);
        Ok(())
    }

    pub(super) fn check_release(&mut self, id: ReservationId, found: &Result<(), ReleaseError>) -> Check {
        self.see("release", super::classes::release(found));
        let Some(_) = self.lost("release", id, said!(ReleaseError, found, id))? else { return Ok(()) };
        self.same("release", found, &Ok(()))?;
        self.touched(self.truth.items(id).into_keys());
        self.truth.end(id, End::Released, &BTreeMap::new());
        Ok(())
    }
}

/// The answer without its guard.
fn bare(found: &Result<crate::Guard<'_>, ReserveError>) -> Result<Reserved, ReserveError> {
    found.as_ref().map(|guard| guard.reserved()).map_err(Clone::clone)
}

/// The decoded command, its key left out.
fn command(what: &str, request: &ReserveRequest) -> String {
    let mut items: BTreeMap<StockId, u32> = BTreeMap::new();
    for item in &request.items {
        *items.entry(item.line).or_default() += item.quantity.get();
    }
    let ReserveRequest { ttl, owner, channel, metadata, shortage, .. } = request;
    format!("{what} {items:?} {ttl:?} {owner:?} {channel:?} {metadata:?} {shortage:?}")
}

/// The same refusal told of the difference alone: what is kept need not be asked for.
fn differing(error: &ReserveError, kept: &BTreeMap<StockId, u32>) -> ReserveError {
    let less = |line: StockId, asked: Quantity, available: u32| {
        let kept = kept.get(&line).copied().unwrap_or(0);
        (Quantity::new(asked.get().saturating_sub(kept)).unwrap_or(asked), available.saturating_sub(kept))
    };
    match error {
        ReserveError::OutOfStock { line, asked } => ReserveError::OutOfStock { line: *line, asked: *asked },
        ReserveError::Insufficient { line, asked, available } => match less(*line, *asked, *available) {
            (asked, 0) => ReserveError::OutOfStock { line: *line, asked },
            (asked, available) => ReserveError::Insufficient { line: *line, asked, available },
        },
        ReserveError::CartShort { short } => {
            let mut short = short.to_vec();
            for item in &mut short {
                (item.asked, item.available) = less(item.line, item.asked, item.available);
            }
            ReserveError::CartShort { short: short.into() }
        }
        other => other.clone(),
    }
}
