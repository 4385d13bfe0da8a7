//! A driver's tick is trusted from its first sweep on, and not before: until then it may be as old as the inventory.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::stocked;
use earmark::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn reserve(inventory: &Inventory, tee: StockId) -> ReservationId {
    inventory.reserve(tee, Quantity::ONE, Ttl::secs(10).unwrap()).unwrap().detach()
}

#[test]
fn p5_an_old_tick_confirms_nothing_late() {
    let (clock, inventory, tee) = stocked();
    let id = reserve(&inventory, tee);
    clock.advance(HOUR);
    let _driver = LoopDriver::new(Arc::clone(&inventory));
    assert!(inventory.confirm(id).is_err(), "confirmed an hour after its deadline");
}

#[test]
fn p5_an_old_tick_makes_no_deadline() {
    for _ in 0..50 {
        let (clock, inventory, tee) = stocked();
        clock.advance(HOUR);
        let mut looped = LoopDriver::new(Arc::clone(&inventory));
        let id = reserve(&inventory, tee);
        let _ = looped.sweep();
        inventory.confirm(id).unwrap();

        clock.advance(HOUR);
        drop(looped);
        let driver = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1)).unwrap();
        let id = reserve(&inventory, tee); // before its first sweep, or after
        let _ = driver.stop();
        let _ = inventory.sweep();
        inventory.confirm(id).unwrap();
    }
}

#[test]
fn t2_a_loop_that_is_late_is_counted() {
    let (clock, inventory, _) = stocked();
    let mut driver = LoopDriver::new(Arc::clone(&inventory));
    for _ in 0..3 {
        let _ = driver.sweep();
        clock.advance(Duration::from_secs(30));
    }
    assert_eq!(inventory.counts().driver_late, 2);
}
