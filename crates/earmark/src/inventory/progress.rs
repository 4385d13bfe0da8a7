//! A thread that is stopped inside a call does not keep the others from working.
//!
//! Built with `--cfg earmark_seeded`, where the calls tell of their steps. One thread is stopped at a
//! step and stays stopped while the others do 100,000 operations on the same line.
//!
//! The exceptions, by design and checked here: while the right to sweep is held by a stopped thread
//! nothing expires, and refusals read `contended`; while a cart is stopped midway, refusals on its lines
//! read `contended`; while a reserve is stopped for longer than its own TTL, every refusal does. What is
//! taken, confirmed and released goes on.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::seeded::{Step, stop_this_thread};
use crate::*;

/// Operations the others must finish.
const OPERATIONS: usize = 100_000;
const THREADS: usize = 2;
/// Far more than the operations take.
const PATIENCE: Duration = Duration::from_secs(15);

struct World {
    inventory: Inventory,
    clock: ManualClock,
    line: StockId,
    other: StockId,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(10));
        let inventory = Inventory::builder().clock(clock.clone()).reservations_max(4_096).build().unwrap();
        let [line, other] = ["line", "other"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
        for line in [line, other] {
            let _ = inventory.receive(line, Quantity::new(1_000_000).unwrap(), &Cause::none()).unwrap();
        }
        Self { inventory, clock, line, other }
    }

    fn ttl() -> Ttl {
        Ttl::minutes(10).unwrap()
    }

    fn reserve(&self) -> ReservationId {
        self.inventory.reserve(self.line, Quantity::ONE, Self::ttl()).unwrap().detach()
    }

    fn cart(&self) -> ReserveRequest {
        ReserveRequest::new(Self::ttl()).with_item(self.line, Quantity::ONE).with_item(self.other, Quantity::ONE)
    }

    /// What the others do: take, confirm, release, cart.
    fn work(&self, operations: usize) {
        for n in 0..operations / 4 {
            let id = self.reserve();
            match n % 2 {
                0 => self.inventory.confirm(id).unwrap(),
                _ => self.inventory.release(id).unwrap(),
            }
            let cart = self.inventory.reserve_with(&self.cart()).unwrap();
            cart.release().unwrap();
            if n % 2 == 0 {
                let _ = self.inventory.cancel_order(self.line, Quantity::ONE, &Cause::none()).unwrap();
            }
        }
    }
}

/// Stops one thread at `step` inside `call` while the others work; then lets it go and audits.
fn stopped_at(step: Step, prepare: impl Fn(&World), call: impl Fn(&World) + Send + Sync + 'static) {
    let world = Arc::new(World::new());
    prepare(&world);
    let (reached, at_step) = mpsc::channel::<()>();
    let (release, go_on) = mpsc::channel::<()>();
    let victim = {
        let world = Arc::clone(&world);
        std::thread::spawn(move || {
            let stopped = std::cell::Cell::new(false);
            stop_this_thread(move |at| {
                if at == step && !stopped.replace(true) {
                    reached.send(()).unwrap();
                    go_on.recv().unwrap();
                }
            });
            call(&world);
        })
    };
    at_step.recv().unwrap_or_else(|_| panic!("the call never came to {step:?}"));
    let start = Instant::now();
    let (finished, all_finished) = mpsc::channel();
    for _ in 0..THREADS {
        let (world, finished) = (Arc::clone(&world), finished.clone());
        std::thread::spawn(move || {
            world.work(OPERATIONS / THREADS);
            finished.send(()).unwrap();
        });
    }
    for _ in 0..THREADS {
        let done = all_finished.recv_timeout(PATIENCE);
        assert!(done.is_ok(), "a thread stopped at {step:?} keeps the others from working");
    }
    println!(
        "ran: progress {step:?}: {OPERATIONS} operations beside a stopped thread, {:.2} s",
        start.elapsed().as_secs_f64()
    );
    release.send(()).unwrap();
    victim.join().unwrap();
    let verified = world.inventory.verify();
    assert!(verified.is_clean(), "{verified:?}");
}

#[test]
fn progress_reserve() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        stopped_at(
            step,
            |_| {},
            |world| {
                let _ = world.reserve();
            },
        );
    }
}

#[test]
fn progress_cart() {
    for step in [Step::Claimed, Step::CartMidway, Step::Published, Step::CartPublished] {
        stopped_at(
            step,
            |_| {},
            |world| {
                let _ = world.inventory.reserve_with(&world.cart()).unwrap().detach();
            },
        );
    }
}

#[test]
fn progress_confirm_and_release() {
    for step in [Step::Ended, Step::Settled] {
        stopped_at(
            step,
            |_| {},
            |world| {
                let id = world.reserve();
                world.inventory.confirm(id).unwrap();
            },
        );
        stopped_at(
            step,
            |_| {},
            |world| {
                let id = world.reserve();
                world.inventory.release(id).unwrap();
            },
        );
    }
}

#[test]
fn progress_advance() {
    for step in [Step::Sweeping, Step::Expired] {
        stopped_at(
            step,
            |world| {
                let _ = world.inventory.reserve(world.line, Quantity::ONE, Ttl::MIN).unwrap().detach();
                world.clock.set(Timestamp::from_millis(20));
            },
            |world| {
                let _ = world.inventory.sweep();
            },
        );
    }
}

fn world_with_a_last_unit() -> (Arc<World>, StockId) {
    let world = Arc::new(World::new());
    let last = world.inventory.declare(LineSpec::new("last")).unwrap();
    let _ = world.inventory.receive(last, Quantity::ONE, &Cause::none()).unwrap();
    (world, last)
}

/// The documented exceptions answer `contended`, never a false `insufficient`.
#[test]
fn progress_exceptions_say_contended() {
    let (world, last) = world_with_a_last_unit();
    let (reached, at_step) = mpsc::channel::<()>();
    let (release, go_on) = mpsc::channel::<()>();
    let shared = Arc::clone(&world);
    let victim = std::thread::spawn(move || {
        stop_this_thread(move |at| {
            if at == Step::CartMidway {
                let _ = reached.send(());
                let _ = go_on.recv();
            }
        });
        let request = shared.cart().with_item(last, Quantity::ONE);
        shared.inventory.reserve_with(&request).map(Guard::detach)
    });
    // Let it pass the first two lines; stop it on the third.
    for _ in 0..2 {
        at_step.recv().unwrap();
        release.send(()).unwrap();
    }
    at_step.recv().unwrap();
    let refused = world.inventory.reserve(last, Quantity::ONE, World::ttl()).map(Guard::detach);
    assert!(matches!(refused, Err(ReserveError::Contended { .. })), "{refused:?}");
    release.send(()).unwrap();
    victim.join().unwrap().unwrap();
    let refused = world.inventory.reserve(last, Quantity::ONE, World::ttl()).map(Guard::detach);
    assert!(matches!(refused, Err(ReserveError::OutOfStock { .. })), "{refused:?}");
}

/// A reserve that is stopped for longer than its own TTL holds units that count as there.
#[test]
fn progress_exceptions_of_a_reserve_beyond_its_ttl() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        let (world, last) = world_with_a_last_unit();
        let (reached, at_step) = mpsc::channel::<()>();
        let (release, go_on) = mpsc::channel::<()>();
        let shared = Arc::clone(&world);
        let victim = std::thread::spawn(move || {
            stop_this_thread(move |at| {
                if at == step {
                    let _ = reached.send(());
                    let _ = go_on.recv();
                }
            });
            shared.inventory.reserve(last, Quantity::ONE, Ttl::MIN).map(Guard::detach)
        });
        at_step.recv().unwrap();
        world.clock.advance(Ttl::MIN.as_duration());
        let other = world.inventory.reserve(last, Quantity::ONE, World::ttl()).map(Guard::detach);
        match step {
            Step::Taken => assert!(matches!(other, Err(ReserveError::Contended { .. })), "{other:?}"),
            _ => assert!(other.is_ok(), "{step:?} {other:?}"), // not taken yet, or expired by the other's sweep
        }
        release.send(()).unwrap();
        let victim = victim.join().unwrap();
        match step {
            Step::Claimed => assert_eq!(victim, Err(ReserveError::OutOfStock { line: last, asked: Quantity::ONE })),
            _ => assert!(victim.is_ok()),
        }
        if step == Step::Taken {
            let _ = world.inventory.reserve(last, Quantity::ONE, World::ttl()).unwrap().detach();
        }
        assert!(world.inventory.verify().is_clean());
    }
}
