//! Event-time order: records become rows, rows become windows.
//!
//! A record meets [`Watermark`] (is it late?), then [`OpenRows`] (which row does it belong to, what
//! does it add?); a row that the watermark has passed is closed and goes into a [`WindowRing`],
//! from which the network reads windows.
//!
//! # Invariants
//!
//! - A closed row never changes, and the rows of one series close in event-time order.
//! - Nothing here knows how records were cut into batches.

mod aggregate;
mod open_rows;
mod params;
mod ring;
mod watermark;

pub use open_rows::{ClosedRow, OpenRows};
pub use params::{Aggregate, RowParams, WindowParams};
pub use ring::{RowMark, WindowRing};
pub use watermark::Watermark;
