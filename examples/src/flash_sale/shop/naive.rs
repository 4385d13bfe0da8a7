//! Buying the way the problem arises: read, pay, decrement.
//!
//! Every single step is atomic and every number is exact; only nobody holds the unit while the payment
//! runs. That is enough to sell it twice.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use earmark_testkit::Final;
use earmark_testkit::history::{self, Id, Op, Outcome};

use super::super::live::Live;
use super::super::log::Log;
use super::super::order::Order;
use super::super::world::World;
use super::{Answer, Attempt, Closing, Delivery, Done, Look, Shop, Till};

/// A counter for each line, and nothing else.
#[derive(Debug)]
pub(crate) struct NaiveShop {
    left: Vec<AtomicI64>,
    sold: Vec<AtomicI64>,
}

impl NaiveShop {
    pub(crate) fn new(world: &World) -> NaiveShop {
        let zeros = || world.lines.iter().map(|_| AtomicI64::new(0)).collect();
        NaiveShop { left: zeros(), sold: zeros() }
    }

    /// Sells, whatever is left.
    fn decrement(&self, line: u32, units: u32) {
        self.left[line as usize].fetch_sub(units.into(), SeqCst);
        self.sold[line as usize].fetch_add(units.into(), SeqCst);
    }
}

impl Shop for NaiveShop {
    type Till<'a> = NaiveTill<'a>;

    // Who takes no time between reading and paying shows nothing here.
    const HAMMERED: bool = false;

    fn till<'a>(&'a self, log: Log, live: &'a Live) -> NaiveTill<'a> {
        NaiveTill { shop: self, log, live, sales: 0 }
    }

    fn deliver(&self, line: u32, units: u32, delivery: Delivery, log: &mut Log) {
        let (span, _) = log.time(|| self.left[line as usize].fetch_add(units.into(), SeqCst));
        let op = match delivery {
            Delivery::Opening => Op::Open,
            Delivery::Restock => Op::Receive,
        };
        log.push(span.call(op).with_item(line, units.into()));
    }

    fn look(&self, line: u32) -> Look {
        Look {
            left: self.left[line as usize].load(SeqCst),
            held: 0,
            sold: self.sold[line as usize].load(SeqCst).unsigned_abs(),
        }
    }

    fn expired(&self) -> u64 {
        0
    }

    /// What a warehouse would find: nothing below zero, however much was sold.
    fn close(&self, log: &Log) -> Closing {
        let at_ns = log.clock().ns();
        let finals = (0..self.left.len() as u32).map(|line| {
            let look = self.look(line);
            let available = u64::try_from(look.left).unwrap_or(0);
            Final {
                line,
                at_ns,
                on_hand: available + look.sold,
                available,
                reserved: 0,
                committed: look.sold,
                blocked: 0,
            }
        });
        Closing { finals: finals.collect(), ..Closing::default() }
    }
}

/// One worker's way to the counters.
#[derive(Debug)]
pub(crate) struct NaiveTill<'a> {
    shop: &'a NaiveShop,
    log: Log,
    live: &'a Live,
    sales: u64,
}

fn items(order: &Order) -> history::Items {
    let items = order.items().iter();
    items.map(|(line, units)| history::Item { line: *line, qty: u64::from(*units) }).collect()
}

impl Till for NaiveTill<'_> {
    /// Nothing was set aside, so there is nothing to show for it.
    type Ticket = ();

    fn read(&mut self, line: u32) -> u32 {
        let (span, left) = self.log.time(|| self.shop.left[line as usize].load(SeqCst));
        let seen = u32::try_from(left).unwrap_or(0);
        self.log.push(span.read(line, seen));
        seen
    }

    /// One more look, right before the payment: the best that can be done here.
    fn reserve(&mut self, order: &Order, _: Attempt<()>) -> Answer<()> {
        let shop = self.shop;
        let there = |(line, units): &(u32, u32)| shop.left[*line as usize].load(SeqCst) >= i64::from(*units);
        let (span, there) = self.log.time(|| order.items().iter().all(there));
        if there {
            return Answer::Held(());
        }
        self.live.refused.add(1);
        let refused = span.call(Op::Reserve).with_items(items(order));
        self.log.push(refused.with_result(Outcome::insufficient()));
        Answer::Short
    }

    fn begin_payment(&mut self, (): ()) -> Done {
        Done::Yes
    }

    /// Paid: the units are the buyer's, whether they are there or not.
    fn confirm(&mut self, (): (), order: &Order, attempt: Attempt<()>) -> Done {
        if attempt != Attempt::First {
            return Done::Yes;
        }
        let shop = self.shop;
        let (span, ()) = self.log.time(|| {
            for (line, units) in order.items() {
                shop.decrement(*line, *units);
            }
        });
        self.live.took(span.length_ns());
        self.live.sold.add(order.units());
        self.live.pairs.add(1);
        self.sales += 1;
        let id = Id::from_parts(u64::from(self.log.thread()), self.sales);
        self.log.push(span.call(Op::Reserve).with_items(items(order)).with_id(id));
        self.log.push(span.call(Op::Confirm).with_id(id));
        Done::Yes
    }

    fn release(&mut self, (): ()) -> Done {
        Done::Yes
    }

    fn pair(&mut self, _: u32, _: u32) {}

    fn log(&self) -> &Log {
        &self.log
    }
}

#[cfg(test)]
mod tests {
    use earmark_testkit::history::Recorder;
    use earmark_testkit::{Options, check};

    use super::super::super::SaleClock;
    use super::*;

    /// design.md §1: A reads 1 at 0 ms, starts paying at 200, B buys it elsewhere at 650, A's payment
    /// clears at 800.
    #[test]
    fn the_five_steps_sell_one_unit_twice() {
        let (recorder, clock) = (Recorder::new(), SaleClock::new(1_000));
        let shop = NaiveShop::new(&World::new(1.0));
        let (live, order) = (Live::default(), Order::one(0));
        let mut log = Log::new(&recorder, &clock);
        shop.deliver(0, 1, Delivery::Opening, &mut log);
        let mut a = shop.till(Log::new(&recorder, &clock), &live);
        let mut b = shop.till(Log::new(&recorder, &clock), &live);
        assert_eq!(a.read(0), 1); // 0 ms
        assert_eq!(a.reserve(&order, Attempt::First), Answer::Held(())); // 200 ms: only a look
        assert_eq!(a.begin_payment(()), Done::Yes);
        assert_eq!(b.reserve(&order, Attempt::First), Answer::Held(())); // 650 ms
        assert_eq!(b.confirm((), &order, Attempt::First), Done::Yes);
        assert_eq!(a.confirm((), &order, Attempt::First), Done::Yes); // 800 ms
        assert_eq!(shop.look(0).left, -1);
        drop((a, b, log));
        let report = check(&recorder.finish().unwrap(), &Options::default());
        assert_eq!(report.oversold(), 1, "{report}");
    }
}
