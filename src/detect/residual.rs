//! Residuals per channel: their usual size, and each channel's part in an error.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Rows over which the usual size of a residual is averaged.
const MEMORY_ROWS: f32 = 2_000.0;
/// Smallest usual size, in scaled units: keeps a constant channel from dividing by nothing.
const SCALE_MIN: f32 = 1e-3;
/// 99 % of a normal residual lies within this many mean absolute deviations.
const BAND: f32 = 3.23;

/// The usual absolute residual of each channel, in scaled units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Residuals {
    #[serde(with = "raw::f32s")]
    scales: Vec<f32>,
    rows: u32,
}

/// What one channel contributes to the error of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelResidual {
    /// Reconstruction of the newest row, scaled units.
    pub xhat: f32,
    /// Half-width of the expected band around it, scaled units.
    pub band: f32,
    /// Residual of the newest row over its usual size; 0 if missing.
    pub ratio: f32,
    /// Part in the window's error, 0 to 1; parts of a window sum to 1.
    pub share: f32,
}

impl Residuals {
    /// Nothing known about `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { scales: vec![0.0; channels], rows: 0 }
    }

    /// These sizes, if they are those of as many channels as `fresh` has.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        (self.scales.len() == fresh.scales.len()).then_some(self)
    }

    /// The two errors of a window that are calibrated: its root mean squared residual over
    /// observed cells (slow faults), and the largest residual of the newest row over its
    /// channel's usual size (sharp ones).
    ///
    /// `x` and `xhat` are `(length * channels,)`, oldest row first, NaN in `x` where missing. If
    /// `xhat` is the mean of several reconstructions, `spread` is their variance: the errors are
    /// then the expected ones.
    pub fn errors(
        &self,
        x: ArrayView1<'_, f32>,
        xhat: ArrayView1<'_, f32>,
        spread: Option<ArrayView1<'_, f32>>,
    ) -> [f64; 2] {
        let spread = |i: usize| spread.map_or(0.0, |spread| spread[i]);
        let (mut sum, mut observed) = (0.0_f32, 0_u32);
        for (i, (x, xhat)) in x.iter().zip(xhat).enumerate() {
            let residual = xhat - x;
            if !residual.is_nan() {
                sum += residual * residual + spread(i);
                observed += 1;
            }
        }
        let window = (sum / observed.max(1) as f32).sqrt();
        let channels = self.scales.len();
        let newest = (x.len() - channels..x.len())
            .map(|i| {
                let scale = self.scales[i + channels - x.len()];
                let size = ratio(x[i], xhat[i], scale).abs();
                let noise =
                    if x[i].is_nan() { 0.0 } else { spread(i).sqrt() / scale.max(SCALE_MIN) };
                if noise > 0.0 { size.hypot(noise) } else { size }
            })
            .fold(0.0, f32::max);
        [f64::from(window), f64::from(newest)]
    }

    /// Each channel's part in the error, in channel order.
    pub fn explain(
        &self,
        x: ArrayView1<'_, f32>,
        xhat: ArrayView1<'_, f32>,
    ) -> impl Iterator<Item = ChannelResidual> {
        let channels = self.scales.len();
        let mut parts = vec![0.0_f32; channels];
        for (i, (x_i, xhat_i)) in x.iter().zip(xhat).enumerate() {
            // The newest row counts as much as all rows before it together.
            let weight = if i + channels >= x.len() { (x.len() / channels) as f32 } else { 1.0 };
            let c = i % channels;
            parts[c] += weight * ratio(*x_i, *xhat_i, self.scales[c]).powi(2);
        }
        let sum: f32 = parts.iter().sum();
        let newest = x.len() - channels;
        (0..channels).map(move |c| ChannelResidual {
            xhat: xhat[newest + c],
            band: BAND * self.scales[c].max(SCALE_MIN),
            ratio: ratio(x[newest + c], xhat[newest + c], self.scales[c]),
            share: if sum > 0.0 { parts[c] / sum } else { 1.0 / channels as f32 },
        })
    }

    /// Takes the newest row of a window and its reconstruction, one value a channel, into the usual
    /// sizes.
    pub fn learn(&mut self, x: &[f32], xhat: &[f32]) {
        self.rows = self.rows.saturating_add(1);
        let rate = (1.0 / self.rows as f32).max(1.0 / MEMORY_ROWS);
        for ((scale, x), xhat) in self.scales.iter_mut().zip(x).zip(xhat) {
            let size = (x - xhat).abs();
            if !size.is_nan() {
                // A single spike must not widen the band it will be judged by.
                let bounded =
                    if self.rows > 20 { size.min(5.0 * *scale + SCALE_MIN) } else { size };
                *scale += rate * (bounded - *scale);
            }
        }
    }

    /// Starts over, for an accepted new normal.
    pub fn restart(&mut self) {
        self.rows = 0;
    }
}

/// Signed residual (observed minus expected) over its usual size; 0 if missing.
fn ratio(x: f32, xhat: f32, scale: f32) -> f32 {
    if x.is_nan() { 0.0 } else { (x - xhat) / scale.max(SCALE_MIN) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn the_channel_that_left_its_band_has_the_largest_share() {
        let mut residuals = Residuals::new(2);
        let xhat = Array1::zeros(4);
        for i in 0..200 {
            let size = if i % 2 == 0 { 0.1 } else { -0.1 };
            residuals.learn(&[size, 5.0 * size], &[0.0, 0.0]);
        }
        let x = array![0.1, 0.5, 1.0, 0.5];
        let parts: Vec<_> = residuals.explain(x.view(), xhat.view()).collect();
        assert!(parts[0].share > 0.9, "{parts:?}");
        assert!((parts[0].ratio - 10.0).abs() < 0.1 && (parts[1].ratio - 1.0).abs() < 0.01);
        assert!((parts.iter().map(|part| part.share).sum::<f32>() - 1.0).abs() < 1e-6);
        let [window, newest] = residuals.errors(x.view(), xhat.view(), None);
        assert!((newest - 10.0).abs() < 0.1);
        assert!((window - (1.51_f64 / 4.0).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn missing_cells_have_no_part() {
        let residuals = Residuals::new(1);
        let x = array![f32::NAN, f32::NAN];
        let xhat = array![3.0, 3.0];
        assert_eq!(residuals.errors(x.view(), xhat.view(), None), [0.0, 0.0]);
    }
}
