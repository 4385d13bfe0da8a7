//! Real sales, replayed: invoice by invoice through earmark, and through a plain book-keeping beside it.
//!
//! | row | becomes |
//! |---|---|
//! | positive quantity | an item of its invoice's cart: reserved as a whole, confirmed at once |
//! | negative, invoice `C...` | received back, also for a SKU that was never sold |
//! | negative, any other | a write-off, taken as far as available |
//! | zero, or makes no sense | counted by kind, passed over |
//!
//! Opening stock is a share of what the whole file asks for of a SKU, so some carts come too late.

mod engine;
mod outcome;
mod read;
mod reference;
mod share;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use earmark::UNITS_MAX;
use earmark_testkit::Final;
use earmark_testkit::history::{Call, Op, Recorder};

pub use outcome::TraceOutcome;
pub use share::Share;

use super::SaleClock;
use super::figures::Figures;
use super::log::Log;
use engine::{Store, Verdict};
use read::{Invoice, Sales};
use reference::Reference;

/// The judge's axis in real time: a millisecond is a millisecond.
const TICK_NS: u64 = 1_000_000;

/// How sales are replayed.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "the settings of an example")]
pub struct Replay {
    /// With one thread the invoices are booked in order and compared with the plain book-keeping; with
    /// more, each takes the next invoice, and the judge alone decides.
    pub threads: usize,
    /// The part of all units ever asked for that is in stock at first.
    pub stock_share: Share,
}

impl Replay {
    /// Replays a file, `.csv` or `.csv.gz`.
    ///
    /// # Errors
    /// The file cannot be read or has other columns. A row that makes no sense is no error.
    pub fn of_file(&self, path: &Path) -> Result<(TraceOutcome, Vec<Call>), Box<dyn Error>> {
        self.of_sales(&read::read_file(path)?)
    }

    fn of_sales(&self, sales: &Sales) -> Result<(TraceOutcome, Vec<Call>), Box<dyn Error>> {
        let opening = self.opening(sales);
        let clock = SaleClock::new(TICK_NS);
        let store = Store::new(sales, &clock)?;
        let recorder = Recorder::new();
        let mut log = Log::new(&recorder, &clock);
        for (sku, units) in (0..).zip(&opening) {
            store.receive(sku, *units, Op::Open, &mut log);
        }
        let (verdicts, took) = self.book_all(sales, &store, &recorder, &clock);
        let (finals, audit) = store.close(&log);
        drop(log);
        let calls = recorder.finish()?;
        let (figures, report) = Figures::of(&calls, &finals, took);
        let differs = (self.threads == 1).then(|| compare(sales, &opening, &verdicts, &finals));
        let outcome = TraceOutcome::new(self, sales, &verdicts, took, differs, audit, figures, report);
        Ok((outcome, calls))
    }

    /// Units by SKU when the doors open. Never so many that a line could run over.
    fn opening(&self, sales: &Sales) -> Vec<u64> {
        let skus = sales.demand.iter().zip(&sales.moved);
        skus.map(|(demand, moved)| self.stock_share.floor_of(*demand).min(u64::from(UNITS_MAX) - moved)).collect()
    }

    /// Books every invoice; the verdicts on carts come back in the order of invoices.
    fn book_all(
        &self,
        sales: &Sales,
        store: &Store,
        recorder: &Recorder,
        clock: &SaleClock,
    ) -> (Vec<Option<Verdict>>, Duration) {
        let next = AtomicUsize::new(0);
        let work = |mut log: Log| {
            let mut booked: Vec<(usize, Option<Verdict>)> = Vec::new();
            // Relaxed: the number is all that is shared.
            while let (place, Some(invoice)) = take(&sales.invoices, next.fetch_add(1, Relaxed)) {
                booked.push((place, store.book(invoice, &mut log)));
            }
            booked
        };
        let started = Instant::now();
        let mut booked: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|_| {
                    let log = Log::new(recorder, clock);
                    scope.spawn(|| work(log))
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")).collect()
        });
        let took = started.elapsed();
        booked.sort_unstable_by_key(|(place, _)| *place);
        (booked.into_iter().map(|(_, verdict)| verdict).collect(), took)
    }
}

fn take(invoices: &[Invoice], place: usize) -> (usize, Option<&Invoice>) {
    (place, invoices.get(place))
}

/// Books everything again, the plain way, and says where the engine's answers differ from it.
fn compare(sales: &Sales, opening: &[u64], verdicts: &[Option<Verdict>], finals: &[Final]) -> Vec<String> {
    let mut reference = Reference::new(opening);
    let mut differs = Vec::new();
    for (invoice, verdict) in sales.invoices.iter().zip(verdicts) {
        let short = reference.book(invoice);
        let same = match verdict {
            None => invoice.cart.is_empty(),
            Some(Verdict::Sold) => short.is_empty(),
            Some(Verdict::Short(told)) => !short.is_empty() && *told == short,
            Some(Verdict::Other(_)) => false,
        };
        if !same {
            differs.push(format!("invoice {}: {verdict:?}, by the books short of {short:?}", invoice.number));
        }
    }
    for seen in finals {
        let sku = seen.line as usize;
        let (available, committed) = (reference.available[sku], reference.committed[sku]);
        if (seen.available, seen.committed) != (available, committed) {
            differs.push(format!("{}: {seen:?}, by the books {available} + {committed}", sales.skus[sku]));
        }
    }
    if finals.len() != sales.skus.len() {
        differs.push(format!("{} lines at the end, {} SKUs", finals.len(), sales.skus.len()));
    }
    differs
}
