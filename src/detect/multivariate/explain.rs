//! Which sensors make a row unusual.

use super::Tuning;
use super::memory::Memory;
use super::related::Related;
use super::running::Running;
use super::track::{LEAST, rate};

/// About 99 % of the errors lie within this many standard deviations: their tails are heavier than
/// normal ones (measured on servers and a pump: 98.4 % within 2.58).
const BAND: f64 = 3.0;
/// A sensor is at most so many deviations off: one that never moved has none to measure by.
const MOST: f64 = 100.0;

/// What is expected of one sensor, and its part in the surprise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorView {
    /// Expected value, the sensor's unit.
    pub yhat: f64,
    /// Lower end of the expected band (about 99 %), the sensor's unit.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// How unusual the sensor is or was in the last few rows, in its usual deviations; 0 if missing.
    pub size: f64,
    /// Part in the surprise, 0 to 1; the parts of a row sum to 1.
    pub share: f64,
}

/// Whether one sensor is broken or the whole process is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultHint {
    /// Without this sensor the row would be usual.
    Sensor(usize),
    /// More than one sensor is unusual.
    Process,
}

impl Running {
    /// Every sensor's view of the row that was judged last.
    pub(super) fn explain(&self, tuning: &Tuning) -> Vec<SensorView> {
        let usual = tuning.attr + 1.0;
        let memory = &self.memory;
        let sizes: Vec<f64> = (0..memory.last.seen.len()).map(|j| self.size(j)).collect();
        let sum: f64 = sizes.iter().map(|size| size * size).sum();
        let even = 1.0 / sizes.len().max(1) as f64;
        let view = |(j, size): (usize, f64)| {
            let (yhat, band) = self.expectation(j);
            let share = if sum > 0.0 { size * size / sum } else { even };
            SensorView { yhat, lower: yhat - band, upper: yhat + band, size: size / usual, share }
        };
        sizes.into_iter().enumerate().map(view).collect()
    }

    /// What is expected of sensor `j`, and half the band around it, in its unit: by the rows before or, if
    /// how the sensors go together is what is evident, by the others now.
    fn expectation(&self, j: usize) -> (f64, f64) {
        let memory = &self.memory;
        let (mean, sd) = (memory.sensors.mean(j), memory.sensors.sd(j));
        let others = memory.leading_relation().map(|related| related.off(j));
        if let Some((off, usual)) = others.filter(|(off, _)| off.is_finite()) {
            return (memory.last.values[j] - sd * off, BAND * sd * usual);
        }
        let yhat = mean + sd * f64::from(self.expected.get(j).copied().unwrap_or(0.0));
        (yhat, BAND * sd * memory.errors.sd(j))
    }

    /// How unusual sensor `j` was lately; 0 if it is missing.
    fn size(&self, j: usize) -> f64 {
        let seen = self.memory.last.seen.get(j).is_some_and(|seen| *seen);
        if seen { self.lately.get(j).copied().unwrap_or(0.0) } else { 0.0 }
    }

    /// Remembers how unusual each sensor is, and was in the rows before, fading.
    ///
    /// The largest of the last rows counts: what sets an alert off is often one row, in which most
    /// sensors that are part of it have not moved yet or are back already.
    pub(super) fn remember_sizes(&mut self, tuning: &Tuning) {
        let fade = 1.0 - rate(tuning.attr_hold);
        let Self { memory, lately, .. } = self;
        lately.resize(memory.last.seen.len(), 0.0);
        let related = memory.leading_relation().map(Related::unusual);
        for (j, size) in lately.iter_mut().enumerate() {
            let now = match &related {
                Some(_) if !memory.last.seen[j] => 0.0,
                Some(related) => (tuning.attr + 1.0) * related[j].min(MOST),
                None => unusual(memory, j, tuning),
            };
            *size = (fade * *size).max(now);
        }
    }

    /// Judges the row again with its most unusual sensor repaired: is half the surprise gone? Or,
    /// where how they go together says much, half of the distance?
    pub(super) fn hint(&self, tuning: &Tuning) -> FaultHint {
        let memory = &self.memory;
        let sensors = 0..memory.last.seen.len();
        let top = sensors.max_by(|a, b| self.size(*a).total_cmp(&self.size(*b)));
        let Some(top) = top else { return FaultHint::Process };
        if memory.relation().is_some_and(|related| related.hangs_on(top, &memory.last.seen)) {
            return FaultHint::Sensor(top);
        }
        let tracks = memory.raw.iter().chain(&memory.error_tracks);
        let scores: Vec<Option<f64>> =
            tracks.map(|t| Some(t.score_without(top, &memory.last.seen))).collect();
        if memory.surprise_of(&scores, tuning) < 0.5 * memory.last.surprise {
            FaultHint::Sensor(top)
        } else {
            FaultHint::Process
        }
    }
}

/// `2 |sensor| + |error|`, each in its usual deviations.
///
/// The sensor as it came, neither smoothed nor clipped, against its spread with all that was ever
/// seen: a sensor that has jumped before is less of a reason than one that never did.
fn unusual(memory: &Memory, j: usize, tuning: &Tuning) -> f64 {
    let Memory { raw, error_tracks, sensors, errors, last, .. } = memory;
    let (Some(raw), true) = (raw.first(), last.seen[j]) else { return 0.0 };
    let spread = sensors.whole(j) + LEAST * sensors.sd(j).powi(2);
    let own = (last.values[j] - raw.base(j)).abs() / spread.sqrt();
    let error = error_tracks.first().map_or(0.0, |t| t.unusual(j, errors, tuning.whole));
    // Not a number where squares of numbers near the end of f64 are not.
    tuning.attr * if own.is_nan() { MOST } else { own.min(MOST) } + error
}
