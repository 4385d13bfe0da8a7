//! What came of a sale: as a report to read, and as one JSON object.

use std::fmt::{self, Write as _};
use std::time::Duration;

use earmark_testkit::Report;
use serde_json::{Value, json};

use super::figures::{Figures, Latency};
use super::sale::{Mode, Sale};
use super::text::{entry, length, thousands};

/// Rows of lines that are not hot, and oversold; violations and differences that are told.
const ROWS_MAX: usize = 10;
const TOLD_MAX: usize = 3;

/// What came of a sale.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The sale.
    pub sale: Sale,
    /// How long it was for the agents.
    pub simulated_s: f64,
    /// How long it took, the leaving of the last included.
    pub sold_for: Duration,
    /// Every line, the hot ones first.
    pub lines: Vec<LineOutcome>,
    /// What the history does not tell.
    pub seen: Seen,
    /// By channel: label, reserved, confirmed, released, expired; as the engine counts.
    pub channels: Vec<(String, [u64; 4])>,
    /// What the shop's own audit found wrong.
    pub audit: Vec<String>,
    /// What the history says.
    pub figures: Figures,
    /// What the judge says.
    pub report: Report,
}

/// One line after the sale.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineOutcome {
    /// Its SKU.
    pub name: String,
    /// Whether it was one of those that everybody wants.
    pub hot: bool,
    /// Units that came in.
    pub stock: u64,
    /// Units that were sold.
    pub sold: u64,
    /// Units sold beyond the stock, at the worst moment; a restock may have covered some later.
    pub beyond: u64,
}

/// What agents counted themselves, because it is not in the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Reads that showed enough and were followed by a reserve.
    pub reads: u64,
    /// Of those: the reserve was refused within 1.2 s of simulated time.
    pub misled: u64,
    /// Calls repeated under the same key.
    pub repeats: u64,
    /// Of those: answered as the first time.
    pub repeats_alike: u64,
    /// Confirms that came after the deadline.
    pub late: u64,
    /// Answers that nobody expected.
    pub odd: u64,
}

impl Seen {
    /// The share of reads that turned out false within 1.2 s.
    pub fn misled_share(&self) -> f64 {
        if self.reads == 0 { 0.0 } else { self.misled as f64 / self.reads as f64 }
    }
}

impl Outcome {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.report.is_clean() && self.figures.conserved && self.audit.is_empty()
    }

    /// One object with all figures.
    pub fn to_json(&self) -> Value {
        let Sale { mode, seed, threads, seconds, agents, calls_max, .. } = &self.sale;
        let mut object = figures_json(&self.figures);
        let line = |line: &LineOutcome| {
            let LineOutcome { name, stock, sold, beyond, .. } = line;
            json!({"sku": name, "stock": stock, "sold": sold, "oversold": beyond})
        };
        let lines: Vec<Value> = self.lines.iter().map(line).collect();
        let hammer = &self.figures.hammer;
        // Nothing is refused to who only reads and pays: it shows in what was sold, and not there.
        let misled = (*mode == Mode::Earmark).then_some(self.seen);
        let more = json!({
            "mode": match mode { Mode::Earmark => "earmark", Mode::Naive => "naive" },
            "seed": seed,
            "threads": threads,
            "seconds": seconds,
            "agents": agents,
            "simulated_seconds": self.simulated_s,
            "agent_reserved": self.figures.agent_reserved(),
            "agent_refused": self.figures.agent_refused(),
            "hammer_pairs": hammer.pairs,
            "hammer_refused": hammer.refused,
            "hammer_calls": hammer.calls,
            "hammer_seconds": hammer.ns as f64 / 1e9,
            "calls_max": calls_max,
            "reads": self.seen.reads,
            "reads_misled": misled.map(|seen| seen.misled),
            "reads_misled_share": misled.map(|seen| seen.misled_share()),
            "repeats": self.seen.repeats,
            "repeats_alike": self.seen.repeats_alike,
            "late_confirms_refused": self.seen.late,
            "clean": self.is_clean(),
            "lines": lines,
        });
        merge(&mut object, more);
        object
    }
}

/// The figures that every mode has.
pub(crate) fn figures_json(figures: &Figures) -> Value {
    let Latency { p50_ns, p99_ns, p999_ns, max_ns } = figures.reserve;
    json!({
        "sold": figures.sold,
        "refused": figures.refused,
        "contended": figures.contended,
        "expired": figures.expired,
        "reserved": figures.reserved,
        "confirmed": figures.confirmed,
        "released": figures.released,
        "oversold": figures.oversold,
        "false_sold_out": figures.false_sold_out,
        "violations": figures.violations,
        "checked_calls": figures.checked_calls,
        "conserved": figures.conserved,
        "pairs_per_second": figures.pairs_per_second,
        "granted_p50_ns": figures.granted.p50_ns,
        "granted_p99_ns": figures.granted.p99_ns,
        "p50_ns": p50_ns,
        "p99_ns": p99_ns,
        "p999_ns": p999_ns,
        "max_ns": max_ns,
    })
}

/// Adds the members of one object to another.
pub(crate) fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// The report to read.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n {:<14} {:>9} {:>9} {:>9}", "line", "stock", "sold", "beyond")?;
        for line in self.lines.iter().filter(|line| line.hot) {
            row(f, &line.name, line.stock, line.sold, line.beyond)?;
        }
        let tail = || self.lines.iter().filter(|line| !line.hot);
        row(
            f,
            &format!("{} others", tail().count()),
            tail().map(|line| line.stock).sum(),
            tail().map(|line| line.sold).sum(),
            tail().map(|line| line.beyond).sum(),
        )?;
        let beyond = || tail().filter(|line| line.beyond > 0);
        for line in beyond().take(ROWS_MAX) {
            row(f, &format!("  {}", line.name), line.stock, line.sold, line.beyond)?;
        }
        if let Some(more) = beyond().count().checked_sub(ROWS_MAX + 1) {
            writeln!(f, "   and {} more", more + 1)?;
        }
        if !self.channels.is_empty() {
            writeln!(
                f,
                "\n {:<14} {:>9} {:>9} {:>9} {:>9}",
                "channel", "reserved", "confirmed", "released", "expired"
            )?;
            for (label, figures) in &self.channels {
                let [reserved, confirmed, released, expired] = figures.map(thousands);
                writeln!(f, " {label:<14} {reserved:>9} {confirmed:>9} {released:>9} {expired:>9}")?;
            }
        }
        f.write_char('\n')?;
        self.write_agents(f)?;
        write_figures(f, &self.figures)?;
        let name = |line: u32| self.lines.get(line as usize).map_or(format!("line {line}"), |line| line.name.clone());
        write_verdict(f, self.is_clean(), &self.figures, &self.report, &self.audit, name)?;
        if self.sale.mode == Mode::Naive && self.figures.oversold > 0 {
            let units = thousands(self.figures.oversold);
            let what = format_args!("{units} units too many: nobody held them during payment");
            entry(f, "sold, not there", what)?;
        }
        Ok(())
    }
}

impl Outcome {
    fn write_agents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { hammer, .. } = &self.figures;
        let Seen { reads, misled, repeats, repeats_alike, late, odd } = self.seen;
        if self.sale.mode == Mode::Earmark {
            let [reserved, refused] = [self.figures.agent_reserved(), self.figures.agent_refused()].map(thousands);
            entry(f, "agents", format_args!("{reserved} reservations, {refused} reserves refused"))?;
            let share = self.seen.misled_share() * 100.0;
            let [reads, misled, repeats, alike, late] = [reads, misled, repeats, repeats_alike, late].map(thousands);
            entry(
                f,
                "false availability",
                format_args!(
                    "{share:.2} %: of {reads} reads that showed enough, {misled} were followed by a refused reserve \
                     within 1.2 s (simulated); a read is no promise"
                ),
            )?;
            entry(f, "same key", format_args!("{alike} of {repeats} repeated calls answered as the first time"))?;
            entry(f, "paid too late", format_args!("{late} confirms came after the deadline: refused"))?;
            let [pairs, refused, calls] = [hammer.pairs, hammer.refused, hammer.calls].map(thousands);
            let [most, time] = [thousands(self.sale.calls_max), length(hammer.ns)];
            entry(f, "hammer", format_args!("{pairs} pairs and {refused} refusals in {time}"))?;
            entry(f, "", format_args!("{calls} calls; it stops at {most}, for each is judged"))?;
        }
        if odd > 0 {
            entry(f, "unexpected", format_args!("{odd} answers that no agent should get"))?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, stock: u64, sold: u64, beyond: u64) -> fmt::Result {
    let [stock, sold, beyond] = [stock, sold, beyond].map(thousands);
    writeln!(f, " {name:<14} {stock:>9} {sold:>9} {beyond:>9}")
}

/// The figures that every mode has.
pub(crate) fn write_figures(f: &mut fmt::Formatter<'_>, figures: &Figures) -> fmt::Result {
    let [sold, refused, expired] = [figures.sold, figures.refused, figures.expired].map(thousands);
    let rate = thousands(figures.pairs_per_second as u64);
    entry(f, "sold", format_args!("{sold} units; {refused} reserves refused, {expired} expired"))?;
    let during = if figures.hammer.pairs > 0 { "while hammering" } else { "all in all" };
    entry(f, "pairs", format_args!("{rate} a second {during}: reserve and end, recorded"))?;
    let all = [("reserve call", figures.reserve), ("  granted ones", figures.granted)];
    for (label, Latency { p50_ns, p99_ns, p999_ns, max_ns }) in all {
        let [p50, p99, p999, max] = [p50_ns, p99_ns, p999_ns, max_ns].map(length);
        entry(f, label, format_args!("p50 {p50}, p99 {p99}, p99.9 {p999}, longest {max}"))?;
    }
    Ok(())
}

/// The last lines: what the judge says.
pub(crate) fn write_verdict(
    f: &mut fmt::Formatter<'_>,
    clean: bool,
    figures: &Figures,
    report: &Report,
    audit: &[String],
    line: impl Fn(u32) -> String,
) -> fmt::Result {
    let Figures { oversold, false_sold_out, checked_calls, .. } = figures;
    let [oversold, false_sold_out, calls] = [*oversold, *false_sold_out, *checked_calls].map(thousands);
    let conservation = if figures.conserved { "holds" } else { "BROKEN" };
    let verdict = if clean { "every promise was kept" } else { "PROMISES WERE BROKEN" };
    entry(f, "judged", format_args!("{calls} calls: {verdict}"))?;
    let counts = format_args!("oversold {oversold}, false sold-out {false_sold_out}, conservation {conservation}");
    entry(f, "", counts)?;
    for difference in audit.iter().take(ROWS_MAX) {
        entry(f, "audit", format_args!("{difference}"))?;
    }
    for violation in report.details().iter().take(TOLD_MAX) {
        entry(f, "", format_args!("{}", violation.in_words(&line)))?;
    }
    Ok(())
}
