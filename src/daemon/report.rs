//! What a run amounted to.

use std::fmt;
use std::time::Duration;

use super::partition::Partition;

/// Totals of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunReport {
    /// Records read, good and bad.
    pub records: u64,
    /// Records read again in silence, to rebuild state.
    pub replayed: u64,
    /// Records sent to the dead-letter topic.
    pub rejected: u64,
    /// Rows closed with something observed.
    pub rows: u64,
    /// Windows scored.
    pub windows: u64,
    /// Alert records emitted.
    pub alerts: u64,
    /// Feature records emitted.
    pub features: u64,
    /// Forecast records emitted.
    pub forecasts: u64,
    /// Time from the first poll to the last commit.
    pub elapsed: Duration,
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, {} rejected, {} rows, ", self.records, self.rejected, self.rows)?;
        write!(f, "{} windows, {} alerts, ", self.windows, self.alerts)?;
        write!(f, "{} features, {} forecasts ", self.features, self.forecasts)?;
        if self.replayed > 0 {
            write!(f, "({} records read again) ", self.replayed)?;
        }
        write!(f, "in {:.1} s", self.elapsed.as_secs_f64())
    }
}

impl RunReport {
    /// Adds what another worker has done meanwhile.
    pub(super) fn join(&mut self, other: &Self) {
        self.records += other.records;
        self.replayed += other.replayed;
        self.rejected += other.rejected;
        self.rows += other.rows;
        self.windows += other.windows;
        self.alerts += other.alerts;
        self.features += other.features;
        self.forecasts += other.forecasts;
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// Adds a settled batch of one partition.
    pub(super) fn add(&mut self, partition: &Partition) {
        let outbox = &partition.outbox;
        self.records += partition.records;
        self.replayed += partition.replayed;
        self.rejected += partition.dead.len() as u64;
        self.rows += outbox.facts.rows;
        self.windows += outbox.facts.windows_scored;
        self.alerts += outbox.alerts.len() as u64;
        self.features += outbox.features.len() as u64;
        self.forecasts += outbox.forecasts.len() as u64;
    }
}
