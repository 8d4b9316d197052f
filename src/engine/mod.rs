//! The shard: all state of one input partition. Records in, outputs and facts out, as values.
//!
//! [`Shard::push`] puts a record into an open row (`shard`). A row that the watermark passes is
//! scaled, enters its series' window (`series`) and waits; waiting windows that share weights are
//! reconstructed in one pass and finished in order (`score`): judged (`judge`, by the errors of the network or by a
//! `detector` of the series), alert (`explain`), learning (`lesson`, `learn`), latent features (`outputs`),
//! forecasts (`foresight`, with what is known beforehand in `announced`; `carry` says which forecasters of
//! a stored state go on). What a series at fault would teach waits in
//! `quarantine` for a verdict (`decide`). Beside it, other kinds of alert: `watch` looks at closed
//! rows (stuck, out of range), `silence` and `clock` at records (stale, wrong clock), `gone` ends what hangs on
//! a series that sends nothing more (`looks`: when a series is looked at for either), `alerts` makes their records.
//! `status` is a picture of it all.
//!
//! # Invariants
//!
//! - A window is scored before anything learns from it.
//! - While the alert of a series fires, nothing that says what calm is learns from the series.
//! - Batch boundaries and calls of [`Shard::settle`] change no output and no weight.

mod alerts;
mod announced;
mod carry;
mod clock;
mod decide;
mod detector;
mod explain;
mod foresight;
mod gone;
mod ids;
mod judge;
mod learn;
mod lesson;
mod looks;
mod outputs;
mod quarantine;
mod score;
mod series;
mod shard;
mod silence;
mod snapshot;
mod spec;
mod status;
mod triage;
mod watch;

pub use announced::Announced;
pub use carry::DroppedForecasts;
pub use shard::Shard;
pub use snapshot::{Change, Fingerprint, SNAPSHOT_FORMAT, SnapshotError};
pub use spec::StreamSpec;
pub use status::{NetworkStatus, NetworksStatus, SeriesStatus, ShardStatus, Warming};

#[cfg(test)]
mod univariate_tests;
