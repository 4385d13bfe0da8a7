//! Buying through earmark. Each call is written down as its caller saw it.
//!
//! Two things are written down in another form than they were called, because the judge counts effects:
//! a repeated reserve (same key) as `get`, or as a plain refusal; a repeated confirm as being told that
//! the reservation is confirmed.

use std::sync::Arc;
use std::time::Duration;

use earmark::{
    Cause, Channel, ConfirmError, Driver, End, Inventory, Item, Key, LineSpec, Owner, PaymentError,
    Quantity, ReleaseError, ReservationId, ReserveError, ReserveRequest, Reserved, StockId, Ttl,
};
use earmark_testkit::Final;
use earmark_testkit::history::{self, Call, Ended, Id, Op, Outcome, Short};

use super::super::SaleClock;
use super::super::live::Live;
use super::super::log::{Log, Span};
use super::super::order::{CHANNELS, Order};
use super::super::world::World;
use super::{Answer, Attempt, Closing, Delivery, Done, Look, Shop, Till};

/// How long a reservation lives before the payment has begun, in simulated ms.
pub(crate) const TTL_MS: u64 = 5_000;
/// How long the payment may take, in simulated ms.
pub(crate) const PAYMENT_TTL_MS: u64 = 3_000;
/// How often expired reservations are looked for, in real time.
const SWEEP_EVERY: Duration = Duration::from_millis(1);
/// How long keys are remembered: longer than anybody waits before asking again.
const KEY_WINDOW: Duration = Duration::from_secs(30);

/// An inventory with a thread that expires what is due.
#[derive(Debug)]
pub(crate) struct EngineShop {
    inventory: Arc<Inventory>,
    lines: Vec<StockId>,
    channels: Vec<Channel>,
    ttl: Ttl,
    _driver: Driver,
}

impl EngineShop {
    pub(crate) fn new(world: &World, clock: &SaleClock) -> Result<EngineShop, Box<dyn std::error::Error>> {
        let inventory = Inventory::builder()
            .clock(clock.clone())
            // A simulated second is over in 20 real ms, less than a busy machine may keep the driver
            // waiting: so the clock is read whenever a deadline is judged.
            .time_slack(Duration::ZERO)
            .payment_ttl(Ttl::millis(PAYMENT_TTL_MS)?)
            .key_window(KEY_WINDOW)
            .build()?;
        let mut lines = Vec::new();
        for line in &world.lines {
            lines.push(inventory.declare(LineSpec::new(&line.sku))?);
        }
        let mut channels = Vec::new();
        for label in CHANNELS {
            channels.push(inventory.channel(label)?);
        }
        let inventory = Arc::new(inventory);
        let driver = Driver::spawn(Arc::clone(&inventory), SWEEP_EVERY);
        Ok(EngineShop { inventory, lines, channels, ttl: Ttl::millis(TTL_MS)?, _driver: driver? })
    }
}

impl Shop for EngineShop {
    type Till<'a> = EngineTill<'a>;

    const HAMMERED: bool = true;

    fn till<'a>(&'a self, log: Log, live: &'a Live) -> EngineTill<'a> {
        EngineTill { shop: self, log, live }
    }

    fn deliver(&self, line: u32, units: u32, delivery: Delivery, log: &mut Log) {
        let Ok(quantity) = Quantity::new(units) else { return };
        let cause = Cause::none().with_source("flash-sale");
        let (span, answer) = log.time(|| self.inventory.receive(self.lines[line as usize], quantity, &cause));
        let op = match delivery {
            Delivery::Opening => Op::Open,
            Delivery::Restock => Op::Receive,
        };
        let result = answer.map_or(Outcome::Refused, |_| Outcome::Ok);
        log.push(span.call(op).with_item(line, units.into()).with_result(result));
    }

    fn look(&self, line: u32) -> Look {
        let levels = self.inventory.levels(self.lines[line as usize]);
        levels.map_or(Look::default(), |levels| Look {
            left: levels.available.into(),
            held: levels.reserved.into(),
            sold: levels.committed.into(),
        })
    }

    fn expired(&self) -> u64 {
        self.inventory.counts().expired
    }

    fn close(&self, log: &Log) -> Closing {
        while !self.inventory.sweep().complete {}
        let snapshot = self.inventory.levels_all();
        let at_ns = log.clock().ns();
        let finals = snapshot.lines.iter().map(|levels| Final {
            line: levels.line.index() as u32,
            at_ns,
            on_hand: levels.on_hand.into(),
            available: levels.available.into(),
            reserved: levels.reserved.into(),
            committed: levels.committed.into(),
            blocked: u64::from(levels.blocked) + u64::from(levels.safety_stock),
        });
        let verification = self.inventory.verify();
        let mut audit: Vec<String> =
            verification.differences.iter().map(|difference| format!("{difference:?}")).collect();
        if !snapshot.settled {
            audit.push("the snapshot of all lines did not settle, though nobody bought".into());
        }
        let channels = self.inventory.channel_counts().into_iter().filter(|counts| counts.reserved > 0);
        let channels = channels.map(|counts| {
            let figures = [counts.reserved, counts.confirmed, counts.released, counts.expired];
            (counts.label.to_string(), figures)
        });
        Closing { finals: finals.collect(), audit, channels: channels.collect() }
    }
}

/// One worker's way into the engine.
#[derive(Debug)]
pub(crate) struct EngineTill<'a> {
    shop: &'a EngineShop,
    log: Log,
    live: &'a Live,
}

impl EngineTill<'_> {
    fn request(&self, order: &Order) -> ReserveRequest {
        let items = order.items().iter().map(|(line, units)| Item {
            line: self.shop.lines[*line as usize],
            quantity: Quantity::new(*units).unwrap_or(Quantity::ONE),
        });
        let request = ReserveRequest::new(self.shop.ttl)
            .with_items(items)
            .with_owner(Owner::from_bits(order.owner))
            .with_channel(self.shop.channels[order.channel]);
        match order.key {
            Some(key) => request.with_key(Key::from_bits(key)),
            None => request,
        }
    }

    /// Writes a first reserve down.
    fn reserved(&mut self, span: Span, items: history::Items, answer: &Result<Reserved, ReserveError>) {
        self.live.took(span.length_ns());
        let call = span.call(Op::Reserve).with_items(items);
        self.log.push(match answer {
            Ok(reserved) => call
                .with_id(id(reserved.id))
                .with_deadline(self.log.clock().ns_of(reserved.deadline)),
            Err(error) => call.with_result(refusal(error)),
        });
        match answer {
            Err(error) if sold_out(error) => self.live.refused.add(1),
            Ok(_) | Err(ReserveError::Contended { .. }) => {}
            Err(_) => self.live.odd.add(1),
        }
    }

    /// Writes a repeated reserve down, and whether it was answered as before.
    fn reserved_again(
        &mut self,
        span: Span,
        items: history::Items,
        answer: &Result<Reserved, ReserveError>,
        first: Option<ReservationId>,
    ) {
        self.live.repeats.add(1);
        match answer {
            Ok(reserved) if Some(reserved.id) == first => {
                self.live.repeats_alike.add(1);
                self.log.push(span.call(Op::Get).with_id(id(reserved.id)));
            }
            Err(error) if first.is_none() && sold_out(error) => {
                self.live.repeats_alike.add(1);
                self.log.push(span.call(Op::Reserve).with_items(items).with_result(Outcome::Refused));
            }
            _ => self.reserved(span, items, answer), // another answer: an effect of its own
        }
    }

    /// Writes down a call on a reservation.
    fn on_ticket(&mut self, span: Span, op: Op, ticket: ReservationId, result: Outcome) {
        self.log.push(span.call(op).with_id(id(ticket)).with_result(result));
    }
}

impl Till for EngineTill<'_> {
    type Ticket = ReservationId;

    fn read(&mut self, line: u32) -> u32 {
        self.shop.inventory.available(self.shop.lines[line as usize]).unwrap_or(0)
    }

    fn reserve(&mut self, order: &Order, attempt: Attempt<ReservationId>) -> Answer<ReservationId> {
        let request = self.request(order);
        let inventory = &self.shop.inventory;
        let (span, answer) = self.log.time(|| {
            inventory.reserve_with(&request).map(|guard| {
                let reserved = guard.reserved();
                let _id = guard.detach(); // the agent keeps the id, as one behind a network would
                reserved
            })
        });
        let items = order.items().iter().map(|(line, units)| history::Item { line: *line, qty: u64::from(*units) });
        let items = items.collect();
        match attempt {
            Attempt::First => self.reserved(span, items, &answer),
            Attempt::Again(first) => self.reserved_again(span, items, &answer, first),
        }
        match answer {
            Ok(reserved) => Answer::Held(reserved.id),
            Err(error) if sold_out(&error) => Answer::Short,
            Err(ReserveError::Contended { .. }) => Answer::Busy,
            Err(_) => Answer::No,
        }
    }

    fn begin_payment(&mut self, ticket: ReservationId) -> Done {
        let (span, answer) = self.log.time(|| self.shop.inventory.begin_payment(ticket));
        let (result, done) = match answer {
            Ok(deadline) => {
                let deadline = self.log.clock().ns_of(deadline);
                self.log.push(span.call(Op::BeginPayment).with_id(id(ticket)).with_deadline(deadline));
                return Done::Yes;
            }
            Err(PaymentError::Ended { end, .. }) => (told(end), Done::Gone),
            Err(PaymentError::Contended { .. }) => (Outcome::Contended, Done::Busy),
            Err(PaymentError::NotFound { .. }) => (Outcome::NotFound, Done::Gone),
            Err(_) => (Outcome::Refused, Done::Gone),
        };
        self.on_ticket(span, Op::BeginPayment, ticket, result);
        done
    }

    fn confirm(&mut self, ticket: ReservationId, order: &Order, attempt: Attempt<()>) -> Done {
        let inventory = &self.shop.inventory;
        let (span, answer) = self.log.time(|| match order.confirm_key {
            Some(key) => inventory.confirm_with(ticket, Key::from_bits(key)),
            None => inventory.confirm(ticket),
        });
        let repeated = attempt != Attempt::First;
        let (result, done) = match answer {
            Ok(()) if repeated => (Outcome::AlreadyEnded(Ended::Confirmed), Done::Yes),
            Ok(()) => {
                self.live.sold.add(order.units());
                self.live.pairs.add(1);
                (Outcome::Ok, Done::Yes)
            }
            Err(ConfirmError::Ended { end, .. }) => {
                self.live.late.add(u64::from(end == End::Expired));
                (told(end), Done::Gone)
            }
            Err(ConfirmError::Contended { .. }) => (Outcome::Contended, Done::Busy),
            Err(ConfirmError::NotFound { .. }) => (Outcome::NotFound, Done::Gone),
            Err(_) => {
                self.live.odd.add(1);
                (Outcome::Refused, Done::Gone)
            }
        };
        if repeated {
            self.live.repeats.add(1);
            self.live.repeats_alike.add(u64::from(done == Done::Yes));
        }
        self.on_ticket(span, Op::Confirm, ticket, result);
        done
    }

    fn release(&mut self, ticket: ReservationId) -> Done {
        let (span, answer) = self.log.time(|| self.shop.inventory.release(ticket));
        let (result, done) = match answer {
            Ok(()) => {
                self.live.pairs.add(1);
                (Outcome::Ok, Done::Yes)
            }
            Err(ReleaseError::Ended { end, .. }) => (told(end), Done::Gone),
            Err(ReleaseError::Contended { .. }) => (Outcome::Contended, Done::Busy),
            Err(ReleaseError::NotFound { .. }) => (Outcome::NotFound, Done::Gone),
            Err(_) => (Outcome::Refused, Done::Gone),
        };
        self.on_ticket(span, Op::Release, ticket, result);
        done
    }

    fn pair(&mut self, line: u32, units: u32) {
        let Ok(quantity) = Quantity::new(units) else { return };
        let stock_id = self.shop.lines[line as usize];
        let (span, answer) = self.log.time(|| self.shop.inventory.reserve(stock_id, quantity, self.shop.ttl));
        let items = history::Items::one(line, units.into());
        match answer {
            Ok(guard) => {
                let reserved = guard.reserved();
                let (back, released) = self.log.time(|| guard.release());
                self.reserved(span, items, &Ok(reserved));
                let result = match released {
                    Ok(()) => {
                        self.live.pairs.add(1);
                        Outcome::Ok
                    }
                    Err(ReleaseError::Ended { end, .. }) => told(end),
                    Err(ReleaseError::NotFound { .. }) => Outcome::NotFound,
                    Err(_) => Outcome::Refused,
                };
                self.on_ticket(back, Op::Release, reserved.id, result);
            }
            Err(error) => self.reserved(span, items, &Err(error)),
        }
    }

    fn log(&self) -> &Log {
        &self.log
    }
}

/// A refused reserve, for the judge.
pub(crate) fn refusal(error: &ReserveError) -> Outcome {
    match error {
        ReserveError::Insufficient { line, available, .. } => {
            Outcome::short(line.index() as u32, u64::from(*available))
        }
        ReserveError::OutOfStock { line, .. } => Outcome::short(line.index() as u32, 0),
        ReserveError::CartShort { short } => {
            let short = short.iter().map(|item| Short {
                line: item.line.index() as u32,
                available: Some(item.available.into()),
            });
            Outcome::Insufficient(short.collect())
        }
        ReserveError::Contended { .. } => Outcome::Contended,
        _ => Outcome::Refused,
    }
}

/// Whether it was refused for want of units.
pub(crate) fn sold_out(error: &ReserveError) -> bool {
    matches!(
        error,
        ReserveError::Insufficient { .. } | ReserveError::OutOfStock { .. } | ReserveError::CartShort { .. }
    )
}

/// The judge's name of an end. What was taken anew for a late payment had expired.
fn told(end: End) -> Outcome {
    Outcome::AlreadyEnded(match end {
        End::Confirmed => Ended::Confirmed,
        End::Released => Ended::Released,
        End::Replaced => Ended::Replaced,
        _ => Ended::Expired,
    })
}

/// The judge's form of an id.
pub(crate) fn id(id: ReservationId) -> Id {
    Id::from(id.to_bits())
}

/// A call that was answered `Ok` on this id.
pub(crate) fn confirmed(span: Span, reservation: ReservationId) -> Call {
    span.call(Op::Confirm).with_id(id(reservation))
}
