//! Plays the table of seeded breaks: builds once per kind, then starts the test binaries directly.
//!
//! **M1** A red counts only if the same test is green without the bug.
//! **M2** A red counts only if the test itself panicked and said what its row says: not a hang, not a crash
//! without a panic, not a limit of the tool, not another assertion, not a path that no test has.
//! **M3** Every loom model of the engine must catch a bug.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::parse::{Counts, Seen, break_names};
use crate::run::End;
use crate::seeded::{BREAKS, Break, Build, Red, Test};
use crate::source::{code_of, is_word};
use crate::stage::{Phase, Stage};

const ENGINE: &str = "crates/earmark";
const ENGINE_SOURCE: &str = "crates/earmark/src";
const ENGINE_TABLE: &str = "crates/earmark/src/seeded.rs";
/// The suite that plays every loom model.
const LOOM_SUITE: &str = "loom";

/// Panics that are no finding: the model was too big, or the break is unknown to the build.
const EXCUSES: &[&str] = &["Model exceeded maximum number of branches", "names no break of this build"];

type Binaries = BTreeMap<(Build, &'static str), PathBuf>;

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    let path = stage.house().root().join(ENGINE_TABLE);
    match std::fs::read_to_string(&path) {
        Ok(source) => disagreements(&break_names(&source)).into_iter().for_each(|why| stage.fail(why)),
        Err(why) => stage.fail(format!("{ENGINE_TABLE}: {why}")),
    }
    let models = loom_models(&stage.house().root().join(ENGINE_SOURCE))?;
    unproved(&models).into_iter().for_each(|why| stage.fail(why));
    let Some(binaries) = build(stage)? else {
        return Ok(());
    };
    let green = green(stage, &binaries)?;
    let mut seen = Seen::default();
    for seeded in BREAKS {
        let mut caught = true;
        for red in seeded.red {
            let verdict = match green.contains(&red.test) {
                true => catch(stage, &binaries, seeded, *red)?,
                false => Err("it is not green without the bug".into()),
            };
            match verdict {
                Ok(how) => seen.ran.push(format!("{} caught by {red} {how}", seeded.name)),
                Err(why) => {
                    caught = false;
                    stage.fail(format!("{} not caught by {red}: {why}", seeded.name));
                }
            }
        }
        if caught {
            seen.passed += 1;
        } else {
            seen.failed += 1;
        }
    }
    stage.say(&format!("{} of {} breaks caught", seen.passed, BREAKS.len()));
    stage.report().seen.push(seen);
    Ok(())
}

/// Names that stand in the engine or here, not in both.
fn disagreements(engine: &BTreeSet<String>) -> Vec<String> {
    let ours: BTreeSet<String> = BREAKS.iter().map(|seeded| seeded.name.to_string()).collect();
    let missing = engine.difference(&ours).map(|name| format!("{name} is in the engine, no test must catch it"));
    let unknown = ours.difference(engine).map(|name| format!("{name} is in the table, the engine does not know it"));
    missing.chain(unknown).collect()
}

/// Builds each kind once and finds its binaries; `None` when something does not build.
fn build(stage: &mut Stage<'_>) -> io::Result<Option<Binaries>> {
    let wanted: BTreeSet<(Build, &'static str)> = tests().map(|test| (test.build, test.binary)).collect();
    let mut binaries = Binaries::new();
    for kind in [Build::Loom, Build::Engine] {
        let names: Vec<&'static str> = wanted.iter().filter(|(build, _)| *build == kind).map(|(_, b)| *b).collect();
        if names.is_empty() {
            continue;
        }
        let mut cargo = stage.house().cargo(Some(kind.target()), kind.rustflags());
        // Link-time optimisation costs minutes here and hides no bug of ours.
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics", "-p", "earmark"]);
        cargo.args(["--profile", kind.profile()]);
        for name in &names {
            match *name {
                "lib" => cargo.arg("--lib"),
                test => cargo.args(["--test", test]),
            };
        }
        let mut found = BTreeMap::new();
        let built = stage.build(&mut cargo, &mut |line| found.extend(executable(line)))?;
        if !built {
            return Ok(None);
        }
        for name in names {
            match found.remove(name) {
                Some(path) => _ = binaries.insert((kind, name), path),
                None => stage.fail(format!("cargo names no test binary {name} of this build: {kind:?}")),
            }
        }
    }
    Ok(Some(binaries))
}

/// A test binary in a line of cargo's JSON: (`lib` or the test's name, its path).
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    message.pointer("/profile/test")?.as_bool().filter(|test| *test)?;
    let target = message.get("target")?;
    let is = |kind: &str| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind));
    let name = if is("lib") { "lib" } else { target["name"].as_str().filter(|_| is("test"))? };
    Some((name.to_string(), PathBuf::from(path)))
}

/// The tests that are green without any break (M1). The models of the suite `loom`, if that was green just now,
/// are; the others are played, all of a binary in one call, and one by one only if that is red.
fn green(stage: &mut Stage<'_>, binaries: &Binaries) -> io::Result<BTreeSet<Test>> {
    let known = stage.passed_before(LOOM_SUITE);
    let (mut green, unknown): (BTreeSet<Test>, BTreeSet<Test>) = tests().partition(|t| known && t.build == Build::Loom);
    let mut kinds: BTreeMap<(Build, &str), Vec<Test>> = BTreeMap::new();
    for test in unknown {
        kinds.entry((test.build, test.binary)).or_default().push(test);
    }
    for tests in kinds.into_values() {
        if is_green(stage, binaries, &tests)? {
            green.extend(tests);
            continue;
        }
        for test in tests {
            if is_green(stage, binaries, &[test])? {
                green.insert(test);
            } else {
                stage.fail(format!("{test} is red, missing or too slow without any break"));
            }
        }
    }
    Ok(green)
}

/// Whether each of these tests of one binary runs and passes.
fn is_green(stage: &mut Stage<'_>, binaries: &Binaries, tests: &[Test]) -> io::Result<bool> {
    let Some(mut command) = command(stage, binaries, tests) else {
        return Ok(false);
    };
    let (end, output) = play(stage, &mut command, stage.time_left())?;
    Ok(end.is_success() && counts(&output).is_some_and(|counts| counts.passed == tests.len() as u64))
}

/// How the bug was caught, or why it was not.
fn catch(stage: &mut Stage<'_>, binaries: &Binaries, seeded: &Break, red: Red) -> io::Result<Result<String, String>> {
    let Some(mut command) = command(stage, binaries, &[red.test]) else {
        return Ok(Err("no binary".into()));
    };
    command.env("EARMARK_BREAK", seeded.name);
    let started = Instant::now();
    let limit = Duration::from_secs(red.limit_s).min(stage.time_left());
    let (end, output) = play(stage, &mut command, limit)?;
    let took = started.elapsed().as_secs_f64();
    Ok(judge(end, &output, red).map(|said| format!("in {took:.1} s: {said}")))
}

/// A binary started as cargo would start it, on these of its tests alone.
fn command(stage: &Stage<'_>, binaries: &Binaries, tests: &[Test]) -> Option<Command> {
    let first = tests.first()?;
    let home = stage.house().root().join(ENGINE);
    let mut command = stage.house().command(binaries.get(&(first.build, first.binary))?);
    command.args(tests.iter().map(|test| test.path));
    command.args(["--exact", "--include-ignored", "--nocapture", "--test-threads", "2"]);
    command.current_dir(&home).env("CARGO_MANIFEST_DIR", &home).env("RUST_BACKTRACE", "0");
    // A failure on purpose is neither shrunk nor written into the tree.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
    Some(command)
}

/// Every test of the table, once.
fn tests() -> impl Iterator<Item = Test> {
    let all: BTreeSet<Test> = BREAKS.iter().flat_map(|seeded| seeded.red).map(|red| red.test).collect();
    all.into_iter()
}

fn play(stage: &mut Stage<'_>, test: &mut Command, limit: Duration) -> io::Result<(End, Vec<String>)> {
    let mut output = Vec::new();
    let end = stage.quiet_child(Phase::Run, test, limit, &mut |line| output.push(line.to_string()))?;
    Ok((end, output))
}

fn counts(output: &[String]) -> Option<Counts> {
    output.iter().find_map(|line| Counts::of(line))
}

/// M2. `Ok` holds the first line of what the test said.
fn judge(end: End, output: &[String], red: Red) -> Result<String, String> {
    if end == End::TimedOut {
        return Err("it hangs, which is no answer".into());
    }
    if let Some(excuse) = EXCUSES.iter().find(|excuse| output.iter().any(|line| line.contains(*excuse))) {
        return Err(format!("red for another reason: {excuse}"));
    }
    if end.is_success() {
        let ran = counts(output).map_or(0, |counts| counts.passed);
        return Err(if ran == 0 { "no test has this path".into() } else { "it stays green".into() });
    }
    let said = panics_of(output, red.test.path);
    match said.iter().find(|said| said.contains(red.says)) {
        Some(said) => Ok(said.lines().next().unwrap_or_default().chars().take(120).collect()),
        None if said.is_empty() => Err("it crashed without a panic of this test".into()),
        None => Err(format!("red for another reason: {:?} does not say {:?}", said[0], red.says)),
    }
}

/// What the thread of this test said when it panicked: `thread 'a::b' (12) panicked at ...` and the lines behind.
fn panics_of(output: &[String], path: &str) -> Vec<String> {
    let is_panic = |line: &str| {
        let thread = line.trim_start().strip_prefix("thread '").and_then(|rest| rest.split_once('\''));
        thread.is_some_and(|(name, rest)| name == path && rest.contains(" panicked at "))
    };
    let ends = |line: &str| ["note: ", "thread '", "test ", "failures:"].iter().any(|end| line.starts_with(end));
    let said = |at: usize| output[at + 1..].iter().take_while(|line| !ends(line)).map(|line| line.trim());
    let starts = (0..output.len()).filter(|at| is_panic(&output[*at]));
    starts.map(|at| said(at).collect::<Vec<_>>().join("\n")).collect()
}

/// M3: models that stand in no row.
fn unproved(models: &BTreeSet<String>) -> Vec<String> {
    let name = |test: Test| test.path.rsplit("::").next().unwrap_or_default().to_string();
    let proved: BTreeSet<String> = tests().filter(|test| test.build == Build::Loom).map(name).collect();
    models.difference(&proved).map(|model| format!("no bug must turn the model {model} red")).collect()
}

/// The loom models of a source folder: `fn loom_...`.
fn loom_models(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut models = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            models.append(&mut loom_models(&entry.path())?);
        } else if entry.path().extension().is_some_and(|end| end == "rs") {
            models.append(&mut models_of(&std::fs::read_to_string(entry.path())?));
        }
    }
    Ok(models)
}

fn models_of(source: &str) -> BTreeSet<String> {
    let code = code_of(source);
    let names = code.split("fn ").skip(1).map(|rest| rest.chars().take_while(|c| is_word(*c)).collect::<String>());
    names.filter(|name| name.starts_with("loom_")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn exit(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    const MODEL: &str = "stock::loom_tests::loom_no_double_booking";
    const RED: &str = "running 1 test
thread 'stock::loom_tests::loom_no_double_booking' (9) panicked at src/stock/loom_tests.rs:9:5:
assertion `left == right` failed: R1: two units of one
  left: 2
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 8 filtered out; finished in 0.1s";
    const GREEN: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 8 filtered out";

    fn red(path: &'static str, says: &'static str) -> Red {
        Red { test: Test { build: Build::Loom, binary: "lib", path }, says, limit_s: 1 }
    }

    #[test]
    fn a_test_that_says_what_its_row_says_is_a_catch() {
        let said = judge(exit(101), &lines(RED), red(MODEL, "R1: two units"));
        assert_eq!(said, Ok("assertion `left == right` failed: R1: two units of one".into()));
        assert!(judge(exit(101), &lines(RED), red(MODEL, "left: 2")).is_ok(), "any line of the panic");
    }

    #[test]
    fn red_for_another_reason_is_no_catch() {
        let why = judge(exit(101), &lines(RED), red(MODEL, "P1: oversold")).unwrap_err();
        assert!(why.contains("another reason"), "{why}");
        let why = judge(exit(101), &lines(RED), red("loom_no_double_booking", "R1")).unwrap_err();
        assert!(why.contains("without a panic of this test"), "{why}");
    }

    #[test]
    fn a_panic_that_ends_the_process_is_a_catch_only_in_the_thread_of_the_test() {
        let abort = End::Exited(ExitStatus::from_raw(6));
        let cut = lines(RED)[..3].to_vec();
        assert!(judge(abort, &cut, red(MODEL, "R1")).is_ok());
        assert!(judge(abort, &cut, red("stock::loom_tests::loom_slot_reuse", "R1")).is_err());
    }

    #[test]
    fn nothing_else_is_a_catch() {
        let red = red(MODEL, "R1");
        assert!(judge(exit(0), &lines(GREEN), red).unwrap_err().contains("stays green"));
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out";
        assert!(judge(exit(0), &lines(none), red).unwrap_err().contains("no test has this path"));
        assert!(judge(End::TimedOut, &lines(RED), red).unwrap_err().contains("hangs"));
        assert!(judge(End::Exited(ExitStatus::from_raw(11)), &[], red).unwrap_err().contains("crashed"));
        assert!(judge(exit(101), &lines("error: unexpected argument"), red).unwrap_err().contains("crashed"));
    }

    #[test]
    fn a_limit_of_the_tool_or_an_unknown_break_is_no_catch() {
        for excuse in EXCUSES {
            let output = RED.replace("R1: two units of one", excuse);
            let why = judge(exit(101), &lines(&output), red(MODEL, "")).unwrap_err();
            assert!(why.contains("another reason"), "{why}");
        }
    }

    #[test]
    fn a_model_in_no_row_is_found() {
        let source = "// fn loom_in_a_comment()\n#[test]\nfn loom_new_race() {} fn helper() {} fn bloom_x() {}";
        assert_eq!(models_of(source), BTreeSet::from(["loom_new_race".to_string()]));
        assert_eq!(unproved(&models_of(source)).len(), 1);
        let known = tests().find(|test| test.build == Build::Loom).unwrap().path.rsplit("::").next().unwrap();
        assert_eq!(unproved(&BTreeSet::from([known.to_string()])), [""; 0]);
    }

    #[test]
    fn names_in_one_place_only_are_found_both_ways() {
        let mut engine: BTreeSet<String> = BREAKS.iter().map(|seeded| seeded.name.to_string()).collect();
        assert_eq!(disagreements(&engine), [""; 0]);
        engine.remove(BREAKS[0].name);
        engine.insert("L_new_one".into());
        let found = disagreements(&engine).join("; ");
        assert!(found.contains("L_new_one is in the engine"), "{found}");
        assert!(found.contains(&format!("{} is in the table", BREAKS[0].name)), "{found}");
    }

    #[test]
    fn test_binaries_are_found_in_the_messages_of_cargo() {
        let lib = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"earmark"},"profile":{"test":true},"executable":"/t/earmark-1"}"#;
        let test = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"history"},"profile":{"test":true},"executable":"/t/history-1"}"#;
        assert_eq!(executable(lib), Some(("lib".into(), PathBuf::from("/t/earmark-1"))));
        assert_eq!(executable(test), Some(("history".into(), PathBuf::from("/t/history-1"))));
        assert_eq!(executable(&lib.replace("\"test\":true", "\"test\":false")), None);
        assert_eq!(executable(&lib.replace("\"/t/earmark-1\"", "null")), None);
        assert_eq!(executable("   Compiling earmark"), None);
    }
}
