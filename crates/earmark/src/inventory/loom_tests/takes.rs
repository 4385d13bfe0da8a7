//! Who takes a unit, and what a refusal may say (P1, P4, P7, I3).

use super::{FIVE, THREE, TTL_MS, World, race, world};
use crate::loom_explore::{explore, explore_calls};
use crate::nursery::Nursery;
use crate::*;

#[test]
fn loom_no_double_booking() {
    explore_calls("no_double_booking", FIVE, &["the first", "the second"], || {
        let world = world([1, 0]);
        let (one, two) = race(&world, |w| w.reserve(0), |w| w.reserve(0));
        assert!(one.is_err() || two.is_err(), "P1: one unit, two reservations");
        assert_eq!(world.levels(0), (0, 1, 0), "P3");
        match (one, two) {
            (Ok(_), Err(told)) if told == world.sold_out() => "the first",
            (Err(told), Ok(_)) if told == world.sold_out() => "the second",
            other => panic!("P4: {other:?}"),
        }
    });
}

#[test]
fn loom_close_races_reserve() {
    explore_calls("close_races_reserve", FIVE, &["reserved", "closed"], || {
        let world = world([1, 0]);
        let (report, reserved) = race(&world, |w| w.inventory.close(CloseMode::Drain), |w| w.reserve(0));
        match reserved {
            Ok(_) => {
                assert!(!report.is_drained(), "I3: drained, and a reservation lives");
                "reserved"
            }
            Err(ReserveError::Closed) => {
                assert_eq!(world.levels(0), (1, 0, 0), "P3");
                "closed"
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_p7_same_key_at_once_reserves_once() {
    let outcomes = ["both were told", "the first is in flight", "the second is in flight"];
    explore("p7_same_key_at_once_reserves_once", None, &outcomes, || {
        let world = world([2, 0]);
        let request = world.request().with_item(world.lines[0], Quantity::ONE).with_key(Key::from_bits(1));
        let other = request.clone();
        let (one, two) = race(&world, move |w| w.serve(&other), |w| w.serve(&request));
        assert_eq!(world.levels(0), (1, 1, 0), "P7: one key, one reservation");
        match (one, two) {
            (Ok(one), Ok(two)) => {
                assert_eq!(one, two, "P7: one key, two answers");
                "both were told"
            }
            (Err(ReserveError::Key(KeyError::InFlight)), Ok(_)) => "the second is in flight",
            (Ok(_), Err(ReserveError::Key(KeyError::InFlight))) => "the first is in flight",
            other => panic!("P7: {other:?}"),
        }
    });
}

#[test]
fn loom_p3_release_races_reserve_of_the_freed_unit() {
    explore("p3_release_races_reserve_of_the_freed_unit", FIVE, &["freed too late", "freed in time"], || {
        let world = world([2, 0]);
        let id = world.reserve(0).unwrap();
        // One unit is free and one is being freed.
        let (released, reserved) = race(&world, move |w| w.inventory.release(id), |w| [w.reserve(0), w.reserve(0)]);
        assert_eq!(released, Ok(()));
        assert!(reserved[0].is_ok(), "P4: a unit is free");
        let more = u32::from(reserved[1].is_ok());
        assert_eq!(world.levels(0), (1 - more, 1 + more, 0), "P3: a unit is lost, or there twice");
        match &reserved[1] {
            Ok(_) => "freed in time",
            Err(told) => {
                assert_eq!(*told, world.sold_out());
                "freed too late"
            }
        }
    });
}

#[test]
fn loom_p1_adjust_down_races_reserve() {
    explore("p1_adjust_down_races_reserve", None, &["adjusted", "reserved"], || {
        let world = world([1, 0]);
        let adjust = |w: &World| w.inventory.adjust(w.lines[0], -1, &Cause::none());
        let (adjusted, reserved) = race(&world, adjust, |w| w.reserve(0));
        assert!(adjusted.is_err() || reserved.is_err(), "P1: one unit, adjusted away and reserved");
        assert_eq!(world.levels(0), (0, u32::from(reserved.is_ok()), 0), "P3");
        match (adjusted, reserved) {
            (Ok(_), Err(told)) if told == world.sold_out() => "adjusted",
            (Err(StockError::Short { short_by: 1, .. }), Ok(_)) => "reserved",
            other => panic!("P4: {other:?}"),
        }
    });
}

/// The other call is stopped anywhere, and its reservation's time passes meanwhile: its unit counts as there.
#[test]
fn loom_p4_a_reserve_in_flight_beside_a_refusal() {
    let outcomes = ["one began late", "the second alone", "the first contended", "the second contended"];
    explore("p4_a_reserve_in_flight_beside_a_refusal", THREE, &outcomes, || {
        let world = world([1, 0]);
        let reserve = |w: &World| {
            let guard = w.inventory.reserve(w.lines[0], Quantity::ONE, Ttl::millis(TTL_MS).unwrap());
            guard.map(|guard| (guard.deadline().as_millis(), guard.detach()))
        };
        let (first, second) = race(&world, reserve, World::reserve_late);
        match (first, second) {
            (Ok((TTL_MS, _)), Err(ReserveError::OutOfStock { .. })) => {
                panic!("P4: sold out, and the only unit's time was up before the call began")
            }
            (Ok((TTL_MS, _)), Err(ReserveError::Contended { .. })) => "the second contended",
            (Ok(_), Err(ReserveError::OutOfStock { .. })) => "one began late",
            (Err(ReserveError::OutOfStock { .. }), Ok(_)) => "the second alone",
            (Err(ReserveError::Contended { .. }), Ok(_)) => "the first contended",
            other => panic!("P4: {other:?}"),
        }
    });
}

#[test]
fn loom_p4_refusal_beside_a_sweep_of_the_expired_unit() {
    explore("p4_refusal_beside_a_sweep_of_the_expired_unit", THREE, &["reserved", "contended"], || {
        let world = world([1, 0]);
        let _ = world.reserve(0).unwrap();
        world.clock.set(TTL_MS);
        let sweep = |w: &World| {
            let _ = w.inventory.sweep();
        };
        let ((), reserved) = race(&world, sweep, |w| w.reserve(0));
        there(reserved)
    });
}

#[test]
fn loom_p4_refusal_after_the_deadline_beside_a_release() {
    explore("p4_refusal_after_the_deadline_beside_a_release", THREE, &["reserved", "contended"], || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let late = |w: &World| {
            w.expire();
            w.reserve(0)
        };
        let (_, reserved) = race(&world, move |w| w.inventory.release(id), late);
        there(reserved)
    });
}

/// Who holds the unit is overdue and is swept, and it goes to one that began long ago and takes it only now. A
/// refusal that read the bound only before the word, between the two, would call that a shortage.
#[test]
fn loom_p4_refusal_between_a_sweep_and_a_late_take() {
    explore("p4_refusal_between_a_sweep_and_a_late_take", THREE, &["reserved", "contended"], || {
        let world = world([1, 0]);
        let _ = world.reserve(0).unwrap();
        let taken = world.inventory.slab.take(crate::lane::Lane::Shared(0), 0).unwrap();
        let slot = taken.slot;
        taken.place.claim(TTL_MS);
        world.clock.set(TTL_MS);
        // Two calls of two threads, in the one order that matters: a third would make the model too large.
        let others = move |w: &World| {
            let _ = w.inventory.sweep();
            w.inventory.wheel.push(w.inventory.slab.mark(slot).unwrap(), slot, TTL_MS);
            let _ = w.inventory.counter(w.lines[0]).unwrap().take(1);
        };
        let ((), reserved) = race(&world, others, |w| w.reserve(0));
        there(reserved)
    });
}

/// The unit is there all through the call, if only because its reservation's time is up (P4).
fn there(reserved: Result<ReservationId, ReserveError>) -> &'static str {
    match reserved {
        Ok(_) => "reserved",
        Err(ReserveError::Contended { .. }) => "contended",
        Err(other) => panic!("P4: false sold-out: {other}"),
    }
}
