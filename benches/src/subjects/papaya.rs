//! papaya, atomics, ordered expiry: maps whose reads never wait.
//!
//! As the dashmap rival, with papaya's maps in its place: a pin for each call, as its documentation advises where
//! calls come from anywhere.

use std::sync::Arc;

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::counter::{Counter, Tick, fresh_id};
use super::due::Due;
use super::{By, Expired, Shop, Subject, Totals};
use crate::names::Names;

#[derive(Debug)]
struct Held {
    line: Arc<Counter>,
    deadline: u64,
}

/// Lines found by `B`.
#[derive(Debug)]
pub struct Papaya<B: By> {
    lines: HashMap<B::Owned, Arc<Counter>, RandomState>,
    held: HashMap<u64, Held, RandomState>,
    due: Due,
    tick: Tick,
}

impl<B: By> Papaya<B> {
    /// Ends a reservation and tells `then` its line.
    #[inline]
    fn end(&self, id: u64, then: impl FnOnce(&Counter)) -> bool {
        let now = self.tick.now();
        let held = self.held.pin();
        let Ok(Some((_, ended))) = held.remove_if(&id, |_, held| held.deadline > now) else { return false };
        self.due.remove(id, ended.deadline);
        then(&ended.line);
        true
    }
}

impl<B: By> Subject for Papaya<B> {
    type Asked = B::Asked;
    type Keys = B::Keys;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let lines = HashMap::with_capacity_and_hasher(shop.names.lines(), RandomState::default());
        {
            let lines = lines.pin();
            for line in 0..shop.names.lines() as u32 {
                lines.insert(B::owned(shop.names, line), Arc::new(Counter::new(shop.stock)));
            }
        }
        Self { lines, held: HashMap::with_hasher(RandomState::default()), due: Due::default(), tick: Tick::default() }
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
            let lines = self.lines.pin();
            let found = lines.get(line)?;
            if !found.take() {
                return None; // no Arc is cloned for a refusal
            }
            Arc::clone(found)
        };
        let (id, deadline) = (fresh_id(), self.tick.now() + ttl_ms);
        self.held.pin().insert(id, Held { line, deadline });
        self.due.insert(id, deadline); // after the map: whoever finds it due finds it there
        Some(id)
    }

    #[inline]
    fn confirm(&self, hold: u64) -> bool {
        self.end(hold, |_| {})
    }

    #[inline]
    fn release(&self, hold: u64) -> bool {
        self.end(hold, Counter::give)
    }

    #[inline]
    fn available(&self, line: &B::Asked) -> u64 {
        self.lines.pin().get(line).map_or(0, |found| found.units())
    }

    fn set_now(&self, now_ms: u64) {
        self.tick.set(now_ms);
    }

    fn expire(&self) -> Expired {
        let mut expired = 0;
        let held = self.held.pin();
        self.due.each_due(self.tick.now(), |id| {
            if let Some(ended) = held.remove(&id) {
                ended.line.give();
                expired += 1;
            }
        });
        Expired::all(expired)
    }

    fn totals(&self) -> Totals {
        let available = self.lines.pin().values().map(|line| line.units()).sum();
        Totals { available, live: self.held.len() as u64 }
    }
}
