//! Threads that train beside the scoring.
//!
//! [`TrainingPool`] is a [`Trainer`]: it puts refreshes into a queue that its threads work off. A
//! shard that needs a result nobody has begun on takes the refresh back and runs it itself, so it
//! waits for at most the one refresh at work, its own. A full queue sends refreshes back at once:
//! what waits stays bounded, and the shards slow down to the pace of the training.

mod slot;

use std::collections::HashMap;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::model::{Refresh, Running, Started, Trainer, Workspace};
use crate::telemetry::TrainingMetrics;

use slot::Slot;

/// Refreshes that wait, for each thread. They hold their windows.
const WAITING_MAX: usize = 64;

/// Threads that run refreshes, until the last handle of the pool is dropped.
#[derive(Debug)]
pub struct TrainingPool {
    threads: Arc<Threads>,
    metrics: TrainingMetrics,
    /// For whom; empty if nobody has said so.
    stream: Arc<str>,
}

#[derive(Debug)]
struct Threads {
    /// `None` only while the pool is dropped.
    queue: Option<SyncSender<Arc<Slot>>>,
    handles: Vec<JoinHandle<()>>,
}

impl TrainingPool {
    /// A pool of `threads` threads; with 0 every refresh is run by the shard that wants it.
    ///
    /// # Errors
    ///
    /// What the system says if it gives no thread.
    pub fn new(threads: usize, metrics: TrainingMetrics) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(threads * WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let spawn = |number| {
            let (waiting, metrics) = (Arc::clone(&waiting), metrics.clone());
            let thread = thread::Builder::new().name(format!("trainer-{number}"));
            thread.spawn(move || work(&waiting, &metrics))
        };
        let handles = (0..threads).map(spawn).collect::<io::Result<_>>()?;
        let threads = Arc::new(Threads { queue: Some(queue), handles });
        Ok(Self { threads, metrics, stream: Arc::from("") })
    }

    fn run_here(&self, refresh: Refresh, space: &mut Workspace) -> Started {
        let began = Instant::now();
        let refreshed = refresh.run(space);
        self.metrics.count_refresh(&self.stream, "shard", began.elapsed().as_secs_f64());
        Started::Done(Box::new(refreshed))
    }
}

impl Trainer for TrainingPool {
    fn start(&self, refresh: Refresh, space: &mut Workspace) -> Started {
        let Threads { queue, handles } = &*self.threads;
        let Some(queue) = queue.as_ref().filter(|_| !handles.is_empty()) else {
            return self.run_here(refresh, space);
        };
        let slot = Arc::new(Slot::new(refresh, Arc::clone(&self.stream)));
        match queue.try_send(Arc::clone(&slot)) {
            Ok(()) => {
                let metrics = self.metrics.clone();
                Started::Running(Box::new(Ticket { slot, metrics }))
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let back = slot.take().expect("nobody else has seen the slot");
                self.run_here(back, space)
            }
        }
    }

    fn of_stream(&self, stream: &str) -> Option<Arc<dyn Trainer>> {
        let (threads, metrics) = (Arc::clone(&self.threads), self.metrics.clone());
        Some(Arc::new(Self { threads, metrics, stream: Arc::from(stream) }))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.handles.drain(..) {
            // A panic of a thread is told by the slot it worked on.
            let _ = thread.join();
        }
    }
}

/// The shard's end of a slot.
#[derive(Debug)]
struct Ticket {
    slot: Arc<Slot>,
    metrics: TrainingMetrics,
}

impl Running for Ticket {
    /// # Panics
    ///
    /// With the panic of the thread that ran the refresh.
    fn finish(self: Box<Self>, space: &mut Workspace) -> crate::model::Refreshed {
        let began = Instant::now();
        if let Some(refresh) = self.slot.take() {
            let refreshed = refresh.run(space);
            self.metrics.count_refresh(&self.slot.stream, "shard", began.elapsed().as_secs_f64());
            return refreshed;
        }
        let refreshed = self.slot.wait();
        self.metrics.observe_wait(began.elapsed().as_secs_f64());
        refreshed.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

/// One thread: takes slots until the queue has no sender left.
fn work(waiting: &Mutex<Receiver<Arc<Slot>>>, metrics: &TrainingMetrics) {
    let mut spaces: HashMap<Vec<usize>, Workspace> = HashMap::new();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(slot) = next else { return };
        let Some(refresh) = slot.take() else { continue };
        let began = Instant::now();
        let space = spaces.entry(refresh.shape()).or_insert_with(|| refresh.workspace());
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| refresh.run(space)));
        metrics.count_refresh(&slot.stream, "pool", began.elapsed().as_secs_f64());
        slot.end(outcome);
    }
}

#[cfg(test)]
mod tests;
