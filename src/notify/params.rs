//! What may be configured about sinks of alerts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Millis;

/// Where alerts go beside Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertingParams {
    /// Sinks.
    pub sink: Vec<SinkParams>,
    /// From one telling of an open alert to the next, for sinks that do not say otherwise.
    pub resend: Millis,
    /// Longest time for one request, for sinks that do not say otherwise.
    pub timeout: Millis,
    /// Most alerts that wait for, or are kept open at, one sink.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub alerts_max: usize,
    /// Where people reach this daemon; alerts link to `<external_url>/alerts/<id>`.
    pub external_url: Option<String>,
    /// What to do about an alert: becomes the annotation `runbook_url`.
    pub runbook_url: Option<String>,
}

/// What a sink speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkKind {
    /// The API of Alertmanager, version 2: open alerts again and again, and their end.
    Alertmanager,
    /// One request for each change of an alert, with its record as JSON.
    Webhook,
}

/// One sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkParams {
    /// Name in metrics and logs.
    pub name: String,
    /// What it speaks.
    pub kind: SinkKind,
    /// Of an Alertmanager its base, of a webhook the whole address; `http://` or `https://`.
    pub url: Option<String>,
    /// A file that holds the address, in place of `url`: some addresses are secrets.
    pub url_file: Option<PathBuf>,
    /// Streams whose alerts it is told; all if empty.
    #[serde(default)]
    pub streams: Vec<String>,
    /// From one telling of an open alert to the next; Alertmanager only.
    pub resend: Option<Millis>,
    /// Longest time for one request.
    pub timeout: Option<Millis>,
    /// A file that holds a bearer token, and nothing else; read at each request.
    pub token_file: Option<PathBuf>,
    /// A file with the certificates (PEM) of authorities to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Further headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Further labels of each alert; Alertmanager only.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl SinkParams {
    /// Whether alerts of this stream are for it.
    pub fn wants(&self, stream: &str) -> bool {
        self.streams.is_empty() || self.streams.iter().any(|name| name == stream)
    }
}

impl AlertingParams {
    /// The sinks of one kind.
    pub fn of_kind(&self, kind: SinkKind) -> impl Iterator<Item = &SinkParams> {
        self.sink.iter().filter(move |sink| sink.kind == kind)
    }

    /// From one telling of an open alert to the next.
    pub fn resend_of(&self, sink: &SinkParams) -> Millis {
        sink.resend.unwrap_or(self.resend)
    }

    /// Longest time for one request.
    pub fn timeout_of(&self, sink: &SinkParams) -> Millis {
        sink.timeout.unwrap_or(self.timeout)
    }
}
