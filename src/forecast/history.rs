//! The past of one target: values with gaps filled, level and scale.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Longest memory of level and scale, in rows, when there is no season.
const MEMORY_MIN: f64 = 64.0;
/// Scaled values are cut here.
const CLIP: f64 = 6.0;

/// Level and scale at the origin of a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Norm {
    pub(super) level: f64,
    pub(super) scale: f64,
}

impl Norm {
    /// `nz(value)`: scaled and cut to ±6.
    pub(super) fn apply(self, value: f64) -> f64 {
        ((value - self.level) / self.scale).clamp(-CLIP, CLIP)
    }

    /// The value behind a scaled one.
    pub(super) fn invert(self, scaled: f64) -> f64 {
        self.level + self.scale * scaled
    }
}

/// The last values, oldest first, and running level and scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct History {
    values: VecDeque<f64>,
    capacity: usize,
    season: usize,
    memory: f64,
    observed: u64,
    level: f64,
    spread: f64,
    lowest: f64,
}

impl History {
    /// Keeps `capacity` values; `season` fills gaps and sets the memory (1 for none).
    pub(super) fn new(capacity: usize, season: usize) -> Self {
        Self {
            values: VecDeque::new(),
            capacity,
            season,
            memory: (4.0 * season as f64).max(MEMORY_MIN),
            observed: 0,
            level: 0.0,
            spread: 0.0,
            lowest: f64::INFINITY,
        }
    }

    /// This past, if it is of the same season and not longer than `fresh` may hold.
    pub(super) fn adopt(self, fresh: &Self) -> Option<Self> {
        let same = (self.capacity, self.season) == (fresh.capacity, fresh.season);
        (same && self.values.len() <= fresh.capacity)
            .then_some(Self { memory: fresh.memory, ..self })
    }

    /// Takes the next row; NaN is filled with the value a season ago, else the last one.
    pub(super) fn push(&mut self, y: f64) {
        if !y.is_nan() {
            self.learn(y);
        }
        let filled = if y.is_nan() { self.back(self.season - 1).or(self.back(0)) } else { Some(y) };
        // Rows before the first value are not part of the history.
        let Some(filled) = filled else { return };
        if self.values.len() == self.capacity {
            self.values.pop_front();
        }
        self.values.push_back(filled);
    }

    fn learn(&mut self, y: f64) {
        self.observed += 1;
        let rate = (1.0 / self.observed as f64).max(1.0 / self.memory);
        self.level += rate * (y - self.level);
        self.spread += rate * ((y - self.level).abs() - self.spread);
        self.lowest = self.lowest.min(y);
    }

    /// The value `rows` before the newest.
    pub(super) fn back(&self, rows: usize) -> Option<f64> {
        let at = self.values.len().checked_sub(rows + 1)?;
        self.values.get(at).copied()
    }

    /// The last known value at the same phase of `season` as the row `h` ahead.
    pub(super) fn seasonal(&self, season: usize, h: usize) -> Option<f64> {
        self.back(h.div_ceil(season) * season - h)
    }

    /// Level and scale now; the scale is 1.25 mean absolute deviations, never 0.
    pub(super) fn norm(&self) -> Norm {
        let floor = 1e-6 * self.level.abs() + 1e-9;
        Norm { level: self.level, scale: (1.25 * self.spread).max(floor) }
    }

    /// Values that were observed, ever.
    pub(super) fn observed(&self) -> u64 {
        self.observed
    }

    /// Smallest value ever observed.
    pub(super) fn lowest(&self) -> f64 {
        self.lowest
    }

    pub(super) fn state_bytes(&self) -> usize {
        self.capacity * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_from_a_season_ago_and_the_seasonal_value_has_the_phase_of_the_target() {
        let mut history = History::new(12, 4);
        history.push(f64::NAN);
        assert_eq!(history.back(0), None);
        (0..6).for_each(|i| history.push(f64::from(i)));
        history.push(f64::NAN);
        assert_eq!(history.back(0), Some(2.0), "row 6 has the phase of row 2");
        assert_eq!(history.seasonal(4, 1), Some(3.0), "row 7 was last seen as row 3");
        assert_eq!(history.seasonal(4, 5), Some(3.0), "and so was row 11");
        assert_eq!(history.seasonal(4, 4), Some(2.0));
        assert_eq!(history.observed(), 6);
    }
}
