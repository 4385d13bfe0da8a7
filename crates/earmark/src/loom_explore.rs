//! Runs a loom model to the end, says how much it explored, and demands every outcome the model can have.
//!
//! A model answers with the name of its outcome. Its list of outcomes is exact: one that never comes is a race
//! that the model does not contain, and one that is not listed is news.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sync::atomic::leave_apart;

/// Atomic operations of one execution, at most; beyond that a model is taken to hang.
const BRANCHES_MAX: usize = 100_000;

/// [`explore`] for whole calls on many atomics: what has models of its own is left apart.
pub(crate) fn explore_calls(
    name: &str,
    bound: Option<usize>,
    outcomes: &[&'static str],
    model: impl Fn() -> &'static str + Send + Sync + 'static,
) {
    leave_apart(true);
    explore(name, bound, outcomes, model);
    leave_apart(false);
}

/// Explores every interleaving (with at most `bound` preemptions, where all would take over a minute) and prints
/// the count.
pub(crate) fn explore(
    name: &str,
    bound: Option<usize>,
    outcomes: &[&'static str],
    model: impl Fn() -> &'static str + Send + Sync + 'static,
) {
    assert!(bound.is_none_or(|bound| bound >= 3), "{name}: too few preemptions to prove anything");
    let seen = Arc::new(Mutex::new(BTreeMap::<&str, u64>::new()));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = BRANCHES_MAX;
    // Whatever the environment says: to the end, from the beginning.
    (builder.max_duration, builder.max_permutations, builder.checkpoint_file) = (None, None, None);
    let (start, told) = (Instant::now(), Arc::clone(&seen));
    builder.check(move || {
        let outcome = model();
        *told.lock().unwrap().entry(outcome).or_default() += 1;
    });
    let seen = seen.lock().unwrap();
    let permutations: u64 = seen.values().sum();
    let bound = bound.map_or("no bound".to_owned(), |bound| format!("preemption bound {bound}"));
    let seconds = start.elapsed().as_secs_f64();
    println!("ran: loom {name} {permutations} permutations, {bound}, {} outcomes, {seconds:.1} s", seen.len());
    println!("outcomes of {name}: {seen:?}");
    for outcome in outcomes {
        assert!(seen.contains_key(outcome), "{name}: the outcome `{outcome}` never came: {seen:?}");
    }
    assert_eq!(seen.len(), outcomes.len(), "{name}: an outcome that is not listed: {seen:?}");
}

/// Runs both at once on a world that they share, and returns what they said.
pub(crate) fn race<W: 'static, A: 'static, B>(
    world: &loom::sync::Arc<W>,
    one: impl FnOnce(&W) -> A + 'static,
    two: impl FnOnce(&W) -> B,
) -> (A, B) {
    let shared = loom::sync::Arc::clone(world);
    let one = loom::thread::spawn(move || one(&shared));
    let two = two(world);
    (one.join().unwrap(), two)
}
