//! What is fuzzed: lists of operations, and reservation ids as text. Shared by the fuzz targets and by
//! the smoke test on stable.
#![allow(dead_code, reason = "each target uses one of them")]

use std::time::Duration;

use earmark::*;

/// Bytes as choices; zero once they are used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn wide(&mut self) -> u32 {
        // Mostly small, sometimes huge.
        let (low, high) = (u32::from(self.next()), self.next());
        if high < 0xF0 { low } else { low << (high & 31) }
    }

    fn quantity(&mut self) -> Quantity {
        Quantity::new(self.wide()).unwrap_or(Quantity::ONE)
    }

    fn ttl(&mut self) -> Ttl {
        Ttl::millis(1 << (self.next() % 36)).unwrap_or(Ttl::MAX)
    }
}

const LINES: u8 = 4;

/// Any list of operations: no panic, and the books hold after each.
pub(crate) fn operations(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let clock = ManualClock::new(Timestamp::from_millis(u64::from(bytes.wide())));
    let policy = if bytes.next() % 2 == 0 { PendingPolicy::Release } else { PendingPolicy::Review };
    let inventory = Inventory::builder()
        .clock(clock.clone())
        .lines_max(usize::from(LINES))
        .reservations_max(16)
        .expired_capacity(8)
        .keys_max(4)
        .owners_max(2)
        .items_max(3)
        .owner_units_max(500)
        .pending_policy(policy)
        .build()
        .unwrap();
    for at in 0..LINES {
        inventory.declare(LineSpec::new(&format!("line {at}"))).unwrap();
    }
    let lines: Vec<_> = (0..LINES).map(|at| inventory.lookup(&format!("line {at}")).unwrap()).collect();
    let mut ids: Vec<ReservationId> = Vec::new();
    while !bytes.0.is_empty() {
        let line = lines[usize::from(bytes.next() % LINES)];
        let id = ids.get(usize::from(bytes.next()) % ids.len().max(1)).copied();
        operation(&inventory, &clock, &mut bytes, line, &lines, id, &mut ids);
        let verified = inventory.verify();
        assert!(verified.is_clean(), "{verified:?}");
        not_oversold(&inventory);
        if ids.len() > 32 {
            ids.remove(0);
        }
    }
}

/// P1 and P3 by what happened and what lives, not by any line's own numbers.
fn not_oversold(inventory: &Inventory) {
    let counts = inventory.counts();
    let came = counts.received_units + counts.adjusted_up_units;
    let on_hand = came - counts.adjusted_down_units - counts.shipped_units;
    let confirmed = counts.confirmed_units + counts.reacquired_units;
    let committed = confirmed - counts.shipped_units - counts.cancelled_units;
    let items = inventory.reservations(&Filter::all()).flat_map(|found| found.items);
    let living: u64 = items.map(|item| u64::from(item.quantity.get())).sum();
    assert!(living + committed <= on_hand, "P1: {living} live and {committed} committed of {on_hand}");
    let levels = inventory.levels_all().lines;
    let sum = |of: fn(&Levels) -> u32| levels.iter().map(|levels| u64::from(of(levels))).sum::<u64>();
    assert_eq!((sum(|levels| levels.on_hand), sum(|levels| levels.committed)), (on_hand, committed), "P3");
}

fn operation(
    inventory: &Inventory,
    clock: &ManualClock,
    bytes: &mut Bytes<'_>,
    line: StockId,
    lines: &[StockId],
    id: Option<ReservationId>,
    ids: &mut Vec<ReservationId>,
) {
    let cause = match bytes.next() % 4 {
        0 => Cause::none().with_key(Key::from_bits(u128::from(bytes.next() % 6))),
        _ => Cause::none(),
    };
    let other = lines[usize::from(bytes.next()) % lines.len()];
    let item = Item { line, quantity: bytes.quantity() };
    let mut request = ReserveRequest::new(bytes.ttl()).with_items([item]);
    let flavour = bytes.next();
    if flavour & 1 != 0 {
        request = request.with_item(other, bytes.quantity());
    }
    if flavour & 2 != 0 {
        request = request.with_owner(Owner::from_bits(u128::from(flavour >> 6)));
    }
    if flavour & 4 != 0 {
        request = request.with_key(Key::from_bits(u128::from(bytes.next() % 6)));
    }
    if flavour & 8 != 0 {
        request = request.with_shortage(Shortage::TakeRest);
    }
    match (bytes.next() % 24, id) {
        (0, _) => drop(inventory.receive(line, item.quantity, &cause)),
        (1, _) => drop(inventory.adjust(line, bytes.wide() as i32, &cause)),
        (2, _) => drop(inventory.adjust_set(line, Count { expected: bytes.wide(), counted: bytes.wide() }, &cause)),
        (3, _) => drop(inventory.block(line, item.quantity, "damaged", &cause)),
        (4, _) => drop(inventory.unblock(line, item.quantity, "damaged", &cause)),
        (5, _) => drop(inventory.set_safety_stock(line, bytes.wide(), &cause)),
        (6, _) => drop(inventory.ship(line, item.quantity, &cause)),
        (7, _) => drop(inventory.cancel_order(line, item.quantity, &cause)),
        (8, _) => drop(inventory.transfer(line, other, item.quantity, &cause)),
        (9, _) => {
            drop(if flavour & 1 == 0 { inventory.reinstate(line, &cause) } else { inventory.retire(line, &cause) })
        }
        (10, Some(id)) => drop(inventory.confirm(id)),
        (11, Some(id)) => drop(inventory.release(id)),
        (12, Some(id)) => drop(inventory.extend(id, bytes.ttl())),
        (13, Some(id)) => drop(inventory.confirm_part(id, &[item])),
        (14, Some(id)) => drop(inventory.release_part(id, &[item])),
        (15, Some(id)) => drop(inventory.begin_payment(id)),
        (16, Some(id)) => drop(inventory.payment_pending(id)),
        (17, Some(id)) => drop(inventory.confirm_or_reacquire(id)),
        (18, Some(id)) => ids.extend(inventory.replace(id, &request).map(|made| made.id)),
        (19, Some(id)) => drop(inventory.resolve_reviews(&[id], Resolution::Release)),
        (20, _) => drop(inventory.retry_after(line, item.quantity)),
        (21, _) => {
            let now = clock.advance(Duration::from_millis(1 << (bytes.next() % 38)));
            let _ = inventory.advance(now);
        }
        _ => ids.extend(inventory.reserve_with(&request).map(Guard::detach)),
    }
}

/// Any text: parsing never panics, and what parses prints the same again. Says whether one parsed.
pub(crate) fn ids(bytes: &[u8]) -> bool {
    let texts = [String::from_utf8_lossy(bytes).into_owned(), like_an_id(bytes)];
    let mut accepted = false;
    for text in texts {
        if let Ok(id) = text.parse::<ReservationId>() {
            assert_eq!(id.to_string(), text, "a mistyped digit is not found out");
            assert_eq!(ReservationId::from_bits(id.to_bits()), Some(id));
            accepted = true;
        }
    }
    let bits = bytes.iter().take(11).fold(0u128, |bits, &byte| bits << 8 | u128::from(byte));
    if let Some(id) = ReservationId::from_bits(bits) {
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        // One digit mistyped: found out.
        let (at, digit) = (1 + bytes.len() % 24, b"0123456789abcdef"[bytes.len() / 24 % 16]);
        let mut wrong = text.into_bytes();
        if wrong[at] != digit {
            wrong[at] = digit;
            let parsed = String::from_utf8(wrong).unwrap().parse::<ReservationId>();
            assert!(parsed.is_err(), "a mistyped digit is not found out");
        }
    }
    accepted
}

/// Bytes as a text of the right length, so that parsing gets past that: mostly digits, in one of two cases with
/// check digits that fit.
fn like_an_id(bytes: &[u8]) -> String {
    let mut bytes = Bytes(bytes);
    let fits = bytes.next() % 2 == 0;
    let digit = |byte: u8| if byte >= 0xFC { 'G' } else { char::from(b"0123456789abcdef"[usize::from(byte & 15)]) };
    let digits: String = (0..24).map(|_| digit(bytes.next())).collect();
    let bits = u128::from_str_radix(&digits[..22], 16).ok().and_then(ReservationId::from_bits);
    match bits {
        Some(id) if fits => id.to_string(),
        _ => format!("e{digits}"),
    }
}
