//! The plain book-keeping that a one-threaded replay must equal: two numbers a SKU, one thing at a time.

use super::read::Invoice;

/// A SKU that a cart asked too much of, and how much there was.
pub(crate) type Short = (u32, u64);

/// Units by SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) available: Vec<u64>,
    pub(crate) committed: Vec<u64>,
}

impl Reference {
    pub(crate) fn new(opening: &[u64]) -> Reference {
        Reference { available: opening.to_vec(), committed: vec![0; opening.len()] }
    }

    /// Books an invoice; of its cart, what was short. Nothing short: all of it was sold.
    pub(crate) fn book(&mut self, invoice: &Invoice) -> Vec<Short> {
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
        for (sku, units) in &invoice.returned {
            self.available[*sku as usize] += units;
        }
        for (sku, units) in &invoice.written_off {
            let available = &mut self.available[*sku as usize];
            *available -= (*units).min(*available);
        }
        short
    }
}
