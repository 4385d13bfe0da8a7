//! Races between whole calls, on the engine itself in its smallest size.
//!
//! A model without a bound is run to its end. One that would take over a minute states how many preemptions it
//! explores; three are the least.

mod carts;
mod ends;
mod expiries;
mod nursery;
mod owners;
mod takes;

use std::cell::Cell;
use std::time::Duration;

use loom::sync::Arc;

use crate::loom_explore::race;
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use crate::*;

/// To the end takes over a minute: this many preemptions.
const THREE: Option<usize> = Some(3);
/// The same, where more is affordable.
const FIVE: Option<usize> = Some(5);
const TTL_MS: u64 = 3;
const KEY_WINDOW_MS: u64 = 50;

loom::thread_local! {
    static TURNED: Cell<bool> = Cell::new(false);
}

/// For the seeded break of the carts' order: whether this thread takes its lines backwards.
pub(super) fn turned() -> bool {
    TURNED.with(Cell::get)
}

/// A clock whose readings the scheduler sees: a hidden one would leave races with time unexplored.
#[derive(Clone)]
struct ModelClock(Arc<AtomicU64>);

impl ModelClock {
    fn set(&self, millis: u64) {
        self.0.store(millis, Release);
    }
}

impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Acquire))
    }
}

struct World {
    inventory: Inventory,
    clock: ModelClock,
    lines: [StockId; 2],
}

/// Two lines with this many units each, at time 0.
fn world(units: [u32; 2]) -> Arc<World> {
    let clock = ModelClock(Arc::new(apart(0)));
    let inventory = Inventory::builder()
        .clock(clock.clone())
        .lines_max(2)
        .reservations_max(2)
        .lanes(1)
        .ended_retention(Duration::ZERO)
        .ended_capacity(0)
        .expired_capacity(1)
        .owners_max(2)
        .owner_units_max(1)
        .keys_max(2)
        .key_window(Duration::from_millis(KEY_WINDOW_MS))
        .sweep_budget(64)
        .pending_policy(PendingPolicy::Review)
        .build()
        .unwrap();
    let lines = ["a", "b"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
    for (line, units) in lines.into_iter().zip(units) {
        if let Ok(units) = Quantity::new(units) {
            let _ = inventory.receive(line, units, &Cause::none()).unwrap();
        }
    }
    Arc::new(World { inventory, clock, lines })
}

impl World {
    fn reserve(&self, line: usize) -> Result<ReservationId, ReserveError> {
        let guard = self.inventory.reserve(self.lines[line], Quantity::ONE, Ttl::millis(TTL_MS).unwrap())?;
        Ok(guard.detach())
    }

    fn request(&self) -> ReserveRequest {
        ReserveRequest::new(Ttl::millis(TTL_MS).unwrap())
    }

    /// A unit of each of these lines.
    fn cart(&self, lines: [usize; 2]) -> ReserveRequest {
        lines.into_iter().fold(self.request(), |cart, line| cart.with_item(self.lines[line], Quantity::ONE))
    }

    /// A unit of the first line for the one owner there is.
    fn owned(&self) -> ReserveRequest {
        self.request().with_item(self.lines[0], Quantity::ONE).with_owner(Owner::from_bits(7))
    }

    fn serve(&self, request: &ReserveRequest) -> Result<ReservationId, ReserveError> {
        self.inventory.reserve_with(request).map(Guard::detach)
    }

    /// Available, reserved, committed: by the numbers themselves, so that it is the model that finds them wrong.
    fn levels(&self, line: usize) -> (u32, u32, u32) {
        let line = self.lines[line];
        let on_hand = self.inventory.known(line).unwrap().ledger.lock().on_hand();
        let word = self.inventory.counter(line).unwrap().snapshot();
        (word.available(), word.reserved(), on_hand.wrapping_sub(word.available() + word.reserved()))
    }

    /// A reserve of the first line after the deadline of everything.
    fn reserve_late(&self) -> Result<ReservationId, ReserveError> {
        self.clock.set(TTL_MS);
        self.reserve(0)
    }

    fn expire(&self) {
        self.clock.set(TTL_MS);
        let _ = self.inventory.sweep();
    }

    /// What a reserve is told when the first line has none.
    fn sold_out(&self) -> ReserveError {
        ReserveError::OutOfStock { line: self.lines[0], asked: Quantity::ONE }
    }
}
