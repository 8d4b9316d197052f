//! What a run of the demo showed, as text and as JSON.

use std::fmt;
use std::fs;
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::accuracy::HorizonScore;
use super::error::DemoError;
use super::matching::KindScore;

/// Horizons that the text shows; the JSON has all.
const HORIZONS_SHOWN: [u32; 5] = [1, 3, 6, 12, 24];

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The whole span was simulated and processed.
    SpanConsumed,
    /// The time was up.
    TimeUp,
    /// The user interrupted it.
    Interrupted,
}

/// Alerts of one stream that belong to no fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseAlarms {
    /// Stream.
    pub stream: String,
    /// Their number.
    pub alerts: u64,
    /// Entities times weeks of event time in which an alert could be raised.
    pub entity_weeks: f64,
    /// The quotient; `None` without any such time.
    pub per_entity_week: Option<f64>,
}

impl FalseAlarms {
    /// The figures of one stream.
    pub fn new(stream: &str, alerts: u64, entity_weeks: f64) -> Self {
        let per_entity_week = (entity_weeks > 0.0).then(|| alerts as f64 / entity_weeks);
        Self { stream: stream.into(), alerts, entity_weeks, per_entity_week }
    }
}

/// Everything that is worth telling at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Why it ended.
    pub ending: Ending,
    /// Seed of the simulation and of the models.
    pub seed: u64,
    /// Weeks of event time that the daemon processed.
    pub simulated_weeks: f64,
    /// Wall time from the start to the summary, in seconds.
    pub wall_seconds: f64,
    /// Records written to the input topics.
    pub records_produced: u64,
    /// Records that the daemon processed, as its committed offsets say.
    pub records_processed: u64,
    /// Processed records over the time in which they were processed.
    pub records_per_second: f64,
    /// Rows closed on the event-time grid.
    pub rows: u64,
    /// Windows scored.
    pub windows_scored: u64,
    /// Largest resident memory of the whole process (broker, simulator and daemon), in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Alerts read back from their topic.
    pub alerts: u64,
    /// Latent feature records read back from their topic.
    pub features: u64,
    /// Forecast records read back from their topic.
    pub forecasts: u64,
    /// Examinations and drifts of models read back from their topic.
    pub models: u64,
    /// Dead letters read back from their topic.
    pub dead_letters: u64,
    /// Outputs that the broker had dropped before they could be read back.
    pub outputs_missed: u64,
    /// Outputs of a shape that was not promised.
    pub outputs_unreadable: u64,
    /// Injected and found faults by kind.
    pub faults: Vec<KindScore>,
    /// False alarms by stream.
    pub false_alarms: Vec<FalseAlarms>,
    /// Accuracy of the demand forecasts by horizon.
    pub accuracy: Vec<HorizonScore>,
}

impl Summary {
    /// Writes the summary as JSON.
    ///
    /// # Errors
    ///
    /// [`DemoError::Summary`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DemoError> {
        let fault = |detail: String| DemoError::Summary { path: path.to_path_buf(), detail };
        let mut text = serde_json::to_string_pretty(self).map_err(|e| fault(e.to_string()))?;
        text.push('\n');
        fs::write(path, text).map_err(|e| fault(e.to_string()))
    }

    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<20}{:>9}{:>9}{:>15}", "fault", "injected", "found", "median delay")?;
        for score in &self.faults {
            let KindScore { kind, injected, found, median_delay_minutes } = score;
            let delay = median_delay_minutes.map_or("-".into(), |m| format!("{m:.0} min"));
            writeln!(f, "  {kind:<20}{injected:>9}{found:>9}{delay:>15}")?;
        }
        let (injected, found) =
            self.faults.iter().fold((0, 0), |sum, s| (sum.0 + s.injected, sum.1 + s.found));
        writeln!(f, "  {:<20}{injected:>9}{found:>9}", "all")?;
        writeln!(f)?;
        for FalseAlarms { stream, alerts, per_entity_week, .. } in &self.false_alarms {
            let rate = per_entity_week.map_or("-".into(), |rate| format!("{rate:.2}"));
            writeln!(f, "  false alarms, {stream}: {alerts} ({rate} per entity and week)")?;
        }
        Ok(())
    }

    fn write_accuracy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&HorizonScore> =
            self.accuracy.iter().filter(|score| HORIZONS_SHOWN.contains(&score.horizon)).collect();
        if shown.is_empty() {
            return writeln!(f, "\n  forecasts: none could be checked yet");
        }
        writeln!(f)?;
        let mut line = |name: &str, cell: &dyn Fn(&HorizonScore) -> String| {
            write!(f, "  {name:<28}")?;
            shown.iter().try_for_each(|score| write!(f, "{:>8}", cell(score)))?;
            writeln!(f)
        };
        line("demand forecast", &|score| format!("{} h", score.horizon))?;
        line("scaled error, latentd", &|score| format!("{:.3}", score.mase))?;
        line("scaled error, best naive", &|score| format!("{:.3}", score.naive_mase))?;
        line("inside the 80 % interval", &|score| format!("{:.1} %", 100.0 * score.coverage))
    }
}

impl Summary {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.peak_memory_bytes.map_or("unknown".into(), |b| HumanBytes(b).to_string());
        writeln!(
            f,
            "\n  {} records processed of {} produced, {} per second, peak memory {memory}",
            HumanCount(self.records_processed),
            HumanCount(self.records_produced),
            HumanCount(self.records_per_second as u64),
        )?;
        writeln!(
            f,
            "  {} rows closed, {} windows scored",
            HumanCount(self.rows),
            HumanCount(self.windows_scored),
        )?;
        writeln!(
            f,
            "  {} alerts, {} latent features, {} forecasts, {} model records, {} dead letters",
            HumanCount(self.alerts),
            HumanCount(self.features),
            HumanCount(self.forecasts),
            HumanCount(self.models),
            HumanCount(self.dead_letters),
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match self.ending {
            Ending::SpanConsumed => "the whole span",
            Ending::TimeUp => "time is up",
            Ending::Interrupted => "interrupted",
        };
        let Self { simulated_weeks, wall_seconds, seed, .. } = self;
        writeln!(
            f,
            "{simulated_weeks:.1} simulated weeks in {wall_seconds:.0} s, seed {seed} ({ending})"
        )?;
        self.write_counts(f)?;
        if self.outputs_missed > 0 {
            let missed = HumanCount(self.outputs_missed);
            writeln!(f, "  {missed} outputs were dropped by the broker before they could be read")?;
        }
        if self.outputs_unreadable > 0 {
            writeln!(f, "  {} outputs could not be read", HumanCount(self.outputs_unreadable))?;
        }
        self.write_faults(f)?;
        self.write_accuracy(f)
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
