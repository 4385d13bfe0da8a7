//! Recording under load: every thread writes to a log of its own, the logs meet at the end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Call;

/// Calls per chunk. A log grows by whole chunks: nothing is copied while the clock runs.
const CHUNK: usize = 4096;

/// Collects the calls of many threads without slowing them down.
///
/// ```
/// use earmark_testkit::history::{Call, Op, Recorder};
///
/// let recorder = Recorder::new();
/// std::thread::scope(|scope| {
///     for n in 0..2 {
///         let mut log = recorder.thread();
///         scope.spawn(move || log.push(Call::new(Op::Get, n, n + 1)));
///     }
/// });
/// assert_eq!(recorder.finish()?.len(), 2);
/// # Ok::<(), earmark_testkit::history::StillRecording>(())
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    threads: AtomicU32,
    done: Mutex<Vec<Vec<Call>>>,
}

/// A log was asked for and not dropped yet: the history would have a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{logs} thread logs are still open; drop them before the history is taken")]
pub struct StillRecording {
    /// How many.
    pub logs: usize,
}

impl Recorder {
    /// A recorder without logs.
    pub fn new() -> Recorder {
        Recorder::default()
    }

    /// A log for one more thread; threads are numbered in the order of asking.
    pub fn thread(&self) -> ThreadLog {
        // Relaxed: a number, it orders nothing.
        let thread = self.shared.threads.fetch_add(1, Ordering::Relaxed);
        ThreadLog { thread, full: Vec::new(), current: Vec::with_capacity(CHUNK), shared: Arc::clone(&self.shared) }
    }

    /// All calls in the order in which they began.
    ///
    /// # Errors
    /// [`StillRecording`] if a [`ThreadLog`] has not been dropped; nothing is lost, but the recorder is spent.
    pub fn finish(self) -> Result<Vec<Call>, StillRecording> {
        let logs = Arc::strong_count(&self.shared) - 1;
        if logs > 0 {
            return Err(StillRecording { logs });
        }
        let mut done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = Vec::with_capacity(done.iter().map(Vec::len).sum());
        for chunk in done.drain(..) {
            calls.extend(chunk);
        }
        drop(done);
        calls.sort_by_key(|call| call.call_ns);
        Ok(calls)
    }
}

/// One thread's calls. Handed over to the [`Recorder`] when dropped, also by a thread that panics.
#[derive(Debug)]
pub struct ThreadLog {
    thread: u32,
    full: Vec<Vec<Call>>,
    current: Vec<Call>,
    shared: Arc<Shared>,
}

impl ThreadLog {
    /// This log's number, which its calls get.
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// Appends a call, as this thread's.
    pub fn push(&mut self, call: Call) {
        if self.current.len() == CHUNK {
            let full = std::mem::replace(&mut self.current, Vec::with_capacity(CHUNK));
            self.full.push(full);
        }
        self.current.push(call.with_thread(self.thread));
    }
}

impl Drop for ThreadLog {
    fn drop(&mut self) {
        let mut done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.append(&mut self.full);
        done.push(std::mem::take(&mut self.current));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Op;

    #[test]
    fn logs_meet_in_order_of_time() {
        let recorder = Recorder::new();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let mut log = recorder.thread();
                assert_eq!(log.thread(), thread);
                scope.spawn(move || {
                    for n in 0..10_000 {
                        log.push(Call::new(Op::Get, n * 3 + u64::from(thread), u64::MAX));
                    }
                });
            }
        });
        let calls = recorder.finish().unwrap();
        assert_eq!(calls.len(), 30_000);
        for (n, call) in (0..).zip(&calls) {
            assert_eq!(call.call_ns, n);
            assert_eq!(u64::from(call.thread), n % 3);
        }
    }

    #[test]
    fn an_open_log_is_told() {
        let recorder = Recorder::new();
        let log = recorder.thread();
        assert_eq!(recorder.finish(), Err(StillRecording { logs: 1 }));
        drop(log);
    }
}
