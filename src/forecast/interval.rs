//! Prediction intervals that keep their promise online.

use serde::{Deserialize, Serialize};

use super::Link;
use super::mix::HALF_LIFE;
use crate::record::raw;

/// Step of the quantile tracker, in units of the quantile, where truths come within so many rows: those
/// of longer seasons and horizons are told late, and a tracker must not run on before it hears.
const STEP: f64 = 0.02;
const STEP_ROWS: f64 = 48.0;
/// Farthest that a quantile lies, in usual sizes.
const FAR_QUANTILE: f64 = 50.0;
/// First quantiles are so much wider than those of a normal distribution.
const START: f64 = 1.25;
/// Truths at a horizon, and at least a season of them, before its coverage is told.
const CHECKED_MIN: f64 = 50.0;
/// Seasons whose errors weigh as much as those of one time of the season.
const POOL: f64 = 4.0;

/// Lower and upper residual quantile of each horizon for each coverage level.
///
/// Residuals are divided by their usual size at the horizon and the time of the season; then each
/// quantile moves by `0.02 (τ − [y < bound]) max(1, |q|)`, where `bound` is the one that was
/// published: with it, coverage holds in the long run however late the truth comes (Gibbs and
/// Candès, "Adaptive Conformal Inference", 2021; Angelopoulos et al., "Conformal PID Control", 2023).
/// The step is smaller where truths come later than within 48 rows, and for times of the season at which
/// errors are smaller than usual: certain nights say nothing of uncertain days. A truth that is the
/// bound is on neither side of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bands {
    #[serde(with = "raw::f64s")]
    taus: Vec<f64>,
    horizons: usize,
    slots: usize,
    /// `(horizons, taus)`.
    #[serde(with = "raw::f64s")]
    quantiles: Vec<f64>,
    /// Mean absolute residual by horizon and slot, `(horizons, slots)`, and how many are behind it.
    #[serde(with = "raw::f64s")]
    sizes: Vec<f64>,
    #[serde(with = "raw::f64s")]
    counts: Vec<f64>,
    /// The same by horizon.
    #[serde(with = "raw::f64s")]
    size: Vec<f64>,
    #[serde(with = "raw::f64s")]
    count: Vec<f64>,
    /// Realised coverage, and mean width in the unit of the target, by level.
    #[serde(with = "raw::f64s")]
    covered: Vec<f64>,
    #[serde(with = "raw::f64s")]
    width: Vec<f64>,
    checked: f64,
    /// Realised coverage by horizon and level, `(horizons, levels)`; empty in states of before it was
    /// kept.
    #[serde(default, with = "raw::f64s")]
    covered_at: Vec<f64>,
    /// Rows of a season.
    pace: usize,
}

impl Bands {
    /// For ascending coverage `levels`.
    pub(super) fn new(levels: &[f64], horizons: usize, slots: usize, pace: usize) -> Self {
        let below = levels.iter().rev().map(|level| 0.5 * (1.0 - level));
        let taus: Vec<f64> = below.chain(levels.iter().map(|level| 0.5 * (1.0 + level))).collect();
        let first = |tau: f64| {
            let reach = START * normal_quantile(tau.max(1.0 - tau));
            if tau < 0.5 { -reach } else { reach }
        };
        Self {
            quantiles: (0..horizons).flat_map(|_| taus.iter().map(|tau| first(*tau))).collect(),
            sizes: vec![0.0; horizons * slots],
            counts: vec![0.0; horizons * slots],
            size: vec![0.0; horizons],
            count: vec![0.0; horizons],
            covered: vec![0.0; levels.len()],
            width: vec![0.0; levels.len()],
            checked: 0.0,
            covered_at: vec![0.0; horizons * levels.len()],
            taus,
            horizons,
            slots,
            pace,
        }
    }

    /// Whether both are of one shape and of the same levels.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let shape = |b: &Self| {
            let lists = [&b.quantiles, &b.sizes, &b.counts, &b.size, &b.count, &b.covered];
            (lists.map(Vec::len), b.width.len(), b.horizons, b.slots)
        };
        let at = [self, other].map(|b| b.covered_at.len());
        if at[0] != at[1] && !at.contains(&0) {
            return false;
        }
        self.taus == other.taus && shape(self) == shape(other)
    }

    /// Tails, from the lower one of the widest level to the upper one.
    pub(super) fn taus(&self) -> usize {
        self.taus.len()
    }

    /// Residuals seen at horizon index `h`.
    pub(super) fn checked(&self, h: usize) -> f64 {
        self.count[h]
    }

    /// Usual size of the residual at horizon index `h` and a slot of the season; `None` before any
    /// was seen.
    pub(super) fn scale(&self, h: usize, slot: usize) -> Option<f64> {
        let at = h * self.slots + slot;
        let (c, own, all) = (self.counts[at], self.sizes[at], self.size[h]);
        (self.count[h] > 0.0).then(|| (c * own + POOL * all) / (c + POOL))
    }

    /// Offsets of the bounds from the point at horizon index `h` in units of `scale`, ascending.
    pub(super) fn offsets(&self, h: usize) -> Vec<f64> {
        let taus = self.taus.len();
        let mut offsets = self.quantiles[h * taus..(h + 1) * taus].to_vec();
        offsets.sort_by(f64::total_cmp);
        offsets
    }

    /// Takes the truth `y` of a forecast at horizon index `h`, `rows` rows ahead, whose `point` and ascending `bounds` were
    /// published; all on the scale of `link`. Errors count up to `far`.
    pub(super) fn learn(
        &mut self,
        (h, rows, slot): (usize, usize, usize),
        (y, point, bounds): (f64, f64, &[f64]),
        (link, far): (Link, f64),
    ) {
        let taus = self.taus.len();
        let step = self.step((h, rows), slot);
        let quantiles = &mut self.quantiles[h * taus..(h + 1) * taus];
        for ((q, tau), bound) in quantiles.iter_mut().zip(&self.taus).zip(bounds) {
            if y == *bound {
                continue;
            }
            let below = f64::from(u8::from(y < *bound));
            let from = q.clamp(-FAR_QUANTILE, FAR_QUANTILE);
            let moved = from + step * (tau - below) * from.abs().max(1.0);
            *q = moved.clamp(-FAR_QUANTILE, FAR_QUANTILE);
        }
        let error = (y - point).abs().min(far);
        let slow = 1.0 - 0.5_f64.powf(1.0 / HALF_LIFE);
        let fast = 1.0 - 0.5_f64.powf(1.0 / (HALF_LIFE * self.pace as f64));
        let at = h * self.slots + slot;
        average(&mut self.sizes[at], &mut self.counts[at], error, slow);
        average(&mut self.size[h], &mut self.count[h], error, fast);
        self.note_at(h, y, bounds, fast);
        self.note(y, bounds, fast / self.horizons as f64, link);
    }

    /// Step of the quantiles of horizon index `h`, `rows` rows ahead, at a slot of the season.
    fn step(&self, (h, rows): (usize, usize), slot: usize) -> f64 {
        let late = (STEP_ROWS / self.pace.max(rows) as f64).min(1.0);
        let share = match self.scale(h, slot) {
            Some(own) if self.slots > 1 && self.size[h] > 0.0 => (own / self.size[h]).min(1.0),
            _ => 1.0,
        };
        STEP * late * share
    }

    /// Takes note at one horizon; its count has this truth in it.
    fn note_at(&mut self, h: usize, y: f64, bounds: &[f64], least: f64) {
        let levels = self.covered.len();
        if self.covered_at.is_empty() {
            self.covered_at = self.covered.repeat(self.horizons);
        }
        let gain = least.max(1.0 / self.count[h]);
        let of_level = self.covered_at[h * levels..(h + 1) * levels].iter_mut().enumerate();
        for (i, covered) in of_level {
            let inside = bounds[levels - 1 - i] <= y && y <= bounds[levels + i];
            *covered += gain * (f64::from(u8::from(inside)) - *covered);
        }
    }

    /// Realised coverage at horizon index `h` per level; `None` until enough was checked.
    pub(super) fn covered_at(&self, h: usize) -> Option<&[f64]> {
        let levels = self.covered.len();
        let enough = self.count[h] >= CHECKED_MIN.max(self.pace as f64);
        self.covered_at.get(h * levels..(h + 1) * levels).filter(|_| enough)
    }

    fn note(&mut self, y: f64, bounds: &[f64], least: f64, link: Link) {
        self.checked += 1.0;
        let gain = least.max(1.0 / self.checked);
        let levels = self.covered.len();
        for i in 0..levels {
            let (low, high) = (bounds[levels - 1 - i], bounds[levels + i]);
            let inside = f64::from(u8::from(low <= y && y <= high));
            self.covered[i] += gain * (inside - self.covered[i]);
            let width = link.invert(high) - link.invert(low);
            self.width[i] += gain * (width - self.width[i]);
        }
    }

    /// Realised coverage and mean width per level; `None` until any forecast could be checked.
    pub(super) fn record(&self) -> Option<impl Iterator<Item = (f64, f64)>> {
        let both = self.covered.iter().copied().zip(self.width.iter().copied());
        (self.checked > 0.0).then_some(both)
    }

    pub(super) fn state_bytes(&self) -> usize {
        let covered = self.covered_at.len();
        8 * (self.quantiles.len() + 2 * self.sizes.len() + 2 * self.size.len() + covered)
    }
}

/// A mean that is plain at first and exponentially weighted later.
fn average(mean: &mut f64, count: &mut f64, value: f64, least: f64) {
    *count += 1.0;
    *mean += least.max(1.0 / *count) * (value - *mean);
}

/// Quantile of the standard normal for `0.5 <= p < 1`, within 4.5e-4 (Abramowitz and Stegun,
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
    fn coverage_holds_on_skewed_noise_that_changes_its_size_and_is_told_late() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        let mut bands = Bands::new(&[0.8, 0.95], 1, 1, 24);
        let (mut hits, mut checked) = ([0_u32; 2], 0);
        let mut said = std::collections::VecDeque::new();
        for i in 0..40_000 {
            let scale = bands.scale(0, 0).unwrap_or(1.0);
            said.push_back(bands.offsets(0).iter().map(|q| q * scale).collect::<Vec<f64>>());
            let size = if i < 20_000 { 1.0 } else { 5.0 };
            let noise: f64 = Exp1.sample(&mut rng);
            let y = size * (noise - 1.0);
            let Some(bounds) = (said.len() > 48).then(|| said.pop_front()).flatten() else {
                continue;
            };
            let inside = [(1, 2), (0, 3)].map(|(low, up)| bounds[low] <= y && y <= bounds[up]);
            if i > 1_000 {
                checked += 1;
                hits.iter_mut().zip(inside).for_each(|(n, i)| *n += u32::from(i));
            }
            bands.learn((0, 48, 0), (y, 0.0, &bounds), (Link::Identity, f64::INFINITY));
        }
        let [c80, c95] = hits.map(|n| f64::from(n) / f64::from(checked));
        assert!((0.78..0.82).contains(&c80), "{c80}");
        assert!((0.935..0.96).contains(&c95), "{c95}");
    }

    /// Rows of five minutes, a day ahead: the truth comes 288 rows later, and errors go together.
    #[test]
    fn quantiles_do_not_run_on_while_the_truth_is_awaited() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
        let mut bands = Bands::new(&[0.8], 1, 1, 288);
        let (mut hits, mut n, mut width, mut error) = (0_u32, 0_u32, 0.0, 0.0);
        let mut said = std::collections::VecDeque::new();
        for i in 0..30_000 {
            let scale = bands.scale(0, 0).unwrap_or(1.0);
            said.push_back(bands.offsets(0).iter().map(|q| q * scale).collect::<Vec<f64>>());
            let noise: f64 = rand_distr::StandardNormal.sample(&mut rng);
            error = 0.98 * error + noise;
            let Some(bounds) = (said.len() > 288).then(|| said.pop_front()).flatten() else {
                continue;
            };
            if i > 3_000 {
                n += 1;
                hits += u32::from(bounds[0] <= error && error <= bounds[1]);
                width += bounds[1] - bounds[0];
            }
            let told = (error, 0.0, bounds.as_slice());
            bands.learn((0, 288, 0), told, (Link::Identity, f64::INFINITY));
        }
        let [covered, width] = [f64::from(hits), width].map(|sum| sum / f64::from(n));
        // The deviation is 5.0, the interval of 80 % 12.9 wide.
        assert!((0.75..0.85).contains(&covered) && width < 26.0, "{covered}, {width}");
    }

    /// Nothing happens for months: what is told is true, and says nothing of how far errors reach.
    #[test]
    fn quantiles_rest_while_all_is_as_it_was_told() {
        let mut bands = Bands::new(&[0.8, 0.95], 1, 1, 24);
        let first = bands.offsets(0);
        for _ in 0..100_000 {
            bands.learn((0, 1, 0), (7.0, 7.0, &[7.0; 4]), (Link::Identity, f64::INFINITY));
        }
        assert_eq!(bands.offsets(0), first);
    }

    #[test]
    fn coverage_at_a_horizon_is_told_after_a_season_and_fifty_truths() {
        let hits = |pace: usize, truths: usize| {
            let mut bands = Bands::new(&[0.8], 2, 1, pace);
            for i in 0..truths {
                // One in four lies outside.
                let y = if i % 4 == 0 { 9.0 } else { 0.0 };
                bands.learn((1, 1, 0), (y, 0.0, &[-1.0, 1.0]), (Link::Identity, f64::INFINITY));
            }
            (bands.covered_at(0).map(<[f64]>::to_vec), bands.covered_at(1).map(<[f64]>::to_vec))
        };
        assert_eq!(hits(24, 49), (None, None));
        assert_eq!(hits(168, 167), (None, None));
        let (other, own) = hits(168, 168);
        assert_eq!(other, None, "nothing was seen there");
        let share = own.expect("a season")[0];
        assert!((share - 0.75).abs() < 0.02, "{share}");
    }

    #[test]
    fn bands_never_cross() {
        let mut bands = Bands::new(&[0.5, 0.8, 0.95], 2, 4, 4);
        for i in 0..2_000_usize {
            let h = i % 2;
            let offsets = bands.offsets(h);
            assert!(offsets.is_sorted() && offsets.len() == 6, "{offsets:?}");
            let y = (i % 7) as f64 - 2.0;
            bands.learn((h, 4, i % 4), (y, 0.0, &offsets), (Link::Identity, f64::INFINITY));
        }
        let covered: Vec<(f64, f64)> = bands.record().expect("checked").collect();
        assert!(covered.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{covered:?}");
    }
}
