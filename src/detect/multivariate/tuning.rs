//! The constants of the detector, in one place.

use serde::{Deserialize, Serialize};

use super::track::TrackTuning;

/// All constants; one configuration for all streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// Rows before anything is judged.
    pub warmup: u64,
    /// Rows of the first fit; at most `warmup`.
    pub first_fit: u64,
    /// Tracked statistics of the sensors themselves.
    pub raw: Vec<TrackTuning>,
    /// And of the errors of the autoencoder.
    pub errors: Vec<TrackTuning>,
    /// Rows of the long memory.
    pub slow_rows: f64,
    /// Half-lives, rows: baseline, variance, calibration.
    pub base: f64,
    pub variance: f64,
    pub calibration: f64,
    /// Least share of the long-run variance.
    pub variance_floor: f64,
    /// Share of the rate 1 / n of a plain mean while little is known; after so many blocks.
    pub early: f64,
    pub early_blocks: f64,
    /// Attribution: share of the variance with spikes, weight of the sensor against its error.
    pub whole: f64,
    pub attr: f64,
    /// Sharpness of the soft maximum.
    pub kappa: f64,
    /// Loss of held evidence a row, in spreads.
    pub hold: f64,
    /// Evidence from which a row is hardly learned.
    pub gate: f64,
    /// Weight of such a row.
    pub gate_weight: f64,
    /// What the memory that learns while an alert fires is believed to know, rows.
    pub doubt_rows: f64,
    /// Rows with `steps_early` training steps a row; later `steps_late`.
    pub fit_rows: u64,
    pub steps_early: f64,
    pub steps_late: f64,
    pub rate_early: f64,
    pub rate_late: f64,
    pub anneal_steps: f64,
    /// One row in so many is kept for training once the memory is full.
    pub keep_every: u64,
    /// No search for a period.
    pub aperiodic: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        let raw = TrackTuning { smooth: 5.0, seasonal: 0.0, squares: false, weight: 2.0 };
        let error = TrackTuning { seasonal: 0.5, weight: 1.0, ..raw };
        let spread = TrackTuning { squares: true, seasonal: 0.0, weight: 0.005, ..raw };
        Self {
            warmup: 400,
            first_fit: 400,
            raw: vec![raw],
            errors: vec![error, spread],
            slow_rows: 30_000.0,
            base: 400.0,
            variance: 2_000.0,
            calibration: 4_000.0,
            variance_floor: 0.25,
            early: 0.3,
            early_blocks: 11.0,
            whole: 0.02,
            attr: 2.0,
            kappa: 1.0,
            hold: 0.1,
            gate: 3.0,
            gate_weight: 0.1,
            doubt_rows: 1e9,
            fit_rows: 3_200,
            steps_early: 0.47,
            steps_late: 0.0625,
            rate_early: 3e-3,
            rate_late: 5e-4,
            anneal_steps: 600.0,
            keep_every: 1,
            aperiodic: false,
        }
    }
}
