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

/// Signs of life of one worker. Clones are one heart.
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

/// The watcher of the workers.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub heartbeats: Vec<Heartbeat>,
    pub status: SharedStatus,
}

/// When each worker was last seen alive.
struct Pulses<'a> {
    heartbeats: &'a [Heartbeat],
    seen: Vec<(u64, Duration)>,
}

impl<'a> Pulses<'a> {
    fn new(heartbeats: &'a [Heartbeat], now: Duration) -> Self {
        Self { heartbeats, seen: heartbeats.iter().map(|heart| (heart.count(), now)).collect() }
    }

    /// How long the quietest worker has been silent.
    fn silence(&mut self, now: Duration) -> Duration {
        for (heart, seen) in self.heartbeats.iter().zip(&mut self.seen) {
            let beats = heart.count();
            if beats != seen.0 {
                *seen = (beats, now);
            }
        }
        self.seen.iter().map(|(_, alive)| now.saturating_sub(*alive)).max().unwrap_or_default()
    }
}

impl Supervisor {
    /// Waits for the results of all workers. The first that fails stops the others.
    ///
    /// # Errors
    ///
    /// What a worker ended with, or [`DaemonError::Stuck`] if they do not stop in time.
    pub fn watch(
        &self,
        results: &Receiver<Result<RunReport, DaemonError>>,
    ) -> Result<RunReport, DaemonError> {
        let mut pulses = Pulses::new(&self.heartbeats, self.clock.steady());
        let (mut total, mut failed, mut stopping_at) = (RunReport::default(), None, None);
        let mut running = self.heartbeats.len();
        notify_ready();
        while running > 0 {
            match results.recv_timeout(LOOK_EVERY) {
                Ok(result) => {
                    running -= 1;
                    self.shutdown.request();
                    match result {
                        Ok(report) => total.join(&report),
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.clock.steady();
            let silence = pulses.silence(now);
            if silence < STALL_MAX {
                notify(&[NotifyState::Watchdog]);
            }
            self.show_stall(silence);
            if self.shutdown.is_requested() {
                let since = now.saturating_sub(*stopping_at.get_or_insert_with(|| self.stop(now)));
                if since > STOP_MAX && running > 0 {
                    return Err(DaemonError::Stuck { seconds: since.as_secs() });
                }
            }
        }
        failed.map_or(Ok(total), Err)
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

/// Tells the service manager that the process is up, with the settings of the file.
pub(super) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// Tells the service manager that the settings are being read again (`Type=notify-reload`).
pub(super) fn notify_reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("service manager: {error}"),
    }
}

/// Tells the service manager, if there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!("service manager: {error}");
    }
}
