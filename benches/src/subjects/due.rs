//! Deadlines in order, for the rivals on concurrent maps: a few ordered sets, each under its lock.
//!
//! Sharded by reservation, so that threads seldom meet. What ends early is removed at once: a set that keeps the
//! dead is faster to end and ten times as large.

use std::collections::BTreeSet;

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

const SHARDS: usize = 16;

/// Deadline and id.
type Set = Mutex<BTreeSet<(u64, u64)>>;

#[derive(Debug, Default)]
pub(super) struct Due([CachePadded<Set>; SHARDS]);

impl Due {
    #[inline]
    fn shard(&self, id: u64) -> &Set {
        &self.0[id as usize % SHARDS]
    }

    #[inline]
    pub(super) fn insert(&self, id: u64, deadline: u64) {
        self.shard(id).lock().insert((deadline, id));
    }

    #[inline]
    pub(super) fn remove(&self, id: u64, deadline: u64) {
        self.shard(id).lock().remove(&(deadline, id));
    }

    /// Takes out what is due at `now` and tells each. A lock is held to cut a set, not while its part is told.
    pub(super) fn each_due(&self, now: u64, mut tell: impl FnMut(u64)) {
        for shard in &self.0 {
            let mut set = shard.lock();
            if set.first().is_none_or(|(deadline, _)| *deadline > now) {
                continue;
            }
            let later = set.split_off(&(now + 1, 0));
            let due = std::mem::replace(&mut *set, later);
            drop(set);
            due.into_iter().for_each(|(_, id)| tell(id));
        }
    }
}
