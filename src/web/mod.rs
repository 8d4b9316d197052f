//! HTTP: metrics for Prometheus, probes for supervisors, an API, a page for people.
//!
//! | path | what |
//! |---|---|
//! | `/metrics` | Prometheus text format |
//! | `/healthz` | 200 while the process works, 503 once the pipeline makes no progress |
//! | `/readyz` | 200 when ready, else 503 and the reason |
//! | `/api/v1/...` | JSON, described by `/api/v1/openapi.json` |
//! | `/`, `/streams/...`, `/series/...`, `/alerts/...`, `/models`, `/forecasts` | the page |
//! | `/-/reload` | reads the configuration again |
//!
//! A connection passes `server` (limits, TLS), `routes` (paths, headers), `extract` (what handlers take) and
//! `access` (who may change something). `api` answers with JSON, `page` with HTML and pictures. They read
//! [`Status`], which the daemon writes once a second, and [`History`], which it feeds with each batch:
//! both are copied under their locks and formatted outside, so that no request slows the pipeline
//! down. What requests may set in motion is brought by the daemon ([`Actions`]).

mod access;
mod actions;
mod api;
mod extract;
mod history;
mod openapi;
mod page;
mod problem;
mod prompt;
mod routes;
mod server;
mod status;
mod tls;

#[cfg(test)]
mod api_tests;
#[cfg(test)]
#[path = "harness_tests.rs"]
mod harness;
#[cfg(test)]
mod page_tests;

pub use access::{Access, AccessError};
pub use actions::{
    Actions, ConfigFormat, ConfigProblem, Notice, NoticeKind, Reload, Validate, WriteNotice,
    Written,
};
pub use history::{History, HistoryParams, Load, News};
pub use server::{App, Limits, serve};
pub use status::{NotReady, PartitionStatus, SharedStatus, Status, StreamStatus};
pub use tls::{Tls, TlsError};
