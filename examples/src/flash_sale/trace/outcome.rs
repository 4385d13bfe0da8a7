//! What came of a replay: as a report to read, and as one JSON object.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use earmark_testkit::Report;
use serde_json::{Value, json};

use super::super::figures::Figures;
use super::super::outcome::{entry, figures_json, merge, write_figures, write_verdict};
use super::super::picture::thousands;
use super::engine::Verdict;
use super::read::Sales;
use super::{Replay, Share};

/// What came of a replay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TraceOutcome {
    /// Threads that booked.
    pub threads: usize,
    /// The part of all demand that was in stock at first.
    pub stock_share: Share,
    /// Data rows of the file.
    pub rows: u64,
    /// Rows passed over, by kind.
    pub bad: BTreeMap<&'static str, u64>,
    /// Stock codes.
    pub skus: usize,
    /// Invoice numbers.
    pub invoices: usize,
    /// Invoices that wanted something.
    pub carts: u64,
    /// Of those: sold as a whole.
    pub carts_reserved: u64,
    /// Of those: refused as a whole.
    pub carts_short: u64,
    /// Units that came back, and units that were to be written off.
    pub returned: u64,
    /// Units that were to be written off.
    pub written_off: u64,
    /// How long the booking took.
    pub took: Duration,
    /// Where it differed from the plain book-keeping; `None` if it was not compared.
    pub differs: Option<Vec<String>>,
    /// What the engine's own audit found wrong.
    pub audit: Vec<String>,
    /// What the history says.
    pub figures: Figures,
    /// What the judge says.
    pub report: Report,
}

impl TraceOutcome {
    #[allow(clippy::too_many_arguments, reason = "it is the list of what came of it")]
    pub(super) fn new(
        replay: &Replay,
        sales: &Sales,
        verdicts: &[Option<Verdict>],
        took: Duration,
        differs: Option<Vec<String>>,
        audit: Vec<String>,
        figures: Figures,
        report: Report,
    ) -> TraceOutcome {
        let count = |is: fn(&Verdict) -> bool| verdicts.iter().flatten().filter(|verdict| is(verdict)).count() as u64;
        TraceOutcome {
            threads: replay.threads,
            stock_share: replay.stock_share,
            rows: sales.rows,
            bad: sales.bad.clone(),
            skus: sales.skus.len(),
            invoices: sales.invoices.len(),
            carts: count(|_| true),
            carts_reserved: count(|verdict| *verdict == Verdict::Sold),
            carts_short: count(|verdict| matches!(verdict, Verdict::Short(_))),
            returned: sales.invoices.iter().flat_map(|invoice| invoice.returned.values()).sum(),
            written_off: sales.invoices.iter().flat_map(|invoice| invoice.written_off.values()).sum(),
            took,
            differs,
            audit,
            figures,
            report,
        }
    }

    /// Rows passed over.
    pub fn bad_rows(&self) -> u64 {
        self.bad.values().sum()
    }

    /// Carts in a second of booking.
    pub fn carts_per_second(&self) -> f64 {
        self.carts as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Whether it equals the plain book-keeping, cart by cart; `None` if it was not compared.
    pub fn matches_reference(&self) -> Option<bool> {
        self.differs.as_ref().map(Vec::is_empty)
    }

    /// Whether every promise was kept, and the books are those of the plain book-keeping.
    pub fn is_clean(&self) -> bool {
        self.report.is_clean()
            && self.figures.conserved
            && self.audit.is_empty()
            && self.matches_reference() != Some(false)
    }

    /// One object with all figures.
    pub fn to_json(&self) -> Value {
        let mut object = figures_json(&self.figures);
        let more = json!({
            "mode": "trace",
            "threads": self.threads,
            "stock_share": self.stock_share.to_f64(),
            "rows": self.rows,
            "bad_rows": self.bad_rows(),
            "bad_rows_by_kind": self.bad,
            "skus": self.skus,
            "invoices": self.invoices,
            "carts": self.carts,
            "carts_reserved": self.carts_reserved,
            "carts_short": self.carts_short,
            "units_returned": self.returned,
            "units_to_write_off": self.written_off,
            "carts_per_second": self.carts_per_second(),
            "matches_reference": self.matches_reference(),
            "clean": self.is_clean(),
        });
        merge(&mut object, more);
        object
    }
}

/// The report to read.
impl fmt::Display for TraceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, invoices, skus] = [self.rows, self.invoices as u64, self.skus as u64].map(thousands);
        let share = self.stock_share;
        entry(
            f,
            "trace",
            format_args!("{rows} rows, {invoices} invoices, {skus} SKUs; in stock at first: {share} of demand"),
        )?;
        for (kind, rows) in &self.bad {
            entry(f, "passed over", format_args!("{} rows: {kind}", thousands(*rows)))?;
        }
        let [carts, sold, short] = [self.carts, self.carts_reserved, self.carts_short].map(thousands);
        let rate = thousands(self.carts_per_second() as u64);
        entry(f, "carts", format_args!("{carts}: {sold} reserved and confirmed, {short} short; {rate} a second"))?;
        let [returned, written_off] = [self.returned, self.written_off].map(thousands);
        entry(f, "besides", format_args!("{returned} units came back, {written_off} were to be written off"))?;
        write_figures(f, &self.figures)?;
        match &self.differs {
            None => entry(f, "book-keeping", format_args!("not compared: {} threads book in any order", self.threads))?,
            Some(none) if none.is_empty() => {
                entry(f, "book-keeping", format_args!("equal to the plain one, cart by cart and SKU by SKU"))?;
            }
            Some(differs) => {
                entry(f, "book-keeping", format_args!("DIFFERS from the plain one {} times", differs.len()))?;
                for line in differs.iter().take(10) {
                    writeln!(f, "   {line}")?;
                }
            }
        }
        write_verdict(f, self.is_clean(), &self.figures, &self.report, &self.audit)
    }
}
