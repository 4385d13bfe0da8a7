//! The inventory that operations are counted on: 1,000 lines, a manual clock, nothing left to chance but the
//! keys of the hash tables. An operation whose count they move by more than a percent (a look for a name that nobody
//! declared) is not counted.

use std::time::Duration;

use earmark::{Cause, Inventory, LineSpec, ManualClock, Quantity, ReserveRequest, StockId, Ttl, UNITS_MAX};

/// Stock lines.
pub(crate) const LINES: usize = 1_000;
/// Lines of a cart.
pub(crate) const CART_LINES: usize = 3;
/// How far the next line lies: no divisor of `LINES`, so that every line comes.
const STRIDE: usize = 379;
/// Lanes, whatever the machine has.
const LANES: usize = 2;

pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) clock: ManualClock,
    pub(crate) ttl: Ttl,
    pub(crate) sold_out: StockId,
    lines: Vec<StockId>,
    names: Vec<String>,
    owned: Vec<ReserveRequest>,
    carts: Vec<ReserveRequest>,
}

impl World {
    pub(crate) fn new() -> World {
        let clock = ManualClock::default();
        let inventory = Inventory::builder().lanes(LANES).clock(clock.clone()).build().expect("in bounds");
        let ttl = Ttl::minutes(5).expect("in bounds");
        let declare = |name: &str| inventory.declare(LineSpec::new(name)).expect("room for it");
        let names: Vec<String> = (0..LINES).map(|n| format!("SKU-{n:08}")).collect();
        let lines: Vec<StockId> = names.iter().map(|name| declare(name)).collect();
        let stock = Quantity::new(UNITS_MAX / 2).expect("in bounds");
        for &line in &lines {
            let _ = inventory.receive(line, stock, &Cause::none()).expect("below the limit");
        }
        let sold_out = declare("sold out");
        let request = || ReserveRequest::new(ttl);
        let owned =
            |n: usize| request().with_item(lines[n], Quantity::ONE).with_owner(inventory.owner(names[n].as_str()));
        let cart = |n: usize| {
            let items = (n..n + CART_LINES).map(|n| earmark::Item { line: lines[n % LINES], quantity: Quantity::ONE });
            request().with_items(items)
        };
        World {
            owned: (0..LINES).map(owned).collect(),
            carts: (0..LINES).map(cart).collect(),
            inventory,
            clock,
            ttl,
            sold_out,
            lines,
            names,
        }
    }

    /// The line of the `n`th operation.
    #[inline]
    pub(crate) fn line(&self, n: u64) -> StockId {
        self.lines[at(n)]
    }

    #[inline]
    pub(crate) fn name(&self, n: u64) -> &str {
        &self.names[at(n)]
    }

    /// One unit for one of a thousand owners.
    #[inline]
    pub(crate) fn owned(&self, n: u64) -> &ReserveRequest {
        &self.owned[at(n)]
    }

    #[inline]
    pub(crate) fn cart(&self, n: u64) -> &ReserveRequest {
        &self.carts[at(n)]
    }

    /// Lets time pass, and does everything that is due by then.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        while !self.inventory.sweep().complete {}
    }
}

#[inline]
fn at(n: u64) -> usize {
    n as usize * STRIDE % LINES
}
