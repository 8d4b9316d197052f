//! From what was seen to the summary.

use std::time::Duration;

use super::accuracy::{Demand, score_forecasts};
use super::collector::Collected;
use super::matching::match_alerts;
use super::summary::{Ending, FalseAlarms, Summary};
use crate::config::{Settings, StreamSettings};
use crate::daemon::RunReport;
use crate::record::{Millis, Step};
use crate::sim::{Fault, SimParams, Stream};

const WEEK: f64 = 7.0 * 24.0 * 3_600_000.0;
/// Seasons of the naive forecasts in hours: a day and a week.
const SEASONS: [usize; 2] = [24, 168];
/// An alert may come this much after the end of its fault: the window still holds the fault.
const GRACE: Millis = Millis::new(30 * 60_000);

/// The figures of a run.
#[derive(Debug)]
pub(super) struct Facts {
    pub ending: Ending,
    pub seed: u64,
    /// From the start of the demo.
    pub wall: Duration,
    /// From the first processed record.
    pub working: Duration,
    pub produced: u64,
    pub processed: u64,
    /// Records of the whole span.
    pub total: u64,
    pub report: RunReport,
}

impl Facts {
    /// Event time that was processed. Every minute and hour has its fixed number of records, so
    /// the share of records is the share of the span.
    fn reached(&self, params: &SimParams) -> Millis {
        let share = self.processed as f64 / self.total.max(1) as f64;
        Millis::new((params.span.get() as f64 * share.min(1.0)) as i64)
    }
}

/// Judges alerts and forecasts and puts all figures together.
pub(super) fn summarise(
    facts: &Facts,
    settings: &Settings,
    params: &SimParams,
    faults: &[Fault],
    mut collected: Collected,
    demand: &Demand,
) -> Summary {
    let reached = facts.reached(params);
    let matched = match_alerts(faults, &collected.alerts, GRACE, params.start + reached);
    let false_alarms = Stream::ALL.map(|stream| {
        let entities = match stream {
            Stream::Plant => params.machines,
            Stream::Shops => params.shops,
        };
        let alerts = matched.false_alarms.get(stream.name()).copied().unwrap_or(0);
        let calm = reached.get().saturating_sub(warmup(settings, stream).get()).max(0);
        FalseAlarms::new(stream.name(), alerts, entities as f64 * calm as f64 / WEEK)
    });
    // Until it is warm the model cannot be told from the naive forecasts that it falls back to.
    let warm = warmup(settings, Stream::Shops).get() / 3_600_000;
    collected.points.retain(|point| point.row as i64 >= warm);
    let working = facts.working.as_secs_f64().max(1e-3);
    Summary {
        ending: facts.ending,
        seed: facts.seed,
        simulated_weeks: reached.get() as f64 / WEEK,
        wall_seconds: facts.wall.as_secs_f64(),
        records_produced: facts.produced,
        records_processed: facts.processed,
        records_per_second: facts.processed as f64 / working,
        rows: facts.report.rows,
        windows_scored: facts.report.windows,
        peak_memory_bytes: peak_memory(),
        alerts: collected.alerts.len() as u64,
        features: collected.features,
        forecasts: collected.forecasts,
        models: collected.models,
        dead_letters: collected.dead_letters,
        outputs_missed: collected.missed,
        outputs_unreadable: collected.unreadable,
        faults: matched.kinds,
        false_alarms: false_alarms.into(),
        accuracy: score_forecasts(&collected.points, demand, &SEASONS),
    }
}

/// Event time in which a stream cannot raise an alert.
fn warmup(settings: &Settings, stream: Stream) -> Millis {
    let of = |s: &&StreamSettings| s.name == stream.name();
    match settings.stream.iter().find(of).map(|s| (s.step, s.model.warmup)) {
        Some((Step::Grid(step), rows)) => Millis::new(step.get() * i64::from(rows)),
        _ => Millis::ZERO,
    }
}

/// Largest resident memory so far in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmHWM:    123456 kB` of the status text.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status_text() {
        let text = "Name:\tlatentd\nVmPeak:\t  900 kB\nVmHWM:\t   12 kB\nVmRSS:\t    8 kB\n";
        assert_eq!(peak_of(text), Some(12_288));
        assert_eq!(peak_of("Name:\tlatentd\n"), None);
    }

    #[test]
    fn the_share_of_records_is_the_share_of_the_span() {
        let params = SimParams { span: Millis::new(1_000), ..SimParams::default() };
        let facts = |processed| Facts {
            ending: Ending::TimeUp,
            seed: 1,
            wall: Duration::ZERO,
            working: Duration::ZERO,
            produced: 400,
            processed,
            total: 400,
            report: RunReport::default(),
        };
        assert_eq!(facts(100).reached(&params), Millis::new(250));
        assert_eq!(facts(400).reached(&params), Millis::new(1_000));
    }
}
