//! The newest records of other kinds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::record::{EventTime, FeatureRecord, SeriesKey};

/// Examinations and drifts that are kept.
pub const MODELS_MAX: usize = 500;
/// Bytes of the forecasts that are kept.
pub const FORECAST_BYTES_MAX: usize = 16 << 20;
/// Latent codes of a stream that are kept.
pub const LATENTS_MAX: usize = 2_048;
/// Looks at lag and throughput of a stream that are kept, one a second.
pub const LOADS_MAX: usize = 600;
/// Between two looks.
const LOOK_MS: i64 = 900;

/// A latent code.
#[derive(Debug, Clone, PartialEq)]
pub struct Latent {
    /// Series.
    pub entity: SeriesKey,
    /// Codes of one space can be compared.
    pub space: Arc<str>,
    /// End of the window.
    pub at: EventTime,
    /// The code.
    pub z: Box<[f32]>,
    /// 1 and above is an alarm.
    pub anomaly_score: f32,
}

/// How much a stream has to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Wall clock.
    pub at: EventTime,
    /// Records that wait; NaN if unknown.
    pub lag: f64,
    /// Records a second.
    pub rate: f64,
}

/// A record about one stream, as JSON.
#[derive(Debug, Clone)]
pub struct Body {
    /// Number of the stream.
    pub stream: usize,
    /// Series, if it is about one.
    pub entity: Option<SeriesKey>,
    /// As it went over the wire.
    pub json: Arc<str>,
    /// Counts up.
    order: u64,
}

/// The newest records.
#[derive(Debug, Default)]
pub struct Kept {
    /// Examinations and drifts, oldest first.
    pub models: VecDeque<Body>,
    forecasts: BTreeMap<(usize, SeriesKey, usize), Body>,
    forecast_bytes: usize,
    /// By stream, oldest first.
    pub latents: Vec<VecDeque<Latent>>,
    /// By stream, oldest first.
    pub loads: Vec<VecDeque<Load>>,
    orders: u64,
}

impl Kept {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            latents: vec![VecDeque::new(); streams],
            loads: vec![VecDeque::new(); streams],
            ..Self::default()
        }
    }

    /// The newest forecast of each series and target, by stream, series and channel.
    pub fn forecasts(&self) -> impl Iterator<Item = &Body> {
        self.forecasts.values()
    }

    fn body(&mut self, stream: usize, entity: Option<SeriesKey>, json: Arc<str>) -> Body {
        self.orders += 1;
        Body { stream, entity, json, order: self.orders }
    }

    pub(super) fn model(&mut self, stream: usize, entity: Option<SeriesKey>, json: Arc<str>) {
        if self.models.len() >= MODELS_MAX {
            self.models.pop_front();
        }
        let body = self.body(stream, entity, json);
        self.models.push_back(body);
    }

    pub(super) fn forecast(
        &mut self,
        stream: usize,
        entity: SeriesKey,
        channel: usize,
        json: Arc<str>,
    ) {
        self.forecast_bytes += json.len();
        let body = self.body(stream, Some(entity.clone()), json);
        let before = self.forecasts.insert((stream, entity, channel), body);
        self.forecast_bytes -= before.map_or(0, |body| body.json.len());
        if self.forecast_bytes > FORECAST_BYTES_MAX {
            self.forget_forecasts();
        }
    }

    /// Forgets the older half: rarely, so that it costs little a record.
    fn forget_forecasts(&mut self) {
        let mut orders: Vec<u64> = self.forecasts.values().map(|body| body.order).collect();
        orders.sort_unstable();
        let Some(middle) = orders.get(orders.len() / 2).copied() else { return };
        self.forecasts.retain(|_, body| body.order > middle);
        self.forecast_bytes = self.forecasts.values().map(|body| body.json.len()).sum();
    }

    pub(super) fn latent(&mut self, stream: usize, record: &FeatureRecord) {
        let Some(latents) = self.latents.get_mut(stream) else { return };
        if latents.len() >= LATENTS_MAX {
            latents.pop_front();
        }
        latents.push_back(Latent {
            entity: record.entity.clone(),
            space: Arc::clone(&record.latent_space_id),
            at: record.window.end,
            z: record.z.as_slice().into(),
            anomaly_score: record.anomaly_score as f32,
        });
    }

    pub(super) fn load(&mut self, stream: usize, load: Load) {
        let Some(loads) = self.loads.get_mut(stream) else { return };
        // Several workers look: one look a second is enough.
        if loads.back().is_some_and(|last| (load.at - last.at).get() < LOOK_MS) {
            return;
        }
        if loads.len() >= LOADS_MAX {
            loads.pop_front();
        }
        loads.push_back(load);
    }
}
