//! Races between whole calls, on the engine itself in its smallest size.

use std::cell::Cell;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::loom_explore::{explore, explore_calls};
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use crate::*;

/// Preemptions explored: beyond this a model takes more than a minute.
const BOUND: Option<usize> = Some(3);
const TTL_MS: u64 = 3;

loom::thread_local! {
    static TURNED: Cell<bool> = Cell::new(false);
}

/// For the seeded break of the carts' order: whether this thread takes its lines backwards.
pub(super) fn turned() -> bool {
    TURNED.with(Cell::get)
}

/// A clock whose readings the scheduler sees: a hidden one would leave races with time unexplored.
#[derive(Clone)]
struct ModelClock(Arc<AtomicU64>);

impl ModelClock {
    fn set(&self, millis: u64) {
        self.0.store(millis, Release);
    }
}

impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Acquire))
    }
}

struct World {
    inventory: Inventory,
    clock: ModelClock,
    lines: [StockId; 2],
}

/// Two lines with this many units each, at time 0.
fn world(units: [u32; 2]) -> Arc<World> {
    let clock = ModelClock(Arc::new(apart(0)));
    let inventory = Inventory::builder()
        .clock(clock.clone())
        .lines_max(2)
        .reservations_max(2)
        .lanes(1)
        .ended_retention(Duration::ZERO)
        .ended_capacity(0)
        .expired_capacity(1)
        .owners_max(2)
        .owner_units_max(1)
        .keys_max(2)
        .sweep_budget(64)
        .build()
        .unwrap();
    let lines = ["a", "b"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
    for (line, units) in lines.into_iter().zip(units) {
        if let Ok(units) = Quantity::new(units) {
            let _ = inventory.receive(line, units, &Cause::none()).unwrap();
        }
    }
    Arc::new(World { inventory, clock, lines })
}

impl World {
    fn reserve(&self, line: usize) -> Result<ReservationId, ReserveError> {
        let guard = self.inventory.reserve(self.lines[line], Quantity::ONE, Ttl::millis(TTL_MS).unwrap())?;
        Ok(guard.detach())
    }

    fn request(&self) -> ReserveRequest {
        ReserveRequest::new(Ttl::millis(TTL_MS).unwrap())
    }

    fn serve(&self, request: &ReserveRequest) -> Result<ReservationId, ReserveError> {
        self.inventory.reserve_with(request).map(Guard::detach)
    }

    fn levels(&self, line: usize) -> (u32, u32, u32) {
        let levels = self.inventory.levels(self.lines[line]).unwrap();
        (levels.available, levels.reserved, levels.committed)
    }

    fn expire(&self) {
        self.clock.set(TTL_MS);
        let _ = self.inventory.sweep();
    }
}

/// Runs both at once and returns what they said.
fn race<A: 'static, B>(
    world: &Arc<World>,
    one: impl FnOnce(&World) -> A + 'static,
    two: impl FnOnce(&World) -> B,
) -> (A, B) {
    let shared = Arc::clone(world);
    let one = thread::spawn(move || one(&shared));
    let two = two(world);
    (one.join().unwrap(), two)
}

#[test]
fn loom_no_double_booking() {
    explore_calls("no_double_booking", BOUND, || {
        let world = world([1, 0]);
        let (one, two) = race(&world, |w| w.reserve(0), |w| w.reserve(0));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        assert_eq!(world.levels(0), (0, 1, 0));
    });
}

#[test]
fn loom_close_races_reserve() {
    explore_calls("close_races_reserve", BOUND, || {
        let world = world([1, 0]);
        let (report, reserved) = race(&world, |w| w.inventory.close(CloseMode::Drain), |w| w.reserve(0));
        match reserved {
            Ok(_) => assert!(!report.is_drained(), "drained, and a reservation lives"),
            Err(ReserveError::Closed) => assert_eq!(world.levels(0), (1, 0, 0)),
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_close_races_cart() {
    explore_calls("close_races_cart", BOUND, || {
        let world = world([1, 1]);
        let cart = |w: &World| {
            let request = w.request().with_item(w.lines[0], Quantity::ONE).with_item(w.lines[1], Quantity::ONE);
            w.serve(&request)
        };
        let (report, reserved) = race(&world, |w| w.inventory.close(CloseMode::Drain), cart);
        match reserved {
            Ok(_) => assert!(!report.is_drained(), "drained, and a cart lives"),
            Err(ReserveError::Closed) => assert_eq!((world.levels(0), world.levels(1)), ((1, 0, 0), (1, 0, 0))),
            Err(ReserveError::Contended { .. }) => {} // it met the close's own sweep
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_p7_same_key_at_once_reserves_once() {
    explore("p7_same_key_at_once_reserves_once", BOUND, || {
        let world = world([2, 0]);
        let request = world.request().with_item(world.lines[0], Quantity::ONE).with_key(Key::from_bits(1));
        let other = request.clone();
        let (one, two) = race(&world, move |w| w.serve(&other), |w| w.serve(&request));
        assert_eq!(world.levels(0), (1, 1, 0), "{one:?} {two:?}");
        for answer in [&one, &two] {
            assert!(matches!(answer, Ok(_) | Err(ReserveError::Key(KeyError::InFlight))));
        }
        if let (Ok(one), Ok(two)) = (one, two) {
            assert_eq!(one, two);
        }
    });
}

#[test]
fn loom_r1_confirm_races_expire() {
    explore("r1_confirm_races_expire", BOUND, || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let (confirmed, ()) = race(&world, move |w| w.inventory.confirm(id), World::expire);
        match confirmed {
            Ok(()) => assert_eq!(world.levels(0), (0, 0, 1)),
            // Contended: it met the sweep in the middle of giving the unit back.
            Err(ConfirmError::Ended { end: End::Expired, .. } | ConfirmError::Contended { .. }) => {
                world.expire();
                assert_eq!(world.levels(0), (1, 0, 0));
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_r1_confirm_races_release() {
    explore("r1_confirm_races_release", BOUND, || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let (confirmed, released) = race(&world, move |w| w.inventory.confirm(id), |w| w.inventory.release(id));
        assert_ne!(confirmed.is_ok(), released.is_ok(), "{confirmed:?} {released:?}");
        let confirmed = u32::from(confirmed.is_ok());
        assert_eq!(world.levels(0), (1 - confirmed, 0, confirmed));
    });
}

#[test]
fn loom_r1_extend_races_expire() {
    explore("r1_extend_races_expire", BOUND, || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let ttl = Ttl::millis(10).unwrap();
        let (extended, ()) = race(&world, move |w| w.inventory.extend(id, ttl), World::expire);
        world.expire();
        match extended {
            Ok(_) => assert_eq!(world.levels(0), (0, 1, 0)),
            Err(ExtendError::Ended { end: End::Expired, .. } | ExtendError::Contended { .. }) => {
                assert_eq!(world.levels(0), (1, 0, 0))
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_r1_payment_pending_races_expire() {
    explore("r1_payment_pending_races_expire", BOUND, || {
        let world = world([1, 0]);
        let id = world.reserve(0).unwrap();
        let (pending, ()) = race(&world, move |w| w.inventory.payment_pending(id), World::expire);
        world.expire();
        match pending {
            Ok(_) => assert_eq!(world.levels(0), (0, 1, 0)),
            Err(PaymentError::Ended { end: End::Expired, .. } | PaymentError::Contended { .. }) => {
                assert_eq!(world.levels(0), (1, 0, 0))
            }
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn loom_p3_release_races_reserve_of_the_freed_unit() {
    explore("p3_release_races_reserve_of_the_freed_unit", BOUND, || {
        let world = world([2, 0]);
        let id = world.reserve(0).unwrap();
        // One unit is free and one is being freed.
        let (released, reserved) = race(&world, move |w| w.inventory.release(id), |w| [w.reserve(0), w.reserve(0)]);
        assert_eq!(released, Ok(()));
        assert!(reserved[0].is_ok());
        let reserved = reserved.iter().filter(|answer| answer.is_ok()).count() as u32;
        assert_eq!(world.levels(0), (2 - reserved, reserved, 0));
    });
}

#[test]
fn loom_r3_release_gives_back_its_own_units() {
    explore("r3_release_gives_back_its_own_units", BOUND, || {
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
        let reserved = 2 * u32::from(reserved.is_ok());
        assert_eq!(world.levels(0), (4 - held, held, 0));
        assert_eq!(world.levels(1), (2 - reserved, reserved, 0));
    });
}

#[test]
fn loom_p1_adjust_down_races_reserve() {
    explore("p1_adjust_down_races_reserve", BOUND, || {
        let world = world([1, 0]);
        let (adjusted, reserved) =
            race(&world, |w| w.inventory.adjust(w.lines[0], -1, &Cause::none()), |w| w.reserve(0));
        assert_ne!(adjusted.is_ok(), reserved.is_ok(), "{adjusted:?} {reserved:?}");
        assert_eq!(world.levels(0), (0, u32::from(reserved.is_ok()), 0));
    });
}

#[test]
fn loom_p2_slot_reuse_races_a_stale_id() {
    explore("p2_slot_reuse_races_a_stale_id", BOUND, || {
        let world = world([5, 0]);
        let id = world.reserve(0).unwrap();
        let others = (0..3).map_while(|_| world.reserve(0).ok()).count() as u32;
        let reuse = |w: &World| (w.inventory.release(id), w.reserve(0));
        let (confirmed, (released, second)) = race(&world, move |w| w.inventory.confirm(id), reuse);
        assert_ne!(confirmed.is_ok(), released.is_ok(), "{confirmed:?} {released:?}");
        let (confirmed, second) = (u32::from(confirmed.is_ok()), u32::from(second.is_ok()));
        assert_eq!(world.levels(0), (5 - others - confirmed - second, others + second, confirmed));
    });
}

#[test]
fn loom_two_carts_crossing() {
    explore_calls("two_carts_crossing", BOUND, || {
        let world = world([1, 1]);
        let cart = |w: &World, order: [usize; 2], turn: bool| {
            TURNED.with(|turned| turned.set(turn));
            let request = order.into_iter().fold(w.request(), |r, at| r.with_item(w.lines[at], Quantity::ONE));
            w.serve(&request)
        };
        let (one, two) = race(&world, move |w| cart(w, [0, 1], false), |w| cart(w, [1, 0], true));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        assert_eq!((world.levels(0), world.levels(1)), ((0, 1, 0), (0, 1, 0)));
    });
}

#[test]
fn loom_p4_failing_cart_beside_a_single_reserve() {
    explore_calls("p4_failing_cart_beside_a_single_reserve", BOUND, || {
        let world = world([1, 1]);
        let cart = |w: &World| {
            let request = w.request().with_item(w.lines[0], Quantity::ONE).with_item(w.lines[1], Quantity::ONE);
            w.serve(&request)
        };
        // The other thread takes the second line away (by its word alone, to keep the model small), then
        // wants the first.
        let two = |w: &World| (w.inventory.counter(w.lines[1]).unwrap().take(1).is_ok(), w.reserve(0));
        let (cart, (second, first)) = race(&world, cart, two);
        if cart.is_err() {
            assert!(second, "the cart failed, so its second line went elsewhere");
            assert!(!matches!(first, Err(ReserveError::OutOfStock { .. })), "false sold-out beside a failing cart");
        }
        let carts = u32::from(cart.is_ok());
        assert_eq!(world.levels(0).1, carts + u32::from(first.is_ok()));
        assert_eq!(world.levels(1).1, carts + u32::from(second));
    });
}

/// A sweep that read the time before the deadline meets what somebody was told is expired.
#[test]
fn loom_p5_told_expired_beside_a_sweep_of_an_older_time() {
    const LATER: u64 = 6; // beyond the nursery's horizon
    explore("p5_told_expired_beside_a_sweep_of_an_older_time", BOUND, || {
        let world = world([1, 0]);
        let ttl = Ttl::millis(LATER).unwrap();
        let id = world.inventory.reserve(world.lines[0], Quantity::ONE, ttl).unwrap().detach();
        world.clock.set(2);
        let late = move |w: &World| {
            w.clock.set(LATER);
            w.inventory.confirm(id)
        };
        let sweep = |w: &World| {
            let _ = w.inventory.sweep();
        };
        let (late, ()) = race(&world, late, sweep);
        assert!(matches!(late, Err(ConfirmError::Ended { end: End::Expired, .. } | ConfirmError::Contended { .. })));
        let _ = world.inventory.sweep();
        assert_eq!(world.levels(0), (1, 0, 0), "its unit never comes back");
    });
}

/// The other call is stopped anywhere, and its reservation's time passes meanwhile: its unit counts as there.
#[test]
fn loom_p4_a_reserve_in_flight_beside_a_refusal() {
    explore("p4_a_reserve_in_flight_beside_a_refusal", BOUND, || {
        let world = world([1, 0]);
        let reserve = |w: &World| {
            let guard = w.inventory.reserve(w.lines[0], Quantity::ONE, Ttl::millis(TTL_MS).unwrap());
            guard.map(|guard| (guard.deadline().as_millis(), guard.detach()))
        };
        let late = |w: &World| {
            w.clock.set(TTL_MS);
            w.reserve(0)
        };
        let (first, second) = race(&world, reserve, late);
        if let (Ok((TTL_MS, _)), Err(ReserveError::OutOfStock { .. })) = (first, second) {
            panic!("sold out, and the only unit's time was up before the call began");
        }
    });
}

#[test]
fn loom_o1_owner_cap_races_itself() {
    explore("o1_owner_cap_races_itself", BOUND, || {
        let world = world([2, 0]);
        let request = world.request().with_item(world.lines[0], Quantity::ONE).with_owner(Owner::from_bits(7));
        let other = request.clone();
        let (one, two) = race(&world, move |w| w.serve(&other), |w| w.serve(&request));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        assert_eq!(world.levels(0), (1, 1, 0));
    });
}

#[test]
fn loom_o2_end_beside_an_open_book_of_its_owner() {
    explore("o2_end_beside_an_open_book_of_its_owner", BOUND, || {
        let world = world([2, 0]);
        let request = world.request().with_item(world.lines[0], Quantity::ONE).with_owner(Owner::from_bits(7));
        let old = world.serve(&request).unwrap();
        let (released, next) = race(&world, move |w| w.inventory.release(old), |w| w.serve(&request));
        assert_eq!(released, Ok(()));
        match next {
            Ok(next) => {
                assert_eq!(world.inventory.usage().owners, 1);
                world.inventory.release(next).unwrap();
            }
            Err(ReserveError::OwnerCap { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        assert_eq!(world.inventory.usage().owners, 0, "an id was left behind");
        assert_eq!(world.levels(0), (2, 0, 0));
    });
}

#[test]
fn loom_r1_replace_races_confirm() {
    explore("r1_replace_races_confirm", BOUND, || {
        let world = world([2, 0]);
        let owner = Owner::from_bits(7);
        let request = world.request().with_item(world.lines[0], Quantity::ONE).with_owner(owner);
        let old = world.serve(&request).unwrap();
        let (confirmed, replaced) =
            race(&world, move |w| w.inventory.confirm(old), |w| w.inventory.replace(old, &request));
        match (&confirmed, &replaced) {
            (Ok(()), Err(_)) => assert_eq!(world.levels(0), (1, 0, 1)),
            (Err(ConfirmError::Contended { .. } | ConfirmError::Ended { end: End::Replaced, .. }), Ok(_)) => {
                assert_eq!(world.levels(0), (1, 1, 0));
            }
            _ => panic!("{confirmed:?} {replaced:?}"),
        }
    });
}

#[test]
fn loom_p3_late_payment_races_expire() {
    explore("p3_late_payment_races_expire", BOUND, || {
        let world = world([2, 2]);
        let cart = world.lines.into_iter().fold(world.request(), |cart, line| cart.with_item(line, Quantity::ONE));
        let id = world.serve(&cart).unwrap();
        world.clock.set(TTL_MS);
        let (paid, ()) = race(&world, move |w| w.inventory.confirm_or_reacquire(id), World::expire);
        let paid = u32::from(paid.is_ok());
        for line in [0, 1] {
            assert_eq!(world.levels(line), (2 - paid, 0, paid));
        }
    });
}
