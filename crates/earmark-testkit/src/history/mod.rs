//! What was called, when, and what was answered: the evidence the judge works on.
//!
//! A history is a plain list of [`Call`]s from all threads, in any order, on one time axis in
//! nanoseconds. It says what callers saw, never what an engine thought: two times, a question, an answer.
//!
//! ```text
//!   thread 0   |--- reserve 2 of line 0 ---|  ok, id 7, deadline 900
//!   thread 1          |--- reserve 9 of line 0 ---|  insufficient (line 0, 8 available)
//!   thread 2                                   |--- confirm 7 ---> no answer: unknown
//!            call_ns                      return_ns                                        time
//! ```

mod call;
mod id;
mod items;
pub mod jsonl;
mod names;
mod recorder;
mod wire;

pub use call::{Call, Ended, Op, Outcome};
pub use id::{Id, ParseIdError};
pub use items::{Item, Items, Short, Shorts};
pub use names::Names;
pub use recorder::{Recorder, StillRecording, ThreadLog};
