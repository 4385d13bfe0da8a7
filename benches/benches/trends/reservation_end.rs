//! `reservation/end`: the second half of a pair, beside 64 locked shards.

use criterion::{Criterion, Throughput};
use earmark_benches::crew::Crew;
use earmark_benches::names::Draw;
use earmark_benches::subjects::Subject;
use earmark_benches::subjects::earmark::{Earmark, Id};
use earmark_benches::subjects::sharded::PInt;
use earmark_benches::trend::Stand;

use crate::Group;

pub(crate) fn end(criterion: &mut Criterion) {
    let crew = Crew::new(2);
    let mut group = criterion.benchmark_group("reservation/end");
    group.throughput(Throughput::Elements(1));
    for (id, draw, threads) in [
        ("uncontended", Draw::Hot, 1),
        ("one_sku/2_threads", Draw::Hot, 2),
        ("many_skus/1_thread", Draw::Uniform, 1),
        ("many_skus/2_threads", Draw::Uniform, 2),
    ] {
        run::<Earmark<Id>>(&mut group, &format!("confirm/{id}"), draw, threads, &crew, Subject::confirm);
        run::<Earmark<Id>>(&mut group, &format!("release/{id}"), draw, threads, &crew, Subject::release);
        run::<PInt>(&mut group, &format!("confirm/{id}/mutex"), draw, threads, &crew, Subject::confirm);
    }
    group.finish();
}

fn run<S: Subject>(
    group: &mut Group<'_>,
    id: &str,
    draw: Draw,
    threads: usize,
    crew: &Crew,
    how: fn(&S, S::Hold) -> bool,
) {
    let mut stand = Stand::<S>::new(draw, threads);
    group.bench_function(id, |bencher| bencher.iter_custom(|times| stand.end(crew, times, how)));
}
