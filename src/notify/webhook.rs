//! One request for each change of an alert.

use std::time::Duration;

use super::courier::{Carried, Courier, Pauses};
use super::{AlertingParams, NotifyError, SinkParams};
use crate::telemetry::{AlertMetrics, SinkMetrics};

/// Names the change: the same on every attempt, also of another process.
const ID_HEADER: &str = "latentd-event-id";
const TYPE_HEADER: &str = "latentd-event-type";

/// One change of an alert as the alerts topic has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// `ce_id` of the record.
    pub id: String,
    /// `ce_type` of the record.
    pub kind: String,
    /// Its body: JSON.
    pub body: Vec<u8>,
}

/// The only thing that has to be known of a body.
#[derive(serde::Deserialize)]
struct Head {
    stream: String,
    change: String,
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook {
    params: SinkParams,
    courier: Courier,
    metrics: SinkMetrics,
    pauses: Pauses,
}

impl Webhook {
    /// A webhook that is not spoken to yet.
    ///
    /// # Errors
    ///
    /// [`NotifyError`].
    pub fn new(
        params: &AlertingParams,
        sink: &SinkParams,
        metrics: &AlertMetrics,
        seed: u64,
    ) -> Result<Self, NotifyError> {
        let timeout = params.timeout_of(sink).to_duration();
        Ok(Self {
            courier: Courier::new(sink, "", timeout)?,
            params: sink.clone(),
            metrics: metrics.sink(&sink.name),
            pauses: Pauses::new(seed),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.params.name
    }

    /// Whether an event is for this webhook: of one of its streams, and not suppressed.
    pub fn wants(&self, event: &WebhookEvent) -> bool {
        let head: Result<Head, _> = serde_json::from_slice(&event.body);
        head.is_ok_and(|head| head.change != "suppressed" && self.params.wants(&head.stream))
    }

    /// Posts an event until it is taken or refused. Before each further attempt `wait` is asked to
    /// let the given time pass; it answers whether to go on.
    ///
    /// Returns whether the event is dealt with.
    pub fn deliver(
        &mut self,
        event: &WebhookEvent,
        mut wait: impl FnMut(Duration) -> bool,
    ) -> bool {
        self.metrics.pending.set(1.0);
        let headers = [(ID_HEADER, event.id.as_str()), (TYPE_HEADER, event.kind.as_str())];
        loop {
            match self.courier.post(&event.body, &headers) {
                Carried::Ok => self.metrics.ok.inc(),
                Carried::Refused(why) => {
                    tracing::error!(sink = self.params.name, id = event.id, "refused: {why}");
                    self.metrics.refused.inc();
                }
                Carried::Again(why) => {
                    self.metrics.failed.inc();
                    tracing::warn!(sink = self.params.name, id = event.id, "not taken: {why}");
                    if wait(self.pauses.after_failure()) {
                        continue;
                    }
                    return false;
                }
            }
            self.pauses.reset();
            self.metrics.pending.set(0.0);
            return true;
        }
    }
}
