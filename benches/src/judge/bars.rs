//! The bars: what must be reached, what is aimed at, what was measured.
//!
//! A bar that compares with a reference whose own figure is void ([`anchors`]) is void. A bar that nothing was
//! measured for is not a met one.

use super::anchors;
use super::plan::{EARMARK, OWNED, P_INT, P_STR, RIVALS};
use super::table::*;

/// The machine's own costs stand in the table too, as subjects.
pub(crate) const MACHINE: &str = "machine";
/// One `fetch_sub`.
pub(crate) const RMW: &str = "fetch_sub, uncontended";
/// Three read-modify-writes on three words.
pub(crate) const THREE_RMW: &str = "three RMWs";
/// A load from the cache.
pub(crate) const LOAD: &str = "load";

/// Entries that one call of `advance` may visit at most, with the default `sweep_budget` of 8,192: the budget, a word
/// of marks more, and two looks for each entry that the call itself put into the ring.
const VISITS_CAP: f64 = 3.0 * 8_192.0 + 192.0;

/// What W4 and *steady* are asked for; of fewer the bars say nothing.
const LIVES: f64 = 10_000_000.0;
const STEADY_RATE: f64 = 1_000_000.0;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    AtLeast,
    AtMost,
}

/// How a bar came out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The aim too.
    Aim,
    Met,
    Missed,
    /// Why nothing can be said.
    Void(String),
    NotRun,
}

/// One bar.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) what: &'static str,
    pub(crate) sense: Sense,
    /// `None`: only an aim.
    pub(crate) must: Option<f64>,
    pub(crate) aim: Option<f64>,
    /// Behind each number.
    pub(crate) unit: &'static str,
    pub(crate) measured: Option<Spread>,
    pub(crate) void: Option<String>,
    /// Said when it is missed.
    pub(crate) why: &'static str,
}

impl Bar {
    fn reaches(&self, bar: Option<f64>) -> Option<bool> {
        let (bar, measured) = (bar?, self.measured?.median);
        Some(match self.sense {
            Sense::AtLeast => measured >= bar,
            Sense::AtMost => measured <= bar,
        })
    }

    pub(crate) fn verdict(&self) -> Verdict {
        if self.measured.is_none() {
            return Verdict::NotRun;
        }
        if let Some(why) = &self.void {
            return Verdict::Void(why.clone());
        }
        match (self.reaches(self.must), self.reaches(self.aim)) {
            (Some(false), _) | (None, Some(false)) => Verdict::Missed,
            (_, Some(true)) => Verdict::Aim,
            _ => Verdict::Met,
        }
    }
}

/// Makes bars from a table.
struct Maker<'a> {
    table: &'a Table,
    rmw: f64,
    bars: Vec<Bar>,
}

/// Every bar, in the order of the issue.
pub(crate) fn bars(table: &Table) -> Vec<Bar> {
    let rmw = table.median(key(MACHINE, 1, "", RMW), NS).unwrap_or(f64::NAN);
    let mut maker = Maker { table, rmw, bars: Vec::new() };
    maker.pairs();
    maker.hot_line();
    maker.reading();
    maker.memory_and_expiry();
    maker.tail();
    maker.bars
}

impl Maker<'_> {
    /// `earmark` against the better of some rivals, or one, in each round: how many times as fast.
    fn times(&self, of: Key, rivals: &[&'static str]) -> (Option<Spread>, Option<String>) {
        let ours = self.table.values(of, NS);
        let theirs: Vec<Key> = rivals.iter().map(|subject| Key { subject, ..of }).collect();
        let rows: Vec<&[f64]> = theirs.iter().filter_map(|key| self.table.values(*key, NS)).collect();
        let void =
            self.void(if of.by == "id" { Key { subject: P_INT, ..of } } else { Key { subject: P_STR, ..of } }, NS);
        (ours.and_then(|ours| Spread::of_ratios(&least_of_each(&rows), ours)), void)
    }

    fn void(&self, of: Key, figure: &str) -> Option<String> {
        anchors::void(self.table, of, figure, self.rmw)
    }

    /// Void, if fewer took part than the bar speaks of.
    fn fewer(&self, of: Key, asked: f64) -> Option<String> {
        let count = self.table.median(of, COUNT).filter(|count| *count < asked)?;
        Some(format!("it was played with {count}, and the bar speaks of {asked}"))
    }

    fn push(
        &mut self,
        what: &'static str,
        bar: (Sense, Option<f64>, Option<f64>, &'static str),
        (measured, void): (Option<Spread>, Option<String>),
        why: &'static str,
    ) {
        let (sense, must, aim, unit) = bar;
        self.bars.push(Bar { what, sense, must, aim, unit, measured, void, why });
    }

    fn at_least(
        &mut self,
        what: &'static str,
        must: f64,
        aim: Option<f64>,
        measured: (Option<Spread>, Option<String>),
        why: &'static str,
    ) {
        self.push(what, (Sense::AtLeast, Some(must), aim, "×"), measured, why);
    }

    fn pairs(&mut self) {
        const COLD: &str = "with a million alive every slot is a line that is not in the cache; and the pass over what both \
                            threads made is one thread's work";
        const EVEN: &str = "a pair is 340 instructions and four locked ones, the floor is three; the bar is from a machine \
                            on which the peer takes 156 ns; on two threads lines that lie side by side are fetched \
                            from the other core";
        const NAME: &str = "the name is one cache miss for both, and the pair behind it decides";
        let one = |workload, threads, by| key(workload, threads, by, EARMARK);
        for (what, threads, must) in
            [("W1b by id, 1 thread, best rival", 1, 10.0), ("W1b by id, 2 threads, best rival", 2, 8.0)]
        {
            let measured = self.times(one("W1b", threads, "id"), RIVALS);
            self.at_least(what, must, Some(20.0), measured, COLD);
        }
        for (what, workload, threads) in [
            ("W1 by id, 1 thread, P-int", "W1", 1),
            ("W1 by id, 2 threads, P-int", "W1", 2),
            ("W2 by id, 1 thread, P-int", "W2", 1),
            ("W2 by id, 2 threads, P-int", "W2", 2),
        ] {
            let measured = self.times(one(workload, threads, "id"), &[P_INT]);
            self.at_least(what, 3.0, Some(8.0), measured, EVEN);
        }
        for (what, threads) in [("W1 by name, 1 thread, P-str", 1), ("W1 by name, 2 threads, P-str", 2)] {
            let measured = self.times(one("W1", threads, "name"), &[P_STR]);
            self.at_least(what, 1.8, Some(3.0), measured, NAME);
        }
    }

    fn hot_line(&mut self) {
        const HOT: &str = "beside the three words that must change, a pair claims and frees a slot, marks the wheel, \
                           counts, and reads the time";
        const SHARED: &str = "the line is spread over the lanes; what is left is a pair's own cost, which on lines apart is \
                              a third of the peer's here; the bar is from a machine on which the peer takes 180 ns";
        let ours = key("W3", 1, "id", EARMARK);
        let three = self.table.values(Key { subject: THREE_RMW, ..ours }, NS);
        for (what, figure, must) in [
            ("W3 by id, 1 thread, against 3 uncontended RMWs, expiry inside", NS, 5.0),
            ("W3 by id, 1 thread, against 3 uncontended RMWs, without expiry", NS_NO_EXPIRY, 3.0),
        ] {
            let values = self.table.values(ours, figure);
            let measured = values.zip(three).and_then(|(values, three)| Spread::of_ratios(values, three));
            self.push(what, (Sense::AtMost, Some(must), Some(2.0), "×"), (measured, None), HOT);
        }
        let two = key("W3", 2, "id", EARMARK);
        let measured = self.times(two, &[P_INT]);
        self.at_least("W3 by id, 2 threads, P-int", 1.5, None, measured.clone(), SHARED);
        self.at_least("W3 by id, 2 threads, P-int; striped", 5.0, Some(8.0), measured, SHARED);
    }

    fn reading(&mut self) {
        const REFUSE: &str = "a refusal looks at the earliest deadline before and after the line's word, so that it is \
                              true at some moment inside the call, and is counted; the best rival locks, looks and \
                              unlocks, and a quarter of that is five cycles";
        for (what, threads) in
            [("W5 refusal by id, 1 thread, best rival", 1), ("W5 refusal by id, 2 threads, best rival", 2)]
        {
            let measured = self.times(key("W5", threads, "id", EARMARK), RIVALS);
            self.at_least(what, 4.0, None, measured, REFUSE);
        }
        let [one, two] = [1, 2].map(|threads| key("W5", threads, "id", EARMARK));
        let scaling = self.table.values(one, NS).zip(self.table.values(two, NS));
        let scaling = scaling.and_then(|(one, two)| {
            let doubled: Vec<f64> = one.iter().map(|ns| 2.0 * ns).collect();
            Spread::of_ratios(&doubled, two)
        });
        let why = "refusals write nothing shared; what is missing is the machine's own";
        self.at_least("W5 refusal by id, 2 threads give so much of 1", 1.8, None, (scaling, None), why);
        let load = self.table.values(Key { subject: LOAD, ..one }, NS).zip(self.table.values(one, NS));
        let over = load.and_then(|(load, ours)| {
            let over: Vec<f64> = load.iter().zip(ours).map(|(load, ours)| ours - load).collect();
            Spread::of(&over)
        });
        let bar = (Sense::AtMost, None, Some(3.0), " ns");
        self.push("W5 refusal by id, 1 thread, over a load", bar, (over, None), REFUSE);
        for (what, threads) in
            [("W5r availability by id, 1 thread, P-int", 1), ("W5r availability by id, 2 threads, P-int", 2)]
        {
            let measured = self.times(key("W5r", threads, "id", EARMARK), &[P_INT]);
            let why = "one load of a random word, as with the peer, whose lock and line are in the cache";
            self.at_least(what, 2.5, None, measured, why);
        }
    }

    fn memory_and_expiry(&mut self) {
        const SLOTS: &str = "a slot, its marks and its place in the ring, and pages that are not full";
        const EXTRAS: &str = "what lies beside the slab: the owner's book, the key's cell, and their maps' spare room";
        let [plain, owned] = [EARMARK, OWNED].map(|subject| key("W4", 1, "id", subject));
        let of = |key, figure| self.table.values(key, figure).and_then(Spread::of);
        for (what, key, figure, must, aim, why) in [
            ("W4 bytes for each that lives, resident", plain, BYTES, 40.0, 32.0, SLOTS),
            ("W4 bytes for each that lives, allocated", plain, BYTES_ALLOCATED, 40.0, 32.0, SLOTS),
            ("W4 bytes with owner and key, resident", owned, BYTES, 104.0, 72.0, EXTRAS),
            ("W4 bytes with owner and key, allocated", owned, BYTES_ALLOCATED, 104.0, 72.0, EXTRAS),
        ] {
            let measured = of(key, figure);
            let void = self.fewer(key, LIVES);
            self.push(what, (Sense::AtMost, Some(must), Some(aim), " B"), (measured, void), why);
        }
        let of = |key, figure| self.table.values(key, figure).and_then(Spread::of);
        let peer = key("W4", 1, "name", P_STR);
        let ratio = self.table.values(plain, EXPIRIES).zip(self.table.values(peer, EXPIRIES));
        let ratio = ratio.and_then(|(ours, theirs)| Spread::of_ratios(ours, theirs));
        let (p999, visits) = (of(plain, P999_MS), of(plain, VISITS_MAX));
        let why = "each that expires is a slot and a line's word far apart, fetched from memory";
        let fewer = self.fewer(plain, LIVES);
        let void = self.void(peer, EXPIRIES).or(fewer.clone());
        self.at_least("W4 expiries a second, P-str", 8.0, Some(20.0), (ratio, void), why);
        let bar = (Sense::AtMost, Some(2.0), Some(0.5), " ms");
        let why = "one call looks at `sweep_budget` entries, each a cache miss or two; a smaller budget shortens it";
        self.push("W4 p999 of `advance`", bar, (p999, fewer.clone()), why);
        let bar = (Sense::AtMost, Some(VISITS_CAP), None, " entries");
        self.push("W4 entries that a call of `advance` visits, at most", bar, (visits, fewer), "the cap does not hold");

        let steady = key("steady", 1, "id", EARMARK);
        let giga = |figure| {
            let values = self.table.values(steady, figure)?;
            Spread::of(&values.iter().map(|bytes| bytes / 1e9).collect::<Vec<f64>>())
        };
        let fewer = self.fewer(steady, STEADY_RATE);
        let (peak, ns) = (giga(PEAK), self.table.values(steady, NS).and_then(Spread::of));
        let why = "memory follows pages: those that survivors share with free places, and the wheel's part for each";
        self.push(
            "steady, peak of resident memory",
            (Sense::AtMost, Some(0.8), Some(0.5), " GB"),
            (peak, fewer.clone()),
            why,
        );
        let why = "millions live: each new slot, each look of the nursery and each expiry is a cache miss";
        self.push("steady, reserve and end", (Sense::AtMost, Some(150.0), Some(70.0), " ns"), (ns, fewer), why);
    }

    fn tail(&mut self) {
        let [ours, peer] = [EARMARK, P_INT].map(|subject| key("W1", 2, "id", subject));
        let ratio = self.table.values(ours, P999).zip(self.table.values(peer, P999));
        let ratio = ratio.and_then(|(ours, theirs)| Spread::of_ratios(ours, theirs));
        let void = self.void(peer, P999);
        let bar = (Sense::AtMost, Some(1.0), Some(1.0 / 3.0), "×");
        let why = "the longest calls meet the other thread on a page's mask or take a new page";
        self.push("p999 of W1 by id, 2 threads, of P-int's", bar, (ratio, void), why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(sense: Sense, must: f64, aim: Option<f64>, measured: f64) -> Bar {
        let measured = Spread::of(&[measured]);
        Bar { what: "", sense, must: Some(must), aim, unit: "", measured, void: None, why: "" }
    }

    #[test]
    fn verdicts() {
        let verdict = |sense, measured| bar(sense, 8.0, Some(20.0), measured).verdict();
        assert_eq!(verdict(Sense::AtLeast, 7.9), Verdict::Missed);
        assert_eq!(verdict(Sense::AtLeast, 8.0), Verdict::Met);
        assert_eq!(verdict(Sense::AtLeast, 20.0), Verdict::Aim);
        let verdict = |measured| bar(Sense::AtMost, 40.0, Some(32.0), measured).verdict();
        assert_eq!(verdict(40.1), Verdict::Missed);
        assert_eq!(verdict(32.0), Verdict::Aim);
        assert_eq!(bar(Sense::AtMost, 40.0, None, 1.0).verdict(), Verdict::Met);
        let void = Bar { void: Some("slow".into()), ..bar(Sense::AtLeast, 8.0, None, 100.0) };
        assert_eq!(void.verdict(), Verdict::Void("slow".into()));
        assert_eq!(Bar { measured: None, ..void }.verdict(), Verdict::NotRun);
    }

    #[test]
    fn nothing_measured_is_nothing_met() {
        let bars = bars(&Table::default());
        assert!(bars.len() >= 26, "{}", bars.len());
        assert!(bars.iter().all(|bar| bar.verdict() == Verdict::NotRun));
    }

    #[test]
    fn of_fewer_nothing_is_said() {
        let mut table = Table::default();
        let steady = key("steady", 1, "id", EARMARK);
        table.add(steady, COUNT, 250_000.0);
        table.add(steady, PEAK, 2e8);
        table.add(steady, NS, 60.0);
        let verdicts: Vec<Verdict> =
            bars(&table).iter().filter(|bar| bar.what.starts_with("steady")).map(Bar::verdict).collect();
        assert_eq!(verdicts.len(), 2);
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Void(why) if why.contains("250000"))));
    }

    /// The best rival is whoever is best; a reference that is too slow makes the row void.
    #[test]
    fn bars_are_computed_from_rounds() {
        let mut table = Table::default();
        table.add(key(MACHINE, 1, "", RMW), NS, 2.6);
        for (subject, ns) in [(EARMARK, [50.0, 60.0]), (P_INT, [900.0, 900.0]), ("dashmap", [600.0, 1_200.0])] {
            ns.iter().for_each(|ns| table.add(key("W1b", 1, "id", subject), NS, *ns));
            ns.iter().for_each(|ns| table.add(key("W1b", 2, "id", subject), NS, 2.0 * ns));
        }
        let bars = bars(&table);
        assert_eq!(bars[0].measured, Some(Spread { median: 13.5, low: 12.0, high: 15.0 }));
        assert_eq!(bars[0].verdict(), Verdict::Met);
        assert!(matches!(bars[1].verdict(), Verdict::Void(why) if why.contains("P-int took 1800 ns")));
    }
}
