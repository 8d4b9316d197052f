//! A tracked statistic: a smoothed signal against a baseline that follows it slowly.

use serde::{Deserialize, Serialize};

use super::Tuning;
use super::profile::Profile;
use super::scale::Scale;
use crate::record::raw;

/// Squared spread of a sensor's signal, in its long-run variances, that is always added.
pub(super) const LEAST: f64 = 3e-3;

/// Least value of a statistic, a tenth of what is usual: how far below it a constant sensor lies is
/// nothing that a glitch has to be held against.
pub(super) const QUIET: f64 = -2.3;

/// `1 - 2^(-1 / half_life)`.
pub(super) fn rate(half_life: f64) -> f64 {
    1.0 - 0.5_f64.powf(1.0 / half_life)
}

/// How a track of signals is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackTuning {
    /// Half-life of the signal's smoothing, rows.
    pub smooth: f64,
    /// Weight of the variance that is usual in this phase of the period; 0 for none.
    pub seasonal: f64,
    /// Squares are smoothed, not values: a change of the variance is seen.
    pub squares: bool,
    /// Weight when channels are joined.
    pub weight: f64,
    /// Additional weight if the network explains the sensors well, see [`Tuning::skill`].
    pub trusted: f64,
    /// Half-life of the baseline, rows; 0 for [`Tuning::base`].
    #[serde(default)]
    pub base: f64,
    /// Half-life of the variance around it, rows; 0 for [`Tuning::variance`].
    #[serde(default)]
    pub variance: f64,
}

/// Smoothed signal, baseline and variances of one source, all in the source's units.
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
    profile: Option<Profile>,
    learned: f64,
    /// Standardised signal of the newest row, 0 where missing.
    #[serde(skip)]
    y: Vec<f64>,
    #[serde(skip)]
    square: f64,
}

/// How a row is learned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Learned<'a> {
    /// Which sensors were seen, `(p,)`.
    pub(super) seen: &'a [bool],
    /// 0 to 1.
    pub(super) weight: f64,
    /// Phase of the period.
    pub(super) bin: Option<usize>,
}

impl Track {
    pub(super) fn new(how: TrackTuning, scale: &Scale, channels: usize, seen: f64) -> Self {
        let (start, variance): (Vec<f64>, Vec<f64>) =
            (0..channels).map(|j| Self::at_start(how, j, scale)).unzip();
        Self {
            how,
            signal: start.clone(),
            base: start,
            slow: variance.clone(),
            ordinary: variance.clone(),
            variance,
            profile: Self::no_phase_known(how, channels),
            learned: seen,
            y: vec![0.0; channels],
            square: 0.0,
        }
    }

    /// What is usual by phase, before anything is known of it; `None` where it does not count.
    fn no_phase_known(how: TrackTuning, channels: usize) -> Option<Profile> {
        (how.seasonal > 0.0).then(|| Profile::new(channels, 0.15))
    }

    /// A stored track as `how` makes them now: what it has not looked at by phase, it does from here on.
    pub(super) fn make(&mut self, how: TrackTuning) {
        let fresh = Self::no_phase_known(how, self.signal.len());
        self.profile = fresh.map(|fresh| self.profile.take().unwrap_or(fresh));
        self.how = how;
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        let lists = [&self.signal, &self.base, &self.variance, &self.slow, &self.ordinary];
        lists.iter().all(|list| list.len() == channels)
            && self.profile.as_ref().is_none_or(|p| p.fits(channels))
    }

    /// Takes the newest row of the source, clipped, NaN where missing.
    pub(super) fn push(&mut self, clipped: &[f64]) {
        let a = rate(self.how.smooth);
        for (j, x) in clipped.iter().enumerate().filter(|(_, x)| !x.is_nan()) {
            let x = if self.how.squares { x * x } else { *x };
            self.signal[j] += a * (x - self.signal[j]);
        }
    }

    /// Baseline and variance from signals `(n * p,)`.
    pub(super) fn fit(&mut self, signals: &[f64]) {
        let p = self.signal.len();
        let n = (signals.len() / p.max(1)).max(1) as f64;
        for j in 0..p {
            let of = || signals.iter().skip(j).step_by(p);
            self.base[j] = of().sum::<f64>() / n;
            self.variance[j] = of().map(|s| (s - self.base[j]).powi(2)).sum::<f64>() / n;
            self.slow[j] = self.variance[j];
            self.ordinary[j] = self.variance[j];
        }
    }

    /// A sensor that showed up late is known now.
    pub(super) fn start(&mut self, j: usize, scale: &Scale) {
        let (level, variance) = Self::at_start(self.how, j, scale);
        (self.signal[j], self.base[j]) = (level, level);
        (self.variance[j], self.slow[j], self.ordinary[j]) = (variance, variance, variance);
    }

    /// Signal and its variance before anything was seen.
    fn at_start(how: TrackTuning, j: usize, scale: &Scale) -> (f64, f64) {
        let variance = scale.sd(j).powi(2);
        if how.squares { (variance, variance * variance) } else { (scale.mean(j), variance) }
    }

    /// The signal back at its baseline.
    pub(super) fn rest(&mut self) {
        self.signal.copy_from_slice(&self.base);
    }

    /// The baseline where the signal is now, as if it was known for `rows` rows at most.
    pub(super) fn rebase(&mut self, rows: f64) {
        self.base.copy_from_slice(&self.signal);
        self.doubt(rows);
    }

    pub(super) fn forget_phase(&mut self) {
        self.profile = Self::no_phase_known(self.how, self.signal.len());
    }

    pub(super) fn signal(&self) -> &[f64] {
        &self.signal
    }

    /// Distance of sensor `j` from its baseline, in what is usual over the long memory.
    pub(super) fn unusual(&self, j: usize, scale: &Scale, whole: f64) -> f64 {
        let variance = self.ordinary[j].max(whole * scale.whole(j)) + self.least(j, scale);
        if self.y.get(j).is_none_or(|y| *y == 0.0) {
            return 0.0;
        }
        (self.signal[j] - self.base[j]).abs() / variance.sqrt()
    }

    /// What sensor `j` is held against.
    pub(super) fn base(&self, j: usize) -> f64 {
        self.base[j]
    }

    /// Variance of sensor `j` around it.
    #[cfg(test)]
    pub(super) fn variance(&self, j: usize) -> f64 {
        self.variance[j]
    }

    /// Weight when channels are joined; `trust` in the network, 1 and above.
    pub(super) fn weight(&self, trust: f64) -> f64 {
        self.how.weight + self.how.trusted * (trust - 1.0)
    }

    fn least(&self, j: usize, scale: &Scale) -> f64 {
        let unit = if self.how.squares { scale.sd(j).powi(4) } else { scale.sd(j).powi(2) };
        LEAST * unit
    }

    /// Logarithm of the root mean square of the standardised signal over the sensors that were seen.
    pub(super) fn score(&mut self, scale: &Scale, seen: &[bool], bin: Option<usize>) -> f64 {
        let p = self.signal.len();
        self.y.resize(p, 0.0);
        for (j, seen) in seen.iter().enumerate() {
            let off = self.signal[j] - self.base[j];
            let mut variance = self.variance[j] + self.least(j, scale);
            if let (Some(profile), Some(bin)) = (&self.profile, bin)
                && profile.is_known(bin)
            {
                let usual = f64::from(profile.highest(bin, j));
                variance = variance.max(self.how.seasonal * usual);
            }
            self.y[j] = if *seen { off / variance.sqrt() } else { 0.0 };
        }
        let n = seen.iter().filter(|seen| **seen).count().max(1) as f64;
        self.square = self.y.iter().map(|y| y * y).sum::<f64>();
        0.5 * (self.square / n + 1e-6).ln()
    }

    /// The same if sensor `repaired` had been as expected.
    pub(super) fn score_without(&self, repaired: usize, seen: &[bool]) -> f64 {
        let n = seen.iter().filter(|seen| **seen).count().max(1) as f64;
        let q = self.square - self.y[repaired].powi(2);
        0.5 * (q.max(0.0) / n + 1e-6).ln()
    }

    /// Learns the newest row; sensors that were not seen keep what they have.
    pub(super) fn learn(&mut self, scale: &Scale, row: Learned<'_>, t: &Tuning) {
        let Learned { seen, weight, bin } = row;
        self.learned += weight;
        let early = t.early / (self.learned + 1.0);
        let (to_base, to_variance) = self.rates(t);
        for j in (0..self.signal.len()).filter(|j| seen[*j]) {
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
        self.learn_profile(bin);
    }

    /// Of baseline and variance in the long run.
    fn rates(&self, t: &Tuning) -> (f64, f64) {
        let own = |own: f64, all: f64| rate(if own > 0.0 { own } else { all });
        (own(self.how.base, t.base), own(self.how.variance, t.variance))
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
