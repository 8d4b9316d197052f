//! What is done to the sensors of a machine, and when.

use std::fmt;

use rand::Rng as _;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::noise::{Purpose, Rng, stream};
use super::params::{DAY, HOUR, MINUTE, SimParams};
use super::plant::{self, SENSORS};
use crate::record::{EventTime, Millis, SeriesKey};

/// Kind of an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// One to three minutes far off.
    Spike,
    /// A constant offset for hours.
    LevelShift,
    /// The last value, again and again.
    Stuck,
    /// An offset that grows from nothing.
    Drift,
    /// The sensor's noise many times over.
    Noise,
    /// The sensor follows another load than the machine's: each value alone looks normal.
    BrokenCorrelation,
}

impl FaultKind {
    /// Every kind, in the order of summaries.
    pub const ALL: [Self; 6] = [
        Self::Spike,
        Self::LevelShift,
        Self::Stuck,
        Self::Drift,
        Self::Noise,
        Self::BrokenCorrelation,
    ];

    /// Shortest and longest duration in minutes; size in standard deviations of the sensor's
    /// noise (for `Noise` the factor); most sensors hit at once.
    fn scale(self) -> ([i64; 2], [f64; 2], usize) {
        match self {
            Self::Spike => ([1, 3], [15.0, 25.0], 2),
            Self::LevelShift => ([120, 360], [8.0, 14.0], 2),
            Self::Stuck => ([180, 480], [0.0, 0.0], 1),
            Self::Drift => ([360, 720], [12.0, 20.0], 1),
            Self::Noise => ([120, 360], [5.0, 9.0], 1),
            Self::BrokenCorrelation => ([240, 480], [0.0, 0.0], 1),
        }
    }
}

/// The kind in words: `level shift`.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Spike => "spike",
            Self::LevelShift => "level shift",
            Self::Stuck => "stuck",
            Self::Drift => "drift",
            Self::Noise => "noise",
            Self::BrokenCorrelation => "broken correlation",
        })
    }
}

/// One injected fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// The machine.
    pub entity: SeriesKey,
    /// The sensors that show it; all others stay as they would have been.
    pub sensors: Vec<&'static str>,
    /// First altered instant.
    pub start: EventTime,
    /// First unaltered instant after it.
    pub end: EventTime,
    /// Standard deviations of the sensor's noise, signed; for noise its factor; 0 if unused.
    pub size: f64,
}

impl Fault {
    /// Share of the fault that has passed after the minute of `time`, above 0 and up to 1.
    pub(super) fn progress(&self, time: EventTime) -> f64 {
        let minute = Millis::new(MINUTE);
        let length = (self.end - self.start).get().max(1) as f64;
        (((time + minute) - self.start).get() as f64 / length).clamp(0.0, 1.0)
    }
}

/// The faults of one machine by start: after the warm-up, each `recovery` and up to a day more
/// after the one before. Every kind comes once before any comes again.
pub(super) fn schedule(seed: u64, machine: usize, params: &SimParams) -> Vec<Fault> {
    let mut rng = stream(seed, Purpose::Faults, machine, 0);
    let entity = plant::name(machine);
    let finish = params.start + params.span;
    let mut faults = Vec::new();
    let mut bag: Vec<FaultKind> = Vec::new();
    let mut calm_from = params.start + params.warmup;
    if !params.with_faults {
        return faults;
    }
    loop {
        if bag.is_empty() {
            bag = FaultKind::ALL.to_vec();
            bag.shuffle(&mut rng);
        }
        let Some(kind) = bag.pop() else { break };
        let wait = rng.gen_range(0..DAY / MINUTE) * MINUTE;
        let fault = draw(&mut rng, kind, entity.clone(), calm_from + Millis::new(wait));
        // A fault that the span cuts off could not be noticed in time: it is not injected.
        if fault.end + Millis::new(HOUR) > finish {
            break;
        }
        calm_from = fault.end + params.recovery;
        faults.push(fault);
    }
    faults
}

fn draw(rng: &mut Rng, kind: FaultKind, entity: SeriesKey, start: EventTime) -> Fault {
    let ([shortest, longest], [smallest, largest], sensors_max) = kind.scale();
    let minutes = rng.gen_range(shortest..=longest);
    let sign = if kind != FaultKind::Noise && rng.gen_bool(0.5) { -1.0 } else { 1.0 };
    let size = rng.gen_range(smallest..=largest) * sign;
    let count = rng.gen_range(1..=sensors_max);
    let sensors = SENSORS.choose_multiple(rng, count).copied().collect();
    Fault { kind, entity, sensors, start, end: start + Millis::new(minutes * MINUTE), size }
}
