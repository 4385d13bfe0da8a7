//! One suite on its way: it starts children, keeps the log, and tells the terminal what matters.

use std::fs::File;
use std::io::{self, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::house::House;
use crate::parse::Reader;
use crate::report::{Outcome, Report, SuiteReport};
use crate::run::{End, run};
use crate::suite::{CargoTest, Expect, Said, Suite, Work};

/// A build that takes longer than this hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// A sign of life on the terminal while nothing worth telling comes.
const SILENCE: Duration = Duration::from_secs(60);
/// Lines of the log that a failed suite shows.
const TAIL: usize = 40;

/// On what account the time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Build,
    Run,
}

pub(crate) struct Stage<'a> {
    house: &'a House,
    suite: &'static Suite,
    log: File,
    tail: Vec<String>,
    unseen: Vec<Said>,
    report: SuiteReport,
    before: &'a Report,
}

impl<'a> Stage<'a> {
    /// Plays a suite from beginning to end, after those reported `before`. An error of ours is a failure of the
    /// suite.
    pub(crate) fn play(house: &'a House, suite: &'static Suite, before: &'a Report) -> SuiteReport {
        println!("== {}: {}", suite.name, suite.asks);
        let mut stage = match Stage::open(house, suite, before) {
            Ok(stage) => stage,
            Err(why) => {
                return SuiteReport::new(suite).failed(format!("its log cannot be written: {why}"));
            }
        };
        let played = match suite.work {
            Work::Tests(calls) => calls.iter().try_for_each(|call| stage.cargo_test(call)),
            Work::Own(own) => own(&mut stage),
        };
        if let Err(why) = played {
            stage.fail(format!("could not be played: {why}"));
        }
        stage.close()
    }

    fn open(house: &'a House, suite: &'static Suite, before: &'a Report) -> io::Result<Stage<'a>> {
        let log = File::create(house.logs().join(format!("{}.log", suite.name)))?;
        let unseen = suite.must_print.to_vec();
        Ok(Stage { house, suite, log, tail: Vec::new(), unseen, report: SuiteReport::new(suite), before })
    }

    fn close(mut self) -> SuiteReport {
        if self.report.outcome == Outcome::Passed {
            for said in std::mem::take(&mut self.unseen) {
                self.fail(format!("no line of its output says {said}"));
            }
        }
        if self.report.ran_for > self.report.budget {
            let (took, budget) = (self.report.ran_for.as_secs(), self.report.budget.as_secs());
            self.fail(format!("ran {took} s, over its budget of {budget} s"));
        }
        if matches!(self.report.outcome, Outcome::Failed(_)) {
            println!("   the last lines of target/xtask/{}.log:", self.suite.name);
            self.tail.iter().for_each(|line| println!("   | {line:.200}"));
        }
        println!("   {}\n", self.report.outcome);
        self.report
    }

    pub(crate) fn house(&self) -> &'a House {
        self.house
    }

    /// Whether this suite passed before this one began, in the same run.
    pub(crate) fn passed_before(&self, suite: &str) -> bool {
        self.before.has_passed(suite)
    }

    pub(crate) fn report(&mut self) -> &mut SuiteReport {
        &mut self.report
    }

    /// The suite has failed; it may go on to find more.
    pub(crate) fn fail(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.say(&format!("FAILED: {why}"));
        self.report.fail(why);
    }

    /// A line for the terminal and the log.
    pub(crate) fn say(&mut self, line: &str) {
        println!("   {line}");
        self.write(line);
    }

    fn write(&mut self, line: &str) {
        let _ = writeln!(self.log, "{line}");
        if self.tail.len() == TAIL {
            self.tail.remove(0);
        }
        self.tail.push(line.to_string());
        self.unseen.retain(|said| !said.is_in(line));
    }

    /// What is left for running: twice the budget, so that a suite that is a little too slow still
    /// says what it found.
    pub(crate) fn time_left(&self) -> Duration {
        (2 * self.report.budget).saturating_sub(self.report.ran_for)
    }

    /// Runs a child, logs what it prints and tells the terminal the lines that matter.
    pub(crate) fn child(
        &mut self,
        phase: Phase,
        command: &mut Command,
        limit: Duration,
        line: &mut dyn FnMut(&str),
    ) -> io::Result<End> {
        let started = Instant::now();
        let mut spoke = started;
        self.quiet_child(phase, command, limit, &mut |text| {
            if matters(text) {
                println!("   | {}", text.trim());
                spoke = Instant::now();
            } else if spoke.elapsed() > SILENCE {
                println!("   ... {} s: {}", started.elapsed().as_secs(), text.trim());
                spoke = Instant::now();
            }
            line(text);
        })
    }

    /// The same without the terminal.
    pub(crate) fn quiet_child(
        &mut self,
        phase: Phase,
        command: &mut Command,
        limit: Duration,
        line: &mut dyn FnMut(&str),
    ) -> io::Result<End> {
        self.write(&format!("$ {}", shown(command)));
        let started = Instant::now();
        let end = run(command, limit, &mut |text| {
            self.write(text);
            line(text);
        })?;
        match phase {
            Phase::Build => self.report.built_for += started.elapsed(),
            Phase::Run => self.report.ran_for += started.elapsed(),
        }
        self.write(&format!("[{end:?} after {:.1} s]", started.elapsed().as_secs_f64()));
        Ok(end)
    }

    /// Builds; a build that fails has failed the suite.
    pub(crate) fn build(&mut self, command: &mut Command, line: &mut dyn FnMut(&str)) -> io::Result<bool> {
        let end = self.child(Phase::Build, command, BUILD_LIMIT, line)?;
        if end == End::TimedOut {
            self.fail(format!("building took over {} s", BUILD_LIMIT.as_secs()));
        } else if !end.is_success() {
            self.fail(format!("does not build: {}", shown(command)));
        }
        Ok(end.is_success())
    }

    fn cargo_test(&mut self, call: &CargoTest) -> io::Result<()> {
        let cargo = |more: &[&str]| {
            let mut cargo = self.house.cargo(call.flags.target(), call.flags.rustflags());
            cargo.arg("test").args(call.build).args(more);
            cargo
        };
        let mut run = cargo(&["--no-fail-fast", "--"]);
        run.args(call.tests);
        // Documentation tests have nothing to build ahead.
        let builds_ahead = !call.build.contains(&"--doc");
        if builds_ahead && !self.build(&mut cargo(&["--no-run"]), &mut |_| {})? {
            return Ok(());
        }
        let mut reader = Reader::default();
        let end = self.child(Phase::Run, &mut run, self.time_left(), &mut |line| reader.line(line))?;
        let seen = reader.finish();
        let empty: Vec<String> =
            seen.binaries.iter().filter(|(_, ran)| *ran == 0).map(|(binary, _)| binary.clone()).collect();
        let (ran, failed) = (seen.passed + seen.failed, seen.failed);
        self.report.seen.push(seen);
        match end {
            End::TimedOut => self.fail(format!("ended by force: {}", call.shown())),
            End::Exited(_) if failed > 0 => self.fail(format!("{failed} failed: {}", call.shown())),
            End::Exited(status) if !status.success() => self.fail(format!("{status}: {}", call.shown())),
            End::Exited(_) if ran == 0 => self.fail(format!("no test ran: {}", call.shown())),
            End::Exited(_) if call.expect == Expect::EveryBinary && !empty.is_empty() => {
                self.fail(format!("no test ran in {}: {}", empty.join(", "), call.shown()));
            }
            End::Exited(_) => {}
        }
        Ok(())
    }
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().rsplit('/').next().unwrap_or_default().to_string()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Whether a line is worth the terminal's space; the log has them all.
fn matters(line: &str) -> bool {
    let line = line.trim_start();
    let starts = ["test result:", "ran: ", "not run: ", "error", "Running ", "Doc-tests "];
    starts.iter().any(|start| line.starts_with(start))
        || line.contains(" panicked at ")
        || (line.starts_with("test ") && (line.ends_with("FAILED") || line.contains(" ... ran: ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_gets_results_and_failures_and_not_every_line() {
        assert!(matters("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"));
        assert!(matters("test a::b ... FAILED"));
        assert!(matters("thread 'a::b' (12) panicked at src/lib.rs:1:1:"));
        assert!(matters("test loom_a ... ran: loom a 3 permutations, bound none, 0.0 s"));
        assert!(!matters("test a::b ... ok"));
        assert!(!matters("   Compiling earmark v0.1.0"));
    }

    #[test]
    fn a_command_is_shown_without_the_place_of_its_program() {
        assert_eq!(shown(Command::new("/somewhere/bin/cargo").args(["test", "--lib"])), "cargo test --lib");
    }
}
