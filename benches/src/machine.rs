//! What this machine asks for the things that everything here is made of.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::time::Instant;

use crate::crew::{Crew, Gate};
use crate::names::Random;

/// Times of a hot atomic.
const TIMES: u32 = 2_000_000;
/// Readings of a clock, steps of a chase.
const FEW: u32 = 200_000;
/// Bytes of the chase: larger than what a core has of any cache.
const CHASE_BYTES: usize = 64 << 20;
/// A cache line.
const LINE_BYTES: usize = 64;

/// A word on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Word(AtomicU64);

/// Measures; keeps what is costly to make.
#[derive(Debug)]
pub struct Machine {
    /// A ring through all lines of a large block, in random order.
    ring: Vec<[u32; LINE_BYTES / 4]>,
    at: u32,
}

/// Nanoseconds each.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// `fetch_sub` on a word that nobody else touches.
    pub fetch_sub: f64,
    /// A load and a compare-exchange on such a word.
    pub load_cas: f64,
    /// Three of them on three words: the least that a pair needs.
    pub three_rmw: f64,
    /// A load that is in the cache.
    pub load: f64,
    /// `fetch_sub` by two threads on one word, for each operation of a thread.
    pub contended: f64,
    /// `Instant::now`.
    pub clock: f64,
    /// A load that depends on the one before, in 64 MiB.
    pub miss: f64,
}

fn each(times: u32, mut what: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        what();
    }
    began.elapsed().as_nanos() as f64 / f64::from(times)
}

impl Machine {
    /// Lays the ring.
    #[must_use]
    pub fn new() -> Self {
        let lines = CHASE_BYTES / LINE_BYTES;
        let mut order: Vec<u32> = (0..lines as u32).collect();
        let mut random = Random::new(5);
        for at in (1..lines).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        let mut ring = vec![[0; LINE_BYTES / 4]; lines];
        for (at, line) in order.iter().enumerate() {
            ring[*line as usize][0] = order[(at + 1) % lines];
        }
        Self { ring, at: 0 }
    }

    /// Measures everything once; the atomics on the crew's threads.
    pub fn measure(&mut self, crew: &Crew) -> Costs {
        let words = Arc::new([Word::default(), Word::default(), Word::default()]);
        let hot = Arc::clone(&words);
        let [fetch_sub, load_cas, three_rmw, load] = crew.first(move || {
            // ORDERING: as the engine uses them, AcqRel and Acquire.
            let cas = |word: &Word| {
                let seen = word.0.load(Acquire);
                let _ = word.0.compare_exchange(seen, seen.wrapping_add(1), AcqRel, Acquire);
            };
            [
                each(TIMES, || {
                    black_box(hot[0].0.fetch_sub(1, AcqRel));
                }),
                each(TIMES, || cas(&hot[0])),
                each(TIMES, || {
                    cas(&hot[0]);
                    cas(&hot[1]);
                    black_box(hot[2].0.fetch_sub(1, AcqRel));
                }),
                each(TIMES, || {
                    black_box(hot[0].0.load(Acquire));
                }),
            ]
        });
        let gate = Gate::new(2.min(crew.threads()));
        let contend = |_| {
            let (words, gate) = (Arc::clone(&words), gate.clone());
            move || {
                gate.pass();
                each(TIMES / 4, || {
                    black_box(words[0].0.fetch_sub(1, Relaxed));
                })
            }
        };
        let contended = crew.run((0..2.min(crew.threads())).map(contend).collect());
        let contended = contended.iter().sum::<f64>() / contended.len() as f64;
        let clock = each(FEW, || {
            black_box(Instant::now());
        });
        let mut at = self.at;
        let miss = each(FEW, || at = self.ring[at as usize][0]);
        self.at = black_box(at);
        Costs { fetch_sub, load_cas, three_rmw, load, contended, clock, miss }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// The processor, as the system calls it.
#[must_use]
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let name = field("model name").unwrap_or_else(|| "unknown".into());
    let [family, model] = [field("cpu family"), field("model\t")].map(Option::unwrap_or_default);
    if family.is_empty() { name } else { format!("{name} (family {family}, model {model})") }
}

/// The compiler that cargo used, as far as the path tells.
#[must_use]
pub fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = std::process::Command::new(rustc).arg("--version").output();
    said.map_or_else(|_| "unknown".into(), |said| String::from_utf8_lossy(&said.stdout).trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_goes_through_every_line() {
        let machine = Machine::new();
        let (mut at, mut steps) = (0u32, 0);
        loop {
            at = machine.ring[at as usize][0];
            steps += 1;
            if at == 0 {
                break;
            }
        }
        assert_eq!(steps, machine.ring.len());
    }
}
