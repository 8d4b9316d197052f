//! How sensors go together: is a sensor where the others say it should be?

use linfa_linalg::cholesky::InverseC;
use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::Tuning;
use super::track::rate;
use crate::record::raw;

/// Most sensors that are related to each other: the state grows with their square.
pub(super) const WIDEST: usize = 128;
/// Half-lives of the two smoothed forms of a sensor, rows: a sensor may follow another late.
const SMOOTH: [f64; 2] = [5.0, 60.0];
/// Variance that is added to each, in variances of the sensor: what relations are not believed below.
const RIDGE: f64 = 1e-2;
/// Rows from one inversion to the next; of wide rows more, as it costs the cube of them.
const REFIT: f64 = 64.0;
const REFIT_WIDTH: f64 = 64.0;
/// Mean squared distance of a row, in the usual ones, up to which it counts in full, after so many rows.
const REACH: f64 = 9.0;
const REACH_ROWS: f64 = 100.0;
/// A sensor that was not seen for so many times its usual interval has gone silent.
const SILENT: f64 = 4.0;
/// Rate at which the usual interval follows.
const INTERVAL_RATE: f64 = 0.05;

/// Regression of every sensor on all others, from their second moments over the long memory.
///
/// Each sensor has two smoothed forms. With `Λ` the inverse of their covariance and `B` the block of
/// a sensor, `B⁻¹ (Λ z)_B` is how far its forms are from their regression on those of all other
/// sensors (conditional mean of a normal vector; Lauritzen, "Graphical Models", 1996, appendix C). The
/// own past of the sensor is not looked at, so that a slow drift, or a sensor that stands still while
/// others move, stays visible for as long as it lasts.
///
/// A sensor that goes silent is taken to be where the others say it should be. That adds nothing to
/// the residuals of these: with `z_S` of the silent at its conditional mean, `(Λ z)_j` of another is that of
/// the precision without them (marginal of a normal vector; the same appendix). Nothing is learned of
/// the silent.
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
    /// Of each sensor, the rows since it was seen, and how many that usually are.
    #[serde(default)]
    unseen: Vec<u32>,
    #[serde(default, with = "raw::f64s")]
    interval: Vec<f64>,
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
            unseen: vec![0; p],
            interval: vec![1.0; p],
        }
    }

    pub(super) fn fits(&self, p: usize) -> bool {
        let k = 2 * p;
        self.forms.len() == k
            && self.mean.len() == k
            && self.moments.len() == k * k
            && (self.inverse.is_empty() || self.inverse.len() == k * k)
            && (self.unseen.len(), self.interval.len()) == (p, p)
    }

    /// One that was stored before silent sensors were told apart: none is.
    pub(super) fn completed(self) -> Self {
        let p = self.forms.len() / 2;
        if self.unseen.is_empty() {
            return Self { unseen: vec![0; p], interval: vec![1.0; p], ..self };
        }
        self
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
        for ((unseen, interval), x) in self.unseen.iter_mut().zip(&mut self.interval).zip(row) {
            *unseen = unseen.saturating_add(1);
            if !x.is_nan() {
                *interval += INTERVAL_RATE * (f64::from(*unseen) - *interval);
                *unseen = 0;
            }
        }
        self.fill();
    }

    fn is_silent(&self, j: usize) -> bool {
        f64::from(self.unseen[j]) > SILENT * self.interval[j].max(1.0)
    }

    /// Puts the silent sensors where the others say they should be; of several, one after the other,
    /// which row by row comes to where all say it (Gauss and Seidel).
    fn fill(&mut self) {
        if self.inverse.is_empty() {
            return;
        }
        let p = self.unseen.len();
        for j in 0..p {
            if self.is_silent(j) {
                let [near, late] = offset(self.block(j, &self.off()));
                self.forms[j] -= near;
                self.forms[p + j] -= late;
            }
        }
    }

    fn off(&self) -> Array1<f64> {
        self.forms.iter().zip(&self.mean).map(|(z, m)| z - m).collect()
    }

    /// How much nearer, as its root, the row would be to its usual place without each sensor, `(p,)`, and
    /// how far it is, as a root, too.
    ///
    /// With one sensor at fault none has more: the distance `u' B⁻¹ u`, `u = (Λ z)_B`, of another is at
    /// most that of its own (Schur complement), however much of the fault the others' residuals carry.
    pub(super) fn distances(&self) -> (Vec<f64>, f64) {
        let (off, p) = (self.off(), self.unseen.len());
        let (mut nearer, mut square) = (vec![0.0; p], 0.0_f64);
        self.each(|j, [a, b, d, u, v]| {
            square += off[j] * u + off[p + j] * v;
            let distance = (d * u * u - 2.0 * b * u * v + a * v * v) / (a * d - b * b).max(1e-12);
            nearer[j] = distance.max(0.0).sqrt();
        });
        (nearer, square.max(0.0).sqrt())
    }

    /// How far each sensor is from where the others say, `(p,)`, standard deviations of the sensor.
    pub(super) fn residual(&self, residual: &mut Vec<f64>) {
        residual.clear();
        residual.resize(self.forms.len() / 2, 0.0);
        self.each(|j, block| residual[j] = offset(block)[0]);
    }

    /// Tells of each sensor the block `[[a, b], [b, d]]` of `Λ` and `(u, v) = (Λ z)_B`; nothing
    /// before the first inversion.
    fn each(&self, mut tell: impl FnMut(usize, [f64; 5])) {
        if self.inverse.is_empty() {
            return;
        }
        let off = self.off();
        (0..self.unseen.len()).for_each(|j| tell(j, self.block(j, &off)));
    }

    /// The block `[[a, b], [b, d]]` of sensor `j` and `(u, v) = (Λ off)_B`; not before the first inversion.
    fn block(&self, j: usize, off: &Array1<f64>) -> [f64; 5] {
        let p = self.unseen.len();
        let at = |i: usize, j: usize| self.inverse[i * 2 * p + j];
        let row = |i: usize| ArrayView1::from(&self.inverse[i * 2 * p..][..2 * p]).dot(off);
        [at(j, j), at(j, p + j), at(p + j, p + j), row(j), row(p + j)]
    }

    /// Learns the newest row with `weight` in 0 to 1.
    pub(super) fn learn(&mut self, weight: f64, tuning: &Tuning) {
        let k = self.forms.len();
        let mut off = self.off();
        // What stands in for a silent sensor says nothing of how it goes with others.
        let silent: Vec<bool> = (0..k).map(|i| self.is_silent(i % (k / 2).max(1))).collect();
        off.iter_mut().zip(&silent).filter(|(_, silent)| **silent).for_each(|(x, _)| *x = 0.0);
        let known = |i: usize| self.moments[i * k + i] + RIDGE;
        let far = off.iter().enumerate().map(|(i, x)| x * x / known(i)).sum::<f64>() / k as f64;
        let far = if self.rows < REACH_ROWS { 0.0 } else { far };
        let weight = weight * (REACH / far.max(REACH));
        self.rows += weight;
        let rate = weight * (1.0 / self.rows.max(1.0)).max(1.0 / tuning.slow_rows);
        self.mean.iter_mut().zip(&off).for_each(|(mean, off)| *mean += rate * off);
        let rates: Vec<f64> = silent.iter().map(|away| if *away { 0.0 } else { rate }).collect();
        let rows = self.moments.chunks_exact_mut(k).zip(&off).zip(&silent);
        for ((row, a), _) in rows.filter(|(_, away)| !**away) {
            let cells = row.iter_mut().zip(&off).zip(&rates);
            cells.for_each(|((c, b), rate)| *c += rate * (a * b - *c));
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

/// How far the forms of a sensor are from where the others say, from its block.
fn offset([a, b, d, u, v]: [f64; 5]) -> [f64; 2] {
    let determinant = (a * d - b * b).max(1e-12);
    [(d * u - b * v) / determinant, (a * v - b * u) / determinant]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use linfa_linalg::cholesky::SolveC;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Two sensors that follow one hidden value, a third on its own; `n` rows.
    pub(in super::super) fn rows(n: usize, seed: u64) -> Vec<[f64; 3]> {
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
                let (nearer, _) = known.distances();
                let most = (0..3).max_by(|a, b| nearer[*a].total_cmp(&nearer[*b]));
                assert_eq!(most, Some(at), "{nearer:?}");
            }
        }
    }

    /// The others go on as if it had never been there, and what was known of it is kept.
    #[test]
    fn a_silent_sensor_blames_no_other() {
        let rows = rows(6_000, 3);
        let mut known = learned(&rows[..4_000]);
        let mut before = Vec::new();
        let mut residual = Vec::new();
        let (mut worst, mut calm) = (0.0_f64, 0.0_f64);
        for (i, row) in rows.iter().enumerate().skip(4_000) {
            let dead = i >= 5_000;
            if i == 5_005 {
                before.clone_from(&known.moments);
            }
            known.see(&if dead { [f64::NAN, row[1], row[2]] } else { *row });
            known.residual(&mut residual);
            let far = residual[1].abs().max(residual[2].abs());
            if dead {
                worst = worst.max(far)
            } else {
                calm = calm.max(far)
            }
            known.learn(1.0, &Tuning::default());
        }
        assert!(worst < 1.2 * calm, "{worst} without it, {calm} with it");
        let of_it = |moments: &[f64]| moments.chunks(6).map(|row| row[0]).collect::<Vec<_>>();
        assert_eq!(of_it(&known.moments), of_it(&before), "nothing is learned of it");
        assert_ne!(known.moments, before, "the others go on");
        assert!(known.is_silent(0) && !known.is_silent(1));
        known.see(&rows[0]);
        assert!(!known.is_silent(0), "it is back");
    }

    /// One that reports now and then is not silent.
    #[test]
    fn a_sensor_that_reports_rarely_is_not_silent() {
        let mut known = Relation::new(2);
        for i in 0..400 {
            known.see(&[if i % 10 == 0 { 1.0 } else { f64::NAN }, 0.0]);
            assert!(i < 200 || !known.is_silent(0), "row {i}");
        }
        (0..40).for_each(|_| known.see(&[f64::NAN, 0.0]));
        assert!(known.is_silent(0));
    }
}
