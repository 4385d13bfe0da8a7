//! design.md §1, step by step: the window between "is it there?" and "it is paid".
//!
//! 1. Agent A reads `available: 1` at 0 ms.
//! 2. A starts paying at 200 ms.
//! 3. Agent B wants the unit through another channel at 650 ms.
//! 4. A's payment clears at 800 ms.
//! 5. One unit, one buyer.

use std::time::Duration;

use earmark::{
    Cause, End, Inventory, LineSpec, ManualClock, Quantity, ReservationId, ReserveError, ReserveRequest, Reserved,
    StockId, Timestamp, Ttl,
};

/// How long the payment may take before the unit goes to somebody else.
const PAYMENT_TTL_MS: u64 = 2_000;

struct Shop {
    inventory: Inventory,
    clock: ManualClock,
    line: StockId,
}

impl Shop {
    fn with_one_unit() -> Shop {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let inventory = Inventory::builder()
            .clock(clock.clone())
            .payment_ttl(Ttl::millis(PAYMENT_TTL_MS).unwrap())
            .build()
            .unwrap();
        let line = inventory.declare(LineSpec::new("LAST-ONE")).unwrap();
        inventory.receive(line, Quantity::ONE, &Cause::none()).unwrap();
        Shop { inventory, clock, line }
    }

    fn at(&self, ms: u64) {
        self.clock.set(Timestamp::from_millis(ms));
    }

    fn reserve(&self, channel: &str) -> Result<Reserved, ReserveError> {
        let request = ReserveRequest::new(Ttl::secs(5).unwrap())
            .with_item(self.line, Quantity::ONE)
            .with_channel(self.inventory.channel(channel).unwrap());
        self.inventory.reserve_with(&request).map(|guard| {
            let reserved = guard.reserved();
            let _id = guard.detach();
            reserved
        })
    }

    fn retry_after_ms(&self) -> Option<u64> {
        let at = self.inventory.retry_after(self.line, Quantity::ONE).unwrap();
        at.map(Timestamp::as_millis)
    }

    /// The steps up to B's refusal; A's id, and when B may come again.
    fn until_b_is_refused(&self) -> (ReservationId, u64) {
        assert_eq!(self.inventory.available(self.line), Ok(1)); // 1: A reads, and
        let a = self.reserve("web").unwrap(); // reserves: nothing to wait for
        self.at(200);
        let deadline = self.inventory.begin_payment(a.id).unwrap(); // 2
        assert_eq!(deadline.as_millis(), 200 + PAYMENT_TTL_MS);
        self.at(650);
        let refused = self.reserve("agent-api").unwrap_err(); // 3
        assert!(matches!(refused, ReserveError::OutOfStock { .. }), "{refused}");
        let retry_after = self.retry_after_ms();
        assert_eq!(retry_after, Some(deadline.as_millis()));
        (a.id, deadline.as_millis())
    }
}

#[test]
fn b_is_refused_and_a_who_pays_gets_the_unit() {
    let shop = Shop::with_one_unit();
    let (a, _) = shop.until_b_is_refused();
    shop.at(800);
    shop.inventory.confirm(a).unwrap(); // 4
    let levels = shop.inventory.levels(shop.line).unwrap(); // 5
    assert_eq!((levels.available, levels.reserved, levels.committed), (0, 0, 1));
    assert_eq!(shop.retry_after_ms(), None, "it will not come back by itself");
    assert!(matches!(shop.reserve("agent-api"), Err(ReserveError::OutOfStock { .. })));
}

#[test]
fn what_b_was_told_is_true_if_a_never_pays() {
    let shop = Shop::with_one_unit();
    let (a, retry_after) = shop.until_b_is_refused();
    shop.at(retry_after - 1);
    assert!(matches!(shop.reserve("agent-api"), Err(ReserveError::OutOfStock { .. })));
    shop.at(retry_after);
    let b = shop.reserve("agent-api").unwrap(); // nobody swept
    let late = shop.inventory.confirm(a).unwrap_err();
    assert_eq!(late, earmark::ConfirmError::Ended { id: a, end: End::Expired });
    shop.clock.advance(Duration::from_millis(500));
    shop.inventory.confirm(b.id).unwrap();
    let levels = shop.inventory.levels(shop.line).unwrap();
    assert_eq!((levels.on_hand, levels.committed), (1, 1));
    assert!(shop.inventory.verify().is_clean());
}

#[test]
fn a_payment_that_fails_brings_b_the_unit_even_sooner() {
    let shop = Shop::with_one_unit();
    let (a, retry_after) = shop.until_b_is_refused();
    shop.at(800);
    shop.inventory.release(a).unwrap();
    assert!(shop.retry_after_ms().is_some_and(|at| at <= retry_after));
    assert!(shop.reserve("agent-api").is_ok());
}
