//! What one thread writes down: every call with its times, for the judge.

use earmark_testkit::history::{Call, Op, Recorder, ThreadLog};

use super::SaleClock;

/// One thread's log, and the clock that its times come from.
#[derive(Debug)]
pub(crate) struct Log {
    thread: ThreadLog,
    clock: SaleClock,
    calls: u64,
}

/// When a call began and when it returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Log {
    pub(crate) fn new(recorder: &Recorder, clock: &SaleClock) -> Log {
        Log { thread: recorder.thread(), clock: clock.clone(), calls: 0 }
    }

    pub(crate) fn clock(&self) -> &SaleClock {
        &self.clock
    }

    /// How many calls were written down.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// This log's number.
    pub(crate) fn thread(&self) -> u32 {
        self.thread.thread()
    }

    /// Makes a call and takes its times.
    #[inline]
    pub(crate) fn time<R>(&self, call: impl FnOnce() -> R) -> (Span, R) {
        let from = self.clock.ns();
        let answer = call();
        let to = self.clock.ns();
        (Span { from, to }, answer)
    }

    pub(crate) fn push(&mut self, call: Call) {
        self.calls += 1;
        self.thread.push(call);
    }
}

impl Span {
    /// A record of a look at a line.
    pub(crate) fn read(self, line: u32, seen: u32) -> Call {
        self.call(Op::Read).with_item(line, seen.into())
    }

    /// A record of this call, answered `Ok` until told otherwise.
    pub(crate) fn call(self, op: Op) -> Call {
        Call::new(op, self.from, self.to)
    }

    pub(crate) fn length_ns(self) -> u64 {
        self.to - self.from
    }
}
