//! What users of the crate may rely on besides its functions.

use earmark_testkit::history::{Call, Id, Items, Names, Op, Outcome, Recorder, ThreadLog, jsonl};
use earmark_testkit::{Final, Options, Report, Rule, Violation, check};

#[test]
fn what_crosses_threads() {
    fn sends<T: Send>() {}
    fn shares<T: Send + Sync>() {}
    shares::<(Call, Id, Items, Names, Op, Outcome)>();
    shares::<(Final, Options, Report, Rule, Violation)>();
    shares::<(Recorder, jsonl::Reading, jsonl::ReadError)>();
    sends::<ThreadLog>();
}

/// A judge that shared the engine's code would share its mistakes.
#[test]
fn the_judge_does_not_know_the_engine() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    for line in dependencies.lines() {
        let name = line.split(['.', ' ', '=']).next().unwrap();
        assert_ne!(name, "earmark", "{line}");
    }
}

/// A call costs what it weighs: ten million of them are meant to fit.
#[test]
fn a_call_is_small() {
    assert_eq!(size_of::<Items>(), 16);
    assert!(size_of::<Call>() <= 96);
}

#[test]
fn nothing_is_clean_and_says_so() {
    let report = check(&[], &Options::default());
    assert!(report.is_clean());
    assert!(report.to_string().starts_with("clean: 0 calls"));
}

#[test]
fn a_report_names_what_it_found() {
    let calls = [Call::new(Op::Reserve, 1, 2).with_item(3, 4).with_id(5_u64)];
    let report = check(&calls, &Options::default());
    let told = report.to_string();
    assert!(told.starts_with("1 VIOLATIONS: 1 calls (1 ok"), "{told}");
    assert!(told.contains("Oversold: 1"), "{told}");
    let [Violation::Oversold { line: 3, at_ns: 2, held: 4, stock: 0, .. }] = report.details() else {
        panic!("{told}");
    };
}

/// A read is no promise: whatever it showed, nobody is accused, and it is not counted as judged.
#[test]
fn reads_are_passed_by() {
    let mut calls = vec![Call::new(Op::Open, 0, 1).with_item(0, 1)];
    let judged = check(&calls, &Options::default());
    calls.push(Call::new(Op::Read, 2, 3).with_item(0, 900));
    calls.push(Call::new(Op::Read, 9, 8).with_id(7_u64).with_result(Outcome::NotFound)); // nonsense
    assert_eq!(check(&calls, &Options::default()), judged);
}
