//! What came of a sale: as a report to read, and as one JSON object.

use std::fmt::{self, Write as _};
use std::time::Duration;

use earmark_testkit::Report;
use serde_json::{Value, json};

use super::figures::{Figures, Latency};
use super::picture::{length, thousands};
use super::sale::{Mode, Sale};

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
        let Sale { mode, seed, threads, seconds, agents, .. } = &self.sale;
        let mut object = figures_json(&self.figures);
        let hot = self.lines.iter().filter(|line| line.hot);
        let hot: Vec<Value> =
            hot.map(|line| json!({"sku": line.name, "stock": line.stock, "sold": line.sold})).collect();
        let more = json!({
            "mode": match mode { Mode::Earmark => "earmark", Mode::Naive => "naive" },
            "seed": seed,
            "threads": threads,
            "seconds": seconds,
            "agents": agents,
            "simulated_seconds": self.simulated_s,
            "reads": self.seen.reads,
            "reads_misled": self.seen.misled,
            "reads_misled_share": self.seen.misled_share(),
            "repeats": self.seen.repeats,
            "repeats_alike": self.seen.repeats_alike,
            "late_confirms_refused": self.seen.late,
            "clean": self.is_clean(),
            "hot": hot,
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
            row(f, &line.name, line.stock, line.sold, line.sold.saturating_sub(line.stock))?;
        }
        let tail = || self.lines.iter().filter(|line| !line.hot);
        row(
            f,
            &format!("{} others", tail().count()),
            tail().map(|line| line.stock).sum(),
            tail().map(|line| line.sold).sum(),
            tail().map(|line| line.sold.saturating_sub(line.stock)).sum(),
        )?;
        if !self.channels.is_empty() {
            writeln!(f, "\n {:<14} {:>9} {:>9} {:>9} {:>9}", "channel", "reserved", "confirmed", "released", "expired")?;
            for (label, figures) in &self.channels {
                let label = if label.is_empty() { "(hammer)" } else { label };
                let [reserved, confirmed, released, expired] = figures.map(thousands);
                writeln!(f, " {label:<14} {reserved:>9} {confirmed:>9} {released:>9} {expired:>9}")?;
            }
        }
        f.write_char('\n')?;
        self.write_agents(f)?;
        write_figures(f, &self.figures)?;
        write_verdict(f, self.is_clean(), &self.report, &self.audit)?;
        if self.sale.mode == Mode::Naive && self.figures.oversold > 0 {
            let units = thousands(self.figures.oversold);
            writeln!(f, " {units} units were sold that were not there: nobody held them while the payment ran.")?;
        }
        Ok(())
    }
}

impl Outcome {
    fn write_agents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { reads, misled, repeats, repeats_alike, late, odd } = self.seen;
        writeln!(
            f,
            " false availability  {:.2} %: of {} reads that showed enough, {} were followed by a refused\n\
             {:21}reserve within 1.2 s of simulated time (a read promises nothing)",
            self.seen.misled_share() * 100.0,
            thousands(reads),
            thousands(misled),
            "",
        )?;
        if self.sale.mode == Mode::Earmark {
            let [repeats, alike, late] = [repeats, repeats_alike, late].map(thousands);
            writeln!(f, " same key            {alike} of {repeats} repeated calls were answered as the first time")?;
            writeln!(f, " paid too late       {late} confirms after the deadline, all refused")?;
        }
        if odd > 0 {
            writeln!(f, " unexpected          {} answers that no agent should get", thousands(odd))?;
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
    let Latency { p50_ns, p99_ns, p999_ns, max_ns } = figures.reserve;
    let [p50, p99, p999, max] = [p50_ns, p99_ns, p999_ns, max_ns].map(length);
    let rate = thousands(figures.pairs_per_second as u64);
    writeln!(f, " sold                {sold} units; {refused} reserves refused, {expired} reservations expired")?;
    writeln!(f, " pairs               {rate} a second, reserve and end, each call timed and recorded")?;
    writeln!(f, " reserve call        p50 {p50}, p99 {p99}, p99.9 {p999}, longest {max}")
}

/// The last lines: what the judge says.
pub(crate) fn write_verdict(f: &mut fmt::Formatter<'_>, clean: bool, report: &Report, audit: &[String]) -> fmt::Result {
    let verdict = if clean { "every promise was kept" } else { "PROMISES WERE BROKEN" };
    writeln!(
        f,
        " judged              {} calls: {} oversold, {} false sold-out, conservation {}; {verdict}",
        thousands(report.calls),
        report.oversold(),
        report.false_sold_out(),
        if report.conservation() == 0 { "holds" } else { "BROKEN" },
    )?;
    for line in audit.iter().take(10) {
        writeln!(f, "   audit: {line}")?;
    }
    for violation in report.details().iter().take(if clean { 0 } else { 5 }) {
        writeln!(f, "   {violation:?}")?;
    }
    Ok(())
}
