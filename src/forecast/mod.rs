//! Demand forecasts: a mix of cheap experts, one of which reads the code of an autoencoder, with
//! intervals that keep their promise, and honest about their worth.
//!
//! A closed row meets [`Forecaster::observe`]: the forecasts made for it are scored (`score`: `mix`, `interval`,
//! `skill`), the row enters the `history`, the newest origin whose future is known teaches the `experts`,
//! and the row becomes an origin itself. Once a season the weights are fitted anew (`ridge`, or
//! `elastic`), and a new version of the network of the `latent` expert (`encoder`, `shared`) is taken
//! over with the weights that fit it (`head`). [`Forecaster::forecast`] is what comes next.
//!
//! # Symbols
//!
//! | symbol | meaning |
//! |---|---|
//! | `t` | index of the newest row, the origin; `h` rows ahead, `1 <= h`; `j = t + h` |
//! | `y` | value of the target channel, on the scale of the link |
//! | `nz(q)` | `clip((q - level) / scale, -6, 6)`: every value a model sees uses its origin's level and scale |
//! | `p`, `g` | features that all horizons share; that each horizon has for itself |
//!
//! # Invariants
//!
//! - A forecast made at row `t` depends on rows up to `t` only, and on what was announced by then.
//! - Missing rows are filled with their usual value, for use as inputs and in the place of the truth;
//!   origins with less than half of their future observed teach nothing.
//! - Known channels are learned from the last value announced for a row, not from that of the origin.
//! - No value weighs more than one 30 usual deviations from the level.
//! - Refreshes come at counted rows. Equal rows and seeds give equal bits.
//! - State per series is bounded; [`Forecaster::state_bytes`] counts it.

mod calendar;
mod design;
mod elastic;
mod encoder;
mod experts;
mod features;
mod forecaster;
mod head;
mod history;
mod hurdle;
mod interval;
mod latent;
mod mix;
mod origin;
mod params;
mod publish;
mod ridge;
mod score;
mod search;
mod seasons;
mod shared;
mod skill;
mod target;

pub use calendar::Calendar;
pub use forecaster::{Forecaster, Row};
pub use head::Scratch;
pub use origin::{Point, PointSet};
pub use params::{ForecastParams, Head, LatentParams, Link, NonNegative};
pub use shared::Shared;

#[cfg(test)]
mod demand_tests;
#[cfg(test)]
mod forecaster_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod odd_tests;
