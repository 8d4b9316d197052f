//! A tracked statistic: a smoothed signal against a baseline that follows it slowly.

use serde::{Deserialize, Serialize};

use super::Tuning;
use super::profile::Profile;
use super::scale::Scale;
use crate::record::raw;

/// Squared spread of a sensor's signal, in its long-run variances, that is always added.
const LEAST: f64 = 3e-3;
/// A square counts at most so many variances: one value is no change of the variance.
const SQUARE_MOST: f64 = 64.0;
/// Rows between two factorisations of the covariance, and the most sensors that have one.
const FACTOR_EVERY: u64 = 64;
pub(super) const COVARIANCE_MAX: usize = 128;

/// `1 - 2^(-1 / half_life)`.
pub(super) fn rate(half_life: f64) -> f64 {
    1.0 - 0.5_f64.powf(1.0 / half_life)
}

/// How a [`Track`] is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackTuning {
    /// Half-life of the signal's smoothing, rows.
    pub smooth: f64,
    /// Share of the Mahalanobis distance in the statistic.
    pub mahalanobis: f64,
    /// Weight of the variance that is usual in this phase of the period; 0 for none.
    pub seasonal: f64,
    /// Squares are smoothed, not values: a change of the variance is seen.
    pub squares: bool,
    /// Weight when channels are joined.
    pub weight: f64,
}

/// Smoothed signal, baseline, variance and covariance of one source, all in the source's units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Track {
    how: TrackTuning,
    #[serde(with = "raw::f64s")]
    signal: Vec<f64>,
    #[serde(with = "raw::f64s")]
    base: Vec<f64>,
    #[serde(with = "raw::f64s")]
    variance: Vec<f64>,
    /// Mean squared distance of the signal from the long-run mean.
    #[serde(with = "raw::f64s")]
    slow: Vec<f64>,
    /// The variance on ordinary rows: what a fault adds hardly counts.
    #[serde(with = "raw::f64s")]
    ordinary: Vec<f64>,
    /// Of the standardised signal, `(p * p)`, and its Cholesky factor; empty without Mahalanobis.
    #[serde(with = "raw::f64s")]
    covariance: Vec<f64>,
    #[serde(with = "raw::f64s")]
    factor: Vec<f64>,
    profile: Option<Profile>,
    learned: f64,
    rows: u64,
    /// Standardised signal of the newest row, 0 where missing.
    #[serde(skip)]
    y: Vec<f64>,
    #[serde(skip)]
    square: f64,
}

impl Track {
    pub(super) fn new(how: TrackTuning, scale: &Scale, channels: usize, seen: f64) -> Self {
        let with = how.mahalanobis > 0.0 && channels <= COVARIANCE_MAX;
        let mut covariance = vec![0.0; if with { channels * channels } else { 0 }];
        covariance.iter_mut().step_by(channels + 1).for_each(|c| *c = 1.0);
        let start: Vec<f64> = (0..channels)
            .map(|j| if how.squares { scale.sd(j).powi(2) } else { scale.mean(j) })
            .collect();
        let variance: Vec<f64> = (0..channels)
            .map(|j| if how.squares { scale.sd(j).powi(4) } else { scale.sd(j).powi(2) })
            .collect();
        Self {
            how,
            signal: start.clone(),
            base: start,
            slow: variance.clone(),
            ordinary: variance.clone(),
            variance,
            factor: covariance.clone(),
            covariance,
            profile: (how.seasonal > 0.0).then(|| Profile::new(channels, 0.15)),
            learned: seen,
            rows: 0,
            y: vec![0.0; channels],
            square: 0.0,
        }
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        let square = |list: &Vec<f64>| list.is_empty() || list.len() == channels * channels;
        [&self.signal, &self.base, &self.variance, &self.slow].iter().all(|l| l.len() == channels)
            && square(&self.covariance)
            && self.covariance.len() == self.factor.len()
            && self.profile.as_ref().is_none_or(|p| p.fits(channels))
    }

    /// Takes the newest row of the source, clipped, NaN where missing.
    pub(super) fn push(&mut self, clipped: &[f64], scale: &Scale) {
        let a = rate(self.how.smooth);
        for (j, x) in clipped.iter().enumerate().filter(|(_, x)| !x.is_nan()) {
            let x =
                if self.how.squares { (x * x).min(SQUARE_MOST * scale.sd(j).powi(2)) } else { *x };
            self.signal[j] += a * (x - self.signal[j]);
        }
    }

    /// Baseline, variance and covariance from signals `(n * p,)`.
    pub(super) fn fit(&mut self, signals: &[f64], scale: &Scale) {
        let p = self.signal.len();
        let n = (signals.len() / p.max(1)).max(1) as f64;
        for j in 0..p {
            let of = || signals.iter().skip(j).step_by(p);
            self.base[j] = of().sum::<f64>() / n;
            self.variance[j] = of().map(|s| (s - self.base[j]).powi(2)).sum::<f64>() / n;
            self.slow[j] = self.variance[j];
            self.ordinary[j] = self.variance[j];
        }
        if self.covariance.is_empty() {
            return;
        }
        self.covariance.fill(0.0);
        let sd: Vec<f64> =
            (0..p).map(|j| (self.variance[j] + self.least(j, scale)).sqrt()).collect();
        for row in signals.chunks_exact(p) {
            let y: Vec<f64> = (0..p).map(|j| (row[j] - self.base[j]) / sd[j]).collect();
            for i in 0..p {
                let cells = &mut self.covariance[i * p..][..=i];
                cells.iter_mut().zip(&y).for_each(|(c, yj)| *c += y[i] * yj / n);
            }
        }
        self.factorise();
    }

    /// The signal back at its baseline.
    pub(super) fn rest(&mut self) {
        self.signal.copy_from_slice(&self.base);
    }

    pub(super) fn forget_phase(&mut self) {
        if self.profile.is_some() {
            self.profile = Some(Profile::new(self.signal.len(), 0.15));
        }
    }

    pub(super) fn signal(&self) -> &[f64] {
        &self.signal
    }

    pub(super) fn base(&self, j: usize) -> f64 {
        self.base[j]
    }

    pub(super) fn y(&self) -> &[f64] {
        &self.y
    }

    /// Distance of sensor `j` from its baseline, in what is usual over the long memory.
    pub(super) fn unusual(&self, j: usize, scale: &Scale, whole: f64) -> f64 {
        let variance = self.ordinary[j].max(whole * scale.whole(j)) + self.least(j, scale);
        if self.y.get(j).is_none_or(|y| *y == 0.0) {
            return 0.0;
        }
        (self.signal[j] - self.base[j]).abs() / variance.sqrt()
    }

    pub(super) fn weight(&self) -> f64 {
        self.how.weight
    }

    fn least(&self, j: usize, scale: &Scale) -> f64 {
        let unit = if self.how.squares { scale.sd(j).powi(4) } else { scale.sd(j).powi(2) };
        LEAST * unit
    }

    /// Logarithm of the root mean square (partly Mahalanobis) of the standardised signal over the
    /// sensors that were observed.
    pub(super) fn score(&mut self, scale: &Scale, seen: &[bool], bin: Option<usize>) -> f64 {
        let p = self.signal.len();
        self.y.resize(p, 0.0);
        for j in 0..p {
            let off = self.signal[j] - self.base[j];
            let mut variance = self.variance[j] + self.least(j, scale);
            if let (Some(profile), Some(bin)) = (&self.profile, bin) {
                if profile.is_known(bin) {
                    let usual = f64::from(profile.highest(bin, j));
                    variance = variance.max(self.how.seasonal * usual);
                }
            }
            self.y[j] = if seen[j] { off / variance.sqrt() } else { 0.0 };
        }
        let n = seen.iter().filter(|seen| **seen).count().max(1) as f64;
        self.square = self.y.iter().map(|y| y * y).sum::<f64>();
        let m = self.how.mahalanobis;
        let q = if self.factor.is_empty() {
            self.square
        } else {
            m * self.solve() + (1.0 - m) * self.square
        };
        0.5 * (q.max(0.0) / n + 1e-6).ln()
    }

    /// The same if the sensors in `repaired` had been as expected; Euclidean only.
    pub(super) fn score_without(&self, repaired: usize, seen: &[bool]) -> f64 {
        let n = seen.iter().filter(|seen| **seen).count().max(1) as f64;
        let q = self.square - self.y[repaired].powi(2);
        0.5 * (q.max(0.0) / n + 1e-6).ln()
    }

    /// Largest distance of the signal from the long-run mean, in its usual distances; logarithm.
    pub(super) fn score_slow(&self, scale: &Scale, seen: &[bool]) -> f64 {
        let most = (0..self.signal.len())
            .filter(|j| seen[*j])
            .map(|j| {
                (self.signal[j] - scale.mean(j)).powi(2) / (self.slow[j] + self.least(j, scale))
            })
            .fold(0.0, f64::max);
        0.5 * (most + 1e-6).ln()
    }

    /// `y' C^-1 y` by forward substitution.
    fn solve(&self) -> f64 {
        let p = self.y.len();
        let mut w = vec![0.0; p];
        let mut sum = 0.0;
        for i in 0..p {
            let row = &self.factor[i * p..i * p + i];
            let dot: f64 = row.iter().zip(&w).map(|(l, w)| l * w).sum();
            w[i] = (self.y[i] - dot) / self.factor[i * p + i];
            sum += w[i] * w[i];
        }
        sum
    }

    /// Learns the newest row with `weight` in 0 to 1.
    pub(super) fn learn(&mut self, scale: &Scale, weight: f64, bin: Option<usize>, t: &Tuning) {
        self.learned += weight;
        self.rows += 1;
        let early = t.early / (self.learned + 1.0);
        let (to_base, to_variance) = (rate(t.base), rate(t.variance));
        for j in 0..self.signal.len() {
            let off = self.signal[j] - self.base[j];
            let square = (off * off).min(25.0 * (self.variance[j] + self.least(j, scale)));
            self.variance[j] += weight * to_variance.max(early) * (square - self.variance[j]);
            let far = (self.signal[j] - scale.mean(j)).powi(2);
            let far = far.min(25.0 * (self.slow[j] + self.least(j, scale)));
            self.slow[j] += weight * (1.0 / t.slow_rows).max(early) * (far - self.slow[j]);
            self.variance[j] = self.variance[j].max(t.variance_floor * self.slow[j]);
            let least = self.least(j, scale);
            let square = (off * off).min(6.0 * (self.ordinary[j] + least));
            self.ordinary[j] += weight * to_variance.max(early) * (square - self.ordinary[j]);
            self.base[j] += weight * to_base.max(early) * off;
        }
        self.learn_covariance(weight, early, t);
        self.learn_profile(bin);
    }

    fn learn_covariance(&mut self, weight: f64, early: f64, tuning: &Tuning) {
        if self.covariance.is_empty() {
            return;
        }
        let p = self.y.len();
        let shorten = (25.0 * p as f64 / (self.square + 1e-9)).min(1.0);
        let to = weight * rate(tuning.covariance).max(early);
        for i in 0..p {
            let yi = shorten * self.y[i];
            let row = &mut self.covariance[i * p..][..=i];
            row.iter_mut().zip(&self.y).for_each(|(c, y)| *c += to * (yi * y - *c));
        }
        let every = FACTOR_EVERY.max((p * p / 64) as u64);
        if self.rows.is_multiple_of(every) || self.rows.is_power_of_two() {
            self.factorise();
        }
    }

    /// Cholesky factor of the covariance shrunk by a fifth towards its diagonal.
    fn factorise(&mut self) {
        let p = self.y.len();
        for i in 0..p {
            for k in 0..=i {
                let c = self.covariance[i * p + k];
                let c = if i == k { c + 1e-3 } else { 0.8 * c };
                let (above, row) = self.factor.split_at(i * p);
                let dot: f64 = if i == k {
                    row[..k].iter().map(|l| l * l).sum()
                } else {
                    row[..k].iter().zip(&above[k * p..]).map(|(a, b)| a * b).sum()
                };
                let value = if i == k {
                    (c - dot).max(1e-9).sqrt()
                } else {
                    (c - dot) / self.factor[k * p + k]
                };
                self.factor[i * p + k] = value;
            }
        }
    }

    fn learn_profile(&mut self, bin: Option<usize>) {
        let Self { profile, signal, base, variance, .. } = self;
        if let (Some(profile), Some(bin)) = (profile, bin) {
            let off = signal.iter().zip(base).zip(variance);
            profile.observe(bin, true, off.map(|((s, b), v)| (s - *b).powi(2).min(100.0 * *v)));
        }
    }

    /// Learns as if it knew at most `rows` rows.
    pub(super) fn doubt(&mut self, rows: f64) {
        self.learned = self.learned.min(rows);
    }
}
