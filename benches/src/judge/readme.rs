//! The short table in the README, between two marks; what stands around it is left alone.

use std::fmt::Write as _;

use super::About;
use super::plan::{EARMARK, P_INT, P_STR, RIVALS};
use super::report::short;
use super::table::*;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";
/// What is shown: workload, by, threads, in words.
const SHOWN: &[(&str, &str, usize, &str)] = &[
    ("W1b", "id", 1, "reserve and end, a million others live"),
    ("W1b", "id", 2, "the same, 2 threads"),
    ("W1", "id", 1, "reserve and end at once"),
    ("W1", "id", 2, "the same, 2 threads"),
    ("W1", "name", 1, "by name"),
    ("W3", "id", 1, "all on one line"),
    ("W3", "id", 2, "the same, 2 threads"),
    ("W5", "id", 1, "refused: sold out"),
];

/// The README with a new table; `None` if it has no place for one.
pub(crate) fn rewritten(readme: &str, about: &About, table: &Table) -> Option<String> {
    let begin = readme.find(BEGIN)? + BEGIN.len();
    let end = begin + readme[begin..].find(END)?;
    Some(format!("{}\n{}{}", &readme[..begin], section(about, table), &readme[end..]))
}

fn section(about: &About, table: &Table) -> String {
    let mut text = String::from(
        "| ns for each operation of a thread | earmark | 64 locked shards | best rival |\n|---|---|---|---|\n",
    );
    for (workload, by, threads, what) in SHOWN {
        let at = |subject| key(workload, *threads, by, subject);
        let Some(ours) = table.median(at(EARMARK), NS) else { continue };
        let shards = table.median(at(if *by == "id" { P_INT } else { P_STR }), NS).map_or(String::new(), short);
        let best = table
            .beside(at(EARMARK))
            .filter(|row| RIVALS.contains(&row.key.subject))
            .filter_map(|row| Some((row.median(NS)?, row.key.subject)))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let best = best.map_or(String::new(), |(ns, name)| format!("{} ({name})", short(ns)));
        let _ = writeln!(text, "| {what} | {} | {shards} | {best} |", short(ours));
    }
    let _ = writeln!(text, "\n{}, {} cores; medians of {} rounds.", about.processor, about.cores, about.rounds);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let mut table = Table::default();
        for (subject, ns) in [(EARMARK, 50.0), (P_INT, 900.0), ("dashmap", 800.0)] {
            table.add(key("W1b", 1, "id", subject), NS, ns);
        }
        let readme = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = rewritten(&readme, &About::default(), &table).unwrap();
        assert!(new.starts_with(&format!("before\n{BEGIN}\n| ns")));
        assert!(new.ends_with(&format!("{END}\nafter\n")));
        assert!(new.contains("| reserve and end, a million others live | 50 | 900 | 800 (dashmap) |"));
        assert!(!new.contains("old"));
        assert_eq!(rewritten(&new, &About::default(), &table).unwrap(), new);
        assert_eq!(rewritten("no marks", &About::default(), &table), None);
    }

    #[test]
    fn our_own_readme_has_the_marks() {
        assert!(rewritten(include_str!("../../../README.md"), &About::default(), &Table::default()).is_some());
    }
}
