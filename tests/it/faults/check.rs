//! Compares what a disturbed group has written with a run in memory that nothing disturbed.

use std::collections::BTreeMap;
use std::time::Duration;

use latentd::config::Settings;
use latentd::daemon::{self, Options, Shutdown};
use latentd::io::snapshot::{Recovered, SnapshotReader, Stored};
use latentd::io::{Delivery, MemoryBroker, OutMessage};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::LIMIT;
use super::fleet::{Fleet, PARTITIONS, stream};
use crate::broker::process::{OUTPUTS, settings};
use crate::broker::wait_for;

/// Every invariant of exactly-once learning.
///
/// # Panics
///
/// With the first violation.
pub fn exactly_once(fleet: &Fleet<'_>, rows: i64) {
    let (broker, name) = (fleet.broker, &fleet.name);
    let calm = undisturbed(fleet, rows);
    for kind in OUTPUTS {
        let topic = format!("{kind}.{name}");
        no_open_transaction(broker.bootstrap(), &topic);
        let want = by_key(calm.records(&topic).into_iter().map(|r| (r.key, r.payload)));
        let count: usize = want.values().map(Vec::len).sum();
        let may_be_empty = matches!(kind, "alerts" | "current");
        assert!(count > 0 || may_be_empty, "nothing in {topic}: the test would prove nothing");
        let got = broker.read_until(&topic, LIMIT, |seen| seen.len() >= count);
        let got = by_key(got.into_iter().map(|r| (r.key.map(String::into_bytes), r.value)));
        for (key, values) in &want {
            let others = got.get(key).map_or(&[][..], Vec::as_slice);
            let differs = values.iter().zip(others).position(|(a, b)| a != b);
            assert_eq!(
                differs,
                None,
                "{topic} {key}: want {:?}, got {:?}",
                differs.map(|i| &values[i]),
                differs.map(|i| &others[i])
            );
            assert_eq!(values.len(), others.len(), "{topic} {key}");
        }
        assert_eq!(got.len(), want.len(), "{topic}: keys that should not be there");
        nothing_more(broker.bootstrap(), &topic, count);
    }
    for partition in 0..PARTITIONS {
        let state_topic = format!("state.{name}.press");
        let recovered = stored_state(fleet, &state_topic, partition);
        let committed = broker.committed(name, &format!("in.{name}"), partition);
        assert_eq!(committed, rows, "every record is committed");
        assert_eq!(
            recovered.manifest.next_offset, committed,
            "the last snapshot is that of the end"
        );
        let calm = calm_state(&calm, name, &state_topic, partition);
        assert!(recovered.bytes == calm.bytes, "weights and calibration of partition {partition}");
    }
}

/// The same input through a daemon on a log in memory.
fn undisturbed(fleet: &Fleet<'_>, rows: i64) -> MemoryBroker {
    let (broker, name) = (fleet.broker, &fleet.name);
    let topic = format!("in.{name}");
    let total = rows as usize * PARTITIONS as usize;
    let calm = MemoryBroker::new();
    calm.create_topic(&topic, PARTITIONS as usize);
    for kind in OUTPUTS {
        calm.create_topic(&format!("{kind}.{name}"), 1);
    }
    let input = broker.read_until(&topic, LIMIT, |seen| seen.len() >= total);
    for record in input {
        let message = OutMessage {
            topic: topic.clone(),
            partition: Some(record.partition),
            key: record.key.map(String::into_bytes),
            payload: record.value,
            headers: Vec::new(),
        };
        let (_, offset) = calm.append(message, Some(i64::MAX / 4)).expect("the topic exists");
        assert_eq!(offset, record.offset, "the input has no gaps");
    }
    let text = settings(broker, name, &stream(name));
    let settings = Settings::from_text(&text, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e}"));
    let log = calm.join(name, &[&topic], Delivery::ExactlyOnce);
    let stop = Shutdown::new();
    let asked = stop.clone();
    let thread =
        std::thread::spawn(move || daemon::run(&settings, Options::default(), vec![log], &asked));
    wait_for("the undisturbed run", LIMIT, || {
        (0..PARTITIONS).all(|p| calm.committed(name, &topic, p) == Some(rows)).then_some(())
    });
    stop.request();
    thread.join().expect("no panic").unwrap_or_else(|e| panic!("{e}"));
    calm
}

type Values = BTreeMap<String, Vec<String>>;

/// Values of each key in order, as text.
fn by_key(records: impl Iterator<Item = (Option<Vec<u8>>, Option<Vec<u8>>)>) -> Values {
    let text =
        |bytes: Option<Vec<u8>>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let mut values = Values::new();
    for (key, value) in records {
        values.entry(text(key)).or_default().push(text(value));
    }
    values
}

fn client(bootstrap: &str, isolation: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "checker");
    config.set("isolation.level", isolation).set("enable.partition.eof", "true");
    config.create().expect("a consumer")
}

fn ends(client: &BaseConsumer, topic: &str) -> Vec<i64> {
    let limit = Duration::from_secs(20);
    let metadata = client.fetch_metadata(Some(topic), limit).expect("metadata");
    let count = metadata.topics()[0].partitions().len() as i32;
    (0..count).map(|p| client.fetch_watermarks(topic, p, limit).expect("offsets").1).collect()
}

/// The last stable offset is the end: what a dead process left open is ended.
fn no_open_transaction(bootstrap: &str, topic: &str) {
    let [all, stable] = ["read_uncommitted", "read_committed"].map(|i| client(bootstrap, i));
    wait_for(&format!("{topic} to be stable"), LIMIT, || {
        (ends(&all, topic) == ends(&stable, topic)).then_some(())
    });
}

/// Behind `count` committed records there is no further one.
fn nothing_more(bootstrap: &str, topic: &str, count: usize) {
    let reader = client(bootstrap, "read_committed");
    let metadata = reader.fetch_metadata(Some(topic), Duration::from_secs(20)).expect("metadata");
    let partitions = metadata.topics()[0].partitions().len();
    let mut all = rdkafka::TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition as i32, rdkafka::Offset::Beginning)
            .expect("a valid offset");
    }
    reader.assign(&all).expect("assigned");
    let (mut seen, mut at_end) = (0, 0);
    wait_for(&format!("the end of {topic}"), LIMIT, || {
        while let Some(event) = reader.poll(Duration::ZERO) {
            match event {
                Ok(_) => seen += 1,
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => at_end += 1,
                Err(error) => panic!("{error}"),
            }
        }
        (at_end >= partitions).then_some(())
    });
    assert_eq!(seen, count, "{topic}");
}

fn stored_state(fleet: &Fleet<'_>, state_topic: &str, partition: i32) -> Recovered {
    let input = format!("in.{}", fleet.name);
    let mut reader = SnapshotReader::new(state_topic, "press", &input, partition);
    let consumer = client(fleet.broker.bootstrap(), "read_committed");
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(state_topic, partition, rdkafka::Offset::Beginning).expect("valid");
    consumer.assign(&list).expect("assigned");
    wait_for("the end of the state", LIMIT, || {
        use rdkafka::message::Message;
        while let Some(event) = consumer.poll(Duration::ZERO) {
            match event {
                Ok(m) => reader.take(m.key().unwrap_or_default(), m.payload(), m.offset()),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return Some(()),
                Err(error) => panic!("{error}"),
            }
        }
        None
    });
    recovered(reader)
}

fn calm_state(calm: &MemoryBroker, name: &str, state_topic: &str, partition: i32) -> Recovered {
    let mut reader = SnapshotReader::new(state_topic, "press", &format!("in.{name}"), partition);
    for record in calm.records(state_topic).iter().filter(|r| r.partition == partition) {
        let key = record.key.as_deref().unwrap_or_default();
        reader.take(key, record.payload.as_deref(), record.offset);
    }
    recovered(reader)
}

fn recovered(reader: SnapshotReader) -> Recovered {
    match reader.finish() {
        Ok(Stored::State(recovered)) => *recovered,
        other => panic!("no state: {other:?}"),
    }
}
