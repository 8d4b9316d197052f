//! The period net: is the shape of the last two periods one that was seen before?

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::calibration::Ratio;
use super::masked::{self, BATCH, Masked, MaskedSpec, log_variance};
use super::spans::Spans;
use super::thin::Thin;
use super::track::Track;
use crate::model::MlpSpace;

/// Points a window: about two periods.
const WINDOW: usize = 64;
/// Points a period.
const POINTS: f64 = 32.0;
/// Points remembered for training.
pub(super) const REPLAY: usize = 8_192;
/// Numbers of newest points hidden when a window is judged.
const DEPTHS: [usize; 4] = [4, 8, 16, 32];
/// Shifts, in points, that a shape may have.
const SHIFT: isize = 2;
/// Records after which a past error counts half.
const HALF_LIFE: f64 = 4_000.0;
/// Records a training step.
const TRAIN_EVERY: u64 = 4;
/// Owed training steps a record.
const OWED_A_RECORD: u32 = 2;
/// Points whose errors are averaged.
const SMOOTH: usize = 4;

pub(super) const SPEC: MaskedSpec = MaskedSpec {
    window: WINDOW,
    context: 1,
    hidden: [48, 16],
    depths: &DEPTHS,
    spread: true,
    average: None,
};

/// Records a point, for a period of `period` records.
pub(super) fn stride(period: usize) -> usize {
    ((period as f64 / POINTS).round() as usize).max(1)
}

/// A masked autoencoder with variances over means of `stride` records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cycle {
    net: Masked,
    #[serde(flatten)]
    thin: Thin,
    points: Track,
    quarantined: Spans,
    ratios: Vec<Ratio>,
    errors: [f64; 2 * DEPTHS.len()],
    judged: Track,
    /// Training steps still owed for what came before the period was found.
    owed: u32,
}

impl Cycle {
    pub(super) fn new(stride: usize, seed: u64) -> Self {
        Self {
            net: Masked::new(&SPEC, seed),
            thin: Thin::new(stride),
            points: Track::new(REPLAY + WINDOW),
            quarantined: Spans::default(),
            ratios: vec![Ratio::new(HALF_LIFE / stride as f64); 2 * DEPTHS.len()],
            errors: [0.0; 2 * DEPTHS.len()],
            judged: Track::new(SMOOTH),
            owed: 0,
        }
    }

    pub(super) fn space(&self) -> MlpSpace {
        self.net.space()
    }

    /// Owes `steps` training steps for the past; judges nothing before they are taken.
    pub(super) fn owe(&mut self, steps: u32) {
        self.owed = steps;
    }

    /// Takes a scaled record (NaN: not observed). Returns whether it completed a point.
    pub(super) fn push(&mut self, x: f32) -> bool {
        let point = self.thin.push(x);
        point.into_iter().for_each(|point| self.points.push(point));
        point.is_some()
    }

    /// Judges the newest window, once a point. 1 is ordinary; `None` while nothing can be said.
    pub(super) fn judge(&mut self, space: &mut MlpSpace) -> Option<f64> {
        self.errors = [0.0; 2 * DEPTHS.len()];
        if self.points.len() < WINDOW || self.owed > 0 {
            return None;
        }
        masked::show(&SPEC, space, self.points.newest(WINDOW), &[0.0], &DEPTHS);
        self.net.tell(space, DEPTHS.len());
        self.compare(space.output(DEPTHS.len()))
    }

    /// Compares the newest window with what was told of it: a row a depth, means and log-variances.
    pub(super) fn compare(&mut self, told: ArrayView2<'_, f32>) -> Option<f64> {
        let window = self.points.newest(WINDOW);
        for (i, (row, depth)) in told.rows().into_iter().zip(DEPTHS).enumerate() {
            let row = row.to_slice()?;
            let hidden = WINDOW - depth..WINDOW;
            let truth = &window[hidden.clone()];
            let spread = &row[WINDOW + WINDOW - depth..];
            self.errors[2 * i] = weighted_error(truth, &row[hidden.clone()], spread);
            self.errors[2 * i + 1] = shifted_error(truth, &row[hidden]);
        }
        let sum: f64 = self.ratios.iter().zip(&self.errors).map(|(ratio, e)| ratio.of(*e)).sum();
        self.judged.push((sum / self.errors.len() as f64) as f32);
        let mean = self.judged.mean(SMOOTH);
        (mean > 0.0).then_some(mean)
    }

    /// Learns what was judged last, or notes that it must not be learned.
    pub(super) fn learn(&mut self, learn: bool) {
        if learn {
            self.ratios.iter_mut().zip(&self.errors).for_each(|(ratio, e)| ratio.learn(*e));
        } else {
            self.quarantined.push(self.points.total() - 1);
        }
    }

    #[cfg(test)]
    pub(super) fn calibration(&self) -> impl Serialize {
        &self.ratios
    }

    /// What was held back is the new normal.
    pub(super) fn accept(&mut self) {
        self.quarantined.clear();
    }

    /// Record number `row` allows a training step, or some owed ones.
    pub(super) fn train(&mut self, space: &mut MlpSpace, row: u64) {
        let steps = match self.owed {
            0 => u32::from(row.is_multiple_of(TRAIN_EVERY)),
            owed => owed.min(OWED_A_RECORD),
        };
        self.owed = self.owed.saturating_sub(steps);
        (0..steps).for_each(|_| self.train_once(space));
    }

    fn train_once(&mut self, space: &mut MlpSpace) {
        let kept = self.points.kept();
        if kept.len() < WINDOW {
            return;
        }
        let ends = kept.len() - WINDOW + 1;
        let first = self.points.total() - kept.len() as u64;
        let mut windows = [0.0_f32; BATCH * WINDOW];
        for (i, window) in windows.chunks_exact_mut(WINDOW).enumerate() {
            let start = if i == 0 { ends - 1 } else { self.net.draw(ends) };
            window.copy_from_slice(&kept[start..start + WINDOW]);
            self.quarantined.hide(first + start as u64, window);
        }
        let context: &[f32] = &[0.0];
        let samples: Vec<(&[f32], &[f32])> =
            windows.chunks_exact(WINDOW).map(|window| (window, context)).collect();
        self.net.train(&SPEC, space, &samples);
    }

    pub(super) fn adopt(self) -> Option<Self> {
        let fresh = Self::new(self.thin.stride().max(1), 0);
        let sound = self.thin.is_sound()
            && self.points.fits(&fresh.points)
            && self.judged.fits(&fresh.judged)
            && self.ratios.len() == fresh.ratios.len()
            && self.quarantined.is_sound();
        sound.then_some(())?;
        Some(Self { net: self.net.adopt(&fresh.net)?, ..self })
    }
}

/// Root mean square of errors in told standard deviations, over what was observed.
fn weighted_error(truth: &[f32], told: &[f32], spread: &[f32]) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for ((t, y), lv) in truth.iter().zip(told).zip(spread).filter(|((t, _), _)| !t.is_nan()) {
        sum += f64::from((t - y).powi(2) * (-log_variance(*lv)).exp());
        n += 1.0;
    }
    if n > 0.0 { (sum / n).sqrt() } else { 0.0 }
}

/// Root mean square of errors after the best shift of what was told.
fn shifted_error(truth: &[f32], told: &[f32]) -> f64 {
    let last = told.len() as isize - 1;
    let at = |shift: isize| {
        let (mut sum, mut n) = (0.0, 0.0);
        for (i, t) in truth.iter().enumerate().filter(|(_, t)| !t.is_nan()) {
            sum += f64::from((t - told[(i as isize + shift).clamp(0, last) as usize]).powi(2));
            n += 1.0;
        }
        if n > 0.0 { sum / n } else { 0.0 }
    };
    (-SHIFT..=SHIFT).map(at).fold(f64::INFINITY, f64::min).sqrt()
}
