//! `wheel/advance`: the work that pairs leave behind, for each reservation, beside 64 ordered sets under locks.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use earmark_benches::names::{Draw, Keys, Names, sequence};
use earmark_benches::subjects::earmark::{Earmark, Id};
use earmark_benches::subjects::sharded::PInt;
use earmark_benches::subjects::{Shop, Subject};
use earmark_benches::trend::LINES;

/// Reservations of one measurement.
const COUNT: usize = 100_000;
/// Far from their end.
const LONG_MS: u64 = 300_000;
/// After both: young entries have been looked at.
const PAST_NURSERY_MS: u64 = 4_001;

fn advance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wheel/advance");
    group.throughput(Throughput::Elements(COUNT as u64));
    let names = Names::new(LINES);
    // What has ended is looked at once and dropped.
    group.bench_function("ended", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| ended::<Earmark<Id>>(&names)).sum())
    });
    // What lives is looked at and moves to the ring.
    group.bench_function("promoted", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| promoted::<Earmark<Id>>(&names)).sum())
    });
    group.bench_function("expired", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| expired::<Earmark<Id>>(&names)).sum())
    });
    group.bench_function("expired/mutex", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| expired::<PInt>(&names)).sum())
    });
    group.finish();
}

fn open<S: Subject>(names: &Names) -> (S, S::Keys) {
    let shop = S::open(&Shop { names, stock: COUNT as u32, ttl_ms: LONG_MS, room: 0 });
    let keys = shop.keys(names, &sequence(Draw::Uniform, LINES, 0));
    (shop, keys)
}

/// Time moves on to `now_ms` and expiry runs until nothing is left to look at.
fn swept<S: Subject>(shop: &S, now_ms: u64) -> Duration {
    shop.set_now(now_ms);
    let began = Instant::now();
    loop {
        let some = shop.expire();
        if some.complete && some.looked == 0 {
            return began.elapsed();
        }
    }
}

fn ended<S: Subject>(names: &Names) -> Duration {
    let (shop, keys) = open::<S>(names);
    let holds: Vec<S::Hold> = (0..COUNT).filter_map(|step| shop.reserve(keys.at(step), LONG_MS)).collect();
    holds.into_iter().for_each(|hold| assert!(shop.confirm(hold)));
    swept(&shop, PAST_NURSERY_MS)
}

fn promoted<S: Subject>(names: &Names) -> Duration {
    let (shop, keys) = open::<S>(names);
    (0..COUNT).for_each(|step| assert!(shop.reserve(keys.at(step), LONG_MS).is_some()));
    swept(&shop, PAST_NURSERY_MS)
}

/// Everything expires, after it was promoted unwatched.
fn expired<S: Subject>(names: &Names) -> Duration {
    let (shop, keys) = open::<S>(names);
    (0..COUNT).for_each(|step| assert!(shop.reserve(keys.at(step), LONG_MS).is_some()));
    let _ = swept(&shop, PAST_NURSERY_MS);
    let took = swept(&shop, LONG_MS);
    assert_eq!(shop.totals().live, 0);
    took
}

criterion_group! { name = benches; config = earmark_benches::trend_config!(); targets = advance }
criterion_main!(benches);
