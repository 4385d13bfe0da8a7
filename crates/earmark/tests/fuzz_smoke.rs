//! The fuzz bodies on stable: a fixed budget of random inputs.

mod fuzz_bodies;

use proptest::test_runner::{Config, TestRunner};

const INPUTS: u32 = 3_000;
const BYTES_MAX: usize = 1_500;

fn smoke(name: &str, body: fn(&[u8])) {
    let mut runner = TestRunner::new(Config { cases: INPUTS, failure_persistence: None, ..Config::default() });
    let inputs = proptest::collection::vec(proptest::num::u8::ANY, 0..BYTES_MAX);
    let outcome = runner.run(&inputs, |bytes| {
        body(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}"); // names the smallest input found
    }
    println!("ran: fuzz body {name} on {INPUTS} random inputs");
}

#[test]
fn operations() {
    smoke("operations", fuzz_bodies::operations);
}

#[test]
fn ids() {
    smoke("ids", fuzz_bodies::ids);
    for text in ["e", "", "e0000000000000000000000000", "E000000000000000000000000", "é00000000000000000000000"] {
        fuzz_bodies::ids(text.as_bytes());
    }
}
