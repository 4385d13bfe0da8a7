//! The reference judges: which answers to a request are right.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{Held, Reference};
use crate::error::{OwnerCap, RequestError, ReserveError, ShortItem, Table};
use crate::inventory::answer::State;
use crate::inventory::request::{Owner, ReserveRequest, Shortage};
use crate::{End, PendingPolicy, Phase, Quantity, ReservationId, StockId, UNITS_MAX};

/// What a request to reserve must be answered.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Every refusal that would be true. If there is none, it must succeed.
    pub(super) refusals: Vec<ReserveError>,
    /// A table is full or nearly so: both answers are right.
    pub(super) perhaps: Vec<ReserveError>,
    /// What it takes.
    pub(super) takes: BTreeMap<StockId, u32>,
}

impl Reference {
    /// Whether the request can be served, and with what. A key is judged before.
    pub(super) fn judge(&self, request: &ReserveRequest, except: Option<ReservationId>) -> Verdict {
        let mut verdict = Verdict { refusals: Vec::new(), perhaps: Vec::new(), takes: BTreeMap::new() };
        verdict.refusals = self.judge_form(request);
        if self.closed {
            verdict.refusals.push(ReserveError::Closed);
        }
        if !verdict.refusals.is_empty() {
            return verdict;
        }
        let mut wants: BTreeMap<StockId, u32> = BTreeMap::new();
        for item in &request.items {
            *wants.entry(item.line).or_default() += item.quantity.get();
        }
        self.judge_owner(request.owner, &wants, except, &mut verdict);
        let before = verdict.refusals.len();
        for (&line, &units) in &wants {
            match self.line(line) {
                None => verdict.refusals.push(ReserveError::UnknownLine { line }),
                // What is kept of a replaced one is not new.
                Some(books) if books.retired && units > self.kept(except, line) => {
                    verdict.refusals.push(ReserveError::Retired { line })
                }
                Some(_) => {}
            }
        }
        if verdict.refusals.len() == before {
            self.judge_stock(request.shortage, &wants, except, &mut verdict);
        }
        let parked = self.parked.iter().filter(|id| self.all[id].state == State::Ended(End::Expired)).count();
        let occupied = self.live.len() + self.due.len() + parked;
        if occupied >= self.set.reservations_max {
            verdict.perhaps.push(self.full(Table::Reservations, self.set.reservations_max).into());
        }
        verdict
    }

    /// Refusals that need no look at any stock.
    pub(super) fn judge_form(&self, request: &ReserveRequest) -> Vec<ReserveError> {
        let mut refusals = Vec::new();
        let mut refuse = |error: RequestError| refusals.push(error.into());
        if request.ttl > self.set.life_max {
            let (asked, max) = (request.ttl.as_duration(), self.set.life_max.as_duration());
            refuse(RequestError::TtlTooLong { asked, max });
        }
        let (items, max) = (request.items.len(), self.set.items_max);
        if items == 0 {
            refuse(RequestError::NoItems);
        }
        if items > max {
            refuse(RequestError::TooManyItems { items, max });
        }
        let (bytes, max) = (request.metadata.as_ref().map_or(0, |text| text.len()), self.set.metadata_max);
        if bytes > max {
            refuse(RequestError::MetadataTooLong { bytes, max });
        }
        if request.channel.is_some_and(|channel| usize::from(channel.0) > self.channels.len()) {
            refuse(RequestError::UnknownChannel);
        }
        for item in &request.items {
            let same = request.items.iter().filter(|other| other.line == item.line);
            if same.map(|same| u64::from(same.quantity.get())).sum::<u64>() > u64::from(UNITS_MAX) {
                refuse(RequestError::TooManyUnits { line: item.line });
            }
        }
        refusals
    }

    fn judge_owner(
        &self,
        owner: Option<Owner>,
        wants: &BTreeMap<StockId, u32>,
        except: Option<ReservationId>,
        verdict: &mut Verdict,
    ) {
        let Some(owner) = owner else { return };
        let owner_of = |id: &ReservationId| self.all[id].owner;
        let owners: BTreeSet<_> = self.live.iter().filter_map(owner_of).collect();
        let perhaps: BTreeSet<_> = self.live.iter().chain(&self.due).filter_map(owner_of).collect();
        let full = self.full(Table::Owners, self.set.owners_max);
        if !owners.contains(&owner) && owners.len() >= self.set.owners_max {
            verdict.refusals.push(full.into());
        } else if !owners.contains(&owner) && perhaps.len() >= self.set.owners_max && !self.sweeps_all() {
            verdict.perhaps.push(full.into());
        }
        let mine = self.live.iter().filter(|id| Some(**id) != except && owner_of(id) == Some(owner));
        let mine: Vec<&Held> = mine.map(|id| &self.all[id]).collect();
        let mut cap = |cap, held, asked, max| {
            if held + asked > max {
                verdict.refusals.push(ReserveError::OwnerCap { cap, held, asked, max });
            }
        };
        let sum = |items: &BTreeMap<StockId, u32>| items.values().map(|units| u64::from(*units)).sum::<u64>();
        cap(OwnerCap::Reservations, mine.len() as u64, 1, self.set.owner_reservations_max);
        cap(OwnerCap::Units, mine.iter().map(|held| sum(&held.items)).sum(), sum(wants), self.set.owner_units_max);
        for (line, asked) in wants {
            let held = mine.iter().filter_map(|held| held.items.get(line)).map(|units| u64::from(*units)).sum();
            cap(OwnerCap::UnitsPerLine, held, u64::from(*asked), self.set.owner_line_max);
        }
    }

    /// What a live reservation that is being replaced holds of a line.
    fn kept(&self, except: Option<ReservationId>, line: StockId) -> u32 {
        let old = except.and_then(|id| self.all.get(&id)).filter(|old| matches!(old.state, State::Live(_)));
        old.and_then(|old| old.items.get(&line)).copied().unwrap_or(0)
    }

    fn judge_stock(
        &self,
        shortage: Shortage,
        wants: &BTreeMap<StockId, u32>,
        except: Option<ReservationId>,
        verdict: &mut Verdict,
    ) {
        let mut short = Vec::new();
        for (&line, &units) in wants {
            let available = self.available(line) + self.kept(except, line);
            if available < units
                && let Ok(asked) = Quantity::new(units)
            {
                short.push(ShortItem { line, asked, available });
            }
            let takes = units.min(available);
            if takes > 0 {
                verdict.takes.insert(line, takes);
            }
        }
        if short.is_empty() || (shortage == Shortage::TakeRest && !verdict.takes.is_empty()) {
            return;
        }
        verdict.refusals.push(match short[..] {
            [ShortItem { line, asked, available: 0 }] if wants.len() == 1 => ReserveError::OutOfStock { line, asked },
            [ShortItem { line, asked, available }] if wants.len() == 1 => {
                ReserveError::Insufficient { line, asked, available }
            }
            _ => ReserveError::CartShort { short: short.into() },
        });
    }

    /// P11: the earliest time at which this many may be there.
    pub(super) fn retry_after(&self, line: StockId, units: u32) -> Option<u64> {
        if self.lines[line.index()].retired {
            return None;
        }
        let mut there = self.available(line);
        let mut back: Vec<(u64, u32)> = Vec::new();
        for held in self.live.iter().map(|id| &self.all[id]) {
            let never = self.set.policy == PendingPolicy::Review && held.state == State::Live(Phase::PaymentPending);
            if let (Some(deadline), Some(units), false) = (held.deadline, held.items.get(&line), never) {
                back.push((deadline, *units));
            }
        }
        back.sort_unstable();
        let mut at = self.now;
        let mut back = back.into_iter();
        while there < units {
            let (deadline, more) = back.next()?;
            at = deadline;
            there += more;
        }
        Some(at)
    }
}
