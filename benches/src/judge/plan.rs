//! What is measured with what: the groups whose subjects are interleaved, and the child processes.

use std::time::Duration;

use crate::crew::Crew;
use crate::names::{Draw, Names};
use crate::subjects::dashmap::Dash;
use crate::subjects::earmark::{Driven, Earmark, Id, Name, Owned};
use crate::subjects::moka::Moka;
use crate::subjects::papaya::Papaya;
use crate::subjects::semaphores::Semaphores;
use crate::subjects::sharded::{PDense, PInt, PStr};
use crate::subjects::{ById, ByName};
use crate::workload::life::{self, Life};
use crate::workload::{Runner, Work, open};

pub(crate) const EARMARK: &str = "earmark";
pub(crate) const DRIVEN: &str = "earmark, driver";
pub(crate) const OWNED: &str = "earmark, owner and key";
pub(crate) const P_INT: &str = "P-int";
pub(crate) const P_DENSE: &str = "P-int, dense";
pub(crate) const P_STR: &str = "P-str";
pub(crate) const DASHMAP: &str = "dashmap";
pub(crate) const SEMAPHORES: &str = "semaphores";
pub(crate) const MOKA: &str = "moka";
pub(crate) const PAPAYA: &str = "papaya";
/// Whatever a user would pick instead.
pub(crate) const RIVALS: &[&str] = &[P_INT, P_DENSE, P_STR, DASHMAP, SEMAPHORES, MOKA, PAPAYA];

/// What each is.
pub(crate) const ABOUT: &[(&str, &str)] = &[
    (
        EARMARK,
        "`StockId` or name; `Guard::detach`, then `confirm(id)` or `release(id)`; virtual time, moved by a `LoopDriver`",
    ),
    (DRIVEN, "the same with `SystemClock` and a `Driver` of 1 ms, which does the work for expiry beside the loop"),
    (OWNED, "each reservation with an owner (ten each) and a key of its own"),
    (P_INT, "64 `parking_lot` mutexes; foldhash maps of lines and of reservations, `BTreeSet` of deadlines in each"),
    (P_DENSE, "the same for who numbers the lines 0, 1, 2, ...: an index in place of the map of lines"),
    (P_STR, "P-int by name"),
    (DASHMAP, "dashmap of lines and of reservations, an atomic for each line, 16 locked `BTreeSet`s of deadlines"),
    (SEMAPHORES, "dashmap, a tokio semaphore for each line, a `DelayQueue` under a mutex"),
    (MOKA, "a moka cache with TTL whose eviction gives back; lines in a dashmap; real time"),
    (PAPAYA, "papaya's maps, an atomic for each line, 16 locked `BTreeSet`s of deadlines"),
];

pub(crate) type Opener = fn(Work, usize, Duration, &Names, &Crew) -> Box<dyn Runner>;

/// Subjects that are interleaved.
pub(crate) struct Group {
    pub(crate) workload: &'static str,
    pub(crate) work: Work,
    pub(crate) threads: usize,
    pub(crate) by: &'static str,
    pub(crate) subjects: Vec<(&'static str, Opener)>,
}

/// Every group, in order. Without `full` those are left out on which no bar rests.
pub(crate) fn groups(full: bool) -> Vec<Group> {
    let works = [
        ("W1b", Work::Standing),
        ("W1", Work::Pairs(Draw::Uniform)),
        ("W2", Work::Pairs(Draw::Zipf)),
        ("W3", Work::Pairs(Draw::Hot)),
        ("W5", Work::Refusal),
        ("W5r", Work::Look),
    ];
    let mut groups = Vec::new();
    for (workload, work) in works {
        for by in ["id", "name"] {
            if by == "name" && !full && matches!(workload, "W1b" | "W2" | "W3") {
                continue;
            }
            for threads in [1, 2] {
                groups.push(Group { workload, work, threads, by, subjects: subjects(workload, by, full) });
            }
        }
    }
    groups
}

fn subjects(workload: &str, by: &str, full: bool) -> Vec<(&'static str, Opener)> {
    let mut subjects: Vec<(&'static str, Opener)> = match by {
        "id" => vec![
            (EARMARK, open::<Earmark<Id>>),
            (P_INT, open::<PInt>),
            (P_DENSE, open::<PDense>),
            (DASHMAP, open::<Dash<ById>>),
            (PAPAYA, open::<Papaya<ById>>),
            (SEMAPHORES, open::<Semaphores<ById>>),
            (MOKA, open::<Moka<ById>>),
            (DRIVEN, open::<Driven>),
        ],
        _ => vec![
            (EARMARK, open::<Earmark<Name>>),
            (P_STR, open::<PStr>),
            (DASHMAP, open::<Dash<ByName>>),
            (PAPAYA, open::<Papaya<ByName>>),
            (SEMAPHORES, open::<Semaphores<ByName>>),
            (MOKA, open::<Moka<ByName>>),
        ],
    };
    let wanted = |name: &str| match (workload, name) {
        // What is young must be looked at inside the watch: a driver's time does not wait for it.
        ("W1b", DRIVEN) => false,
        // To refuse and to look, moka's dashmap is asked, not moka.
        ("W5" | "W5r", MOKA) => false,
        ("W2", SEMAPHORES | MOKA | DRIVEN) | ("W1b", MOKA) | ("W5r", DRIVEN) => full,
        _ => true,
    };
    subjects.retain(|(name, _)| wanted(name));
    subjects
}

pub(crate) type Player = fn(usize) -> Life;

/// Who plays W4, how, and by what it is asked.
pub(crate) const LIVES: &[(&str, &str, Player)] = &[
    (EARMARK, "id", life::play::<Earmark<Id>>),
    (P_STR, "name", life::play::<PStr>),
    (P_INT, "id", life::play::<PInt>),
    (DASHMAP, "id", life::play::<Dash<ById>>),
    (PAPAYA, "id", life::play::<Papaya<ById>>),
    (SEMAPHORES, "id", life::play::<Semaphores<ById>>),
    (OWNED, "id", life::play::<Owned>),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_earmark_and_a_reference() {
        for full in [false, true] {
            for group in groups(full) {
                let names: Vec<&str> = group.subjects.iter().map(|(name, _)| *name).collect();
                let reference = if group.by == "id" { P_INT } else { P_STR };
                assert!(names.contains(&EARMARK), "{} {names:?}", group.workload);
                assert!(names.contains(&reference), "{} {names:?}", group.workload);
            }
        }
        assert!(groups(true).len() > groups(false).len());
    }

    #[test]
    fn every_subject_is_described() {
        for group in groups(true) {
            for (name, _) in group.subjects {
                assert!(ABOUT.iter().any(|(about, _)| *about == name), "{name}");
            }
        }
        assert!(RIVALS.iter().all(|name| ABOUT.iter().any(|(about, _)| about == name)));
    }
}
