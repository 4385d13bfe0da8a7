//! One operation of the engine, done so and so many times, for `cargo xtask counts` to run under callgrind.
//!
//! ```text
//! counted                the operations: name, number of times
//! counted NAME [AGAIN]   prepares, and does it that often, every AGAIN-th time twice
//! ```
//!
//! What prepares does not count: callgrind collects inside `counted_part` alone. `AGAIN` makes the operation
//! dearer by a known part, so that whoever compares can be shown a cost that must not pass.

mod operations;
mod world;

use std::process::ExitCode;

use operations::{OPERATIONS, Operation};
use world::World;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        for Operation { name, times, .. } in OPERATIONS {
            println!("{name} {times}");
        }
        return ExitCode::SUCCESS;
    }
    match asked(&words) {
        Ok((operation, again)) => {
            let world = World::new();
            operation.prepare(&world);
            counted_part(operation, &world, again);
            std::mem::forget(world); // taking it apart is nothing to count
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("counted: {why}");
            ExitCode::from(2)
        }
    }
}

/// Collecting begins where this is entered and ends where it returns: callgrind knows it by its name.
#[inline(never)]
fn counted_part(operation: &Operation, world: &World, again: Option<u64>) {
    operation.perform(world, again);
}

fn asked(words: &[String]) -> Result<(&'static Operation, Option<u64>), String> {
    let operation = OPERATIONS.iter().find(|operation| operation.name == words[0]);
    let operation = operation.ok_or_else(|| format!("no operation is called {}", words[0]))?;
    let again = words.get(1).map(|word| word.parse::<u64>().map_err(|e| format!("{word}: {e}"))).transpose()?;
    match again {
        Some(0) => Err("every 0th time is never".into()),
        again => Ok((operation, again)),
    }
}
