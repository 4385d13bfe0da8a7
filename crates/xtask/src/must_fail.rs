//! Plays the table of seeded breaks: builds once per kind, then starts the test binaries directly.
//!
//! **M1** A red counts only if the same test is green without the bug.
//! **M2** A red counts only if a test failed: not a hang, not a crash without a panic, not a limit of
//! the tool, not a filter that nothing matches.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::parse::{Counts, Seen, break_names};
use crate::run::End;
use crate::seeded::{BREAKS, Break, Build, Red};
use crate::stage::{Phase, Stage};

const ENGINE: &str = "crates/earmark";
const ENGINE_TABLE: &str = "crates/earmark/src/seeded.rs";

/// Panics that are no finding: the model was too big, or the break is unknown to the build.
const EXCUSES: &[&str] = &["Model exceeded maximum number of branches", "names no break of this build"];

type Binaries = BTreeMap<(Build, &'static str), PathBuf>;

pub(crate) fn suite(stage: &mut Stage<'_>) -> io::Result<()> {
    let path = stage.house().root().join(ENGINE_TABLE);
    match std::fs::read_to_string(&path) {
        Ok(source) => disagreements(&break_names(&source)).into_iter().for_each(|why| stage.fail(why)),
        Err(why) => stage.fail(format!("{ENGINE_TABLE}: {why}")),
    }
    let Some(binaries) = build(stage)? else {
        return Ok(());
    };
    let all: BTreeSet<Red> = BREAKS.iter().flat_map(|seeded| seeded.red).copied().collect();
    let mut green = BTreeSet::new();
    for red in all {
        if is_green(stage, &binaries, red)? {
            green.insert(red); // M1
        }
    }
    let mut seen = Seen::default();
    for seeded in BREAKS {
        let mut caught = true;
        for red in seeded.red {
            let verdict = match green.contains(red) {
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
    let wanted: BTreeSet<(Build, &'static str)> =
        BREAKS.iter().flat_map(|seeded| seeded.red).map(|red| (red.build, red.binary)).collect();
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

fn is_green(stage: &mut Stage<'_>, binaries: &Binaries, red: Red) -> io::Result<bool> {
    let Some(mut test) = test(stage, binaries, red) else {
        return Ok(false);
    };
    let (end, output) = play(stage, &mut test, stage.time_left())?;
    let ran = counts(&output).map(|counts| counts.passed + counts.failed);
    let why = match end {
        End::TimedOut => "does not end in time",
        End::Exited(status) if !status.success() => "is red",
        End::Exited(_) if ran.unwrap_or(0) == 0 => "matches no test",
        End::Exited(_) => return Ok(true),
    };
    stage.fail(format!("{red} {why} without any break"));
    Ok(false)
}

/// How the bug was caught, or why it was not.
fn catch(stage: &mut Stage<'_>, binaries: &Binaries, seeded: &Break, red: Red) -> io::Result<Result<String, String>> {
    let Some(mut test) = test(stage, binaries, red) else {
        return Ok(Err("no binary".into()));
    };
    test.env("EARMARK_BREAK", seeded.name);
    let started = Instant::now();
    let limit = Duration::from_secs(red.limit_s).min(stage.time_left());
    let (end, output) = play(stage, &mut test, limit)?;
    let took = started.elapsed().as_secs_f64();
    Ok(judge(end, &output, red.filter).map(|said| format!("in {took:.1} s: {said}")))
}

/// The binary started as cargo would start it, on this filter alone.
fn test(stage: &Stage<'_>, binaries: &Binaries, red: Red) -> Option<Command> {
    let home = stage.house().root().join(ENGINE);
    let mut test = stage.house().command(binaries.get(&(red.build, red.binary))?);
    test.args([red.filter, "--include-ignored", "--nocapture", "--test-threads", "2"]);
    test.current_dir(&home).env("CARGO_MANIFEST_DIR", &home).env("RUST_BACKTRACE", "0");
    // A failure on purpose is neither shrunk nor written into the tree.
    test.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
    Some(test)
}

fn play(stage: &mut Stage<'_>, test: &mut Command, limit: Duration) -> io::Result<(End, Vec<String>)> {
    let mut output = Vec::new();
    let end = stage.quiet_child(Phase::Run, test, limit, &mut |line| output.push(line.to_string()))?;
    Ok((end, output))
}

fn counts(output: &[String]) -> Option<Counts> {
    output.iter().find_map(|line| Counts::of(line))
}

/// M2. `Ok` holds the first line of what the failing test said.
fn judge(end: End, output: &[String], filter: &str) -> Result<String, String> {
    if end == End::TimedOut {
        return Err("it hangs, which is no answer".into());
    }
    if let Some(excuse) = EXCUSES.iter().find(|excuse| output.iter().any(|line| line.contains(*excuse))) {
        return Err(format!("red for another reason: {excuse}"));
    }
    if end.is_success() {
        let ran = counts(output).map_or(0, |counts| counts.passed);
        return Err(if ran == 0 { "no test matches".into() } else { "it stays green".into() });
    }
    let panicked = output.iter().position(|line| is_panic_of(line, filter));
    let failed = counts(output).is_some_and(|counts| counts.failed > 0);
    match panicked {
        Some(at) => Ok(output.get(at + 1).map_or("", |said| said.trim()).chars().take(120).collect()),
        None if failed => Ok("a test failed".into()),
        None => Err("it crashed without a failed test".into()),
    }
}

/// `thread 'stock::loom_x' (12) panicked at ...`, for a test that the filter matches.
fn is_panic_of(line: &str, filter: &str) -> bool {
    let thread = line.trim_start().strip_prefix("thread '").and_then(|rest| rest.split_once('\''));
    thread.is_some_and(|(name, rest)| name.contains(filter) && rest.contains(" panicked at "))
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

    const RED: &str = "running 1 test
thread 'stock::loom_tests::loom_no_double_booking' (9) panicked at src/stock/loom_tests.rs:9:5:
R1: two units of one
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 8 filtered out; finished in 0.1s";
    const GREEN: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 8 filtered out";

    #[test]
    fn a_failed_test_is_a_catch_and_says_what_it_saw() {
        assert_eq!(judge(exit(101), &lines(RED), "loom_no_double_booking"), Ok("R1: two units of one".into()));
    }

    #[test]
    fn a_panic_that_ends_the_process_is_a_catch_only_in_the_thread_of_the_test() {
        let abort = End::Exited(ExitStatus::from_raw(6));
        let cut = lines(RED)[..3].to_vec();
        assert!(judge(abort, &cut, "loom_no_double_booking").is_ok());
        assert!(judge(abort, &cut, "loom_slot_reuse").is_err());
    }

    #[test]
    fn nothing_else_is_a_catch() {
        assert!(judge(exit(0), &lines(GREEN), "loom_").unwrap_err().contains("stays green"));
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out";
        assert!(judge(exit(0), &lines(none), "loom_").unwrap_err().contains("no test matches"));
        assert!(judge(End::TimedOut, &lines(RED), "loom_").unwrap_err().contains("hangs"));
        assert!(judge(End::Exited(ExitStatus::from_raw(11)), &[], "loom_").unwrap_err().contains("crashed"));
        assert!(judge(exit(101), &lines("error: unexpected argument"), "loom_").unwrap_err().contains("crashed"));
    }

    #[test]
    fn a_limit_of_the_tool_or_an_unknown_break_is_no_catch() {
        for excuse in EXCUSES {
            let output = RED.replace("R1: two units of one", excuse);
            let why = judge(exit(101), &lines(&output), "loom_no_double_booking").unwrap_err();
            assert!(why.contains("another reason"), "{why}");
        }
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
