//! Small sales: kept promises through the engine, broken ones without it.

use earmark_examples::flash_sale::{Figures, Mode, Outcome, Sale, Screen};
use earmark_testkit::history::{self, Call, Items, Op, jsonl};
use earmark_testkit::{Options, check};

fn small(mode: Mode, seed: u64) -> Sale {
    Sale { seed, seconds: 0.4, agents: 800, stock: 0.3, calls_max: 100_000, ..Sale::new(mode, 3) }
}

fn hold(sale: &Sale) -> (Outcome, Vec<Call>) {
    sale.hold(Screen::Off).unwrap()
}

#[test]
fn through_the_engine_every_promise_is_kept() {
    for seed in 0..3 {
        let (outcome, _) = hold(&small(Mode::Earmark, seed));
        assert!(outcome.is_clean(), "seed {seed}: {outcome}");
        let figures = &outcome.figures;
        assert_eq!((figures.oversold, figures.false_sold_out), (0, 0));
        assert!(figures.sold > 0 && figures.refused > 0 && figures.released > 0, "{outcome}");
        assert!(outcome.lines.iter().all(|line| line.sold <= line.stock));
        assert_eq!(outcome.seen.repeats, outcome.seen.repeats_alike, "{outcome}");
        assert_eq!(outcome.seen.odd, 0, "{outcome}");
    }
}

#[test]
fn without_it_the_same_agents_oversell() {
    for seed in 0..3 {
        let (outcome, _) = hold(&small(Mode::Naive, seed));
        assert!(outcome.figures.oversold > 0, "seed {seed}: {outcome}");
        assert!(outcome.lines.iter().any(|line| line.beyond > 0), "{outcome}");
        assert!(!outcome.figures.conserved && !outcome.is_clean());
    }
}

#[test]
fn the_engine_counts_what_the_history_says() {
    let (outcome, _) = hold(&small(Mode::Earmark, 9));
    let counted = outcome.channels.iter().map(|(_, figures)| figures);
    let counted = counted.fold([0; 4], |sum, more| std::array::from_fn(|n| sum[n] + more[n]));
    let figures = &outcome.figures;
    assert_eq!(counted[0], figures.agent_reserved(), "the hammer comes through no channel");
    assert_eq!(counted[1], figures.confirmed);
    assert_eq!(counted[2] + figures.hammer.pairs, figures.released, "{outcome}");
    assert_eq!(counted[3], figures.expired);
}

#[test]
fn the_object_has_what_was_promised() {
    let (outcome, _) = hold(&small(Mode::Earmark, 4));
    let object = outcome.to_json();
    for name in
        ["sold", "refused", "expired", "oversold", "false_sold_out", "checked_calls", "p50_ns", "p99_ns", "p999_ns"]
    {
        assert!(object[name].is_u64(), "{name}: {}", object[name]);
    }
    assert!(object["pairs_per_second"].as_f64().is_some_and(|rate| rate > 0.0));
    assert_eq!(object["conserved"], true);
    assert!(object["p50_ns"].as_u64() <= object["p99_ns"].as_u64());
    assert_eq!(object["checked_calls"], outcome.report.calls);
    assert_eq!(object["calls_max"], 100_000);
    let lines = object["lines"].as_array().unwrap();
    assert_eq!(lines.len(), outcome.lines.len());
    let sum = |name: &str| lines.iter().map(|line| line[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("sold"), sum("oversold")), (outcome.figures.sold, 0));
    assert!(sum("stock") >= sum("sold"));
    // One object on one line; numbers with a point may lose their last digit on the way.
    let read: serde_json::Value = serde_json::from_str(&object.to_string()).unwrap();
    assert_eq!(read["sold"], object["sold"]);
    assert!(!object.to_string().contains('\n'));
}

#[test]
fn a_history_in_a_file_is_judged_alike() {
    for mode in [Mode::Earmark, Mode::Naive] {
        let (outcome, calls) = hold(&small(mode, 5));
        let mut file = Vec::new();
        jsonl::write(&mut file, &calls).unwrap();
        let first = file.split(|byte| *byte == b'\n').next().unwrap();
        let first: serde_json::Value = serde_json::from_slice(first).unwrap();
        for field in ["call_ns", "return_ns", "thread", "op", "items", "id", "result", "deadline_ns"] {
            assert!(first.get(field).is_some(), "{field} in {first}");
        }
        let read = jsonl::read(&file[..]).unwrap().calls;
        assert_eq!(read.len(), calls.len());
        // The snapshot at rest is no call, so it is not in the file.
        let report = check(&read, &Options::default());
        assert_eq!(report.answers, outcome.report.answers);
        assert_eq!(report.oversold(), outcome.report.oversold());
        assert_eq!(report.is_clean(), mode == Mode::Earmark, "{report}");
    }
}

/// It runs free until its budget is used, and only that time counts.
#[test]
fn the_rate_is_of_the_time_spent_hammering() {
    let sale = Sale { calls_max: 6_000, ..small(Mode::Earmark, 1) };
    let (outcome, _) = hold(&sale);
    let Figures { hammer, pairs_per_second, reserved, refused, .. } = &outcome.figures;
    let rest = 3 * 64; // each of three stops before a burst that could be too much
    assert!((6_000 - rest..=6_000).contains(&hammer.calls), "{outcome}");
    assert!(hammer.pairs > 0 && u128::from(hammer.ns) < outcome.sold_for.as_nanos(), "{outcome}");
    let rate = hammer.pairs as f64 / hammer.ns as f64 * 1e9;
    assert!((rate - pairs_per_second).abs() < 1.0, "{rate} {pairs_per_second}");
    let (made, short) = (outcome.figures.agent_reserved(), outcome.figures.agent_refused());
    assert_eq!((made + hammer.pairs, short + hammer.refused), (*reserved, *refused));
    let object = outcome.to_json();
    for (name, is) in [("agent_reserved", made), ("agent_refused", short), ("hammer_pairs", hammer.pairs)] {
        assert_eq!(object[name], is);
    }
}

/// Without one, pairs are what agents do.
#[test]
fn without_a_hammer_the_rate_is_the_agents() {
    let (outcome, _) = hold(&small(Mode::Naive, 1));
    let figures = &outcome.figures;
    assert_eq!((figures.hammer.calls, figures.hammer.ns), (0, 0));
    let rate = figures.confirmed as f64 / outcome.sold_for.as_secs_f64();
    assert!((figures.pairs_per_second - rate).abs() < 1.0);
}

/// One agent and plenty of everything: each visit asks, in the order of visits.
#[test]
fn what_an_agent_wants_follows_from_the_seed_alone() {
    let wants = |seed, threads, calls_max| -> Vec<Items> {
        let sale = Sale { seed, threads, calls_max, agents: 1, stock: 1e6, seconds: 1.2, ..small(Mode::Earmark, 1) };
        let (_, calls) = hold(&sale);
        let asked = calls.into_iter().filter(|call| call.op == Op::Reserve && call.thread <= threads as u32);
        asked.filter(|call| call.result == history::Outcome::Ok).map(|call| call.items).take(4).collect()
    };
    let first = wants(1, 1, 0);
    assert_eq!(first.len(), 4, "it came often enough");
    assert_eq!(wants(1, 3, 20_000), first, "neither threads nor hammers matter");
    assert_eq!(wants(1, 1, 20_000), first);
    assert_ne!(wants(2, 1, 0), first);
}

#[test]
fn reads_are_in_the_history_and_not_judged() {
    for mode in [Mode::Earmark, Mode::Naive] {
        let (outcome, calls) = hold(&small(mode, 2));
        let reads = calls.iter().filter(|call| call.op == Op::Read).count() as u64;
        assert!(reads >= outcome.seen.reads && reads > 0, "{outcome}");
        assert_eq!(outcome.figures.checked_calls, calls.len() as u64 - reads);
    }
}

/// Nothing is refused to who reads and pays: a share of misleading reads would be a lie.
#[test]
fn a_naive_sale_tells_no_share_of_misleading_reads() {
    let (naive, _) = hold(&small(Mode::Naive, 3));
    assert!(naive.to_json()["reads_misled_share"].is_null() && !naive.to_string().contains("false availability"));
    let (kept, _) = hold(&small(Mode::Earmark, 3));
    assert!(kept.to_json()["reads_misled_share"].is_f64() && kept.to_string().contains("false availability"));
}

#[test]
fn reports_fit_eighty_columns_and_hold_words() {
    for mode in [Mode::Earmark, Mode::Naive] {
        let (mut outcome, _) = hold(&small(mode, 6));
        for _ in 0..2 {
            let text = outcome.to_string();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(!text.contains('{') && !text.contains(&u64::MAX.to_string()), "{text}");
            // A long sale on a large machine.
            outcome.seen.reads *= 1_000_000;
            outcome.figures.hammer.pairs *= 1_000;
            outcome.figures.sold *= 1_000_000;
        }
    }
}

#[test]
fn an_oversold_line_of_the_tail_is_named() {
    let (outcome, _) = hold(&Sale { stock: 0.05, ..small(Mode::Naive, 7) });
    let text = outcome.to_string();
    let over: Vec<_> = outcome.lines.iter().filter(|line| !line.hot && line.beyond > 0).collect();
    assert!(!over.is_empty(), "{text}");
    for line in over.iter().take(10) {
        assert!(text.contains(&format!("   {} ", line.name)), "{text}");
    }
    assert!(over.len() <= 10 || text.contains(&format!("and {} more", over.len() - 10)), "{text}");
}
