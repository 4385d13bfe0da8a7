//! The independent judge of earmark: was a recorded history of reservations honest?
//!
//! Record what callers saw ([`Recorder`](history::Recorder), or a file of [JSON lines](history::jsonl)), then
//! [`check`] it: no unit promised twice, nobody sent away while units were there, one end per reservation,
//! nothing confirmed after its deadline, and books that add up. The judge shares no code with the engine and does
//! not depend on it; it can judge any system that sets stock aside.
//!
//! ```
//! use earmark_testkit::{Options, check};
//! use earmark_testkit::history::{Call, Ended, Op, Outcome, Recorder};
//!
//! let recorder = Recorder::new();
//! let mut log = recorder.thread();
//! log.push(Call::new(Op::Open, 0, 1).with_item(0, 1));
//! log.push(Call::new(Op::Reserve, 2, 4).with_item(0, 1).with_id(7_u64).with_deadline(1_000));
//! log.push(Call::new(Op::Reserve, 3, 9).with_item(0, 1).with_result(Outcome::insufficient()));
//! log.push(Call::new(Op::Confirm, 10, 12).with_id(7_u64));
//! log.push(Call::new(Op::Release, 11, 15).with_id(7_u64).with_result(Outcome::AlreadyEnded(Ended::Confirmed)));
//! drop(log);
//!
//! let report = check(&recorder.finish()?, &Options::default());
//! assert!(report.is_clean(), "{report}");
//! # Ok::<(), earmark_testkit::history::StillRecording>(())
//! ```
//!
//! # What it promises
//! - A history that some order of instantaneous effects explains is clean: it never accuses an honest engine.
//! - Ten million calls take seconds and about 150 bytes each, the history included: no search for an order.
//!
//! # What it does not
//! - It does not prove linearizability. It judges instants and single reservations, so a contradiction that only
//!   shows across several calls at once can pass.
//! - It believes the clock: call times, return times and deadlines must lie on one axis
//!   ([`Options::clock_slack_ns`] forgives a bounded difference).
//! - A history of refusals alone is clean. Look at [`Report::answers`] too.

#![forbid(unsafe_code)]

mod check;
pub mod history;

pub use check::{Answers, Figures, Final, Options, Report, Rule, Violation, check};
