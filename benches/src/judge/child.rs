//! Child processes: what measures memory runs alone.
//!
//! The judge starts itself again with `child WHAT SUBJECT COUNT`; the child's last line is a JSON object.

use std::process::Command;

use serde_json::{Map, Value, json};

use super::plan::{EARMARK, LIVES};
use super::table::*;
use crate::subjects::earmark::{Earmark, Id};
use crate::workload::steady;

/// Virtual seconds of *steady*.
const STEADY_SECONDS: u64 = 360;

/// What a child measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// W4.
    Life,
    /// steady.
    Steady,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Life => "life",
            Self::Steady => "steady",
        }
    }
}

/// In the child: measures, and says what came of it as JSON.
pub(crate) fn play(what: What, subject: &str, count: usize) -> Result<Value, String> {
    match what {
        What::Life => {
            let found = LIVES.iter().find(|(name, ..)| *name == subject);
            let (_, _, play) = found.ok_or_else(|| format!("no subject of W4 is called {subject}"))?;
            let life = play(count);
            Ok(json!({
                NS: life.insert_ns, COUNT: count, BYTES: life.bytes_per_reservation, BYTES_ALLOCATED: life.bytes_allocated,
                EXPIRIES: life.expiries_per_second, WORST_MS: life.worst_advance_ms, P999_MS: life.p999_advance_ms,
                VISITS_MAX: life.visits_max, PEAK: life.peak_bytes,
            }))
        }
        What::Steady if subject == EARMARK => {
            let Some(steady) = steady::play::<Earmark<Id>>(count, STEADY_SECONDS) else {
                return Ok(json!({})); // too slow at this rate
            };
            Ok(json!({
                NS: steady.ns_per_op, COUNT: count, PEAK: steady.peak_bytes, PEAK_ALLOCATED: steady.peak_allocated,
                LIVE_MAX: steady.live_max, WORST_MS: steady.worst_advance_ms,
            }))
        }
        What::Steady => Err(format!("{subject} does not play steady")),
    }
}

/// In the judge: starts a child and takes what it says into the table.
pub(crate) fn start(table: &mut Table, key: Key, what: What, count: usize) -> Result<(), String> {
    let judge = std::env::current_exe().map_err(|error| format!("this program's own path: {error}"))?;
    let said = Command::new(judge)
        .args(["child", what.word(), key.subject, &count.to_string()])
        .output()
        .map_err(|error| format!("a child process: {error}"))?;
    let text = String::from_utf8_lossy(&said.stdout);
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        return Err(format!("{} {} ended with {}: {}", what.word(), key.subject, said.status, why.trim()));
    }
    let last = text.lines().last().unwrap_or("");
    let figures: Map<String, Value> = serde_json::from_str(last).map_err(|error| format!("{last:?}: {error}"))?;
    for figure in FIGURES {
        if let Some(value) = figures.get(*figure).and_then(Value::as_f64) {
            table.add(key, figure, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_says_every_figure_that_a_bar_asks_for() {
        let said = play(What::Life, EARMARK, 3_000).unwrap();
        for figure in [NS, BYTES, BYTES_ALLOCATED, EXPIRIES, WORST_MS, P999_MS, VISITS_MAX, PEAK] {
            assert!(said[figure].as_f64().is_some(), "{figure}");
        }
        assert!(play(What::Life, "nobody", 1).is_err());
        assert!(play(What::Steady, "P-int", 1).is_err());
    }
}
