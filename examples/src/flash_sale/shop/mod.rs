//! Where agents buy: through the engine, or the way the problem arises.
//!
//! A [`Shop`] is shared by all; each worker has a [`Till`] of its own, which makes the calls, takes their
//! times and writes them down for the judge.

mod engine;
mod engine_till;
mod naive;
mod words;

pub(crate) use engine::{EngineShop, PAYMENT_TTL_MS, TTL_MS};
pub(crate) use naive::NaiveShop;
pub(crate) use words::{finals, id, refusal};

use earmark_testkit::Final;

use super::live::Live;
use super::log::Log;
use super::order::Order;

/// One stock, shared by all.
pub(crate) trait Shop: Sync {
    type Till<'a>: Till + Send
    where
        Self: 'a;

    /// Whether agents with no time to think may hammer it.
    const HAMMERED: bool;

    /// A worker's way in.
    fn till<'a>(&'a self, log: Log, live: &'a Live) -> Self::Till<'a>;

    /// Units come in.
    fn deliver(&self, line: u32, units: u32, delivery: Delivery, log: &mut Log);

    /// One line, for the picture.
    fn look(&self, line: u32) -> Look;

    /// Reservations that expired so far, for the picture.
    fn expired(&self) -> u64;

    /// The books once nobody buys any more.
    fn close(&self, log: &Log) -> Closing;
}

/// Which delivery it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Opening,
    Restock,
}

/// One line as the picture shows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Units that can be had; below zero where more was sold than there was.
    pub(crate) left: i64,
    /// Units promised.
    pub(crate) held: u64,
    /// Units sold.
    pub(crate) sold: u64,
}

/// What was found at rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closing {
    /// Every line, for the judge to compare.
    pub(crate) finals: Vec<Final>,
    /// What the shop's own audit found wrong.
    pub(crate) audit: Vec<String>,
    /// By channel: label, reserved, confirmed, released, expired.
    pub(crate) channels: Vec<(String, [u64; 4])>,
}

/// One worker's way into the shop.
pub(crate) trait Till {
    /// What the shop gives for units set aside.
    type Ticket: Copy + PartialEq;

    /// Units of a line that can be had now. Promises nothing.
    fn read(&mut self, line: u32) -> u32;

    /// Asks for the whole order.
    fn reserve(&mut self, order: &Order, attempt: Attempt<Self::Ticket>) -> Answer<Self::Ticket>;

    /// The payment begins.
    fn begin_payment(&mut self, ticket: Self::Ticket) -> Done;

    /// It is paid.
    fn confirm(&mut self, ticket: Self::Ticket, order: &Order, attempt: Attempt<()>) -> Done;

    /// It is not wanted any more.
    fn release(&mut self, ticket: Self::Ticket) -> Done;

    /// Reserves and gives back at once.
    fn pair(&mut self, line: u32, units: u32);

    /// Where its calls are written down.
    fn log(&self) -> &Log;
}

/// Whether the agent asked this before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt<T> {
    First,
    /// Again under the same key, because the first answer was lost; it was this, or a refusal.
    Again(Option<T>),
}

/// What a reserve is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    Held(T),
    Short,
    /// Not decided; ask again shortly.
    Busy,
    /// Refused for another reason.
    No,
}

/// What any other call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Yes,
    /// The reservation is over.
    Gone,
    /// Not decided; ask again shortly.
    Busy,
}
