//! Prediction intervals that keep their promise online.

use serde::{Deserialize, Serialize};

/// Step of the quantile tracker, in units of the quantile.
const STEP: f64 = 0.02;

/// Lower and upper residual quantile of one horizon for each coverage level.
///
/// Residuals are divided by the running mean absolute residual, then each quantile moves by
/// `0.02 (τ − [z < q]) max(1, |q|)` (online subgradient of the pinball loss; Gibbs and Candès,
/// "Adaptive Conformal Inference", 2021, track coverage the same way).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bands {
    levels: Vec<Level>,
    scale: f64,
    rate: f64,
    count: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Level {
    level: f64,
    lower: f64,
    upper: f64,
    covered: f64,
}

impl Bands {
    /// For ascending coverage levels; residual sizes are averaged over `memory` rows.
    pub(super) fn new(levels: impl Iterator<Item = f64>, memory: f64) -> Self {
        let levels = levels.map(|level| {
            let reach = 1.25 * normal_quantile(0.5 + 0.5 * level);
            Level { level, lower: -reach, upper: reach, covered: level }
        });
        Self { levels: levels.collect(), scale: 0.0, rate: 1.0 / memory, count: 0 }
    }

    /// These quantiles under the settings of `fresh`; `None` if they are of other levels.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let levels = |bands: &Self| bands.levels.iter().map(|l| l.level).collect::<Vec<f64>>();
        (levels(&self) == levels(fresh)).then_some(Self { rate: fresh.rate, ..self })
    }

    /// Offsets from the point forecast: `(level, lower <= 0, upper >= 0)`, each containing the
    /// one before.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let (mut lower, mut upper) = (0.0_f64, 0.0_f64);
        self.levels.iter().map(move |band| {
            lower = lower.min(band.lower);
            upper = upper.max(band.upper);
            (band.level, lower * self.scale, upper * self.scale)
        })
    }

    /// Takes the residual (observed minus forecast) of a forecast that can now be checked.
    /// `covered` says for each level whether the published interval held it.
    pub(super) fn learn(&mut self, residual: f64, covered: impl Iterator<Item = bool>) {
        if self.count > 0 {
            let z = residual / self.scale.max(f64::MIN_POSITIVE);
            for band in &mut self.levels {
                let tail = 0.5 * (1.0 - band.level);
                track(&mut band.lower, tail, z);
                track(&mut band.upper, 1.0 - tail, z);
            }
        }
        self.count += 1;
        let rate = self.rate.max(1.0 / self.count as f64);
        self.scale += rate * (residual.abs() - self.scale);
        for (band, inside) in self.levels.iter_mut().zip(covered) {
            band.covered += rate * (f64::from(u8::from(inside)) - band.covered);
        }
    }

    /// Realised coverage per level, `(level, coverage)`.
    pub(super) fn coverage(&self) -> impl Iterator<Item = (f64, f64)> {
        self.levels.iter().map(|band| (band.level, band.covered))
    }

    pub(super) fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.levels.len() * size_of::<Level>()
    }
}

fn track(quantile: &mut f64, tau: f64, z: f64) {
    let below = f64::from(u8::from(z < *quantile));
    *quantile += STEP * (tau - below) * quantile.abs().max(1.0);
}

/// Quantile of the standard normal for `0.5 < p < 1`, within 4.5e-4 (Abramowitz and Stegun,
/// 26.2.23); only a starting point.
fn normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let bottom = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - top / bottom
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp1};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn coverage_holds_on_skewed_noise_that_changes_its_size() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        let mut bands = Bands::new([0.8, 0.95].into_iter(), 300.0);
        let (mut hits, mut checked) = ([0_u32; 2], 0);
        for i in 0..40_000 {
            let size = if i < 20_000 { 1.0 } else { 5.0 };
            let noise: f64 = Exp1.sample(&mut rng);
            let residual = size * (noise - 1.0);
            let inside: Vec<bool> =
                bands.offsets().map(|(_, lo, up)| lo <= residual && residual <= up).collect();
            if i > 1_000 {
                checked += 1;
                inside.iter().zip(&mut hits).for_each(|(i, n)| *n += u32::from(*i));
            }
            bands.learn(residual, inside.into_iter());
        }
        let [c80, c95] = hits.map(|n| f64::from(n) / f64::from(checked));
        assert!((0.78..0.82).contains(&c80), "{c80}");
        assert!((0.935..0.965).contains(&c95), "{c95}");
    }

    #[test]
    fn bands_never_cross() {
        let mut bands = Bands::new([0.5, 0.8, 0.95].into_iter(), 50.0);
        for i in 0..2_000_i32 {
            bands.learn(f64::from(i.rem_euclid(7) - 2), [true; 3].into_iter());
            let offsets: Vec<_> = bands.offsets().collect();
            assert!(offsets.windows(2).all(|w| w[1].1 <= w[0].1 && w[0].2 <= w[1].2));
            assert!(offsets.iter().all(|(_, lo, up)| *lo <= 0.0 && 0.0 <= *up));
        }
    }
}
