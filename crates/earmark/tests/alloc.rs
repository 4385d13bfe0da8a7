//! Once grown, the hot path by id allocates nothing.
#![allow(unsafe_code, reason = "a counting allocator has to implement an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use earmark::*;

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only a
// thread-local cell that needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
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

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) >= 1);
}
