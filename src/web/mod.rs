//! HTTP: metrics for Prometheus, probes for supervisors, streams for people.
//!
//! | path | what |
//! |---|---|
//! | `/metrics` | Prometheus text format |
//! | `/healthz` | 200 while the process works, 503 once the pipeline makes no progress |
//! | `/readyz` | 200 when ready, else 503 and the reason |
//! | `/api/v1/streams` | streams and their partitions as JSON |
//! | `/` | a page over the same data |
//!
//! Handlers only read [`Status`], which the daemon writes once a second: no request can slow the
//! pipeline down. All paths are read-only; request bodies are not read.

mod api;
mod server;
mod status;

pub use server::{App, serve};
pub use status::{NotReady, PartitionStatus, SharedStatus, Status, StreamStatus};
