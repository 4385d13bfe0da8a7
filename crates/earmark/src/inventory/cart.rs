//! Carts: several lines, all or nothing.
//!
//! Line by line in order of line number, each taken and marked as *midway* by one compare-exchange. A
//! shortage seen beside such a mark proves nothing, because the cart may yet give back: whoever meets it
//! waits a bounded time, then says `contended`.

use std::sync::Arc;

use super::request::{Item, ReserveRequest, Reserved, Shortage};
use super::reserve::Shortfall;
use super::{Inventory, NO_CHANNEL};
use crate::error::{ReserveError, ShortItem};
use crate::quantity::Quantity;
use crate::seeded::{Break, Step, on, step};
use crate::sku::StockId;
use crate::stock::counter::Refused;
use crate::sync::Pause;

/// Times a cart starts again because what was short was back when it looked closer.
const CART_TRIES: usize = 8;

/// Why several lines were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TakeRefused {
    Short(Arc<[ShortItem]>),
    Contended(StockId),
    Retired(StockId),
    Unknown(StockId),
}

impl Inventory {
    pub(super) fn reserve_cart(&self, request: &ReserveRequest, items: &[Item]) -> Result<Reserved, ReserveError> {
        let now = self.time.before(request.ttl.as_millis());
        let mut items = std::borrow::Cow::Borrowed(items);
        for _ in 0..CART_TRIES {
            let claim = self.claim(now)?;
            step(Step::Claimed);
            match self.take_all(&items) {
                Ok(()) => {
                    let channel = request.channel.map_or(NO_CHANNEL, |channel| channel.0);
                    let reserved = self.publish(claim, &items, request.ttl, channel, Some(request), now);
                    step(Step::CartPublished);
                    self.leave_all(&items);
                    return Ok(reserved);
                }
                Err(TakeRefused::Short(short)) => {
                    if request.shortage == Shortage::Refuse {
                        return Err(self.refuse(ReserveError::CartShort { short }));
                    }
                    let rest = lower(&items, &short);
                    if rest.is_empty() {
                        return Err(self.refuse(ReserveError::CartShort { short }));
                    }
                    items = rest.into();
                }
                Err(TakeRefused::Contended(line)) => return Err(self.refuse(ReserveError::Contended { line })),
                Err(TakeRefused::Retired(line)) => return Err(ReserveError::Retired { line }),
                Err(TakeRefused::Unknown(line)) => return Err(ReserveError::UnknownLine { line }),
            }
        }
        Err(self.refuse(ReserveError::Contended { line: items[0].line }))
    }

    /// Takes every item or none; the items name each line once, in order. On success every line is
    /// marked midway until [`leave_all`](Self::leave_all).
    pub(super) fn take_all(&self, items: &[Item]) -> Result<(), TakeRefused> {
        for _ in 0..CART_TRIES {
            let short = self.short_items(items)?;
            if !short.is_empty() {
                return Err(TakeRefused::Short(short.into()));
            }
            let mut taken = Taken { inventory: self, items, count: 0, kept: false };
            let mut order: Vec<usize> = Vec::new();
            if on(Break::CartUnordered) && self.lane_is_odd() {
                order.extend((0..items.len()).rev());
            }
            let stuck = taken.all(&order);
            match stuck {
                None => {
                    taken.kept = true;
                    return Ok(());
                }
                Some(Stuck::Contended(line)) => return Err(TakeRefused::Contended(line)),
                Some(Stuck::Retired(line)) => return Err(TakeRefused::Retired(line)),
                Some(Stuck::Short) => {} // look at all of them again, with everything given back
            }
        }
        Err(TakeRefused::Contended(items.first().map_or(StockId::new(0), |item| item.line)))
    }

    /// The cart keeps what it took: the lines are no longer midway.
    pub(super) fn leave_all(&self, items: &[Item]) {
        for item in items {
            if let Some(counter) = self.counter(item.line) {
                counter.leave_midway(0);
            }
        }
    }

    /// Every item that is short now, each settled for itself.
    fn short_items(&self, items: &[Item]) -> Result<Vec<ShortItem>, TakeRefused> {
        let mut short = Vec::new();
        for &Item { line, quantity: asked } in items {
            let counter = self.counter(line).ok_or(TakeRefused::Unknown(line))?;
            let mut pause = Pause::new();
            loop {
                match counter.snapshot().take(asked.get()) {
                    Ok(_) => break,
                    Err(Refused::Retired) => return Err(TakeRefused::Retired(line)),
                    Err(_) if self.lines.line(line).is_none() => return Err(TakeRefused::Unknown(line)),
                    Err(_) => {}
                }
                match self.judge_shortage(counter, asked.get(), &mut pause) {
                    Shortfall::Retry => {}
                    Shortfall::Contended => return Err(TakeRefused::Contended(line)),
                    Shortfall::Settled { available } => {
                        short.push(ShortItem { line, asked, available });
                        break;
                    }
                }
            }
        }
        Ok(short)
    }

    /// For a seeded break only: two model threads must disagree about the order.
    fn lane_is_odd(&self) -> bool {
        #[cfg(all(test, earmark_loom))]
        return super::loom_tests::turned();
        #[cfg(not(all(test, earmark_loom)))]
        false
    }
}

/// Why a cart stopped half-way.
enum Stuck {
    Short,
    Contended(StockId),
    Retired(StockId),
}

/// What a cart has taken so far; dropped before it is kept, everything goes back.
struct Taken<'a> {
    inventory: &'a Inventory,
    items: &'a [Item],
    count: usize,
    kept: bool,
}

impl Taken<'_> {
    fn all(&mut self, order: &[usize]) -> Option<Stuck> {
        for at in 0..self.items.len() {
            if let Some(&turned) = order.get(at) {
                debug_assert!(self.items.len() == 2 && turned < 2);
                return self.all_turned();
            }
            let Item { line, quantity } = self.items[at];
            let Some(counter) = self.inventory.counter(line) else { return Some(Stuck::Short) };
            let mut pause = Pause::new();
            loop {
                match counter.take_midway(quantity.get()) {
                    Ok(_) => break,
                    Err(Refused::Retired) => return Some(Stuck::Retired(line)),
                    Err(Refused::Crowded) if pause.wait() => {}
                    Err(Refused::Crowded) => return Some(Stuck::Contended(line)),
                    // Another cart may give back, or something may be due: a closer look, holding what we have.
                    Err(Refused::Short { .. }) => {
                        match self.inventory.judge_shortage(counter, quantity.get(), &mut pause) {
                            Shortfall::Retry => {}
                            Shortfall::Settled { .. } => return Some(Stuck::Short),
                            Shortfall::Contended => return Some(Stuck::Contended(line)),
                        }
                    }
                }
            }
            self.count = at + 1;
            step(Step::CartMidway);
        }
        None
    }

    /// A seeded break: the last line first.
    #[cold]
    fn all_turned(&mut self) -> Option<Stuck> {
        let (first, last) = (self.items[0], self.items[1]);
        let counters = (self.inventory.counter(first.line)?, self.inventory.counter(last.line)?);
        if counters.1.take_midway(last.quantity.get()).is_err() {
            return Some(Stuck::Contended(last.line));
        }
        if counters.0.take_midway(first.quantity.get()).is_err() {
            counters.1.leave_midway(last.quantity.get());
            return Some(Stuck::Contended(first.line));
        }
        self.count = 2;
        None
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for item in &self.items[..self.count] {
            if let Some(counter) = self.inventory.counter(item.line) {
                counter.leave_midway(item.quantity.get());
            }
        }
    }
}

/// The cart with its short lines lowered to what there is.
fn lower(items: &[Item], short: &[ShortItem]) -> Vec<Item> {
    let available = |item: &Item| match short.iter().find(|short| short.line == item.line) {
        Some(short) => Quantity::new(short.available).ok(),
        None => Some(item.quantity),
    };
    items.iter().filter_map(|item| Some(Item { line: item.line, quantity: available(item)? })).collect()
}
