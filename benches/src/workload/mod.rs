//! What is done with the subjects: `performance.md` of the study calls these W1 to W5 and *steady*.
//!
//! | id | one operation |
//! |---|---|
//! | W1 | uniform lines: reserve for 300 s and end it at once, 9 of 10 by confirm, 1 of 10 by release: a *pair* |
//! | W1b | the same while a million others live: reserve one, end the one made a million pairs ago |
//! | W2 | W1 with lines drawn by Zipf's law |
//! | W3 | W1 with every thread on one line |
//! | W4 | in `life`: millions that live, and their expiry |
//! | W5 | reserve on one line that is sold out |
//! | W5r | how many are available, uniform lines |
//! | steady | in `steady`: a million reserves each virtual second |
//!
//! **Time stands still in the timed loop.** Afterwards it moves on past the nursery and expiry runs until a call finds
//! nothing to visit; that is inside `ns_per_op` and outside `ns_no_expiry`. Rivals remove at once and have nothing left.
//!
//! **Books.** After each run they must add up: a subject that skips work is found.

pub mod latency;
pub mod life;
pub mod steady;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::crew::{Crew, Gate};
use crate::names::{Draw, Keys, LINES, Names, sequence};
use crate::subjects::{Shop, Subject, Totals};

/// The TTL of W1 to W5.
pub const TTL_MS: u64 = 300_000;
/// What a subject that lives in real time is opened with instead: nothing expires while the judge runs.
const TTL_REAL_MS: u64 = 12 * TTL_MS;
/// Units of a line: never sold out.
pub const PLENTY: u32 = 1_000_000_000;
/// Reservations that live meanwhile in W1b, over all threads.
pub const STANDING: usize = 1_000_000;
/// How often each of them is replaced in a run. Even so a quarter of what a run made still lives when time moves on,
/// and is looked at again and again: at the pace of any subject none would be as old as the nursery by then.
const TURNS: usize = 4;
/// Virtual time that passes after each run: whatever is young is looked at after 2 to 4 s.
const PAST_NURSERY_MS: u64 = 4_001;
/// One of so many pairs ends by release.
const RELEASE_EACH: usize = 10;
/// A run first warms up with its operations through this.
const WARM_PART: usize = 8;
/// Operations of a run, at least and at most.
const OPS: (usize, usize) = (20_000, 4_000_000);
/// The first guess of an operation's length.
const FIRST_OPS: usize = 20_000;
/// Calls of expiry after a run, at most: more means that it never ends.
const CALLS_MAX: usize = 10_000_000;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// W1, W2, W3: pairs on lines drawn so.
    Pairs(Draw),
    /// W1b.
    Standing,
    /// W5.
    Refusal,
    /// W5r.
    Look,
}

impl Work {
    fn draw(self) -> Draw {
        match self {
            Self::Pairs(draw) => draw,
            Self::Refusal => Draw::Hot,
            Self::Standing | Self::Look => Draw::Uniform,
        }
    }

    fn stock(self) -> u32 {
        if self == Self::Refusal { 1 } else { PLENTY }
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Nanoseconds for an operation of each thread, all work for expiry inside.
    pub ns_per_op: f64,
    /// The same without expiry.
    pub ns_no_expiry: f64,
    /// Entries that expiry visited for each operation.
    pub visits_per_op: f64,
}

/// A subject at work: its state lives on from run to run.
pub trait Runner {
    /// One run.
    fn run(&mut self, crew: &Crew) -> Sample;
}

/// Opens `S` for `work` on so many threads; a run is to last about `length`.
pub fn open<S: Subject>(work: Work, threads: usize, length: Duration, names: &Names, crew: &Crew) -> Box<dyn Runner> {
    Box::new(Bench::<S>::new(work, threads, length, names, crew))
}

/// What one thread has.
struct Lane<S: Subject> {
    keys: S::Keys,
    step: usize,
    /// W1b: what was reserved last, in order.
    ring: Vec<S::Hold>,
}

struct Bench<S: Subject> {
    work: Work,
    subject: Arc<S>,
    lanes: Vec<Arc<Mutex<Lane<S>>>>,
    length: Duration,
    ops: Option<usize>,
    now_ms: u64,
    /// What the books must say.
    books: Totals,
}

impl<S: Subject> Bench<S> {
    fn new(work: Work, threads: usize, length: Duration, names: &Names, crew: &Crew) -> Self {
        let stock = work.stock();
        let subject = Arc::new(S::open(&Shop { names, stock, ttl_ms: TTL_REAL_MS, room: STANDING + STANDING / 8 }));
        let mut lanes = Vec::new();
        for thread in 0..threads {
            let keys = subject.keys(names, &sequence(work.draw(), LINES, thread));
            lanes.push(Arc::new(Mutex::new(Lane { keys, step: 0, ring: Vec::new() })));
        }
        let all = u64::from(stock) * LINES as u64;
        let mut this =
            Self { work, subject, lanes, length, ops: None, now_ms: 0, books: Totals { available: all, live: 0 } };
        this.prepare(crew);
        this
    }

    fn prepare(&mut self, crew: &Crew) {
        let live = match self.work {
            Work::Standing => STANDING / self.lanes.len(),
            Work::Refusal => 1, // the only unit is set aside, not sold
            Work::Pairs(_) | Work::Look => return,
        };
        let sold_out = self.work == Work::Refusal;
        let mut jobs = Vec::new();
        for lane in self.lanes.iter().take(if sold_out { 1 } else { self.lanes.len() }) {
            let (lane, subject) = (Arc::clone(lane), Arc::clone(&self.subject));
            jobs.push(move || {
                let _in = subject.enter();
                let lane = &mut *lane.lock().expect("no run panicked");
                for step in 0..live {
                    lane.ring.push(subject.reserve(lane.keys.at(step), S::ttl(TTL_MS)).expect("there is enough"));
                }
                lane.step = live;
            });
        }
        let reserved = (jobs.len() * live) as u64;
        crew.run(jobs);
        self.books.available -= reserved;
        self.books.live += reserved;
        self.settle(crew);
    }

    /// Operations of each thread in a run.
    fn ops(&self) -> usize {
        match self.work {
            Work::Standing => TURNS * STANDING / self.lanes.len(),
            _ => self.ops.unwrap_or(FIRST_OPS),
        }
    }

    /// `ops` operations on each thread; how long until the last was done.
    fn go(&mut self, ops: usize, crew: &Crew) -> Duration {
        let gate = Gate::new(self.lanes.len());
        let mut jobs = Vec::new();
        for lane in &self.lanes {
            let (lane, subject, gate, work) = (Arc::clone(lane), Arc::clone(&self.subject), gate.clone(), self.work);
            jobs.push(move || {
                let _in = subject.enter();
                let lane = &mut *lane.lock().expect("no run panicked");
                gate.pass();
                let began = Instant::now();
                match work {
                    Work::Pairs(_) => pairs(&*subject, lane, ops),
                    Work::Standing => replace(&*subject, lane, ops),
                    Work::Refusal => refuse(&*subject, lane, ops),
                    Work::Look => look(&*subject, lane, ops),
                }
                lane.step += ops;
                (began, Instant::now())
            });
        }
        let times = crew.run(jobs);
        let began = times.iter().map(|(began, _)| *began).min().expect("one thread at least");
        let ended = times.iter().map(|(_, ended)| *ended).max().expect("one thread at least");
        if matches!(self.work, Work::Pairs(_) | Work::Standing) {
            // Steps of every thread are a multiple of neither ten nor each other: count what was confirmed.
            let confirmed: usize = self.lanes.iter().map(|lane| confirmed(lane, ops)).sum();
            self.books.available -= confirmed as u64;
        }
        ended - began
    }

    /// Time moves on past the nursery; expiry runs until it finds nothing. How long that took, entries visited.
    fn settle(&mut self, crew: &Crew) -> (Duration, usize) {
        if matches!(self.work, Work::Refusal | Work::Look) {
            return (Duration::ZERO, 0); // nothing was made
        }
        self.now_ms += PAST_NURSERY_MS;
        let (subject, now_ms) = (Arc::clone(&self.subject), self.now_ms);
        crew.first(move || {
            let _in = subject.enter();
            let began = Instant::now();
            subject.set_now(now_ms);
            let looked = visit_all(&*subject);
            (began.elapsed(), looked)
        })
    }

    fn check(&self) {
        let found = self.subject.totals();
        assert_eq!(found, self.books, "the books of {} do not add up", std::any::type_name::<S>());
    }
}

impl<S: Subject> Runner for Bench<S> {
    fn run(&mut self, crew: &Crew) -> Sample {
        if self.ops.is_none() {
            // Warm it up and see how long an operation takes; from then on every run has the same length.
            let took = self.go(FIRST_OPS, crew).max(Duration::from_nanos(1));
            let ops = FIRST_OPS as f64 * self.length.as_secs_f64() / took.as_secs_f64();
            self.ops = Some((ops as usize).clamp(OPS.0, OPS.1));
        }
        let ops = self.ops();
        self.go(ops / WARM_PART, crew);
        self.settle(crew);
        let took = self.go(ops, crew);
        let (after, visits) = self.settle(crew);
        if self.work == Work::Standing && visits > 0 {
            assert!(visits as u64 >= self.books.live, "expiry visited {visits} of {} that live", self.books.live);
        }
        self.check();
        let each = |time: Duration| time.as_nanos() as f64 / ops as f64;
        Sample {
            ns_per_op: each(took + after),
            ns_no_expiry: each(took),
            visits_per_op: visits as f64 / (ops * self.lanes.len()) as f64,
        }
    }
}

/// Calls expiry until a call has nothing left to visit; entries visited.
pub(crate) fn visit_all<S: Subject>(subject: &S) -> usize {
    let mut looked = 0;
    for _ in 0..CALLS_MAX {
        let some = subject.expire();
        looked += some.looked;
        if some.complete && some.looked == 0 {
            return looked;
        }
    }
    panic!("expiry goes on for ever")
}

/// The steps of the last `ops` operations that ended by confirm.
fn confirmed<S: Subject>(lane: &Arc<Mutex<Lane<S>>>, ops: usize) -> usize {
    let end = lane.lock().expect("no run panicked").step;
    (end - ops..end).filter(|step| !is_release(*step)).count()
}

#[inline]
fn is_release(step: usize) -> bool {
    step % RELEASE_EACH == RELEASE_EACH - 1
}

#[inline]
fn end<S: Subject>(subject: &S, hold: S::Hold, step: usize) {
    let ended = if is_release(step) { subject.release(hold) } else { subject.confirm(hold) };
    assert!(ended, "a live reservation could not be ended");
}

#[inline(never)]
fn pairs<S: Subject>(subject: &S, lane: &mut Lane<S>, ops: usize) {
    let ttl = S::ttl(TTL_MS);
    for step in lane.step..lane.step + ops {
        let hold = subject.reserve(lane.keys.at(step), ttl).expect("there is plenty");
        end(subject, hold, step);
    }
}

#[inline(never)]
fn replace<S: Subject>(subject: &S, lane: &mut Lane<S>, ops: usize) {
    let ttl = S::ttl(TTL_MS);
    let mut at = lane.step % lane.ring.len();
    for step in lane.step..lane.step + ops {
        let hold = subject.reserve(lane.keys.at(step), ttl).expect("there is plenty");
        end(subject, std::mem::replace(&mut lane.ring[at], hold), step);
        at += 1;
        if at == lane.ring.len() {
            at = 0;
        }
    }
}

#[inline(never)]
fn refuse<S: Subject>(subject: &S, lane: &mut Lane<S>, ops: usize) {
    let ttl = S::ttl(TTL_MS);
    for step in lane.step..lane.step + ops {
        assert!(subject.reserve(lane.keys.at(step), ttl).is_none(), "it was sold out");
    }
}

#[inline(never)]
fn look<S: Subject>(subject: &S, lane: &mut Lane<S>, ops: usize) {
    let mut sum = 0;
    for step in lane.step..lane.step + ops {
        sum += subject.available(lane.keys.at(step));
    }
    assert_eq!(std::hint::black_box(sum), u64::from(PLENTY) * ops as u64, "nothing was sold");
}
