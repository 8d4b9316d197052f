//! Principal components instead of a network: the same windows, calibration and alerts, fitted again and
//! again to the newest windows.

use std::collections::VecDeque;

use latentd::alert::{AlertState, Observation, Threshold};
use latentd::detect::{Residuals, Tail};
use latentd::engine::StreamSpec;
use latentd::model::{Scaler, principal_axes};
use latentd::record::{AlertKind, EventTime};
use ndarray::{Array1, Array2, Axis};

/// Windows from one fit to the next.
pub const FIT_EVERY: usize = 256;

/// Mean `(d,)` and at most `k` axes `(k, d)` of the newest windows.
pub struct Pca {
    memory: VecDeque<Array1<f64>>,
    most: usize,
    k: usize,
    pub mean: Array1<f64>,
    pub axes: Array2<f64>,
}

impl Pca {
    pub fn new(cells: usize, k: usize, most: usize) -> Self {
        let (mean, axes) = (Array1::zeros(cells), Array2::zeros((0, cells)));
        Self { memory: VecDeque::new(), most, k, mean, axes }
    }

    pub fn learn(&mut self, window: Array1<f64>) {
        if self.memory.len() == self.most {
            self.memory.pop_front();
        }
        self.memory.push_back(window);
    }

    pub fn fit(&mut self) {
        let mut rows = Array2::zeros((self.memory.len(), self.mean.len()));
        rows.rows_mut().into_iter().zip(&self.memory).for_each(|(mut row, w)| row.assign(w));
        let Some(mean) = rows.mean_axis(Axis(0)) else { return };
        rows -= &mean;
        if let Some(mut axes) = principal_axes(&rows, self.k) {
            // An axis has no sign of its own: codes go on as they were.
            for (mut axis, before) in axes.rows_mut().into_iter().zip(self.axes.rows()) {
                if axis.dot(&before) < 0.0 {
                    axis *= -1.0;
                }
            }
            (self.mean, self.axes) = (mean, axes);
        }
    }

    /// Codes `(n, _)` of windows `(n, d)`.
    pub fn codes(&self, windows: &Array2<f64>) -> Array2<f64> {
        (windows - &self.mean).dot(&self.axes.t())
    }

    pub fn reconstruct(&self, codes: &Array2<f64>) -> Array2<f64> {
        codes.dot(&self.axes) + &self.mean
    }
}

/// What was said of a row.
pub struct Said {
    pub score: f64,
    pub raised: bool,
    /// Of the window that ends with it; the coordinates are those of the fit of then.
    pub code: Vec<f64>,
}

/// One pass over rows: scored by what is known of the past, then learned, unless an alert is open.
/// Nothing is said of rows before the first whole window.
pub fn run(spec: &StreamSpec, rows: &[(Vec<f64>, bool)]) -> Vec<Said> {
    let (shape, k) = (spec.shape(), spec.model.latent);
    let mut pca = Pca::new(shape.cells(), k, spec.model.reservoir);
    let mut scaler = Scaler::new(shape.channels);
    let mut residuals = Residuals::new(shape.channels);
    let tail = Tail::new(spec.alert.tail.get(), spec.alert.memory.get());
    let mut tails = [tail.clone(), tail];
    let (mut threshold, mut alert) = (Threshold::new(spec.rows.step), AlertState::default());
    let life = spec.alert.life(AlertKind::Anomaly);
    let mut ring: VecDeque<Vec<f32>> = VecDeque::new();
    let (mut said, mut windows) = (Vec::new(), 0);
    for (i, (values, _)) in rows.iter().enumerate() {
        let time = EventTime::from_millis(1_000 * i as i64);
        ring.push_back(values.iter().enumerate().map(|(c, v)| scaler.scale(c, *v)).collect());
        threshold.observe(&spec.alert.allowance(), time);
        if ring.len() < shape.rows {
            scaler.learn(values);
            continue;
        }
        let x: Array1<f32> = ring.iter().flatten().copied().collect();
        ring.pop_front();
        windows += 1;
        let whole = x.mapv(|x| if x.is_nan() { 0.0 } else { f64::from(x) });
        let code = pca.codes(&whole.clone().insert_axis(Axis(0)));
        let xhat = pca.reconstruct(&code).mapv(|v| v as f32).remove_axis(Axis(0));
        let errors = residuals.errors(x.view(), xhat.view(), None);
        let p = errors.iter().zip(&tails).map(|(e, tail)| tail.p_value(*e)).fold(1.0, f64::min);
        let level = threshold.level(&spec.alert.allowance());
        let live = windows > u64::from(spec.model.warmup);
        let surprise = if live { 0.0 - (2.0 * p).min(1.0).log10() } else { 0.0 };
        let anomaly_score = surprise / level;
        let (strength, news) = (anomaly_score, 0.0);
        let (eligible, muted, settles) = (true, false, true);
        let row = Observation {
            anomaly_score,
            strength,
            eligible,
            time,
            muted,
            settles,
            news,
            news_strength: news,
        };
        let was_open = alert.episode().is_some();
        if live {
            alert.step(&life, row);
        }
        let raised = !was_open && alert.firing().is_some();
        if raised {
            threshold.spend(&spec.alert.allowance(), level, 0.0);
        }
        let mut code: Vec<f64> = code.iter().copied().collect();
        code.resize(k, 0.0);
        said.push(Said { score: anomaly_score, raised, code });
        if alert.episode().is_some() {
            continue;
        }
        if 2 * windows > u64::from(spec.model.warmup) {
            tails.iter_mut().zip(errors).for_each(|(tail, e)| tail.learn(e));
        }
        let newest = shape.cells() - shape.channels;
        let newest = |all: &Array1<f32>| all.iter().skip(newest).copied().collect::<Vec<f32>>();
        residuals.learn(&newest(&x), &newest(&xhat));
        scaler.learn(values);
        pca.learn(whole);
        if windows == 64 || windows.is_multiple_of(FIT_EVERY as u64) {
            pca.fit();
        }
    }
    said
}
