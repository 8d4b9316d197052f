//! Evidence of range: a value beyond all that calm rows have shown.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Largest excesses that are remembered.
const KEPT: usize = 16;
/// Excess, in ranges, over which the chance falls by a factor e beyond the largest one known.
const SCALE: f64 = 0.25;
/// Rows in which a sensor must have been seen before its range means anything.
const KNOWN: f64 = 200.0;
/// Rows after which what was seen counts half: a range of long ago is none of today's.
const HALF_LIFE: f64 = 20_000.0;

/// The range of each sensor on calm rows, and how far calm rows have left it.
///
/// A row's excess is how far it lies beyond the range of all calm rows before it, in ranges, of the
/// sensor that is furthest out. Of `n` calm rows, `k` of which had at least this excess, a further one
/// has it with chance `(k + 1) / (n + 1)`, whatever the distribution, as long as rows are exchangeable
/// (conformal prediction: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005);
/// beyond the largest excess known the chance falls exponentially. Smoothed statistics need many rows
/// for what this tells at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Range {
    #[serde(with = "raw::f64s")]
    low: Vec<f64>,
    #[serde(with = "raw::f64s")]
    high: Vec<f64>,
    /// Rows in which a sensor was seen.
    #[serde(with = "raw::f64s")]
    seen: Vec<f64>,
    /// Calm rows since all of this means something, fading.
    rows: f64,
    /// Largest excesses first, with their fading weights.
    largest: Vec<(f64, f64)>,
    /// Largest excess of the rows in a row that were not learned, 0 without any.
    #[serde(default)]
    episode: f64,
}

impl Range {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            low: vec![f64::INFINITY; channels],
            high: vec![f64::NEG_INFINITY; channels],
            seen: vec![0.0; channels],
            rows: 0.0,
            largest: Vec::new(),
            episode: 0.0,
        }
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        [&self.low, &self.high, &self.seen].iter().all(|list| list.len() == channels)
            && self.largest.len() <= KEPT
    }

    /// `-log10` of the chance that a calm row leaves the range as far as this one, 0 inside of it.
    pub(super) fn evidence(&self, values: &[f64]) -> f64 {
        let excess = self.excess(values);
        if excess <= 0.0 {
            return 0.0;
        }
        let as_large = self.largest.iter().filter(|(kept, _)| *kept >= excess);
        let share = (as_large.map(|(_, weight)| weight).sum::<f64>() + 1.0) / (self.rows + 1.0);
        let beyond = excess - self.largest.first().map_or(0.0, |(largest, _)| *largest);
        let nats = (beyond / SCALE).clamp(0.0, 600.0) - share.min(1.0).ln();
        nats / std::f64::consts::LN_10
    }

    /// Takes a calm row in.
    pub(super) fn learn(&mut self, values: &[f64]) {
        let excess = self.excess(values);
        self.count();
        self.keep(excess);
        self.episode = 0.0;
        for (j, x) in values.iter().enumerate().filter(|(_, x)| x.is_finite()) {
            self.low[j] = self.low[j].min(*x);
            self.high[j] = self.high[j].max(*x);
            self.seen[j] += 1.0;
        }
    }

    /// Takes note of a row while an alert fires: the range stays, but that it was left counts, once for
    /// all rows in a row. What comes back as often as alerts are allowed for is not unusual.
    pub(super) fn pass(&mut self, values: &[f64]) {
        let excess = self.excess(values);
        self.count();
        if excess > self.episode {
            let before = self.episode;
            if let Some(at) = self.largest.iter().position(|(kept, _)| *kept == before) {
                self.largest.remove(at);
            }
            self.keep(excess);
            self.episode = excess;
        }
    }

    fn count(&mut self) {
        let fade = (-1.0 / HALF_LIFE).exp2();
        self.rows = fade * self.rows + 1.0;
        self.largest.iter_mut().for_each(|(_, weight)| *weight *= fade);
    }

    fn keep(&mut self, excess: f64) {
        if excess > 0.0 {
            let at = self.largest.partition_point(|(kept, _)| *kept > excess);
            self.largest.insert(at, (excess, 1.0));
            self.largest.retain(|(_, weight)| *weight > 0.05);
            self.largest.truncate(KEPT);
        }
    }

    /// How far the row lies out, in ranges; a sensor that has not moved has none.
    fn excess(&self, values: &[f64]) -> f64 {
        let of = |(j, x): (usize, &f64)| {
            let range = self.high[j] - self.low[j];
            let known = self.seen[j] >= KNOWN && range > 0.0 && range.is_finite();
            let out = (x - self.high[j]).max(self.low[j] - x);
            if known && out > 0.0 { out / range } else { 0.0 }
        };
        values.iter().enumerate().map(of).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn calm(rows: usize, channels: usize) -> Vec<Vec<f64>> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        (0..rows).map(|_| (0..channels).map(|_| normal()).collect()).collect()
    }

    /// A range is left less and less often: at most one row in a thousand says `p < 1/1000`.
    #[test]
    fn calm_rows_say_no_more_than_they_should() {
        let mut range = Range::new(8);
        let mut over = 0;
        for row in calm(20_000, 8) {
            over += u32::from(range.evidence(&row) >= 3.0);
            range.learn(&row);
        }
        assert!(over <= 20, "{over}");
    }

    #[test]
    fn a_jump_is_evident_at_once_and_inside_nothing_is() {
        let mut range = Range::new(2);
        calm(400, 2).iter().for_each(|row| range.learn(row));
        assert!(range.evidence(&[30.0, 0.0]) > 6.0);
        assert_eq!(range.evidence(&[0.5, f64::NAN]), 0.0);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let further = [1.0, 2.0, 4.0, 8.0].map(|far| range.evidence(&[6.0 * far, rng.r#gen()]));
        assert!(further.is_sorted(), "{further:?}");
    }

    #[test]
    fn what_has_left_the_range_before_says_less() {
        let mut range = Range::new(1);
        calm(2_000, 1).iter().for_each(|row| range.learn(row));
        let first = range.evidence(&[20.0]);
        range.learn(&[20.0]);
        assert!(range.evidence(&[20.0 + 20.0]) < first);
        assert_eq!(range.evidence(&[f64::NAN]), 0.0);
    }

    #[test]
    fn a_constant_sensor_has_no_range() {
        let mut range = Range::new(1);
        (0..1_000).for_each(|_| range.learn(&[3.5]));
        assert_eq!(range.evidence(&[1e9]), 0.0);
    }
}
