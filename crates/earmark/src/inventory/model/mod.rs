//! The model: lists of operations against a plain-map reference, in virtual time.
//!
//! One thread, a manual clock, every public method. After each step the answer is the reference's, and
//! P1–P5, P7, P10 and P11 hold. Outcome classes are every variant of every public outcome and error;
//! one below 1 % of its group fails the run. `EARMARK_SEED` repeats a run, `EARMARK_MODEL_OPS` sizes it. A case
//! that failed is printed as a `Kept`, and kept in `regressions`, which every run plays first.

mod books;
mod classes;
pub(super) mod clock;
mod ending;
mod judge;
mod looking;
mod ops;
mod reference;
mod regressions;
mod said;
mod special;
mod taking;
mod world;

use std::cell::RefCell;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use ops::{SetupDice, Step};
use reference::Setup;
use regressions::KEPT;
use world::{Run, World};

/// Steps of one case, on average.
const STEPS: usize = 400;
/// Cases of one profile in a row.
const CASES: u32 = 3;

#[test]
fn p1_to_p11_against_a_plain_map() {
    run(40_000);
}

#[test]
#[ignore = "heavy: run by cargo xtask test"]
fn p1_to_p11_against_a_plain_map_a_million_times() {
    run(1_000_000);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(steps: u64) {
    let steps = number("EARMARK_MODEL_OPS").unwrap_or(steps);
    let seed = number("EARMARK_SEED").unwrap_or_else(rand_seed);
    println!("model: seed {seed} (repeat with EARMARK_SEED={seed})");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let counted = RefCell::new(Run::default());
    let started = Instant::now();
    for (at, kept) in KEPT.iter().enumerate() {
        let steps: Vec<_> = kept.steps.iter().map(|&(roll, a, b, c)| Step { roll, a, b, c }).collect();
        one_case((kept.profile, kept.setup), &steps, &counted, false).unwrap_or_else(|why| panic!("kept {at}: {why}"));
    }
    // Each profile has its share, so that a short run reaches every class too.
    let mut profile = 0;
    while counted.borrow().steps < steps || profile > 0 {
        bytes[8..16].copy_from_slice(&counted.borrow().cases.to_le_bytes());
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            max_shrink_iters: 100_000,
            max_shrink_time: 30_000, // milliseconds
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let lists = (ops::setup_dice(), proptest::collection::vec(ops::step(), 1..2 * STEPS));
        match runner.run(&lists, |(set, steps)| one_case((profile, set), &steps, &counted, false).map_err(fail)) {
            Ok(()) => profile = (profile + 1) % ops::PROFILES,
            Err(TestError::Fail(why, (set, steps))) => {
                println!("model: smallest case, {} steps, {:#?}", steps.len(), Setup::of(profile, set));
                let again = one_case((profile, set), &steps, &counted, true);
                let kept: Vec<_> = steps.iter().map(|Step { roll, a, b, c }| (roll, a, b, c)).collect();
                println!("model: Kept {{ profile: {profile}, setup: {set:?}, steps: &{kept:?} }}");
                panic!("model: seed {seed}: {why}; again: {again:?}");
            }
            Err(other) => panic!("model: seed {seed}: {other}"),
        }
    }
    let counted = counted.into_inner();
    let (table, missed) = counted.tally.judge();
    let [second, quarter, fortnight, ages, wrap] = counted.turns;
    println!("outcome classes:\n{table}");
    println!(
        "crossed with reservations alive: 2^10 ms {second}, 2^20 {quarter}, 2^30 {fortnight}, 2^40 {ages}, 2^37 {wrap} times"
    );
    println!("contended beside a backlog: {} times; {:.1?} in all", counted.contended, started.elapsed());
    println!(
        "ran: model {} operations in {} cases, seed {seed}, {} classes",
        counted.steps,
        counted.cases,
        counted.tally.classes()
    );
    assert!(counted.turns.iter().all(|turns| *turns > 0), "a ring was never crossed: {:?}", counted.turns);
    assert!(counted.steps >= steps, "only {} steps", counted.steps);
    // A share of 1 % is judged where chance has evened out: in the long run.
    if counted.steps >= SHARES_FROM {
        assert!(missed.is_empty(), "model: seed {seed}: {missed:#?}");
    }
}

/// Operations from which on the shares of the classes are judged.
const SHARES_FROM: u64 = 1_000_000;

fn rand_seed() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0)
}

fn fail(why: String) -> TestCaseError {
    TestCaseError::fail(why)
}

fn one_case((profile, dice): (usize, SetupDice), steps: &[Step], run: &RefCell<Run>, told: bool) -> Result<(), String> {
    let set = Setup::of(profile, dice);
    let mut world = World::new(&set, run)?;
    world.open_shop()?;
    let short = |why: String| why.chars().take(3_000).collect::<String>();
    for (at, step) in steps.iter().enumerate() {
        if told {
            println!("{at:3}: {} {:?} {step:?}", world.summary(), step.kind(set.profile));
        }
        world.step(*step).map_err(|why| format!("step {at}, {:?}: {}", step.kind(set.profile), short(why)))?;
    }
    Ok(())
}
