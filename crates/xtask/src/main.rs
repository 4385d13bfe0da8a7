//! The project's own commands: `cargo xtask test`, `counts` and `bench`.
//!
//! | file | what it is |
//! |---|---|
//! | `suite` | the table of suites: what is run, with which flags, in what time |
//! | `seeded` | the table of seeded breaks: which known bug which test must catch |
//! | `rules` | rules of the house that no compiler checks |
//! | `stage` | one suite on its way: children, log, terminal |
//! | `must_fail` | plays the table of seeded breaks |
//! | `counts` | instructions of the hot operations against those recorded |
//! | `bench` | builds the judge and lets it measure |
//! | `fuzz` | the fuzz workspace still compiles |
//! | `debian` | what a suite needs of the system |
//! | `run` | one child process with a limit |
//! | `parse` | what the output of `cargo test` says |
//! | `source` | Rust text without comments and strings |
//! | `report` | the table at the end, the totals and the closing line |
//!
//! Unix only: a suite that hangs is ended by its process group.

mod bench;
mod counts;
mod debian;
mod fuzz;
mod house;
mod must_fail;
mod parse;
mod report;
mod rules;
mod run;
mod seeded;
mod source;
mod stage;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use house::House;
use report::Report;
use stage::Stage;
use suite::{SUITES, Suite};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Sets up what is missing and runs every test of the project.
    ///
    /// Each suite writes a log of its own under `target/xtask/`. The last line is
    /// `N passed, N failed, N skipped`; the exit code is not zero when anything failed.
    Test {
        /// Runs these suites alone (repeat it, or separate names by commas).
        #[arg(long, value_name = "SUITE", value_delimiter = ',')]
        only: Vec<String>,
        /// Shows the suites, their commands and budgets, and runs nothing.
        #[arg(long)]
        list: bool,
    },
    /// Counts the instructions of the hot operations and compares them with `.ci/counts.json`.
    ///
    /// Needs valgrind. What `cargo xtask test --only counts` does, and the way to record anew.
    Counts {
        /// Writes what was counted to `.ci/counts.json`.
        #[arg(long)]
        record: bool,
    },
    /// Measures the engine against its rivals: writes `benches/RESULTS.md`, `results.json`, the plot and the
    /// README's table.
    ///
    /// Ends within 15 minutes; let nothing else run meanwhile.
    Bench {
        /// Every subject at every workload.
        #[arg(long)]
        full: bool,
        /// What the judge takes: `--only W1,W3`, `--rounds 9`, `--seconds 0.5`; `-- --help` shows all of it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        judge: Vec<String>,
    },
}

fn main() -> ExitCode {
    let played = match Cli::parse().command {
        Task::Test { list: true, .. } => {
            print!("{}", suite::list());
            Ok(true)
        }
        Task::Test { only, .. } => test(&only),
        Task::Bench { full, judge } => House::find().and_then(|house| bench::bench(&house, full, &judge)),
        Task::Counts { record: false } => test(&["counts".into()]),
        Task::Counts { record: true } => play(&[&counts::RECORD], false),
    };
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
    }
}

/// Runs the chosen suites in the order of the table; says whether all went well.
fn test(only: &[String]) -> Result<bool, String> {
    let chosen = choose(only)?;
    play(&chosen, chosen.len() == SUITES.len())
}

fn play(chosen: &[&'static Suite], all: bool) -> Result<bool, String> {
    let house = House::find()?;
    let mut report = Report::new(all);
    for suite in chosen {
        let played = Stage::play(&house, suite, &report);
        report.add(played);
    }
    let text = report.text();
    print!("{text}");
    let summary = house.logs().join("summary.txt");
    std::fs::write(&summary, text).map_err(|e| format!("{}: {e}", summary.display()))?;
    Ok(report.is_green())
}

fn choose(only: &[String]) -> Result<Vec<&'static Suite>, String> {
    let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("no suite is called {unknown}; there are: {}", names.join(", ")));
    }
    let wanted = |suite: &&Suite| only.is_empty() || only.iter().any(|name| name == suite.name);
    Ok(SUITES.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_suite_is_refused_by_name() {
        let refused = choose(&["no_such".into()]).unwrap_err();
        assert!(refused.contains("no_such"));
        assert!(refused.contains("loom"));
    }

    #[test]
    fn no_choice_means_every_suite_and_a_choice_keeps_the_order_of_the_table() {
        assert_eq!(choose(&[]).unwrap().len(), SUITES.len());
        let two = choose(&["unit".into(), "rules".into()]).unwrap();
        assert_eq!(two.iter().map(|s| s.name).collect::<Vec<_>>(), ["rules", "unit"]);
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
