//! The producer side: hand over, wait until each record is acknowledged.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig,
};
use rdkafka::{ClientConfig, ClientContext};

use super::report::Reporter;
use super::settings::client_error;
use crate::io::{DeliverError, IoError, OutMessage, failpoint};

/// Wait for room in the full queue of the producer.
const FULL: Duration = Duration::from_millis(10);
/// Step of the wait for acknowledgements. `flush` would take steps of 100 ms.
const STEP: Duration = Duration::from_millis(1);

/// A producer and what it needs to be built anew.
pub(super) struct Outlet {
    producer: BaseProducer<Deliveries>,
    config: ClientConfig,
}

/// Context of the producer: counts what was not acknowledged.
#[derive(Default)]
pub(super) struct Deliveries {
    failures: Mutex<Failures>,
    reporter: Reporter,
}

#[derive(Default)]
struct Failures {
    count: usize,
    first: Option<(Option<RDKafkaErrorCode>, String)>,
}

impl Failures {
    fn note(&mut self, count: usize, topic: &str, error: &KafkaError) {
        self.count += count;
        if count > 0 {
            let detail = || (error.rdkafka_error_code(), format!("topic {topic}: {error}"));
            self.first.get_or_insert_with(detail);
        }
    }
}

impl Deliveries {
    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Reporter::line("producer", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.fault("producer", &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.failures().note(1, message.topic(), error);
        }
    }
}

impl Outlet {
    pub(super) fn open(config: ClientConfig) -> Result<Self, IoError> {
        Ok(Self { producer: create(&config)?, config })
    }

    pub(super) fn producer(&self) -> &BaseProducer<Deliveries> {
        &self.producer
    }

    /// Puts a new producer in the place of the old one, which is gone first.
    pub(super) fn renew(&mut self) -> Result<(), IoError> {
        self.producer = create(&self.config)?;
        Ok(())
    }

    /// Writes all `outputs` and waits until each is acknowledged or given up, which takes at most
    /// `message.timeout.ms`.
    ///
    /// # Errors
    ///
    /// [`DeliverError::Stop`] for a record that the broker takes in no circumstances, else
    /// [`DeliverError::Again`].
    pub(super) fn write_all<'a>(
        &mut self,
        outputs: impl ExactSizeIterator<Item = &'a OutMessage>,
    ) -> Result<(), DeliverError> {
        let sent = outputs.len();
        let deliveries = self.producer.context();
        *deliveries.failures() = Failures::default();
        for (at, output) in outputs.enumerate() {
            if at == sent / 2 {
                failpoint::hit("mid_produce");
            }
            if let Err(error) = self.send(output) {
                deliveries.failures().note(sent - at, &output.topic, &error);
                break;
            }
        }
        self.drain();
        let Failures { count, first } = std::mem::take(&mut *deliveries.failures());
        match first {
            None => Ok(()),
            Some((Some(RDKafkaErrorCode::MessageSizeTooLarge), detail)) => {
                let detail = format!("{detail}; raise max.message.bytes of the topic");
                Err(DeliverError::Stop(IoError::Broker { operation: "produce", detail }))
            }
            Some((_, detail)) => {
                Err(DeliverError::Again(IoError::Undelivered { sent, failed: count, detail }))
            }
        }
    }

    /// A fatal error, for example a lost idempotent sequence, ends a producer for good.
    pub(super) fn renew_if_dead(&mut self) -> Result<(), IoError> {
        if let Some((_, reason)) = self.producer.client().fatal_error() {
            tracing::warn!(reason, "kafka producer had a fatal error and is built anew");
            self.renew()?;
        }
        Ok(())
    }

    /// Throws away what was not acknowledged yet.
    pub(super) fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        self.drain();
    }

    fn send(&self, output: &OutMessage) -> Result<(), KafkaError> {
        let mut record = to_record(output);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    self.producer.poll(FULL);
                    record = unsent;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Waits until nothing is in flight; each record ends within `message.timeout.ms`.
    fn drain(&self) {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(STEP);
        }
    }
}

fn create(config: &ClientConfig) -> Result<BaseProducer<Deliveries>, IoError> {
    config.create_with_context(Deliveries::default()).map_err(client_error)
}

fn to_record(output: &OutMessage) -> BaseRecord<'_, [u8], [u8]> {
    let mut headers = OwnedHeaders::new_with_capacity(output.headers.len());
    for (key, value) in &output.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    BaseRecord {
        topic: &output.topic,
        partition: output.partition,
        payload: output.payload.as_deref(),
        key: output.key.as_deref(),
        timestamp: None,
        headers: (!output.headers.is_empty()).then_some(headers),
        delivery_opaque: (),
    }
}
