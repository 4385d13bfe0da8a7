//! The same sales through earmark, every call recorded.

use std::error::Error;

use earmark::{Cause, Inventory, Item, LineSpec, Quantity, ReserveError, ReserveRequest, StockError, StockId, Ttl};
use earmark_testkit::Final;
use earmark_testkit::history::{self, Op, Outcome};

use super::super::SaleClock;
use super::super::log::{Log, Span};
use super::super::shop::{finals, id, refusal};
use super::read::{Invoice, Sales};
use super::reference::Short;

/// Carts are confirmed at once; nothing expires.
const TTL_MS: u64 = 600_000;
/// Different SKUs of one invoice, at most: what a request can hold.
pub(crate) const ITEMS_MAX: usize = 65_536;

/// What became of a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Sold,
    Short(Vec<Short>),
    /// More SKUs than a request can hold: nobody asked.
    TooLong,
    /// Neither: says what was answered.
    Other(String),
}

/// An inventory with a line for each SKU.
#[derive(Debug)]
pub(crate) struct Store {
    inventory: Inventory,
    lines: Vec<StockId>,
    ttl: Ttl,
}

impl Store {
    pub(crate) fn new(sales: &Sales, clock: &SaleClock) -> Result<Store, Box<dyn Error>> {
        let inventory = Inventory::builder()
            .clock(clock.clone())
            .lines_max(sales.skus.len().max(1))
            .items_max(ITEMS_MAX)
            .build()?;
        let declare = |sku: &String| inventory.declare(LineSpec::new(sku));
        let lines = sales.skus.iter().map(declare).collect::<Result<_, _>>()?;
        Ok(Store { inventory, lines, ttl: Ttl::millis(TTL_MS)? })
    }

    /// Units come in.
    pub(crate) fn receive(&self, sku: u32, units: u64, op: Op, log: &mut Log) {
        let Ok(quantity) = Quantity::try_from(units) else {
            return;
        }; // nothing comes
        let line = self.lines[sku as usize];
        let receive = || self.inventory.receive(line, quantity, &Cause::none());
        // Written down either way; books that miss a delivery differ from the plain ones.
        let _ = stock_call(log, op, sku, units, receive);
    }

    /// Sells, takes back and writes off what an invoice says.
    pub(crate) fn book(&self, invoice: &Invoice, log: &mut Log) -> Option<Verdict> {
        let verdict = match invoice.cart.len() {
            0 => None,
            1..=ITEMS_MAX => Some(self.sell(invoice, log)),
            _ => Some(Verdict::TooLong),
        };
        for (sku, units) in &invoice.returned {
            self.receive(*sku, *units, Op::Receive, log);
        }
        for (sku, units) in &invoice.written_off {
            self.write_off(*sku, *units, log);
        }
        verdict
    }

    fn sell(&self, invoice: &Invoice, log: &mut Log) -> Verdict {
        let mut request = ReserveRequest::new(self.ttl);
        for (sku, units) in &invoice.cart {
            let quantity = Quantity::try_from(*units).expect("the reader passes over what fits no quantity");
            request = request.with_items([Item { line: self.lines[*sku as usize], quantity }]);
        }
        let items = || -> history::Items {
            invoice.cart.iter().map(|(sku, units)| history::Item { line: *sku, qty: *units }).collect()
        };
        loop {
            let (span, answer) = log.time(|| self.inventory.reserve_with(&request));
            let call = span.call(Op::Reserve).with_items(items());
            match answer {
                Ok(guard) => {
                    let reservation = guard.id();
                    let deadline = log.clock().ns_of(guard.deadline());
                    log.push(call.with_id(id(reservation)).with_deadline(deadline));
                    let (span, answer) = log.time(|| guard.confirm());
                    let confirm = span.call(Op::Confirm).with_id(id(reservation));
                    return match answer {
                        Ok(()) => {
                            log.push(confirm);
                            Verdict::Sold
                        }
                        Err(error) => {
                            log.push(confirm.with_result(Outcome::Refused));
                            Verdict::Other(error.to_string())
                        }
                    };
                }
                Err(error) => {
                    log.push(call.with_result(refusal(&error)));
                    match error {
                        ReserveError::Contended { .. } => std::thread::yield_now(),
                        error => return verdict(&error),
                    }
                }
            }
        }
    }

    /// Takes units off as far as they are there.
    fn write_off(&self, sku: u32, units: u64, log: &mut Log) {
        let line = self.lines[sku as usize];
        loop {
            let there = self.inventory.available(line).unwrap_or(0);
            let units = units.min(there.into());
            let Ok(delta) = i32::try_from(units) else {
                return;
            };
            if delta == 0 {
                return;
            }
            let adjust = || self.inventory.adjust(line, -delta, &Cause::none());
            match stock_call(log, Op::AdjustDown, sku, units, adjust) {
                // Another thread took some meanwhile, or is about to: look again.
                Err(StockError::Short { .. } | StockError::Contended { .. }) => std::thread::yield_now(),
                _ => return,
            }
        }
    }

    /// The books at rest, by SKU.
    pub(crate) fn close(&self, log: &Log) -> (Vec<Final>, Vec<String>) {
        let snapshot = self.inventory.levels_all();
        let finals = finals(&snapshot, log.clock().ns());
        let verification = self.inventory.verify();
        let audit = verification.differences.iter().map(ToString::to_string);
        (finals, audit.collect())
    }
}

/// Makes and records a call on one line's books.
fn stock_call<T>(
    log: &mut Log,
    op: Op,
    sku: u32,
    units: u64,
    call: impl FnOnce() -> Result<T, StockError>,
) -> Result<T, StockError> {
    let (span, answer): (Span, _) = log.time(call);
    let result = match &answer {
        Ok(_) => Outcome::Ok,
        Err(StockError::Short { .. }) => Outcome::insufficient(),
        Err(StockError::Contended { .. }) => Outcome::Contended,
        Err(_) => Outcome::Refused,
    };
    log.push(span.call(op).with_item(sku, units).with_result(result));
    answer
}

fn verdict(error: &ReserveError) -> Verdict {
    match error {
        ReserveError::Insufficient { line, available, .. } => {
            Verdict::Short(vec![(line.index() as u32, u64::from(*available))])
        }
        ReserveError::OutOfStock { line, .. } => Verdict::Short(vec![(line.index() as u32, 0)]),
        ReserveError::CartShort { short } => {
            let short = short.iter().map(|item| (item.line.index() as u32, u64::from(item.available)));
            Verdict::Short(short.collect())
        }
        other => Verdict::Other(other.to_string()),
    }
}
