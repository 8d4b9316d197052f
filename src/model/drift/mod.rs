//! Drift: has what a network sees or makes of it moved for good, or what it fails to reconstruct grown?
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
    /// By level, see [`Monitors::statistic`].
    #[serde(default)]
    statistic: [f32; 3],
    /// What a stream at fault is compared with: the past, and its faulty windows. Gone as soon as
    /// the stream is calm again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_fault: Option<Box<Self>>,
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
    ///
    /// A window that may not be learned (`learns` is false) is compared as all others, but what is
    /// calm is not compared with it later: the end of a fault is no drift.
    pub fn take(
        &mut self,
        params: &DriftParams,
        (newest, code, error): (&[f32], &[f32], f64),
        learns: bool,
    ) -> Vec<Drifted> {
        if learns {
            self.at_fault = None;
            return self.compare(params, newest, code, error);
        }
        let mut aside = self.at_fault.take().unwrap_or_else(|| Box::new(self.clone()));
        let drifted = aside.compare(params, newest, code, error);
        self.at_fault = Some(aside);
        drifted
    }

    fn compare(
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
        let (mut statistic, mut drifted) = ([0.0_f32; 3], Vec::new());
        for (i, monitor) in self.monitors.iter_mut().enumerate() {
            let (level, part) = place(i, newest.len(), code.len());
            let (ratio, moved) = monitor.end_block(confidence);
            // A network that learns errs less and less.
            let counts = level != DriftLevel::Score || ratio > 0.0;
            let largest = &mut statistic[level as usize];
            *largest = largest.max(if counts { ratio.abs() as f32 } else { 0.0 });
            if let Some(adwin::Moved { before, after }) = moved.filter(|_| counts) {
                drifted.push(Drifted { level, part, before, after });
            }
        }
        self.statistic = statistic;
        drifted
    }

    /// By level how far, at the end of the last block, the mean of a part lay from what it was, over the
    /// bound from which on that is a drift: 1 and above is one.
    pub fn statistic(&self) -> [f32; 3] {
        self.at_fault.as_ref().map_or(self.statistic, |aside| aside.statistic)
    }

    /// Forgets the codes of the past, those of a network that sees `channels` channels: what comes is
    /// told in other coordinates.
    pub fn restart_codes(&mut self, channels: usize) {
        self.at_fault = None;
        let score = self.monitors.len().saturating_sub(1);
        for code in self.monitors.iter_mut().take(score).skip(channels) {
            *code = Monitor::default();
        }
    }

    /// Forgets the past: what comes is compared with itself.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

/// What monitor `i` looks at, if there are so many channels and numbers of the code.
fn place(i: usize, channels: usize, code: usize) -> (DriftLevel, usize) {
    match i {
        i if i < channels => (DriftLevel::Input, i),
        i if i < channels + code => (DriftLevel::Latent, i - channels),
        _ => (DriftLevel::Score, 0),
    }
}

impl Monitor {
    fn end_block(&mut self, confidence: f64) -> (f64, Option<adwin::Moved>) {
        let (sum, seen) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.seen));
        if seen == 0 {
            return (0.0, None);
        }
        self.means.push(sum / f64::from(seen), confidence)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    /// Days of 24 rows with a noise of their own; the level of channel 1 moves within `off`. What
    /// lies within `fault` may not be learned.
    fn run(windows: usize, off: Range<usize>, fault: Range<usize>) -> Vec<(usize, Drifted)> {
        let params = DriftParams { block: 24, ..DriftParams::default() };
        let mut monitors = Monitors::default();
        let mut found = Vec::new();
        for t in 0..windows {
            let day = (t as f32 / 24.0 * std::f32::consts::TAU).sin();
            let jitter = ((t * 7_919 % 1_013) as f32 / 1_013.0 - 0.5) * 0.8;
            let level = if off.contains(&t) { 1.5 } else { 0.0 };
            let newest = [day + jitter, day - jitter + level];
            let error = 0.1 + 0.05 * f64::from(jitter.abs());
            let moved =
                monitors.take(&params, (&newest, &[0.3 * jitter], error), !fault.contains(&t));
            found.extend(moved.into_iter().map(|drifted| (t, drifted)));
        }
        found
    }

    #[test]
    fn the_channel_that_moved_is_named_and_days_are_no_drift() {
        assert_eq!(run(24 * 200, 0..0, 0..0), []);
        let found = run(24 * 200, 24 * 100..usize::MAX, 0..0);
        let (at, first) = found.first().expect("the step is found");
        assert_eq!((first.level, first.part), (DriftLevel::Input, 1));
        assert!(*at < 24 * 120, "after {} blocks", (at - 24 * 100) / 24);
        assert!(first.after > first.before + 0.5, "{first:?}");
        assert!(
            found.iter().all(|(_, d)| (d.level, d.part) == (DriftLevel::Input, 1)),
            "{found:?}"
        );
    }

    /// A network that learns, and whose codes are in other coordinates from window 2,400 on.
    #[test]
    fn learning_and_a_new_latent_space_are_no_drift() {
        let params = DriftParams { block: 24, ..DriftParams::default() };
        let run = |restart: bool, trend: f64| {
            let mut monitors = Monitors::default();
            let mut found = Vec::new();
            for t in 0..4_800 {
                let jitter = (t * 7_919 % 1_013) as f32 / 1_013.0 - 0.5;
                let code = [jitter, if t < 2_400 { 0.4 } else { -0.8 } + jitter];
                if restart && t == 2_400 {
                    monitors.restart_codes(1);
                }
                let error = 0.1 * f64::exp(trend * f64::from(t) / 2_400.0 + f64::from(jitter));
                found.extend(monitors.take(&params, (&[jitter], &code, error), true));
            }
            found
        };
        assert_eq!(run(true, -1.0), []);
        let moved = run(false, -1.0);
        assert!(
            !moved.is_empty() && moved.iter().all(|d| (d.level, d.part) == (DriftLevel::Latent, 1))
        );
        let worse = run(true, 1.0);
        assert!(!worse.is_empty() && worse.iter().all(|d| d.level == DriftLevel::Score));
    }

    /// It rises towards a drift, and falls once that is told.
    #[test]
    fn the_statistic_is_of_now() {
        let params = DriftParams { block: 1, ..DriftParams::default() };
        let (mut monitors, mut seen) = (Monitors::default(), Vec::new());
        for t in 0..400 {
            let jitter = (t * 7_919 % 1_013) as f32 / 1_013.0 - 0.5;
            let level = if t < 200 { 0.0 } else { 1.0 };
            let moved = monitors.take(&params, (&[jitter + level], &[0.0], 0.1), true);
            seen.push((monitors.statistic()[DriftLevel::Input as usize], !moved.is_empty()));
        }
        let told = seen.iter().position(|(_, moved)| *moved).expect("it is told");
        assert!(seen[..200].iter().all(|(ratio, _)| *ratio < 1.0));
        assert!(seen[205].0 > seen[200].0 && seen[told].0 >= 1.0, "{:?}", &seen[200..=told]);
        assert!(seen[399].0 < 1.0, "{:?}", seen[399]);
    }

    #[test]
    fn a_fault_is_told_while_it_lasts_and_its_end_is_no_drift() {
        let fault = 24 * 100..24 * 112;
        let told = run(24 * 200, fault.clone(), fault.clone());
        assert!(!told.is_empty());
        assert!(told.iter().all(|(at, _)| fault.contains(at)), "{told:?}");
    }
}
