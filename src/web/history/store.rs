//! The parts together, behind one lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::alerts::{AlertEntry, Alerts, Place};
use super::kept::{Kept, Load};
use super::rings::{Ring, Rings};
use crate::record::{AlertChange, AlertRecord, OpenAlert, Outbox, SeriesKey};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryParams {
    /// Rows of a series.
    pub rows: usize,
    /// Bytes of the rows of all series; with 0 none are kept.
    pub bytes_max: usize,
}

/// What a settled batch of one partition has said.
#[derive(Debug)]
pub struct News<'a> {
    /// The results.
    pub outbox: &'a Outbox,
    /// Bodies of `outbox.alerts`, in their order, as JSON.
    pub alerts: Vec<Arc<str>>,
    /// Bodies of `outbox.forecasts`.
    pub forecasts: Vec<Arc<str>>,
    /// Bodies of `outbox.models`, then of `outbox.drifts`.
    pub models: Vec<Arc<str>>,
}

/// What happened of late, shared between pipelines and handlers. Clones are one.
#[derive(Debug, Clone)]
pub struct History(Arc<Mutex<Store>>);

/// What happened of late.
#[derive(Debug)]
pub struct Store {
    /// Channels of each stream.
    channels: Vec<usize>,
    rings: Rings,
    alerts: Alerts,
    /// Other records.
    pub kept: Kept,
}

impl History {
    /// Nothing yet, of streams with these numbers of channels.
    pub fn new(params: HistoryParams, channels: Vec<usize>) -> Self {
        let (rings, kept) = (Rings::new(params.rows, params.bytes_max), Kept::new(channels.len()));
        Self(Arc::new(Mutex::new(Store { channels, rings, alerts: Alerts::default(), kept })))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at it. The pipeline waits meanwhile: take what is needed and format it later.
    pub fn read<R>(&self, look: impl FnOnce(&Store) -> R) -> R {
        look(&self.lock())
    }

    /// Takes what a batch of the partition at `place` (topic and number) has said; most have nothing
    /// to say and cost nothing.
    pub fn take(&self, stream: usize, place: (&str, i32), news: &News<'_>) {
        let Outbox { alerts, features, forecasts, models, drifts, rows, .. } = news.outbox;
        let lists = [alerts.len(), features.len(), forecasts.len(), models.len(), drifts.len()];
        if rows.is_empty() && lists.iter().all(|length| *length == 0) {
            return;
        }
        self.lock().take(stream, place, news);
    }

    /// Tells through `ask` whether there is room for more series of a stream, and of each series
    /// whether its rows are kept.
    pub fn wanted(
        &self,
        stream: usize,
        ask: impl FnOnce(bool, &mut dyn FnMut(&SeriesKey) -> bool),
    ) {
        let mut store = self.lock();
        let Store { channels, rings, .. } = &mut *store;
        let channels = channels.get(stream).copied().unwrap_or(0);
        ask(rings.has_room(channels), &mut |entity| rings.wants(stream, entity, channels));
    }

    /// Somebody looks at a series: its rows are kept from now on. Returns whether they can be.
    pub fn look_at(&self, stream: usize, entity: &str) -> bool {
        let mut store = self.lock();
        let channels = store.channels.get(stream).copied().unwrap_or(0);
        store.rings.care(stream, &SeriesKey::from(entity), channels)
    }

    /// Takes all open alerts of some partitions of a stream, as the state of their series tells them,
    /// and the load of the stream.
    pub fn align(&self, stream: usize, partitions: &[(Place, Vec<OpenAlert>)], load: Load) {
        let mut store = self.lock();
        store.alerts.align(stream, partitions);
        store.kept.load(stream, load);
    }

    /// A partition moved away: what is open there is open elsewhere.
    pub fn left(&self, stream: usize, place: (&str, i32)) {
        self.lock().alerts.left(stream, place);
    }
}

impl Store {
    /// The rows of a series, if they are kept.
    pub fn ring(&self, stream: usize, entity: &str) -> Option<&Ring> {
        self.rings.get(stream, entity)
    }

    /// Alerts, the newest by the time of its start first. They are heard of in another order: partitions
    /// are not equally far, and those that were open before the process started are told last.
    pub fn alerts(&self) -> impl Iterator<Item = &AlertEntry> {
        let mut entries: Vec<&AlertEntry> = self.alerts.all().rev().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.starts_at));
        entries.into_iter()
    }

    /// An alert by its id.
    pub fn alert(&self, alert_id: &str) -> Option<&AlertEntry> {
        self.alerts.all().rev().find(|entry| entry.alert_id == alert_id)
    }

    /// Number of series whose rows are kept, and bytes set aside for them.
    pub fn held(&self) -> (usize, usize) {
        self.rings.held()
    }

    fn take(&mut self, stream: usize, place: (&str, i32), news: &News<'_>) {
        let outbox = news.outbox;
        let mut waiting: FxHashMap<&str, VecDeque<(&AlertRecord, &Arc<str>)>> =
            FxHashMap::default();
        for (record, body) in outbox.alerts.iter().zip(&news.alerts) {
            waiting.entry(&record.entity).or_default().push_back((record, body));
        }
        let channels = self.channels.get(stream).copied().unwrap_or(0);
        for row in &outbox.rows {
            // Alerts and rows come in lists of their own: an alert is taken when its last row is in.
            if let Some(alerts) = waiting.get_mut(&*row.entity) {
                while let Some((record, body)) = alerts.front().copied()
                    && record.window.end <= row.time
                {
                    alerts.pop_front();
                    self.take_alert((stream, place), record, body);
                }
            }
            self.rings.push(stream, row, channels);
            self.alerts.follow(stream, row);
        }
        for (record, body) in waiting.into_values().flatten() {
            self.take_alert((stream, place), record, body);
        }
        for (record, body) in outbox.forecasts.iter().zip(&news.forecasts) {
            self.kept.forecast(stream, record.entity.clone(), record.channel, body.clone());
        }
        let owners = outbox.models.iter().map(|record| &record.entity);
        let owners = owners.chain(outbox.drifts.iter().map(|record| &record.entity));
        for (entity, body) in owners.zip(&news.models) {
            self.kept.model(stream, entity.clone(), body.clone());
        }
        outbox.features.iter().for_each(|record| self.kept.latent(stream, record));
    }

    fn take_alert(
        &mut self,
        (stream, place): (usize, (&str, i32)),
        record: &AlertRecord,
        body: &Arc<str>,
    ) {
        let Self { channels, rings, alerts, .. } = self;
        if record.change == AlertChange::Opened {
            let channels = channels.get(stream).copied().unwrap_or(0);
            rings.care(stream, &record.entity, channels);
        }
        let ring = rings.get(stream, &record.entity);
        alerts.take((stream, place), record, body.clone(), ring);
    }
}
