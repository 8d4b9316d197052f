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
    /// Held from the reading of the file on: of two reloads at once the later reads the newer file.
    /// Workers that ask for `newest` do not wait for it.
    turn: Mutex<()>,
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
        let turn = Mutex::default();
        Self(Arc::new(Inner { load, renew, clock, metrics, turn, newest }))
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
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn settings(snapshot_interval: &str) -> Settings {
        let text = format!(
            "state.snapshot_interval = '{snapshot_interval}'\n\
             [[stream]]\nname = 'press'\ntopics = ['in']\nchannel = [{{ name = 'x' }}]\n"
        );
        crate::config::Layers::new().toml(&text, "a test").unwrap().settings().unwrap()
    }

    /// The first one reads the file, and is slow; meanwhile the file is replaced and read again.
    #[test]
    fn of_two_reloads_at_once_the_newer_file_wins() {
        let (entered, begun) = channel();
        let (release, wait) = channel();
        let slow = Mutex::new(Some((entered, wait)));
        let load: Loader = Arc::new(move || match slow.lock().unwrap().take() {
            Some((entered, wait)) => {
                entered.send(()).unwrap();
                wait.recv().map_err(|error| error.to_string())?;
                Ok(settings("2s"))
            }
            None => Ok(settings("3s")),
        });
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let renew: Renew = Arc::new(|| Ok(Vec::new()));
        let reload = Reload::new(&settings("1s"), Some(load), renew, (Clock::system(), metrics));
        let again = || {
            let reload = reload.clone();
            std::thread::spawn(move || reload.reload().map(|changes| changes.live))
        };
        let first = again();
        begun.recv().unwrap();
        let (second, ended) = (again(), channel::<()>());
        // If the second does not wait for the first, it is done by now.
        let _ = ended.1.recv_timeout(Duration::from_millis(200));
        release.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(vec!["state.snapshot_interval".to_owned()]));
        assert_eq!(second.join().unwrap(), Ok(vec!["state.snapshot_interval".to_owned()]));
        let newest = reload.news(0).unwrap();
        assert_eq!(newest.settings.state.snapshot_interval.get(), 3_000);
    }
}
