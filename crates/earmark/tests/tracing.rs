//! The feature `tracing`.
//!
//! A file of its own, and one test at a time: tracing-core may forget that somebody listens if a callsite is first met
//! by a thread without a subscriber while another thread sets one. Here nothing is called without one.
#![cfg(feature = "tracing")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earmark::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stocked() -> (Inventory, StockId) {
    let inventory = Inventory::new();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, Quantity::new(9).unwrap(), &Cause::none()).unwrap();
    (inventory, tee)
}

/// Keeps every event as text, and panics at one if told to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Level, String)>>>, bool);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?}"));
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "earmark"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((*event.metadata().level(), text.0));
        if self.1 {
            std::panic::panic_any(Bomb);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A payload whose drop panics too.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

fn sell(inventory: &Inventory, tee: StockId) {
    inventory.reserve(tee, Quantity::ONE, Ttl::MAX).unwrap().confirm().unwrap();
    assert!(inventory.reserve(tee, Quantity::new(9).unwrap(), Ttl::MAX).is_err());
}

#[test]
fn every_change_is_an_event_and_a_refusal_is_one_at_debug_level() {
    let _alone = alone();
    let kept = Kept::default();
    tracing::subscriber::with_default(kept.clone(), || {
        let (inventory, tee) = stocked();
        sell(&inventory, tee);
    });
    let events = kept.0.lock().unwrap();
    let seen: Vec<_> = events.iter().map(|(level, text)| (*level, text.split([' ', '{']).next().unwrap())).collect();
    let (trace, debug) = (Level::TRACE, Level::DEBUG);
    let facts = ["fact=Declared", "fact=Stock", "fact=Reserved", "fact=Ended"].map(|fact| (trace, fact));
    assert_eq!(seen[..4], facts);
    assert_eq!(seen[4..], [(debug, "fact=Refused")]);
}

#[test]
fn a_subscriber_that_panics_breaks_nothing() {
    let _alone = alone();
    let kept = Kept(Arc::default(), true);
    tracing::subscriber::with_default(kept.clone(), || {
        let (inventory, tee) = stocked();
        sell(&inventory, tee);
        assert_eq!(inventory.levels(tee).unwrap().committed, 1);
        assert!(inventory.verify().is_clean());
    });
    assert_eq!(kept.0.lock().unwrap().len(), 5);
}
