//! An owner's book beside other calls (O1, O2).

use super::{FIVE, race, world};
use crate::loom_explore::explore;
use crate::*;

#[test]
fn loom_o1_owner_cap_races_itself() {
    explore("o1_owner_cap_races_itself", None, &["the first", "the second"], || {
        let world = world([2, 0]);
        let request = world.owned();
        let other = request.clone();
        let (one, two) = race(&world, move |w| w.serve(&other), |w| w.serve(&request));
        assert!(one.is_err() || two.is_err(), "O1: two reservations under a cap of one");
        assert_eq!(world.levels(0), (1, 1, 0), "P3");
        let cap = Err(ReserveError::OwnerCap { cap: OwnerCap::Units, held: 1, asked: 1, max: 1 });
        match (one, two) {
            (Ok(_), two) if two == cap => "the first",
            (one, Ok(_)) if one == cap => "the second",
            other => panic!("O1: {other:?}"),
        }
    });
}

#[test]
fn loom_o2_end_beside_an_open_book_of_its_owner() {
    explore("o2_end_beside_an_open_book_of_its_owner", FIVE, &["released in time", "released too late"], || {
        let world = world([2, 0]);
        let request = world.owned();
        let old = world.serve(&request).unwrap();
        let (released, next) = race(&world, move |w| w.inventory.release(old), |w| w.serve(&request));
        assert_eq!(released, Ok(()));
        let outcome = match next {
            Ok(next) => {
                assert_eq!(world.inventory.usage().owners, 1, "O2: an owner with one reservation");
                world.inventory.release(next).unwrap();
                "released in time"
            }
            Err(ReserveError::OwnerCap { cap: OwnerCap::Units, held: 1, asked: 1, max: 1 }) => "released too late",
            Err(other) => panic!("O2: {other}"),
        };
        assert_eq!(world.inventory.usage().owners, 0, "O2: an id was left behind");
        assert_eq!(world.levels(0), (2, 0, 0), "P3");
        outcome
    });
}

#[test]
fn loom_r1_replace_races_confirm() {
    explore("r1_replace_races_confirm", FIVE, &["confirmed", "replaced", "replaced, contended"], || {
        let world = world([2, 0]);
        let request = world.owned();
        let old = world.serve(&request).unwrap();
        let (confirmed, replaced) =
            race(&world, move |w| w.inventory.confirm(old), |w| w.inventory.replace(old, &request));
        assert!(confirmed.is_err() || replaced.is_err(), "P2: confirmed and replaced");
        let sold = u32::from(confirmed.is_ok());
        assert_eq!(world.levels(0), (1, 1 - sold, sold), "P3");
        match (confirmed, replaced) {
            (Ok(()), Err(ReplaceError::Ended { end: End::Confirmed, .. })) => "confirmed",
            (Err(ConfirmError::Ended { end: End::Replaced, .. }), Ok(_)) => "replaced",
            (Err(ConfirmError::Contended { .. }), Ok(_)) => "replaced, contended",
            other => panic!("P2: {other:?}"),
        }
    });
}

#[test]
fn loom_r1_replace_races_release() {
    let outcomes = ["released", "released, contended", "replaced", "replaced, contended"];
    explore("r1_replace_races_release", FIVE, &outcomes, || {
        let world = world([2, 0]);
        let request = world.owned();
        let old = world.serve(&request).unwrap();
        let (released, replaced) =
            race(&world, move |w| w.inventory.release(old), |w| w.inventory.replace(old, &request));
        let held = u32::from(replaced.is_ok());
        assert_eq!(world.levels(0), (2 - held, held, 0), "P3");
        match (released, replaced) {
            (Ok(()), Err(ReplaceError::Ended { end: End::Released, .. })) => "released",
            (Ok(()), Err(ReplaceError::Contended { .. })) => "released, contended",
            (Err(ReleaseError::Ended { end: End::Replaced, .. }), Ok(_)) => "replaced",
            (Err(ReleaseError::Contended { .. }), Ok(_)) => "replaced, contended",
            other => panic!("P2: {other:?}"),
        }
    });
}
