//! Small sales: kept promises through the engine, broken ones without it.

use earmark_examples::flash_sale::{Mode, Outcome, Sale, Screen};
use earmark_testkit::history::{Call, jsonl};
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
    let hammered = figures.reserved - counted[0]; // reserved and given back without a channel
    assert_eq!(counted[1], figures.confirmed);
    assert_eq!(counted[2] + hammered, figures.released, "{outcome}");
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
