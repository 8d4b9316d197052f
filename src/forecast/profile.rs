//! The usual course of a season: an average of many seasons is less noisy than the last one.

use serde::{Deserialize, Serialize};

use crate::record::raw;

/// Weight of the newest season in the average.
const GAIN: f64 = 0.2;

/// Exponentially weighted value of each phase of one season, as deviation from the level.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Profile {
    #[serde(with = "raw::f64s")]
    phases: Vec<f64>,
    next: usize,
    deviations: [f64; 3],
}

impl Profile {
    /// For seasons of `season` rows; a phase not seen yet is NaN.
    pub(super) fn new(season: usize) -> Self {
        Self { phases: vec![f64::NAN; season], next: 0, deviations: [0.0; 3] }
    }

    /// This course, if it is of the same season as `fresh`.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let season = fresh.phases.len();
        (self.phases.len() == season && self.next < season).then_some(self)
    }

    /// Takes the next row's deviation from the level; NaN leaves its phase as it is.
    pub(super) fn push(&mut self, deviation: f64) {
        let season = self.phases.len();
        let phase = &mut self.phases[self.next];
        self.next = (self.next + 1) % season;
        if deviation.is_nan() {
            return;
        }
        self.deviations.rotate_right(1);
        if phase.is_nan() {
            (*phase, self.deviations[0]) = (deviation, 0.0);
        } else {
            self.deviations[0] = deviation - *phase;
            *phase += GAIN * self.deviations[0];
        }
    }

    /// The usual deviation of the row `h` ahead; `None` if that phase was never seen.
    pub(super) fn ahead(&self, h: usize) -> Option<f64> {
        let value = self.phases[(self.next + h - 1) % self.phases.len()];
        (!value.is_nan()).then_some(value)
    }

    /// How far the newest row was from its usual value, and the mean of the last three.
    pub(super) fn newest(&self) -> [f64; 2] {
        [self.deviations[0], self.deviations.iter().sum::<f64>() / 3.0]
    }

    pub(super) fn state_bytes(&self) -> usize {
        size_of::<Self>() + 8 * self.phases.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_knows_the_phase_ahead_and_how_far_the_newest_row_was_from_it() {
        let mut profile = Profile::new(3);
        assert_eq!(profile.ahead(1), None);
        [1.0, 2.0, 3.0, 1.0].into_iter().for_each(|d| profile.push(d));
        assert_eq!(profile.ahead(1), Some(2.0));
        assert_eq!(profile.ahead(3), Some(1.0));
        profile.push(4.0);
        assert_eq!(profile.newest(), [2.0, 2.0 / 3.0]);
        profile.push(f64::NAN);
        assert_eq!(profile.ahead(1), Some(1.0), "the phase went on");
        assert!((profile.ahead(2).expect("seen") - 2.4).abs() < 1e-12);
    }
}
