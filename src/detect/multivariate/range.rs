//! Evidence of range: a value beyond all that calm rows have shown.

use serde::{Deserialize, Serialize};

use super::exceedance::Exceedances;
use crate::record::raw;

/// Excess, in ranges, over which the chance falls by a factor e beyond the largest one known.
const SCALE: f64 = 0.25;
/// Sensors are held against what others have shown, too, up to so many ranges: what is usual of one is of
/// another, but an error code of one is not.
const OF_OTHERS: f64 = 0.5;
/// Rows in which a sensor must have been seen before its range means anything.
const KNOWN: f64 = 200.0;
/// Rows after which what was seen counts half: excesses of long ago are none of today's.
const HALF_LIFE: f64 = 20_000.0;
/// A range is that of this many rows at least, and of twice as many at most: longer than the period of
/// what comes back, shorter than for ever.
const GENERATION: u32 = 100_000;

/// The range of each sensor on calm rows, and how far calm rows have left it.
///
/// A row's excess is how far it lies beyond the range of the calm rows before it, in ranges, of the
/// sensor that is furthest out. How rare it is, is counted ([`Exceedances`]); beyond the largest excess
/// known of the same sensor (of others up to half a range) the chance falls exponentially: an error
/// code of one sensor says nothing of how far another goes. Smoothed statistics need many rows for what this tells at
/// once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Range {
    #[serde(with = "raw::f64s")]
    low: Vec<f64>,
    #[serde(with = "raw::f64s")]
    high: Vec<f64>,
    /// Lowest, then highest values since the generation began, `(2 p,)`; empty in an old state.
    #[serde(default, with = "raw::f64s")]
    recent: Vec<f64>,
    /// Rows of the generation.
    #[serde(default)]
    age: u32,
    /// Rows in which a sensor was seen.
    #[serde(with = "raw::f64s")]
    seen: Vec<f64>,
    #[serde(default)]
    excesses: Exceedances,
    /// Largest excess of each sensor, in this generation and the one before, and in the fault that lasts,
    /// `(3 p,)`; empty in an old state.
    #[serde(default, with = "raw::f64s")]
    most: Vec<f64>,
}

impl Range {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            low: vec![f64::INFINITY; channels],
            high: vec![f64::NEG_INFINITY; channels],
            recent: Vec::new(),
            age: 0,
            seen: vec![0.0; channels],
            excesses: Exceedances::default(),
            most: Vec::new(),
        }
    }

    pub(super) fn fits(&self, channels: usize) -> bool {
        [&self.low, &self.high, &self.seen].iter().all(|list| list.len() == channels)
            && (self.recent.is_empty() || self.recent.len() == 2 * channels)
            && (self.most.is_empty() || self.most.len() == 3 * channels)
            && self.excesses.fits()
    }

    /// `-log10` of the chance that a calm row leaves the range as far as this one, 0 inside of it.
    pub(super) fn evidence(&self, values: &[f64]) -> f64 {
        let nats = |(j, excess): (usize, f64)| {
            let beyond = ((excess - self.most(j)) / SCALE).clamp(0.0, 600.0);
            beyond - self.excesses.share(excess).ln()
        };
        let all = values.iter().enumerate().map(|(j, x)| (j, self.excess(j, *x)));
        let out = all.filter(|(_, excess)| *excess > 0.0);
        out.map(nats).fold(0.0, f64::max) / std::f64::consts::LN_10
    }

    /// Largest excess that is remembered of a sensor.
    fn most(&self, j: usize) -> f64 {
        if self.most.is_empty() {
            return self.excesses.most();
        }
        let p = self.low.len();
        let others = self.excesses.most().min(OF_OTHERS);
        self.most[j].max(self.most[p + j]).max(others)
    }

    /// Takes note of how far each sensor is out; in a fault that lasts, for after it. Returns how far the
    /// row lies out.
    fn note(&mut self, values: &[f64], fault: bool) -> f64 {
        let p = self.low.len();
        self.most.resize(3 * p, 0.0);
        let mut furthest = 0.0_f64;
        for (j, x) in values.iter().enumerate() {
            let excess = self.excess(j, *x);
            furthest = furthest.max(excess);
            if fault {
                self.most[2 * p + j] = self.most[2 * p + j].max(excess);
            } else {
                let after = std::mem::take(&mut self.most[2 * p + j]);
                self.most[j] = self.most[j].max(excess).max(after);
            }
        }
        furthest
    }

    /// Takes a calm row in.
    pub(super) fn learn(&mut self, values: &[f64]) {
        let excess = self.note(values, false);
        self.excesses.learn(excess, 1.0, HALF_LIFE);
        self.grow_old();
        let p = values.len();
        for (j, x) in values.iter().enumerate().filter(|(_, x)| x.is_finite()) {
            self.low[j] = self.low[j].min(*x);
            self.high[j] = self.high[j].max(*x);
            self.recent[j] = self.recent[j].min(*x);
            self.recent[p + j] = self.recent[p + j].max(*x);
            self.seen[j] += 1.0;
        }
    }

    /// Takes note of a row while an alert fires: the range stays, but that it was left counts, once for
    /// all rows in a row. What comes back as often as alerts are allowed for is not unusual.
    pub(super) fn pass(&mut self, values: &[f64]) {
        let excess = self.note(values, true);
        self.excesses.pass(excess, 1.0, HALF_LIFE);
    }

    /// At the end of a generation the range is what it has shown; of a sensor that was not seen, what it
    /// was.
    fn grow_old(&mut self) {
        let p = self.low.len();
        if self.recent.is_empty() {
            self.recent = [&self.low[..], &self.high[..]].concat();
        }
        self.age += 1;
        if self.age < GENERATION {
            return;
        }
        self.age = 0;
        for j in (0..p).filter(|j| self.recent[*j] <= self.recent[p + j]) {
            (self.low[j], self.high[j]) = (self.recent[j], self.recent[p + j]);
        }
        self.most.copy_within(..p, p);
        self.most[..p].fill(0.0);
        self.recent[..p].fill(f64::INFINITY);
        self.recent[p..].fill(f64::NEG_INFINITY);
    }

    /// How far a value of a sensor lies out, in ranges; one that has not moved has none.
    fn excess(&self, j: usize, x: f64) -> f64 {
        let range = self.high[j] - self.low[j];
        let known = self.seen[j] >= KNOWN && range > 0.0 && range.is_finite();
        let out = (x - self.high[j]).max(self.low[j] - x);
        if known && out > 0.0 { out / range } else { 0.0 }
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

    /// An error code of one sensor says nothing of how far another goes.
    #[test]
    fn sensors_are_held_against_their_own_excesses() {
        let mut range = Range::new(2);
        calm(2_000, 2).iter().for_each(|row| range.learn(row));
        let clear = range.evidence(&[0.0, 14.0]);
        range.pass(&[-9_999.0, 0.0]);
        calm(100, 2).iter().for_each(|row| range.learn(row));
        let after = range.evidence(&[0.0, 14.0]);
        assert!(after > 5.0 && clear - after < 1.0, "{clear} before, {after} after");
        assert!(range.evidence(&[14.0, 0.0]) < 4.0, "of its own it does");
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

    /// A counter leaves its range with every row.
    #[test]
    fn what_happens_all_the_time_is_not_evident() {
        let mut range = Range::new(1);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut over = 0;
        for i in 0..60_000 {
            let x = 1e6 + 0.5 * f64::from(i) + 0.2 * rng.r#gen::<f64>();
            over += u32::from(range.evidence(&[x]) >= 2.0);
            range.learn(&[x]);
        }
        assert!(over <= 60, "{over}");
        assert!(range.evidence(&[1e6 + 60_000.0]) > 3.7);
    }

    #[test]
    fn a_range_of_long_ago_is_forgotten() {
        let mut range = Range::new(2);
        range.learn(&[-9_999.0, 7.0]);
        for _ in 0..220 {
            calm(1_000, 1).iter().for_each(|row| range.learn(&[row[0], f64::NAN]));
        }
        assert!(range.evidence(&[-100.0, f64::NAN]) > 6.0);
        assert!((range.low[1], range.high[1]) == (7.0, 7.0), "not seen since");
    }

    #[test]
    fn a_constant_sensor_has_no_range() {
        let mut range = Range::new(1);
        (0..1_000).for_each(|_| range.learn(&[3.5]));
        assert_eq!(range.evidence(&[1e9]), 0.0);
    }
}
