//! `stock/refusal`: reserve on a line that is sold out, beside 64 locked shards.

use criterion::{Criterion, Throughput};
use earmark_benches::crew::Crew;
use earmark_benches::names::{Draw, Keys};
use earmark_benches::subjects::Subject;
use earmark_benches::subjects::earmark::{Earmark, Id, Name};
use earmark_benches::subjects::sharded::PInt;
use earmark_benches::trend::Stand;
use earmark_benches::workload::TTL_MS;

use crate::Group;

pub(crate) fn refusal(criterion: &mut Criterion) {
    let crew = Crew::new(2);
    let mut group = criterion.benchmark_group("stock/refusal");
    group.throughput(Throughput::Elements(1));
    for (id, threads) in [("1_thread", 1), ("2_threads", 2)] {
        run::<Earmark<Id>>(&mut group, id, threads, &crew);
        run::<PInt>(&mut group, &format!("{id}/mutex"), threads, &crew);
    }
    run::<Earmark<Name>>(&mut group, "by_name", 1, &crew);
    group.finish();
}

fn run<S: Subject>(group: &mut Group<'_>, id: &str, threads: usize, crew: &Crew) {
    let stand = Stand::<S>::with_stock(Draw::Hot, threads, 1);
    // The only unit is set aside and stays so.
    assert!(stand.subject().reserve(stand.keys().at(0), S::ttl(TTL_MS)).is_some());
    group.bench_function(id, |bencher| bencher.iter_custom(|times| stand.refuse(crew, times)));
}
