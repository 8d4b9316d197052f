//! Everything a shard needs to know about its stream.

use std::sync::Arc;

use super::detector::Detector;
use crate::alert::DetectorKind;
use crate::alert::{AlertParams, Maintenance};
use crate::forecast::ForecastParams;
use crate::model::Scope;
use crate::model::{ModelParams, WindowShape};
use crate::window::{RowParams, WindowParams};

/// Most channels that a detector looks at together.
const CHANNELS_MAX: usize = 512;

/// The checked description of one stream. Built by `config`, shared by all shards of the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSpec {
    /// Name, part of every id and seed.
    pub name: Arc<str>,
    /// Channel names, in the order of the values of a record; at least one.
    pub channels: Vec<Arc<str>>,
    /// Event-time order.
    pub rows: RowParams,
    /// Windows.
    pub window: WindowParams,
    /// Network and training.
    pub model: ModelParams,
    /// Thresholds and alert life.
    pub alert: AlertParams,
    /// Smallest and largest possible value of each channel; empty if none has bounds.
    pub data_ranges: Vec<Option<[f64; 2]>>,
    /// Maintenance that is known beforehand.
    pub maintenance: Vec<Maintenance>,
    /// Windows between two feature records of a series; 0 emits none.
    pub features_every: u32,
    /// Forecasts, if wanted.
    pub forecast: Option<ForecastParams>,
    /// Most series a shard may hold.
    pub series_max: usize,
    /// Root of every random number.
    pub seed: u64,
}

impl StreamSpec {
    /// Whether each series has a detector with networks of its own.
    pub fn has_detectors(&self) -> bool {
        let wanted = match self.alert.detector {
            DetectorKind::Auto => self.model.scope == Scope::Series,
            DetectorKind::Network => false,
        };
        wanted && self.channels.len() <= CHANNELS_MAX
    }

    /// Observed rows of a series before the first that may raise an alert.
    pub fn rows_before_alerts(&self) -> u64 {
        match Detector::new(self, 0) {
            Some(detector) => detector.warm_up_left().saturating_sub(1),
            // The first window is there with its last row.
            None => {
                let strides = u64::from(self.model.warmup) * self.window.stride as u64;
                strides + self.window.length as u64 - 1
            }
        }
    }

    /// What the network sees: channels x rows of a window.
    pub fn shape(&self) -> WindowShape {
        WindowShape { rows: self.window.length, channels: self.channels.len() }
    }
}
