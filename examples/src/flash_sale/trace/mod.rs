//! Real sales, replayed: invoice by invoice through earmark, and through a plain book-keeping beside it.
//!
//! | row | becomes |
//! |---|---|
//! | positive quantity | an item of its invoice's cart: reserved as a whole, confirmed at once |
//! | negative, invoice `C...` | received back, also for a SKU that was never sold |
//! | negative, any other | a write-off, taken as far as available |
//! | zero, or makes no sense | counted by kind, passed over |
//!
//! A cart of more SKUs than a request can hold is passed over too. Opening stock is a share of what the whole
//! file asks for of a SKU, so some carts come too late.

mod engine;
mod line;
mod opening;
mod outcome;
mod read;
mod reference;
mod share;
mod source;

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use earmark_testkit::history::{Call, Op, Recorder};

pub use opening::Cut;
pub use outcome::TraceOutcome;
pub use share::Share;

use super::SaleClock;
use super::figures::{Figures, Load};
use super::log::Log;
use engine::{Store, Verdict};
use opening::Opening;
use outcome::Booked;
use read::{Invoice, Sales};

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
        let opening = Opening::of(sales, self.stock_share);
        let clock = SaleClock::new(TICK_NS);
        let store = Store::new(sales, &clock)?;
        let recorder = Recorder::new();
        let mut log = Log::new(&recorder, &clock);
        for (sku, units) in (0..).zip(&opening.units) {
            store.receive(sku, *units, Op::Open, &mut log);
        }
        let (verdicts, took) = self.book_all(sales, &store, &recorder, &clock);
        let (finals, audit) = store.close(&log);
        drop(log);
        let calls = recorder.finish()?;
        let (figures, report) = Figures::of(&calls, &finals, Load { length: took, hammers_from: u32::MAX });
        let differs = || reference::compare(sales, &opening.units, &verdicts, &finals);
        let differs = (self.threads == 1).then(differs);
        let booked = Booked { cut: opening.cut, verdicts, took, differs, audit };
        Ok((TraceOutcome::new(self, sales, booked, &calls, figures, report), calls))
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
