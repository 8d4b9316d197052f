//! Whether the settings that run are those of the file.

use prometheus::{Error, Gauge};

use super::family::{Families, IntCounterVec};
use crate::record::EventTime;

/// Loads of the configuration.
#[derive(Debug, Clone)]
pub struct ConfigMetrics {
    successful: Gauge,
    at: Gauge,
    pub(super) reloads: IntCounterVec,
}

impl ConfigMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            successful: to.single_gauge(
                "latentd_config_last_reload_successful",
                "1 if the last load of the configuration succeeded; 0 while an older one runs on.",
            )?,
            at: to.single_gauge(
                "latentd_config_last_reload_success_timestamp_seconds",
                "When the configuration that runs was loaded.",
            )?,
            reloads: to.counter(
                "latentd_config_reloads_total",
                "Reloads of the configuration: ok, or refused and the old one kept.",
                &["outcome"],
            )?,
        })
    }

    /// The first load, at `now` of the wall clock.
    pub fn loaded(&self, now: EventTime) {
        self.successful.set(1.0);
        self.at.set(now.as_millis() as f64 / 1e3);
    }

    /// A reload that was taken over.
    pub fn reloaded(&self, now: EventTime) {
        self.loaded(now);
        self.reloads.with_label_values(&["ok"]).inc();
    }

    /// A reload that was refused: the old settings run on.
    pub fn refused(&self) {
        self.successful.set(0.0);
        self.reloads.with_label_values(&["refused"]).inc();
    }
}
