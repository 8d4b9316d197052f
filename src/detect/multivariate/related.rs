//! How rare it is that a sensor is not where the others say it should be.

use serde::{Deserialize, Serialize};

use super::Tuning;
use super::evidence::{BLOCK, Blocks};
use super::relation::Relation;
use super::scale::Scale;
use super::track::{Learned, QUIET, Track};

/// Least spread of a residual, standard deviations of the sensor.
const LEAST: f64 = 0.02;
/// Rows that are passed over while the smoothed residuals come in.
const SETTLE: usize = 20;
/// Most that is left of a row's distance without the sensor that is at fault.
const HALF: f64 = 0.5;
/// Most that another takes away, of what that one does: one of three equally good sensors of one cause
/// takes half, as it carries the fault in what the others say of it; one of two takes all.
const ALONE: f64 = 0.8;
/// How far off a sensor must be for that to say anything; 1.4 is usual.
const FAR: f64 = 4.0;

/// How rare the residuals of [`Relation`] are, as a statistic of its own.
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
    /// The same as it is: those that are judged end where they are rare enough.
    #[serde(skip)]
    unclipped: Vec<f64>,
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
        let (blocks, unclipped) = (Blocks::new(1.0), Vec::new());
        let mut related = Self { relation, scale, track, blocks, residual, unclipped, score: 0.0 };
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

    /// One that was stored, with what states of before lack.
    pub(super) fn completed(self) -> Self {
        Self { relation: self.relation.completed(), ..self }
    }

    pub(super) fn fits(&self, p: usize) -> bool {
        self.relation.fits(p) && self.scale.fits(p) && self.track.fits(p)
    }

    /// Takes the newest row in standard deviations, NaN where missing; `still` where nothing is to be
    /// learned of how a sensor goes with others.
    pub(super) fn see(&mut self, standard: &[f64], still: impl Fn(usize) -> bool) {
        let Self { relation, scale, track, residual, unclipped, .. } = self;
        relation.see(standard);
        relation.residual(residual);
        unclipped.clone_from(residual);
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
        self.relation.distances().0
    }

    /// Whether the newest row would be near its usual place without sensor `top`, and without none of
    /// the others that were `seen`: two sensors that part do not say which of them it is.
    pub(super) fn hangs_on(&self, top: usize, seen: &[bool]) -> bool {
        let (nearer, whole) = self.relation.distances();
        let left = (whole.powi(2) - nearer[top].powi(2)).max(0.0).sqrt();
        let others = (0..nearer.len()).filter(|j| *j != top && seen[*j]);
        let next = others.map(|j| nearer[j]).fold(0.0, f64::max);
        nearer[top] > FAR && left < HALF * whole && next < ALONE * nearer[top]
    }

    /// How far sensor `j` is from where the others say it should be, and the usual deviation from there,
    /// both in standard deviations of the sensor; NaN where it is missing.
    pub(super) fn off(&self, j: usize) -> (f64, f64) {
        let judged = self.residual.get(j).is_some_and(|residual| residual.is_finite());
        let off = self.unclipped.get(j).copied().filter(|_| judged);
        (off.unwrap_or(f64::NAN), self.scale.sd(j))
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
    use super::super::relation::tests::rows;
    use super::*;

    /// Fitted to the first 400 of `rows`.
    fn fitted(rows: &[[f64; 3]]) -> Related {
        Related::fit(rows[..400].as_flattened(), 3, &Tuning::default())
    }

    #[test]
    fn how_far_a_sensor_is_off_is_told_as_it_is() {
        let rows = rows(1_000, 3);
        let mut related = fitted(&rows);
        let mut off = Vec::new();
        for by in [0.0, 10.0, 40.0] {
            for row in &rows[400..500] {
                related.see(&[row[0] + by, row[1], row[2]], |_| false);
            }
            off.push(related.off(0).0);
        }
        // The smoothed forms have come to where the sensor is.
        assert!((off[1] - off[0] - 10.0).abs() < 1.0, "{off:?}");
        assert!((off[2] - off[0] - 40.0).abs() < 4.0, "{off:?}");
        related.see(&[f64::NAN, 0.0, 0.0], |_| false);
        assert!(related.off(0).0.is_nan());
    }

    /// The first two sensors follow one hidden value, the third does not.
    #[test]
    fn of_two_sensors_that_part_none_is_at_fault_and_one_on_its_own_is() {
        let rows = rows(1_000, 4);
        let on = |by: [f64; 3]| {
            let mut related = fitted(&rows);
            for row in &rows[400..460] {
                related.see(&[row[0] + by[0], row[1] + by[1], row[2] + by[2]], |_| false);
            }
            [0, 1, 2].map(|j| related.hangs_on(j, &[true; 3]))
        };
        assert_eq!(on([10.0, 0.0, 0.0]), [false; 3]);
        assert_eq!(on([0.0, 0.0, 10.0]), [false, false, true]);
        assert_eq!(on([10.0, 0.0, 10.0]), [false; 3], "two at fault");
    }

    #[test]
    fn a_sensor_that_stands_still_stays_visible_and_others_do_not() {
        let rows = rows(5_000, 2);
        let (tuning, mut related) = (Tuning::default(), fitted(&rows));
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
