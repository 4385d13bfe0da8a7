//! Carts half-way (P4, S3, I3).

use super::{THREE, TTL_MS, TURNED, World, race, world};
use crate::loom_explore::{explore, explore_calls};
use crate::*;

#[test]
fn loom_close_races_cart() {
    explore_calls("close_races_cart", THREE, &["reserved", "closed"], || {
        let world = world([1, 1]);
        let (report, reserved) = race(&world, |w| w.inventory.close(CloseMode::Drain), |w| w.serve(&w.cart([0, 1])));
        match reserved {
            Ok(_) => {
                assert!(!report.is_drained(), "I3: drained, and a cart lives");
                "reserved"
            }
            Err(ReserveError::Closed) => {
                assert_eq!((world.levels(0), world.levels(1)), ((1, 0, 0), (1, 0, 0)), "P3");
                "closed"
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_two_carts_crossing() {
    let outcomes = ["the first, short", "the first, contended", "the second, short", "the second, contended"];
    explore_calls("two_carts_crossing", THREE, &outcomes, || {
        let world = world([1, 1]);
        let cart = |w: &World, order: [usize; 2], turn: bool| {
            TURNED.with(|turned| turned.set(turn));
            w.serve(&w.cart(order))
        };
        let (one, two) = race(&world, move |w| cart(w, [0, 1], false), |w| cart(w, [1, 0], true));
        assert!(one.is_ok() || two.is_ok(), "P4: two carts refuse each other");
        assert_eq!((world.levels(0), world.levels(1)), ((0, 1, 0), (0, 1, 0)), "P1, P3");
        match (one, two) {
            (Ok(_), Err(ReserveError::CartShort { .. })) => "the first, short",
            (Ok(_), Err(ReserveError::Contended { .. })) => "the first, contended",
            (Err(ReserveError::CartShort { .. }), Ok(_)) => "the second, short",
            (Err(ReserveError::Contended { .. }), Ok(_)) => "the second, contended",
            other => panic!("P4: {other:?}"),
        }
    });
}

#[test]
fn loom_p4_failing_cart_beside_a_single_reserve() {
    let outcomes = [
        "the cart, then sold out",
        "the cart, then contended",
        "short of both, the other reserved",
        "short of the second, the other reserved",
        "short of the second, the other contended",
    ];
    explore_calls("p4_failing_cart_beside_a_single_reserve", THREE, &outcomes, || {
        let world = world([1, 1]);
        // The other thread takes the second line away (by its word alone, to keep the model small), then
        // wants the first.
        let two = |w: &World| (w.inventory.counter(w.lines[1]).unwrap().take(1).is_ok(), w.reserve(0));
        let (cart, (second, first)) = race(&world, |w| w.serve(&w.cart([0, 1])), two);
        let carts = u32::from(cart.is_ok());
        assert_eq!(world.levels(0).1, carts + u32::from(first.is_ok()), "P3");
        assert_eq!(world.levels(1).1, carts + u32::from(second), "P3");
        match (cart, first) {
            (Ok(_), Err(ReserveError::OutOfStock { .. })) => "the cart, then sold out",
            (Ok(_), Err(ReserveError::Contended { .. })) => "the cart, then contended",
            (Err(ReserveError::CartShort { short }), first) => {
                assert!(second, "the cart failed, so its second line went elsewhere");
                let short: Vec<_> = short.iter().map(|item| (item.line, item.available)).collect();
                let both = short == [(world.lines[0], 0), (world.lines[1], 0)];
                assert!(both || short == [(world.lines[1], 0)], "P4: not the lines that were short: {short:?}");
                match first {
                    Ok(_) if both => "short of both, the other reserved",
                    Ok(_) => "short of the second, the other reserved",
                    Err(ReserveError::Contended { .. }) => {
                        assert!(!both, "P4: each got in the other's way");
                        "short of the second, the other contended"
                    }
                    Err(other) => panic!("P4: false sold-out beside a failing cart: {other}"),
                }
            }
            other => panic!("P4: {other:?}"),
        }
    });
}

#[test]
fn loom_p3_late_payment_races_expire() {
    explore("p3_late_payment_races_expire", THREE, &["reacquired", "contended"], || {
        let world = world([2, 2]);
        let id = world.serve(&world.cart([0, 1])).unwrap();
        world.clock.set(TTL_MS);
        let (paid, ()) = race(&world, move |w| w.inventory.confirm_or_reacquire(id), World::expire);
        let units = u32::from(paid.is_ok());
        for line in [0, 1] {
            assert_eq!(world.levels(line), (2 - units, 0, units), "P3: paid once, or not at all");
        }
        match paid {
            Ok(Late::Reacquired) => "reacquired",
            Err(ReacquireError::Contended { .. }) => "contended",
            other => panic!("{other:?}"),
        }
    });
}
