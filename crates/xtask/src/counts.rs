//! Instructions of the hot operations, counted by callgrind and compared with those kept in the repository.
//!
//! Counts do not depend on how busy a machine is. They do depend on compiler and target, so a record holds
//! for those it was made with; elsewhere the suite is not run.
//!
//! **I1** A count that went down is a failure too: recorded as it was, it would let as much creep in again.
//! **I2** The comparison is shown red in every run: an operation of which every 25th is done twice must not pass.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::debian::{has, install};
use crate::parse::Seen;
use crate::report::Outcome;
use crate::run::End;
use crate::stage::{Phase, Stage};
use crate::suite::{Suite, Work};

const KEPT: &str = ".ci/counts.json";
/// How far a count may lie from the one recorded: of it, up or down.
const DRIFT_MAX: f64 = 0.03;
/// What is shown red (I2), and every which time it is done twice: 4 % more.
const DEARER: &str = "reserve_confirm";
const DEARER_EVERY: u64 = 25;
/// The function inside which callgrind collects.
const COUNTED_PART: &str = "*counted_part*";
const BINARY: &str = "counted";
/// Anything of these in the environment would build something else than what ships.
const FLAGS: &[&str] = &["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_RUSTFLAGS"];
const PROFILE_FLAGS: &str = "CARGO_PROFILE_";

/// Instructions of one operation, by its name.
type Counts = BTreeMap<String, f64>;

/// What `cargo xtask counts --record` plays in place of the suite.
pub(crate) const RECORD: Suite = Suite {
    name: "counts",
    asks: "how many instructions does each hot operation take?",
    work: Work::Own(record),
    budget_s: 60,
    must_print: &[],
};

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    let path = stage.house().root().join(KEPT);
    let kept = match std::fs::read_to_string(&path).map_err(|e| e.to_string()).and_then(|text| parse(&text)) {
        Ok(kept) => kept,
        Err(why) => {
            stage.fail(format!("{KEPT}: {why}"));
            return Ok(());
        }
    };
    let here = Compiler::here()?;
    let Some(kept) = kept.iter().find(|record| record.compiler == here) else {
        let with: Vec<String> = kept.iter().map(|record| record.compiler.to_string()).collect();
        let why = format!("counts are recorded for {}, here is {here}: cargo xtask counts --record", with.join(", "));
        stage.report().outcome = Outcome::NotRun(why);
        return Ok(());
    };
    let Some((binary, now)) = count_all(stage)? else {
        return Ok(());
    };
    let mut seen = Seen::default();
    stage.say(&format!("{:<24}{:>10}{:>10}{:>8}", "operation", "recorded", "now", "drift"));
    for (name, was, is) in both(&kept.counts, &now) {
        stage.say(&row(name, was, is));
        match judge(was, is) {
            Ok(()) => seen.passed += 1,
            Err(why) => {
                seen.failed += 1;
                stage.fail(format!("{name}: {why}"));
            }
        }
    }
    seen.ran.push(format!("counts {} operations", now.len()));
    stage.say(&format!("ran: counts {} operations", now.len()));
    shown_red(stage, &binary, &now, &mut seen)?;
    stage.report().seen.push(seen);
    Ok(())
}

fn record(stage: &mut Stage<'_>) -> io::Result<()> {
    let path = stage.house().root().join(KEPT);
    let mut kept = std::fs::read_to_string(&path).ok().and_then(|text| parse(&text).ok()).unwrap_or_default();
    let here = Compiler::here()?;
    let Some((_, now)) = count_all(stage)? else {
        return Ok(());
    };
    let before = kept.iter().find(|record| record.compiler == here).map(|record| record.counts.clone());
    for (name, was, is) in both(&before.unwrap_or_default(), &now) {
        stage.say(&row(name, was, is));
    }
    // Of an older compiler nobody would keep the record true.
    kept.retain(|record| record.compiler.target != here.target);
    kept.push(Record { compiler: here, counts: now });
    std::fs::write(&path, text(&kept))?;
    stage.say(&format!("recorded in {KEPT}"));
    Ok(())
}

/// I2: what takes 4 % more than just now does not pass.
fn shown_red(stage: &mut Stage<'_>, binary: &Path, now: &Counts, seen: &mut Seen) -> io::Result<()> {
    let Some(is) = now.get(DEARER) else {
        stage.fail(format!("{DEARER} is not counted"));
        return Ok(());
    };
    let Some(dearer) = count(stage, binary, DEARER, Some(DEARER_EVERY))? else {
        return Ok(());
    };
    match judge(Some(*is), Some(dearer / times_of(stage, binary, DEARER)?)) {
        Err(why) => {
            stage.say(&format!("red, as it must be: {DEARER}, every {DEARER_EVERY}th twice: {why}"));
            seen.passed += 1;
        }
        Ok(()) => {
            stage.fail(format!("{DEARER}, every {DEARER_EVERY}th twice, is not found dearer: {is} {dearer}"));
            seen.failed += 1;
        }
    }
    Ok(())
}

/// Builds the binary and counts every operation; `None` if that was not possible, and the stage knows why.
fn count_all(stage: &mut Stage<'_>) -> io::Result<Option<(PathBuf, Counts)>> {
    if !has("valgrind") {
        install(stage, "valgrind")?;
    }
    if !has("valgrind") {
        let why = "no valgrind, which counts the instructions: install the Debian package valgrind";
        stage.report().outcome = Outcome::NotRun(why.into());
        return Ok(None);
    }
    let Some(binary) = build(stage)? else {
        return Ok(None);
    };
    let mut counts = Counts::new();
    for (name, times) in operations(stage, &binary)? {
        let Some(instructions) = count(stage, &binary, &name, None)? else {
            return Ok(None);
        };
        counts.insert(name, instructions / times);
    }
    Ok(Some((binary, counts)))
}

fn build(stage: &mut Stage<'_>) -> io::Result<Option<PathBuf>> {
    let mut cargo = stage.house().cargo(None, "");
    cargo.args(["build", "--release", "-p", "earmark-counts", "--message-format=json-render-diagnostics"]);
    let profile = std::env::vars_os().map(|(name, _)| name).filter(|n| n.to_string_lossy().starts_with(PROFILE_FLAGS));
    profile.chain(FLAGS.iter().map(Into::into)).for_each(|name| _ = cargo.env_remove(name));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", ""); // before what a configuration file says
    let mut found = None;
    if !stage.build(&mut cargo, &mut |line| found = executable(line).or(found.take()))? {
        return Ok(None);
    }
    if found.is_none() {
        stage.fail(format!("cargo names no binary {BINARY}"));
    }
    Ok(found)
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    (message.pointer("/target/name")? == BINARY).then(|| path.into())
}

/// The operations, and how often each is done.
fn operations(stage: &Stage<'_>, binary: &Path) -> io::Result<Vec<(String, f64)>> {
    let output = stage.house().command(binary).output()?;
    let read = |line: &str| {
        let (name, times) = line.split_once(' ')?;
        Some((name.to_string(), times.parse().ok()?))
    };
    let listed = String::from_utf8_lossy(&output.stdout).lines().map(read).collect::<Option<Vec<_>>>();
    listed.filter(|listed| !listed.is_empty()).ok_or_else(|| io::Error::other(format!("{BINARY} lists no operations")))
}

fn times_of(stage: &Stage<'_>, binary: &Path, name: &str) -> io::Result<f64> {
    let found = operations(stage, binary)?.into_iter().find(|(known, _)| known == name);
    found.map(|(_, times)| times).ok_or_else(|| io::Error::other(format!("{name} is not listed")))
}

/// Instructions of all the times that an operation is done.
fn count(stage: &mut Stage<'_>, binary: &Path, name: &str, again: Option<u64>) -> io::Result<Option<f64>> {
    let mut valgrind = stage.house().command("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(format!("--toggle-collect={COUNTED_PART}")).arg(binary).arg(name);
    valgrind.args(again.map(|again| again.to_string()));
    let mut collected = None;
    let limit = stage.time_left();
    let end = stage
        .quiet_child(Phase::Run, &mut valgrind, limit, &mut |line| collected = collected_in(line).or(collected))?;
    match (end, collected) {
        (End::Exited(status), Some(instructions)) if status.success() && instructions > 0 => {
            return Ok(Some(instructions as f64));
        }
        (End::Exited(status), Some(0)) if status.success() => stage.fail(format!("{name}: nothing was collected")),
        _ => stage.fail(format!("{name}: {end:?}, collected {collected:?}")),
    }
    Ok(None)
}

/// `==17== Collected : 412`.
fn collected_in(line: &str) -> Option<u64> {
    line.split_once("Collected : ")?.1.split_whitespace().next()?.parse().ok()
}

/// What the compiler calls itself, and what it compiles for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compiler {
    target: String,
    rustc: String,
}

impl Compiler {
    fn here() -> io::Result<Compiler> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc).arg("-vV").output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Compiler::of(&said).ok_or_else(|| io::Error::other(format!("rustc -vV says {said:?}")))
    }

    fn of(said: &str) -> Option<Compiler> {
        let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().into());
        Some(Compiler { target: value("host:")?, rustc: value("release:")? })
    }
}

impl std::fmt::Display for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rustc {} for {}", self.rustc, self.target)
    }
}

#[derive(Debug, PartialEq)]
struct Record {
    compiler: Compiler,
    counts: Counts,
}

/// `{ target: { "rustc": version, "instructions": { operation: count } } }`.
fn parse(text: &str) -> Result<Vec<Record>, String> {
    let json: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let record = |(target, record): (&String, &Value)| {
        let counts = record["instructions"].as_object()?.iter();
        let counts = counts.map(|(name, count)| Some((name.clone(), count.as_f64()?))).collect::<Option<_>>()?;
        let compiler = Compiler { target: target.clone(), rustc: record["rustc"].as_str()?.into() };
        Some(Record { compiler, counts })
    };
    let records = json.as_object().and_then(|records| records.iter().map(record).collect::<Option<Vec<_>>>());
    records.ok_or_else(|| "not a record of counts".into())
}

fn text(records: &[Record]) -> String {
    let hundredths = |count: f64| (count * 100.0).round() / 100.0;
    let record = |record: &Record| {
        let counts: BTreeMap<_, _> = record.counts.iter().map(|(name, count)| (name, hundredths(*count))).collect();
        (record.compiler.target.clone(), json!({ "rustc": record.compiler.rustc, "instructions": counts }))
    };
    let records: serde_json::Map<_, _> = records.iter().map(record).collect();
    format!("{:#}\n", Value::from(records))
}

/// Every operation that stands in one of the two, with both of its counts.
fn both<'a>(kept: &'a Counts, now: &'a Counts) -> Vec<(&'a str, Option<f64>, Option<f64>)> {
    let gone = kept.keys().filter(|name| !now.contains_key(*name));
    let of = |name: &'a String| (name.as_str(), kept.get(name).copied(), now.get(name).copied());
    now.keys().chain(gone).map(of).collect()
}

/// Whether a count may stand beside the one recorded.
fn judge(was: Option<f64>, is: Option<f64>) -> Result<(), String> {
    let (was, is) = match (was, is) {
        (Some(was), Some(is)) => (was, is),
        (None, _) => return Err("is not recorded: cargo xtask counts --record".into()),
        (_, None) => return Err("is recorded, and counted no longer".into()),
    };
    match is / was - 1.0 {
        drift if drift > DRIFT_MAX => Err(format!("{is:.2} instructions, {:.1} % more than recorded", drift * 100.0)),
        drift if drift < -DRIFT_MAX => Err(format!(
            "{is:.2} instructions, {:.1} % fewer than recorded; better: record it (cargo xtask counts --record)",
            -drift * 100.0
        )),
        drift if drift.is_nan() => Err(format!("{was} and {is} cannot be compared")),
        _ => Ok(()),
    }
}

fn row(name: &str, was: Option<f64>, is: Option<f64>) -> String {
    let number = |count: Option<f64>| count.map_or("-".into(), |count| format!("{count:.2}"));
    let drift = was.zip(is).map_or("-".into(), |(was, is)| format!("{:+.1} %", (is / was - 1.0) * 100.0));
    format!("{name:<24}{:>10}{:>10}{drift:>8}", number(was), number(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_percent_up_or_down_pass_and_more_does_not() {
        for (is, passes) in
            [(97.1, true), (100.0, true), (102.9, true), (103.1, false), (96.9, false), (f64::NAN, false)]
        {
            assert_eq!(judge(Some(100.0), Some(is)).is_ok(), passes, "{is}");
        }
        let (up, down) = (judge(Some(100.0), Some(104.0)).unwrap_err(), judge(Some(100.0), Some(50.0)).unwrap_err());
        assert!(up.contains("4.0 % more"), "{up}");
        assert!(down.contains("better: record it"), "{down}"); // I1
    }

    #[test]
    fn an_operation_that_stands_on_one_side_alone_does_not_pass() {
        let counts = |names: &[&str]| -> Counts { names.iter().map(|name| (name.to_string(), 7.0)).collect() };
        let (kept, now) = (counts(&["old", "same"]), counts(&["new", "same"]));
        let verdicts: Vec<_> =
            both(&kept, &now).into_iter().map(|(name, was, is)| (name, judge(was, is).is_ok())).collect();
        assert_eq!(verdicts, [("new", false), ("same", true), ("old", false)]);
    }

    #[test]
    fn what_is_recorded_reads_as_it_was() {
        let compiler = Compiler { target: "t".into(), rustc: "1.2.3".into() };
        let kept = [Record { compiler, counts: [("a".into(), 12.25)].into() }];
        assert_eq!(parse(&text(&kept)).unwrap(), kept);
        assert!(parse("{\"t\": {\"rustc\": \"1\"}}").is_err());
        assert!(parse("[]").is_err());
    }

    #[test]
    fn callgrind_and_the_compiler_are_understood() {
        assert_eq!(collected_in("==17== Collected : 412"), Some(412));
        assert_eq!(collected_in("==17== Events    : Ir"), None);
        let here = Compiler::of("rustc 1.2.3 (x)\nhost: a-b-c\nrelease: 1.2.3\n").unwrap();
        assert_eq!(here.to_string(), "rustc 1.2.3 for a-b-c");
    }
}
