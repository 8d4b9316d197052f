//! The constants of the detector, in one place: one set for all streams.
//!
//! Chosen on public sets of servers, a pump and a chemical plant; margins below 0.01 in the area
//! under a precision-recall curve are noise there.

use super::track::TrackTuning;

/// All constants; one configuration for all streams.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Rows before anything is judged.
    pub warmup: u64,
    /// Rows of the first fit; at most `warmup`.
    pub first_fit: u64,
    /// Tracked statistics of the sensors themselves.
    pub raw: Vec<TrackTuning>,
    /// And of the errors of the autoencoder.
    pub errors: Vec<TrackTuning>,
    /// Tracked statistic of how sensors go together.
    pub relation: TrackTuning,
    /// Share of the variance that sensors must leave of each other for that to have a say.
    pub related_left: f64,
    /// Rows of the long memory.
    pub slow_rows: f64,
    /// Half-life of the baseline, rows.
    pub base: f64,
    /// Half-life of the variances, rows.
    pub variance: f64,
    /// Half-life of the calibration, rows.
    pub calibration: f64,
    /// Least share of the long-run variance.
    pub variance_floor: f64,
    /// While little is known everything learns at this share of the rate 1 / n of a plain mean: slow
    /// enough for a fault soon after the start, fast enough for a short warm-up.
    pub early: f64,
    /// Blocks that are taken at the full rate 1 / n.
    pub early_blocks: f64,
    /// Attribution: share of a sensor's variance with all its spikes that is its least spread.
    pub whole: f64,
    /// Attribution: weight of a sensor's own deviation against that of its error.
    pub attr: f64,
    /// Attribution: half-life of what a sensor was, rows.
    pub attr_hold: f64,
    /// Share of the sensors' variance that the network must leave for its errors to count more.
    pub skill: f64,
    /// How steeply they count more.
    pub skill_power: f64,
    /// Sharpness of the soft maximum.
    pub kappa: f64,
    /// Loss of held evidence a row, in spreads.
    pub hold: f64,
    /// The same where rows are ranked: a fault ranks above the calm rows in its lulls.
    pub hold_ranks: f64,
    /// The loss is larger where the network is trusted, at most so many times.
    pub hold_trust: f64,
    /// Evidence from which a row is hardly learned.
    pub gate: f64,
    /// And with which weight.
    pub gate_weight: f64,
    /// Rows that the baselines of an accepted new normal are believed to be known for, at most.
    pub doubt_rows: f64,
    /// Rows with more training.
    pub fit_rows: u64,
    /// Training steps a row in the first `fit_rows` rows.
    pub steps_early: f64,
    /// And after them.
    pub steps_late: f64,
    /// Learning rate at first.
    pub rate_early: f64,
    /// And after `anneal_steps` steps, in between along half a cosine.
    pub rate_late: f64,
    /// Steps of the fall.
    pub anneal_steps: f64,
    /// One row in so many is kept for training once the memory is full.
    pub keep_every: u64,
    /// No search for a period.
    pub aperiodic: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        let raw = TrackTuning {
            smooth: 5.0,
            seasonal: 0.0,
            squares: false,
            weight: 2.0,
            trusted: 0.0,
            base: 0.0,
            variance: 0.0,
        };
        // Hours and days of a fault are a small part of it: it still says what was usual before, at this
        // time of the period, too.
        let long =
            TrackTuning { weight: 1.0, seasonal: 0.5, base: 12_000.0, variance: 12_000.0, ..raw };
        let error = TrackTuning { seasonal: 0.5, weight: 1.0, ..raw };
        let spread = TrackTuning { squares: true, seasonal: 0.0, weight: 0.01, ..raw };
        let quick = TrackTuning { smooth: 1.0, weight: 0.0, trusted: 1.0, ..error };
        // Longer than a fault lasts: a baseline that follows would learn a slow drift.
        let relation = TrackTuning { smooth: 20.0, base: 4_000.0, ..raw };
        Self {
            warmup: 400,
            first_fit: 400,
            raw: vec![raw, long],
            errors: vec![error, spread, quick],
            relation,
            related_left: 0.03,
            slow_rows: 30_000.0,
            base: 400.0,
            variance: 2_000.0,
            calibration: 4_000.0,
            variance_floor: 0.25,
            early: 0.3,
            early_blocks: 11.0,
            whole: 0.01,
            attr: 2.0,
            attr_hold: 3.0,
            skill: 0.25,
            skill_power: 8.0,
            kappa: 0.8,
            hold: 0.1,
            hold_ranks: 0.05,
            hold_trust: 5.0,
            gate: 3.0,
            gate_weight: 0.1,
            doubt_rows: 20.0,
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
