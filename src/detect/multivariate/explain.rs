//! Which sensors make a row unusual.

use super::Tuning;
use super::memory::Memory;
use super::running::Running;

/// About 99 % of the errors lie within this many standard deviations: their tails are heavier than
/// normal ones (measured on servers and a pump: 98.4 % within 2.58).
const BAND: f64 = 3.0;

/// What is expected of one sensor, and its part in the surprise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorView {
    /// Expected value, the sensor's unit.
    pub yhat: f64,
    /// Lower end of the expected band (about 99 %), the sensor's unit.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// How unusual the sensor is, in its usual deviations; 0 if missing.
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
        let memory = &self.memory;
        let sizes: Vec<f64> = (0..memory.last.seen.len()).map(|j| self.size(j, tuning)).collect();
        let sum: f64 = sizes.iter().map(|size| size * size).sum();
        let even = 1.0 / sizes.len().max(1) as f64;
        let view = |(j, size): (usize, f64)| {
            let (mean, sd) = (memory.sensors.mean(j), memory.sensors.sd(j));
            let yhat = mean + sd * f64::from(self.expected.get(j).copied().unwrap_or(0.0));
            let band = BAND * sd * memory.errors.sd(j);
            let share = if sum > 0.0 { size * size / sum } else { even };
            SensorView { yhat, lower: yhat - band, upper: yhat + band, size: size / 3.0, share }
        };
        sizes.into_iter().enumerate().map(view).collect()
    }

    /// `2 |sensor| + |error|`, each in its usual deviations.
    fn size(&self, j: usize, tuning: &Tuning) -> f64 {
        let Memory { raw, error_tracks, sensors, errors, .. } = &self.memory;
        let raw = raw.first().map_or(0.0, |t| t.unusual(j, sensors, tuning.whole));
        let error = error_tracks.first().map_or(0.0, |t| t.unusual(j, errors, tuning.whole));
        tuning.attr * raw + error
    }

    /// Judges the row again with its most unusual sensor repaired: is half the surprise gone?
    pub(super) fn hint(&self, tuning: &Tuning) -> FaultHint {
        let memory = &self.memory;
        let sensors = 0..memory.last.seen.len();
        let top = sensors.max_by(|a, b| self.size(*a, tuning).total_cmp(&self.size(*b, tuning)));
        let Some(top) = top else { return FaultHint::Process };
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
