//! Tells other systems of alerts: Alertmanager and webhooks.
//!
//! Start with [`Notifier`]. The pipeline says what is committed; each Alertmanager has a thread of
//! its own (`alertmanager`) that posts what its `book` holds, by a `courier`. Webhooks are fed from
//! the alerts topic by the daemon and share the courier ([`Webhook`]); `probe` looks at their files.
//!
//! # Invariants
//!
//! - No call of the pipeline waits for the network: it writes into a book and goes on.
//! - A book holds the alerts that are open in committed state, and the ends that were not taken yet;
//!   it is bounded, and what finds no room is counted.
//! - Labels are a function of stream, entity, kind and severity. Scores are in annotations.
//! - What is suppressed never enters a book.

mod address;
mod alertmanager;
mod book;
mod courier;
mod params;
mod probe;
mod text;
mod webhook;

pub use address::{UrlFault, masked, url_fault};
pub use alertmanager::{Clocks, Notifier};
pub use courier::{NotifyError, header_fault};
pub use params::{AlertingParams, SinkKind, SinkParams};
pub use probe::sink_faults;
pub use text::{measured, opened_line};
pub use webhook::{Webhook, WebhookEvent};
