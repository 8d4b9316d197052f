//! Single records, written and acknowledged one by one: for commands and requests of people.

use std::sync::mpsc::{self, Sender, TryRecvError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::report::Asker;
use super::settings::{self, client_error};
use crate::io::{IoError, KafkaParams, OutMessage};

/// Longest wait of a command for the acknowledgement.
const WAIT: Duration = Duration::from_secs(30);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(50);

/// Partition and offset of the record, or why it was not acknowledged.
type Told = Result<(i32, i64), String>;

/// Tells the writer of a record what became of it.
#[derive(Default)]
struct Teller(Asker);

impl ClientContext for Teller {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

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
    /// For faults.
    brokers: String,
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
        let producer = config.create_with_context(Teller::default()).map_err(client_error)?;
        Ok(Self { producer, wait, brokers: params.brokers.join(", ") })
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
        let refused = |why: String| {
            let detail = format!("topic `{}` of brokers {}: {why}", message.topic, self.brokers);
            IoError::Broker { operation: "write a record", detail }
        };
        self.producer.send(record).map_err(|(error, _)| refused(error.to_string()))?;
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::super::tests::params;
    use super::*;

    /// Keeps what is logged, also by libraries that do not know of this tree.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// A command without a broker printed hundreds of lines, and at the end no address.
    #[test]
    fn without_a_broker_little_is_logged_and_the_fault_says_where() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let kept = Kept::default();
        let log = tracing_subscriber::fmt().with_writer(kept.clone()).with_ansi(false).finish();
        log.try_init().unwrap();
        let params = params(&address);
        let writer = SingleWriter::open(&params, Duration::from_secs(1)).unwrap();
        let message = OutMessage {
            topic: "feedback".into(),
            partition: None,
            key: None,
            payload: None,
            headers: Vec::new(),
        };
        let fault = writer.write(&message).unwrap_err().to_string();
        let told = format!("kafka write a record: topic `feedback` of brokers {address}: ");
        assert!(fault.starts_with(&told), "{fault}");
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(&address)).count();
        assert!((1..=3).contains(&lines), "{lines}: {text}");
    }
}
