//! A thread that is stopped inside a call does not keep the others from working.
//!
//! Built with `--cfg earmark_seeded`, where the calls tell of their steps. One thread is stopped at a
//! step and stays stopped while the others do 100,000 operations on the same line.
//!
//! The exceptions, by design and checked here: while the right to sweep is held by a stopped thread and
//! something is due, nothing expires and refusals read `contended`; while a cart is stopped midway, refusals
//! on its lines do, and while a batch is stopped on its way to a stripe, those on its line; while a reserve is
//! stopped for longer than its own TTL, every refusal does. While a reserve with an owner is stopped, that
//! owner's others read `contended`; with a key, that key is in flight. What is taken, confirmed and released
//! goes on.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::seeded::{Step, stop_this_thread};
use crate::*;

/// Operations the others must finish.
const OPERATIONS: usize = 100_000;
const THREADS: usize = 2;
/// Far more than the operations take.
const PATIENCE: Duration = Duration::from_secs(8);
/// Of the others' rounds one in this many sweeps too.
const SWEEPS: usize = 64;

struct World {
    inventory: Inventory,
    clock: ManualClock,
    line: StockId,
    other: StockId,
    /// Has one unit.
    last: StockId,
    /// Has none.
    empty: StockId,
}

impl World {
    fn new() -> Arc<Self> {
        let clock = ManualClock::new(Timestamp::from_millis(10));
        let inventory = Inventory::builder().clock(clock.clone()).reservations_max(4_096).build().unwrap();
        let declare = |sku| inventory.declare(LineSpec::new(sku)).unwrap();
        let [line, other, last, empty] = ["line", "other", "last", "empty"].map(declare);
        for (line, units) in [(line, 1_000_000), (other, 1_000_000), (last, 1)] {
            let _ = inventory.receive(line, Quantity::new(units).unwrap(), &Cause::none()).unwrap();
        }
        Arc::new(Self { inventory, clock, line, other, last, empty })
    }

    fn ttl() -> Ttl {
        Ttl::minutes(10).unwrap()
    }

    fn reserve(&self) -> ReservationId {
        self.inventory.reserve(self.line, Quantity::ONE, Self::ttl()).unwrap().detach()
    }

    fn reserve_of(&self, line: StockId, ttl: Ttl) -> Result<ReservationId, ReserveError> {
        self.inventory.reserve(line, Quantity::ONE, ttl).map(Guard::detach)
    }

    fn request(&self) -> ReserveRequest {
        ReserveRequest::new(Self::ttl()).with_item(self.line, Quantity::ONE)
    }

    fn owned(&self, owner: u128) -> ReserveRequest {
        self.request().with_owner(Owner::from_bits(owner))
    }

    fn keyed(&self, key: u128) -> ReserveRequest {
        self.request().with_key(Key::from_bits(key))
    }

    fn cart(&self) -> ReserveRequest {
        self.request().with_item(self.other, Quantity::ONE)
    }

    fn serve(&self, request: &ReserveRequest) -> Result<ReservationId, ReserveError> {
        self.inventory.reserve_with(request).map(Guard::detach)
    }

    /// Its line is hot, and has no batch in its stripes yet.
    fn heat(&self) {
        assert!(self.inventory.make_hot(self.line));
    }

    /// What is said of the last line when its unit is gone.
    fn sold_out(&self) -> Result<ReservationId, ReserveError> {
        Err(ReserveError::OutOfStock { line: self.last, asked: Quantity::ONE })
    }

    /// The unit of the last line is reserved, and its time is up.
    fn last_is_overdue(&self) {
        let _ = self.reserve_of(self.last, Ttl::MIN).unwrap();
        self.clock.advance(Ttl::MIN.as_duration());
    }

    /// What the others do: take, confirm, release, cart, sweep.
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
            if n % SWEEPS == 0 {
                let _ = self.inventory.sweep();
            }
        }
    }

    /// Two threads work to the end, whoever else is stopped.
    fn others_work(self: &Arc<Self>, beside: &str) {
        let start = Instant::now();
        let (finished, all_finished) = mpsc::channel();
        for _ in 0..THREADS {
            let (world, finished) = (Arc::clone(self), finished.clone());
            std::thread::spawn(move || {
                world.work(OPERATIONS / THREADS);
                finished.send(()).unwrap();
            });
        }
        for _ in 0..THREADS {
            let done = all_finished.recv_timeout(PATIENCE);
            assert!(done.is_ok(), "a thread stopped in {beside} keeps the others from working");
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("ran: progress {beside}: {OPERATIONS} operations beside a stopped thread, {seconds:.2} s");
    }
}

/// A thread that is stopped inside a call.
struct Stopped<R> {
    go_on: Sender<()>,
    thread: JoinHandle<R>,
}

impl<R: Send + 'static> Stopped<R> {
    /// Stops at this step, when the call comes to it for the `nth` time.
    fn at(world: &Arc<World>, step: Step, nth: usize, call: impl Fn(&World) -> R + Send + 'static) -> Self {
        let (reached, at_step): (_, Receiver<()>) = mpsc::channel();
        let (go_on, wait) = mpsc::channel();
        let world = Arc::clone(world);
        let thread = std::thread::spawn(move || {
            let count = std::cell::Cell::new(0);
            stop_this_thread(move |at| {
                count.set(count.get() + usize::from(at == step));
                if at == step && count.get() == nth {
                    reached.send(()).unwrap();
                    wait.recv().unwrap();
                }
            });
            call(&world)
        });
        at_step.recv().unwrap_or_else(|_| panic!("the call never came to {step:?}"));
        Self { go_on, thread }
    }

    /// Lets it go; what the call said.
    fn finish(self, world: &World) -> R {
        self.go_on.send(()).unwrap();
        let said = self.thread.join().unwrap();
        let verified = world.inventory.verify();
        assert!(verified.is_clean(), "{verified:?}");
        said
    }
}

/// Stops one thread at `step` inside `call` while the others work; then lets it go and audits.
fn stopped_in<R: Send + 'static>(
    what: &str,
    step: Step,
    prepare: impl Fn(&World),
    call: impl Fn(&World) -> R + Send + 'static,
) {
    let world = World::new();
    prepare(&world);
    let stopped = Stopped::at(&world, step, 1, call);
    world.others_work(&format!("{what} at {step:?}"));
    let _ = stopped.finish(&world);
}

fn is_contended(answer: &Result<ReservationId, ReserveError>) -> bool {
    matches!(answer, Err(ReserveError::Contended { .. }))
}

#[test]
fn progress_reserve() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        stopped_in("reserve", step, |_| {}, World::reserve);
    }
}

/// While the wheel does not know of an earlier deadline nobody is told of it.
#[test]
fn progress_begin_payment() {
    let world = Arc::new(World::new());
    let id = world.reserve();
    let stopped = Stopped::at(&world, Step::Moving, 1, move |world| world.inventory.begin_payment(id));
    world.others_work("begin_payment at Moving");
    let deadline = || world.inventory.get(id).unwrap().deadline;
    assert_eq!(deadline(), None);
    let until = stopped.finish(&world).unwrap();
    assert_eq!(deadline(), Some(until));
}

#[test]
fn progress_cart() {
    for step in [Step::Claimed, Step::CartMidway, Step::Published, Step::CartPublished] {
        stopped_in("cart", step, |_| {}, |world| world.serve(&world.cart()).unwrap());
    }
}

#[test]
fn progress_confirm_and_release() {
    for step in [Step::Ended, Step::Settled] {
        stopped_in("confirm", step, |_| {}, |world| world.inventory.confirm(world.reserve()).unwrap());
        stopped_in("release", step, |_| {}, |world| world.inventory.release(world.reserve()).unwrap());
    }
}

/// A batch on its way to a stripe; and a refusal that closes the stripes, which nobody waits for.
#[test]
fn progress_hot_line() {
    stopped_in("reserve of a hot line", Step::Refilling, World::heat, World::reserve);
    stopped_in("refusal on a hot line", Step::Closing, World::heat, |world| {
        let all = Quantity::new(2_000_000).unwrap();
        assert!(world.inventory.reserve(world.line, all, World::ttl()).is_err());
    });
}

/// Beside a batch on its way a refusal is `contended`, as beside a cart; a refusal that is stopped while it closes
/// the stripes is in nobody's way.
#[test]
fn progress_exceptions_of_a_hot_line() {
    let refuse = |world: &World| {
        let more = Quantity::new(1_000_001).unwrap();
        world.inventory.reserve(world.line, more, World::ttl()).map(Guard::detach)
    };
    for (step, contended) in [(Step::Refilling, true), (Step::Closing, false)] {
        let world = World::new();
        world.heat();
        let call = move |world: &World| if contended { Ok(world.reserve()) } else { refuse(world) };
        let stopped = Stopped::at(&world, step, 1, call);
        let refused = refuse(&world);
        assert_eq!(is_contended(&refused), contended, "P4: beside a hot line at {step:?}: {refused:?}");
        assert!(refused.is_err());
        let levels = world.inventory.levels(world.line).unwrap();
        assert_eq!(levels.available + levels.reserved, levels.on_hand, "P3");
        let _ = stopped.finish(&world);
        assert!(matches!(refuse(&world), Err(ReserveError::Insufficient { .. })));
    }
}

#[test]
fn progress_advance() {
    for step in [Step::Sweeping, Step::Expired] {
        stopped_in("advance", step, World::last_is_overdue, |world| world.inventory.sweep());
    }
}

#[test]
fn progress_exceptions_of_a_cart_midway() {
    let world = World::new();
    let stopped = Stopped::at(&world, Step::CartMidway, 3, |world| {
        world.serve(&world.cart().with_item(world.last, Quantity::ONE)).unwrap()
    });
    let refused = world.reserve_of(world.last, World::ttl());
    assert!(is_contended(&refused), "P4: beside a cart midway: {refused:?}");
    let _ = stopped.finish(&world);
    let refused = world.reserve_of(world.last, World::ttl());
    assert_eq!(refused, world.sold_out());
}

/// Also on a line that never had any: the bound of what is due is one for all lines.
#[test]
fn progress_exceptions_of_a_sweep() {
    for step in [Step::Sweeping, Step::Expired] {
        let world = World::new();
        world.last_is_overdue();
        let stopped = Stopped::at(&world, step, 1, |world| world.inventory.sweep());
        for line in [world.last, world.empty] {
            let refused = world.reserve_of(line, World::ttl());
            assert!(is_contended(&refused), "P4: beside a sweep at {step:?}: {refused:?}");
        }
        assert_eq!(stopped.finish(&world).expired, 1);
        let _ = world.reserve_of(world.last, World::ttl()).unwrap();
        let refused = world.reserve_of(world.empty, World::ttl());
        assert_eq!(refused, Err(ReserveError::OutOfStock { line: world.empty, asked: Quantity::ONE }));
    }
}

/// A reserve that is stopped for longer than its own TTL holds units that count as there.
#[test]
fn progress_exceptions_of_a_reserve_beyond_its_ttl() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        let world = World::new();
        let stopped = Stopped::at(&world, step, 1, |world| world.reserve_of(world.last, Ttl::MIN));
        world.clock.advance(Ttl::MIN.as_duration());
        let other = world.reserve_of(world.last, World::ttl());
        match step {
            Step::Taken => assert!(is_contended(&other), "P4: beside a reserve beyond its TTL: {other:?}"),
            _ => assert!(other.is_ok(), "{step:?} {other:?}"), // not taken yet, or expired by the other's sweep
        }
        let said = stopped.finish(&world);
        match step {
            // The unit went to the other; and its own claim is overdue, which nobody can sweep meanwhile.
            Step::Claimed => assert!(said == world.sold_out() || is_contended(&said), "{said:?}"),
            _ => assert!(said.is_ok()),
        }
        if step == Step::Taken {
            let _ = world.reserve_of(world.last, World::ttl()).unwrap();
        }
    }
}

#[test]
fn progress_exceptions_of_an_owner() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        let world = World::new();
        let stopped = Stopped::at(&world, step, 1, |world| world.serve(&world.owned(1)).unwrap());
        let refused = world.serve(&world.owned(1));
        assert!(is_contended(&refused), "the owner's book is open: {refused:?}");
        let _ = world.serve(&world.owned(2)).unwrap();
        world.others_work(&format!("a reserve with an owner at {step:?}"));
        let _ = stopped.finish(&world);
        let _ = world.serve(&world.owned(1)).unwrap();
    }
}

#[test]
fn progress_exceptions_of_a_key() {
    for step in [Step::Claimed, Step::Taken, Step::Published] {
        let world = World::new();
        let stopped = Stopped::at(&world, step, 1, |world| world.serve(&world.keyed(1)).unwrap());
        assert_eq!(world.serve(&world.keyed(1)), Err(ReserveError::Key(KeyError::InFlight)));
        let _ = world.serve(&world.keyed(2)).unwrap();
        world.others_work(&format!("a reserve with a key at {step:?}"));
        let made = stopped.finish(&world);
        assert_eq!(world.serve(&world.keyed(1)), Ok(made), "P7");
    }
}
