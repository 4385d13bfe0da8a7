//! Once grown, the hot path by id allocates nothing; and what a live reservation costs, by the allocator.
#![allow(unsafe_code, reason = "a counting allocator has to implement an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use earmark::*;

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Given to this thread, less what it gave back.
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only a
// thread-local cell that needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as i64);
        // SAFETY: `place` came from `alloc` above, that is, from the system's allocator.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ROUNDS: usize = 200_000;

/// Allocations of this thread during `run`.
fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

struct World {
    inventory: Inventory,
    clock: ManualClock,
    line: StockId,
    empty: StockId,
}

impl World {
    /// One round of everything the hot path does, time moving on.
    fn round(&self, n: usize) {
        let ttl = Ttl::minutes(5).unwrap();
        let reserve = || self.inventory.reserve(self.line, Quantity::ONE, ttl).unwrap();
        match n % 7 {
            0 => reserve().confirm().unwrap(),
            1 => reserve().release().unwrap(),
            2 => drop(reserve()),
            3 => {
                let id = reserve().detach();
                self.inventory.extend(id, Ttl::minutes(6).unwrap()).unwrap();
                self.inventory.begin_payment(id).unwrap();
                self.inventory.confirm(id).unwrap();
            }
            4 => _ = self.inventory.reserve(self.line, Quantity::ONE, Ttl::millis(10).unwrap()).unwrap().detach(),
            5 => assert!(self.inventory.reserve(self.empty, Quantity::ONE, ttl).is_err()),
            _ => assert!(self.inventory.available(self.line).is_ok()),
        }
        if n % 1_000 == 0 {
            let now = self.clock.advance(std::time::Duration::from_millis(20));
            let _ = self.inventory.advance(now);
        }
    }
}

#[test]
fn the_grown_hot_path_allocates_nothing() {
    let clock = ManualClock::default();
    let inventory = Inventory::builder().clock(clock.clone()).expired_capacity(1_000).build().unwrap();
    let line = inventory.declare(LineSpec::new("line")).unwrap();
    let empty = inventory.declare(LineSpec::new("empty")).unwrap();
    let _ = inventory.receive(line, Quantity::new(10_000_000).unwrap(), &Cause::none()).unwrap();
    let world = World { inventory, clock, line, empty };
    for n in 0..ROUNDS {
        world.round(n); // grows the slab to what the retention of ends needs
    }
    let counted = allocations(|| {
        for n in 0..ROUNDS {
            world.round(n);
        }
    });
    let expired = world.inventory.counts().expired;
    assert!(expired > ROUNDS as u64 / 8, "only {expired} expired");
    println!("ran: alloc {ROUNDS} rounds of the hot path, {counted} allocations");
    assert_eq!(counted, 0, "the grown hot path allocates");
}

/// Live reservations at which bytes are counted: few enough for a test, so that what is begun and not full, a page
/// here and a chunk in each part of a table there, still weighs up to four bytes on each.
const LIVE: u64 = 200_000;
const PLAIN_BYTES_MAX: u64 = 40;
/// With a key each, ten to an owner. From a million on they are at most 104.
const OWNED_BYTES_MAX: u64 = 110;
/// With a key and an owner each.
const ALONE_BYTES_MAX: u64 = 148;
/// With a key, and ended: the key is remembered, and slot, side and the ring's chunk wait for the next.
const ENDED_BYTES_MAX: u64 = 103;

/// Bytes for each of `LIVE` reservations that `request` tells of, all in the wheel's rings; and, when they have all
/// ended, for each of the keys.
fn bytes(owners: Option<u64>, keyed: bool) -> [u64; 2] {
    let clock = ManualClock::default();
    let most = LIVE as usize;
    let builder = Inventory::builder().clock(clock.clone()).lanes(1).sweep_budget(most);
    let inventory = builder.reservations_max(most).owners_max(most).keys_max(most).build().unwrap();
    let line = inventory.declare(LineSpec::new("line")).unwrap();
    let _ = inventory.receive(line, Quantity::new(LIVE as u32).unwrap(), &Cause::none()).unwrap();
    let mut ids = Vec::with_capacity(most);
    let before = BYTES.get();
    for n in 0..LIVE {
        let request = ReserveRequest::new(Ttl::minutes(15).unwrap()).with_item(line, Quantity::ONE);
        let request = match owners {
            Some(owners) => request.with_owner(Owner::from_bits(u128::from(n % owners))),
            None => request,
        };
        let request = if keyed { request.with_key(Key::from_bits(u128::from(n))) } else { request };
        ids.push(inventory.reserve_with(&request).unwrap().detach());
        if n % 1_000 == 0 {
            let _ = inventory.advance(clock.advance(std::time::Duration::from_millis(10)));
        }
    }
    let _ = inventory.advance(clock.advance(std::time::Duration::from_secs(5)));
    assert_eq!(inventory.usage().ring_entries, Some(most));
    let live = BYTES.get() - before;
    ids.iter().for_each(|id| inventory.confirm(*id).unwrap());
    for _ in 0..200 {
        let _ = inventory.advance(clock.advance(std::time::Duration::from_millis(100)));
    }
    let after = BYTES.get() - before;
    let usage = inventory.usage();
    assert_eq!((usage.owners, usage.extras, usage.keys), (0, 0, if keyed { most } else { 0 }));
    [live, after].map(|bytes| bytes as u64 / LIVE)
}

#[test]
fn p10_a_live_reservation_costs_so_many_bytes() {
    let [plain, _] = bytes(None, false);
    let [owned, after] = bytes(Some(LIVE / 10), true);
    let [alone, _] = bytes(Some(LIVE), true);
    println!("bytes of {LIVE}: {plain} plain, {owned} with a key and ten to an owner, {alone} alone, {after} ended");
    assert!((24..=PLAIN_BYTES_MAX).contains(&plain), "{plain} bytes");
    assert!(owned <= OWNED_BYTES_MAX, "{owned} bytes with a key, ten to an owner");
    assert!(alone <= ALONE_BYTES_MAX, "{alone} bytes with a key and an owner");
    assert!(after <= ENDED_BYTES_MAX, "{after} bytes of an ended one whose key is remembered");
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) >= 1);
    let before = BYTES.get();
    let held = std::hint::black_box(vec![1u8; 100]);
    assert_eq!(BYTES.get() - before, 100);
    drop(held);
    assert_eq!(BYTES.get(), before);
}
