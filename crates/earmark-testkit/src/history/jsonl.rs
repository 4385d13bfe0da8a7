//! Histories in files: one call a line, each line one JSON object with eight fields.
//!
//! ```json
//! {"call_ns":100,"return_ns":140,"thread":0,"op":"reserve","items":[[0,2]],"id":"0000000000000000000000000000001f","result":"ok","deadline_ns":5000}
//! {"call_ns":120,"return_ns":150,"thread":1,"op":"reserve","items":[[0,9,8],[1,1]],"id":null,"result":"insufficient","deadline_ns":null}
//! {"call_ns":160,"return_ns":null,"thread":0,"op":"confirm","items":[],"id":"0000000000000000000000000000001f","result":"unknown","deadline_ns":null}
//! ```
//!
//! | field | is |
//! |---|---|
//! | `call_ns`, `return_ns` | when it began and returned; `null`: never returned |
//! | `thread` | the caller's number; 0 if absent |
//! | `op` | [`Op::as_str`](super::Op::as_str): `open`, `receive`, `reserve`, `confirm`, … |
//! | `items` | a list of `[line, qty]`; `[line, qty, available]` marks an item that the refusal named as short (`null`: without a figure); of a `read`, what was seen |
//! | `id` | 32 hexadecimal digits, a UUID, or any other text, which then is a name; `null` or absent: none |
//! | `result` | [`Outcome::as_str`](super::Outcome::as_str): `ok`, `insufficient`, `already_confirmed`, … |
//! | `deadline_ns` | the deadline in the answer; `null` or absent: none |
//!
//! A file from elsewhere may name its lines (`["mug", 2]`) and write items as objects
//! (`{"sku": "mug", "qty": 2}`, also `line`, `quantity`, `available`); one file either names or numbers
//! them. Empty lines and fields of other names are passed over.

use std::io::{self, BufRead, BufWriter, Write};

use super::wire::WireCall;
use super::{Call, Names};

/// A file's calls, and the names it used.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The calls in the file's order.
    pub calls: Vec<Call>,
    /// What its lines were called, if it named them.
    pub names: Names,
}

/// The file is not a history; says where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source could not be read.
    #[error("line {line} could not be read")]
    Io {
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// A line is not a call as JSON.
    #[error("line {line} is not a call")]
    Json {
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// A line uses a word that means nothing.
    #[error("line {line}: {what}")]
    Word {
        /// Which line, from 1.
        line: usize,
        /// Which word.
        what: String,
    },
    /// The file calls some stock lines by number and some by name.
    #[error("line {line}: this file both names and numbers its stock lines")]
    Mixed {
        /// Which line, from 1.
        line: usize,
    },
}

/// Reads a whole history.
///
/// ```
/// use earmark_testkit::history::{Op, jsonl};
///
/// let file = r#"{"call_ns":1,"return_ns":2,"op":"open","items":[["mug",10]],"result":"ok"}
/// {"call_ns":3,"return_ns":4,"op":"reserve","items":[{"sku":"mug","qty":1}],"id":"cart-1","result":"ok"}"#;
/// let reading = jsonl::read(file.as_bytes())?;
/// assert_eq!(reading.calls[1].op, Op::Reserve);
/// assert_eq!(reading.names.line_name(0), Some("mug"));
/// # Ok::<(), jsonl::ReadError>(())
/// ```
///
/// # Errors
/// [`ReadError`] at the first line that is not a call. What was read so far is dropped.
pub fn read(mut source: impl BufRead) -> Result<Reading, ReadError> {
    let mut reading = Reading::default();
    let mut named = None;
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        let length = source.read_line(&mut text).map_err(|source| ReadError::Io { line, source })?;
        if length == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        let wire: WireCall = serde_json::from_str(&text).map_err(|source| ReadError::Json { line, source })?;
        for item in &wire.items {
            if *named.get_or_insert(item.names_a_line()) != item.names_a_line() {
                return Err(ReadError::Mixed { line });
            }
        }
        let call = wire.into_call(&mut reading.names).map_err(|what| ReadError::Word { line, what })?;
        reading.calls.push(call);
    }
    Ok(reading)
}

/// Writes a history, one call a line, in the order given.
///
/// ```
/// use earmark_testkit::history::{Call, Op, jsonl};
///
/// let calls = [Call::new(Op::Open, 0, 1).with_item(0, 10)];
/// let mut file = Vec::new();
/// jsonl::write(&mut file, &calls)?;
/// assert_eq!(jsonl::read(&file[..])?.calls, calls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the destination answers.
pub fn write<'a>(destination: impl Write, calls: impl IntoIterator<Item = &'a Call>) -> io::Result<()> {
    let mut out = BufWriter::new(destination);
    for call in calls {
        serde_json::to_writer(&mut out, call)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Ended, Op, Outcome, Short};

    #[test]
    fn every_op_and_result_comes_back() {
        let results = [
            Outcome::Ok,
            Outcome::insufficient(),
            Outcome::short(1, 3),
            Outcome::Insufficient([Short { line: 2, available: None }].into_iter().collect()),
            Outcome::Insufficient(
                [Short {
                    line: 9, // not one of the items
                    available: Some(0),
                }]
                .into_iter()
                .collect(),
            ),
            Outcome::Contended,
            Outcome::Expired,
            Outcome::AlreadyEnded(Ended::Confirmed),
            Outcome::AlreadyEnded(Ended::Released),
            Outcome::AlreadyEnded(Ended::Expired),
            Outcome::AlreadyEnded(Ended::Replaced),
            Outcome::AlreadyEnded(Ended::Lost),
            Outcome::NotFound,
            Outcome::Refused,
            Outcome::Unknown,
        ];
        let mut calls = Vec::new();
        for op in Op::ALL {
            for result in &results {
                let call = Call::new(op, 5, 6)
                    .with_items([(1, 4), (2, 1), (1, 1)])
                    .with_id(u128::MAX - 3)
                    .with_thread(7)
                    .with_result(result.clone());
                calls.push(call.clone().with_deadline(99));
                calls.push(call);
            }
            calls.push(Call::unanswered(op, 8));
        }
        let mut file = Vec::new();
        write(&mut file, &calls).unwrap();
        assert_eq!(read(&file[..]).unwrap().calls, calls);
        for (line, call) in String::from_utf8(file).unwrap().lines().zip(&calls) {
            assert_eq!(&serde_json::from_str::<Call>(line).unwrap(), call);
        }
    }

    #[test]
    fn the_fields_are_these() {
        let call = Call::new(Op::Reserve, 120, 150).with_items([(0, 9), (1, 1)]).with_result(Outcome::short(0, 8));
        assert_eq!(
            serde_json::to_string(&call).unwrap(),
            r#"{"call_ns":120,"return_ns":150,"thread":0,"op":"reserve","items":[[0,9,8],[1,1]],"id":null,"result":"insufficient","deadline_ns":null}"#
        );
    }

    #[test]
    fn faults_are_told_with_their_line() {
        let good = r#"{"call_ns":1,"return_ns":2,"op":"open","items":[[0,1]],"result":"ok"}"#;
        for (bad, told) in [
            ("{", "line 3 is not a call"),
            (r#"{"call_ns":1,"return_ns":2,"op":"opne","result":"ok"}"#, r#"line 3: unknown op "opne""#),
            (r#"{"call_ns":1,"return_ns":2,"op":"open","result":"fine"}"#, r#"line 3: unknown result "fine""#),
            (
                r#"{"call_ns":1,"return_ns":2,"op":"open","items":[["mug",1]],"result":"ok"}"#,
                "line 3: this file both names and numbers its stock lines",
            ),
        ] {
            let error = read(format!("{good}\n\n{bad}\n").as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }
}
