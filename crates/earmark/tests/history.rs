//! Recorded histories of many threads, judged by a checker that shares no code with the engine.
//!
//! Every call is recorded with its times on the axis that the engine's clock runs on, so that a deadline
//! is one exact instant for both. The normal run judges ten million calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use earmark::*;
use earmark_testkit::history::{Call, Ended, Item as Recorded, Items, Op, Outcome, Recorder, Short, ThreadLog};
use earmark_testkit::{Final, Options, check};

/// Nanoseconds of a tick.
const TICK_NS: u64 = 1_000_000;
/// Ends that are remembered.
const ENDED: usize = 64;
const THREADS: u64 = 4;
const HOT_LINES: usize = 3;
const LINES: usize = 40;
const HOT_UNITS: u32 = 12;
const TAIL_UNITS: u32 = 30;
/// Ids that any thread may try to end.
const SHARED_IDS: usize = 64;

/// Milliseconds since the start of the recording, exactly.
#[derive(Clone)]
struct Axis(Instant);

impl Axis {
    fn ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

impl Clock for Axis {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ns() / TICK_NS)
    }
}

/// A small generator (xorshift64*, Marsaglia 2003): the schedule is the machine's, the choices are the seed's.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 32) % bound
    }
}

struct World {
    inventory: Arc<Inventory>,
    axis: Axis,
    lines: Vec<StockId>,
    shared: ArrayQueue<ReservationId>,
}

fn deadline_ns(deadline: Timestamp) -> u64 {
    deadline.as_millis() * TICK_NS
}

fn ended(end: End) -> Outcome {
    match end {
        End::Confirmed => Outcome::AlreadyEnded(Ended::Confirmed),
        End::Released => Outcome::AlreadyEnded(Ended::Released),
        End::Expired => Outcome::Expired,
        End::Replaced => Outcome::AlreadyEnded(Ended::Replaced),
        _ => Outcome::Refused,
    }
}

fn reserve_outcome(answer: &Result<Reserved, ReserveError>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Ok,
        Err(ReserveError::OutOfStock { line, .. }) => Outcome::short(line.index() as u32, 0),
        Err(ReserveError::Insufficient { line, available, .. }) => {
            Outcome::short(line.index() as u32, u64::from(*available))
        }
        Err(ReserveError::CartShort { short }) => Outcome::Insufficient(
            short
                .iter()
                .map(|s| Short { line: s.line.index() as u32, available: Some(u64::from(s.available)) })
                .collect(),
        ),
        Err(ReserveError::Contended { .. }) => Outcome::Contended,
        Err(other) => panic!("unexpected refusal: {other}"),
    }
}

/// One thread's calls.
struct Caller<'a> {
    world: &'a World,
    log: ThreadLog,
    random: Random,
    calls: u64,
}

impl Caller<'_> {
    /// Makes a call and records it: `call` answers with outcome and deadline.
    fn record<R>(&mut self, call: Call, run: impl FnOnce(&Inventory) -> R, told: impl FnOnce(&R, Call) -> Call) -> R {
        let call_ns = self.world.axis.ns();
        let answer = run(&self.world.inventory);
        let mut call = told(&answer, call);
        (call.call_ns, call.return_ns) = (call_ns, self.world.axis.ns());
        self.log.push(call);
        self.calls += 1;
        answer
    }

    fn line(&mut self) -> StockId {
        let hot = self.random.below(2) == 0;
        let at = if hot { self.random.below(HOT_LINES as u64) } else { self.random.below(LINES as u64) };
        self.world.lines[at as usize]
    }

    fn ttl(&mut self) -> Ttl {
        let millis = match self.random.below(10) {
            0..5 => 1 + self.random.below(4),
            5..9 => 20 + self.random.below(200),
            _ => 5_000 + self.random.below(5_000),
        };
        Ttl::millis(millis).unwrap()
    }

    fn reserve(&mut self) -> Option<Reserved> {
        let items = if self.random.below(8) == 0 { 2 + self.random.below(4) } else { 1 };
        let mut request = ReserveRequest::new(self.ttl());
        let mut recorded: Vec<Recorded> = Vec::new();
        for _ in 0..items {
            let (line, units) = (self.line(), 1 + self.random.below(2) as u32);
            request = request.with_item(line, Quantity::new(units).unwrap());
            recorded.push(Recorded { line: line.index() as u32, qty: u64::from(units) });
        }
        let call = Call::new(Op::Reserve, 0, 0).with_items(recorded.into_iter().collect::<Items>());
        let run = |inventory: &Inventory| {
            inventory.reserve_with(&request).map(|guard| {
                let reserved = guard.reserved();
                let _ = guard.detach();
                reserved
            })
        };
        let told = |answer: &Result<Reserved, ReserveError>, call: Call| {
            let call = call.with_result(reserve_outcome(answer));
            match answer {
                Ok(made) => call.with_id(made.id.to_bits()).with_deadline(deadline_ns(made.deadline)),
                Err(_) => call,
            }
        };
        self.record(call, run, told).ok()
    }

    fn end(&mut self, id: ReservationId) {
        let call = |op| Call::new(op, 0, 0).with_id(id.to_bits());
        match self.random.below(6) {
            0..3 => {
                let told = |answer: &Result<(), ConfirmError>, call: Call| {
                    call.with_result(match answer {
                        Ok(()) => Outcome::Ok,
                        Err(ConfirmError::Ended { end, .. }) => ended(*end),
                        Err(ConfirmError::NotFound { .. }) => Outcome::NotFound,
                        Err(ConfirmError::Contended { .. }) => Outcome::Contended,
                        Err(other) => panic!("unexpected refusal: {other}"),
                    })
                };
                let _ = self.record(call(Op::Confirm), |inventory| inventory.confirm(id), told);
            }
            3..5 => {
                let told = |answer: &Result<(), ReleaseError>, call: Call| {
                    call.with_result(match answer {
                        Ok(()) => Outcome::Ok,
                        Err(ReleaseError::Ended { end, .. }) => ended(*end),
                        Err(ReleaseError::NotFound { .. }) => Outcome::NotFound,
                        Err(ReleaseError::Contended { .. }) => Outcome::Contended,
                        Err(other) => panic!("unexpected refusal: {other}"),
                    })
                };
                let _ = self.record(call(Op::Release), |inventory| inventory.release(id), told);
            }
            _ => {} // forgotten: it must expire
        }
    }

    fn move_deadline(&mut self, id: ReservationId) {
        if self.random.below(2) == 0 {
            let ttl = self.ttl();
            let told = |answer: &Result<Timestamp, ExtendError>, call: Call| match answer {
                Ok(deadline) => call.with_deadline(deadline_ns(*deadline)),
                Err(ExtendError::Ended { end, .. }) => call.with_result(ended(*end)),
                Err(ExtendError::NotFound { .. }) => call.with_result(Outcome::NotFound),
                Err(ExtendError::Contended { .. }) => call.with_result(Outcome::Contended),
                Err(_) => call.with_result(Outcome::Refused),
            };
            let call = Call::new(Op::Extend, 0, 0).with_id(id.to_bits());
            let _ = self.record(call, |inventory| inventory.extend(id, ttl), told);
        } else {
            let told = |answer: &Result<Timestamp, PaymentError>, call: Call| match answer {
                Ok(deadline) => call.with_deadline(deadline_ns(*deadline)),
                Err(PaymentError::Ended { end, .. }) => call.with_result(ended(*end)),
                Err(PaymentError::NotFound { .. }) => call.with_result(Outcome::NotFound),
                Err(PaymentError::Contended { .. }) => call.with_result(Outcome::Contended),
                Err(_) => call.with_result(Outcome::Refused),
            };
            let call = Call::new(Op::BeginPayment, 0, 0).with_id(id.to_bits());
            let _ = self.record(call, |inventory| inventory.begin_payment(id), told);
        }
    }

    /// Sold units come back, so that the lines never dry up; or some are corrected away and back.
    fn restock(&mut self) {
        let line = self.line();
        let what = match self.random.below(4) {
            0 => Op::AdjustDown,
            1 => Op::AdjustUp,
            _ => Op::CancelOrder,
        };
        let told = |answer: &Result<Levels, StockError>, call: Call| match answer {
            Ok(_) => call,
            Err(StockError::Short { short_by, .. }) if what == Op::AdjustDown => {
                call.with_result(Outcome::short(line.index() as u32, u64::from(1 - short_by)))
            }
            Err(StockError::Contended { .. }) => call.with_result(Outcome::Contended),
            Err(_) => call.with_result(Outcome::Refused),
        };
        let run = |inventory: &Inventory| match what {
            Op::AdjustDown => inventory.adjust(line, -1, &Cause::none()),
            Op::AdjustUp => inventory.adjust(line, 1, &Cause::none()),
            _ => inventory.cancel_order(line, Quantity::ONE, &Cause::none()),
        };
        let call = Call::new(what, 0, 0).with_item(line.index() as u32, 1);
        let _ = self.record(call, run, told);
    }

    fn run(&mut self, calls: u64) {
        let mut mine = Vec::new();
        while self.calls < calls {
            match self.random.below(16) {
                0..7 => mine.extend(self.reserve().map(|made| made.id)),
                7..12 => {
                    let id = mine.pop().or_else(|| self.world.shared.pop());
                    if let Some(id) = id {
                        self.end(id);
                    }
                }
                12 => {
                    // Somebody else may end it too: it stays here and goes to the others.
                    if let Some(&id) = mine.last() {
                        let _ = self.world.shared.force_push(id);
                    }
                }
                13 => {
                    if let Some(id) = self.world.shared.pop() {
                        self.end(id);
                    }
                }
                14 => {
                    if let Some(&id) = mine.last() {
                        self.move_deadline(id);
                    }
                }
                _ => self.restock(),
            }
            if mine.len() > 8 {
                mine.remove(0); // forgotten
            }
        }
    }
}

/// The levels of an instant at which all that was due had been swept: sweep and reading lie in one tick.
fn at_rest(world: &World) -> (u64, Vec<Levels>) {
    const TRIES: usize = 10_000;
    for _ in 0..TRIES {
        let tick = world.axis.now();
        let complete = world.inventory.sweep().complete;
        let (at_ns, levels) = (world.axis.ns(), world.inventory.levels_all().lines);
        if complete && world.axis.now() == tick {
            return (at_ns, levels);
        }
    }
    panic!("no sweep and reading fell into one tick in {TRIES} tries");
}

/// Records a history and has it judged; `Err` is what the checker found.
fn judged(calls: u64) -> Result<(), String> {
    let seed = std::env::var("EARMARK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64 | 1));
    println!("seed: EARMARK_SEED={seed}");
    let axis = Axis(Instant::now());
    // Few ends are remembered, so that slots are used again while their old ids are about.
    let builder = Inventory::builder().clock(axis.clone()).payment_ttl(Ttl::millis(15).unwrap());
    let inventory = Arc::new(builder.ended_capacity(ENDED).build().unwrap());
    let recorder = Recorder::new();
    let mut opening = recorder.thread();
    let lines: Vec<_> = (0..LINES)
        .map(|at| {
            let line = inventory.declare(LineSpec::new(&format!("SKU-{at}"))).unwrap();
            let units = if at < HOT_LINES { HOT_UNITS } else { TAIL_UNITS };
            let call_ns = axis.ns();
            let _ = inventory.receive(line, Quantity::new(units).unwrap(), &Cause::none()).unwrap();
            opening.push(Call::new(Op::Open, call_ns, axis.ns()).with_item(at as u32, u64::from(units)));
            line
        })
        .collect();
    drop(opening);
    let driver = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1)).unwrap();
    let world = World { inventory, axis, lines, shared: ArrayQueue::new(SHARED_IDS) };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (world, log) = (&world, recorder.thread());
            scope.spawn(move || {
                let random = Random(seed.wrapping_mul(2 * thread + 3) | 1);
                Caller { world, log, random, calls: 0 }.run(calls / THREADS);
            });
        }
    });
    let took = start.elapsed();
    drop(driver);
    let verified = world.inventory.verify();
    let (at_ns, levels) = at_rest(&world);
    let finals = levels.into_iter().map(|levels| Final {
        line: levels.line.index() as u32,
        at_ns,
        on_hand: u64::from(levels.on_hand),
        available: u64::from(levels.available),
        reserved: u64::from(levels.reserved),
        committed: u64::from(levels.committed),
        blocked: u64::from(levels.blocked + levels.safety_stock),
    });
    let counts = world.inventory.counts();
    let options = Options::default().with_finals(finals.collect::<Vec<_>>());
    let history = recorder.finish().unwrap();
    let start = Instant::now();
    let report = check(&history, &options);
    println!(
        "ran: history {} calls of {THREADS} threads in {:.1} s, judged in {:.1} s; {} refused, {} contended, {} expired",
        history.len(),
        took.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        counts.refused,
        counts.contended,
        counts.expired,
    );
    // The checker first: the engine's own word on itself must not spare it the work.
    if !report.is_clean() {
        return Err(report.to_string());
    }
    assert!(verified.is_clean(), "{verified:?}");
    for enough in [counts.refused, counts.expired, counts.confirmed, counts.released] {
        assert!(enough > calls / 1_000, "too tame to prove anything: {counts:?}");
    }
    Ok(())
}

/// Several short ones, because a world that went wrong early shows nothing more, and one in which slots are used
/// again.
#[test]
fn history_of_four_threads_is_clean() {
    let broken: Vec<_> =
        [25_000; 8].into_iter().chain([200_000, 600_000]).filter_map(|calls| judged(calls).err()).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
#[ignore = "heavy: run by cargo xtask test in release"]
fn history_of_ten_million_calls_is_clean() {
    judged(10_000_000).unwrap_or_else(|broken| panic!("{broken}"));
}
