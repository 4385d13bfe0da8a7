//! `RESULTS.md`: the machine, the bars, where earmark loses, and every row.

use std::fmt::Write as _;

use super::About;
use super::bars::{Bar, MACHINE, Verdict};
use super::plan::{ABOUT, EARMARK, RIVALS};
use super::table::*;

/// The whole file.
pub(crate) fn text(about: &About, table: &Table, bars: &[Bar], notes: &[String]) -> String {
    let mut text = String::from("# What was measured\n\n");
    text += "Written by `cargo xtask bench`; do not edit. How it is measured is said in `benches/src/workload/mod.rs`, \
             what is\ncompared in `benches/src/subjects/`. Compare ratios: absolute figures are this machine's, on that day.\n\n";
    text += &machine(about, table);
    for note in notes {
        let _ = writeln!(text, "- {note}");
    }
    text += "\n## The bars\n\n";
    text += &bars_table(bars);
    text += "\n## Where earmark loses, and why\n\n";
    text += &losses(table, bars);
    text += "\n## Who takes part\n\n| subject | what it is |\n|---|---|\n";
    for (name, what) in ABOUT {
        let _ = writeln!(text, "| {name} | {what} |");
    }
    text += "\n## All rows\n\nMedians over the rounds; `[low, high]` beside nanoseconds. Nanoseconds are for an operation of \
             each thread.\n";
    text += &rows(table);
    text
}

fn machine(about: &About, table: &Table) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}, {} cores ({} threads pinned); {}; {} rounds, subjects interleaved, their order rotated.\n",
        about.processor, about.cores, about.pinned, about.compiler, about.rounds
    );
    text += "| this machine's own cost | ns |\n|---|---|\n";
    for row in table.rows.iter().filter(|row| row.key.workload == MACHINE) {
        if let Some(spread) = row.figures.get(NS).and_then(|values| Spread::of(values)) {
            let _ = writeln!(text, "| {} | {} |", row.key.subject, with_spread(spread));
        }
    }
    text.push('\n');
    text
}

/// The bars, as a table.
pub(crate) fn bars_table(bars: &[Bar]) -> String {
    let mut text = String::from("| what | must | aim | measured | |\n|---|---|---|---|---|\n");
    for bar in bars {
        let sign = if bar.sense == super::bars::Sense::AtLeast { "≥" } else { "≤" };
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{sign} {}{}", short(value), bar.unit));
        let measured = bar.measured.map_or(String::new(), |spread| {
            format!("{}{} [{}, {}]", short(spread.median), bar.unit, short(spread.low), short(spread.high))
        });
        let verdict = match bar.verdict() {
            Verdict::Aim => "met, and the aim".to_string(),
            Verdict::Met => "met".to_string(),
            Verdict::Missed => format!("**missed**: {}", bar.why),
            Verdict::Void(why) => format!("void: {why}"),
            Verdict::NotRun => "not run".to_string(),
        };
        let _ =
            writeln!(text, "| {} | {} | {} | {measured} | {verdict} |", bar.what, number(bar.must), number(bar.aim));
    }
    text
}

/// Why a rival can be ahead, by workload.
const WHY: &[(&str, &str)] = &[
    ("W1", "a peer's few live reservations stay in the cache, and it has no expiry to pay for later"),
    ("W1b", "every call meets a slot that is not in the cache, as the peer's does"),
    ("W2", "lines that are drawn often stay in the cache, for the peer too"),
    ("W3", "beside the line a pair changes a slot, a mark for the wheel and its counts, and reads the time"),
    (
        "W4",
        "each reservation is made for a wheel that must bear tens of millions; with owner and key, three tables are filled",
    ),
    ("W5", "a refusal must be true at some moment inside the call: it looks at the earliest deadline, and is counted"),
    ("W5r", "one load of a random word; by name one cell before it"),
];

/// Rows in which a rival was faster, and bars that are missed.
fn losses(table: &Table, bars: &[Bar]) -> String {
    let mut text = String::new();
    for row in table.rows.iter().filter(|row| row.key.subject == EARMARK) {
        let Some(ours) = row.median(NS) else { continue };
        for rival in table.beside(row.key).filter(|row| RIVALS.contains(&row.key.subject)) {
            let Some(theirs) = rival.median(NS).filter(|theirs| *theirs < ours) else { continue };
            let Key { workload, threads, by, .. } = row.key;
            let why = WHY.iter().find(|(name, _)| *name == workload).map_or("", |(_, why)| why);
            let _ = writeln!(
                text,
                "- {workload} by {by}, {threads} thread(s): {} takes {} ns, earmark {} ns: {why}.",
                rival.key.subject,
                short(theirs),
                short(ours)
            );
        }
    }
    let missed = bars.iter().filter(|bar| bar.verdict() == Verdict::Missed).count();
    if text.is_empty() {
        text += "In no row was a rival faster.\n";
    }
    let _ = writeln!(text, "\n{missed} of {} bars are missed; the reason stands beside each above.", bars.len());
    text
}

/// Every row, a table for each workload.
pub(crate) fn rows(table: &Table) -> String {
    let mut text = String::new();
    let mut workloads: Vec<&str> = Vec::new();
    for row in &table.rows {
        if row.key.workload != MACHINE && !workloads.contains(&row.key.workload) {
            workloads.push(row.key.workload);
        }
    }
    for workload in workloads {
        let rows: Vec<&Row> = table.rows.iter().filter(|row| row.key.workload == workload).collect();
        let figures: Vec<&str> =
            FIGURES.iter().copied().filter(|figure| rows.iter().any(|row| row.figures.contains_key(figure))).collect();
        let _ = writeln!(text, "\n### {workload}\n\n| subject | by | threads | {} |", figures.join(" | "));
        let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(figures.len()));
        for row in rows {
            let Key { subject, by, threads, .. } = row.key;
            let cell = |figure: &&str| match row.figures.get(figure).and_then(|values| Spread::of(values)) {
                Some(spread) if *figure == NS => with_spread(spread),
                Some(spread) => short(spread.median),
                None => String::new(),
            };
            let cells: Vec<String> = figures.iter().map(cell).collect();
            let _ = writeln!(text, "| {subject} | {by} | {threads} | {} |", cells.join(" | "));
        }
    }
    text
}

fn with_spread(spread: Spread) -> String {
    format!("{} [{}, {}]", short(spread.median), short(spread.low), short(spread.high))
}

/// Three digits that count, or all of a whole number.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        return format!("{:.2} M", value / 1e6);
    }
    let digits = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::bars::{RMW, bars};

    #[test]
    fn numbers_are_short() {
        let shown = [1_590_000.0, 1_234.4, 12.34, 1.234, 0.5, 8.0, 40.0, 0.0].map(short);
        assert_eq!(shown, ["1.59 M", "1234", "12.3", "1.23", "0.5", "8", "40", "0"]);
    }

    #[test]
    fn where_a_rival_is_faster_it_says_so() {
        let mut table = Table::default();
        table.add(key(MACHINE, 1, "", RMW), NS, 2.6);
        for (subject, ns) in [(EARMARK, 20.0), ("P-int", 14.0), ("dashmap", 90.0)] {
            table.add(key("W5", 1, "id", subject), NS, ns);
        }
        let bars = bars(&table);
        let text = text(&About::default(), &table, &bars, &["a note".into()]);
        assert!(
            text.contains("W5 by id, 1 thread(s): P-int takes 14 ns, earmark 20 ns: a refusal must be true"),
            "{text}"
        );
        assert!(!text.contains("dashmap takes"));
        assert!(text.contains("**missed**: a refusal looks at"));
        assert!(text.contains("- a note"));
        assert!(text.contains("| P-int | id | 1 | 14 [14, 14] |"));
    }
}
