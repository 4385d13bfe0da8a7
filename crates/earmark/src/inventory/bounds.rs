//! Tests at the edges: bounded work, bounded memory, and time that leaps.

use std::time::Duration;

use crate::reservation::state::No;
use crate::*;

/// A clock, and an inventory with one line of a million units.
fn stocked(settings: impl Fn(InventoryBuilder) -> InventoryBuilder) -> (ManualClock, Inventory, StockId) {
    let clock = ManualClock::default();
    let inventory = settings(Inventory::builder().clock(clock.clone()).lanes(1)).build().unwrap();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, units(1_000_000), &Cause::none()).unwrap();
    (clock, inventory, tee)
}

fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

fn reserve(inventory: &Inventory, line: StockId, ttl: Ttl) -> Result<ReservationId, ReserveError> {
    inventory.reserve(line, Quantity::ONE, ttl).map(|guard| guard.detach())
}

#[test]
fn p10_what_has_ended_leaves_the_ring_long_before_its_deadline() {
    const ROUND: usize = 5_000;
    const STAY: usize = 10; // one of so many is left to its deadline
    let (clock, inventory, tee) = stocked(|builder| builder);
    let hour = Ttl::minutes(60).unwrap();
    for round in 0..20 {
        let held: Vec<_> = (0..ROUND).map(|_| reserve(&inventory, tee, hour).unwrap()).collect();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(1));
            let _ = inventory.sweep();
        }
        let entries = inventory.usage().ring_entries.unwrap();
        let live = ROUND + round * ROUND / STAY;
        assert!(entries <= 4 * live, "round {round}: {entries} entries, {live} live");
        for (at, id) in held.into_iter().enumerate().filter(|(at, _)| at % STAY != 0) {
            inventory.confirm(id).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
    }
    clock.advance(Duration::from_secs(3_600));
    let expired: usize = (0..10).map(|_| inventory.sweep().expired).sum();
    assert_eq!(expired, 20 * ROUND / STAY, "what lives is kept");
}

#[test]
fn p5_p4_a_leap_of_the_clock_is_followed_by_the_very_call() {
    let (clock, inventory, tee) = stocked(|builder| builder);
    let all = inventory.reserve(tee, units(1_000_000), Ttl::MAX).unwrap().detach();
    clock.advance(Duration::from_millis(1 << 40)); // 34 years
    assert_eq!(inventory.confirm(all), Err(ConfirmError::Ended { id: all, end: End::Expired }));
    let (clock, inventory, tee) = stocked(|builder| builder);
    let _ = inventory.reserve(tee, units(1_000_000), Ttl::MAX).unwrap().detach();
    clock.advance(Duration::from_millis(1 << 40));
    assert!(reserve(&inventory, tee, Ttl::MIN).is_ok());
}

#[test]
fn p5_p4_no_deadline_is_judged_before_a_leap_is_caught_up_with() {
    let (clock, inventory, tee) = stocked(|builder| builder);
    let held = inventory.reserve(tee, units(1_000_000), Ttl::MIN).unwrap().detach();
    clock.advance(Duration::from_millis(1 << 50)); // 35,000 years
    assert_eq!(inventory.confirm(held), Err(ConfirmError::Contended { id: held }));
    assert_eq!(inventory.confirm_or_reacquire(held), Err(ReacquireError::Contended { id: held }));
    assert_eq!(inventory.extend(held, Ttl::MIN), Err(ExtendError::Contended { id: held }));
    assert!(!inventory.sweep().complete);
    inventory.time.attach_driver(); // its tick is believed without a look at the clock
    assert_eq!(
        inventory.reserve(tee, units(1_000_002), Ttl::MIN).map(|guard| guard.detach()),
        Err(ReserveError::Contended { line: tee })
    );
    inventory.time.detach_driver();
    let sweeps = (1..).take_while(|_| !inventory.sweep().complete).count();
    assert!((1 << 14..1 << 16).contains(&sweeps), "{sweeps} sweeps");
    assert_eq!(inventory.confirm(held), Err(ConfirmError::Ended { id: held, end: End::Expired }));
    assert!(reserve(&inventory, tee, Ttl::MIN).is_ok());
}

/// A shortage is settled although many live reservations must be looked at first; none of them is due.
#[test]
fn p4_a_look_at_many_that_live_is_not_contention() {
    let (clock, inventory, tee) = stocked(|builder| builder);
    for _ in 0..1_000 {
        reserve(&inventory, tee, Ttl::minutes(60).unwrap()).unwrap();
    }
    clock.advance(Duration::from_secs(5));
    let refused = inventory.reserve(tee, units(1_000_000), Ttl::MIN).map(|guard| guard.detach());
    let (asked, available) = (units(1_000_000), 999_000);
    assert_eq!(refused, Err(ReserveError::Insufficient { line: tee, asked, available }));
}

#[test]
fn the_cap_on_reservations_holds_and_what_is_due_does_not_count() {
    let small = |builder: InventoryBuilder| builder.reservations_max(8).sweep_budget(1);
    let (clock, inventory, tee) = stocked(small);
    for round in 0..50 {
        let live = std::iter::from_fn(|| reserve(&inventory, tee, Ttl::secs(1).unwrap()).ok()).count();
        assert!((8..8 + 2 * 32).contains(&live), "{live} live in round {round}");
        let full = FullError { table: Table::Reservations, max: 8 };
        assert_eq!(reserve(&inventory, tee, Ttl::MIN), Err(ReserveError::Full(full)));
        clock.advance(Duration::from_secs(1)); // nobody sweeps: the next reserve must do so itself
    }
}

/// The wait for another call on the same id is bounded, in every operation; nothing is decided.
#[test]
fn p10_a_call_that_meets_another_says_contended() {
    let (_clock, inventory, tee) = stocked(|builder| builder.pending_policy(PendingPolicy::Review));
    let request = ReserveRequest::new(Ttl::MAX).with_item(tee, units(2)).with_owner(inventory.owner("ada"));
    let id = inventory.reserve_with(&request).unwrap().detach();
    let part = [Item { line: tee, quantity: Quantity::ONE }];
    let changing = inventory.open_live(id, |_| true).unwrap();
    assert_eq!(inventory.confirm(id), Err(ConfirmError::Contended { id }));
    assert_eq!(inventory.release(id), Err(ReleaseError::Contended { id }));
    assert_eq!(inventory.confirm_part(id, &part), Err(PartError::Contended { id }));
    assert_eq!(inventory.release_part(id, &part), Err(PartError::Contended { id }));
    assert_eq!(inventory.extend(id, Ttl::MAX), Err(ExtendError::Contended { id }));
    assert_eq!(inventory.begin_payment(id), Err(PaymentError::Contended { id }));
    assert_eq!(inventory.payment_pending(id), Err(PaymentError::Contended { id }));
    assert_eq!(inventory.confirm_or_reacquire(id), Err(ReacquireError::Contended { id }));
    assert_eq!(inventory.replace(id, &request), Err(ReplaceError::Contended { id }));
    assert_eq!(inventory.resolve_reviews(&[id], Resolution::Confirm), [Err(ReviewError::Contended { id })]);
    assert_eq!(inventory.counts().contended, 10);
    drop(changing);
    inventory.confirm(id).unwrap();
}

/// P10: what was taken up again does not pile up among what is remembered, nor push it out.
#[test]
fn late_payments_leave_nothing_behind() {
    let (clock, inventory, tee) = stocked(|builder| builder.expired_capacity(10));
    let kept = reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap();
    for _ in 0..1_000 {
        let id = reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap();
        clock.advance(Duration::from_secs(1));
        while !inventory.sweep().complete {}
        assert_eq!(inventory.confirm_or_reacquire(id), Ok(Late::Reacquired));
        if inventory.counts().reacquired > 800 {
            break; // within the fifteen minutes that the first one is remembered
        }
    }
    assert!(inventory.parked_entries() <= 2 * 10 + 64 + 1, "{}", inventory.parked_entries());
    assert_eq!((inventory.usage().expired_remembered, inventory.confirm_or_reacquire(kept)), (1, Ok(Late::Reacquired)));
}

/// P10: an inventory for one reservation goes on when the first slots have retired.
#[test]
fn slots_that_retired_are_replaced() {
    let settings = |builder: InventoryBuilder| builder.reservations_max(1).ended_capacity(0).expired_capacity(0);
    let (_clock, inventory, tee) = stocked(settings);
    let usage = |inventory: &Inventory| inventory.usage().slots_retired;
    for round in 0..300 {
        let id = reserve(&inventory, tee, Ttl::MAX).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let last = crate::reservation::state::GENERATION_MAX;
        inventory.slab.get(id.slot()).unwrap().publish(last, 1 << 30); // as if it had served so often
        inventory.release(ReservationId::new(id.incarnation(), id.slot(), last)).unwrap();
        assert_eq!(usage(&inventory), round + 1);
    }
    assert!(inventory.verify().is_clean());
}

#[test]
fn a_sweep_is_complete_once_what_is_remembered_too_long_is_forgotten() {
    let (clock, inventory, tee) = stocked(|builder| builder.sweep_budget(3).expired_retention(Duration::from_secs(10)));
    for _ in 0..30 {
        reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    while !inventory.sweep().complete {}
    assert_eq!(inventory.usage().expired_remembered, 30);
    clock.advance(Duration::from_secs(10));
    let sweeps = (1..).take_while(|_| !inventory.sweep().complete).count();
    assert!((9..=11).contains(&sweeps), "{sweeps}");
    assert_eq!(inventory.usage().expired_remembered, 0);
}

/// What a late payment holds up when its turn comes goes next, not behind all others.
#[test]
fn who_was_busy_is_forgotten_at_the_next_sweep() {
    let (clock, inventory, tee) = stocked(|builder| builder.expired_capacity(2));
    let ids: Vec<_> = (0..2).map(|_| reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap()).collect();
    clock.advance(Duration::from_secs(1));
    assert_eq!(inventory.sweep().expired, 2);
    let oldest = inventory.slab.get(ids[0].slot()).unwrap();
    let before = oldest.update(|seen| seen.reopen(ids[0].generation())).unwrap();
    let third = reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(inventory.sweep().expired, 1);
    oldest.unlock(before); // the payment came to nothing
    let forgotten = |id: &ReservationId| {
        let slot = inventory.slab.get(id.slot()).unwrap();
        slot.snapshot().reopen(id.generation()) == Err(No::Ended(End::Expired))
    };
    let _ = inventory.sweep();
    clock.advance(Duration::from_secs(5));
    let _ = inventory.sweep();
    assert_eq!([&ids[0], &ids[1], &third].map(forgotten), [false, true, false]);
    assert_eq!(inventory.usage().expired_remembered, 2);
    let fourth = reserve(&inventory, tee, Ttl::secs(1).unwrap()).unwrap();
    clock.advance(Duration::from_secs(1));
    let _ = inventory.sweep();
    assert_eq!([&ids[0], &third, &fourth].map(forgotten), [true, false, false]);
}

/// Reserved by many threads, each in a lane of its own, and ended by one other: what each lane knows alone adds up.
/// The cap holds to a page of each lane, and no end is forgotten that is to be remembered.
#[test]
fn r6_r5_what_lanes_have_not_told_breaks_no_bound() {
    const CAP: usize = 64;
    const THREADS: usize = 5;
    let small = |builder: InventoryBuilder| {
        let builder = builder.lanes(2).reservations_max(CAP).ended_capacity(16_384);
        builder.ended_retention(Duration::from_millis(1))
    };
    let (clock, inventory, tee) = stocked(small);
    let hour = Ttl::minutes(60).unwrap();
    std::thread::scope(|scope| {
        let takers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (ask, asked) = std::sync::mpsc::channel::<usize>();
                let (answer, answers) = std::sync::mpsc::channel();
                let inventory = &inventory;
                scope.spawn(move || {
                    for count in asked {
                        let taken: Vec<_> = (0..count).map_while(|_| reserve(inventory, tee, hour).ok()).collect();
                        answer.send(taken).unwrap();
                    }
                });
                (ask, answers)
            })
            .collect();
        let take = |taker: usize, count: usize| {
            takers[taker].0.send(count).unwrap();
            takers[taker].1.recv().unwrap()
        };
        let end = |ids: Vec<ReservationId>| ids.into_iter().for_each(|id| inventory.release(id).unwrap());
        for round in 0..40 {
            for taker in 0..THREADS {
                clock.advance(Duration::from_millis(5));
                end(take(taker, 32));
            }
            clock.advance(Duration::from_millis(5));
            let all: Vec<_> = (0..THREADS).flat_map(|taker| take(taker, usize::MAX)).collect();
            assert!((CAP..=CAP + THREADS * 32).contains(&all.len()), "round {round}: {} live", all.len());
            end(all);
        }
    });
}
