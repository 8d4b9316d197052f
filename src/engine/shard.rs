//! One input partition: its series, their rows and windows, the networks that learn from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::carry::{Carry, DroppedForecasts};
use super::clock::Moment;
use super::detector::Eyes;
use super::foresight::Foresight;
use super::looks::Looks;
use super::series::Series;
use super::{StreamSpec, ids};
use crate::alert::{Plan, Skew};
use crate::model::{InPlace, Learner, Network, Scope, Trainer, Triage, Workspace};
use crate::record::{EventTime, Outbox, Placement, RecordRef, SeriesKey, Trigger};
use crate::window::{ClosedRow, Watermark};

/// Most windows that share one pass through the network; more gain nothing.
const BATCH_MAX: usize = 256;
/// Most closed rows that wait for a result.
const PENDING_MAX: usize = 4_096;

/// The engine of one partition.
///
/// Its state is a function of (spec, partition, the records in order, the `close_until` calls):
/// how the records are cut into batches and when [`Shard::settle`] is called changes no output.
#[derive(Debug, Serialize)]
pub struct Shard {
    #[serde(skip)]
    pub(super) spec: Arc<StreamSpec>,
    #[serde(skip)]
    pub(super) partition: i32,
    pub(super) watermark: Watermark,
    #[serde(skip)]
    pub(super) index: FxHashMap<SeriesKey, usize>,
    pub(super) series: Vec<Series>,
    /// Series with a row that ends at a time, in the order in which the rows were opened.
    due: BTreeMap<EventTime, Vec<usize>>,
    /// The network of all series, in `scope = "shard"`.
    pub(super) shared: Option<Learner>,
    #[serde(skip)]
    pub(super) trainer: Arc<dyn Trainer>,
    #[serde(skip)]
    pub(super) space: Workspace,
    #[serde(skip)]
    pub(super) eyes: Eyes,
    /// Rows of series that are new from now on are told.
    #[serde(skip)]
    pub(super) show_new: bool,
    #[serde(skip)]
    pub(super) pending: Vec<Pending>,
    #[serde(skip)]
    pub(super) pending_windows: usize,
    pub(super) loss: Option<f64>,
    pub(super) silence: Looks,
    pub(super) gone: Looks,
    /// How many records claim to be of the future.
    pub(super) clocks: Skew,
    pub(super) plan: Plan,
    pub(super) foresight: Foresight,
    #[serde(skip)]
    dropped: DroppedForecasts,
    /// Knows from verdicts which alerts are true.
    pub(super) triage: Triage,
}

/// The stored fields of a [`Shard`].
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    watermark: Watermark,
    series: Vec<Series>,
    due: BTreeMap<EventTime, Vec<usize>>,
    shared: Option<Learner>,
    loss: Option<f64>,
    #[serde(default)]
    silence: Looks,
    #[serde(default)]
    gone: Looks,
    #[serde(default)]
    clocks: Skew,
    #[serde(default)]
    plan: Plan,
    #[serde(default)]
    foresight: Foresight,
    #[serde(default)]
    triage: Triage,
}

/// A closed row that waits for its result.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) series: usize,
    pub(super) row: ClosedRow,
    /// Row of the workspace that holds its window; `None` if there is nothing to score.
    pub(super) slot: Option<usize>,
    /// Rows without a record before it.
    pub(super) gap: u64,
}

impl Shard {
    /// An empty shard, which trains in place.
    pub fn new(spec: Arc<StreamSpec>, partition: i32) -> Self {
        let learner = new_learner(&spec, &format!("partition {partition}"));
        let space = workspace(&spec, learner.network());
        Self {
            watermark: Watermark::new(spec.rows.max_out_of_order),
            shared: (spec.model.scope == Scope::Shard).then_some(learner),
            plan: Plan::new(&spec.maintenance),
            foresight: Foresight::new(&spec, partition),
            dropped: DroppedForecasts::default(),
            partition,
            index: FxHashMap::default(),
            series: Vec::new(),
            due: BTreeMap::new(),
            eyes: Eyes::new(&spec),
            show_new: false,
            trainer: Arc::new(InPlace),
            space,
            pending: Vec::new(),
            pending_windows: 0,
            loss: None,
            spec,
            silence: Looks::default(),
            gone: Looks::default(),
            clocks: Skew::default(),
            triage: Triage::default(),
        }
    }

    /// Learned forecasts that the state had and this shard does not: their settings have changed.
    pub fn dropped_forecasts(&self) -> Option<&DroppedForecasts> {
        Some(&self.dropped).filter(|dropped| dropped.forecasters > 0)
    }

    /// This shard, trained by `trainer` from now on. Changes no result.
    #[must_use]
    pub fn with_trainer(self, trainer: Arc<dyn Trainer>) -> Self {
        Self { trainer, ..self }
    }

    /// Waits for all training that runs elsewhere; its results take effect when they are due.
    pub(super) fn settle_training(&mut self) {
        let Self { series, shared, space, .. } = self;
        let own = series.iter_mut().filter_map(|series| series.learner.as_deref_mut());
        own.chain(shared).for_each(|learner| learner.settle(space));
    }

    /// A shard that goes on with a stored state; `None` if the state contradicts itself or `spec`.
    pub(super) fn adopt(
        spec: Arc<StreamSpec>,
        partition: i32,
        stored: Stored,
        mut carry: Carry,
    ) -> Option<Self> {
        let mut shard = Self::new(Arc::clone(&spec), partition);
        shard.watermark = stored.watermark.adopt(&shard.watermark);
        shard.shared = match (stored.shared, shard.shared.take()) {
            (Some(known), Some(fresh)) => Some(known.adopt(fresh)?),
            (None, None) => None,
            _ => return None,
        };
        shard.foresight = stored.foresight.adopt(shard.foresight, &spec, &mut carry);
        for series in stored.series {
            let key = Arc::clone(&series.key);
            let own = shard.shared.is_none().then(|| Box::new(new_learner(&spec, &key)));
            let fresh = Series::new(&spec, Arc::clone(&key), own);
            shard.series.push(series.adopt(&spec, fresh, &mut carry)?);
            let index = shard.series.len() - 1;
            if shard.index.insert(key, index).is_some() {
                return None;
            }
        }
        (shard.due, shard.loss) = (stored.due, stored.loss);
        (shard.silence, shard.gone, shard.clocks) = (stored.silence, stored.gone, stored.clocks);
        shard.plan = stored.plan.adopt(shard.plan);
        shard.dropped = carry.dropped;
        shard.triage = stored.triage;
        shard.schedule_looks();
        shard.schedule_ends();
        shard.every_open_row_is_due().then_some(shard)
    }

    /// Whether each open row is closed some day, and `due` names no other series.
    fn every_open_row_is_due(&self) -> bool {
        let due: FxHashSet<(EventTime, usize)> =
            self.due.iter().flat_map(|(end, all)| all.iter().map(|i| (*end, *i))).collect();
        let is_due = |(i, series): (usize, &Series)| {
            series.open.ends(self.spec.rows.step).all(|end| due.contains(&(end, i)))
        };
        due.iter().all(|(_, index)| *index < self.series.len())
            && self.series.iter().enumerate().all(is_due)
    }

    /// Takes one record. `log_time` is the record's Kafka time, the bound of `ahead_max`.
    ///
    /// Results of rows it closes may stay pending until [`Shard::settle`].
    ///
    /// # Panics
    ///
    /// If `record.values` does not have one value per channel: decoders guarantee it.
    pub fn push(
        &mut self,
        record: RecordRef<'_>,
        log_time: EventTime,
        out: &mut Outbox,
    ) -> Placement {
        assert_eq!(record.values.len(), self.spec.channels.len(), "one value per channel");
        out.facts.records += 1;
        if record.time > log_time + self.spec.rows.ahead_max {
            out.facts.ahead += 1;
            if let Some(index) = self.index.get(record.key) {
                let moment = Moment::of_log(log_time);
                self.hear(*index, &record, Placement::Ahead, moment, out);
            }
            return Placement::Ahead;
        }
        let moment = self.moment(record.time, log_time);
        let Some(index) = self.find_or_add(record.key) else {
            out.facts.series_refused += 1;
            return Placement::SeriesLimit;
        };
        let placement = self.place(index, &record, moment.says, out);
        self.hear(index, &record, placement, moment, out);
        match placement {
            Placement::Late => {
                let behind = self.watermark.current().map_or(0, |now| (now - record.time).get());
                out.facts.lateness.push(behind.max(0) as f32 / 1e3);
                out.facts.late += 1;
            }
            Placement::Duplicate | Placement::Replaced => out.facts.duplicates += 1,
            Placement::Placed | Placement::Ahead | Placement::SeriesLimit => {}
        }
        placement
    }

    /// Puts the results of all rows closed so far into `out`. Call at the end of each batch.
    pub fn settle(&mut self, out: &mut Outbox) {
        self.score_pending(out);
    }

    /// Closes every row that ends at or before `time`, as if the watermark had reached it:
    /// quiet partitions, end of a file (`EventTime::from_millis(i64::MAX)`).
    pub fn close_until(&mut self, time: EventTime, out: &mut Outbox) {
        if self.watermark.advance_to(time) {
            self.close_due(Trigger::Idle, out);
        }
        self.score_pending(out);
    }

    /// Names of the channels.
    pub fn channels(&self) -> &[Arc<str>] {
        &self.spec.channels
    }

    /// Event-time watermark.
    pub(super) fn watermark(&self) -> Option<EventTime> {
        self.watermark.current()
    }

    fn find_or_add(&mut self, key: &str) -> Option<usize> {
        if let Some(index) = self.index.get(key) {
            return Some(*index);
        }
        if self.series.len() >= self.spec.series_max {
            return None;
        }
        let own = self.shared.is_none().then(|| Box::new(new_learner(&self.spec, key)));
        let key: SeriesKey = Arc::from(key);
        let series = Series::new(&self.spec, Arc::clone(&key), own);
        self.series.push(Series { shown: self.show_new, ..series });
        self.index.insert(key, self.series.len() - 1);
        Some(self.series.len() - 1)
    }

    fn place(
        &mut self,
        index: usize,
        record: &RecordRef<'_>,
        says: EventTime,
        out: &mut Outbox,
    ) -> Placement {
        let spec = Arc::clone(&self.spec);
        let series = &mut self.series[index];
        let (placement, end) = series.open.insert(&spec.rows, record, self.watermark.current());
        if let Some(end) = end {
            self.due.entry(end).or_default().push(index);
            if series.open.len() > spec.rows.open_rows_max
                && let Some(row) = series.open.close_oldest(&spec.rows.aggregates)
            {
                self.close_row(index, row, Trigger::Flush, out);
            }
        }
        if matches!(placement, Placement::Placed | Placement::Replaced) {
            let moved = self.watermark.observe(says);
            if moved || end.is_some() {
                self.close_due(Trigger::Watermark, out);
            }
        }
        placement
    }

    fn close_due(&mut self, trigger: Trigger, out: &mut Outbox) {
        let Some(watermark) = self.watermark.current() else { return };
        let spec = Arc::clone(&self.spec);
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= watermark) {
            let (end, indexes) = entry.remove_entry();
            for index in indexes {
                while let Some(row) = self.series[index].open.close_before(&spec.rows, end) {
                    self.close_row(index, row, trigger, out);
                }
            }
        }
    }

    /// Puts a closed row in line for its result. At most one row of a series waits: whether the
    /// next row is learned from depends on the verdict on this one.
    fn close_row(&mut self, index: usize, row: ClosedRow, trigger: Trigger, out: &mut Outbox) {
        if self.series[index].pending || self.pending.len() >= PENDING_MAX {
            self.score_pending(out);
        }
        let Self { spec, series, space, .. } = self;
        let series = &mut series[index];
        let gap = series.gap(spec.rows.step, row.start);
        out.facts.alerts_allowed += series.allowed(spec, row.start);
        series.push_gap(spec, gap, row.start);
        series.push_row(&spec.alert.allowance(), &row);
        series.pending = true;
        out.facts.gap_rows += gap;
        out.facts.rows += 1;
        let at_stride = series.rows.is_multiple_of(spec.window.stride as u64);
        out.facts.windows_closed[trigger as usize] += u64::from(series.ring.is_full() && at_stride);
        let observed = row.values.iter().any(|value| !value.is_nan());
        let complete = series.ring.completeness() >= spec.window.min_completeness;
        let slot = (series.ring.is_full() && at_stride && observed && complete).then(|| {
            series.ring.copy_window(space.window_mut(self.pending_windows));
            self.pending_windows += 1;
            self.pending_windows - 1
        });
        self.pending.push(Pending { series: index, row, slot, gap });
        if self.pending_windows >= self.windows_before_scoring() {
            self.score_pending(out);
        }
    }

    /// Windows that can share one pass: as many as have the same weights.
    fn windows_before_scoring(&self) -> usize {
        match &self.shared {
            Some(learner) => learner.windows_until_refresh().min(BATCH_MAX),
            None => 1,
        }
    }
}

fn new_learner(spec: &StreamSpec, owner: &str) -> Learner {
    let parts = [&*spec.name, owner];
    let seed = ids::seed(spec.seed, &parts);
    Learner::new(&spec.model, spec.shape(), seed, ids::latent_space_id(spec.seed, &parts))
}

fn workspace(spec: &StreamSpec, network: &Network) -> Workspace {
    let scored = if spec.model.scope == Scope::Shard { BATCH_MAX } else { 1 };
    Workspace::new(network, scored.max(spec.model.batch))
}
