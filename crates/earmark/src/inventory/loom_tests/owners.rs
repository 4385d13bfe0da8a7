//! Owners' books, and what lies beside a slot, beside other calls (O1, O2, X2, K2).

use super::{FIVE, KEY_WINDOW_MS, TTL_MS, World, race, world};
use crate::loom_explore::{explore, explore_calls};
use crate::*;

#[test]
fn loom_o1_owner_cap_races_itself() {
    let outcomes = ["the first", "the first alone", "the second", "the second alone"];
    explore("o1_owner_cap_races_itself", None, &outcomes, || {
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
            (Ok(_), Err(ReserveError::Contended { .. })) => "the first alone",
            (Err(ReserveError::Contended { .. }), Ok(_)) => "the second alone",
            other => panic!("O1: {other:?}"),
        }
    });
}

#[test]
fn loom_o2_end_beside_an_open_book_of_its_owner() {
    explore_calls("o2_end_beside_an_open_book_of_its_owner", FIVE, &["released in time", "released too late"], || {
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

/// An end lets go of its owner's book, and the next owner's is made in its place: whose the ended one was is told
/// rightly, or not at all.
#[test]
fn loom_x2_a_look_beside_an_end() {
    explore_calls("x2_a_look_beside_an_end", FIVE, &["with its owner", "without"], || {
        let world = world([2, 0]);
        let old = world.serve(&world.owned()).unwrap();
        let next = world.request().with_item(world.lines[0], Quantity::ONE).with_owner(Owner::from_bits(8));
        let turn = move |w: &World| {
            w.inventory.release(old).unwrap();
            w.serve(&next).unwrap();
        };
        let ((), found) = race(&world, turn, |w| w.inventory.get(old));
        let owner = found.and_then(|found| found.owner);
        assert!(owner.is_none_or(|owner| owner == Owner::from_bits(7)), "X2: told as another's");
        if owner.is_some() { "with its owner" } else { "without" }
    });
}

/// A key's window is over while the reservation made under it lives: another key takes no record that it names.
#[test]
fn loom_k2_a_look_beside_another_key() {
    explore_calls("k2_a_look_beside_another_key", FIVE, &["told"], || {
        let world = world([2, 0]);
        let keyed = |key, ttl| {
            let request = ReserveRequest::new(Ttl::millis(ttl).unwrap()).with_item(world.lines[0], Quantity::ONE);
            request.with_key(Key::from_bits(key))
        };
        let old = world.serve(&keyed(1, 100 * TTL_MS)).unwrap();
        world.clock.set(KEY_WINDOW_MS);
        let next = keyed(2, TTL_MS);
        let (_, found) = race(&world, move |w| w.serve(&next).unwrap(), |w| w.inventory.get(old));
        assert_eq!(found.and_then(|found| found.key), Some(Key::from_bits(1)), "K2: told under another's key");
        assert_eq!(world.inventory.usage().keys, 1, "K2: the first is still remembered");
        world.inventory.release(old).unwrap();
        "told"
    });
}
