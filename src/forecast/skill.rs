//! Live comparison of the mix with the naive forecasts, per group of horizons.

use serde::{Deserialize, Serialize};

use super::design::Design;
use crate::record::{HorizonGroup, raw};

/// The mix comes back only when it is this much better than the best seasonal naive: no flapping.
const COME_BACK: f64 = 0.01;

/// Seasons after which an error counts half.
const HALF_LIVES: [f64; 2] = [7.0, 28.0];
/// Index of the long memory.
const LONG: usize = 1;

/// Group of a horizon: within a quarter of the shortest season, within it, beyond it.
pub(super) fn group_of(design: &Design, horizon: usize) -> HorizonGroup {
    match design.pace {
        pace if horizon <= pace.div_ceil(4) => HorizonGroup::Near,
        pace if horizon <= pace => HorizonGroup::Season,
        _ => HorizonGroup::Beyond,
    }
}

/// Discounted errors of the candidates: the mix, the last value, then each seasonal naive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Memory {
    #[serde(with = "raw::f64s")]
    errors: Vec<f64>,
    keep: f64,
}

/// The candidates at one group of horizons, over a short and a long memory. A naive forecast must have
/// been better over both to take the place of the mix, so that neither a bad week nor a bad start long ago
/// is enough. The skill that is told is that of the long memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Contest {
    memories: [Memory; 2],
    /// Discounted count behind the long memory.
    count: f64,
    checked: u64,
    needed: f64,
    /// The mix is what is published.
    mix: bool,
}

impl Memory {
    fn new(candidates: usize, rows: f64) -> Self {
        Self { errors: vec![0.0; candidates], keep: 0.5_f64.powf(1.0 / rows) }
    }

    fn learn(&mut self, errors: &[f64]) {
        let keep = self.keep;
        self.errors.iter_mut().zip(errors).for_each(|(sum, e)| *sum = *sum * keep + e);
    }

    /// Index of the best seasonal naive; the shortest season without evidence.
    fn best_naive(&self) -> usize {
        let naive = 2..self.errors.len();
        let best = naive.min_by(|a, b| self.errors[*a].total_cmp(&self.errors[*b]));
        best.unwrap_or(1)
    }

    fn skill(&self, baseline: usize) -> f64 {
        let baseline = self.errors[baseline];
        if baseline > 0.0 { 1.0 - self.errors[0] / baseline } else { 0.0 }
    }
}

impl Contest {
    /// `horizons`: how many belong to the group; `pace`: rows of a season.
    pub(super) fn new(seasons: usize, horizons: usize, pace: usize) -> Self {
        let rows = (horizons * pace) as f64;
        Self {
            memories: HALF_LIVES.map(|half| Memory::new(2 + seasons, half * rows)),
            count: 0.0,
            checked: 0,
            needed: 0.5 * rows,
            mix: false,
        }
    }

    pub(super) fn is_like(&self, fresh: &Self) -> bool {
        let mut pairs = self.memories.iter().zip(&fresh.memories);
        pairs.all(|(a, b)| a.errors.len() == b.errors.len())
    }

    /// Takes the errors of all candidates for one truth; a NaN (nothing was said) leaves it out.
    pub(super) fn learn(&mut self, errors: &[f64]) {
        if errors.iter().any(|e| e.is_nan()) {
            return;
        }
        self.memories.iter_mut().for_each(|memory| memory.learn(errors));
        self.count = self.count * self.memories[LONG].keep + 1.0;
        self.checked += 1;
        let least = if self.mix { 0.0 } else { COME_BACK };
        self.mix = self.count > self.needed && self.best_skill() >= least;
    }

    fn best_skill(&self) -> f64 {
        let skills = self.memories.iter().map(|memory| memory.skill(memory.best_naive()));
        skills.fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether the mix is published.
    pub(super) fn publishes_mix(&self) -> bool {
        self.mix
    }

    /// The season whose naive forecast is best so far.
    pub(super) fn best_season(&self) -> usize {
        self.memories[LONG].best_naive() - 2
    }

    /// `1 - error of the mix / error of the baseline` against the last value and the best seasonal
    /// naive; `None` without evidence.
    pub(super) fn skill(&self) -> Option<[f64; 2]> {
        let memory = &self.memories[LONG];
        (self.count > 0.0).then(|| [1, memory.best_naive()].map(|at| memory.skill(at)))
    }

    /// Discounted mean errors of the mix, the last value, the best seasonal naive.
    pub(super) fn means(&self) -> Option<[f64; 3]> {
        let memory = &self.memories[LONG];
        let at = [0, 1, memory.best_naive()];
        (self.count > 0.0).then(|| at.map(|i| memory.errors[i] / self.count))
    }

    /// Forecasts checked: pairs of row and horizon.
    pub(super) fn checked(&self) -> u64 {
        self.checked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_published_when_better_and_withdrawn_when_worse() {
        let mut contest = Contest::new(2, 1, 24);
        assert_eq!((contest.publishes_mix(), contest.best_season()), (false, 0));
        (0..12).for_each(|_| contest.learn(&[1.0, 3.0, 2.0, 1.5]));
        assert!(!contest.publishes_mix(), "too little evidence");
        (0..2).for_each(|_| contest.learn(&[1.0, 3.0, 2.0, 1.5]));
        assert!(contest.publishes_mix());
        assert_eq!(contest.best_season(), 1);
        (0..2_000).for_each(|_| contest.learn(&[2.0, 3.0, 1.5, 2.5]));
        assert!(!contest.publishes_mix());
        assert_eq!(contest.best_season(), 0);
        let [last, naive] = contest.skill().expect("checked");
        assert!(last > 0.3 && naive < -0.3, "{last} {naive}");
        (0..3_000).for_each(|_| contest.learn(&[1.495, 3.0, 1.5, 2.5]));
        assert!(!contest.publishes_mix(), "not by so little");
    }
}
