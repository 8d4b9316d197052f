//! Watches the pipeline: tells the service manager that it works, and when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use sd_notify::NotifyState;

use super::{Clock, DaemonError, RunReport, Shutdown};
use crate::web::{NotReady, SharedStatus};

/// Between two looks at the pipeline.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A pipeline that shows no sign of life for so long is reported unhealthy.
const STALL_MAX: Duration = Duration::from_secs(60);
/// A stop that takes longer is given up; what was not delivered is read again.
const STOP_MAX: Duration = Duration::from_secs(9);

/// Signs of life. Clones are one heart.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The watcher of one pipeline thread.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub heartbeat: Heartbeat,
    pub status: SharedStatus,
}

impl Supervisor {
    /// Waits for the result of the pipeline; `None` if its thread ended without one.
    ///
    /// # Errors
    ///
    /// What the pipeline ended with, or [`DaemonError::Stuck`] if it does not stop in time.
    pub fn watch(
        &self,
        result: &Receiver<Result<RunReport, DaemonError>>,
    ) -> Result<Option<RunReport>, DaemonError> {
        let (mut beats, mut alive_at) = (self.heartbeat.count(), self.clock.steady());
        let mut stopping_at = None;
        notify(&[NotifyState::Ready]);
        loop {
            match result.recv_timeout(LOOK_EVERY) {
                Ok(result) => return result.map(Some),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.clock.steady();
            if self.heartbeat.count() != beats {
                (beats, alive_at) = (self.heartbeat.count(), now);
                notify(&[NotifyState::Watchdog]);
            }
            self.show_stall(now.saturating_sub(alive_at));
            if self.shutdown.is_requested() {
                let since = now.saturating_sub(*stopping_at.get_or_insert_with(|| self.stop(now)));
                if since > STOP_MAX {
                    return Err(DaemonError::Stuck { seconds: since.as_secs() });
                }
            }
        }
    }

    fn stop(&self, now: Duration) -> Duration {
        notify(&[NotifyState::Stopping]);
        self.status.update(|status| status.not_ready = Some(NotReady::Stopping));
        now
    }

    fn show_stall(&self, silent: Duration) {
        let stalled = (silent > STALL_MAX)
            .then(|| format!("the pipeline has made no progress for {} s", silent.as_secs()));
        if self.status.read(|status| status.stalled != stalled) {
            if let Some(what) = &stalled {
                tracing::error!("{what}");
            }
            self.status.update(|status| status.stalled = stalled);
        }
    }
}

/// Tells the service manager, if there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!("service manager: {error}");
    }
}
