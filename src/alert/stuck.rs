//! Channels that repeat one value, or say nothing more, although they normally move.

use serde::{Deserialize, Serialize};

/// Moves after which a channel is known to move at all.
const MOVES_MIN: u32 = 16;
/// A run is unusual if it is so many times longer than any before it.
const LONGER: u32 = 4;

/// Runs of equal values of the channels of one series.
///
/// A channel is stuck when a run reaches `stuck_after` rows and is 4 times longer than every run
/// of its past, and it has moved at least 16 times. A channel that is constant by nature has never
/// moved; one that changes its value once a day has long runs behind it. Runs that were told are
/// not taken for normal, unless they were accepted. Missing values are passed over; but a channel that
/// has none for as long while others have is stuck, too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stuck {
    channels: Vec<Runs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Runs {
    value: f64,
    run: u32,
    longest: u32,
    moves: u32,
    /// The present run was an alarm.
    told: bool,
    /// Rows without a value since the last one, while others had some, and the most of before.
    #[serde(default)]
    missing: u32,
    #[serde(default)]
    longest_missing: u32,
}

impl Stuck {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Forgets what is about another number of channels.
    #[must_use]
    pub fn fitting(self, channels: usize) -> Self {
        if self.channels.len() == channels { self } else { Self::default() }
    }

    /// Takes a row. Returns the score of the channel that is stuck most: at 1 and above it is
    /// stuck, 2 is twice as long as needed for that.
    pub fn step(&mut self, stuck_after: u32, values: &[f64]) -> f64 {
        self.channels.resize(values.len(), Runs::NEW);
        let anyone = values.iter().any(|value| !value.is_nan());
        let step = |(runs, value): (&mut Runs, &f64)| match anyone {
            true => runs.step(stuck_after, *value),
            false => runs.score(stuck_after),
        };
        self.channels.iter_mut().zip(values).map(step).fold(0.0, f64::max)
    }

    /// Score of one channel as it is now.
    pub fn score(&self, stuck_after: u32, channel: usize) -> f64 {
        self.channels.get(channel).map_or(0.0, |runs| runs.score(stuck_after))
    }

    /// The runs of now are normal from now on.
    pub fn accept(&mut self) {
        for runs in &mut self.channels {
            runs.longest = runs.longest.max(runs.run);
            runs.longest_missing = runs.longest_missing.max(runs.missing);
            runs.told = false;
        }
    }
}

impl Runs {
    const NEW: Self = Self {
        value: f64::NAN,
        run: 0,
        longest: 0,
        moves: 0,
        told: false,
        missing: 0,
        longest_missing: 0,
    };

    fn step(&mut self, stuck_after: u32, value: f64) -> f64 {
        if value.is_nan() {
            self.missing = self.missing.saturating_add(1);
            let score = self.score(stuck_after);
            self.told |= score >= 1.0;
            return score;
        }
        if !self.told {
            self.longest_missing = self.longest_missing.max(self.missing);
        }
        self.missing = 0;
        if value == self.value {
            self.run = self.run.saturating_add(1);
        } else {
            if !self.told {
                self.longest = self.longest.max(self.run);
            }
            let moved = u32::from(!self.value.is_nan());
            (self.value, self.run, self.told) = (value, 1, false);
            self.moves = self.moves.saturating_add(moved);
        }
        let score = self.score(stuck_after);
        self.told |= score >= 1.0;
        score
    }

    fn score(&self, stuck_after: u32) -> f64 {
        if self.moves < MOVES_MIN {
            return 0.0;
        }
        let part = |rows: u32, longest: u32| {
            let needed = stuck_after.max(LONGER.saturating_mul(longest));
            f64::from(rows) / f64::from(needed.max(1))
        };
        part(self.run, self.longest).max(part(self.missing, self.longest_missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows at which a channel with these values is stuck.
    fn stuck(values: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let mut state = Stuck::default();
        let scores = values.into_iter().map(|value| state.step(10, &[value]));
        scores.enumerate().filter(|(_, score)| *score >= 1.0).map(|(row, _)| row).collect()
    }

    #[test]
    fn a_channel_that_moves_is_stuck_after_ten_equal_values() {
        let moving = (0..40).map(f64::from);
        assert_eq!(stuck(moving.chain([7.0; 12])), [49, 50, 51]);
        let gaps = (0..40).map(f64::from).chain([7.0, f64::NAN].repeat(10));
        assert_eq!(stuck(gaps), [58, 59], "missing values are passed over");
    }

    #[test]
    fn a_channel_that_says_nothing_while_others_do_is_stuck() {
        let mut state = Stuck::default();
        let none = f64::NAN;
        let mut over = |row: [f64; 2]| state.step(10, &row) >= 1.0;
        // Once without a value for 3 rows: 12 are unusual.
        let seen = |i: i32| if (60..63).contains(&i) { none } else { f64::from(i) };
        assert!((0..100).all(|i| !over([seen(i), f64::from(i)])));
        let rows: Vec<bool> = (0..14).map(|i| over([none, f64::from(i)])).collect();
        assert_eq!(rows.iter().position(|over| *over), Some(11));
        assert!(!over([1.0, 0.5]), "it is back");
        assert!((0..50).all(|_| !over([none, none])), "nobody has spoken");
    }

    #[test]
    fn a_channel_that_is_constant_by_nature_is_not() {
        let never: [usize; 0] = [];
        assert_eq!(stuck([21.5; 5_000]), never);
        assert_eq!(stuck((0..5_000).map(|row| f64::from(row / 500))), never, "a set point");
        // Zeros at night.
        let nights = (0..5_000).map(|row| if row % 100 < 30 { 0.0 } else { f64::from(row) });
        let mut state = Stuck::default();
        let scores: Vec<f64> = nights.skip(50).map(|value| state.step(200, &[value])).collect();
        assert!(scores.iter().all(|score| *score < 1.0));
        assert_eq!(state.channels[0].longest, 30);
    }
}
