//! **P-int** and **P-str**: 64 shards, each a mutex over everything its lines need.
//!
//! What an expert writes who does not want to think about atomics: `parking_lot` mutexes, a fast hasher, deadlines
//! in a `BTreeSet`, a line and its reservations in the same shard, so that every call takes one lock. The shard's
//! number is inside the reservation's. What ends is removed at once from both the map and the set.
//!
//! P-int is asked by the number that a shop gives its SKUs: any integer, so a map leads to the line. **P-int, dense**
//! is for who knows that the numbers are 0, 1, 2, ... as our `StockId`s are, and indexes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::marker::PhantomData;

use crossbeam::utils::CachePadded;
use foldhash::fast::{FixedState, RandomState};
use parking_lot::Mutex;

use super::counter::Tick;
use super::{By, ById, ByName, Expired, Shop, Subject, Totals};
use crate::names::{Names, Texts};

const SHARDS: usize = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// A line: what can be reserved, and what is.
#[derive(Debug, Clone, Copy)]
struct State {
    available: u32,
    reserved: u32,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    line: u32,
    deadline: u64,
}

/// What stands under one lock.
#[derive(Debug)]
pub struct Shard {
    /// Names of lines, of P-str.
    index: HashMap<Box<str>, u32, RandomState>,
    /// Numbers of lines, of P-int.
    numbers: HashMap<u32, u32, RandomState>,
    lines: Vec<State>,
    held: HashMap<u64, Held, RandomState>,
    due: BTreeSet<(u64, u64)>,
    next: u64,
}

impl Shard {
    fn new(number: usize) -> Self {
        let (index, numbers, held) = (HashMap::default(), HashMap::default(), HashMap::default());
        Self { index, numbers, lines: Vec::new(), held, due: BTreeSet::new(), next: number as u64 }
    }

    #[inline]
    fn take(&mut self, line: u32, deadline: u64) -> Option<u64> {
        let state = &mut self.lines[line as usize];
        state.available = state.available.checked_sub(1)?;
        state.reserved += 1;
        let id = self.next;
        self.next += SHARDS as u64; // the shard's number stays in the low bits
        self.held.insert(id, Held { line, deadline });
        self.due.insert((deadline, id));
        Some(id)
    }

    /// Takes a live reservation out; the line it was on.
    #[inline]
    fn end(&mut self, id: u64, now: u64) -> Option<&mut State> {
        let Entry::Occupied(entry) = self.held.entry(id) else { return None };
        if entry.get().deadline <= now {
            return None;
        }
        let held = entry.remove();
        self.due.remove(&(held.deadline, id));
        let state = &mut self.lines[held.line as usize];
        state.reserved -= 1;
        Some(state)
    }

    fn expire(&mut self, now: u64) -> usize {
        if self.due.first().is_none_or(|(deadline, _)| *deadline > now) {
            return 0;
        }
        // Cutting the set is cheaper than popping one after the other.
        let later = self.due.split_off(&(now + 1, 0));
        let due = std::mem::replace(&mut self.due, later);
        for (_, id) in &due {
            if let Some(held) = self.held.remove(id) {
                let state = &mut self.lines[held.line as usize];
                state.reserved -= 1;
                state.available += 1;
            }
        }
        due.len()
    }
}

/// The shards and the time: all but how a line is found.
#[derive(Debug)]
struct Shards {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    tick: Tick,
}

impl Shards {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|number| CachePadded::new(Mutex::new(Shard::new(number)))).collect();
        Self { shards, tick: Tick::default() }
    }

    #[inline]
    fn of(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[id as usize % SHARDS]
    }

    #[inline]
    fn confirm(&self, id: u64) -> bool {
        self.of(id).lock().end(id, self.tick.now()).is_some()
    }

    #[inline]
    fn release(&self, id: u64) -> bool {
        let mut shard = self.of(id).lock();
        let Some(state) = shard.end(id, self.tick.now()) else { return false };
        state.available += 1;
        true
    }

    fn expire(&self) -> Expired {
        let now = self.tick.now();
        Expired::all(self.shards.iter().map(|shard| shard.lock().expire(now)).sum())
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals { available: 0, live: 0 };
        for shard in &self.shards {
            let shard = shard.lock();
            totals.available += shard.lines.iter().map(|state| u64::from(state.available)).sum::<u64>();
            totals.live += shard.lines.iter().map(|state| u64::from(state.reserved)).sum::<u64>();
        }
        totals
    }
}

/// How a number leads to a line's place in its shard.
pub trait Place: std::fmt::Debug + Send + Sync + 'static {
    /// Remembers where a line is.
    fn note(shard: &mut Shard, line: u32, place: u32);
    /// Where it is.
    fn find(shard: &Shard, line: u32) -> Option<u32>;
}

/// By a map: any number.
#[derive(Debug)]
pub struct Any;

/// By the rest of a small number.
#[derive(Debug)]
pub struct Small;

impl Place for Any {
    fn note(shard: &mut Shard, line: u32, place: u32) {
        shard.numbers.insert(line, place);
    }

    #[inline]
    fn find(shard: &Shard, line: u32) -> Option<u32> {
        shard.numbers.get(&line).copied()
    }
}

impl Place for Small {
    fn note(_shard: &mut Shard, line: u32, place: u32) {
        debug_assert_eq!(line >> SHARD_BITS, place);
    }

    #[inline]
    fn find(_shard: &Shard, line: u32) -> Option<u32> {
        Some(line >> SHARD_BITS)
    }
}

/// A line is a number; its low bits say the shard.
#[derive(Debug)]
pub struct Numbered<P>(Shards, PhantomData<P>);

/// P-int.
pub type PInt = Numbered<Any>;
/// P-int, dense.
pub type PDense = Numbered<Small>;

impl<P: Place> Subject for Numbered<P> {
    type Asked = u32;
    type Keys = Vec<u32>;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let shards = Shards::new();
        for line in 0..shop.names.lines() {
            let mut shard = shards.of(line as u64).lock();
            let place = shard.lines.len() as u32;
            shard.lines.push(State { available: shop.stock, reserved: 0 });
            P::note(&mut shard, line as u32, place);
        }
        Self(shards, PhantomData)
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> Vec<u32> {
        ById::keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> u64 {
        ttl_ms
    }

    #[inline]
    fn reserve(&self, line: &u32, ttl_ms: u64) -> Option<u64> {
        let deadline = self.0.tick.now() + ttl_ms;
        let mut shard = self.0.of((*line).into()).lock();
        let place = P::find(&shard, *line)?;
        shard.take(place, deadline)
    }

    #[inline]
    fn confirm(&self, hold: u64) -> bool {
        self.0.confirm(hold)
    }

    #[inline]
    fn release(&self, hold: u64) -> bool {
        self.0.release(hold)
    }

    #[inline]
    fn available(&self, line: &u32) -> u64 {
        let shard = self.0.of((*line).into()).lock();
        P::find(&shard, *line).map_or(0, |place| shard.lines[place as usize].available.into())
    }

    fn set_now(&self, now_ms: u64) {
        self.0.tick.set(now_ms);
    }

    fn expire(&self) -> Expired {
        self.0.expire()
    }

    fn totals(&self) -> Totals {
        self.0.totals()
    }
}

/// P-str: a line is a name; its hash says the shard, a map under the shard's lock the place there.
#[derive(Debug)]
pub struct PStr {
    shards: Shards,
    hasher: FixedState,
}

impl PStr {
    #[inline]
    fn of(&self, name: &str) -> &Mutex<Shard> {
        // The map hashes once more, by itself: 3 ns, next to a line or two that are not in the cache.
        self.shards.of(self.hasher.hash_one(name) >> (u64::BITS - SHARD_BITS))
    }
}

impl Subject for PStr {
    type Asked = str;
    type Keys = Texts;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let this = Self { shards: Shards::new(), hasher: FixedState::default() };
        for name in shop.names.iter() {
            let mut shard = this.of(name).lock();
            let place = shard.lines.len() as u32;
            shard.lines.push(State { available: shop.stock, reserved: 0 });
            shard.index.insert(name.into(), place);
        }
        this
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> Texts {
        ByName::keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> u64 {
        ttl_ms
    }

    #[inline]
    fn reserve(&self, line: &str, ttl_ms: u64) -> Option<u64> {
        let deadline = self.shards.tick.now() + ttl_ms;
        let mut shard = self.of(line).lock();
        let place = *shard.index.get(line)?;
        shard.take(place, deadline)
    }

    #[inline]
    fn confirm(&self, hold: u64) -> bool {
        self.shards.confirm(hold)
    }

    #[inline]
    fn release(&self, hold: u64) -> bool {
        self.shards.release(hold)
    }

    #[inline]
    fn available(&self, line: &str) -> u64 {
        let shard = self.of(line).lock();
        shard.index.get(line).map_or(0, |place| shard.lines[*place as usize].available.into())
    }

    fn set_now(&self, now_ms: u64) {
        self.shards.tick.set(now_ms);
    }

    fn expire(&self) -> Expired {
        self.shards.expire()
    }

    fn totals(&self) -> Totals {
        self.shards.totals()
    }
}
