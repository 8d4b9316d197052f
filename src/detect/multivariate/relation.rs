//! How sensors go together: is a sensor where the others say it should be?

use linfa_linalg::cholesky::InverseC;
use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::Tuning;
use super::evidence::{BLOCK, Blocks};
use super::scale::Scale;
use super::track::{Learned, QUIET, Track, rate};
use crate::record::raw;

/// Most sensors that are related to each other: the state grows with their square.
pub(super) const WIDEST: usize = 128;
/// Half-lives of the two smoothed forms of a sensor, rows: a sensor may follow another late.
const SMOOTH: [f64; 2] = [5.0, 60.0];
/// Variance that is added to each, in variances of the sensor: what relations are not believed below.
const RIDGE: f64 = 1e-2;
/// Least spread of a residual, standard deviations of the sensor.
const LEAST: f64 = 0.02;
/// Rows from one inversion to the next; of wide rows more, as it costs the cube of them.
const REFIT: f64 = 64.0;
const REFIT_WIDTH: f64 = 64.0;
/// Mean squared distance of a row, in the usual ones, up to which it counts in full, after so many rows.
const REACH: f64 = 9.0;
const REACH_ROWS: f64 = 100.0;
/// Rows that are passed over while the smoothed residuals come in.
const SETTLE: usize = 20;

/// Regression of every sensor on all others, from their second moments over the long memory.
///
/// Each sensor has two smoothed forms. With `Λ` the inverse of their covariance and `B` the block of
/// a sensor, `B⁻¹ (Λ z)_B` is how far its forms are from their regression on those of all other
/// sensors (conditional mean of a normal vector; Lauritzen, "Graphical Models", 1996, appendix C). The
/// own past of the sensor is not looked at, so that a slow drift, or a sensor that stands still while
/// others move, stays visible for as long as it lasts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Relation {
    /// Forms of the newest row, and their means, `(2 p,)`: all fast ones, then all slow ones.
    #[serde(with = "raw::f64s")]
    forms: Vec<f64>,
    #[serde(with = "raw::f64s")]
    mean: Vec<f64>,
    /// `(2 p * 2 p,)`.
    #[serde(with = "raw::f64s")]
    moments: Vec<f64>,
    rows: f64,
    /// Rows until the next inversion.
    due: u32,
    /// Inverse of the moments, empty before the first.
    #[serde(with = "raw::f64s")]
    inverse: Vec<f64>,
}

impl Relation {
    pub(super) fn new(p: usize) -> Self {
        let k = 2 * p;
        Self {
            forms: vec![0.0; k],
            mean: vec![0.0; k],
            moments: vec![0.0; k * k],
            rows: 0.0,
            due: 0,
            inverse: Vec::new(),
        }
    }

    pub(super) fn fits(&self, p: usize) -> bool {
        let k = 2 * p;
        self.forms.len() == k
            && self.mean.len() == k
            && self.moments.len() == k * k
            && (self.inverse.is_empty() || self.inverse.len() == k * k)
    }

    /// Takes the newest row in standard deviations, NaN where missing.
    pub(super) fn see(&mut self, row: &[f64]) {
        let (fast, slow) = self.forms.split_at_mut(row.len());
        for (forms, half_life) in [fast, slow].into_iter().zip(SMOOTH) {
            let a = rate(half_life);
            for (form, x) in forms.iter_mut().zip(row).filter(|(_, x)| !x.is_nan()) {
                *form += a * (x - *form);
            }
        }
    }

    /// How much nearer, as its root, the row would be to its usual place without each sensor, `(p,)`.
    ///
    /// With one sensor at fault none has more: the distance `u' B⁻¹ u`, `u = (Λ z)_B`, of another is at
    /// most that of its own (Schur complement), however much of the fault the others' residuals carry.
    fn without(&self) -> Vec<f64> {
        let mut nearer = vec![0.0; self.forms.len() / 2];
        self.each(|j, [a, b, d, u, v]| {
            let distance = (d * u * u - 2.0 * b * u * v + a * v * v) / (a * d - b * b).max(1e-12);
            nearer[j] = distance.max(0.0).sqrt();
        });
        nearer
    }

    /// How far each sensor is from where the others say, `(p,)`, standard deviations of the sensor.
    pub(super) fn residual(&self, residual: &mut Vec<f64>) {
        residual.clear();
        residual.resize(self.forms.len() / 2, 0.0);
        self.each(|j, [a, b, d, u, v]| {
            residual[j] = (d * u - b * v) / (a * d - b * b).max(1e-12);
        });
    }

    /// Tells of each sensor the block `[[a, b], [b, d]]` of `Λ` and `(u, v) = (Λ z)_B`; nothing
    /// before the first inversion.
    fn each(&self, mut tell: impl FnMut(usize, [f64; 5])) {
        if self.inverse.is_empty() {
            return;
        }
        let p = self.forms.len() / 2;
        let off = Array1::from_iter(self.forms.iter().zip(&self.mean).map(|(z, m)| z - m));
        let at = |i: usize, j: usize| self.inverse[i * 2 * p + j];
        let row = |i: usize| ArrayView1::from(&self.inverse[i * 2 * p..][..2 * p]).dot(&off);
        for j in 0..p {
            tell(j, [at(j, j), at(j, p + j), at(p + j, p + j), row(j), row(p + j)]);
        }
    }

    /// Learns the newest row with `weight` in 0 to 1.
    pub(super) fn learn(&mut self, weight: f64, tuning: &Tuning) {
        let k = self.forms.len();
        let off: Vec<f64> = self.forms.iter().zip(&self.mean).map(|(z, m)| z - m).collect();
        let known = |i: usize| self.moments[i * k + i] + RIDGE;
        let far = off.iter().enumerate().map(|(i, x)| x * x / known(i)).sum::<f64>() / k as f64;
        let far = if self.rows < REACH_ROWS { 0.0 } else { far };
        let weight = weight * (REACH / far.max(REACH));
        self.rows += weight;
        let rate = weight * (1.0 / self.rows.max(1.0)).max(1.0 / tuning.slow_rows);
        self.mean.iter_mut().zip(&off).for_each(|(mean, off)| *mean += rate * off);
        for (row, a) in self.moments.chunks_exact_mut(k).zip(&off) {
            row.iter_mut().zip(&off).for_each(|(c, b)| *c += rate * (a * b - *c));
        }
        self.due = self.due.saturating_sub(1);
        if self.due == 0 {
            self.refit();
        }
    }

    /// Inverts the moments; what was known stays if that is not possible.
    pub(super) fn refit(&mut self) {
        let k = self.forms.len();
        let wide = (k as f64 / REFIT_WIDTH).max(1.0);
        self.due = (REFIT * wide.powi(2)) as u32;
        let mut moments = Array2::from_shape_fn((k, k), |(i, j)| self.moments[i * k + j]);
        moments.diag_mut().iter_mut().for_each(|c| *c += RIDGE);
        if let Ok(inverse) = moments.invc() {
            self.inverse = inverse.iter().copied().collect();
        }
    }
}

/// How rare the residuals are, as a statistic of its own.
///
/// It has a say where the others say most of what a sensor does. There it sees for as long as it
/// lasts what the tracked statistics, which look back, lose sight of: they follow a slow drift.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Related {
    relation: Relation,
    scale: Scale,
    track: Track,
    blocks: Blocks,
    #[serde(skip)]
    residual: Vec<f64>,
    #[serde(skip)]
    score: f64,
}

impl Related {
    /// From the first rows in standard deviations, `(n * p,)`: relations from the first half of
    /// them, residuals from the second. Of a sensor that has not moved nothing is known of what the
    /// others say of it.
    pub(super) fn fit(rows: &[f64], p: usize, tuning: &Tuning) -> Self {
        let mut relation = Relation::new(p);
        let half = rows.len() / p.max(1) / 2;
        let (mut all, mut residual) = (Vec::new(), Vec::new());
        for (i, row) in rows.chunks_exact(p).enumerate() {
            relation.see(row);
            if i == half {
                relation.refit();
            }
            if i >= half {
                relation.residual(&mut residual);
                all.extend_from_slice(&residual);
            }
            relation.learn(1.0, tuning);
        }
        let mut scale = Scale::fit_errors(&all, p, LEAST);
        let still = |j: &usize| rows.iter().skip(*j).step_by(p).all(|x| *x == 0.0 || x.is_nan());
        (0..p).filter(still).for_each(|j| scale.assume(j, 1.0));
        let known = (all.len() / p.max(1)) as f64;
        let track = Track::new(tuning.relation, &scale, p, known);
        let mut related =
            Self { relation, scale, track, blocks: Blocks::new(1.0), residual, score: 0.0 };
        related.calibrate(&all, p, tuning);
        related
    }

    fn calibrate(&mut self, residuals: &[f64], p: usize, tuning: &Tuning) {
        let mut signals = Vec::new();
        let clipped: Vec<f64> =
            residuals.iter().enumerate().map(|(i, x)| self.scale.clip(i % p, *x)).collect();
        for (i, row) in clipped.chunks_exact(p).enumerate() {
            self.track.push(row);
            if i >= SETTLE {
                signals.extend_from_slice(self.track.signal());
            }
        }
        self.track.fit(&signals);
        self.track.rest();
        let seen = vec![true; p];
        for (i, row) in clipped.chunks_exact(p).enumerate() {
            self.track.push(row);
            self.score(&seen);
            if i >= SETTLE {
                self.blocks.learn(self.score, 1.0, tuning);
            }
        }
    }

    pub(super) fn fits(&self, p: usize) -> bool {
        self.relation.fits(p) && self.scale.fits(p) && self.track.fits(p)
    }

    /// Takes the newest row in standard deviations, NaN where missing; `still` where nothing is to be
    /// learned of how a sensor goes with others.
    pub(super) fn see(&mut self, standard: &[f64], still: impl Fn(usize) -> bool) {
        let Self { relation, scale, track, residual, .. } = self;
        relation.see(standard);
        relation.residual(residual);
        for ((j, r), x) in residual.iter_mut().enumerate().zip(standard) {
            *r = if x.is_nan() || still(j) { f64::NAN } else { scale.clip(j, *r) };
        }
        track.push(residual);
    }

    /// Judges the newest row.
    pub(super) fn score(&mut self, seen: &[bool]) {
        self.score = self.track.score(&self.scale, seen, None).max(QUIET);
    }

    /// Learns the newest row with `weight` in 0 to 1, after it was judged.
    pub(super) fn learn(&mut self, seen: &[bool], weight: f64, tuning: &Tuning) {
        self.relation.learn(weight, tuning);
        self.track.learn(&self.scale, Learned { seen, weight, bin: None }, tuning);
        self.scale.learn(&self.residual, weight, tuning);
        self.blocks.learn(self.score, weight, tuning);
    }

    /// `-log10` of the chance that a block of calm rows gets where the newest row is.
    pub(super) fn surprise(&self) -> f64 {
        self.blocks.surprise(self.score)
    }

    /// The same of a single row.
    pub(super) fn evidence(&self) -> f64 {
        self.blocks.evidence(self.score)
    }

    /// Mean share of the variance of the sensors that moved and were `seen` which the others leave
    /// open, 0 to 1.
    pub(super) fn left(&self, seen: impl Iterator<Item = usize>) -> f64 {
        let left = seen.map(|j| self.scale.sd(j).powi(2).min(1.0));
        let (n, sum) = left.fold((0.0, 0.0), |(n, sum), left| (n + 1.0, sum + left));
        if n > 0.0 { sum / n } else { 1.0 }
    }

    /// How unusual each sensor makes the newest row, `(p,)`, in usual deviations.
    pub(super) fn unusual(&self) -> Vec<f64> {
        self.relation.without()
    }

    /// Sensor `j` showed up late and is known now: nothing is known of what the others say of it.
    pub(super) fn start(&mut self, j: usize) {
        self.scale.assume(j, 1.0);
        self.track.start(j, &self.scale);
    }

    /// Learns faster from now on, as if it knew `rows` rows only.
    pub(super) fn doubt(&mut self, rows: f64) {
        self.track.doubt(rows);
        self.blocks.doubt(rows / f64::from(BLOCK));
    }

    /// What is, is normal.
    pub(super) fn rebase(&mut self, rows: f64) {
        self.track.rebase(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linfa_linalg::cholesky::SolveC;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Two sensors that follow one hidden value, a third on its own; `n` rows.
    fn rows(n: usize, seed: u64) -> Vec<[f64; 3]> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut hidden = 0.0;
        let mut row = |_| {
            hidden = 0.95 * hidden + 0.3 * normal();
            [hidden + 0.1 * normal(), -hidden + 0.1 * normal(), normal()]
        };
        (0..n).map(&mut row).collect()
    }

    fn learned(rows: &[[f64; 3]]) -> Relation {
        let mut relation = Relation::new(3);
        for row in rows {
            relation.see(row);
            relation.learn(1.0, &Tuning::default());
        }
        relation.refit();
        relation
    }

    /// The residual of a sensor is that of the ridge regression on the four forms of the two others.
    #[test]
    fn residuals_are_those_of_a_ridge_regression() {
        let rows = rows(4_000, 1);
        let known = learned(&rows);
        let at = |i: usize, j: usize| known.moments[6 * i + j] + if i == j { RIDGE } else { 0.0 };
        let off: Vec<f64> = known.forms.iter().zip(&known.mean).map(|(z, m)| z - m).collect();
        let mut residual = Vec::new();
        known.residual(&mut residual);
        for (j, others) in [[1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 3, 4]].iter().enumerate() {
            let mut among = Array2::from_shape_fn((4, 4), |(a, b)| at(others[a], others[b]));
            let with = Array2::from_shape_fn((4, 1), |(a, _)| at(others[a], j));
            let slopes = among.solvec(&with).expect("positive definite");
            let said: f64 = others.iter().zip(&slopes).map(|(k, slope)| off[*k] * slope).sum();
            assert!((residual[j] - (off[j] - said)).abs() < 1e-9, "{j}");
        }
    }

    /// However sensors go together: what one does alone is never another's.
    #[test]
    fn a_fault_of_one_sensor_is_blamed_on_it() {
        for seed in 0..20 {
            for at in 0..3 {
                let mut known = learned(&rows(1_000, seed));
                // From the usual place, so that nothing else is unusual.
                known.forms.clone_from(&known.mean);
                let mut row: Vec<f64> = known.mean[..3].to_vec();
                row[at] += 4.0;
                known.see(&row);
                let nearer = known.without();
                let most = (0..3).max_by(|a, b| nearer[*a].total_cmp(&nearer[*b]));
                assert_eq!(most, Some(at), "{nearer:?}");
            }
        }
    }

    #[test]
    fn a_sensor_that_stands_still_stays_visible_and_others_do_not() {
        let rows = rows(5_000, 2);
        let flat: Vec<f64> = rows[..400].iter().flatten().copied().collect();
        let tuning = Tuning::default();
        let mut related = Related::fit(&flat, 3, &tuning);
        let seen = [true; 3];
        let (mut calm, mut still) = (0, 0);
        for (i, row) in rows.iter().enumerate().skip(400) {
            let stuck = i >= 4_000;
            let row = if stuck { [2.0, row[1], row[2]] } else { *row };
            related.see(&row, |_| false);
            related.score(&seen);
            let over = related.surprise() > 2.5;
            if stuck {
                still += u32::from(over)
            } else {
                calm += u32::from(over)
            }
            related.learn(&seen, if stuck { 0.0 } else { 1.0 }, &tuning);
        }
        assert!(calm < 40, "{calm} of 3,600 calm rows");
        assert!(still > 400, "{still} of 1,000 rows at fault");
    }
}
