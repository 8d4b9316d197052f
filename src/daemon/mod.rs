//! The running daemon: one thread works, a small runtime answers HTTP, the caller watches.
//!
//! Start with [`run()`]. A batch passes `pipeline` (the loop) → `intake` (which shard, which dead
//! letter) → `partition` (the shard and its batch) → `batch` (the outputs as values) and goes
//! back to the log. `supervise` watches from the calling thread, `publish` draws the picture that
//! the handlers show, `clock` is the only clock, `shutdown` the only way to stop.
//!
//! # Invariants
//!
//! - Positions are committed only with or after the outputs of their records.
//! - A delivery that fails is tried again with the same outputs, until it succeeds or the process
//!   is told to stop; the partitions are not read on in the meantime.
//! - A partition that is taken away is dropped whole, with what its batch had not delivered.
//! - The wall clock closes rows of silent partitions and nothing else.
//!
//! # Readiness
//!
//! Ready means: the group has handed out partitions (perhaps none, on a standby), and everything
//! read so far is delivered. The service manager is told `READY=1` earlier, when HTTP is up and
//! the pipeline runs: a broker that is down is no reason to restart the daemon.

mod batch;
mod clock;
mod error;
mod intake;
mod partition;
mod pipeline;
mod publish;
mod report;
mod restore;
mod run;
mod shutdown;
mod stream;
mod supervise;

pub use clock::Clock;
pub use error::DaemonError;
pub use report::RunReport;
pub use restore::RestoreError;
pub use run::{Options, run, run_on_kafka};
pub use shutdown::Shutdown;
