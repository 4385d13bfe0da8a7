//! Carts: several lines, all or nothing.
//!
//! Line by line in order of line number, each taken and marked as *midway* by one compare-exchange. A
//! shortage seen beside such a mark proves nothing, because the cart may yet give back: whoever meets it
//! waits a bounded time, then says `contended`.

use std::borrow::Cow;
use std::sync::Arc;

use super::Inventory;
use super::answer::Reserved;
use super::request::{Item, ReserveRequest, Shortage};
use super::reserve::Shortfall;
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
        let _world = on(Break::CartStopsTheWorld).then(crate::seeded::stop_the_world);
        let now = self.time_to_begin(|time| time.before(request.ttl.as_millis()));
        let now = now.ok_or(ReserveError::Contended { line: items[0].line })?;
        let mut wanted = Cow::Borrowed(items);
        for _ in 0..CART_TRIES {
            let short = self.short_items(&wanted).map_err(cart_refused)?;
            self.check_open()?; // what somebody gives back because of a close (I3) is no shortage
            if !short.is_empty() {
                if request.shortage == Shortage::Refuse {
                    return Err(ReserveError::CartShort { short: short.into() });
                }
                wanted = lower(&wanted, &short).into();
            }
            if wanted.is_empty() {
                return Err(ReserveError::CartShort { short: none_left(items) });
            }
            let claim = self.claim(now, request.ttl)?; // only now: most refusals need none
            step(Step::Claimed);
            match self.take_each(&wanted) {
                Ok(()) => {
                    self.keep_open(&wanted)?;
                    let reserved = self.publish(claim, &wanted, request.channel_number(), Some(request));
                    step(Step::CartPublished);
                    self.leave_all(&wanted);
                    return Ok(reserved);
                }
                Err(Stuck::Short) => {} // look at all of them again, with nothing claimed
                Err(Stuck::For(refused)) => return Err(cart_refused(refused)),
            }
        }
        Err(ReserveError::Contended { line: items[0].line })
    }

    /// Takes every item or none; the items name each line once, in order. On success every line is
    /// marked midway until [`leave_all`](Self::leave_all).
    pub(super) fn take_all(&self, items: &[Item]) -> Result<(), TakeRefused> {
        for _ in 0..CART_TRIES {
            let short = self.short_items(items)?;
            if !short.is_empty() {
                return Err(TakeRefused::Short(short.into()));
            }
            match self.take_each(items) {
                Ok(()) => return Ok(()),
                Err(Stuck::Short) => {} // look at all of them again, with everything given back
                Err(Stuck::For(refused)) => return Err(refused),
            }
        }
        Err(TakeRefused::Contended(items.first().map_or(StockId::new(0), |item| item.line)))
    }

    /// One try to take every item that was there a moment ago; if one is not, everything goes back.
    fn take_each(&self, items: &[Item]) -> Result<(), Stuck> {
        let mut taken = Taken { inventory: self, items, count: 0, kept: false };
        let mut order: Vec<usize> = Vec::new();
        if on(Break::CartUnordered) && self.lane_is_odd() {
            order.extend((0..items.len()).rev());
        }
        taken.all(&order)?;
        taken.kept = true;
        Ok(())
    }

    /// I3: what was taken for a new reservation goes back if a close has come.
    pub(super) fn keep_open(&self, taken: &[Item]) -> Result<(), ReserveError> {
        if on(Break::CloseBlind) {
            return Ok(());
        }
        self.check_open().inspect_err(|_| {
            for item in taken {
                if let Some(counter) = self.counter(item.line) {
                    counter.leave_midway(item.quantity.get());
                }
            }
        })
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
                match counter.snapshot().take_here(asked.get()) {
                    Ok(_) => break,
                    Err(Refused::Retired) => return Err(TakeRefused::Retired(line)),
                    Err(_) if self.lines.line(line).is_none() => return Err(TakeRefused::Unknown(line)),
                    Err(_) => {}
                }
                match self.judge_shortage(line, counter, asked.get(), &mut pause) {
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

fn cart_refused(refused: TakeRefused) -> ReserveError {
    match refused {
        TakeRefused::Short(short) => ReserveError::CartShort { short },
        TakeRefused::Contended(line) => ReserveError::Contended { line },
        TakeRefused::Retired(line) => ReserveError::Retired { line },
        TakeRefused::Unknown(line) => ReserveError::UnknownLine { line },
    }
}

/// Why a cart stopped half-way.
enum Stuck {
    /// A line is short now: whether all of the cart is, needs another look.
    Short,
    For(TakeRefused),
}

/// What a cart has taken so far; dropped before it is kept, everything goes back.
struct Taken<'a> {
    inventory: &'a Inventory,
    items: &'a [Item],
    count: usize,
    kept: bool,
}

impl Taken<'_> {
    fn all(&mut self, order: &[usize]) -> Result<(), Stuck> {
        for at in 0..self.items.len() {
            if let Some(&turned) = order.get(at) {
                debug_assert!(self.items.len() == 2 && turned < 2);
                return self.all_turned();
            }
            let Item { line, quantity } = self.items[at];
            let Some(counter) = self.inventory.counter(line) else { return Err(Stuck::Short) };
            let mut pause = Pause::new();
            loop {
                match counter.take_midway(quantity.get()) {
                    Ok(_) => break,
                    Err(Refused::Retired) => return Err(Stuck::For(TakeRefused::Retired(line))),
                    Err(Refused::Crowded) if pause.wait() => {}
                    Err(Refused::Crowded) => return Err(Stuck::For(TakeRefused::Contended(line))),
                    // Another cart may give back, or something may be due: a closer look, holding what we have.
                    Err(Refused::Short { .. } | Refused::Hot) => {
                        match self.inventory.judge_shortage(line, counter, quantity.get(), &mut pause) {
                            Shortfall::Retry => {}
                            Shortfall::Settled { .. } => return Err(Stuck::Short),
                            Shortfall::Contended => return Err(Stuck::For(TakeRefused::Contended(line))),
                        }
                    }
                }
            }
            self.count = at + 1;
            step(Step::CartMidway);
        }
        Ok(())
    }

    /// A seeded break: the last line first.
    #[cold]
    fn all_turned(&mut self) -> Result<(), Stuck> {
        let contended = |item: Item| Stuck::For(TakeRefused::Contended(item.line));
        let (first, last) = (self.items[0], self.items[1]);
        let counter = |item: Item| self.inventory.counter(item.line).ok_or(Stuck::Short);
        let counters = (counter(first)?, counter(last)?);
        counters.1.take_midway(last.quantity.get()).map_err(|_| contended(last))?;
        if counters.0.take_midway(first.quantity.get()).is_err() {
            counters.1.leave_midway(last.quantity.get());
            return Err(contended(first));
        }
        self.count = 2;
        Ok(())
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

/// The refusal of a cart of which nothing is left, however its lines were lowered on the way.
fn none_left(items: &[Item]) -> Arc<[ShortItem]> {
    items.iter().map(|&Item { line, quantity: asked }| ShortItem { line, asked, available: 0 }).collect()
}

/// The cart with its short lines lowered to what there is.
fn lower(items: &[Item], short: &[ShortItem]) -> Vec<Item> {
    let available = |item: &Item| match short.binary_search_by_key(&item.line, |short| short.line) {
        Ok(at) => Quantity::new(short[at].available).ok(),
        Err(_) => Some(item.quantity),
    };
    items.iter().filter_map(|item| Some(Item { line: item.line, quantity: available(item)? })).collect()
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::Arc;

    use crate::inventory::model::clock::HookClock;
    use crate::*;

    fn units(units: u32) -> Quantity {
        Quantity::new(units).unwrap()
    }

    /// What was there when the cart looked is gone when it takes, whatever the moment. The refusal tells of
    /// the cart that was asked for, not of what is left of it.
    #[test]
    fn a_cart_that_takes_what_there_is_is_refused_in_terms_of_what_it_asked() {
        let mut refused = 0;
        for readings in 0..8 {
            let clock = HookClock::new(ManualClock::default());
            let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
            let [tee, cap] = ["TEE", "CAP"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
            let _ = inventory.receive(tee, units(3), &Cause::none()).unwrap();
            let rival = Arc::downgrade(&inventory);
            clock.at_reading(readings, move || {
                let taken = rival.upgrade().unwrap().reserve(tee, units(3), Ttl::MAX).map(|guard| guard.detach());
                let _ = taken;
            });
            let cart = ReserveRequest::new(Ttl::MAX).with_item(tee, units(5)).with_item(cap, units(2));
            let short = [(tee, units(5)), (cap, units(2))].map(|(line, asked)| ShortItem { line, asked, available: 0 });
            match inventory.reserve_with(&cart.with_shortage(Shortage::TakeRest)).map(|guard| guard.units()) {
                Ok(units) => assert_eq!(units, 3),
                Err(error) => {
                    refused += 1;
                    assert_eq!(error, ReserveError::CartShort { short: short.into() }, "at reading {readings}");
                }
            }
            clock.unhook();
        }
        assert!(refused > 1, "the rival was never faster");
    }
}
