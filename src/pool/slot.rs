//! Where a refresh and its result change hands.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::{Refresh, Refreshed};

/// What a thread panicked with.
pub(super) type Panic = Box<dyn Any + Send>;

/// One refresh on its way.
#[derive(Debug)]
pub(super) struct Slot {
    /// Whose it is.
    pub stream: Arc<str>,
    stage: Mutex<Stage>,
    ended: Condvar,
}

#[derive(Debug)]
enum Stage {
    Waiting(Refresh),
    /// Begun by a thread, or taken back.
    Taken,
    Ended(Result<Refreshed, Panic>),
}

impl Slot {
    pub fn new(refresh: Refresh, stream: Arc<str>) -> Self {
        Self { stream, stage: Mutex::new(Stage::Waiting(refresh)), ended: Condvar::new() }
    }

    /// The refresh, if nobody has begun on it: for a thread of the pool, or back to the shard.
    pub fn take(&self) -> Option<Refresh> {
        let mut stage = self.lock();
        match std::mem::replace(&mut *stage, Stage::Taken) {
            Stage::Waiting(refresh) => Some(refresh),
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Hands in the result.
    pub fn end(&self, outcome: Result<Refreshed, Panic>) {
        *self.lock() = Stage::Ended(outcome);
        self.ended.notify_one();
    }

    /// Waits for the result of a refresh that a thread has begun on.
    pub fn wait(&self) -> Result<Refreshed, Panic> {
        let mut stage = self.lock();
        loop {
            match std::mem::replace(&mut *stage, Stage::Taken) {
                Stage::Ended(outcome) => return outcome,
                other => *stage = other,
            }
            stage = self.ended.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No code that can panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
