//! Tests of time that leaps in the middle of a call, goes back, or leaps at each reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::model::clock::HookClock;
use crate::reservation::phase::Phase;
use crate::*;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

fn stocked(clock: impl Clock + 'static, on_hand: u32) -> (Arc<Inventory>, StockId) {
    let inventory = Arc::new(Inventory::builder().clock(clock).lanes(1).build().unwrap());
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, units(on_hand), &Cause::none()).unwrap();
    (inventory, tee)
}

/// The clock leaps between a reserve's first reading and its taking (a plain reserve reads it once).
#[test]
fn p5_a_ttl_is_counted_from_where_a_leap_inside_the_call_arrived() {
    for years in [1, 3, 20, 55] {
        let time = ManualClock::default();
        let clock = HookClock::new(time.clone());
        let (inventory, tee) = stocked(clock.clone(), 1);
        let forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::secs(1).unwrap()).unwrap().detach();
        time.advance(Duration::from_millis(999));
        clock.at_reading(1, move || {
            let _ = time.advance(YEAR * years);
        });
        let request = ReserveRequest::new(Ttl::secs(10).unwrap()).with_item(tee, Quantity::ONE);
        let reserved = inventory.reserve_with(&request).unwrap().reserved();
        assert!(inventory.confirm(forgotten).is_err());
        let now = inventory.now();
        assert_eq!(reserved.deadline.since(now), Duration::from_secs(10), "{years} years");
    }
}

/// A key made while time lags behind the clock is remembered for its window from where time arrives.
#[test]
fn p7_a_key_outlives_the_leap_it_was_made_in() {
    let clock = ManualClock::default();
    let (inventory, tee) = stocked(clock.clone(), 9);
    clock.advance(YEAR * 2);
    let request = ReserveRequest::new(Ttl::minutes(5).unwrap()).with_item(tee, Quantity::ONE);
    let request = request.with_key(inventory.key("once"));
    let first = inventory.reserve_with(&request).unwrap().detach();
    while !inventory.sweep().complete {}
    clock.advance(Duration::from_secs(1));
    assert_eq!(inventory.reserve_with(&request).map(Guard::detach), Ok(first));
    let state = inventory.get(first).map(|found| found.state);
    assert_eq!((state, inventory.counts().reserved), (Some(State::Live(Phase::Reserved)), 1));
}

/// One reading far ahead, then the old time again: time stands still, and sweeps still come to an end.
#[test]
fn a_reading_far_ahead_is_caught_up_with_though_the_clock_went_back() {
    for advance in [false, true] {
        let clock = ManualClock::default();
        let (inventory, tee) = stocked(clock.clone(), 9);
        clock.advance(YEAR * 3);
        let _ = inventory.time.now(); // read, and not followed yet
        clock.set(Timestamp::from_millis(5));
        let now = clock.now();
        let sweep = || if advance { inventory.advance(now) } else { inventory.sweep() };
        assert!((0..4).any(|_| sweep().complete), "advance: {advance}");
        inventory.reserve(tee, Quantity::ONE, Ttl::MIN).unwrap().confirm().unwrap();
    }
}

/// A year further at each reading.
#[derive(Clone, Default)]
struct Runaway(Arc<AtomicU64>);

impl Clock for Runaway {
    fn now(&self) -> Timestamp {
        let years = self.0.fetch_add(2, Relaxed);
        Timestamp::from_millis(YEAR.as_millis() as u64 * years)
    }
}

#[test]
fn p10_a_clock_that_leaps_at_each_reading_keeps_no_call_for_ever() {
    let clock = Runaway::default();
    let (inventory, tee) = stocked(clock.clone(), 9);
    let reserved = inventory.reserve(tee, Quantity::ONE, Ttl::MAX).map(Guard::detach);
    if let Ok(id) = reserved {
        let _ = inventory.confirm_or_reacquire(id);
        assert!(inventory.confirm(id).is_err());
    }
    assert!(clock.0.load(Relaxed) < 1_000);
}

/// A call that is held up while it changes a reservation of one line is nothing to refusals on another.
#[test]
fn p4_what_is_being_changed_and_not_due_makes_nobody_contended() {
    let clock = ManualClock::default();
    let (inventory, tee) = stocked(clock.clone(), 9);
    let cap = inventory.declare(LineSpec::new("CAP")).unwrap();
    let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(60).unwrap()).unwrap().detach();
    let changing = inventory.open_live(id, |phase| phase == Phase::Reserved).unwrap();
    let refused = || inventory.reserve(cap, Quantity::ONE, Ttl::MIN).map(Guard::detach);
    for _ in 0..20 {
        clock.advance(Duration::from_secs(1));
        assert!(inventory.sweep().complete);
        assert_eq!(refused(), Err(ReserveError::OutOfStock { line: cap, asked: Quantity::ONE }));
    }
    clock.advance(Duration::from_secs(3_600)); // due now, and perhaps on its way back
    assert_eq!(refused(), Err(ReserveError::Contended { line: cap }));
    drop(changing);
    assert_eq!(refused(), Err(ReserveError::OutOfStock { line: cap, asked: Quantity::ONE }));
    assert_eq!(inventory.available(tee), Ok(9));
}
