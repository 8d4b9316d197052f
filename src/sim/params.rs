//! How much is simulated.

use crate::record::{EventTime, Millis};

/// One minute of event time: the pace of a machine's records.
pub(super) const MINUTE: i64 = 60_000;
/// One hour of event time: the pace of a shop's records.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// One day of event time.
pub(super) const DAY: i64 = 24 * HOUR;

/// Size and span of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct SimParams {
    /// Event time of the first record; the seasons count from it, so choose a Monday midnight.
    pub start: EventTime,
    /// Event time that is simulated.
    pub span: Millis,
    /// Machines, one record a minute each.
    pub machines: usize,
    /// Shops, one record an hour each.
    pub shops: usize,
    /// The last this many shops sell less than one unit an hour.
    pub intermittent: usize,
    /// Whether faults are injected into the machines.
    pub with_faults: bool,
    /// Fault-free time at the beginning, in which a detector learns what normal is.
    pub warmup: Millis,
    /// Least fault-free time between two faults of one machine.
    pub recovery: Millis,
}

impl Default for SimParams {
    /// Six machines and twelve shops for eight weeks from Monday 2024-01-01, five calm days first.
    fn default() -> Self {
        Self {
            start: EventTime::from_millis(1_704_067_200_000),
            span: Millis::new(8 * 7 * DAY),
            machines: 6,
            shops: 12,
            intermittent: 3,
            with_faults: true,
            warmup: Millis::new(5 * DAY),
            recovery: Millis::new(2 * DAY),
        }
    }
}
