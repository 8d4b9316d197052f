//! Counters: a channel that only grows is judged by what it grows by.

use serde::{Deserialize, Serialize};

/// Observed records before a channel is taken for a counter; one that has only grown so far brings no
/// evidence before.
pub(super) const DECIDED: u64 = 500;
/// Records that must have grown, and the largest share of all growth that one may have: a level that
/// has changed once is no counter.
const GROWN_MIN: u64 = 64;
const LARGEST: f64 = 0.2;
/// Of what a counter grows by, the share that noise may take back; and the share from which it is
/// no counter after all.
const BACK: f64 = 0.02;
const TOO_MUCH_BACK: f64 = 0.1;
/// A value below this share of the last one begins at zero again.
const RESET: f64 = 0.5;

/// Whether a channel is a counter, and what it has grown by.
///
/// The mean and spread of a counter grow without end, so that no error has a past to be judged by;
/// what it grows by has. After a reset it has grown by its value, as monitoring systems have it
/// (Prometheus: `increase`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    is: bool,
    /// It has been taken for one and was none.
    rejected: bool,
    observed: u64,
    last: Option<f64>,
    /// Records since the last observed one.
    since: u32,
    grown: u64,
    up: f64,
    down: f64,
    largest: f64,
}

/// What [`Counter::learn`] has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Values mean something else from now on.
    Meaning,
}

impl Counter {
    /// The value to be judged, and what must be added to an expectation of it to make one of the
    /// channel. NaN where there is none.
    pub(super) fn read(&self, value: f64) -> (f64, f64) {
        match self.last {
            _ if !self.is => (value, 0.0),
            None => (f64::NAN, f64::NAN),
            Some(last) if self.is_reset(last, value) => (value, 0.0),
            Some(last) => ((value - last) / f64::from(self.since + 1), last),
        }
    }

    /// Whether it has only grown so far and nothing is decided yet.
    pub(super) fn is_pending(&self) -> bool {
        !self.is && !self.rejected && self.observed < DECIDED && self.grows()
    }

    /// Takes a value in (NaN: not observed).
    pub(super) fn learn(&mut self, value: f64) -> Change {
        if !value.is_finite() {
            self.since = self.since.saturating_add(1);
            return Change::None;
        }
        let last = self.last.replace(value).unwrap_or(value);
        let reset = self.is && self.is_reset(last, value);
        let step = if reset { 0.0 } else { value - last };
        (self.since, self.observed) = (0, self.observed.saturating_add(1));
        self.grown += u64::from(step > 0.0);
        self.up += step.max(0.0);
        self.down += (-step).max(0.0);
        self.largest = self.largest.max(step);
        let is = if self.is {
            self.up.is_finite() && self.down <= TOO_MUCH_BACK * self.up
        } else {
            !self.rejected && self.observed == DECIDED && self.grows()
        };
        if is == self.is {
            return Change::None;
        }
        (self.rejected, self.is) = (self.is, is);
        Change::Meaning
    }

    fn grows(&self) -> bool {
        let steady =
            self.up.is_finite() && self.largest <= LARGEST * self.up && self.grown >= GROWN_MIN;
        steady && self.down <= BACK * self.up
    }

    fn is_reset(&self, last: f64, value: f64) -> bool {
        value >= 0.0 && value < RESET * last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: impl Iterator<Item = f64>) -> (Counter, Vec<f64>) {
        let mut counter = Counter::default();
        let read = values.map(|value| {
            let (read, _) = counter.read(value);
            counter.learn(value);
            read
        });
        let read = read.collect();
        (counter, read)
    }

    #[test]
    fn growth_is_told_after_resets_and_gaps_too() {
        let value = |i: u32| match i {
            600..=602 => f64::NAN,
            ..700 => f64::from(3 * i),
            _ => f64::from(3 * (i - 700)) + 1.0,
        };
        let (counter, read) = told((0..800).map(value));
        assert!(counter.is);
        assert!(read[500..600].iter().chain(&read[603..700]).all(|grown| *grown == 3.0));
        assert_eq!((read[499], read[700], read[701]), (1_497.0, 1.0, 3.0));
        assert_eq!(counter.read(303.0), (5.0, 298.0));
    }

    #[test]
    fn what_is_no_counter_is_left_as_it_is() {
        let day = |i: u32| 10.0 * (f64::from(i) / 45.0).sin() + f64::from(i % 2);
        let step = |i: u32| f64::from(i >= 300);
        let rare = |i: u32| f64::from(i / 100);
        let all: [&dyn Fn(u32) -> f64; 3] = [&day, &step, &rare];
        for value in all {
            let (counter, read) = told((0..2_000).map(value));
            assert!(!counter.is && !counter.is_pending());
            assert!((0..2_000).map(value).eq(read));
        }
        // A slow wave is taken for one while it grows.
        let slow = |i: u32| 100.0 - 100.0 * (f64::from(i) / 300.0).cos();
        let (counter, _) = told((0..5_000).map(slow));
        assert!(!counter.is && counter.rejected);
    }
}
