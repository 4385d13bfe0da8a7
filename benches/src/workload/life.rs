//! W4: millions of reservations that live, and the expiry of them all.
//!
//! One thread makes them on uniform lines with a TTL uniform in 1 to 900 s while time stands still; then time moves on
//! a second at a time through 901 s. In a process of its own, so that memory is this subject's alone.
//!
//! Memory is looked at after the last insert and again 6 s later, when whatever a subject defers has been done (ours
//! moves young entries to the ring); the larger figure for each that lives is the one that counts.

use std::time::Instant;

use crate::alloc;
use crate::names::{Draw, Keys, LINES, Names, Random, sequence};
use crate::subjects::{Shop, Subject, Totals};
use crate::workload::PLENTY;

/// Longest TTL, in seconds.
const TTL_MAX_S: u64 = 900;
/// When deferred work has been done: after two nursery passes.
const SETTLED_S: u64 = 6;
/// Lines of a subject, before anything lives, that are opened with it.
const SEED: usize = 7;
/// Calls of expiry in one second of virtual time, at most.
const CALLS_MAX: usize = 10_000_000;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Life {
    /// For each reserve.
    pub insert_ns: f64,
    /// Of resident memory for each that lives.
    pub bytes_per_reservation: f64,
    /// The same by the allocator's books.
    pub bytes_allocated: f64,
    /// Given back for each second of expiry.
    pub expiries_per_second: f64,
    /// The longest call of expiry.
    pub worst_advance_ms: f64,
    /// What 99.9 % of the calls stay below.
    pub p999_advance_ms: f64,
    /// Entries that a call visited, at most.
    pub visits_max: usize,
    /// Calls of expiry.
    pub calls: usize,
    /// Resident memory of the process at its highest.
    pub peak_bytes: f64,
}

/// Plays it with `count` reservations.
///
/// # Panics
/// If the books do not add up at the end.
#[must_use]
pub fn play<S: Subject>(count: usize) -> Life {
    let names = Names::new(LINES);
    let subject = S::open(&Shop { names: &names, stock: PLENTY, ttl_ms: TTL_MAX_S * 1_000, room: count });
    let _in = subject.enter();
    let keys = subject.keys(&names, &sequence(Draw::Uniform, LINES, SEED));
    let ttls: Vec<S::Ttl> = (1..=TTL_MAX_S).map(|seconds| S::ttl(seconds * 1_000)).collect();
    let mut random = Random::new(1);
    // Room for the figures before memory is looked at.
    let mut calls_ms: Vec<f32> = Vec::with_capacity(1 << 20);
    alloc::start();
    let resident = resident_bytes();

    let began = Instant::now();
    for step in 0..count {
        let ttl = ttls[random.below(TTL_MAX_S) as usize];
        assert!(subject.reserve(keys.at(step), ttl).is_some(), "there is plenty");
    }
    let insert_ns = began.elapsed().as_nanos() as f64 / count as f64;
    let all = u64::from(PLENTY) * LINES as u64;
    let each = |live: usize| {
        let resident = resident_bytes().saturating_sub(resident) as f64;
        (resident / live as f64, alloc::bytes() as f64 / live as f64)
    };
    let (mut bytes, mut allocated) = each(count);

    let (mut expired, mut visits_max, mut spent_ms) = (0, 0, 0.0);
    for second in 1..=TTL_MAX_S + 1 {
        subject.set_now(second * 1_000);
        for call in 0.. {
            assert!(call < CALLS_MAX, "expiry goes on for ever");
            let began = Instant::now();
            let some = subject.expire();
            let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
            spent_ms += took_ms;
            calls_ms.push(took_ms as f32);
            expired += some.expired;
            visits_max = visits_max.max(some.looked);
            if some.complete {
                break;
            }
        }
        if second == SETTLED_S {
            let (later, later_allocated) = each(count - expired);
            (bytes, allocated) = (bytes.max(later), allocated.max(later_allocated));
        }
    }
    assert_eq!(expired, count, "what expired is not what was made");
    assert_eq!(subject.totals(), Totals { available: all, live: 0 }, "the books do not add up");
    calls_ms.sort_unstable_by(f32::total_cmp);
    let calls = calls_ms.len();
    let p999 = calls_ms[(calls as f64 * 0.999) as usize];
    Life {
        insert_ns,
        bytes_per_reservation: bytes,
        bytes_allocated: allocated,
        expiries_per_second: expired as f64 * 1_000.0 / spent_ms,
        worst_advance_ms: f64::from(calls_ms[calls - 1]),
        p999_advance_ms: f64::from(p999),
        visits_max,
        calls,
        peak_bytes: status_bytes("VmHWM:") as f64,
    }
}

/// Resident memory of this process; 0 where the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// A line of `/proc/self/status`.
pub(crate) fn status_bytes(field: &str) -> u64 {
    kib(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), field)
}

/// Memory that could be had without swapping; 0 where the system does not tell.
#[must_use]
pub fn memory_to_be_had() -> u64 {
    kib(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemAvailable:")
}

fn kib(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::ById;
    use crate::subjects::dashmap::Dash;
    use crate::subjects::earmark::{Earmark, Id, Owned};
    use crate::subjects::papaya::Papaya;
    use crate::subjects::semaphores::Semaphores;
    use crate::subjects::sharded::PStr;

    #[test]
    fn all_that_is_made_expires() {
        // Enough that many end in one second of virtual time.
        const COUNT: usize = 300_000;
        let rivals = [play::<Dash<ById>>(COUNT), play::<Papaya<ById>>(COUNT), play::<Semaphores<ById>>(COUNT)];
        for life in [play::<Earmark<Id>>(COUNT), play::<Owned>(2_000), play::<PStr>(COUNT)].into_iter().chain(rivals) {
            assert!(life.expiries_per_second > 0.0);
            assert!(life.calls >= 901);
            assert!(life.worst_advance_ms >= life.p999_advance_ms);
        }
    }

    #[test]
    fn fields_are_kibibytes() {
        assert_eq!(kib("VmPeak:\t 7 kB\nVmRSS:\t  1234 kB\n", "VmRSS:"), 1234 * 1024);
        assert_eq!(kib("", "VmRSS:"), 0);
    }
}
