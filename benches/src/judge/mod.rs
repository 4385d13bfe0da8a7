//! The judge: `cargo xtask bench`.
//!
//! Subjects are interleaved in rounds in one process: in a round each runs once, and the order is rotated from round
//! to round, so that whatever disturbs the machine disturbs all alike. What is compared is the ratio of each round;
//! its median and its spread are reported. The machine's own costs are measured at the start of each round. What
//! measures memory runs in child processes, one after the other.

mod anchors;
mod bars;
mod child;
mod json;
mod plan;
mod plot;
mod readme;
mod report;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use crate::alloc;
use crate::crew::Crew;
use crate::machine::{self, Machine};
use crate::names::{LINES, Names};
use crate::subjects::earmark::{Earmark, Id};
use crate::subjects::sharded::PInt;
use crate::workload::{Runner, latency, life};
use bars::{LOAD, MACHINE, RMW, THREE_RMW};
use child::What;
use plan::{EARMARK, Group, LIVES, OWNED, P_INT, P_STR};
use table::{NS, NS_NO_EXPIRY, P50, P99, P999, Table, VISITS, key};

/// Threads of the crew: no workload asks for more.
const THREADS: usize = 2;
/// Reservations of W4: earmark's, and a rival's in a quick run.
const LIVES_OURS: usize = 10_000_000;
const LIVES_RIVALS: usize = 1_000_000;
/// Reserves of *steady* in a virtual second.
const STEADY_RATE: usize = 1_000_000;
/// By how much fewer where it takes too long.
const STEADY_PART: usize = 4;
/// Memory that a reservation with owner and key may need here, for the look whether there is enough.
const OWNED_BYTES_GUESS: u64 = 1_100;
/// So many when there is not.
const OWNED_FEWER: usize = 1_000_000;
/// Rounds of W4 for the two that a bar compares.
const LIFE_ROUNDS: usize = 3;

/// Measures earmark against its rivals and writes `benches/RESULTS.md`, `results.json`, the plot and the README's table.
#[derive(Debug, Parser)]
#[command(name = "judge")]
struct Options {
    /// Every subject at every workload, and W4 of the rivals with as many reservations as ours.
    #[arg(long)]
    full: bool,
    /// Only these: W1, W1b, W2, W3, W5, W5r, tail, W4, steady. Nothing is written then.
    #[arg(long, value_delimiter = ',', value_name = "WORKLOAD")]
    only: Vec<String>,
    /// Rounds of each group; fewer than five are too few to report, and nothing is written then.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one timed run, about.
    #[arg(long, default_value_t = 0.1)]
    seconds: f64,
    /// Reservations of W4 (earmark's).
    #[arg(long, default_value_t = LIVES_OURS)]
    reservations: usize,
    /// Reserves of *steady* in a virtual second.
    #[arg(long, default_value_t = STEADY_RATE)]
    rate: usize,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// What the judge starts for itself.
    #[command(hide = true)]
    Child { what: What, subject: String, count: usize },
}

/// Fewest rounds of a report.
const ROUNDS_MIN: usize = 5;
const WORKLOADS: &[&str] = &["W1b", "W1", "W2", "W3", "W5", "W5r", "tail", "W4", "steady"];

/// Where and how it was measured.
#[derive(Debug, Default)]
struct About {
    processor: String,
    compiler: String,
    cores: usize,
    pinned: usize,
    rounds: usize,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.child {
        Some(Child::Child { what, subject, count }) => {
            child::play(*what, subject, *count).map(|figures| println!("{figures}"))
        }
        None => judge(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("judge: {why}");
            ExitCode::FAILURE
        }
    }
}

struct Judge<'a> {
    options: &'a Options,
    names: Names,
    crew: Crew,
    machine: Machine,
    table: Table,
    notes: Vec<String>,
    began: Instant,
}

fn judge(options: &Options) -> Result<(), String> {
    if let Some(unknown) = options.only.iter().find(|name| !WORKLOADS.contains(&name.as_str())) {
        return Err(format!("no workload is called {unknown}; there are: {}", WORKLOADS.join(", ")));
    }
    if options.rounds == 0 {
        return Err("at least one round".into());
    }
    let mut judge = Judge {
        options,
        names: Names::new(LINES),
        crew: Crew::new(THREADS),
        machine: Machine::new(),
        table: Table::default(),
        notes: Vec::new(),
        began: Instant::now(),
    };
    judge.settle_threads();
    for group in plan::groups(options.full) {
        if judge.wants(group.workload) {
            judge.group(&group);
        }
    }
    if judge.wants("tail") {
        judge.tail();
    }
    if judge.wants("W4") {
        judge.lives()?;
    }
    if judge.wants("steady") {
        judge.steady()?;
    }
    judge.finish()
}

impl Judge<'_> {
    fn wants(&self, workload: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|only| only == workload)
    }

    fn say(&self, what: &str) {
        println!("{:5.0} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Lets each thread meet the engine in order, so that they have a lane each whatever runs first.
    fn settle_threads(&self) {
        use crate::subjects::{Shop, Subject};
        let names = Names::new(1);
        let shop = Shop { names: &names, stock: 1, ttl_ms: 1, room: 1 };
        let small = std::sync::Arc::new(Earmark::<Id>::open(&shop));
        let line = small.keys(&names, &[0])[0];
        for thread in 0..self.crew.threads() {
            let jobs = (0..=thread).map(|at| {
                let small = std::sync::Arc::clone(&small);
                move || {
                    let hold = small.reserve(&line, Earmark::<Id>::ttl(1_000));
                    (at == thread).then_some(hold).flatten().is_some_and(|hold| small.release(hold))
                }
            });
            let _ = self.crew.run(jobs.collect());
        }
    }

    fn costs(&mut self) -> machine::Costs {
        let costs = self.machine.measure(&self.crew);
        for (subject, threads, ns) in [
            (RMW, 1, costs.fetch_sub),
            ("load and compare-exchange, uncontended", 1, costs.load_cas),
            (THREE_RMW, 1, costs.three_rmw),
            (LOAD, 1, costs.load),
            ("fetch_sub, 2 threads on one word", 2, costs.contended),
            ("Instant::now", 1, costs.clock),
            ("dependent load in 64 MiB", 1, costs.miss),
        ] {
            self.table.add(key(MACHINE, threads, "", subject), NS, ns);
        }
        costs
    }

    fn group(&mut self, group: &Group) {
        let Group { workload, work, threads, by, subjects } = group;
        self.say(&format!("{workload} by {by}, {threads} thread(s): {} subjects", subjects.len()));
        let length = Duration::from_secs_f64(self.options.seconds);
        let mut runners: Vec<(&'static str, Box<dyn Runner>)> = subjects
            .iter()
            .map(|(name, open)| (*name, open(*work, *threads, length, &self.names, &self.crew)))
            .collect();
        for round in 0..self.options.rounds {
            let costs = self.costs();
            for (workloads, subject, ns) in [("W3", THREE_RMW, costs.three_rmw), ("W5", LOAD, costs.load)] {
                if *workload == workloads {
                    self.table.add(key(workload, *threads, by, subject), NS, ns);
                }
            }
            let count = runners.len();
            for at in 0..count {
                let (name, runner) = &mut runners[(at + round) % count];
                let sample = runner.run(&self.crew);
                let key = key(workload, *threads, by, name);
                self.table.add(key, NS, sample.ns_per_op);
                if name.starts_with(EARMARK) {
                    self.table.add(key, NS_NO_EXPIRY, sample.ns_no_expiry);
                    self.table.add(key, VISITS, sample.visits_per_op);
                }
            }
        }
    }

    fn tail(&mut self) {
        self.say("tail: single calls of W1 on 2 threads");
        let mut runners = [
            (EARMARK, latency::open::<Earmark<Id>>(THREADS, &self.names)),
            (P_INT, latency::open::<PInt>(THREADS, &self.names)),
        ];
        let mut overheads = Vec::new();
        for round in 0..self.options.rounds {
            overheads.push(latency::overhead());
            for at in 0..runners.len() {
                let (name, runner) = &mut runners[(at + round) % 2];
                let tail = runner.run(&self.crew);
                for (figure, ns) in [(P50, tail.p50), (P99, tail.p99), (P999, tail.p999)] {
                    self.table.add(key("W1", THREADS, "id", name), figure, ns);
                }
            }
        }
        let overhead = table::median(&overheads);
        self.notes.push(format!(
            "Every sample of the tail (p50, p99, p999 of W1) contains {overhead:.0} ns for reading the counter."
        ));
    }

    fn lives(&mut self) -> Result<(), String> {
        let ours = self.options.reservations;
        let rivals = if self.options.full { ours } else { LIVES_RIVALS.min(ours) };
        for round in 0..LIFE_ROUNDS {
            for (subject, by, _) in LIVES {
                let compared = matches!(*subject, EARMARK | P_STR);
                if round > 0 && !compared {
                    continue;
                }
                let mut count = if subject.starts_with(EARMARK) { ours } else { rivals };
                let there_is = life::memory_to_be_had();
                if *subject == OWNED && there_is > 0 && there_is < OWNED_BYTES_GUESS * count as u64 {
                    count = OWNED_FEWER.min(count);
                    self.notes
                        .push(format!("With owner and key {count} lived, not {ours}: there was no memory for more."));
                }
                self.say(&format!("W4: {subject}, {count} reservations"));
                child::start(&mut self.table, key("W4", 1, by, subject), What::Life, count)?;
            }
        }
        if rivals < ours {
            self.notes.push(format!(
                "W4 of the rivals was played with {rivals} reservations, earmark's with {ours}; fewer fit the caches better."
            ));
        }
        self.notes.push("W4 without moka: its clock cannot be set.".into());
        Ok(())
    }

    /// At the rate that was asked for, or, where that takes too long, at the first of its quarters that does not.
    fn steady(&mut self) -> Result<(), String> {
        let row = key("steady", 1, "id", EARMARK);
        let mut rate = self.options.rate;
        loop {
            self.say(&format!("steady: {rate} reserves a virtual second"));
            child::start(&mut self.table, row, What::Steady, rate)?;
            if self.table.row(row).is_some() {
                break;
            }
            rate /= STEADY_PART;
            if rate == 0 {
                return Err("steady takes too long at any rate".into());
            }
        }
        if rate != STEADY_RATE {
            self.notes.push(format!(
                "*steady* ran with {rate} reserves a virtual second, not {STEADY_RATE}, which took too long here; nothing \
                 was scaled, so its peak says less than the bar asks."
            ));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), String> {
        let (plain, through) = alloc::overhead();
        self.notes.push(format!(
            "The judge's allocator counts in child processes only; elsewhere 64 bytes cost {plain:.1} ns to take and give \
             back directly, {through:.1} ns through it."
        ));
        let about = About {
            processor: machine::processor(),
            compiler: machine::compiler(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            pinned: self.crew.pinned(),
            rounds: self.options.rounds,
        };
        let bars = bars::bars(&self.table);
        println!("\n{}\n{}", report::bars_table(&bars), report::rows(&self.table));
        self.notes.iter().for_each(|note| println!("- {note}"));
        let partial = !self.options.only.is_empty()
            || self.options.rounds < ROUNDS_MIN
            || (self.options.reservations, self.options.rate) != (LIVES_OURS, STEADY_RATE);
        if partial {
            self.say("done; only a part was run, or too little of it, so nothing is written");
            return Ok(());
        }
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        write(&home.join("RESULTS.md"), &report::text(&about, &self.table, &bars, &self.notes))?;
        write(&home.join("results.json"), &json::text(&about, &self.table, &bars))?;
        write(&home.join("results.svg"), &plot::svg(&self.table))?;
        let path = home.join("../README.md");
        let readme = std::fs::read_to_string(&path).map_err(|error| format!("README.md: {error}"))?;
        let readme = readme::rewritten(&readme, &about, &self.table).ok_or("README.md has no marks for its table")?;
        write(&path, &readme)?;
        self.say("done; benches/RESULTS.md, results.json, results.svg and the README's table are written");
        Ok(())
    }
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn an_unknown_workload_is_refused_by_name() {
        let options = Options::parse_from(["judge", "--only", "W1,W9"]);
        let refused = judge(&options).unwrap_err();
        assert!(refused.contains("W9"));
        assert!(refused.contains("steady"));
    }

    #[test]
    fn every_group_can_be_chosen() {
        assert!(plan::groups(true).iter().all(|group| WORKLOADS.contains(&group.workload)));
    }
}
