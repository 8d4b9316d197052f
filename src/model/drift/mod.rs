//! Drift: has what a network sees, makes of it, or fails to reconstruct, moved for good?
//!
//! Each channel of the newest row, each number of the code, and the logarithm of the reconstruction
//! error has a window of its own (`adwin`). Neighbouring windows of a series hold nearly the same
//! rows, and days repeat: what is compared are means over blocks of windows, whose own variance
//! is the yardstick.

mod adwin;

use serde::{Deserialize, Serialize};

use super::DriftParams;
use crate::record::DriftLevel;
use adwin::Adwin;

/// Smallest error whose logarithm is taken: below it a network is exact.
const ERROR_MIN: f64 = 1e-6;

/// One network's view of its stream over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Monitors {
    monitors: Vec<Monitor>,
    /// Windows in the present block.
    windows: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Monitor {
    sum: f64,
    seen: u32,
    means: Adwin,
}

/// Something has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drifted {
    /// What.
    pub level: DriftLevel,
    /// Channel or number of the code; 0 for the score.
    pub part: usize,
    /// Mean before, in scaled units; of the score the natural logarithm of the mean squared error.
    pub before: f64,
    /// Mean since.
    pub after: f64,
}

impl Monitors {
    /// Takes a scored window: newest row and code in scaled units (NaN where not observed), mean
    /// squared reconstruction error. Returns what has moved, at the end of a block.
    pub fn take(
        &mut self,
        params: &DriftParams,
        newest: &[f32],
        code: &[f32],
        error: f64,
    ) -> Vec<Drifted> {
        let score = error.max(ERROR_MIN).ln();
        let numbers = newest.iter().chain(code).map(|x| f64::from(*x)).chain([score]);
        self.monitors.resize_with(newest.len() + code.len() + 1, Monitor::default);
        for (monitor, x) in self.monitors.iter_mut().zip(numbers).filter(|(_, x)| x.is_finite()) {
            monitor.sum += x;
            monitor.seen += 1;
        }
        self.windows += 1;
        if self.windows < params.block {
            return Vec::new();
        }
        self.windows = 0;
        // So many looks at one stream: Bonferroni.
        let confidence = params.confidence.get() / self.monitors.len() as f64;
        let place = |i: usize| match i {
            i if i < newest.len() => (DriftLevel::Input, i),
            i if i < newest.len() + code.len() => (DriftLevel::Latent, i - newest.len()),
            _ => (DriftLevel::Score, 0),
        };
        let ends = self.monitors.iter_mut().enumerate();
        ends.filter_map(|(i, monitor)| {
            let moved = monitor.end_block(confidence)?;
            let (level, part) = place(i);
            Some(Drifted { level, part, before: moved.before, after: moved.after })
        })
        .collect()
    }

    /// Forgets the past: what comes is compared with itself.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

impl Monitor {
    fn end_block(&mut self, confidence: f64) -> Option<adwin::Moved> {
        let (sum, seen) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.seen));
        if seen == 0 {
            return None;
        }
        self.means.push(sum / f64::from(seen), confidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of 24 rows with a noise of their own; the level of channel 1 moves at `step`.
    fn run(windows: usize, step: usize) -> Vec<(usize, Drifted)> {
        let params = DriftParams { block: 24, ..DriftParams::default() };
        let mut monitors = Monitors::default();
        let mut found = Vec::new();
        for t in 0..windows {
            let day = (t as f32 / 24.0 * std::f32::consts::TAU).sin();
            let jitter = ((t * 7_919 % 1_013) as f32 / 1_013.0 - 0.5) * 0.8;
            let level = if t < step { 0.0 } else { 1.5 };
            let newest = [day + jitter, day - jitter + level];
            let moved =
                monitors.take(&params, &newest, &[0.3 * jitter], 0.1 + 0.05 * jitter.abs() as f64);
            found.extend(moved.into_iter().map(|drifted| (t, drifted)));
        }
        found
    }

    #[test]
    fn the_channel_that_moved_is_named_and_days_are_no_drift() {
        assert_eq!(run(24 * 200, usize::MAX), []);
        let found = run(24 * 200, 24 * 100);
        let (at, first) = found.first().expect("the step is found");
        assert_eq!((first.level, first.part), (DriftLevel::Input, 1));
        assert!(*at < 24 * 120, "after {} blocks", (at - 24 * 100) / 24);
        assert!(first.after > first.before + 0.5, "{first:?}");
        assert!(
            found.iter().all(|(_, d)| (d.level, d.part) == (DriftLevel::Input, 1)),
            "{found:?}"
        );
    }
}
