//! The picture: what an operation costs, by workload and subject, on a logarithmic scale.
//!
//! Bars in middle tones and text in the colour of the page (`prefers-color-scheme`), so that it can be read on light
//! and dark alike. By id; the upper bar of a pair is one thread, the lower, paler one two.

use std::fmt::Write as _;

use super::plan::EARMARK;
use super::table::{NS, Table, key};

/// Workloads shown, and what they are.
const SHOWN: &[(&str, &str)] = &[
    ("W1b", "reserve and end, a million others live (W1b)"),
    ("W1", "reserve and end at once (W1)"),
    ("W3", "the same, all on one line (W3)"),
    ("W5", "refused: sold out (W5)"),
];
/// The scale, in nanoseconds.
const FROM_NS: f64 = 1.0;
const TO_NS: f64 = 10_000.0;
const WIDTH: f64 = 760.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 10.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 34.0;
const FOOT: f64 = 26.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.h{font-weight:600}.n{font-size:10px}\
    .g{stroke:#8c959f;stroke-opacity:.35}.o{fill:#1a7f37}.o2{fill:#1a7f37;fill-opacity:.55}\
    .r{fill:#8c959f}.r2{fill:#8c959f;fill-opacity:.55}\
    @media(prefers-color-scheme:dark){text{fill:#d0d7de}.o,.o2{fill:#3fb950}}";

/// Where on the scale a figure ends, from 0 to 1.
fn share(ns: f64) -> f64 {
    (ns.clamp(FROM_NS, TO_NS) / FROM_NS).log10() / (TO_NS / FROM_NS).log10()
}

/// The picture's text.
pub(crate) fn svg(table: &Table) -> String {
    let mut body = String::new();
    let mut top = 8.0;
    for (workload, title) in SHOWN {
        let mut names: Vec<(&str, f64)> = table
            .beside(key(workload, 1, "id", ""))
            .filter(|row| super::plan::ABOUT.iter().any(|(name, _)| *name == row.key.subject))
            .filter_map(|row| Some((row.key.subject, row.median(NS)?)))
            .collect();
        if names.is_empty() {
            continue;
        }
        names.sort_by(|a, b| a.1.total_cmp(&b.1));
        let _ = writeln!(body, r#"<text class="h" x="{LEFT}" y="{:.0}">{title}, ns</text>"#, top + 18.0);
        top += HEAD - 8.0;
        let bottom = top + names.len() as f64 * ROW;
        let mut grid = FROM_NS;
        while grid <= TO_NS {
            let x = LEFT + share(grid) * (WIDTH - LEFT - RIGHT);
            let _ = writeln!(body, r#"<line class="g" x1="{x:.1}" x2="{x:.1}" y1="{top:.0}" y2="{bottom:.0}"/>"#);
            let _ = writeln!(
                body,
                r#"<text class="n" x="{x:.1}" y="{:.0}" text-anchor="middle">{grid}</text>"#,
                bottom + 12.0
            );
            grid *= 10.0;
        }
        for (name, _) in names {
            let (x, y) = (LEFT - 8.0, top + ROW / 2.0 + 4.0);
            let _ = writeln!(body, r#"<text x="{x}" y="{y:.0}" text-anchor="end">{name}</text>"#);
            let class = if name.starts_with(EARMARK) { "o" } else { "r" };
            for (threads, suffix, down) in [(1, "", 2.0), (2, "2", 2.0 + BAR)] {
                let Some(ns) = table.median(key(workload, threads, "id", name), NS) else { continue };
                let (y, long) = (top + down, (share(ns) * (WIDTH - LEFT - RIGHT)).max(1.0));
                let _ = writeln!(
                    body,
                    r#"<rect class="{class}{suffix}" x="{LEFT}" y="{y:.0}" width="{long:.1}" height="{BAR}"/>"#
                );
                let (x, y) = (LEFT + long + 4.0, y + BAR);
                let digits = if ns < 10.0 { 1 } else { 0 };
                let _ = writeln!(body, r#"<text class="n" x="{x:.1}" y="{y:.0}">{ns:.digits$}</text>"#);
            }
            top += ROW;
        }
        top = bottom + FOOT;
    }
    let _ = writeln!(
        body,
        r#"<text class="n" x="{LEFT}" y="{:.0}">shorter is better; scale logarithmic; upper bar 1 thread, lower bar 2, for each operation of a thread</text>"#,
        top + 4.0
    );
    let height = top + 14.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-label=\"nanoseconds for each operation, by subject\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::plan::{ABOUT, OWNED};

    #[test]
    fn the_scale_is_logarithmic() {
        assert_eq!([1.0, 100.0, 10_000.0].map(share), [0.0, 0.5, 1.0]);
        assert_eq!([0.1, 1e9].map(share), [0.0, 1.0]);
    }

    #[test]
    fn every_subject_of_every_shown_workload_is_in_it() {
        let mut table = Table::default();
        let subjects: Vec<&str> = ABOUT.iter().map(|(name, _)| *name).filter(|name| *name != OWNED).collect();
        for (workload, _) in SHOWN {
            for (at, subject) in subjects.iter().enumerate() {
                for threads in [1, 2] {
                    table.add(key(workload, threads, "id", subject), NS, 10.0 * (at + 1) as f64);
                }
            }
            table.add(key(workload, 1, "id", "three RMWs"), NS, 8.0);
        }
        let svg = svg(&table);
        for subject in &subjects {
            assert_eq!(svg.matches(&format!(">{subject}</text>")).count(), SHOWN.len(), "{subject}");
        }
        assert_eq!(svg.matches("<rect").count(), 2 * subjects.len() * SHOWN.len());
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(!svg.contains("three RMWs"));
    }
}
