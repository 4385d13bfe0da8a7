//! What several of these tests begin with.

use std::sync::Arc;

use earmark::*;

/// A line with 99 units, and a clock that is moved by hand.
pub(crate) fn stocked() -> (ManualClock, Arc<Inventory>, StockId) {
    let clock = ManualClock::default();
    let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, Quantity::new(99).unwrap(), &Cause::none()).unwrap();
    (clock, inventory, tee)
}
