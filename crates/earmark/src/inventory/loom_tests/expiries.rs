//! Each call on a reservation beside the sweep that expires it (R1).
//!
//! Two outcomes each: it came first, or it is told of the expiry, also while the sweep is giving the units back.

use super::{FIVE, World, race, world};
use crate::loom_explore::explore;
use crate::*;

const OUTCOMES: [&str; 2] = ["done", "expired"];

/// Available, reserved, committed.
type Levels = (u32, u32, u32);

/// Two units of one line are reserved; `call` runs beside the sweep at their deadline, and what it says is read
/// by `told`. If it was done, `done` is left.
fn beside_the_expiry<R: 'static>(
    name: &str,
    bound: Option<usize>,
    done: Levels,
    call: fn(&World, ReservationId) -> R,
    told: fn(R) -> &'static str,
) {
    explore(name, bound, &OUTCOMES, move || {
        let world = world([2, 0]);
        let id = world.serve(&world.request().with_item(world.lines[0], Quantity::new(2).unwrap())).unwrap();
        let (answer, ()) = race(&world, move |w| call(w, id), World::expire);
        world.expire();
        let told = told(answer);
        let left = if told == "done" { done } else { (2, 0, 0) };
        assert_eq!(world.levels(0), left, "P2, P3: {told}");
        told
    });
}

/// Reads an answer of this error.
macro_rules! told {
    ($error:ident) => {
        |answer| match answer {
            Ok(_) => "done",
            Err($error::Ended { end: End::Expired, .. }) => "expired",
            Err(other) => panic!("P2: {other}"),
        }
    };
}

fn one_of_two(world: &World) -> [Item; 1] {
    [Item { line: world.lines[0], quantity: Quantity::ONE }]
}

#[test]
fn loom_r1_confirm_races_expire() {
    let call = |w: &World, id| w.inventory.confirm(id);
    beside_the_expiry("r1_confirm_races_expire", Some(5), (0, 0, 2), call, told!(ConfirmError));
}

#[test]
fn loom_r1_release_races_expire() {
    let call = |w: &World, id| w.inventory.release(id);
    beside_the_expiry("r1_release_races_expire", Some(5), (2, 0, 0), call, told!(ReleaseError));
}

#[test]
fn loom_r1_extend_races_expire() {
    let call = |w: &World, id| w.inventory.extend(id, Ttl::millis(10).unwrap());
    beside_the_expiry("r1_extend_races_expire", FIVE, (0, 2, 0), call, told!(ExtendError));
}

#[test]
fn loom_r1_payment_pending_races_expire() {
    let call = |w: &World, id| w.inventory.payment_pending(id);
    beside_the_expiry("r1_payment_pending_races_expire", FIVE, (0, 2, 0), call, told!(PaymentError));
}

#[test]
fn loom_r1_confirm_part_races_expire() {
    let call = |w: &World, id| w.inventory.confirm_part(id, &one_of_two(w));
    beside_the_expiry("r1_confirm_part_races_expire", None, (1, 0, 1), call, told!(PartError));
}

/// A sweep that read the time before the deadline meets what somebody was told is expired.
#[test]
fn loom_p5_told_expired_beside_a_sweep_of_an_older_time() {
    const LATER: u64 = 6; // beyond the nursery's horizon
    explore("p5_told_expired_beside_a_sweep_of_an_older_time", None, &OUTCOMES[1..], || {
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
        let _ = world.inventory.sweep();
        assert_eq!(world.levels(0), (1, 0, 0), "P5: its unit never comes back");
        told!(ConfirmError)(late)
    });
}
