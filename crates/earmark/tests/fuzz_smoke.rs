//! The fuzz bodies on stable: a fixed budget of random inputs.

mod fuzz_bodies;

use std::cell::Cell;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const INPUTS: u32 = 3_000;
const BYTES_MAX: usize = 1_500;

/// Plays the body; how many inputs it accepted. `EARMARK_SEED` repeats a run.
fn smoke(name: &str, body: fn(&[u8]) -> bool) -> u32 {
    let given = std::env::var("EARMARK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 =
        given.unwrap_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64));
    println!("{name}: EARMARK_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases: INPUTS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let inputs = proptest::collection::vec(proptest::num::u8::ANY, 0..BYTES_MAX);
    let accepted = Cell::new(0);
    let outcome = runner.run(&inputs, |bytes| {
        accepted.set(accepted.get() + u32::from(body(&bytes)));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("EARMARK_SEED={seed}: {error}"); // names the smallest input found
    }
    let accepted = accepted.get();
    println!("ran: fuzz body {name} on {INPUTS} random inputs, {} % accepted", 100 * accepted / INPUTS);
    accepted
}

#[test]
fn operations() {
    smoke("operations", |bytes| {
        fuzz_bodies::operations(bytes);
        !bytes.is_empty()
    });
}

#[test]
fn ids() {
    let accepted = smoke("ids", fuzz_bodies::ids);
    assert!(accepted > INPUTS / 10, "only {accepted} inputs were ids at all");
    for text in ["e", "", "e0000000000000000000000000", "E000000000000000000000000", "é00000000000000000000000"] {
        fuzz_bodies::ids(text.as_bytes());
    }
}
