//! An honest engine that is easy to believe: one map behind one lock, a counter for a clock.
//!
//! Threads call it, their calls are recorded around the lock, and afterwards every interval is widened at random:
//! whatever is recorded then has an explanation, so the checker must call it clean.

mod random;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use earmark_testkit::Final;
use earmark_testkit::history::{Call, Ended, Item, Op, Outcome, Recorder, Short, ThreadLog};

pub(crate) use random::Random;

/// How many lines there are, how tight they are, how long a reservation lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) lines: u32,
    pub(crate) stock: u64,
    pub(crate) ttl: u64,
    /// Intervals grow by less than this at either end.
    pub(crate) widen: u64,
    /// One answer in so many is not seen.
    pub(crate) unseen: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Line {
    on_hand: u64,
    reserved: u64,
    committed: u64,
    blocked: u64,
}

impl Line {
    fn available(&self) -> u64 {
        self.on_hand - self.reserved - self.committed - self.blocked
    }
}

#[derive(Debug, Clone)]
struct Hold {
    items: BTreeMap<u32, u64>,
    deadline: u64,
}

#[derive(Debug, Default)]
struct Books {
    lines: Vec<Line>,
    live: BTreeMap<u64, Hold>,
    ended: BTreeMap<u64, Ended>,
    /// What each order confirmed and nobody shipped or cancelled yet.
    orders: BTreeMap<u64, BTreeMap<u32, u64>>,
    ids: u64,
}

impl Books {
    fn give_back(&mut self, items: &BTreeMap<u32, u64>) {
        for (line, qty) in items {
            self.lines[*line as usize].reserved -= qty;
        }
    }

    /// Expired units are there at once: every call sweeps first.
    fn sweep(&mut self, now: u64) {
        let due: Vec<u64> = self.live.iter().filter(|(_, hold)| hold.deadline <= now).map(|(id, _)| *id).collect();
        for id in due {
            let hold = self.live.remove(&id).expect("it was there");
            self.give_back(&hold.items);
            self.ended.insert(id, Ended::Expired);
        }
    }
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Reference {
    clock: AtomicU64,
    books: Mutex<Books>,
    shape: Shape,
}

impl Reference {
    pub(crate) fn new(shape: Shape) -> Reference {
        let books = Books { lines: vec![Line::default(); shape.lines as usize], ..Books::default() };
        Reference { clock: AtomicU64::new(1_000), books: Mutex::new(books), shape }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Opens every line.
    pub(crate) fn open(&self, log: &mut ThreadLog) {
        for line in 0..self.shape.lines {
            let call = self.tick();
            self.books.lock().unwrap().lines[line as usize].on_hand = self.shape.stock;
            log.push(Call::new(Op::Open, call, self.tick()).with_item(line, self.shape.stock));
        }
    }

    /// One random call, recorded. `mine` are ids that this thread knows of.
    pub(crate) fn step(&self, random: &mut Random, mine: &mut Vec<u64>, log: &mut ThreadLog) {
        let op = pick_op(random);
        let call_ns = self.tick();
        let mut call = Call::new(op, call_ns, call_ns);
        {
            let mut books = self.books.lock().unwrap();
            let now = self.tick();
            books.sweep(now);
            if let Some(id) = mine.get(random.below(mine.len().max(1) as u64) as usize) {
                call = call.with_id(*id);
            }
            self.act(&mut books, now, random, &mut call);
        }
        call.return_ns = self.tick();
        // Widened at both ends, the effect still lies inside.
        call.call_ns -= random.below(self.shape.widen);
        call.return_ns += random.below(self.shape.widen);
        let made = call.op == Op::Reserve && call.result == Outcome::Ok;
        let mut known = call.id.map(|id| id.parts().1);
        if random.one_in(self.shape.unseen) {
            call.result = Outcome::Unknown;
            if random.one_in(2) {
                call.return_ns = u64::MAX;
            }
            if random.one_in(2) {
                call.deadline_ns = None;
            }
            if made && random.one_in(2) {
                // Nobody learns the id.
                call.id = None;
                known = None;
            }
        }
        if let (true, Some(id)) = (made, known) {
            mine.push(id);
            if mine.len() > 40 {
                mine.remove(0);
            }
        }
        log.push(call);
    }

    fn act(&self, books: &mut Books, now: u64, random: &mut Random, call: &mut Call) {
        let line = random.below(u64::from(self.shape.lines)) as u32;
        let qty = 1 + random.below(3);
        match call.op {
            Op::Reserve => self.reserve(books, now, random, call),
            Op::Receive | Op::AdjustUp | Op::AdjustDown | Op::Block | Op::Unblock => {
                call.id = None;
                *call = call.clone().with_item(line, qty);
                change_line(&mut books.lines[line as usize], qty, call);
            }
            Op::Ship | Op::CancelOrder => leave(books, random, call),
            op => {
                if op == Op::ReleasePart {
                    call.items = [(line, qty)].into(); // what is asked, if nothing better is found
                }
                self.on_reservation(books, now, random, call);
            }
        }
    }

    fn reserve(&self, books: &mut Books, now: u64, random: &mut Random, call: &mut Call) {
        let count = if random.one_in(4) { 1 + random.below(4) } else { 1 };
        let pairs = (0..count)
            .map(|_| Item { line: random.below(u64::from(self.shape.lines)) as u32, qty: 1 + random.below(3) });
        call.items = pairs.collect();
        let mut items = BTreeMap::new();
        for item in call.items.iter() {
            *items.entry(item.line).or_insert(0) += item.qty;
        }
        let there = |line: &u32| books.lines[*line as usize].available();
        let short: Vec<Short> = items
            .iter()
            .filter(|(line, qty)| there(line) < **qty)
            .map(|(line, _)| Short { line: *line, available: random.one_in(2).then(|| there(line)) })
            .collect();
        if !short.is_empty() {
            call.id = None;
            let list = if random.one_in(3) { Vec::new() } else { short };
            call.result = Outcome::Insufficient(list.into_iter().collect());
            return;
        }
        for (line, qty) in &items {
            books.lines[*line as usize].reserved += qty;
        }
        let deadline = now + 1 + random.below(self.shape.ttl);
        books.ids += 1;
        *call = call.clone().with_id(books.ids).with_deadline(deadline);
        books.live.insert(books.ids, Hold { items, deadline });
    }

    fn on_reservation(&self, books: &mut Books, now: u64, random: &mut Random, call: &mut Call) {
        let Some(id) = call.id.map(|id| id.parts().1) else {
            call.id = Some(9_999_999_u64.into());
            call.result = Outcome::NotFound;
            return;
        };
        let Some(hold) = books.live.get(&id).cloned() else {
            let how = books.ended[&id];
            call.result = match how {
                Ended::Expired if random.one_in(2) => Outcome::Expired,
                _ if random.one_in(9) => Outcome::NotFound, // forgotten
                how => Outcome::AlreadyEnded(how),
            };
            return;
        };
        match call.op {
            Op::Get => {}
            Op::ReleasePart => {
                let (line, held) = hold.items.iter().next().expect("a hold has an item");
                if *held == 1 {
                    // The last unit goes by a release.
                    call.result = Outcome::Refused;
                    return;
                }
                let back = 1 + random.below(held - 1);
                call.items = [(*line, back)].into();
                books.give_back(&BTreeMap::from([(*line, back)]));
                let left = books.live.get_mut(&id).expect("it is live");
                *left.items.get_mut(line).expect("held") -= back;
            }
            op if op.moves_deadline() => {
                let deadline = now + 1 + random.below(self.shape.ttl);
                books.live.get_mut(&id).expect("it is live").deadline = deadline;
                call.deadline_ns = (!random.one_in(8)).then_some(deadline);
            }
            _ => end(books, id, &hold, random, call),
        }
    }

    /// Every line as it is now.
    pub(crate) fn finals(&self, expired_too: bool) -> Vec<Final> {
        let mut books = self.books.lock().unwrap();
        let at_ns = if expired_too { u64::MAX - 1 } else { self.tick() };
        books.sweep(at_ns);
        let lines = (0..).zip(books.lines.iter());
        lines
            .map(|(line, seen)| Final {
                line,
                at_ns,
                on_hand: seen.on_hand,
                available: seen.available(),
                reserved: seen.reserved,
                committed: seen.committed,
                blocked: seen.blocked,
            })
            .collect()
    }
}

fn pick_op(random: &mut Random) -> Op {
    match random.below(40) {
        0..17 => Op::Reserve,
        17..21 => Op::Confirm,
        21..25 => Op::Release,
        25..28 => Op::ReleasePart,
        28..30 => Op::Extend,
        30 => Op::BeginPayment,
        31 => Op::PaymentPending,
        32 => Op::Get,
        33 => Op::Receive,
        34 => Op::AdjustDown,
        35 => Op::Block,
        36 => Op::Unblock,
        37 => Op::Ship,
        38 => Op::CancelOrder,
        _ => Op::Replace,
    }
}

fn change_line(line: &mut Line, qty: u64, call: &mut Call) {
    let takes = matches!(call.op, Op::AdjustDown | Op::Block);
    if takes && line.available() < qty {
        call.result = Outcome::insufficient();
        return;
    }
    match call.op {
        Op::AdjustDown => line.on_hand -= qty,
        Op::Block => line.blocked += qty,
        Op::Unblock if line.blocked < qty => call.result = Outcome::Refused,
        Op::Unblock => line.blocked -= qty,
        _ => line.on_hand += qty,
    }
}

/// A shipment or a cancellation, of a whole order or of some units of a line.
fn leave(books: &mut Books, random: &mut Random, call: &mut Call) {
    let order = call.id.map(|id| id.parts().1).and_then(|id| books.orders.remove_entry(&id));
    let Some((id, items)) = order else {
        call.items = [(0, 1)].into();
        call.result = Outcome::Refused;
        return;
    };
    let whole = random.one_in(2);
    for (line, qty) in &items {
        let seen = &mut books.lines[*line as usize];
        seen.committed -= qty;
        if call.op == Op::Ship {
            seen.on_hand -= qty;
        }
    }
    if !whole {
        call.items = items.iter().map(|(line, qty)| Item { line: *line, qty: *qty }).collect();
        call.id = random.one_in(2).then_some(id.into());
    }
}

fn end(books: &mut Books, id: u64, hold: &Hold, random: &mut Random, call: &mut Call) {
    books.live.remove(&id);
    books.give_back(&hold.items);
    books.ended.insert(id, call.op.ends().expect("an end"));
    if call.op != Op::Confirm {
        return;
    }
    let mut kept = hold.items.clone();
    if random.one_in(3) {
        // Part of it: some of the first line, nothing of the others.
        let (line, qty) = hold.items.iter().next().expect("a hold has an item");
        kept = BTreeMap::from([(*line, 1 + random.below(*qty))]);
        call.items = kept.iter().map(|(line, qty)| Item { line: *line, qty: *qty }).collect();
    }
    for (line, qty) in &kept {
        books.lines[*line as usize].committed += qty;
    }
    books.orders.insert(id, kept);
}

/// A whole history by `threads` threads, `steps` calls each, with the lines as they are at the end.
pub(crate) fn run(shape: Shape, threads: u64, steps: u64, seed: u64) -> (Vec<Call>, Reference) {
    let reference = Reference::new(shape);
    let recorder = Recorder::new();
    reference.open(&mut recorder.thread());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mut log = recorder.thread();
            let reference = &reference;
            let mut random = Random::new(seed ^ (thread << 40));
            scope.spawn(move || {
                let mut mine = Vec::new();
                for _ in 0..steps {
                    reference.step(&mut random, &mut mine, &mut log);
                }
            });
        }
    });
    (recorder.finish().expect("all logs are dropped"), reference)
}
