//! One worker's way into the engine. Each call is written down as its caller saw it.
//!
//! Two things are written down in another form than they were called, because the judge counts effects:
//! a repeated reserve (same key) as `get`, or as a plain refusal; a repeated confirm as being told that
//! the reservation is confirmed.

use earmark::{
    ConfirmError, End, Item, Key, Owner, PaymentError, Quantity, ReleaseError, ReservationId, ReserveError,
    ReserveRequest, Reserved,
};
use earmark_testkit::history::{self, Ended, Op, Outcome};

use super::super::live::Live;
use super::super::log::{Log, Span};
use super::super::order::Order;
use super::engine::EngineShop;
use super::words::{id, refusal, sold_out, told};
use super::{Answer, Attempt, Done, Till};

/// One worker's way into the engine.
#[derive(Debug)]
pub(crate) struct EngineTill<'a> {
    shop: &'a EngineShop,
    log: Log,
    live: &'a Live,
}

impl<'a> EngineTill<'a> {
    pub(super) fn new(shop: &'a EngineShop, log: Log, live: &'a Live) -> EngineTill<'a> {
        EngineTill { shop, log, live }
    }

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
            Ok(reserved) => call.with_id(id(reserved.id)).with_deadline(self.log.clock().ns_of(reserved.deadline)),
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
        let (span, seen) = self.log.time(|| self.shop.inventory.available(self.shop.lines[line as usize]));
        let seen = seen.unwrap_or(0);
        self.log.push(span.read(line, seen));
        seen
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
        let Ok(quantity) = Quantity::new(units) else {
            return;
        };
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
