//! One request to stop, seen by threads and by tasks, and the signals that make it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Exit code of a process that was told twice to stop.
const EXIT_IMPATIENT: i32 = 1;

/// A switch that goes one way: from running to stopping. Clones are one switch.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Switch>);

#[derive(Debug)]
struct Switch {
    requested: Mutex<bool>,
    changed: Condvar,
    tasks: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Not requested yet.
    pub fn new() -> Self {
        let tasks = watch::Sender::new(false);
        Self(Arc::new(Switch { requested: Mutex::new(false), changed: Condvar::new(), tasks }))
    }

    /// Asks for the stop.
    pub fn request(&self) {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
        self.0.tasks.send_replace(true);
    }

    /// Whether the stop was asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `time` or until the stop is asked for; tells whether it was.
    pub fn sleep(&self, time: Duration) -> bool {
        let guard = self.0.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(guard, time, |requested| !*requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Is done when the stop is asked for.
    pub async fn requested(self) {
        // An error means that the sender is gone, and `self` holds it.
        let _ = self.0.tasks.subscribe().wait_for(|requested| *requested).await;
    }
}

/// The signals that the daemon answers.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them from now on; needs a runtime.
    ///
    /// # Errors
    ///
    /// If they cannot be caught.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Turns the first SIGTERM or SIGINT into a request; the second ends the process at once. SIGHUP
/// calls `reload`.
pub(super) async fn watch_signals(mut signals: Signals, shutdown: Shutdown, reload: impl Fn()) {
    for first in [true, false] {
        let name = loop {
            tokio::select! {
                _ = signals.terminate.recv() => break "SIGTERM",
                _ = signals.interrupt.recv() => break "SIGINT",
                _ = signals.hangup.recv() => reload(),
            }
        };
        if first {
            tracing::info!("{name}: finishing the batch, then stopping");
            shutdown.request();
        }
    }
    tracing::warn!("told twice to stop: what was not delivered will be read again");
    std::process::exit(EXIT_IMPATIENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_wakes_threads_and_tasks() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_requested());
        let sleeper = shutdown.clone();
        let thread = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(3600)));
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let task = runtime.spawn(shutdown.clone().requested());
        shutdown.request();
        assert!(thread.join().unwrap());
        runtime.block_on(task).unwrap();
        // Late comers see it as well.
        runtime.block_on(shutdown.requested());
    }

    #[test]
    fn a_sleep_without_a_request_says_so() {
        assert!(!Shutdown::new().sleep(Duration::from_millis(1)));
    }
}
