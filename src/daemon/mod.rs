//! The running daemon: one thread works, a small runtime answers HTTP, the caller watches.
//!
//! Start with [`run()`]. Each worker has a thread, a log and a pipeline. A batch passes `pipeline`
//! (the loop) → `intake` (which shard, which dead letter) → `partition` (the shard and its batch; `notices`: what people want of it; `presence`: which channels come) →
//! `collect` → `batch` (the outputs as values) and goes back to the log. `restore` finds out where an assigned
//! partition begins (`orphans`: what becomes of its alerts if its state is dropped). `supervise` watches from the calling thread, `publish` draws the picture that
//! the handlers show, `http` starts their server, `tally` counts, `clock` is the only clock, `limits`
//! what the machine grants, `shutdown` the only way to stop, `reload` the only way to other settings,
//! `rehearsal` finds out before a run what would end it at once,
//! `state` looks at what is stored, `explain` leads from stored state to an alert again (both by `rerun`),
//! `webhooks` hands the alerts topic to webhooks.
//!
//! # Invariants
//!
//! - Outputs, positions and state of a batch are delivered together ([`crate::io::Log::deliver`]).
//! - The committed position is asked for before the state is read: the state is never older than
//!   the last batch that a former owner has committed, up to records that are read again in silence.
//! - A delivery that fails is tried again with the same outputs, until it succeeds, its partitions
//!   are lost, or the process is told to stop.
//! - A partition that is taken away is stored first if the group waits for it, and dropped whole.
//! - The wall clock closes rows of silent partitions and nothing else, and that is journalled.
//!
//! # Readiness
//!
//! Ready means: the group has handed out partitions (perhaps none, on a standby), their state is
//! complete, and everything read so far is delivered. The service manager is told `READY=1`
//! earlier, when HTTP is up and the workers run: a broker that is down is no reason to restart.

mod batch;
mod clock;
mod collect;
mod error;
mod explain;
mod http;
mod intake;
mod limits;
mod notices;
mod orphans;
mod partition;
mod pipeline;
mod presence;
mod publish;
mod rehearsal;
mod reload;
mod report;
mod rerun;
mod restore;
mod run;
mod shutdown;
mod state;
mod stream;
mod supervise;
mod tally;
mod webhooks;

pub use clock::Clock;
pub use error::DaemonError;
pub use explain::{Explained, Reproduced, explain};
pub use http::validate;
pub use rehearsal::rehearse;
pub use reload::{Loader, Reload, ReloadError};
pub use report::RunReport;
pub use restore::RestoreError;
pub use run::{Options, run, run_on_kafka};
pub use shutdown::Shutdown;
pub use state::{StoredState, Verdict, stored_states, verify};
