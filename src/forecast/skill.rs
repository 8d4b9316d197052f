//! Live comparison of the ridge with the naive forecasts, per horizon.

use serde::{Deserialize, Serialize};

/// The ridge is replaced only when it is this much worse than the best naive one, and comes back
/// when it is better at all: no flapping at equality.
const TOLERANCE: f64 = 1.02;

/// Discounted mean absolute error of every candidate at one horizon.
///
/// Candidate 0 is the ridge, 1 the last value, the others the seasonal naives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Contest {
    errors: Vec<f64>,
    count: u64,
    ridge_count: u64,
    rate: f64,
    ridge_published: bool,
}

impl Contest {
    pub(super) fn new(seasons: usize, memory: f64) -> Self {
        Self {
            errors: vec![0.0; seasons + 2],
            count: 0,
            ridge_count: 0,
            rate: 1.0 / memory,
            ridge_published: false,
        }
    }

    /// These errors under the settings of `fresh`; `None` if they are of other candidates.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let same = self.errors.len() == fresh.errors.len();
        same.then_some(Self { rate: fresh.rate, ..self })
    }

    /// Takes the absolute error of each candidate; NaN for one that made no forecast.
    pub(super) fn learn(&mut self, errors: impl Iterator<Item = f64>) {
        self.count += 1;
        let rate = self.rate.max(1.0 / self.count as f64);
        for (i, (mean, error)) in self.errors.iter_mut().zip(errors).enumerate() {
            if error.is_nan() {
                continue;
            }
            // The ridge begins later than the rest and must not inherit their zero start.
            let own = if i == 0 {
                self.ridge_count += 1;
                self.rate.max(1.0 / self.ridge_count as f64)
            } else {
                rate
            };
            *mean += own * (error - *mean);
        }
        let best = self.errors[self.best_naive()];
        let limit = if self.ridge_published { TOLERANCE * best } else { best };
        self.ridge_published = self.ridge_count >= 24 && self.errors[0] <= limit;
    }

    /// Whether the ridge is published at this horizon.
    pub(super) fn ridge_is_published(&self) -> bool {
        self.ridge_published
    }

    /// Index of the best naive candidate; the longest season until there is evidence.
    pub(super) fn best_naive(&self) -> usize {
        let naive = 1..self.errors.len();
        if self.count == 0 {
            return self.errors.len() - 1;
        }
        naive.min_by(|a, b| self.errors[*a].total_cmp(&self.errors[*b])).unwrap_or(1)
    }

    /// Discounted mean absolute errors: ridge, last value, best seasonal naive (last value
    /// without seasons); `None` before the ridge was ever checked.
    pub(super) fn mean_errors(&self) -> Option<[f64; 3]> {
        let seasonal = self.errors[2..].iter().copied().fold(f64::INFINITY, f64::min);
        let seasonal = if seasonal.is_finite() { seasonal } else { self.errors[1] };
        (self.ridge_count > 0).then_some([self.errors[0], self.errors[1], seasonal])
    }

    /// Forecasts checked.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.errors.len() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ridge_is_published_when_better_and_withdrawn_when_worse() {
        let mut contest = Contest::new(1, 50.0);
        assert_eq!(contest.best_naive(), 2, "the season, until there is evidence");
        (0..23).for_each(|_| contest.learn([1.0, 3.0, 2.0].into_iter()));
        assert!(!contest.ridge_is_published(), "too little evidence");
        contest.learn([1.0, 3.0, 2.0].into_iter());
        assert!(contest.ridge_is_published());
        (0..200).for_each(|_| contest.learn([9.0, 3.0, 2.0].into_iter()));
        assert!(!contest.ridge_is_published());
        assert_eq!(contest.best_naive(), 2);
    }
}
