//! Everything that is answered is counted, once, where it belongs.

use std::time::Duration;

use earmark::*;

struct Shop {
    inventory: Inventory,
    clock: ManualClock,
    tee: StockId,
    mobile: Channel,
}

fn shop() -> Shop {
    let clock = ManualClock::default();
    let builder = Inventory::builder().clock(clock.clone()).owner_units_max(3).owners_max(1).items_max(2).keys_max(4);
    let inventory = builder.channels_max(1).lines_max(2).build().unwrap();
    let [tee, _cap] = ["TEE", "CAP"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
    let _ = inventory.receive(tee, units(9), &Cause::none()).unwrap();
    let mobile = inventory.channel("mobile").unwrap();
    Shop { inventory, clock, tee, mobile }
}

fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

impl Shop {
    fn ask(&self, wanted: u32) -> ReserveRequest {
        let ttl = Ttl::minutes(1).unwrap();
        ReserveRequest::new(ttl).with_item(self.tee, units(wanted)).with_channel(self.mobile)
    }

    fn of(&self, owner: &str, wanted: u32) -> ReserveRequest {
        self.ask(wanted).with_owner(self.inventory.owner(owner))
    }

    fn take(&self, request: &ReserveRequest) -> Result<ReservationId, ReserveError> {
        self.inventory.reserve_with(request).map(Guard::detach)
    }

    fn of_mobile(&self) -> Counts {
        self.inventory.channel_counts()[0].counts
    }

    /// `call` is refused, and counted as this and as nothing else; under its channel too, if it has one.
    fn refused(&self, count: fn(&mut Counts) -> &mut u64, under_channel: bool, call: impl FnOnce(&Self) -> bool) {
        let (mut all, mut channel) = (self.inventory.counts(), self.of_mobile());
        assert!(call(self), "it was not refused as meant");
        *count(&mut all) += 1;
        if under_channel {
            *count(&mut channel) += 1;
        }
        assert_eq!((self.inventory.counts(), self.of_mobile()), (all, channel));
    }
}

#[test]
fn a_refusal_is_counted_once_and_by_its_reason() {
    use {ReserveError as R, StockError as S};
    let shop = shop();
    let Shop { inventory, tee, .. } = &shop;
    let (tee, key) = (*tee, |text: &str| inventory.key(text));

    shop.refused(|c| &mut c.refused, true, |s| matches!(s.take(&s.ask(10)), Err(R::Insufficient { .. })));
    let plain = inventory.reserve(tee, units(10), Ttl::MIN).map(Guard::detach);
    assert!(matches!(plain, Err(R::Insufficient { .. })));
    assert_eq!((inventory.counts().refused, shop.of_mobile().refused), (2, 1));

    shop.refused(|c| &mut c.refused_owner_cap, true, |s| matches!(s.take(&s.of("ada", 4)), Err(R::OwnerCap { .. })));
    let held = shop.take(&shop.of("ada", 2)).unwrap();
    shop.refused(|c| &mut c.refused_full, true, |s| matches!(s.take(&s.of("bob", 1)), Err(R::Full(_))));
    shop.refused(
        |c| &mut c.refused_request,
        true,
        |s| {
            let many = s.ask(1).with_items([Item { line: s.tee, quantity: units(1) }; 2]);
            matches!(s.take(&many), Err(R::Request(RequestError::TooManyItems { .. })))
        },
    );
    shop.refused(
        |c| &mut c.refused_request,
        false,
        |s| matches!(s.inventory.reserve_named("MUG", units(1), Ttl::MIN).map(drop), Err(R::UnknownName { .. })),
    );
    shop.refused(
        |c| &mut c.refused_request,
        true,
        |s| {
            matches!(
                s.inventory.replace(held, &s.ask(1)),
                Err(ReplaceError::Reserve(R::Request(RequestError::NoOwner)))
            )
        },
    );

    let first = shop.ask(1).with_key(key("once"));
    let id = shop.take(&first).unwrap();
    shop.refused(|c| &mut c.repeated, true, |s| s.take(&first) == Ok(id));
    shop.refused(
        |c| &mut c.refused_key_reused,
        true,
        |s| s.take(&s.ask(2).with_key(key("once"))) == Err(R::Key(KeyError::Reused)),
    );

    shop.refused(
        |c| &mut c.refused_stock,
        false,
        |s| matches!(s.inventory.adjust(tee, -9, &Cause::none()), Err(S::Short { short_by: 3, .. })),
    );
    shop.refused(
        |c| &mut c.refused_stock,
        false,
        |s| matches!(s.inventory.receive(tee, units(1), &Cause::none().with_source("")), Err(S::Name(_))),
    );
    shop.refused(
        |c| &mut c.refused_full,
        false,
        |s| matches!(s.inventory.declare(LineSpec::new("MUG")), Err(DeclareError::Full(_))),
    );
    shop.refused(|c| &mut c.refused_full, false, |s| matches!(s.inventory.channel("web"), Err(ChannelError::Full(_))));

    inventory.release(id).unwrap();
    let gone = |c| -> fn(&mut Counts) -> &mut u64 { c };
    let gone = gone(|c| &mut c.refused_reservation);
    shop.refused(gone, false, |s| matches!(s.inventory.confirm(id), Err(ConfirmError::Ended { .. })));
    shop.refused(gone, false, |s| matches!(s.inventory.release(id), Err(ReleaseError::Ended { .. })));
    shop.refused(gone, false, |s| matches!(s.inventory.extend(id, Ttl::MAX), Err(ExtendError::Ended { .. })));
    shop.refused(gone, false, |s| matches!(s.inventory.begin_payment(id), Err(PaymentError::Ended { .. })));
    shop.refused(gone, false, |s| matches!(s.inventory.release_part(id, &[]), Err(PartError::NoItems { .. })));
    shop.refused(gone, false, |s| s.inventory.confirm_or_reacquire(id).is_err());
    shop.refused(gone, false, |s| s.inventory.resolve_reviews(&[held], Resolution::Confirm)[0].is_err());
    shop.refused(gone, true, |s| s.inventory.replace(id, &s.of("ada", 1)).is_err());

    let _ = inventory.close(CloseMode::Drain);
    shop.refused(|c| &mut c.refused_closed, true, |s| s.take(&s.ask(1)) == Err(R::Closed));
    shop.refused(
        |c| &mut c.refused_closed,
        false,
        |s| s.inventory.reserve(tee, units(1), Ttl::MIN).map(drop) == Err(R::Closed),
    );
}

/// What a channel made is what it ended and what of it lives.
#[test]
fn a_channel_adds_up() {
    let Shop { inventory, clock, tee, mobile } = shop();
    let ask = |wanted| {
        let ttl = Ttl::secs(30).unwrap();
        ReserveRequest::new(ttl).with_item(tee, units(wanted)).with_channel(mobile)
    };
    let owned = |wanted| ask(wanted).with_owner(inventory.owner("ada"));
    let take = |request: &ReserveRequest| inventory.reserve_with(request).map(Guard::detach).unwrap();
    let [confirmed, part, late, expired] = [1, 2, 1, 1].map(|wanted| take(&ask(wanted)));
    inventory.confirm(confirmed).unwrap();
    inventory.release_part(part, &[Item { line: tee, quantity: units(1) }]).unwrap();
    inventory.release(part).unwrap();
    let old = take(&owned(1));
    let new = inventory.replace(old, &owned(2)).unwrap().id;
    inventory.begin_payment(new).unwrap();
    inventory.extend(late, Ttl::secs(31).unwrap()).unwrap();
    clock.advance(Duration::from_secs(31));
    while !inventory.sweep().complete {}
    assert_eq!(inventory.confirm_or_reacquire(late), Ok(Late::Reacquired));
    assert!(inventory.confirm(expired).is_err());
    let lives = inventory.get(new).is_some_and(|found| found.state == State::Live(Phase::Paying));
    assert!(lives);

    let counts = inventory.channel_counts().remove(0).counts;
    let Counts { reserved, confirmed, released, expired, replaced, reacquired, .. } = counts;
    assert_eq!((reserved, confirmed, released, expired, replaced, reacquired), (6, 1, 1, 2, 1, 1));
    // One that was taken up again counts as expired too: it ended, and its units came once more.
    assert_eq!(reserved, confirmed + released + expired + replaced + 1);
    let Counts { reserved_units, confirmed_units, released_units, expired_units, replaced_units, .. } = counts;
    assert_eq!((confirmed_units, released_units, expired_units, replaced_units), (1, 2, 2, 1));
    assert_eq!(reserved_units, confirmed_units + released_units + expired_units + replaced_units + 2);
    assert_eq!((counts.payments_begun, counts.extended, counts.refused_reservation), (1, 1, 0));
    assert!(inventory.verify().is_clean());
}

/// A review that ends before any sweep began it is a review all the same.
#[test]
fn a_review_is_counted_also_if_no_sweep_came_by() {
    for sweeps in [false, true] {
        let clock = ManualClock::default();
        let builder = Inventory::builder().clock(clock.clone()).pending_policy(PendingPolicy::Review);
        let inventory = builder.pending_ttl(Ttl::minutes(30).unwrap()).build().unwrap();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, units(9), &Cause::none()).unwrap();
        let pending = || {
            let id = inventory.reserve(tee, units(1), Ttl::minutes(5).unwrap()).unwrap().detach();
            let _ = inventory.payment_pending(id).unwrap();
            id
        };
        let [one, two, three, four] = [pending(), pending(), pending(), pending()];
        clock.advance(Duration::from_secs(30 * 60));
        if sweeps {
            while !inventory.sweep().complete {}
        }
        assert_eq!(inventory.resolve_reviews(&[one, two], Resolution::Confirm), [Ok(()), Ok(())]);
        inventory.confirm_part(three, &[Item { line: tee, quantity: units(1) }]).unwrap();
        assert_eq!(inventory.confirm_or_reacquire(four), Ok(Late::InTime));
        assert_eq!(inventory.counts().reviews, 4, "swept: {sweeps}");
    }
}
