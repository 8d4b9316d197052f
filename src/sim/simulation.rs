//! The machines and shops as one stream of records in event-time order.

use std::collections::VecDeque;
use std::fmt;

use super::fault::{self, Fault};
use super::params::{HOUR, MINUTE, SimParams};
use super::plant::Machine;
use super::shop::{Shop, UNITS};
use crate::record::{EventTime, Millis, SeriesKey};

/// Which stream a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Machines with sensors, a record a minute.
    Plant,
    /// Shops with demand, a record an hour.
    Shops,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Plant, Self::Shops];

    /// Name in settings, topics and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plant => "plant",
            Self::Shops => "shops",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One simulated record.
#[derive(Debug, Clone, PartialEq)]
pub struct SimRecord {
    /// Stream.
    pub stream: Stream,
    /// Machine or shop.
    pub entity: SeriesKey,
    /// When it was measured; for a shop the start of the hour.
    pub time: EventTime,
    /// Channel names and values.
    pub values: Vec<(&'static str, f64)>,
}

/// A plant and a chain of shops, as an iterator over their records in event-time order.
#[derive(Debug)]
pub struct Simulation {
    params: SimParams,
    elapsed: i64,
    machines: Vec<Machine>,
    shops: Vec<Shop>,
    faults: Vec<Fault>,
    ready: VecDeque<SimRecord>,
}

impl Simulation {
    /// A simulation at its first minute.
    pub fn new(seed: u64, params: SimParams) -> Self {
        let schedules: Vec<Vec<Fault>> =
            (0..params.machines).map(|index| fault::schedule(seed, index, &params)).collect();
        let mut faults: Vec<Fault> = schedules.iter().flatten().cloned().collect();
        faults.sort_by_key(|fault| fault.start);
        let machine = |(index, faults)| Machine::new(seed, index, faults);
        let steady = params.shops.saturating_sub(params.intermittent);
        Self {
            elapsed: 0,
            machines: schedules.into_iter().enumerate().map(machine).collect(),
            shops: (0..params.shops).map(|index| Shop::new(seed, index, index >= steady)).collect(),
            faults,
            ready: VecDeque::new(),
            params,
        }
    }

    /// Every fault of the span, by start.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Records of the whole span.
    pub fn records_total(&self) -> u64 {
        let units = |step: i64| (self.params.span.get().max(0) + step - 1) / step;
        units(MINUTE) as u64 * self.machines.len() as u64
            + units(HOUR) as u64 * self.shops.len() as u64
    }

    fn simulate_minute(&mut self) {
        let elapsed = self.elapsed;
        let time = self.params.start + Millis::new(elapsed);
        if elapsed % HOUR == 0 {
            self.ready.extend(self.shops.iter_mut().map(|shop| SimRecord {
                stream: Stream::Shops,
                entity: shop.name.clone(),
                time,
                values: vec![(UNITS, shop.sell(elapsed))],
            }));
        }
        self.ready.extend(self.machines.iter_mut().map(|machine| SimRecord {
            stream: Stream::Plant,
            entity: machine.name.clone(),
            time,
            values: machine.measure(time, elapsed),
        }));
        self.elapsed += MINUTE;
    }
}

impl Iterator for Simulation {
    type Item = SimRecord;

    fn next(&mut self) -> Option<SimRecord> {
        while self.ready.is_empty() && self.elapsed < self.params.span.get() {
            self.simulate_minute();
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
