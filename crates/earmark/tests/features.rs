//! The optional features, each at work; `tracing` has a file of its own.
#![cfg(any(feature = "serde", feature = "metrics", feature = "quanta"))]

use earmark::*;

#[allow(dead_code, reason = "not every feature needs it")]
fn stocked() -> (Inventory, StockId) {
    let inventory = Inventory::new();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, Quantity::new(9).unwrap(), &Cause::none()).unwrap();
    (inventory, tee)
}

#[cfg(feature = "serde")]
mod serde {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn round<T>(value: T, wire: Value)
    where
        T: ::serde::Serialize + for<'de> ::serde::Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        assert_eq!(to_value(&value).unwrap(), wire);
        assert_eq!(from_value::<T>(wire).unwrap(), value);
    }

    #[test]
    fn nouns_go_out_and_come_back() {
        round(Quantity::new(3).unwrap(), json!(3));
        round(Ttl::secs(2).unwrap(), json!(2_000));
        round(Timestamp::from_millis(7), json!(7));
        round(Owner::from_bits(255), json!("000000000000000000000000000000ff"));
        round(Key::from_bits(u128::MAX), json!("ffffffffffffffffffffffffffffffff"));
        round(End::Reacquired, json!("reacquired"));
        round(Phase::PaymentPending, json!("payment_pending"));
        round(PendingPolicy::Review, json!("review"));
        round(Shortage::TakeRest, json!("take_rest"));
        round(Resolution::Confirm, json!("confirm"));
        round(Count { expected: 4, counted: 3 }, json!({ "expected": 4, "counted": 3 }));
        round(
            LineSpec::new("TEE").with_location("berlin"),
            json!({ "sku": "TEE", "location": "berlin", "category": null }),
        );
        let (inventory, tee) = stocked();
        let id = inventory.reserve(tee, Quantity::ONE, Ttl::MAX).unwrap().detach();
        round(id, json!(id.to_string()));
    }

    #[test]
    fn what_is_out_of_bounds_or_unknown_is_refused() {
        assert!(from_value::<Quantity>(json!(0)).is_err());
        assert!(from_value::<Quantity>(json!(1u64 << 30)).is_err());
        assert!(from_value::<Ttl>(json!(0)).is_err());
        assert!(from_value::<ReservationId>(json!("e0")).is_err());
        for owner in [json!("+0000000000000000000000000000001"), json!("ff"), json!(255), json!("g".repeat(32))] {
            assert!(from_value::<Owner>(owner.clone()).is_err(), "{owner}");
        }
        let misspelt = json!({ "sku": "TEE", "loction": "berlin" });
        let error = from_value::<LineSpec>(misspelt).unwrap_err().to_string();
        assert!(error.contains("loction"), "{error}");
    }

    #[test]
    fn answers_are_written_whole() {
        let (inventory, tee) = stocked();
        let request = ReserveRequest::new(Ttl::MAX).with_item(tee, Quantity::ONE);
        let request = request.with_owner(Owner::from_bits(1)).with_key(Key::from_bits(2));
        let guard = inventory.reserve_with(&request).unwrap();
        let id = guard.id();
        assert_eq!(to_value(guard.reserved()).unwrap()["id"], id.to_string());
        let found = to_value(inventory.get(id).unwrap()).unwrap();
        assert_eq!(found["owner"], "00000000000000000000000000000001");
        assert_eq!(found["key"], "00000000000000000000000000000002");
        assert_eq!(
            (&found["state"], &found["remaining"]["secs"]),
            (&json!({ "live": "reserved" }), &json!(400 * 86_400))
        );
        assert_eq!(to_value(inventory.levels(tee).unwrap()).unwrap()["available"], 8);
        assert_eq!(to_value(inventory.counts()).unwrap()["reserved"], 1);
        assert_eq!(to_value(inventory.usage()).unwrap()["lines"], 1);
        assert_eq!(to_value(inventory.verify()).unwrap()["differences"], json!([]));
    }
}

#[cfg(feature = "metrics")]
mod metrics {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    use ::metrics::{Counter, Gauge, Histogram, Key as Name, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Keeps the last value of each counter and gauge, by name and labels.
    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Kept {
        fn cell(&self, name: &Name) -> Arc<AtomicU64> {
            let labels: Vec<_> = name.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{} {}", name.name(), labels.join(","));
            Arc::clone(self.0.lock().unwrap().entry(name).or_default())
        }

        fn value(&self, name: &str) -> Option<u64> {
            self.0.lock().unwrap().get(name).map(|value| value.load(Relaxed))
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, name: &Name, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.cell(name))
        }
        fn register_gauge(&self, name: &Name, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.cell(name))
        }
        fn register_histogram(&self, _: &Name, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn counts_channels_and_usage_are_published() {
        let (inventory, tee) = stocked();
        let mobile = inventory.channel("mobile").unwrap();
        let request = ReserveRequest::new(Ttl::MAX).with_item(tee, Quantity::ONE).with_channel(mobile);
        inventory.reserve_with(&request).unwrap().confirm().unwrap();
        let _plain = inventory.reserve(tee, Quantity::ONE, Ttl::MAX).unwrap();
        let kept = Kept::default();
        ::metrics::with_local_recorder(&kept, || {
            inventory.publish_metrics();
            inventory.publish_metrics(); // the same again, not twice as much
        });
        assert_eq!(kept.value("earmark_reserved_total "), Some(2));
        assert_eq!(kept.value("earmark_received_units_total "), Some(9));
        assert_eq!(kept.value("earmark_channel_reserved_total channel=mobile"), Some(1));
        assert_eq!(kept.value("earmark_channel_confirmed_units_total channel=mobile"), Some(1));
        assert_eq!(kept.value("earmark_lines ").map(f64::from_bits), Some(1.0));
        assert_eq!(kept.value("earmark_channels ").map(f64::from_bits), Some(1.0));
    }
}

#[cfg(feature = "quanta")]
#[test]
fn an_inventory_runs_on_the_time_stamp_counter() {
    let inventory = Inventory::builder().clock(QuantaClock::new()).build().unwrap();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
    let guard = inventory.reserve(tee, Quantity::ONE, Ttl::millis(1).unwrap()).unwrap();
    while inventory.now() < guard.deadline() {
        std::hint::spin_loop();
    }
    assert!(matches!(guard.confirm(), Err(ConfirmError::Ended { end: End::Expired, .. })));
}
