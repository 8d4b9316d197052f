//! The state of one series.

use serde::{Deserialize, Serialize};

use super::StreamSpec;
use super::carry::Carry;
use super::decide::Cases;
use super::detector::Detector;
use super::ids;
use super::quarantine::Quarantine;
use super::watch::Watch;
use crate::alert::{AlertState, Allowance, Threshold};
use crate::detect::{Residuals, Tail};
use crate::forecast::Forecaster;
use crate::model::{Learner, Scaler, Scope};
use crate::record::{EventTime, SeriesKey, Step};
use crate::window::{ClosedRow, OpenRows, RowMark, WindowRing};

/// Everything that belongs to one series and to no other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) key: SeriesKey,
    pub(super) open: OpenRows,
    pub(super) ring: WindowRing,
    pub(super) scaler: Scaler,
    pub(super) residuals: Residuals,
    /// Of the window error and of the newest row's error.
    pub(super) tails: [Tail; 2],
    pub(super) threshold: Threshold,
    pub(super) alert: AlertState,
    /// One a target; states from before there was a mix have none of this name.
    #[serde(rename = "outlook", default)]
    pub(super) forecasters: Vec<Forecaster>,
    /// Its own network, in `scope = "series"`.
    pub(super) learner: Option<Box<Learner>>,
    /// Judges its rows, if the errors of the network do not.
    #[serde(default)]
    pub(super) detector: Option<Detector>,
    /// Share of the detector's warm-up that is over, while it is not.
    #[serde(default)]
    pub(super) warming: Option<f64>,
    /// A closed row waits for its result; the next row must wait for it.
    #[serde(skip)]
    pub(super) pending: bool,
    /// Its rows are told.
    #[serde(skip)]
    pub(super) shown: bool,
    /// Rows since the series began, gaps included.
    pub(super) rows: u64,
    /// Scored windows since the series began or was restarted.
    pub(super) windows: u64,
    pub(super) last_row: Option<EventTime>,
    /// The newest window that may be learned from, if that needs the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) awaiting: Option<Awaiting>,
    /// What the open or the last alert has kept from being learned.
    #[serde(default)]
    pub(super) quarantine: Quarantine,
    /// The newest alerts.
    #[serde(default)]
    pub(super) cases: Cases,
    /// The other kinds of alert.
    #[serde(default)]
    pub(super) watch: Watch,
}

/// A window that waits for the next one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Awaiting {
    #[serde(with = "crate::record::raw::f32s")]
    pub(super) window: Vec<f32>,
    /// Rows of the series at its end.
    pub(super) rows: u64,
}

fn adopt_forecasters(
    spec: &StreamSpec,
    stored: Vec<Forecaster>,
    fresh: Vec<Forecaster>,
    carry: &mut Carry,
) -> Vec<Forecaster> {
    let mut dropped = stored.len();
    let known = carry.pick(stored).into_iter();
    let adopt = |known: Forecaster| known.adopt(spec.forecast.as_ref()?);
    let all = known.zip(fresh).map(|(known, fresh)| match known.and_then(adopt) {
        Some(known) => {
            dropped -= 1;
            known
        }
        None => fresh,
    });
    let all = all.collect();
    carry.dropped.forecasters += dropped;
    all
}

impl Series {
    pub(super) fn new(spec: &StreamSpec, key: SeriesKey, learner: Option<Box<Learner>>) -> Self {
        let channels = spec.channels.len();
        let tail = Tail::new(spec.alert.tail.get(), spec.alert.memory.get());
        let forecasters = spec.forecast.as_ref().map_or(Vec::new(), |params| {
            let of = |target: &usize| [&*spec.name, &*key, "forecast", &*spec.channels[*target]];
            let seed = |target| ids::seed(spec.seed, &of(target));
            params.targets.iter().map(|target| Forecaster::new(params, seed(target))).collect()
        });
        let seed = ids::seed(spec.seed, &[&spec.name, &key, "detector"]);
        let detector = Detector::new(spec, seed);
        Self {
            key,
            open: OpenRows::default(),
            ring: WindowRing::new(spec.window.length, channels),
            scaler: Scaler::new(channels),
            residuals: Residuals::new(channels),
            tails: [tail.clone(), tail],
            threshold: Threshold::new(spec.rows.step),
            alert: AlertState::default(),
            forecasters,
            learner,
            warming: detector.as_ref().map(|_| 0.0),
            detector,
            pending: false,
            shown: false,
            rows: 0,
            windows: 0,
            last_row: None,
            awaiting: None,
            quarantine: Quarantine::default(),
            cases: Cases::default(),
            watch: Watch::default(),
        }
    }

    /// What this series knows, under the settings of `fresh`; `None` if its shapes are others.
    /// Forecasters that do not fit begin anew.
    pub(super) fn adopt(self, spec: &StreamSpec, fresh: Self, carry: &mut Carry) -> Option<Self> {
        let Self { tails: [window, newest], .. } = self;
        let [fresh_window, fresh_newest] = &fresh.tails;
        let forecasters = adopt_forecasters(spec, self.forecasters, fresh.forecasters, carry);
        let awaits = |a: &Awaiting| a.window.len() == spec.shape().cells();
        let sound = self.open.fits(spec.channels.len())
            && self.awaiting.as_ref().is_none_or(awaits)
            && self.quarantine.fits(spec);
        sound.then_some(())?;
        let quarantine = self.quarantine.adopt(fresh.detector.as_ref());
        Some(Self {
            key: self.key,
            open: self.open,
            ring: self.ring.adopt(&fresh.ring)?,
            scaler: self.scaler.adopt(&fresh.scaler)?,
            residuals: self.residuals.adopt(&fresh.residuals)?,
            tails: [window.adopt(fresh_window), newest.adopt(fresh_newest)],
            threshold: self.threshold.adopt(&fresh.threshold)?,
            alert: self.alert,
            forecasters,
            learner: match (self.learner, fresh.learner) {
                (Some(known), Some(fresh)) => Some(Box::new(known.adopt(*fresh)?)),
                (None, None) => None,
                _ => return None,
            },
            warming: if self.detector.is_some() { self.warming } else { fresh.warming },
            detector: match (self.detector, fresh.detector) {
                (Some(known), Some(fresh)) => Some(known.adopt(&fresh)?),
                // A state from before there were detectors, or of another setting.
                (_, fresh) => fresh,
            },
            pending: false,
            shown: false,
            rows: self.rows,
            windows: self.windows,
            last_row: self.last_row,
            awaiting: self.awaiting,
            quarantine,
            cases: self.cases.restored(&spec.name, &fresh.key),
            watch: self.watch.fitting(spec.channels.len()),
        })
    }

    /// Rows missing between the last closed row and `start`; 0 without a grid.
    pub(super) fn gap(&self, step: Step, start: EventTime) -> u64 {
        match (step, self.last_row) {
            (Step::Grid(step), Some(last)) => {
                let rows = (start - last).get() / step.get() - 1;
                u64::try_from(rows).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Takes `rows` rows in which nothing was observed, ending before `start`.
    ///
    /// The window takes at most its own length of them: it is empty then.
    pub(super) fn push_gap(&mut self, spec: &StreamSpec, rows: u64, start: EventTime) {
        let Step::Grid(step) = spec.rows.step else { return };
        let windows = rows.min(spec.window.length as u64);
        for back in (1..=windows).rev() {
            let row_start = EventTime::from_millis(start.as_millis() - back as i64 * step.get());
            self.ring.push(spec.channels.iter().map(|_| f32::NAN), RowMark::gap(row_start));
        }
        self.rows += rows;
    }

    /// Takes a closed row into the window, scaled by what is known of the past.
    pub(super) fn push_row(&mut self, of: &Allowance, row: &ClosedRow) {
        let Self { ring, scaler, .. } = self;
        let scaled = row.values.iter().enumerate().map(|(c, value)| scaler.scale(c, *value));
        let mark = RowMark {
            start: row.start,
            first_offset: row.first_offset,
            last_offset: row.last_offset,
        };
        ring.push(scaled, mark);
        self.threshold.observe(of, row.start);
        self.last_row = Some(row.start);
        self.rows += 1;
    }

    /// Alerts that the budget allows for the event time from the last row to one that starts then;
    /// none while the series is too young for alerts. A gap counts as one period at most.
    pub(super) fn allowed(&self, spec: &StreamSpec, start: EventTime) -> f64 {
        let Some(last) = self.last_row.filter(|_| !self.is_warming(spec)) else { return 0.0 };
        let budget = &spec.alert.budget;
        let periods = (start - last).get().max(0) as f64 / budget.per.get().max(1) as f64;
        budget.alerts.get() * periods.min(1.0)
    }

    /// Share of its warm-up that is over.
    pub(super) fn warmup_progress(&self, spec: &StreamSpec) -> f64 {
        if !self.is_warming(spec) {
            return 1.0;
        }
        let of_windows = || self.windows as f64 / (f64::from(spec.model.warmup) + 1.0);
        self.detector.as_ref().map_or_else(of_windows, |_| self.warming.unwrap_or(0.0)).min(1.0)
    }

    /// Time from one row to the next, in seconds.
    pub(super) fn row_seconds(&self) -> f64 {
        self.threshold.spacing_seconds()
    }

    /// Whether it is too young for alerts.
    pub(super) fn is_warming(&self, spec: &StreamSpec) -> bool {
        match self.detector {
            Some(_) => self.warming.is_some(),
            None => self.windows <= u64::from(spec.model.warmup),
        }
    }

    /// What lasted is normal from now on: learn it from the start, raising nothing meanwhile.
    ///
    /// A shared network goes on: to the other series nothing has happened. If it is `watched`, a detector
    /// still says what is news even to what it has seen of it.
    pub(super) fn accept_new_normal(
        &mut self,
        spec: &StreamSpec,
        learner: &mut Learner,
        watched: bool,
    ) {
        // What is held is scaled by what was normal, and nobody will ask for it.
        self.quarantine.clear();
        self.scaler.restart();
        self.residuals.restart();
        let tail = Tail::new(spec.alert.tail.get(), spec.alert.memory.get());
        self.tails = [tail.clone(), tail];
        self.windows = 0;
        if let Some(detector) = &mut self.detector {
            detector.accept_new_normal(watched);
        }
        if spec.model.scope == Scope::Series {
            learner.accept_new_normal();
        }
    }
}
