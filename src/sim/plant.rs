//! Machines: five sensors that follow one hidden load, each with its own noise.

use std::f64::consts::TAU;

use super::fault::{Fault, FaultKind};
use super::noise::{Ar1, Purpose, stream};
use super::params::{DAY, HOUR};
use crate::record::{EventTime, SeriesKey};

/// Names of the sensors, in the order of the values of a record.
pub const SENSORS: [&str; 5] = ["load", "temperature", "vibration", "pressure", "flow"];

/// Standard deviation of a sensor's noise, as a share of its `gain`.
const NOISE: f64 = 0.02;
/// Autocorrelation of a sensor's noise from minute to minute.
const NOISE_MEMORY: f64 = 0.5;

/// How one sensor answers to the load, which lies between 0 and about 1.2.
#[derive(Debug, Clone, Copy)]
struct Response {
    /// Value at no load: kN, degrees Celsius, mm/s, bar, l/min.
    base: f64,
    /// Change from no load to full load, in the same unit.
    gain: f64,
    /// Exponent of the load.
    power: i32,
    /// Time constant of a first-order lag, in minutes; 1 follows at once.
    lag: f64,
}

const RESPONSES: [Response; 5] = [
    Response { base: 10.0, gain: 400.0, power: 1, lag: 1.0 },
    Response { base: 32.0, gain: 40.0, power: 1, lag: 30.0 },
    Response { base: 0.8, gain: 3.0, power: 2, lag: 1.0 },
    Response { base: 60.0, gain: 140.0, power: 1, lag: 2.0 },
    Response { base: 48.0, gain: -25.0, power: 1, lag: 4.0 },
];

/// The hidden load of a machine: a day, a quieter weekend and slow noise.
#[derive(Debug)]
struct Load {
    phase: f64,
    noise: Ar1,
}

impl Load {
    fn new(phase: f64, noise: Ar1) -> Self {
        Self { phase, noise }
    }

    /// Load in `[0, 1.2]`, `elapsed` milliseconds after a Monday midnight.
    fn at(&mut self, elapsed: i64) -> f64 {
        let day = elapsed as f64 / DAY as f64;
        let weekend = elapsed.div_euclid(DAY).rem_euclid(7) >= 5;
        let swing = if weekend { 0.12 } else { 0.25 };
        let calm = 0.5 - swing * (TAU * (day - self.phase)).cos();
        (calm + self.noise.step()).clamp(0.0, 1.2)
    }
}

/// One sensor: its answer to the true load and, for broken correlation, to another load.
#[derive(Debug)]
struct Sensor {
    response: Response,
    lagged: [Option<f64>; 2],
    noise: Ar1,
    /// Last published value and, while a fault freezes it, that value.
    last: f64,
    frozen: Option<f64>,
}

impl Sensor {
    fn new(response: Response, noise: Ar1) -> Self {
        Self { response, lagged: [None; 2], noise, last: response.base, frozen: None }
    }

    /// Values free of noise that follow the true load and the other one.
    fn follow(&mut self, loads: [f64; 2]) -> [f64; 2] {
        let Response { base, gain, power, lag } = self.response;
        std::array::from_fn(|i| {
            let before = self.lagged[i].unwrap_or(loads[i]);
            let now = before + (loads[i] - before) / lag;
            self.lagged[i] = Some(now);
            base + gain * now.powi(power)
        })
    }

    /// The published value, with the faults that are active.
    fn measure(&mut self, loads: [f64; 2], fault: Option<(&Fault, f64)>) -> f64 {
        let [calm, other] = self.follow(loads);
        let noise = self.noise.step();
        let sd = NOISE * self.response.gain.abs();
        let is_stuck = fault.is_some_and(|(fault, _)| fault.kind == FaultKind::Stuck);
        self.frozen = is_stuck.then(|| self.frozen.unwrap_or(self.last));
        let value = match fault {
            None => calm + noise,
            Some((fault, progress)) => match fault.kind {
                FaultKind::Spike | FaultKind::LevelShift => calm + noise + fault.size * sd,
                FaultKind::Stuck => self.frozen.unwrap_or(self.last),
                FaultKind::Drift => calm + noise + fault.size * progress * sd,
                FaultKind::Noise => calm + noise * fault.size,
                FaultKind::BrokenCorrelation => other + noise,
            },
        };
        // A thousandth of the unit, as a sensor with a fixed resolution would report.
        self.last = (value * 1e3).round() / 1e3;
        self.last
    }
}

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: SeriesKey,
    load: Load,
    /// Same law as `load` but twelve hours off: what a sensor with broken correlation follows.
    other: Load,
    sensors: Vec<Sensor>,
    /// This machine's faults by start, not overlapping, and the index of the next one to end.
    faults: Vec<Fault>,
    next: usize,
}

impl Machine {
    pub(super) fn new(seed: u64, index: usize, faults: Vec<Fault>) -> Self {
        let load = |purpose, phase| {
            Load::new(phase, Ar1::new(0.995, 0.06, stream(seed, purpose, index, 0)))
        };
        // Shifts start up to two hours apart.
        let phase = 0.5 * HOUR as f64 * (index % 5) as f64 / DAY as f64;
        let sensor = |(part, response): (usize, &Response)| {
            let sd = NOISE * response.gain.abs();
            let rng = stream(seed, Purpose::Sensor, index, part);
            Sensor::new(*response, Ar1::new(NOISE_MEMORY, sd, rng))
        };
        Self {
            name: name(index),
            load: load(Purpose::Load, phase),
            other: load(Purpose::OtherLoad, phase + 0.5),
            sensors: RESPONSES.iter().enumerate().map(sensor).collect(),
            faults,
            next: 0,
        }
    }

    /// The values at `time`, `elapsed` milliseconds after the start; call once a minute, in order.
    pub(super) fn measure(&mut self, time: EventTime, elapsed: i64) -> Vec<(&'static str, f64)> {
        let loads = [self.load.at(elapsed), self.other.at(elapsed)];
        while self.faults.get(self.next).is_some_and(|fault| fault.end <= time) {
            self.next += 1;
        }
        let active = self.faults.get(self.next).filter(|fault| fault.start <= time);
        let measure = |(name, sensor): (&&'static str, &mut Sensor)| {
            let fault = active.filter(|fault| fault.sensors.contains(name));
            (*name, sensor.measure(loads, fault.map(|fault| (fault, fault.progress(time)))))
        };
        SENSORS.iter().zip(&mut self.sensors).map(measure).collect()
    }
}

/// `press-01`, `press-02`, ...
pub(super) fn name(index: usize) -> SeriesKey {
    format!("press-{:02}", index + 1).into()
}
