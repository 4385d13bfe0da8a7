//! A manual clock that can call back.

use std::sync::{Arc, Mutex};

use crate::clock::Clock;
use crate::{ManualClock, Timestamp};

/// A manual clock that can call back into whoever reads it.
#[derive(Clone)]
pub(in crate::inventory) struct HookClock {
    pub(in crate::inventory) time: ManualClock,
    hook: Arc<Mutex<Option<Hook>>>,
}

struct Hook {
    readings_left: u32,
    run: Box<dyn FnOnce() + Send>,
}

impl HookClock {
    pub(in crate::inventory) fn new(time: ManualClock) -> Self {
        Self { time, hook: Arc::default() }
    }

    /// Runs something inside a later reading, once.
    pub(in crate::inventory) fn at_reading(&self, readings_left: u32, run: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Hook { readings_left, run: Box::new(run) });
    }

    /// Forgets what was not run.
    pub(in crate::inventory) fn unhook(&self) {
        *self.hook.lock().unwrap() = None;
    }
}

impl Clock for HookClock {
    fn now(&self) -> Timestamp {
        let mut hook = self.hook.lock().unwrap();
        let due = match &mut *hook {
            Some(Hook { readings_left: 0, .. }) => hook.take(),
            Some(hook) => {
                hook.readings_left -= 1;
                None
            }
            None => None,
        };
        drop(hook);
        if let Some(hook) = due {
            (hook.run)();
        }
        self.time.now()
    }
}
