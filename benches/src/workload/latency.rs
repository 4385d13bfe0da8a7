//! The tail of W1 on two threads: how long single calls take, by the processor's time stamp counter.
//!
//! A run of its own, since reading a counter before and after each call costs as much as a call. What is measured
//! contains one reading, [`overhead`].

use std::sync::Arc;

use quanta::Clock;

use super::{PLENTY, TTL_MS, end, visit_all};
use crate::crew::{Crew, Gate};
use crate::names::{Draw, Keys, LINES, Names, sequence};
use crate::subjects::{Shop, Subject};

/// Pairs of each thread in a run: two samples each.
const PAIRS: usize = 200_000;
/// Pairs before the first sample.
const WARM: usize = 50_000;

/// Nanoseconds that half, 99 % and 99.9 % of the calls stay below.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    /// Half.
    pub p50: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
}

/// A subject whose calls are timed one by one.
pub trait TailRunner {
    /// One run.
    fn run(&mut self, crew: &Crew) -> Tail;
}

struct Calls<S: Subject> {
    subject: Arc<S>,
    keys: Vec<Arc<S::Keys>>,
    now_ms: u64,
}

/// Opens `S` for it.
pub fn open<S: Subject>(threads: usize, names: &Names) -> Box<dyn TailRunner> {
    let subject = Arc::new(S::open(&Shop { names, stock: PLENTY, ttl_ms: TTL_MS, room: 0 }));
    let keys = |thread| Arc::new(subject.keys(names, &sequence(Draw::Uniform, LINES, thread)));
    let keys = (0..threads).map(keys).collect();
    Box::new(Calls { subject, keys, now_ms: 0 })
}

impl<S: Subject> TailRunner for Calls<S> {
    fn run(&mut self, crew: &Crew) -> Tail {
        let gate = Gate::new(self.keys.len());
        let mut jobs = Vec::new();
        for keys in &self.keys {
            let (subject, keys, gate) = (Arc::clone(&self.subject), Arc::clone(keys), gate.clone());
            jobs.push(move || {
                let _in = subject.enter();
                let (clock, ttl) = (Clock::new(), S::ttl(TTL_MS));
                let mut ticks = vec![0u64; 2 * PAIRS]; // written once: no page is touched for the first time below
                gate.pass();
                for step in 0..WARM {
                    let hold = subject.reserve(keys.at(step), ttl).expect("there is plenty");
                    end(&*subject, hold, step);
                }
                for (step, pair) in ticks.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                    let begun = clock.raw();
                    let hold = subject.reserve(keys.at(WARM + step), ttl).expect("there is plenty");
                    let held = clock.raw();
                    end(&*subject, hold, step);
                    *pair = [held - begun, clock.raw() - held];
                }
                ticks.into_iter().map(|ticks| clock.delta_as_nanos(0, ticks)).collect::<Vec<u64>>()
            });
        }
        let mut all: Vec<u64> = crew.run(jobs).concat();
        all.sort_unstable();
        self.now_ms += super::PAST_NURSERY_MS;
        self.subject.set_now(self.now_ms);
        let subject = Arc::clone(&self.subject);
        crew.first(move || {
            let _in = subject.enter();
            visit_all(&*subject)
        });
        let at = |share: f64| all[((all.len() as f64 * share) as usize).min(all.len() - 1)] as f64;
        Tail { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

/// Nanoseconds of one reading, which every sample contains.
#[must_use]
pub fn overhead() -> f64 {
    const TIMES: u32 = 1_000_000;
    let clock = Clock::new();
    let began = clock.raw();
    for _ in 0..TIMES {
        std::hint::black_box(clock.raw());
    }
    clock.delta_as_nanos(began, clock.raw()) as f64 / f64::from(TIMES)
}
