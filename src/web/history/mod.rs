//! What happened of late, for charts and lists: written by the pipeline, read by the handlers.
//!
//! Everything here is a copy that may be forgotten: it begins empty with the process, and each part has
//! a bound. `rings` keeps the newest rows of some series, `alerts` the newest alerts with the rows
//! around them, [`Kept`] the newest records of other kinds as they went over the wire.
//!
//! # Memory
//!
//! | part | bound |
//! |---|---|
//! | rows of series | `http.history_bytes_max`; a series takes `http.history_rows` x (24 + 16 x channels) bytes |
//! | alerts | [`ALERTS_MAX`], each at most 256 rows of 6 channels (26 KiB) and its two newest records |
//! | examinations and drifts | [`MODELS_MAX`] records of about 1.5 KiB |
//! | forecasts | the newest of a series and target, [`FORECAST_BYTES_MAX`] bytes in all |
//! | latent codes | [`LATENTS_MAX`] a stream, each 4 x `model.latent` + 64 bytes |
//! | lag and throughput | [`LOADS_MAX`] seconds a stream |

mod alerts;
mod kept;
mod rings;
mod store;


pub use alerts::{ALERTS_MAX, AlertEntry, TracePoint};
pub use kept::{Body, FORECAST_BYTES_MAX, Kept, LATENTS_MAX, LOADS_MAX, Latent, Load, MODELS_MAX};
pub use rings::{Cell, HistoryRow, Ring};
pub use store::{History, HistoryParams, News, Store};
