//! Histories of an honest engine are clean, however wide their intervals: the checker accuses nobody wrongly.

mod reference;

use earmark_testkit::history::jsonl;
use earmark_testkit::{Options, check};
use reference::{Random, Shape, run};

fn judge_clean(shape: Shape, threads: u64, steps: u64, seed: u64) -> u64 {
    let (mut calls, reference) = run(shape, threads, steps, seed);
    let finals = reference.finals(false);
    let options = Options::default().with_finals(finals);
    let report = check(&calls, &options);
    assert!(report.is_clean(), "seed {seed}, {threads} threads, {shape:?}: {report}");
    // And when every deadline has passed.
    let options = Options::default().with_finals(reference.finals(true));
    let report = check(&calls, &options);
    assert!(report.is_clean(), "seed {seed}, {threads} threads, {shape:?}, at the end: {report}");
    // Something happened: answers of every kind that this shape allows.
    assert!(report.answers.ok > report.calls / 4, "{report}");
    if steps > 1_000 {
        assert!(report.answers.insufficient > 0 && report.answers.ended > 0, "{report}");
    }
    // A file of it says the same.
    if calls.len() < 5_000 {
        let mut file = Vec::new();
        jsonl::write(&mut file, &calls).expect("a vector takes everything");
        calls = jsonl::read(&file[..]).expect("what was written").calls;
        assert_eq!(check(&calls, &options), report);
    }
    report.calls
}

#[test]
fn many_threads_on_few_lines() {
    let (seed, _) = Random::seeded(0x5eed_0001);
    let shape = Shape { lines: 4, stock: 60, ttl: 400, widen: 30, unseen: u64::MAX };
    let calls = judge_clean(shape, 4, 30_000, seed);
    assert!(calls >= 100_000);
}

#[test]
fn answers_that_nobody_saw() {
    let (seed, _) = Random::seeded(0x5eed_0002);
    let shape = Shape { lines: 6, stock: 300, ttl: 200, widen: 100, unseen: 50 };
    let calls = judge_clean(shape, 3, 40_000, seed);
    assert!(calls >= 100_000);
}

#[test]
fn many_small_worlds() {
    let (seed, mut random) = Random::seeded(0x5eed_0003);
    for world in 0..3_000 {
        let shape = Shape {
            lines: 1 + random.below(3) as u32,
            stock: 1 + random.below(8),
            ttl: 1 + random.below(60),
            widen: 1 + random.below(40),
            unseen: 2 + random.below(30),
        };
        let (calls, reference) = run(shape, 1, 60, seed.wrapping_add(world));
        let finals = reference.finals(false).into_iter().chain(reference.finals(true));
        let report = check(&calls, &Options::default().with_finals(finals));
        assert!(report.is_clean(), "seed {seed}, world {world}, {shape:?}: {report}");
    }
}
