//! `cargo bench`: the hot operations with their baselines, for trends. No server, no data.
//!
//! `cargo bench -- stock/reserve` runs one group; `--save-baseline` and `--baseline` are criterion's.

mod reservation_end;
mod stock_available;
mod stock_refusal;
mod stock_reserve;
mod wheel_advance;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Short, because machines drift more than a longer look could tell.
fn config() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = trends;
    config = config();
    targets = stock_reserve::reserve, stock_refusal::refusal, stock_available::available, reservation_end::end,
        wheel_advance::advance
}
criterion_main!(trends);
