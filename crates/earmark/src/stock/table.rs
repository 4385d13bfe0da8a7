//! Names to numbers, numbers to lines.
//!
//! A name is interned once; a query for an unknown name interns nothing. Counters lie densely by
//! number; what is read seldom lies elsewhere.

use std::sync::Arc;
// Written under the lock of declarations; loom need not explore it.
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use super::counter::Counter;
use super::ledger::Ledger;
use super::names::Names;
use crate::paged::Paged;
use crate::sku::{LineName, LineSpec, StockId};
use crate::sync::Mutex;

/// A line's name and books.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: LineName,
    pub(crate) ledger: Mutex<Ledger>,
}

/// Why a line was not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undeclared {
    Full,
    Differs(StockId),
}

#[derive(Debug)]
pub(crate) struct Table {
    counters: Paged<Counter>,
    lines: boxcar::Vec<Line>,
    names: Names,
    declaring: Mutex<()>,
    /// Lines that can be named.
    declared: AtomicUsize,
    lines_max: usize,
}

impl Table {
    pub(crate) fn new(lines_max: usize) -> Self {
        Self {
            counters: Paged::new(lines_max, Counter::new),
            lines: boxcar::Vec::new(),
            names: Names::new(lines_max),
            declaring: Mutex::new(()),
            declared: AtomicUsize::new(0),
            lines_max,
        }
    }

    /// Declares a line, or finds it declared in the same words. `fresh` is told of a new one before anybody
    /// can name it.
    pub(crate) fn declare(&self, spec: LineSpec, fresh: impl FnOnce(StockId)) -> Result<StockId, Undeclared> {
        let _one_at_a_time = self.declaring.lock();
        if let Some(id) = self.lookup(&spec.sku, spec.location.as_deref()) {
            let same = self.line(id).is_some_and(|line| line.name.category == spec.category);
            return if same { Ok(id) } else { Err(Undeclared::Differs(id)) };
        }
        let index = self.lines.count();
        let id = StockId::new(u32::try_from(index).map_err(|_| Undeclared::Full)?);
        if index >= self.lines_max || self.counters.grow(index).is_none() {
            return Err(Undeclared::Full);
        }
        self.names.make_room(index);
        fresh(id);
        let LineSpec { sku, location, category } = spec;
        let name = LineName { sku: Arc::clone(&sku), location: location.clone(), category, id };
        self.lines.push(Line { name, ledger: Mutex::new(Ledger::default()) });
        self.declared.store(index + 1, Release);
        self.names.insert(&sku, location.as_deref(), id);
        Ok(id)
    }

    /// The number of a name. Takes no lock.
    #[inline]
    pub(crate) fn lookup(&self, sku: &str, location: Option<&str>) -> Option<StockId> {
        self.names.find(sku, location, |id| self.line(id).is_some_and(|line| line.name.is(sku, location)))
    }

    /// The hot word. It may lie on a page that exists although the line was never declared: then it is
    /// all zero and nothing can be taken from it.
    #[inline]
    pub(crate) fn counter(&self, id: StockId) -> Option<&Counter> {
        self.counters.get(id.index())
    }

    /// Name and books of a declared line.
    pub(crate) fn line(&self, id: StockId) -> Option<&Line> {
        self.lines.get(id.index())
    }

    /// Whether a line has this number, for who has no need of its name.
    #[inline]
    pub(crate) fn is_declared(&self, id: StockId) -> bool {
        // ORDERING: pairs with the store in `declare`, so that who sees the number finds the line.
        id.index() < self.declared.load(Acquire)
    }

    /// Declared lines.
    pub(crate) fn len(&self) -> usize {
        self.lines.count()
    }

    /// Waits for a declaration under way. What was declared before is found by [`iter`](Self::iter) from
    /// here on, and whoever declares later sees what was written before this.
    pub(crate) fn meet(&self) {
        drop(self.declaring.lock());
    }

    /// Every declared line, in order of declaration.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Counter, &Line)> {
        self.lines.iter().filter_map(|(index, line)| Some((self.counters.get(index)?, line)))
    }
}
