//! dashmap, atomics, ordered expiry: what most would write who look for a concurrent map.
//!
//! A map of lines, so that lines can be declared while others sell; a map of reservations, each with an `Arc` of its
//! line's counter, so that its end need not find the line again; deadlines in ordered sets (`due`). A line's counter is
//! one atomic. 64 shards a map: with the default of four times the cores, threads met more often.

use std::sync::Arc;

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::counter::{Counter, Tick, fresh_id};
use super::due::Due;
use super::{By, Expired, Shop, Subject, Totals};
use crate::names::Names;

const SHARDS: usize = 64;

#[derive(Debug)]
struct Held {
    line: Arc<Counter>,
    deadline: u64,
}

/// Lines found by `B`.
#[derive(Debug)]
pub struct Dash<B: By> {
    lines: DashMap<B::Owned, Arc<Counter>, RandomState>,
    held: DashMap<u64, Held, RandomState>,
    due: Due,
    tick: Tick,
}

impl<B: By> Dash<B> {
    #[inline]
    fn end(&self, id: u64) -> Option<Held> {
        let now = self.tick.now();
        let (_, held) = self.held.remove_if(&id, |_, held| held.deadline > now)?;
        self.due.remove(id, held.deadline);
        Some(held)
    }
}

impl<B: By> Subject for Dash<B> {
    type Asked = B::Asked;
    type Keys = B::Keys;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let lines = DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS);
        for line in 0..shop.names.lines() as u32 {
            lines.insert(B::owned(shop.names, line), Arc::new(Counter::new(shop.stock)));
        }
        let held = DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS);
        Self { lines, held, due: Due::default(), tick: Tick::default() }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> B::Keys {
        B::keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> u64 {
        ttl_ms
    }

    #[inline]
    fn reserve(&self, line: &B::Asked, ttl_ms: u64) -> Option<u64> {
        let line = {
            let found = self.lines.get(line)?;
            if !found.take() {
                return None; // no Arc is cloned for a refusal
            }
            Arc::clone(&found)
        };
        let (id, deadline) = (fresh_id(), self.tick.now() + ttl_ms);
        self.held.insert(id, Held { line, deadline });
        self.due.insert(id, deadline); // after the map: whoever finds it due finds it there
        Some(id)
    }

    #[inline]
    fn confirm(&self, hold: u64) -> bool {
        self.end(hold).is_some()
    }

    #[inline]
    fn release(&self, hold: u64) -> bool {
        self.end(hold).map(|held| held.line.give()).is_some()
    }

    #[inline]
    fn available(&self, line: &B::Asked) -> u64 {
        self.lines.get(line).map_or(0, |found| found.units())
    }

    fn set_now(&self, now_ms: u64) {
        self.tick.set(now_ms);
    }

    fn expire(&self) -> Expired {
        let mut expired = 0;
        self.due.each_due(self.tick.now(), |id| {
            if let Some((_, held)) = self.held.remove(&id) {
                held.line.give();
                expired += 1;
            }
        });
        Expired::all(expired)
    }

    fn totals(&self) -> Totals {
        Totals { available: self.lines.iter().map(|line| line.units()).sum(), live: self.held.len() as u64 }
    }
}
