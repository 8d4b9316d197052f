//! A seeded plant and a seeded chain of shops: records with known truth, for demos and tests.
//!
//! Start with [`Simulation`]. `noise` has the random parts, `plant` the machines with their
//! correlated sensors, `shop` the demand counts, `fault` what is done to the sensors and when.
//!
//! # Invariants
//!
//! - Equal seed and parameters give equal bits; no clock, file or thread is touched.
//! - Every machine, sensor and shop owns its random stream: switching faults off, or cutting the
//!   span shorter, changes no other value.
//! - A fault changes the sensors it names, from its start up to (not including) its end.

mod fault;
mod noise;
mod params;
mod plant;
mod shop;
mod simulation;

pub use fault::{Fault, FaultKind};
pub use params::SimParams;
pub use plant::SENSORS;
pub use shop::{DAY_PROFILE, UNITS, WEEK_PROFILE};
pub use simulation::{SimRecord, Simulation, Stream};
