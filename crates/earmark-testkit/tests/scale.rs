//! How fast the checker is, and how much memory it takes. `EARMARK_SCALE` sets the number of calls.

#[path = "reference/random.rs"]
mod random;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use earmark_testkit::history::{Call, Op, Outcome};
use earmark_testkit::{Options, check};
use random::Random;

const LINES: u32 = 1_000;
const STOCK: u64 = 40;
const LIVE_MAX: usize = 15_000;

struct Live {
    id: u64,
    line: u32,
    qty: u64,
    deadline: u64,
}

/// An honest history, made one call at a time: about half reserves, a few refusals, every kind of end.
fn history(count: usize, random: &mut Random) -> Vec<Call> {
    let mut available = vec![STOCK; LINES as usize];
    let mut live: VecDeque<Live> = VecDeque::new();
    let mut calls = Vec::with_capacity(count + 1);
    for line in 0..LINES {
        calls.push(Call::new(Op::Open, 0, 1).with_item(line, STOCK));
    }
    let mut now = 1_000;
    while calls.len() < count {
        now += 10;
        let (call_ns, return_ns) = (now - random.below(200), now + random.below(200));
        let at = |op| Call::new(op, call_ns, return_ns);
        let full = live.len() >= LIVE_MAX;
        if !full && random.below(100) < 56 {
            let (line, qty) = (random.below(u64::from(LINES)) as u32, 1 + random.below(3));
            let there = &mut available[line as usize];
            let reserve = at(Op::Reserve).with_item(line, qty);
            if *there < qty {
                calls.push(reserve.with_result(Outcome::short(line, *there)));
                continue;
            }
            *there -= qty;
            let id = calls.len() as u64;
            let deadline = now + 1_000_000;
            calls.push(reserve.with_id(id).with_deadline(deadline));
            live.push_back(Live { id, line, qty, deadline });
            continue;
        }
        let Some(hold) = live.pop_front() else {
            continue;
        };
        let expired = hold.deadline <= now;
        if !expired && random.one_in(5) {
            let deadline = now + 1_000_000;
            calls.push(at(Op::Extend).with_id(hold.id).with_deadline(deadline));
            live.push_back(Live { deadline, ..hold });
            continue;
        }
        let call = if expired {
            at(Op::Confirm).with_result(Outcome::Expired)
        } else if random.one_in(2) {
            at(Op::Confirm)
        } else {
            at(Op::Release)
        };
        available[hold.line as usize] += hold.qty;
        let sold = call.op == Op::Confirm && call.result == Outcome::Ok;
        calls.push(call.with_id(hold.id));
        if sold {
            // Sold units are replaced at once.
            calls.push(Call::new(Op::Receive, call_ns, now).with_item(hold.line, hold.qty));
        }
    }
    calls
}

/// The most memory this process ever had, where the system tells.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

#[test]
fn a_million_calls_take_seconds() {
    let count = std::env::var("EARMARK_SCALE").ok().and_then(|text| text.parse().ok());
    let count = count.unwrap_or(1_000_000);
    let (seed, mut random) = Random::seeded(0x5eed_0004);
    let calls = history(count, &mut random);
    let before = peak_mib();
    let begun = Instant::now();
    let report = check(&calls, &Options::default());
    let took = begun.elapsed();
    println!(
        "{} calls in {took:.2?}, {:.2} million/s, peak {:?} MiB of which the history {before:?} MiB\n{report}",
        calls.len(),
        calls.len() as f64 / took.as_secs_f64() / 1e6,
        peak_mib(),
    );
    assert!(report.is_clean(), "seed {seed}: {report}");
    assert!(report.answers.insufficient > report.calls / 1_000, "{report}");
    assert!(report.answers.ok > report.calls / 2, "{report}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// One line and one id in every call: nothing may depend on the crowd being spread out.
#[test]
fn a_crowd_on_one_line_and_one_id() {
    let mut calls = vec![
        Call::new(Op::Open, 0, 1).with_item(0, 1_000),
        Call::new(Op::Reserve, 2, 3).with_item(0, 1_000).with_id(1_u64).with_deadline(1_000),
    ];
    for n in 0..100_000 {
        let at = 10 + n * 10;
        calls.push(Call::new(Op::Extend, at, at + 35).with_id(1_u64).with_deadline(at + 1_000));
        calls.push(Call::new(Op::Reserve, at, at + 90_000).with_item(0, 1).with_result(Outcome::short(0, 0)));
    }
    let begun = Instant::now();
    let report = check(&calls, &Options::default());
    println!("{} calls in {:.2?}", calls.len(), begun.elapsed());
    assert!(report.is_clean(), "{report}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}
