//! Writes the simulated records to their topics, no faster than the daemon reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::accuracy::Demand;
use super::broker::client;
use super::error::DemoError;
use crate::daemon::Shutdown;
use crate::record::SeriesKey;
use crate::sim::{SimRecord, Simulation, Stream};

/// Partitions of an input topic: one a machine, two shops each.
pub(super) const PARTITIONS: i32 = 6;
/// Records written but not processed yet. At 150 bytes each this is a tenth of what the broker
/// keeps, and half a second of work at 60,000 records a second.
const IN_FLIGHT_MAX: u64 = 30_000;
/// Wait for the daemon, or for room in the client's queue.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest wait for the last acknowledgements.
const FLUSH: Duration = Duration::from_secs(5);

/// Records written and processed so far, shared by the threads of the demo.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub produced: AtomicU64,
    pub processed: AtomicU64,
}

impl Flow {
    /// Records written but not processed yet.
    pub fn in_flight(&self) -> u64 {
        // `processed` first: it can only grow, so the difference is never too small by much.
        let processed = self.processed.load(Ordering::Relaxed);
        self.produced.load(Ordering::Relaxed).saturating_sub(processed)
    }
}

/// Name of the input topic of a stream.
pub(super) const fn topic(stream: Stream) -> &'static str {
    match stream {
        Stream::Plant => "demo.plant",
        Stream::Shops => "demo.shops",
    }
}

/// Counts the records that the broker did not take.
#[derive(Debug, Default)]
struct Failures(AtomicU64);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The JSON form of a record: `{"ts":"2024-01-01T00:00:00Z","load":281.5,...}`.
struct Payload<'a>(&'a SimRecord);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.0.values.len()))?;
        map.serialize_entry("ts", &format_args!("{}", self.0.time))?;
        for (name, value) in &self.0.values {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Writes a simulation.
pub(super) struct Producer {
    client: ThreadedProducer<Failures>,
    flow: Arc<Flow>,
    stop: Shutdown,
    demand: Demand,
}

impl Producer {
    /// A producer that ends early when `stop` is requested.
    pub fn new(servers: &str, flow: Arc<Flow>, stop: Shutdown) -> Result<Self, DemoError> {
        let client = client(servers)
            // The broker hands out one batch a fetch: large batches make it fast.
            .set("linger.ms", "10")
            .set("batch.num.messages", "10000")
            .create_with_context(Failures::default())
            .map_err(DemoError::kafka("producer"))?;
        Ok(Self { client, flow, stop, demand: Demand::new() })
    }

    /// Writes until the simulation ends or the stop is requested; returns the demand that it
    /// wrote, which is the truth for forecasts.
    pub fn run(mut self, simulation: Simulation) -> Result<Demand, DemoError> {
        let mut buffer = Vec::new();
        for record in simulation {
            if !self.wait_for_room() {
                break;
            }
            buffer.clear();
            // Plain numbers and names into memory: there is nothing to fail.
            serde_json::to_writer(&mut buffer, &Payload(&record))
                .map_err(|e| DemoError::thread("producer", e))?;
            self.send(&record, &buffer)?;
            self.flow.produced.fetch_add(1, Ordering::Relaxed);
            if record.stream == Stream::Shops {
                let sold = record.values.first().map_or(0.0, |(_, units)| *units);
                self.demand.entry(record.entity).or_default().push(sold);
            }
        }
        self.client.flush(FLUSH).map_err(DemoError::kafka("flush"))?;
        match self.client.context().0.load(Ordering::Relaxed) {
            0 => Ok(self.demand),
            failed => {
                let produced = self.flow.produced.load(Ordering::Relaxed);
                Err(DemoError::Undelivered { failed, produced })
            }
        }
    }

    /// Waits while too much is in flight; false when the stop was requested.
    fn wait_for_room(&self) -> bool {
        while self.flow.in_flight() >= IN_FLIGHT_MAX {
            if self.stop.sleep(PAUSE) {
                return false;
            }
        }
        !self.stop.is_requested()
    }

    fn send(&self, record: &SimRecord, payload: &[u8]) -> Result<(), DemoError> {
        let mut message = BaseRecord::to(topic(record.stream))
            .partition(partition(&record.entity))
            .key(record.entity.as_bytes())
            .timestamp(record.time.as_millis())
            .payload(payload);
        loop {
            message = match self.client.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => back,
                Err((source, _)) => return Err(DemoError::kafka("produce")(source)),
            };
            self.stop.sleep(PAUSE);
        }
    }
}

/// The partition of an entity, by the number at the end of its name, so that all partitions get
/// the same load; a hash of so few keys would leave some empty.
fn partition(entity: &SeriesKey) -> i32 {
    let digits = entity.rsplit('-').next().and_then(|digits| digits.parse::<i32>().ok());
    digits.unwrap_or(0).rem_euclid(PARTITIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EventTime;

    #[test]
    fn a_record_becomes_one_flat_object() {
        let record = SimRecord {
            stream: Stream::Plant,
            entity: "press-03".into(),
            time: EventTime::from_millis(1_704_067_260_000),
            values: vec![("load", 281.5), ("flow", 35.001)],
        };
        let text = serde_json::to_string(&Payload(&record)).unwrap();
        assert_eq!(text, r#"{"ts":"2024-01-01T00:01:00Z","load":281.5,"flow":35.001}"#);
    }

    #[test]
    fn partitions_are_shared_out_evenly() {
        let mut counts = [0; PARTITIONS as usize];
        for i in 1..=12 {
            counts[partition(&format!("shop-{i:02}").into()) as usize] += 1;
        }
        assert_eq!(counts, [2; PARTITIONS as usize]);
    }
}
