//! moka with a time to live: reservations as entries of a cache that forgets.
//!
//! A cache without a bound, one TTL for all (its cheapest policy: a queue, no timer wheel). Whatever it drops because
//! the time is up is given back by the eviction listener; `remove` takes out what is overdue too, so the deadline
//! stands in the entry as well. Lines are counters in a dashmap. moka's clock cannot be set from outside, so it lives in
//! real time: [`Subject::set_now`] does nothing, and what needs virtual time leaves it out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use moka::notification::RemovalCause;
use moka::sync::Cache;

use super::counter::{Counter, fresh_id};
use super::{By, Expired, Shop, Subject, Totals};
use crate::names::Names;

const SHARDS: usize = 64;

#[derive(Debug, Clone)]
struct Held {
    line: Arc<Counter>,
    deadline: Instant,
}

/// Lines found by `B`.
#[derive(Debug)]
pub struct Moka<B: By> {
    lines: DashMap<B::Owned, Arc<Counter>, RandomState>,
    held: Cache<u64, Held, RandomState>,
    ttl: Duration,
}

impl<B: By> Moka<B> {
    #[inline]
    fn end(&self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if held.deadline <= Instant::now() {
            held.line.give(); // overdue, and taken out before the cache looked at it
            return None;
        }
        Some(held)
    }
}

impl<B: By> Subject for Moka<B> {
    type Asked = B::Asked;
    type Keys = B::Keys;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let lines = DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS);
        for line in 0..shop.names.lines() as u32 {
            lines.insert(B::owned(shop.names, line), Arc::new(Counter::new(shop.stock)));
        }
        let ttl = Duration::from_millis(shop.ttl_ms);
        let held = Cache::builder()
            .time_to_live(ttl)
            .eviction_listener(|_, held: Held, cause| {
                if cause == RemovalCause::Expired {
                    held.line.give();
                }
            })
            .build_with_hasher(RandomState::default());
        Self { lines, held, ttl }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> B::Keys {
        B::keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> u64 {
        ttl_ms
    }

    #[inline]
    fn reserve(&self, line: &B::Asked, _: u64) -> Option<u64> {
        let line = {
            let found = self.lines.get(line)?;
            if !found.take() {
                return None; // no Arc is cloned for a refusal
            }
            Arc::clone(&found)
        };
        let id = fresh_id();
        self.held.insert(id, Held { line, deadline: Instant::now() + self.ttl });
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

    fn set_now(&self, _: u64) {}

    fn expire(&self) -> Expired {
        let before = self.held.entry_count();
        self.held.run_pending_tasks();
        Expired::all(before.saturating_sub(self.held.entry_count()) as usize)
    }

    fn totals(&self) -> Totals {
        self.held.run_pending_tasks();
        Totals { available: self.lines.iter().map(|line| line.units()).sum(), live: self.held.entry_count() }
    }
}
