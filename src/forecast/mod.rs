//! Demand forecasts: ridge regression on latent features and seasonal lags, honest intervals.
//!
//! A closed row meets [`Forecaster::observe`]: it scores the forecasts made for it (`skill`,
//! `interval`), teaches the heads (`head`) and enters the `history`. [`Forecaster::forecast`] then
//! says what comes next: the ridge where it is better than the naive forecasts, else the best
//! of those, by name.
//!
//! # Symbols
//!
//! | symbol | meaning |
//! |---|---|
//! | `t` | index of the newest row; `h` rows ahead, `1 <= h` |
//! | `y` | value of the target channel |
//! | `m`, `s` | level and scale known at the origin of a forecast |
//! | `nz(q)` | `clip((q - m) / s, -6, 6)`: every value a model sees uses its origin's `m`, `s` |
//!
//! # Invariants
//!
//! - A forecast made at row `t` depends on rows up to `t` only.
//! - Missing rows are filled for use as inputs and are never a target.
//! - State per series is bounded; [`Forecaster::state_bytes`] counts it. For `p` features and `H`
//!   horizons up to `h_max` the largest parts are `8 H p (p + 2)` bytes of normal equations and
//!   `8 H h_max (p + 6)` bytes of forecasts that still wait for their truth.

mod forecaster;
mod head;
mod history;
mod interval;
mod params;
mod profile;
mod skill;

pub use forecaster::{Forecaster, Point, PointSet};
pub use params::{ForecastParams, NonNegative};
