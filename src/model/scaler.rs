//! Causal standardisation of the channels of one series.

use serde::{Deserialize, Serialize};

/// Slowest rate of change: after this many rows the past fades instead of averaging for ever.
const MEMORY_ROWS: f64 = 20_000.0;

/// Standard deviations are cut here before `asinh`, and in what is learned.
const CLIP: f64 = 10.0;

/// Rows after which a channel's spread is known well enough to cut by it.
const KNOWN: u32 = 30;

/// Running mean and variance per channel.
///
/// `scale` uses what was known *before* the value (test, then train); `learn` then takes the
/// value in with rate `max(1 / n, 1 / 20000)`, from row 30 on as at most ten deviations off, as it is
/// scaled: one absurd reading must not make all others look alike. The scaled value is `asinh(z)`, `z` in standard
/// deviations cut to ±10: linear near the mean, logarithmic for spikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    channels: Vec<Moments>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Moments {
    count: u32,
    mean: f64,
    variance: f64,
}

impl Scaler {
    /// Nothing known about `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { channels: vec![Moments::default(); channels] }
    }

    /// These moments, if they are those of as many channels as `fresh` has.
    pub fn adopt(self, fresh: &Self) -> Option<Self> {
        (self.channels.len() == fresh.channels.len()).then_some(self)
    }

    /// The scaled value of channel `c`; NaN stays NaN.
    pub fn scale(&self, c: usize, value: f64) -> f32 {
        let Moments { count, mean, variance } = self.channels[c];
        if value.is_nan() || count == 0 {
            return if value.is_nan() { f32::NAN } else { 0.0 };
        }
        let deviation = variance.sqrt();
        let z = if deviation > 0.0 {
            ((value - mean) / deviation).clamp(-CLIP, CLIP)
        } else if value == mean {
            0.0
        } else {
            CLIP.copysign(value - mean)
        };
        z.asinh() as f32
    }

    /// The value in the channel's own unit behind a scaled one; the inverse of [`Scaler::scale`].
    pub fn unscale(&self, c: usize, scaled: f32) -> f64 {
        let Moments { mean, variance, .. } = self.channels[c];
        mean + variance.sqrt() * f64::from(scaled).clamp(-8.0, 8.0).sinh()
    }

    /// Takes a row into the statistics; missing values leave their channel as it is.
    pub fn learn(&mut self, values: &[f64]) {
        for (channel, &value) in self.channels.iter_mut().zip(values) {
            if value.is_nan() {
                continue;
            }
            channel.count = channel.count.saturating_add(1);
            let rate = (1.0 / f64::from(channel.count)).max(1.0 / MEMORY_ROWS);
            let far = CLIP * channel.variance.sqrt();
            let mut step = value - channel.mean;
            if channel.count > KNOWN && far > 0.0 {
                // Not `clamp`: it panics where a variance near the end of f64 has made a bound NaN.
                step = step.max(-far).min(far);
            }
            let mean = channel.mean + rate * step;
            let variance = (1.0 - rate) * (channel.variance + rate * step * step);
            // Squares of values near the end of f64's range overflow: such a value is left out.
            if mean.is_finite() && variance.is_finite() {
                (channel.mean, channel.variance) = (mean, variance);
            }
        }
    }

    /// Starts over: the next rows count as the first ones. For an accepted new normal.
    pub fn restart(&mut self) {
        self.channels.iter_mut().for_each(|channel| channel.count = channel.count.min(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_past_and_the_inverse_comes_back() {
        let mut scaler = Scaler::new(2);
        for i in 0..100 {
            scaler.learn(&[f64::from(i % 4), f64::NAN]);
        }
        // Mean 1.5, variance 1.25 of 0, 1, 2, 3.
        let expected = ((3.0_f64 - 1.5) / 1.25_f64.sqrt()).asinh();
        assert!((f64::from(scaler.scale(0, 3.0)) - expected).abs() < 1e-6);
        assert!((scaler.unscale(0, scaler.scale(0, 2.7)) - 2.7).abs() < 1e-6);
        assert!(scaler.scale(0, f64::NAN).is_nan());
        assert_eq!(scaler.scale(1, 5.0), 0.0, "nothing known yet");
    }

    #[test]
    fn a_constant_channel_is_calm_until_it_moves() {
        let mut scaler = Scaler::new(1);
        (0..50).for_each(|_| scaler.learn(&[4.0]));
        assert_eq!(scaler.scale(0, 4.0), 0.0);
        assert_eq!(scaler.scale(0, 4.1), 10.0_f64.asinh() as f32);
    }

    /// A glitch must not hide what comes after it, and a new level must be learned all the same.
    #[test]
    fn a_glitch_hides_nothing_and_a_new_level_is_learned() {
        let mut scaler = Scaler::new(1);
        let wave = |i: i32| f64::from(i % 7) - 3.0;
        (0..100).for_each(|i| scaler.learn(&[wave(i)]));
        let before = scaler.scale(0, 15.0);
        scaler.learn(&[-9_999.0]);
        (0..100).for_each(|i| scaler.learn(&[wave(i)]));
        let after = scaler.scale(0, 15.0);
        assert!(after > 0.8 * before, "{after} was {before}");
        (0..300).for_each(|i| scaler.learn(&[1e4 + wave(i)]));
        assert!(scaler.scale(0, 1e4).abs() < 1.5, "{}", scaler.scale(0, 1e4));
    }

    #[test]
    fn an_absurd_value_leaves_the_statistics_finite() {
        let mut scaler = Scaler::new(1);
        (0..9).for_each(|i| scaler.learn(&[f64::from(i)]));
        scaler.learn(&[f64::MAX]);
        assert!(scaler.scale(0, 3.0).is_finite());
        assert!(scaler.scale(0, f64::MAX).is_finite());
    }
}
