//! `wheel/advance`: the work that pairs leave behind, for each reservation, beside ordered sets under locks.

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use earmark_benches::names::{Draw, Keys, Names, sequence};
use earmark_benches::subjects::earmark::{Earmark, Id};
use earmark_benches::subjects::sharded::PInt;
use earmark_benches::subjects::{Shop, Subject};
use earmark_benches::trend::LINES;
use earmark_benches::workload::{PLENTY, TTL_MS};

/// Reservations of one iteration.
const COUNT: usize = 100_000;
/// Young entries have been looked at.
const PAST_NURSERY_MS: u64 = 4_001;

pub(crate) fn advance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wheel/advance");
    group.throughput(Throughput::Elements(COUNT as u64)).sampling_mode(SamplingMode::Flat);
    let names = Names::new(LINES);
    let ours = || Wheel::<Earmark<Id>>::new(&names);
    let mut wheel = ours();
    group.bench_function("ended", |bencher| bencher.iter_custom(|times| (0..times).map(|_| wheel.ended()).sum()));
    let mut wheel = ours();
    group.bench_function("promoted", |bencher| bencher.iter_custom(|times| (0..times).map(|_| wheel.promoted()).sum()));
    let mut wheel = ours();
    group.bench_function("expired", |bencher| bencher.iter_custom(|times| (0..times).map(|_| wheel.expired()).sum()));
    let mut peer = Wheel::<PInt>::new(&names);
    group.bench_function("expired/mutex", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| peer.expired()).sum())
    });
    group.finish();
}

struct Wheel<S: Subject> {
    shop: S,
    keys: S::Keys,
    now_ms: u64,
}

impl<S: Subject> Wheel<S> {
    fn new(names: &Names) -> Self {
        let shop = S::open(&Shop { names, stock: PLENTY, ttl_ms: TTL_MS, room: 0 });
        let keys = shop.keys(names, &sequence(Draw::Uniform, LINES, 0));
        Self { shop, keys, now_ms: 0 }
    }

    fn fill(&self) -> Vec<S::Hold> {
        (0..COUNT).filter_map(|step| self.shop.reserve(self.keys.at(step), S::ttl(TTL_MS))).collect()
    }

    fn confirm(&self, holds: Vec<S::Hold>) {
        holds.into_iter().for_each(|hold| assert!(self.shop.confirm(hold)));
    }

    /// Time moves on and expiry runs until nothing is left to look at.
    fn sweep(&mut self, by_ms: u64) -> Duration {
        self.now_ms += by_ms;
        self.shop.set_now(self.now_ms);
        let began = Instant::now();
        loop {
            let some = self.shop.expire();
            if some.complete && some.looked == 0 {
                return began.elapsed();
            }
        }
    }

    /// What has ended is looked at once and dropped.
    fn ended(&mut self) -> Duration {
        self.confirm(self.fill());
        self.sweep(PAST_NURSERY_MS)
    }

    /// What lives is looked at and moves to the ring.
    fn promoted(&mut self) -> Duration {
        let holds = self.fill();
        let took = self.sweep(PAST_NURSERY_MS);
        self.confirm(holds);
        let _ = self.sweep(TTL_MS); // what is left of them in the ring
        took
    }

    /// Everything expires, after it was promoted unwatched.
    fn expired(&mut self) -> Duration {
        assert_eq!(self.fill().len(), COUNT);
        let _ = self.sweep(PAST_NURSERY_MS);
        let took = self.sweep(TTL_MS);
        assert_eq!(self.shop.totals().live, 0);
        took
    }
}
