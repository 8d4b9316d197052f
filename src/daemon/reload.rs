//! New settings for a running daemon: read, compared, then taken over by each worker between two
//! of its batches.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Clock;
use crate::config::{Changes, Settings};
use crate::telemetry::Metrics;

/// Reads the settings anew; the text says why it could not.
pub type Loader = Arc<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// Reads files again that the settings name; says which keys have changed, or why all stays as it was.
pub(super) type Renew = Arc<dyn Fn() -> Result<Vec<String>, String> + Send + Sync>;

/// Why the old settings are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The run was not started from a file.
    #[error("these settings were not read from a file")]
    NoSource,
    /// They cannot be used.
    #[error("{0}")]
    Settings(String),
    /// They change what cannot change while the daemon runs.
    #[error("only a restart can change {}; nothing was changed", .0.join(", "))]
    Restart(Vec<String>),
}

/// Settings that may be replaced. Clones are one.
#[derive(Clone)]
pub struct Reload(Arc<Inner>);

struct Inner {
    load: Option<Loader>,
    renew: Renew,
    clock: Clock,
    metrics: Metrics,
    newest: Mutex<Generation>,
}

/// Settings and how often they were replaced.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    pub number: u64,
    pub settings: Arc<Settings>,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl Reload {
    /// Begins with the settings that the daemon runs on.
    pub(super) fn new(
        settings: &Settings,
        load: Option<Loader>,
        renew: Renew,
        (clock, metrics): (Clock, Metrics),
    ) -> Self {
        let newest = Mutex::new(Generation { number: 0, settings: Arc::new(settings.clone()) });
        metrics.config.loaded(clock.wall());
        Self(Arc::new(Inner { load, renew, clock, metrics, newest }))
    }

    /// Reads the settings anew. If they can be used as they are, the workers take them over
    /// before their next batch; else everything stays as it was.
    ///
    /// # Errors
    ///
    /// [`ReloadError`].
    pub fn reload(&self) -> Result<Changes, ReloadError> {
        let result = self.read();
        match &result {
            Ok(changes) => {
                self.0.metrics.config.reloaded(self.0.clock.wall());
                tracing::info!(changed = changes.live.join(", "), "configuration reloaded");
            }
            Err(error) => {
                self.0.metrics.config.refused();
                tracing::error!("configuration not reloaded: {error}");
            }
        }
        result
    }

    fn read(&self) -> Result<Changes, ReloadError> {
        let load = self.0.load.as_ref().ok_or(ReloadError::NoSource)?;
        let settings = load().map_err(ReloadError::Settings)?;
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = newest.settings.changes(&settings);
        if !changes.restart.is_empty() {
            return Err(ReloadError::Restart(changes.restart));
        }
        let renewed = (self.0.renew)().map_err(ReloadError::Settings)?;
        if !changes.live.is_empty() {
            let number = newest.number + 1;
            *newest = Generation { number, settings: Arc::new(settings) };
        }
        changes.live.extend(renewed);
        Ok(changes)
    }

    /// Settings newer than number `seen`.
    pub(super) fn news(&self, seen: u64) -> Option<Generation> {
        let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        (newest.number != seen).then(|| newest.clone())
    }
}
