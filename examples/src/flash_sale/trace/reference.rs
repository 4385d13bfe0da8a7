//! The plain book-keeping that a one-threaded replay must equal: two numbers a SKU, one thing at a time.

use earmark_testkit::Final;

use super::engine::Verdict;
use super::read::{Invoice, Sales};

/// A SKU that a cart asked too much of, and how much there was.
pub(crate) type Short = (u32, u64);

/// Units by SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    available: Vec<u64>,
    committed: Vec<u64>,
}

/// Books everything again, the plain way, and says where the engine's answers differ from it.
pub(super) fn compare(sales: &Sales, opening: &[u64], verdicts: &[Option<Verdict>], finals: &[Final]) -> Vec<String> {
    let mut reference = Reference::new(opening);
    let mut differs = Vec::new();
    for (invoice, verdict) in sales.invoices.iter().zip(verdicts) {
        // What was never asked of the engine is not sold here either.
        let short = if *verdict == Some(Verdict::TooLong) { Vec::new() } else { reference.sell(invoice) };
        reference.book_besides(invoice);
        let same = match verdict {
            None => invoice.cart.is_empty(),
            Some(Verdict::Sold) => short.is_empty(),
            Some(Verdict::Short(told)) => !short.is_empty() && *told == short,
            Some(Verdict::TooLong) => true,
            Some(Verdict::Other(_)) => false,
        };
        if !same {
            let (told, short) = (in_words(verdict.as_ref(), &sales.skus), listed(&short, &sales.skus));
            differs.push(format!("invoice {}: {told}; by the books {short}", invoice.number));
        }
    }
    for seen in finals {
        let sku = seen.line as usize;
        let (available, committed) = (reference.available[sku], reference.committed[sku]);
        if (seen.available, seen.committed) != (available, committed) {
            let (sku, there, sold) = (&sales.skus[sku], seen.available, seen.committed);
            differs.push(format!("{sku}: {there} left, {sold} sold; by the books {available} and {committed}"));
        }
    }
    if finals.len() != sales.skus.len() {
        differs.push(format!("{} lines at the end, {} SKUs", finals.len(), sales.skus.len()));
    }
    differs
}

fn in_words(verdict: Option<&Verdict>, skus: &[String]) -> String {
    match verdict {
        None => "no cart".into(),
        Some(Verdict::Sold) => listed(&[], skus),
        Some(Verdict::Short(short)) => listed(short, skus),
        Some(Verdict::TooLong) => "too long".into(),
        Some(Verdict::Other(told)) => told.clone(),
    }
}

fn listed(short: &[Short], skus: &[String]) -> String {
    let items: Vec<String> = short.iter().map(|(sku, units)| format!("{} ({units})", skus[*sku as usize])).collect();
    if items.is_empty() { "sold".into() } else { format!("short of {}", items.join(", ")) }
}

impl Reference {
    fn new(opening: &[u64]) -> Reference {
        Reference { available: opening.to_vec(), committed: vec![0; opening.len()] }
    }

    /// Sells a cart, or says what was short. Nothing short: all of it was sold.
    fn sell(&mut self, invoice: &Invoice) -> Vec<Short> {
        let there = |sku: &u32| self.available[*sku as usize];
        let wanted = invoice.cart.iter();
        let short: Vec<Short> =
            wanted.filter(|(sku, units)| there(sku) < **units).map(|(sku, _)| (*sku, there(sku))).collect();
        if short.is_empty() {
            for (sku, units) in &invoice.cart {
                self.available[*sku as usize] -= units;
                self.committed[*sku as usize] += units;
            }
        }
        short
    }

    /// What comes back, and what is written off.
    fn book_besides(&mut self, invoice: &Invoice) {
        for (sku, units) in &invoice.returned {
            self.available[*sku as usize] += units;
        }
        for (sku, units) in &invoice.written_off {
            let available = &mut self.available[*sku as usize];
            *available -= (*units).min(*available);
        }
    }
}
