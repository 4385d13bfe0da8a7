//! Threads that stay for the whole run, each on a core of its own.
//!
//! Threads that came and went would change what a subject keeps for each thread, and would be counted as work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// The threads.
#[derive(Debug)]
pub struct Crew {
    members: Vec<Sender<Job>>,
    pinned: usize,
}

impl Crew {
    /// `threads` of them, pinned to the first cores as far as there are so many.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let mut crew = Self { members: Vec::new(), pinned: 0 };
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        for number in 0..threads {
            let (send, jobs): (Sender<Job>, Receiver<Job>) = channel();
            let core = cores.get(number).copied().filter(|_| cores.len() >= threads);
            let (say, pinned) = channel();
            thread::spawn(move || {
                let _ = say.send(core.is_some_and(core_affinity::set_for_current));
                while let Ok(job) = jobs.recv() {
                    job();
                }
            });
            crew.pinned += usize::from(pinned.recv().unwrap_or(false));
            crew.members.push(send);
        }
        crew
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.members.len()
    }

    /// How many of them keep to one core.
    #[must_use]
    pub fn pinned(&self) -> usize {
        self.pinned
    }

    /// Gives each of the first threads a job, and waits for all answers, in the order of the jobs.
    ///
    /// # Panics
    /// If a job does.
    pub fn run<R: Send + 'static>(&self, jobs: Vec<impl FnOnce() -> R + Send + 'static>) -> Vec<R> {
        assert!(jobs.len() <= self.members.len(), "more jobs than threads");
        let answers: Vec<Receiver<R>> = jobs
            .into_iter()
            .zip(&self.members)
            .map(|(job, member)| {
                let (send, answer) = channel();
                let job: Job = Box::new(move || {
                    let _ = send.send(job());
                });
                member.send(job).expect("the thread lives");
                answer
            })
            .collect();
        answers.into_iter().map(|answer| answer.recv().expect("a job panicked")).collect()
    }

    /// One job on the first thread.
    ///
    /// # Panics
    /// If it does.
    pub fn first<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        self.run(vec![job]).pop().expect("one job, one answer")
    }
}

/// Lets threads begin at one instant: each waits, spinning, for the last.
#[derive(Debug, Clone)]
pub struct Gate(Arc<AtomicUsize>);

impl Gate {
    /// For so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }

    /// Waits for the others.
    pub fn pass(&self) {
        // ORDERING: AcqRel with Acquire: what each did before the gate is seen by all behind it.
        self.0.fetch_sub(1, AcqRel);
        while self.0.load(Acquire) > 0 {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_and_the_gate_opens() {
        let crew = Crew::new(2);
        let gate = Gate::new(2);
        let job = |number: usize| {
            let gate = gate.clone();
            move || {
                gate.pass();
                number
            }
        };
        assert_eq!(crew.run(vec![job(7), job(8)]), [7, 8]);
        assert_eq!(crew.first(|| 3), 3);
        assert!(crew.pinned() <= crew.threads());
    }
}
