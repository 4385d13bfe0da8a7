//! Idempotency keys: same key, same answer, inside the window (P7).
//!
//! ```text
//!  (none) --claim--> running --answer--> remembered, in line --its window is over--> forgotten
//!                       |                                                                |
//!                       +--no answer to remember--> forgotten ----held by no reservation, not in line----> (none)
//! ```
//!
//! What a key stands for is a record, read and changed under the lock of the key's shard; the command runs with
//! that lock let go. Answers decided on stock or caps are remembered; `contended`, busy and full are not. The
//! record of a key is also where the reservation made under it finds its key's text again.
//!
//! Two commands are taken for the same if 64 bits of a keyed hash over them agree. Another command under a used
//! key is then answered as if it were the first with odds of 2^-64, for each time somebody makes that mistake.
//!
//! **K1** For one key at most one call runs at a time; others are told that it is in flight.
//! **K2** A record that is in line, held by a reservation, or found by its key is not used for another key.
//! **K3** In each shard the records stand in line in the order they were answered, and so, within the moments
//! that answers take, in that of the end of their windows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use foldhash::quality::RandomState;

use super::Inventory;
use super::extras::Side;
use super::facts::Fact;
use super::index::{Index, NOWHERE, Records};
pub(super) use super::remembered::Told;
use super::remembered::{Answer, Basis, Keyed, Kind, Record};
use super::request::Key;
use super::shards::{At, Shards};
use crate::error::{FullError, KeyError, Table};
use crate::seeded::{Break, on};

/// Old keys forgotten beside each new one, so that the table shrinks also without a driver.
const FORGET_BESIDE: usize = 2;
/// Old keys forgotten in one sweep, at most.
pub(super) const FORGET_SWEEP: usize = 1_024;
/// In place of the end of a window: nothing stands in line.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Keys {
    shards: Shards<Shard>,
    /// Keys that a call runs under, or that stand for an answer.
    len: AtomicUsize,
    /// For each shard, when the first in line may be forgotten. Hints: the truth is under the shard's lock.
    oldest: Box<[AtomicU64]>,
    /// The shard at which the next sweep begins to forget.
    cursor: AtomicUsize,
    max: usize,
    basis: Basis,
}

#[derive(Debug)]
struct Shard {
    index: Index,
    records: Records<Record>,
    /// Answers that do not fit a record, by its place: until when, and what.
    beside: HashMap<u32, Box<(u64, Answer)>, RandomState>,
    /// The line of what was answered.
    first: u32,
    last: u32,
}

impl Default for Shard {
    fn default() -> Self {
        let (index, records, beside) = (Index::default(), Records::default(), HashMap::default());
        Self { index, records, beside, first: NOWHERE, last: NOWHERE }
    }
}

impl Shard {
    fn until(&self, basis: Basis, place: u32) -> u64 {
        let record = self.records.at(place);
        match record.kind() {
            Kind::Forgotten => 0, // whenever its turn comes
            Kind::Beside => self.beside.get(&place).map_or(0, |beside| beside.0),
            _ => record.until(basis),
        }
    }

    /// The key no longer finds its record.
    fn forget(&mut self, shards: &Shards<Self>, place: u32) {
        let record = self.records.at_mut(place);
        if record.kind() == Kind::Beside {
            self.beside.remove(&place);
        }
        record.set_kind(Kind::Forgotten);
        let hash = shards.hash(&record.key());
        self.index.remove(hash, place, || all(shards, &self.records));
    }

    /// The place is free, if nothing needs it any more (K2).
    fn free(&mut self, place: u32) {
        let record = self.records.at(place);
        if record.kind() == Kind::Forgotten && !record.is_held() && !record.is_in_line() {
            self.records.free(place);
        }
    }

    fn push(&mut self, place: u32) {
        let record = self.records.at_mut(place);
        record.set_next(NOWHERE);
        record.stand_in_line(true);
        match self.last {
            NOWHERE => self.first = place,
            last => self.records.at_mut(last).set_next(place),
        }
        self.last = place;
    }

    fn pop(&mut self) {
        let place = self.first;
        let record = self.records.at_mut(place);
        record.stand_in_line(false);
        self.first = record.next();
        if self.first == NOWHERE {
            self.last = NOWHERE;
        }
        self.free(place);
    }
}

/// Every record that its key finds, with the key's hash.
fn all(shards: &Shards<Shard>, records: &Records<Record>) -> impl Iterator<Item = (u32, u64)> {
    let found = records.iter().filter(|(_, record)| record.kind() != Kind::Forgotten);
    found.map(|(place, record)| (place, shards.hash(&record.key())))
}

/// What stands under a key.
enum Found<'a> {
    /// Nothing that counts: the command runs.
    Claimed(Running<'a>),
    /// Another call runs.
    InFlight,
    /// An answer; `None` if it was of another command.
    Known(Option<Answer>),
}

impl Keys {
    pub(super) fn new(max: usize, basis: Basis) -> Self {
        let oldest = (0..Shards::<Shard>::count()).map(|_| AtomicU64::new(NEVER)).collect();
        Self { shards: Shards::new(), len: AtomicUsize::new(0), oldest, cursor: AtomicUsize::new(0), max, basis }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Records in use, for whatever reason.
    #[cfg(all(test, not(earmark_loom)))]
    fn records(&self) -> usize {
        (0..Shards::<Shard>::count()).map(|number| self.shards.lock(number).records.in_use()).sum()
    }

    /// What stands under a key; if nothing does, this call claims it and runs the command (K1).
    fn find_or_claim(&self, key: Key, fingerprint: u64, now: u64) -> Result<Found<'_>, FullError> {
        let hash = self.shards.hash(&key);
        let number = Shards::<Shard>::of(hash);
        let mut shard = self.shards.lock(number);
        self.forget_in(&mut shard, number, now, FORGET_BESIDE);
        let found = shard.index.find(hash, |place| shard.records.at(place).key() == key);
        let running = |place| Running { keys: self, at: At::new(number, place), answered: false };
        if let Some(place) = found {
            let record = shard.records.at(place);
            if record.kind() == Kind::Running {
                if on(Break::KeyUnclaimed) {
                    return Ok(Found::Claimed(running(place)));
                }
                return Ok(Found::InFlight);
            }
            if shard.until(self.basis, place) > now {
                let same = record.fingerprint() == fingerprint;
                let beside = || shard.beside.get(&place).map(|beside| beside.1.clone());
                return Ok(Found::Known(same.then(|| record.unpack(self.basis).or_else(beside)).flatten()));
            }
            // Its window is over: the key starts anew, in a record of its own. This one is still in line.
            shard.forget(&self.shards, place);
        } else if self.len.fetch_add(1, Relaxed) >= self.max {
            // Counted first: the cap holds however many calls come at once.
            self.len.fetch_sub(1, Relaxed);
            return Err(self.full());
        }
        let Shard { index, records, .. } = &mut *shard;
        let Some(place) = records.add(Record::running(key)) else {
            self.len.fetch_sub(1, Relaxed);
            return Err(self.full());
        };
        index.insert(hash, place, || all(&self.shards, records));
        Ok(Found::Claimed(running(place)))
    }

    const fn full(&self) -> FullError {
        FullError { table: Table::Keys, max: self.max }
    }

    /// Forgets keys whose window has passed, up to so many, wherever they are.
    pub(super) fn forget_old(&self, now: u64, budget: usize) {
        let (shards, mut left) = (self.oldest.len(), budget);
        if self.len() == 0 {
            return;
        }
        let from = self.cursor.load(Relaxed);
        for number in (from..from + shards).map(|number| number % shards) {
            if left == 0 {
                self.cursor.store(number, Relaxed);
                return;
            }
            if self.oldest[number].load(Relaxed) <= now {
                let Some(mut shard) = self.shards.try_lock(number) else { continue };
                left -= self.forget_in(&mut shard, number, now, left);
            }
        }
    }

    /// Forgets what is first in line and may be; how many.
    fn forget_in(&self, shard: &mut Shard, number: usize, now: u64, budget: usize) -> usize {
        let (mut forgot, before) = (0, shard.first);
        while shard.first != NOWHERE && forgot < budget && shard.until(self.basis, shard.first) <= now {
            let place = shard.first;
            if shard.records.at(place).kind() != Kind::Forgotten {
                shard.forget(&self.shards, place);
                self.len.fetch_sub(1, Relaxed);
            }
            shard.pop();
            forgot += 1;
        }
        if shard.first != before {
            self.note_oldest(shard, number);
        }
        forgot
    }

    fn note_oldest(&self, shard: &Shard, number: usize) {
        let oldest = if shard.first == NOWHERE { NEVER } else { shard.until(self.basis, shard.first) };
        self.oldest[number].store(oldest, Relaxed);
    }

    /// For the reservation that is made under this key: the record that tells its text, if it can be had.
    pub(super) fn hold(&self, key: Key) -> Option<At> {
        let hash = self.shards.hash(&key);
        let number = Shards::<Shard>::of(hash);
        let mut shard = self.shards.lock(number);
        let place = shard.index.find(hash, |place| shard.records.at(place).key() == key)?;
        let record = shard.records.at_mut(place);
        if record.is_held() {
            return None;
        }
        record.hold(!on(Break::KeyUnheld));
        Some(At::new(number, place))
    }

    /// A reservation that was made under a key has ended, and its side is let go.
    pub(super) fn let_go(&self, side: &Side) {
        let Some(at) = side.key() else { return };
        let mut shard = self.shards.lock(at.shard());
        if side.key() == Some(at) {
            side.unlock_key();
            shard.records.at_mut(at.place()).hold(false);
            shard.free(at.place());
        }
    }

    /// The key that a reservation was made under.
    pub(super) fn key_of(&self, side: &Side) -> Option<Key> {
        let at = side.key()?;
        let shard = self.shards.lock(at.shard());
        (side.key() == Some(at)).then(|| shard.records.at(at.place()).key()) // X2
    }
}

/// The one call that runs under a key; dropped without an answer, the key is free again.
struct Running<'a> {
    keys: &'a Keys,
    at: At,
    answered: bool,
}

impl Running<'_> {
    fn answer(mut self, fingerprint: u64, answer: Answer, until: u64) {
        self.answered = true;
        let Self { keys, at, .. } = self;
        let mut shard = keys.shards.lock(at.shard());
        let record = shard.records.at_mut(at.place());
        if record.is_in_line() {
            debug_assert!(crate::seeded::any());
            return;
        }
        if !record.pack(keys.basis, fingerprint, &answer, until) {
            shard.beside.insert(at.place(), Box::new((until, answer)));
        }
        shard.push(at.place());
        if shard.first == at.place() {
            keys.note_oldest(&shard, at.shard());
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let mut shard = self.keys.shards.lock(self.at.shard());
            if shard.records.at(self.at.place()).kind() == Kind::Running {
                shard.forget(&self.keys.shards, self.at.place());
                self.keys.len.fetch_sub(1, Relaxed);
                shard.free(self.at.place());
            }
        }
    }
}

impl Inventory {
    /// Runs a command, under its key if it has one, or answers what it was answered before; and counts a
    /// refusal, or that an answer was given again.
    pub(super) fn keyed<T: Keyed>(
        &self,
        channel: u16,
        key: Option<Key>,
        fingerprint: impl FnOnce() -> u128,
        run: impl FnOnce() -> T,
    ) -> Told<T> {
        let told = match key {
            Some(key) => self.under_key(key, fingerprint(), run),
            None => Told::First(run()),
        };
        match &told {
            Told::Again(_) => self.record(channel, Fact::Repeated),
            Told::First(answer) => {
                if let Some(why) = answer.why() {
                    self.record(channel, Fact::Refused { why });
                }
            }
        }
        told
    }

    fn under_key<T: Keyed>(&self, key: Key, fingerprint: u128, run: impl FnOnce() -> T) -> Told<T> {
        let (now, fingerprint) = (self.time.now(), fingerprint as u64);
        let found = self.keys.find_or_claim(key, fingerprint, now).or_else(|_| {
            self.keys.forget_old(now, FORGET_BESIDE); // perhaps of other shards
            self.keys.find_or_claim(key, fingerprint, now)
        });
        let refuse = |error| Told::First(T::refuse(error));
        let running = match found {
            Ok(Found::Claimed(running)) => running,
            Ok(Found::InFlight) => return refuse(KeyError::InFlight),
            Ok(Found::Known(answer)) => {
                let same = answer.as_ref().and_then(T::replay);
                return same.map_or_else(|| refuse(KeyError::Reused), Told::Again);
            }
            Err(full) => return Told::First(T::full(full)),
        };
        let outcome = run();
        if let Some(answer) = outcome.answer() {
            let until = self.time.arrival(self.tick().max(now)).saturating_add(self.keys.basis.window_ms);
            running.answer(fingerprint, answer, until);
        }
        Told::First(outcome)
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use crate::*;

    const WINDOW: Duration = Duration::from_secs(1);

    fn stocked(builder: InventoryBuilder, on_hand: u32) -> (Inventory, StockId, ManualClock) {
        let clock = ManualClock::default();
        let inventory = builder.clock(clock.clone()).key_window(WINDOW).expired_capacity(0).build().unwrap();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::new(on_hand).unwrap(), &Cause::none()).unwrap();
        (inventory, tee, clock)
    }

    fn under(key: u128, line: StockId) -> ReserveRequest {
        ReserveRequest::new(Ttl::MAX).with_item(line, Quantity::ONE).with_key(Key::from_bits(key))
    }

    /// A key is used again while the reservation of its first use lives: each tells the key, and no record stays.
    #[test]
    fn k2_a_reservation_keeps_its_key_beyond_the_window() {
        let (inventory, tee, clock) = stocked(Inventory::builder(), 1_000);
        let key_of = |id| inventory.get(id).unwrap().key.unwrap().to_bits();
        let take = |key| inventory.reserve_with(&under(key, tee)).unwrap().detach();
        let rounds: Vec<Vec<_>> = (0..3)
            .map(|_| {
                let ids: Vec<_> = (0..200).map(take).collect();
                assert_eq!(ids, (0..200).map(take).collect::<Vec<_>>(), "P7");
                clock.advance(WINDOW);
                ids
            })
            .collect();
        let _ = inventory.sweep();
        assert_eq!((inventory.usage().keys, inventory.keys.records()), (0, 600));
        for ids in &rounds {
            assert!(ids.iter().enumerate().all(|(key, id)| key_of(*id) == key as u128));
        }
        let ids: HashSet<_> = rounds.into_iter().flatten().collect();
        assert_eq!(ids.len(), 600);
        ids.into_iter().for_each(|id| inventory.confirm(id).unwrap());
        assert_eq!((inventory.usage().extras, inventory.keys.records()), (0, 0));
    }

    #[test]
    fn p10_keys_of_every_kind_of_answer_are_forgotten() {
        let (inventory, tee, clock) = stocked(Inventory::builder(), 600);
        let lots = Quantity::new(100_000).unwrap();
        for round in 0..5u128 {
            for n in 0..100u128 {
                let key = |kind: u128| Key::from_bits(round << 64 | n << 8 | kind);
                let id = inventory.reserve_with(&under(key(0).to_bits(), tee)).unwrap().detach();
                let many = ReserveRequest::new(Ttl::MAX).with_item(tee, Quantity::new(200).unwrap());
                let many = inventory.reserve_with(&many.with_key(key(1))).unwrap().detach();
                assert!(inventory.reserve_with(&under(key(2).to_bits(), tee).with_item(tee, lots)).is_err());
                for _ in 0..2 {
                    inventory.confirm_with(id, key(3)).unwrap();
                    inventory.release_with(many, key(4)).unwrap();
                    assert!(inventory.release_with(id, key(5)).is_err());
                    assert_eq!(inventory.confirm_or_reacquire_with(id, key(4)), Err(KeyError::Reused.into()));
                    let _ = inventory.receive(tee, Quantity::ONE, &Cause::none().with_key(key(6))).unwrap();
                }
            }
            assert_eq!((inventory.usage().keys, inventory.keys.records()), (700, 700));
            clock.advance(WINDOW);
            if round % 2 == 0 {
                let _ = inventory.sweep();
                assert_eq!((inventory.usage().keys, inventory.keys.records()), (0, 0));
            } else {
                while inventory.usage().keys > 0 {
                    inventory.keys.forget_old(inventory.read_clock(), 3);
                }
            }
        }
    }

    /// A full table makes room with whatever is old, in whatever part of it.
    #[test]
    fn a_full_table_forgets_what_is_old_wherever_it_is() {
        let (inventory, tee, clock) = stocked(Inventory::builder().keys_max(10), 100);
        for n in 0..100u128 {
            let reserved = inventory.reserve_with(&under(n, tee)).map(Guard::detach);
            let full = FullError { table: Table::Keys, max: 10 };
            assert_eq!(reserved.as_ref().err(), (n % 11 == 10).then_some(&full.into()), "{n}");
            if reserved.is_err() {
                clock.advance(WINDOW);
            }
        }
    }

    /// P7 with real threads, all after the same keys.
    #[test]
    fn k1_one_key_one_reservation_on_four_threads() {
        const KEYS: u128 = 2_000;
        let (inventory, tee, _) = stocked(Inventory::builder(), 100_000);
        let turn = || -> Vec<Option<ReservationId>> {
            (0..KEYS).map(|key| inventory.reserve_with(&under(key, tee)).map(Guard::detach).ok()).collect()
        };
        let told: Vec<_> = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(turn));
            threads.map(|thread| thread.join().unwrap()).into_iter().collect()
        });
        for key in 0..KEYS as usize {
            let answers: HashSet<_> = told.iter().filter_map(|answers| answers[key]).collect();
            assert_eq!(answers.len(), 1, "P7: key {key}");
        }
        assert_eq!((inventory.usage().keys, inventory.counts().reserved), (KEYS as usize, KEYS as u64));
    }
}
