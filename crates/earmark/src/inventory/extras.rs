//! What few reservations have: owner, key, metadata, and a cart's items. Kept beside the slab, gone when they end.
//!
//! ```text
//! slots:   [ state | what | origin ]     24 bytes each
//! sides:   [ refs | links ]              16 bytes each, a page of them made when a slot of it first needs one
//!             |        +--- next and previous slot of the same owner, under the lock of the owner's shard
//!             +--- owner's book, key's record, whether the map has more
//! map:     slot -> metadata, items       few have any
//! ```
//!
//! **X1** A side belongs to the generation that its slot is at, from before that is published until it is let go,
//! which is before the slot is given back. A book or record that a side names is not used for anything else.
//! **X2** `refs` lose a name under the lock of the shard that it leads to, before the record there can be used
//! again. So who looks again under that lock, and finds the name still there, reads what it stands for.

use std::sync::Arc;
// A count that orders nothing: loom need not explore it.
use std::sync::atomic::{AtomicU64 as Hint, Ordering::Relaxed as Hinted};

use crossbeam::utils::CachePadded;
use dashmap::DashMap;
use foldhash::quality::RandomState;

use super::Inventory;
use super::request::{Item, Key, Owner, ReserveRequest};
use super::shards::At;
use crate::paged::Paged;
use crate::reservation::slot::Body;
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::word::Field;

const OWNER: Field = Field::lowest(At::BITS);
/// The reservation is in its owner's list.
const LISTED: Field = OWNER.above(1);
const KEY: Field = LISTED.above(At::BITS);
/// The map has more about it.
const IN_MAP: Field = KEY.above(1);
const _: () = assert!(IN_MAP.end() == u64::BITS);

const NEXT: Field = Field::lowest(32);
const PREVIOUS: Field = NEXT.above(32);

/// What lies beside a slot.
#[derive(Debug)]
pub(super) struct Side {
    refs: AtomicU64,
    /// Written and read under the lock of the owner's shard alone.
    links: AtomicU64,
}

/// The slots before and after one in its owner's list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    pub(super) next: u32,
    pub(super) previous: u32,
}

impl Side {
    fn new() -> Self {
        Self { refs: AtomicU64::new(0), links: apart(0) }
    }

    fn refs(&self) -> u64 {
        // ORDERING: Acquire, so that a later look at the slot's state is not older than what is read here.
        self.refs.load(Acquire)
    }

    pub(super) fn owner(&self) -> Option<At> {
        At::from_bits(OWNER.of(self.refs()))
    }

    pub(super) fn key(&self) -> Option<At> {
        At::from_bits(KEY.of(self.refs()))
    }

    /// Whose it is, if the reservation is in that owner's list.
    pub(super) fn listed_by(&self) -> Option<At> {
        let refs = self.refs();
        At::from_bits(OWNER.of(refs)).filter(|_| LISTED.of(refs) == 1)
    }

    /// Names the owner's book. Before the slot is published, under the lock of the owner's shard.
    pub(super) fn enlist(&self, owner: At) {
        self.refs.fetch_or(LISTED.put(OWNER.put(0, owner.to_bits()), 1), AcqRel);
    }

    /// No longer in the list of its owner. Under the lock of the owner's shard.
    pub(super) fn strike(&self) {
        self.clear(LISTED);
    }

    /// Without an owner. Under the lock of the owner's shard (X2).
    pub(super) fn disown(&self) {
        self.clear(OWNER);
    }

    /// Without a key. Under the lock of the key's shard (X2).
    pub(super) fn unlock_key(&self) {
        self.clear(KEY);
    }

    fn clear(&self, field: Field) {
        self.refs.fetch_and(!field.put(0, field.max()), AcqRel);
    }

    pub(super) fn links(&self) -> Links {
        // ORDERING: Relaxed, here and below: the lock of the owner's shard orders them.
        let links = self.links.load(Relaxed);
        Links { next: NEXT.of(links) as u32, previous: PREVIOUS.of(links) as u32 }
    }

    pub(super) fn link(&self, links: Links) {
        let links = PREVIOUS.put(NEXT.put(0, u64::from(links.next)), u64::from(links.previous));
        self.links.store(links, Relaxed);
    }
}

/// What the map keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    /// Only where no record of the key can be named.
    key: Option<Key>,
    metadata: Option<Arc<str>>,
    /// A cart's items, one for each line, in order of line number.
    pub(super) items: Box<[Item]>,
}

/// All that was kept of one reservation, as it was found.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) owner: Option<Owner>,
    pub(super) key: Option<Key>,
    extra: Option<Arc<Extra>>,
}

impl Kept {
    pub(super) fn metadata(&self) -> Option<Arc<str>> {
        self.extra.as_ref()?.metadata.clone()
    }

    pub(super) fn items(&self) -> &[Item] {
        self.extra.as_ref().map_or(&[], |extra| &extra.items)
    }
}

#[derive(Debug)]
pub(super) struct Extras {
    sides: Paged<Side>,
    map: DashMap<u32, Arc<Extra>, RandomState>,
    /// Reservations that have anything here, counted by lane: only the sum means something.
    counts: Box<[CachePadded<Hint>]>,
}

impl Extras {
    pub(super) fn new(slots: usize, lanes: usize) -> Self {
        Self {
            sides: Paged::new(slots, Side::new),
            map: DashMap::with_hasher(RandomState::default()),
            counts: (0..lanes.max(1)).map(|_| CachePadded::new(Hint::new(0))).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        // Relaxed: counts come and go one by one, and an instant's sum may be off by those under way.
        let sum = self.counts.iter().fold(0u64, |sum, count| sum.wrapping_add(count.load(Hinted)));
        (sum as i64).max(0) as usize
    }

    #[inline]
    pub(super) fn side(&self, slot: u32) -> Option<&Side> {
        self.sides.get(slot as usize)
    }

    fn count(&self, lane: usize, change: i64) {
        self.counts[lane % self.counts.len()].fetch_add(change as u64, Hinted);
    }
}

/// Whether a request keeps anything beside the slab.
pub(super) fn keeps(request: &ReserveRequest, items: &[Item]) -> bool {
    items.len() > 1 || request.owner.is_some() || request.key.is_some() || request.metadata.is_some()
}

impl Inventory {
    /// Keeps what a request has besides one item, for a slot that is not published yet (X1).
    pub(super) fn keep(&self, slot: u32, request: &ReserveRequest, items: &[Item]) {
        let Some(side) = self.extras.sides.grow(slot as usize) else { return };
        let record = request.key.and_then(|key| self.keys.hold(key));
        let is_cart = items.len() > 1;
        let unnamed = request.key.filter(|_| record.is_none());
        let in_map = is_cart || request.metadata.is_some() || unnamed.is_some();
        if in_map {
            let items = if is_cart { items.into() } else { Box::default() };
            let extra = Extra { key: unnamed, metadata: request.metadata.clone(), items };
            self.extras.map.insert(slot, Arc::new(extra));
        }
        let key = KEY.put(0, record.map_or(0, At::to_bits));
        // ORDERING: Release, as the stores of `Slot::fill`: who reads this finds the old state gone.
        side.refs.store(IN_MAP.put(key, u64::from(in_map)), Release);
        if let Some(owner) = request.owner {
            let units = items.iter().map(|item| u64::from(item.quantity.get())).sum();
            self.owners.list(&self.extras, owner, slot, units);
        }
        self.extras.count(self.slab.lanes().index(self.lane()), 1);
    }

    /// Lets go of all that was kept of a reservation that has ended; its slot is given back next (X1).
    pub(super) fn let_go(&self, slot: u32, body: &Body) {
        let Some(side) = self.extras.side(slot) else { return };
        let refs = side.refs();
        if OWNER.of(refs) != 0 {
            let units = || self.items_of(slot, body).units();
            self.owners.let_go(&self.extras, slot, units);
        }
        if KEY.of(refs) != 0 {
            self.keys.let_go(side);
        }
        if IN_MAP.of(refs) != 0 {
            self.extras.map.remove(&slot);
            side.clear(IN_MAP);
        }
        if refs != 0 {
            self.extras.count(self.slab.lanes().index(self.lane()), -1);
        }
    }

    /// What the map keeps for a slot. Its shard is let go at once.
    pub(super) fn extra_of(&self, slot: u32) -> Option<Arc<Extra>> {
        self.extras.map.get(&slot).map(|extra| Arc::clone(&extra))
    }

    /// A cart has other items from here on. While it is `Changing` (R3).
    pub(super) fn keep_items(&self, slot: u32, items: Box<[Item]>) {
        let old = self.extra_of(slot).unwrap_or_default();
        self.extras.map.insert(slot, Arc::new(Extra { items, ..Extra::clone(&old) }));
    }

    /// Whose a reservation is.
    pub(super) fn owner_of(&self, slot: u32) -> Option<Owner> {
        self.owners.owner_of(self.extras.side(slot)?)
    }

    /// All that is kept for a slot. Right for the generation whose state was read before, and still stands
    /// after.
    pub(super) fn kept_of(&self, slot: u32) -> Kept {
        let Some(side) = self.extras.side(slot) else { return Kept::default() };
        let extra = if IN_MAP.of(side.refs()) == 1 { self.extra_of(slot) } else { None };
        let key = self.keys.key_of(side).or_else(|| extra.as_ref()?.key);
        Kept { owner: self.owners.owner_of(side), key, extra }
    }
}
