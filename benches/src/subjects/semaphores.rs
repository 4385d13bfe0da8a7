//! dashmap, a tokio `Semaphore` for each line, a `DelayQueue`: what a user of tokio would reach for.
//!
//! A reservation keeps its permit: forgotten it is sold, dropped it is back. The queue of deadlines stands under a
//! mutex, because its callers are many; a task behind a channel would be another. What ends early leaves it at once.
//!
//! The queue wants a runtime's timer. It gets a runtime of its own whose time stands still until it is moved, so
//! that virtual time is possible; deadlines are computed from the shared tick and no call reads a clock.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::counter::{Tick, fresh_id};
use super::{By, Expired, Shop, Subject, Totals};
use crate::names::Names;

const SHARDS: usize = 64;

#[derive(Debug)]
struct Held {
    permit: OwnedSemaphorePermit,
    key: Key,
    deadline: u64,
}

/// Lines found by `B`.
#[derive(Debug)]
pub struct Semaphores<B: By> {
    lines: DashMap<B::Owned, Arc<Semaphore>, RandomState>,
    held: DashMap<u64, Held, RandomState>,
    queue: Mutex<DelayQueue<u64>>,
    tick: Tick,
    /// The runtime's time 0.
    start: Instant,
    runtime: Runtime,
}

impl<B: By> Semaphores<B> {
    #[inline]
    fn end(&self, id: u64) -> Option<Held> {
        let now = self.tick.now();
        let (_, held) = self.held.remove_if(&id, |_, held| held.deadline > now)?;
        // Not there any more if it expired this instant; `try_remove` does not mind.
        self.queue.lock().try_remove(&held.key);
        Some(held)
    }
}

impl<B: By> Subject for Semaphores<B> {
    type Asked = B::Asked;
    type Keys = B::Keys;
    type Ttl = u64;
    type Hold = u64;

    fn open(shop: &Shop<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without I/O needs nothing that could be missing");
        let lines = DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS);
        for line in 0..shop.names.lines() as u32 {
            lines.insert(B::owned(shop.names, line), Arc::new(Semaphore::new(shop.stock as usize)));
        }
        let held = DashMap::with_hasher_and_shard_amount(RandomState::default(), SHARDS);
        let (queue, start) = {
            let _in = runtime.enter();
            (Mutex::new(DelayQueue::new()), Instant::now())
        };
        Self { lines, held, queue, tick: Tick::default(), start, runtime }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> B::Keys {
        B::keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> u64 {
        ttl_ms
    }

    #[inline]
    fn reserve(&self, line: &B::Asked, ttl_ms: u64) -> Option<u64> {
        let permit = {
            let found = self.lines.get(line)?;
            if found.available_permits() == 0 {
                return None; // no Arc is cloned for a refusal
            }
            Arc::clone(&found).try_acquire_owned().ok()?
        };
        let (id, deadline) = (fresh_id(), self.tick.now() + ttl_ms);
        // The queue stays locked until the map knows it: whoever finds it due finds it there.
        let mut queue = self.queue.lock();
        let key = queue.insert_at(id, self.start + Duration::from_millis(deadline));
        self.held.insert(id, Held { permit, key, deadline });
        Some(id)
    }

    #[inline]
    fn confirm(&self, hold: u64) -> bool {
        self.end(hold).map(|held| held.permit.forget()).is_some()
    }

    #[inline]
    fn release(&self, hold: u64) -> bool {
        self.end(hold).map(|held| drop(held.permit)).is_some()
    }

    #[inline]
    fn available(&self, line: &B::Asked) -> u64 {
        self.lines.get(line).map_or(0, |found| found.available_permits() as u64)
    }

    fn set_now(&self, now_ms: u64) {
        let by = now_ms.saturating_sub(self.tick.now());
        self.tick.set(now_ms);
        self.runtime.block_on(tokio::time::advance(Duration::from_millis(by)));
    }

    fn expire(&self) -> Expired {
        let mut due = Vec::new();
        // Unconstrained: else the runtime's fairness ends every poll after 128 of them.
        self.runtime.block_on(tokio::task::unconstrained(std::future::poll_fn(|context| {
            let mut queue = self.queue.lock();
            while let Poll::Ready(Some(expired)) = queue.poll_expired(context) {
                due.push(expired.into_inner());
            }
            Poll::Ready(())
        })));
        let given_back = due.iter().filter(|id| self.held.remove(*id).is_some()).count();
        Expired::all(given_back)
    }

    fn totals(&self) -> Totals {
        let available = self.lines.iter().map(|line| line.available_permits() as u64).sum();
        Totals { available, live: self.held.len() as u64 }
    }

    fn enter(&self) -> impl Sized {
        self.runtime.enter()
    }
}
