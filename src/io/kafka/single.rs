//! Single records, written and acknowledged one by one: for commands and requests of people.

use std::sync::mpsc::{self, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::commit::broker;
use super::settings::{self, client_error};
use crate::io::{IoError, KafkaParams, OutMessage};

/// Longest wait of a command for the acknowledgement.
const WAIT: Duration = Duration::from_secs(30);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(50);

/// Partition and offset of the record, or why it was not acknowledged.
type Told = Result<(i32, i64), String>;

/// Tells the writer of a record what became of it.
#[derive(Default, Clone)]
struct Teller;

impl ClientContext for Teller {}

impl ProducerContext for Teller {
    type DeliveryOpaque = Box<Sender<Told>>;

    fn delivery(&self, result: &DeliveryResult<'_>, writer: Self::DeliveryOpaque) {
        let told = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.to_string()),
        };
        // A writer that has given up does not want to know.
        let _ = writer.send(told);
    }
}

/// A producer for single records, from any thread.
pub struct SingleWriter {
    producer: BaseProducer<Teller>,
    wait: Duration,
}

impl std::fmt::Debug for SingleWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingleWriter").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl SingleWriter {
    /// A producer that waits at most `wait` for an acknowledgement.
    ///
    /// # Errors
    ///
    /// [`IoError`] for settings that cannot work.
    pub fn open(params: &KafkaParams, wait: Duration) -> Result<Self, IoError> {
        let mut config = settings::producer(params)?;
        config.set("message.timeout.ms", wait.as_millis().to_string());
        let producer = config.create_with_context(Teller).map_err(client_error)?;
        Ok(Self { producer, wait })
    }

    /// Writes a record and waits for its acknowledgement. Returns its partition and offset. Blocks.
    ///
    /// # Errors
    ///
    /// [`IoError`] if the broker does not acknowledge it in time.
    pub fn write(&self, message: &OutMessage) -> Result<(i32, i64), IoError> {
        let headers = message.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        let (teller, told) = mpsc::channel();
        let record = BaseRecord::with_opaque_to(&message.topic, Box::new(teller))
            .key(message.key.as_deref().unwrap_or_default())
            .payload(message.payload.as_deref().unwrap_or_default())
            .headers(headers);
        self.producer.send(record).map_err(|(error, _)| broker("write a record", &error))?;
        let refused = |detail| IoError::Broker { operation: "write a record", detail };
        let end = Instant::now() + self.wait;
        loop {
            match told.try_recv() {
                Ok(told) => return told.map_err(refused),
                Err(TryRecvError::Empty) if Instant::now() < end => self.producer.poll(LOOK),
                Err(_) => return Err(refused("no acknowledgement".to_owned())),
            }
        }
    }
}

impl Drop for SingleWriter {
    fn drop(&mut self) {
        // Whoever wrote has had an answer: nothing is worth waiting for.
        self.producer.purge(rdkafka::producer::PurgeConfig::default().queue());
    }
}

/// Writes one record and waits for its acknowledgement. Returns its partition and offset. Blocks.
///
/// # Errors
///
/// [`IoError`] for settings that cannot work, or if the broker does not acknowledge it in time.
pub fn write_one(params: &KafkaParams, message: &OutMessage) -> Result<(i32, i64), IoError> {
    SingleWriter::open(params, WAIT)?.write(message)
}
