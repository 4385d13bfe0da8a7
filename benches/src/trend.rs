//! What the criterion benches time: single operations, for trends.
//!
//! An operation that leaves something behind is timed in batches, and what it left is cleared away between them with
//! the watch stopped: a reserve is timed without its end, an end without its reserve. Time stands still; after each
//! measurement the wheel's marks are visited, unwatched.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crew::{Crew, Gate};
use crate::names::{Draw, Keys, Names, sequence};
use crate::subjects::{Shop, Subject};
use crate::workload::{PLENTY, TTL_MS, visit_all};

/// Operations between two looks at the watch: so many that a look is nothing, so few that all of it stays in the cache.
const BATCH: u64 = 1_024;
/// Past the nursery.
const PAST_NURSERY_MS: u64 = 4_001;
/// Lines.
pub const LINES: usize = 100_000;

/// A subject, and what its threads ask for.
#[derive(Debug)]
pub struct Stand<S: Subject> {
    subject: Arc<S>,
    keys: Vec<Arc<S::Keys>>,
    now_ms: u64,
}

impl<S: Subject> Stand<S> {
    /// With lines drawn so, for so many threads.
    #[must_use]
    pub fn new(draw: Draw, threads: usize) -> Self {
        Self::with_stock(draw, threads, PLENTY)
    }

    /// The same, and every line has so many units.
    #[must_use]
    pub fn with_stock(draw: Draw, threads: usize, stock: u32) -> Self {
        let names = Names::new(LINES);
        let subject = Arc::new(S::open(&Shop { names: &names, stock, ttl_ms: TTL_MS, room: 0 }));
        let keys = |thread| Arc::new(subject.keys(&names, &sequence(draw, LINES, thread)));
        let keys = (0..threads).map(keys).collect();
        Self { subject, keys, now_ms: 0 }
    }

    /// What is sold.
    #[must_use]
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// What the first thread asks for.
    #[must_use]
    pub fn keys(&self) -> &S::Keys {
        &self.keys[0]
    }

    /// Runs `batch` on every thread at once until each has done `times` operations; how long one thread's took.
    fn time(
        &self,
        crew: &Crew,
        times: u64,
        batch: impl Fn(&S, &S::Keys, Range<usize>) -> Duration + Copy + Send + 'static,
    ) -> Duration {
        let gate = Gate::new(self.keys.len());
        let mut jobs = Vec::new();
        for keys in &self.keys {
            let (subject, keys, gate) = (Arc::clone(&self.subject), Arc::clone(keys), gate.clone());
            jobs.push(move || {
                let _in = subject.enter();
                gate.pass();
                let mut took = Duration::ZERO;
                for begin in (0..times).step_by(BATCH as usize) {
                    let end = (begin + BATCH).min(times);
                    took += batch(&subject, &keys, begin as usize..end as usize);
                }
                took
            });
        }
        let took = crew.run(jobs);
        took.iter().sum::<Duration>() / took.len() as u32
    }

    fn settle(&mut self, crew: &Crew) {
        self.now_ms += PAST_NURSERY_MS;
        self.subject.set_now(self.now_ms);
        let subject = Arc::clone(&self.subject);
        crew.first(move || {
            let _in = subject.enter();
            visit_all(&*subject)
        });
    }

    /// Reserves; the releases are not timed.
    pub fn reserve(&mut self, crew: &Crew, times: u64) -> Duration {
        let took = self.time(crew, times, |subject, keys, steps| {
            let mut holds = Vec::with_capacity(steps.len());
            let (ttl, began) = (S::ttl(TTL_MS), Instant::now());
            for step in steps {
                holds.push(subject.reserve(keys.at(step), ttl).expect("there is plenty"));
            }
            let took = began.elapsed();
            holds.into_iter().for_each(|hold| assert!(subject.release(hold)));
            took
        });
        self.settle(crew);
        took
    }

    /// Ends by `end`; the reserves are not timed.
    pub fn end(&mut self, crew: &Crew, times: u64, end: fn(&S, S::Hold) -> bool) -> Duration {
        let took = self.time(crew, times, move |subject, keys, steps| {
            let holds: Vec<S::Hold> =
                steps.map(|step| subject.reserve(keys.at(step), S::ttl(TTL_MS)).expect("there is plenty")).collect();
            let began = Instant::now();
            holds.into_iter().for_each(|hold| assert!(end(subject, hold)));
            began.elapsed()
        });
        self.settle(crew);
        took
    }

    /// Refusals: nothing may be left.
    pub fn refuse(&self, crew: &Crew, times: u64) -> Duration {
        self.time(crew, times, |subject, keys, steps| {
            let (ttl, began) = (S::ttl(TTL_MS), Instant::now());
            steps.for_each(|step| assert!(subject.reserve(keys.at(step), ttl).is_none(), "it was sold out"));
            began.elapsed()
        })
    }

    /// Looks.
    pub fn look(&self, crew: &Crew, times: u64) -> Duration {
        self.time(crew, times, |subject, keys, steps| {
            let began = Instant::now();
            let units: u64 = steps.map(|step| subject.available(keys.at(step))).sum();
            std::hint::black_box(units);
            began.elapsed()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::earmark::{Earmark, Id};
    use crate::subjects::sharded::PInt;

    fn all_is_back<S: Subject>() {
        let crew = Crew::new(2);
        let mut stand = Stand::<S>::new(Draw::Hot, 2);
        let _ = stand.reserve(&crew, BATCH + 7);
        let _ = stand.end(&crew, BATCH + 7, S::confirm);
        let _ = stand.look(&crew, 3);
        let sold = 2 * (BATCH + 7);
        let left = stand.subject().totals();
        assert_eq!((left.available, left.live), (u64::from(PLENTY) * LINES as u64 - sold, 0));
    }

    #[test]
    fn what_is_not_timed_is_done_all_the_same() {
        all_is_back::<Earmark<Id>>();
        all_is_back::<PInt>();
    }
}
