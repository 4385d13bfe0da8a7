//! One end wins, and the others are told which (P2, R1, R3).

use super::{TTL_MS, World, race, world};
use crate::loom_explore::explore;
use crate::*;

#[test]
fn loom_r1_confirm_races_release() {
    explore("r1_confirm_races_release", None, &["confirmed", "released", "released, contended"], || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let (confirmed, released) = race(&world, move |w| w.inventory.confirm(id), |w| w.inventory.release(id));
        assert!(confirmed.is_err() || released.is_err(), "P2: two ends of one reservation");
        let sold = u32::from(confirmed.is_ok());
        assert_eq!(world.levels(0), (1 - sold, 0, sold), "P3");
        match (confirmed, released) {
            (Ok(()), Err(ReleaseError::Ended { end: End::Confirmed, .. })) => "confirmed",
            (Err(ConfirmError::Ended { end: End::Released, .. }), Ok(())) => "released",
            (Err(ConfirmError::Contended { .. }), Ok(())) => "released, contended",
            other => panic!("P2: {other:?}"),
        }
    });
}

#[test]
fn loom_r3_release_gives_back_its_own_units() {
    explore("r3_release_gives_back_its_own_units", None, &["reserved", "full"], || {
        let world = world([4, 2]);
        let id = world.reserve(0).unwrap();
        // The lane's other slots are used up: the next reservation takes the slot that is released.
        let others: Vec<_> = (0..3).map_while(|_| world.reserve(0).ok()).collect();
        let held = others.len() as u32;
        let two = |w: &World| {
            let quantity = Quantity::new(2).unwrap();
            w.inventory.reserve(w.lines[1], quantity, Ttl::millis(TTL_MS).unwrap()).map(Guard::detach)
        };
        let (released, reserved) = race(&world, move |w| w.inventory.release(id), two);
        assert_eq!(released, Ok(()));
        let units = 2 * u32::from(reserved.is_ok());
        assert_eq!(world.levels(0), (4 - held, held, 0), "R3: the units of another reservation were given back");
        assert_eq!(world.levels(1), (2 - units, units, 0), "R3: the units of another reservation were given back");
        match reserved {
            Ok(_) => "reserved",
            Err(ReserveError::Full(_)) => "full",
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_p2_slot_reuse_races_a_stale_id() {
    let outcomes = [
        "confirmed, then reused another",
        "confirmed, then full",
        "released, told so",
        "released, contended",
        "released, not found",
    ];
    explore("p2_slot_reuse_races_a_stale_id", Some(5), &outcomes, || {
        let world = world([5, 0]);
        let id = world.reserve(0).unwrap();
        let others = (0..3).map_while(|_| world.reserve(0).ok()).count() as u32;
        let reuse = |w: &World| (w.inventory.release(id), w.reserve(0));
        let (confirmed, (released, second)) = race(&world, move |w| w.inventory.confirm(id), reuse);
        assert!(confirmed.is_err() || released.is_err(), "P2: a stale id reached the next reservation");
        let (sold, held) = (u32::from(confirmed.is_ok()), others + u32::from(second.is_ok()));
        assert_eq!(world.levels(0), (5 - sold - held, held, sold), "P3");
        match (confirmed, released, second) {
            (Ok(()), Err(ReleaseError::Ended { end: End::Confirmed, .. }), Ok(_)) => "confirmed, then reused another",
            (Ok(()), Err(ReleaseError::Ended { end: End::Confirmed, .. }), Err(ReserveError::Full(_))) => {
                "confirmed, then full"
            }
            (Err(ConfirmError::Ended { end: End::Released, .. }), Ok(()), Ok(_)) => "released, told so",
            (Err(ConfirmError::Contended { .. }), Ok(()), Ok(_)) => "released, contended",
            (Err(ConfirmError::NotFound { .. }), Ok(()), Ok(_)) => "released, not found",
            other => panic!("P2: {other:?}"),
        }
    });
}

#[test]
fn loom_p2_told_expired_is_final() {
    let outcomes = ["confirmed", "expired"];
    explore("p2_told_expired_is_final", Some(5), &outcomes, || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let late = |w: &World| {
            w.clock.set(TTL_MS);
            w.inventory.confirm(id)
        };
        let (early, late) = race(&world, move |w| w.inventory.confirm(id), late);
        match (early, late) {
            (Ok(()), Err(ConfirmError::Ended { end: End::Expired, .. })) => {
                panic!("P2: told expired, and confirmed all the same")
            }
            (Ok(()), Err(ConfirmError::Ended { end: End::Confirmed, .. })) => "confirmed",
            (
                Err(ConfirmError::Ended { end: End::Expired, .. }),
                Err(ConfirmError::Ended { end: End::Expired, .. }),
            ) => "expired",
            other => panic!("P2: {other:?}"),
        }
    });
}

#[test]
fn loom_p2_two_reviewers_at_once() {
    explore("p2_two_reviewers_at_once", None, &["confirmed", "released", "released, contended"], || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let pending = world.inventory.payment_pending(id).unwrap();
        world.clock.set(pending.as_millis());
        assert_eq!(world.inventory.reviews(), [id]);
        let resolve = move |w: &World, how| w.inventory.resolve_reviews(&[id], how).pop().unwrap();
        let (confirmed, released) =
            race(&world, move |w| resolve(w, Resolution::Confirm), |w| resolve(w, Resolution::Release));
        let sold = u32::from(confirmed.is_ok());
        assert_eq!(world.levels(0), (1 - sold, 0, sold), "P3");
        match (confirmed, released) {
            (Ok(()), Err(ReviewError::Ended { end: End::Confirmed, .. })) => "confirmed",
            (Err(ReviewError::Ended { end: End::Released, .. }), Ok(())) => "released",
            (Err(ReviewError::Contended { .. }), Ok(())) => "released, contended",
            other => panic!("P2: {other:?}"),
        }
    });
}
