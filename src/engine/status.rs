//! A picture of a shard, for the API and gauges.

use super::series::Series;
use super::shard::Shard;
use super::spec::StreamSpec;
use crate::model::{Learner, Past};
use crate::record::{AlertReason, EventTime, OpenAlert, SeriesKey, Severity, Step};

/// A picture of a shard for the API and gauges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShardStatus {
    /// Input partition.
    pub partition: i32,
    /// Series held.
    pub series: usize,
    /// Series still warming up.
    pub warming: usize,
    /// Share of the warm-up that is over, mean over the series; `None` without series.
    pub warmup_progress: Option<f64>,
    /// Event time until the last series that warms up is live, if each row can be used, in seconds.
    pub warmup_remaining: Option<f64>,
    /// Series that have stopped to report, told or not.
    pub stale: usize,
    /// Windows held back from learning.
    pub quarantined: usize,
    /// Errors behind the calibration, mean over the series that no detector judges.
    pub calibration_samples: Option<f64>,
    /// Alerts of all kinds open now, by severity (warning, critical).
    pub firing: [usize; 2],
    /// Event-time watermark.
    pub watermark: Option<EventTime>,
    /// Rows not closed yet, over all series.
    pub open_rows: usize,
    /// Training steps behind the networks that score, over all of them.
    pub model_version: u64,
    /// What is newest, oldest and largest of the networks.
    pub networks: NetworksStatus,
    /// Exponentially weighted mean of the squared reconstruction error of scored windows.
    pub reconstruction_loss: Option<f64>,
    /// Reconstruction error over that of PCA, mean over networks; above 1 PCA would do.
    pub linear_control_ratio: Option<f64>,
    /// Effective number of code book vectors in use, mean over networks that have a book.
    pub codebook_perplexity: Option<f64>,
}

/// What is newest, oldest and largest of networks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NetworksStatus {
    /// Most training steps behind a network that scores.
    pub champion: Option<u64>,
    /// Most training steps behind a network in training at its last examination.
    pub challenger: Option<u64>,
    /// Event time since which some network that scores has not changed.
    pub changed_at: Option<EventTime>,
    /// Event time since which some network in training was not examined.
    pub examined_at: Option<EventTime>,
    /// By level (input, latent, score) how near to a drift, 1, a network's stream is.
    pub drift: [f32; 3],
}

impl NetworksStatus {
    /// Of these and others together.
    pub fn join(self, other: Self) -> Self {
        let oldest = |a: Option<EventTime>, b| a.into_iter().chain(b).min();
        Self {
            champion: self.champion.max(other.champion),
            challenger: self.challenger.max(other.challenger),
            changed_at: oldest(self.changed_at, other.changed_at),
            examined_at: oldest(self.examined_at, other.examined_at),
            drift: std::array::from_fn(|i| self.drift[i].max(other.drift[i])),
        }
    }

    fn of(learner: &Learner) -> Self {
        let Past { changed_at, examined_at, challenger } = learner.past();
        let (champion, drift) = (Some(learner.version()), learner.drift_statistic());
        Self { champion, challenger, changed_at, examined_at, drift }
    }
}

/// A picture of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesStatus {
    /// Its name.
    pub entity: SeriesKey,
    /// Rows since it began, gaps included.
    pub rows: u64,
    /// Start of its newest row.
    pub last_row: Option<EventTime>,
    /// How far it is from its first alert, while it learns what normal is.
    pub warming: Option<Warming>,
    /// Alerts that are open now.
    pub open: Vec<OpenAlert>,
    /// Why nothing is told of an anomaly that goes on, and since when that goes on.
    pub silenced: Option<(AlertReason, EventTime)>,
    /// Its own network, if it has one.
    pub network: Option<NetworkStatus>,
}

/// A picture of the network of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkStatus {
    /// Training steps behind it.
    pub version: u64,
    /// Its reconstruction error over that of PCA; above 1 PCA would do.
    pub linear_control_ratio: Option<f64>,
}

/// How far a series is from its first alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warming {
    /// Share of the warm-up that is over, 0 to 1.
    pub done: f64,
    /// Rows up to the first that may raise an alert, if each can be used.
    pub rows_left: u64,
    /// Event time after the last of them; `None` without a grid.
    pub until: Option<EventTime>,
}

impl Shard {
    /// Pictures of the first `most` series.
    pub fn series_statuses(&self, most: usize) -> Vec<SeriesStatus> {
        let series = self.series.iter().enumerate().take(most);
        series.map(|(index, s)| s.status(&self.spec, self.open_alerts_of(index))).collect()
    }

    /// Sets for each series whether its rows are told in [`crate::record::Outbox::rows`], and for
    /// series that are yet to come. Changes no other result.
    pub fn show_rows(&mut self, new: bool, wanted: &mut dyn FnMut(&SeriesKey) -> bool) {
        self.show_new = new;
        for series in &mut self.series {
            series.shown = wanted(&series.key);
        }
    }

    /// A picture for the API and gauges.
    pub fn status(&self) -> ShardStatus {
        let firing = |severity| {
            let states = self.series.iter().flat_map(Series::states);
            states.filter(|s| s.firing().is_some_and(|f| f.severity == severity)).count()
        };
        let spec = &self.spec;
        let progress = self.series.iter().map(|s| s.warmup_progress(spec)).collect();
        let left = |s: &Series| {
            s.is_warming(spec).then(|| s.warm_up(spec).rows_left as f64 * s.row_seconds())
        };
        let plain = self.series.iter().filter(|s| s.detector.is_none());
        ShardStatus {
            partition: self.partition,
            series: self.series.len(),
            warming: self.series.iter().filter(|s| s.is_warming(spec)).count(),
            warmup_progress: mean(progress),
            warmup_remaining: self.series.iter().filter_map(left).reduce(f64::max),
            stale: self.series.iter().filter(|s| s.watch.stale.episode().is_some()).count(),
            quarantined: self.series.iter().map(|s| s.quarantine.len()).sum(),
            calibration_samples: mean(plain.map(|s| s.tails[0].samples()).collect()),
            firing: [firing(Severity::Warning), firing(Severity::Critical)],
            watermark: self.watermark.current(),
            open_rows: self.series.iter().map(|s| s.open.len()).sum(),
            model_version: self.learners().map(Learner::version).sum(),
            networks: self.networks_status(),
            reconstruction_loss: self.loss,
            linear_control_ratio: mean(
                self.learners().filter_map(Learner::linear_control_ratio).collect(),
            ),
            codebook_perplexity: mean(
                self.learners().filter_map(|learner| learner.network().perplexity()).collect(),
            ),
        }
    }

    /// Series held.
    pub fn series_held(&self) -> usize {
        self.series.len()
    }

    /// Networks that score: one of each series, or one of all.
    pub fn networks(&self) -> usize {
        self.learners().count()
    }

    fn networks_status(&self) -> NetworksStatus {
        self.learners()
            .map(NetworksStatus::of)
            .fold(NetworksStatus::default(), NetworksStatus::join)
    }

    fn learners(&self) -> impl Iterator<Item = &Learner> {
        self.series.iter().filter_map(|s| s.learner.as_deref()).chain(&self.shared)
    }

    /// Alerts that one period of the budget allows all series together.
    pub fn alerts_per_period(&self) -> f64 {
        self.spec.alert.budget.alerts.get() * self.series.len() as f64
    }
}

impl Series {
    fn status(&self, spec: &StreamSpec, open: Vec<OpenAlert>) -> SeriesStatus {
        SeriesStatus {
            entity: self.key.clone(),
            rows: self.rows,
            last_row: self.last_row,
            warming: self.is_warming(spec).then(|| self.warm_up(spec)),
            open,
            silenced: self.alert.episode().and_then(|e| Some((e.silent?, e.starts_at))),
            network: self.learner.as_deref().map(|learner| NetworkStatus {
                version: learner.version(),
                linear_control_ratio: learner.linear_control_ratio(),
            }),
        }
    }

    fn warm_up(&self, spec: &StreamSpec) -> Warming {
        let rows_left = match &self.detector {
            Some(detector) => detector.warm_up_left(),
            None => {
                let needed = u64::from(spec.model.warmup) + 1;
                let windows = needed.saturating_sub(self.windows);
                let length = spec.window.length as u64;
                let first = length.saturating_sub(self.rows + 1);
                first + windows * spec.window.stride as u64
            }
        };
        let ahead = i64::try_from(rows_left).unwrap_or(i64::MAX);
        let until = match (spec.rows.step, self.last_row) {
            (Step::Grid(step), Some(last)) => {
                let ahead = step.get().saturating_mul(ahead.saturating_add(1));
                Some(EventTime::from_millis(last.as_millis().saturating_add(ahead)))
            }
            _ => None,
        };
        Warming { done: self.warmup_progress(spec), rows_left, until }
    }
}

fn mean(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
