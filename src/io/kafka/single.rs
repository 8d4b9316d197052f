//! One record, written and acknowledged: for commands.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};
use std::sync::{Arc, Mutex, PoisonError};

use super::commit::broker;
use super::settings::{self, client_error};
use crate::io::{IoError, KafkaParams, OutMessage};

/// Longest wait for the acknowledgement.
const WAIT: Duration = Duration::from_secs(30);

/// Partition and offset of the record, or why it was not acknowledged.
type Told = Result<(i32, i64), String>;

/// Keeps the outcome of the one record.
#[derive(Default, Clone)]
struct Outcome(Arc<Mutex<Option<Told>>>);

impl ClientContext for Outcome {}

impl ProducerContext for Outcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let told = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.to_string()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }
}

/// Writes a record and waits for its acknowledgement. Returns its partition and offset. Blocks.
///
/// # Errors
///
/// [`IoError`] for settings that cannot work, or if the broker does not acknowledge it in time.
pub fn write_one(params: &KafkaParams, message: &OutMessage) -> Result<(i32, i64), IoError> {
    let outcome = Outcome::default();
    let mut config = settings::producer(params)?;
    config.set("message.timeout.ms", WAIT.as_millis().to_string());
    let producer: BaseProducer<Outcome> =
        config.create_with_context(outcome.clone()).map_err(client_error)?;
    let headers = message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
        all.insert(Header { key, value: Some(value) })
    });
    let key = message.key.as_deref().unwrap_or_default();
    let payload = message.payload.as_deref().unwrap_or_default();
    let record = BaseRecord::to(&message.topic).key(key).payload(payload).headers(headers);
    producer.send(record).map_err(|(error, _)| broker("write a record", &error))?;
    producer.flush(WAIT).map_err(|error| broker("write a record", &error))?;
    let told = outcome.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let refused = |detail| IoError::Broker { operation: "write a record", detail };
    told.unwrap_or_else(|| Err("no acknowledgement".to_owned())).map_err(refused)
}
