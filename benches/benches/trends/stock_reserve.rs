//! `stock/reserve`: the first half of a pair, beside 64 locked shards.

use criterion::{Criterion, Throughput};
use earmark_benches::crew::Crew;
use earmark_benches::names::Draw;
use earmark_benches::subjects::Subject;
use earmark_benches::subjects::earmark::{Earmark, Id, Name};
use earmark_benches::subjects::sharded::{PInt, PStr};
use earmark_benches::trend::Stand;

use crate::Group;

pub(crate) fn reserve(criterion: &mut Criterion) {
    let crew = Crew::new(2);
    let mut group = criterion.benchmark_group("stock/reserve");
    group.throughput(Throughput::Elements(1));
    let mut both = |id: &str, draw, threads| {
        run::<Earmark<Id>>(&mut group, id, draw, threads, &crew);
        run::<PInt>(&mut group, &format!("{id}/mutex"), draw, threads, &crew);
    };
    both("uncontended", Draw::Hot, 1);
    both("one_sku/2_threads", Draw::Hot, 2);
    both("many_skus/1_thread", Draw::Uniform, 1);
    both("many_skus/2_threads", Draw::Uniform, 2);
    run::<Earmark<Name>>(&mut group, "many_skus/by_name", Draw::Uniform, 1, &crew);
    run::<PStr>(&mut group, "many_skus/by_name/mutex", Draw::Uniform, 1, &crew);
    group.finish();
}

fn run<S: Subject>(group: &mut Group<'_>, id: &str, draw: Draw, threads: usize, crew: &Crew) {
    let mut stand = Stand::<S>::new(draw, threads);
    group.bench_function(id, |bencher| bencher.iter_custom(|times| stand.reserve(crew, times)));
}
