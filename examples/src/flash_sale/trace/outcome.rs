//! What came of a replay: as a report to read, and as one JSON object.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use earmark_testkit::Report;
use earmark_testkit::history::{Call, Op, Outcome as Answered};
use serde_json::{Value, json};

use super::super::figures::Figures;
use super::super::outcome::{figures_json, merge, write_figures, write_verdict};
use super::super::text::{entry, thousands};
use super::engine::{ITEMS_MAX, Verdict};
use super::read::Sales;
use super::{Cut, Replay, Share};

/// Lines of a kind that are printed, and how long one may be.
const TOLD_MAX: usize = 10;
const TOLD_CHARS_MAX: usize = 200;

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
    /// Of those: passed over, because no request holds so many SKUs.
    pub carts_too_long: u64,
    /// Units that came back.
    pub returned: u64,
    /// Units that were to be written off.
    pub to_write_off: u64,
    /// Of those: units that were there to be taken.
    pub written_off: u64,
    /// SKUs that opened with less than their share.
    pub cut: Vec<Cut>,
    /// Bytes after the end of a packed file, passed over.
    pub left_over: usize,
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

/// What the booking left behind.
#[derive(Debug)]
pub(super) struct Booked {
    pub(super) cut: Vec<Cut>,
    /// In the order of invoices; `None` where nothing was wanted.
    pub(super) verdicts: Vec<Option<Verdict>>,
    pub(super) took: Duration,
    pub(super) differs: Option<Vec<String>>,
    pub(super) audit: Vec<String>,
}

impl TraceOutcome {
    pub(super) fn new(
        replay: &Replay,
        sales: &Sales,
        booked: Booked,
        calls: &[Call],
        figures: Figures,
        report: Report,
    ) -> TraceOutcome {
        let Booked { cut, verdicts, took, differs, audit } = booked;
        let count = |is: fn(&Verdict) -> bool| verdicts.iter().flatten().filter(|verdict| is(verdict)).count() as u64;
        let taken = calls.iter().filter(|call| call.op == Op::AdjustDown && call.result == Answered::Ok);
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
            carts_too_long: count(|verdict| *verdict == Verdict::TooLong),
            returned: sales.invoices.iter().flat_map(|invoice| invoice.returned.values()).sum(),
            to_write_off: sales.invoices.iter().flat_map(|invoice| invoice.written_off.values()).sum(),
            written_off: taken.flat_map(|call| call.items.iter()).map(|item| item.qty).sum(),
            cut,
            left_over: sales.left_over,
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

    /// Whether every promise was kept.
    pub fn kept(&self) -> bool {
        self.report.is_clean() && self.figures.conserved && self.audit.is_empty()
    }

    /// Whether every promise was kept, the books are those of the plain book-keeping, and all opened with
    /// what was asked for.
    pub fn is_clean(&self) -> bool {
        self.kept() && self.matches_reference() != Some(false) && self.cut.is_empty()
    }

    /// One object with all figures.
    pub fn to_json(&self) -> Value {
        let mut object = figures_json(&self.figures);
        let cut = |cut: &Cut| json!({"sku": cut.sku, "wanted": cut.wanted, "opening": cut.opening});
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
            "carts_too_long": self.carts_too_long,
            "units_returned": self.returned,
            "units_to_write_off": self.to_write_off,
            "units_written_off": self.written_off,
            "opening_cut": self.cut.iter().map(cut).collect::<Vec<Value>>(),
            "bytes_left_over": self.left_over,
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
        entry(f, "trace", format_args!("{rows} rows, {invoices} invoices, {skus} SKUs"))?;
        entry(f, "stock at first", format_args!("{share} of what the file asks for"))?;
        for (kind, rows) in &self.bad {
            entry(f, "passed over", format_args!("{} rows: {kind}", thousands(*rows)))?;
        }
        if self.left_over > 0 {
            entry(f, "passed over", format_args!("{} bytes after the packed data", thousands(self.left_over as u64)))?;
        }
        self.write_cut(f)?;
        let [carts, sold, short] = [self.carts, self.carts_reserved, self.carts_short].map(thousands);
        let rate = thousands(self.carts_per_second() as u64);
        entry(f, "carts", format_args!("{carts}: {sold} confirmed, {short} short; {rate} a second"))?;
        if self.carts_too_long > 0 {
            let [carts, most] = [self.carts_too_long, ITEMS_MAX as u64].map(thousands);
            entry(f, "passed over", format_args!("{carts} carts of more than {most} SKUs"))?;
        }
        let [returned, taken, asked] = [self.returned, self.written_off, self.to_write_off].map(thousands);
        entry(f, "besides", format_args!("{returned} units came back, {taken} of {asked} written off"))?;
        write_figures(f, &self.figures)?;
        match &self.differs {
            None => entry(f, "book-keeping", format_args!("not compared: {} threads book in any order", self.threads))?,
            Some(none) if none.is_empty() => {
                entry(f, "book-keeping", format_args!("equal to the plain one, cart by cart and SKU by SKU"))?;
            }
            Some(differs) => {
                entry(f, "book-keeping", format_args!("DIFFERS from the plain one {} times", differs.len()))?;
                for line in differs.iter().take(TOLD_MAX) {
                    entry(f, "", format_args!("{}", shortened(line)))?;
                }
            }
        }
        write_verdict(f, self.kept(), &self.figures, &self.report, &self.audit, |line| format!("line {line}"))
    }
}

impl TraceOutcome {
    fn write_cut(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut.is_empty() {
            return Ok(());
        }
        let skus = thousands(self.cut.len() as u64);
        entry(f, "NOT AS ASKED", format_args!("{skus} SKUs open with less, because a line holds no more:"))?;
        for Cut { sku, wanted, opening } in self.cut.iter().take(TOLD_MAX) {
            let [wanted, opening] = [*wanted, *opening].map(thousands);
            entry(f, "", format_args!("{}: {opening} of {wanted}", shortened(sku)))?;
        }
        Ok(())
    }
}

/// A line that somebody can read.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(TOLD_CHARS_MAX) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_string(),
    }
}
