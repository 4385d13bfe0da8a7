//! `results.json`: the same figures for programs.

use serde_json::{Map, Value, json};

use super::About;
use super::bars::{Bar, MACHINE, Sense, Verdict};
use super::table::*;

/// The file's text.
pub(crate) fn text(about: &About, table: &Table, bars: &[Bar]) -> String {
    let rows: Vec<Value> = table.rows.iter().filter(|row| row.key.workload != MACHINE).map(row).collect();
    let machine: Map<String, Value> = table
        .rows
        .iter()
        .filter(|row| row.key.workload == MACHINE)
        .filter_map(|row| Some((row.key.subject.to_string(), json!(rounded(row.median(NS)?)))))
        .collect();
    let whole = json!({
        "machine": {
            "processor": about.processor, "cores": about.cores, "compiler": about.compiler, "rounds": about.rounds,
            "pinned": about.pinned, "ns": machine,
        },
        "rows": rows,
        "bars": bars.iter().map(bar).collect::<Vec<Value>>(),
    });
    let mut text = serde_json::to_string_pretty(&whole).expect("numbers and text");
    text.push('\n');
    text
}

fn row(row: &Row) -> Value {
    let Key { workload, threads, by, subject } = row.key;
    let mut object = Map::new();
    object.insert("workload".into(), json!(workload));
    object.insert("threads".into(), json!(threads));
    object.insert("by".into(), json!(by));
    object.insert("subject".into(), json!(subject));
    for figure in FIGURES {
        if let Some(value) = row.median(figure) {
            object.insert((*figure).into(), json!(rounded(value)));
        }
    }
    if let Some(Spread { low, high, .. }) = row.figures.get(NS).and_then(|values| Spread::of(values)) {
        object.insert("ns_per_op_spread".into(), json!([rounded(low), rounded(high)]));
    }
    Value::Object(object)
}

fn bar(bar: &Bar) -> Value {
    let (verdict, void) = match bar.verdict() {
        Verdict::Aim => ("met, and the aim", None),
        Verdict::Met => ("met", None),
        Verdict::Missed => ("missed", None),
        Verdict::Void(why) => ("void", Some(why)),
        Verdict::NotRun => ("not run", None),
    };
    json!({
        "what": bar.what,
        "sense": if bar.sense == Sense::AtLeast { "at least" } else { "at most" },
        "must": bar.must,
        "aim": bar.aim.map(rounded),
        "unit": bar.unit.trim(),
        "measured": bar.measured.map(|spread| rounded(spread.median)),
        "spread": bar.measured.map(|spread| [rounded(spread.low), rounded(spread.high)]),
        "verdict": verdict,
        "void": void,
    })
}

/// Four digits that count.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::bars::{RMW, bars};

    #[test]
    fn rows_have_the_names_that_were_agreed() {
        let mut table = Table::default();
        table.add(key(MACHINE, 1, "", RMW), NS, 2.6);
        table.add(key("W4", 1, "id", "earmark"), NS, 51.23456);
        table.add(key("W4", 1, "id", "earmark"), BYTES, 31.9);
        let text = text(&About::default(), &table, &bars(&table));
        let whole: Value = serde_json::from_str(&text).unwrap();
        let rows = whole["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "the machine's costs are not a row");
        let expected = json!({
            "workload": "W4", "threads": 1, "by": "id", "subject": "earmark",
            "ns_per_op": 51.23, "ns_per_op_spread": [51.23, 51.23], "bytes_per_reservation": 31.9,
        });
        assert_eq!(rows[0], expected);
        assert_eq!(whole["machine"]["ns"][RMW], json!(2.6));
        assert_eq!(whole["bars"][0]["verdict"], json!("not run"));
    }

    #[test]
    fn four_digits() {
        let numbers = [1_234_567.0, 0.001_234_56, 40.0, -9.999_96].map(rounded);
        assert_eq!(numbers, [1_235_000.0, 0.001_235, 40.0, -10.0]);
    }
}
