//! earmark itself: by line number, by name, with owner and key, and with a driver on the system's clock.
//!
//! As its README shows it: a guard that is detached, since the end comes by another call. Default settings, save
//! that what a workload needs to have room for is made room for.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use earmark::{
    Advanced, Cause, Clock, Driver, Inventory, InventoryBuilder, Key, LineSpec, LoopDriver, ManualClock, Owner,
    Quantity, ReservationId, ReserveRequest, StockId, SystemClock, Timestamp, Ttl,
};

use super::{Expired, Shop, Subject, Totals};
use crate::names::{Keys, Names, Texts};

/// Reservations that each owner has in the workload with owners and keys.
pub const EACH_OWNER: u64 = 10;
/// How often the driver moves time on: as the documentation advises.
const DRIVER_PERIOD: Duration = Duration::from_millis(1);

/// Room that the default settings give anyway.
const ROOM_MIN: usize = 1 << 20;

fn room(shop: &Shop<'_>) -> InventoryBuilder {
    Inventory::builder().reservations_max(shop.room.max(ROOM_MIN))
}

fn fill(inventory: &Inventory, shop: &Shop<'_>) -> Vec<StockId> {
    let stock = Quantity::new(shop.stock).expect("some, and fewer than a line can hold");
    let declare = |name: &str| {
        let line = inventory.declare(LineSpec::new(name)).expect("names are good and lines have room");
        let _ = inventory.receive(line, stock, &Cause::none()).expect("the line is empty");
        line
    };
    shop.names.iter().map(declare).collect()
}

/// The workload's loop is the driver: it moves time on by [`Subject::expire`].
fn driver(inventory: &Arc<Inventory>) -> LoopDriver {
    let mut driver = LoopDriver::new(Arc::clone(inventory));
    let _ = driver.sweep();
    driver
}

fn totals(inventory: &Inventory) -> Totals {
    let lines = inventory.levels_all().lines;
    let sum = |of: fn(&earmark::Levels) -> u32| lines.iter().map(|levels| u64::from(of(levels))).sum();
    Totals { available: sum(|levels| levels.available), live: sum(|levels| levels.reserved) }
}

fn expired(advanced: Advanced) -> Expired {
    Expired { expired: advanced.expired, looked: advanced.looked, complete: advanced.complete }
}

fn ttl(ttl_ms: u64) -> Ttl {
    Ttl::millis(ttl_ms).expect("workloads ask for seconds and minutes")
}

/// How a line is asked for.
pub trait Ask: Send + Sync + 'static {
    /// A number or a name.
    type Asked: ?Sized + Sync;
    /// What a thread asks for.
    type Keys: Keys<Self::Asked>;

    /// A sequence as keys.
    fn keys(lines: &[StockId], names: &Names, sequence: &[u32]) -> Self::Keys;
    /// Sets one unit aside.
    fn reserve(inventory: &Inventory, line: &Self::Asked, ttl: Ttl) -> Option<ReservationId>;
    /// Units that can be reserved.
    fn available(inventory: &Inventory, line: &Self::Asked) -> u64;
}

/// By [`StockId`].
#[derive(Debug)]
pub struct Id;

/// By name.
#[derive(Debug)]
pub struct Name;

impl Ask for Id {
    type Asked = StockId;
    type Keys = Vec<StockId>;

    fn keys(lines: &[StockId], _: &Names, sequence: &[u32]) -> Vec<StockId> {
        sequence.iter().map(|line| lines[*line as usize]).collect()
    }

    #[inline]
    fn reserve(inventory: &Inventory, line: &StockId, ttl: Ttl) -> Option<ReservationId> {
        inventory.reserve(*line, Quantity::ONE, ttl).ok().map(|guard| guard.detach())
    }

    #[inline]
    fn available(inventory: &Inventory, line: &StockId) -> u64 {
        inventory.available(*line).map_or(0, u64::from)
    }
}

impl Ask for Name {
    type Asked = str;
    type Keys = Texts;

    fn keys(_: &[StockId], names: &Names, sequence: &[u32]) -> Texts {
        Texts::new(names, sequence)
    }

    #[inline]
    fn reserve(inventory: &Inventory, line: &str, ttl: Ttl) -> Option<ReservationId> {
        inventory.reserve_named(line, Quantity::ONE, ttl).ok().map(|guard| guard.detach())
    }

    #[inline]
    fn available(inventory: &Inventory, line: &str) -> u64 {
        inventory.lookup(line).and_then(|line| inventory.available(line).ok()).map_or(0, u64::from)
    }
}

/// In virtual time that a loop of the workload drives, asked by `A`.
#[derive(Debug)]
pub struct Earmark<A> {
    inventory: Arc<Inventory>,
    _driver: LoopDriver,
    lines: Vec<StockId>,
    clock: ManualClock,
    by: PhantomData<A>,
}

impl<A: Ask> Subject for Earmark<A> {
    type Asked = A::Asked;
    type Keys = A::Keys;
    type Ttl = Ttl;
    type Hold = ReservationId;

    fn open(shop: &Shop<'_>) -> Self {
        let clock = ManualClock::default();
        let inventory = Arc::new(room(shop).clock(clock.clone()).build().expect("settings are in bounds"));
        let (lines, driver) = (fill(&inventory, shop), driver(&inventory));
        Self { inventory, _driver: driver, lines, clock, by: PhantomData }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> A::Keys {
        A::keys(&self.lines, names, sequence)
    }

    fn ttl(ttl_ms: u64) -> Ttl {
        ttl(ttl_ms)
    }

    #[inline]
    fn reserve(&self, line: &A::Asked, ttl: Ttl) -> Option<ReservationId> {
        A::reserve(&self.inventory, line, ttl)
    }

    #[inline]
    fn confirm(&self, hold: ReservationId) -> bool {
        self.inventory.confirm(hold).is_ok()
    }

    #[inline]
    fn release(&self, hold: ReservationId) -> bool {
        self.inventory.release(hold).is_ok()
    }

    #[inline]
    fn available(&self, line: &A::Asked) -> u64 {
        A::available(&self.inventory, line)
    }

    fn set_now(&self, now_ms: u64) {
        self.clock.set(Timestamp::from_millis(now_ms));
    }

    fn expire(&self) -> Expired {
        expired(self.inventory.advance(self.clock.now()))
    }

    fn totals(&self) -> Totals {
        totals(&self.inventory)
    }
}

/// Each reservation with an owner and a key: ten to an owner, every key another.
#[derive(Debug)]
pub struct Owned {
    inner: Earmark<Id>,
    made: AtomicU64,
}

impl Subject for Owned {
    type Asked = StockId;
    type Keys = Vec<StockId>;
    type Ttl = Ttl;
    type Hold = ReservationId;

    fn open(shop: &Shop<'_>) -> Self {
        let clock = ManualClock::default();
        let owners = shop.room.div_ceil(EACH_OWNER as usize);
        let builder = room(shop).owners_max(owners.max(ROOM_MIN)).keys_max(shop.room.max(ROOM_MIN));
        let inventory = Arc::new(builder.clock(clock.clone()).build().expect("settings are in bounds"));
        let (lines, driver) = (fill(&inventory, shop), driver(&inventory));
        Self { inner: Earmark { inventory, _driver: driver, lines, clock, by: PhantomData }, made: AtomicU64::new(0) }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> Vec<StockId> {
        self.inner.keys(names, sequence)
    }

    fn ttl(ttl_ms: u64) -> Ttl {
        ttl(ttl_ms)
    }

    fn reserve(&self, line: &StockId, ttl: Ttl) -> Option<ReservationId> {
        let made = self.made.fetch_add(1, Relaxed); // ORDERING: only that each is another matters
        // Owners and keys are what hashing their names would give: any 128 bits.
        let bits = |number: u64, odd: u128| u128::from(number + 1).wrapping_mul(odd);
        let request = ReserveRequest::new(ttl)
            .with_item(*line, Quantity::ONE)
            .with_owner(Owner::from_bits(bits(made / EACH_OWNER, 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)))
            .with_key(Key::from_bits(bits(made, 0xD1B5_4A32_D192_ED03_2545_F491_4F6C_DD1D)));
        self.inner.inventory.reserve_with(&request).ok().map(|guard| guard.detach())
    }

    fn confirm(&self, hold: ReservationId) -> bool {
        self.inner.confirm(hold)
    }

    fn release(&self, hold: ReservationId) -> bool {
        self.inner.release(hold)
    }

    fn available(&self, line: &StockId) -> u64 {
        self.inner.available(line)
    }

    fn set_now(&self, now_ms: u64) {
        self.inner.set_now(now_ms);
    }

    fn expire(&self) -> Expired {
        self.inner.expire()
    }

    fn totals(&self) -> Totals {
        self.inner.totals()
    }
}

/// On the system's clock with a driver: what most programs run. Time is real and expiry is the driver's.
#[derive(Debug)]
pub struct Driven {
    inventory: Arc<Inventory>,
    lines: Vec<StockId>,
    /// Stops when dropped.
    _driver: Driver,
}

impl Subject for Driven {
    type Asked = StockId;
    type Keys = Vec<StockId>;
    type Ttl = Ttl;
    type Hold = ReservationId;

    fn open(shop: &Shop<'_>) -> Self {
        let inventory = Arc::new(room(shop).clock(SystemClock::new()).build().expect("settings are in bounds"));
        let lines = fill(&inventory, shop);
        let driver = Driver::spawn(Arc::clone(&inventory), DRIVER_PERIOD).expect("a thread can be started");
        Self { inventory, lines, _driver: driver }
    }

    fn keys(&self, names: &Names, sequence: &[u32]) -> Vec<StockId> {
        Id::keys(&self.lines, names, sequence)
    }

    fn ttl(ttl_ms: u64) -> Ttl {
        ttl(ttl_ms)
    }

    #[inline]
    fn reserve(&self, line: &StockId, ttl: Ttl) -> Option<ReservationId> {
        Id::reserve(&self.inventory, line, ttl)
    }

    #[inline]
    fn confirm(&self, hold: ReservationId) -> bool {
        self.inventory.confirm(hold).is_ok()
    }

    #[inline]
    fn release(&self, hold: ReservationId) -> bool {
        self.inventory.release(hold).is_ok()
    }

    #[inline]
    fn available(&self, line: &StockId) -> u64 {
        Id::available(&self.inventory, line)
    }

    fn set_now(&self, _: u64) {}

    fn expire(&self) -> Expired {
        Expired::all(0)
    }

    fn totals(&self) -> Totals {
        totals(&self.inventory)
    }
}
