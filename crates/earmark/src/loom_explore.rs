//! Runs a loom model to the end and says how much it explored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use crate::sync::atomic::leave_apart;

/// Atomic operations of one execution, at most; beyond that a model is taken to hang.
const BRANCHES_MAX: usize = 100_000;

/// [`explore`] for whole calls on many atomics: what has models of its own is left apart.
pub(crate) fn explore_calls(name: &str, bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    leave_apart(true);
    explore(name, bound, model);
    leave_apart(false);
}

/// Explores every interleaving (with at most `bound` preemptions, if one is given) and prints the count.
pub(crate) fn explore(name: &str, bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = BRANCHES_MAX;
    let (start, counter) = (Instant::now(), Arc::clone(&count));
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        model();
    });
    let bound = bound.map_or("no bound".to_owned(), |bound| format!("preemption bound {bound}"));
    let seconds = start.elapsed().as_secs_f64();
    println!("ran: loom {name} {} permutations, {bound}, {seconds:.1} s", count.load(Relaxed));
}
