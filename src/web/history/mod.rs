//! What happened of late, for charts and lists: written by the pipeline, read by the handlers.
//!
//! Everything here is a copy that may be forgotten: it begins empty with the process, and each part has
//! a bound. `rings` keeps the newest rows of some series, `alerts` the newest alerts with the rows
//! around them, `kept` the newest records of other kinds as they went over the wire.
//!
//! # Memory
//!
//! | part | bound |
//! |---|---|
//! | rows of series | `http.history_bytes_max`; a series takes `http.history_rows` x (24 + 16 x channels) bytes |
//! | alerts | 500, each at most 256 rows of 6 channels (36 KiB) and two records; 18 MiB in all |
//! | examinations and drifts | 500 records of about 1.5 KiB |
//! | forecasts | the newest of a series and target, 16 MiB in all |
//! | latent codes | 2,048 a stream, each 4 x `model.latent` + 64 bytes |
//! | lag and throughput | 600 seconds a stream |

mod alerts;
mod kept;
mod rings;
mod store;

#[cfg(test)]
mod tests;

pub use alerts::AlertEntry;
pub use kept::{Body, Latent, Load};
pub use rings::{Cell, HistoryRow};
pub use store::{History, HistoryParams, News, Store};
