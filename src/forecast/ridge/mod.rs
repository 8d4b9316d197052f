//! Ridge regression with features that all horizons share and some that each has for itself, solved
//! exactly by blocks.
//!
//! `sums` gathers what the normal equations need, one origin at a time; `cholesky` solves them; the
//! weights are a [`Weights`].

mod cholesky;
mod sums;

pub(super) use cholesky::Factor;
pub(super) use sums::{Sums, Weights};
