//! From statistics to evidence: block maxima, how channels are joined, and what the result is worth.

use serde::{Deserialize, Serialize};

use super::Tuning;

/// Rows of a block; the largest value of a block is calibrated, not each row: rows depend on each
/// other, blocks hardly.
pub const BLOCK: u32 = 32;
/// Standard deviation of a Gumbel variable over its scale, inverted; and Euler's constant.
const GUMBEL_SCALE: f64 = 0.7797;
const EULER: f64 = 0.5772;
/// What the spread of block maxima is believed to be before any was seen, and its weight in blocks.
const PRIOR: (f64, f64) = (0.15, 5.0);
const SPREAD_MIN: f64 = 0.05;
/// What the spread is taken times: in the long run less than 1, as some of it is that of faults that
/// were learned; 1.3 at the end of the warm-up, when it is hardly known: `WIDE + FEW.0 / (blocks +
/// FEW.1)`. Chosen by the alerts on calm streams: about half of what is promised.
const WIDE: f64 = 0.93;
const FEW: (f64, f64) = (15.0, 30.0);

/// Blocks that must be known before they say anything.
const BLOCKS_MIN: f64 = 3.0;

/// Mean and spread of the block maxima of one statistic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Blocks {
    mean: f64,
    variance: f64,
    blocks: f64,
    largest: f64,
    rows: u32,
}

impl Blocks {
    pub(super) fn new(unit: f64) -> Self {
        let variance = (unit * PRIOR.0).powi(2);
        Self { mean: 0.0, variance, blocks: 0.0, largest: f64::MIN, rows: 0 }
    }

    /// As if so many blocks were known.
    #[cfg(test)]
    pub(super) fn known(mean: f64, spread: f64, blocks: f64) -> Self {
        Self { mean, variance: spread * spread, blocks, ..Self::new(1.0) }
    }

    /// Mean and spread.
    #[cfg(test)]
    pub(super) fn moments(&self) -> (f64, f64) {
        (self.mean, self.spread())
    }

    fn spread(&self) -> f64 {
        self.variance.sqrt().max(SPREAD_MIN)
    }

    /// Blocks seen.
    pub(super) fn count(&self) -> f64 {
        self.blocks
    }

    /// What is `z` standard deviations above the usual block maximum.
    pub(super) fn at(&self, z: f64) -> f64 {
        self.mean + z * self.spread()
    }

    /// Standard deviations above the usual block maximum.
    pub(super) fn z(&self, x: f64) -> f64 {
        (x - self.mean) / self.spread()
    }

    /// Takes a row's value in; `weight` of the block it ends. Returns the largest of a block that ends.
    pub(super) fn learn(&mut self, x: f64, weight: f64, tuning: &Tuning) -> Option<f64> {
        self.largest = self.largest.max(x);
        self.rows += 1;
        if self.rows < BLOCK {
            return None;
        }
        let ended = self.largest;
        let reach = 3.0 * self.spread();
        let off = self.largest - self.mean;
        let off = if self.blocks < 1.0 { off } else { off.clamp(-reach, reach) };
        let least = 1.0 - 0.5_f64.powf(f64::from(BLOCK) / tuning.calibration);
        let early = if self.blocks < tuning.early_blocks { 1.0 } else { tuning.early };
        let rate = weight * least.max(early / (self.blocks + 1.0));
        let spread_rate = weight * least.max(early / (self.blocks + 1.0 + PRIOR.1));
        if self.blocks >= 1.0 {
            self.variance += spread_rate * (off * off - self.variance);
        }
        self.mean += rate * off;
        self.blocks += weight;
        self.largest = f64::MIN;
        self.rows = 0;
        Some(ended)
    }

    /// Forgets how sure it is: what follows counts like a start with so many blocks, 1 at least.
    pub(super) fn doubt(&mut self, blocks: f64) {
        self.blocks = self.blocks.min(blocks.max(1.0));
        self.largest = f64::MIN;
        self.rows = 0;
    }

    /// `-log10` of the chance that a block of calm rows reaches `x`: Gumbel with the moments of the
    /// block maxima, its spread widened while few blocks are known. 0 before they say anything.
    pub(super) fn surprise(&self, x: f64) -> f64 {
        rarity(self.reduced(x), 1.0)
    }

    /// The same of a single row, a block being as many independent ones: 0 for the least unusual.
    pub(super) fn evidence(&self, x: f64) -> f64 {
        rarity(self.reduced(x), f64::from(BLOCK))
    }

    /// In units of the Gumbel distribution.
    fn reduced(&self, x: f64) -> f64 {
        if self.blocks < BLOCKS_MIN {
            return f64::NEG_INFINITY;
        }
        let wide = self.spread() * (WIDE + FEW.0 / (self.blocks + FEW.1));
        (x - self.mean) / (wide * GUMBEL_SCALE) + EULER
    }
}

/// `-log10` of the chance that a standard Gumbel variable, the largest of `rows` independent ones,
/// lets one of these reach `z`.
fn rarity(z: f64, rows: f64) -> f64 {
    let expected = (-z).exp() / rows;
    let nats = if expected < 1e-3 { z + rows.ln() } else { -(-(-expected).exp_m1()).ln() };
    (nats / std::f64::consts::LN_10).max(0.0)
}

/// `-log10` of the chance of a row where `share` of the blocks show such a one.
pub(super) fn row_rarity(share: f64) -> f64 {
    let row = -((-share).ln_1p() / f64::from(BLOCK)).exp_m1();
    0.0 - row.min(1.0).log10()
}

/// Soft maximum of what the channels say: near the mean when they agree, near the largest when one
/// stands out; in the spirit of the harmonic mean of p-values (Wilson, PNAS 2019).
pub(super) fn join(parts: impl Iterator<Item = (f64, f64)> + Clone, tuning: &Tuning) -> f64 {
    let most = parts.clone().map(|(_, z)| z).fold(f64::MIN, f64::max);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (weight, z) in parts {
        sum += weight * (tuning.kappa * (z - most)).exp();
        weights += weight;
    }
    if weights > 0.0 { most + (sum / weights).ln() / tuning.kappa } else { f64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Of independent exponential rows, whose block maxima are Gumbel: one row in a thousand reaches
    /// evidence 3.
    #[test]
    fn evidence_keeps_its_promise_on_rows_whose_maxima_are_gumbel() {
        let tuning = Tuning::default();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut blocks = Blocks::new(1.0);
        let (mut over, rows) = (0, 400_000);
        for i in 0..rows {
            let x = -(1.0 - rng.r#gen::<f64>()).ln();
            let evidence = blocks.evidence(x);
            over += u32::from(i > 20_000 && evidence >= 3.0);
            blocks.learn(x, 1.0, &tuning);
        }
        let ratio = f64::from(over) / 380.0;
        assert!((0.4..1.5).contains(&ratio), "{ratio} of the promise");
    }

    /// The least unusual row has no evidence, and there is no step on the way.
    #[test]
    fn evidence_begins_at_nothing() {
        let blocks = Blocks::known(0.0, 1.0, 100.0);
        let all: Vec<f64> = (-400..400).map(|i| blocks.evidence(f64::from(i) / 50.0)).collect();
        assert!(all[0] < 0.01 && all.is_sorted(), "{}", all[0]);
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] < 0.02));
        assert!((row_rarity(1.0 / 32.0) - 3.0).abs() < 0.02 && row_rarity(1.0) == 0.0);
        assert_eq!(Blocks::new(1.0).evidence(1e3), 0.0, "nothing is known");
    }

    #[test]
    fn what_is_joined_lies_between_the_mean_and_the_largest() {
        let tuning = Tuning::default();
        for (a, b) in [(0.0, 0.0), (-1.0, 3.0), (2.0, 9.0), (-20.0, 1.0)] {
            let joined = join([(1.0, a), (1.0, b)].into_iter(), &tuning);
            assert!(joined >= 0.5 * (a + b) - 1e-12 && joined <= b + 1e-12, "{joined}");
        }
        assert_eq!(join(std::iter::empty(), &tuning), f64::MIN);
    }
}
