//! Clients of the test broker: topics, records in, records out; kcat as one that is not ours.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{Broker, jars, wait_for};

/// A record as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, String)>,
}

impl Stored {
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).expect("UTF-8")
    }

    /// The same of a value that may be no text.
    pub fn text_lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Broker {
    /// Creates a topic and waits until it can be written to.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let admin = self.admin();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let created = admin.create_topics([&topic], &options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.expect("a runtime").block_on(created).expect("the broker answers");
        assert!(outcome.iter().all(Result::is_ok), "{outcome:?}");
        super::wait_for("the topic", Duration::from_secs(30), || {
            let metadata = admin.inner().fetch_metadata(Some(name), Duration::from_secs(5)).ok()?;
            let topic = metadata.topics().first()?;
            let led = topic.partitions().iter().all(|p| p.leader() >= 0);
            (topic.partitions().len() == partitions as usize && led).then_some(())
        });
    }

    /// A producer that waits for all acknowledgements.
    pub fn producer(&self) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("linger.ms", "5");
        config.set("message.timeout.ms", "30000").create().expect("a producer")
    }

    /// Writes records `(key, value)` to one partition and waits until they are stored.
    pub fn produce<'a>(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) {
        let producer = self.producer();
        for (key, value) in records {
            let record = || BaseRecord::to(topic).partition(partition).key(key).payload(value);
            while producer.send(record()).is_err() {
                producer.poll(Duration::from_millis(10));
            }
        }
        producer.flush(Duration::from_secs(60)).expect("all records stored");
    }

    /// Next offset to read of a partition, as a group has committed it; -1 if it has not.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> i64 {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition(topic, partition);
        // A broker that has just come up does not coordinate groups yet.
        let offsets = wait_for("the coordinator", Duration::from_secs(30), || {
            consumer.committed_offsets(list.clone(), Duration::from_secs(30)).ok()
        });
        offsets.elements()[0].offset().to_raw().filter(|offset| *offset >= 0).unwrap_or(-1)
    }

    /// Reads `topic` from its beginning, committed records only, until `enough` says so.
    ///
    /// # Panics
    ///
    /// If that takes longer than `limit`.
    pub fn read_until(
        &self,
        topic: &str,
        limit: Duration,
        mut enough: impl FnMut(&[Stored]) -> bool,
    ) -> Vec<Stored> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("group.id", "reader");
        config.set("auto.offset.reset", "earliest").set("isolation.level", "read_committed");
        let consumer: BaseConsumer =
            config.set("enable.auto.commit", "false").create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10));
        let mut all = rdkafka::TopicPartitionList::new();
        for partition in metadata.expect("metadata").topics()[0].partitions() {
            all.add_partition_offset(topic, partition.id(), rdkafka::Offset::Beginning)
                .expect("a valid offset");
        }
        consumer.assign(&all).expect("assigned");
        let (start, mut seen) = (Instant::now(), Vec::new());
        while !enough(&seen) {
            let last = seen.last();
            assert!(start.elapsed() < limit, "{topic}: only {} records, last {last:?}", seen.len());
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                seen.push(stored(&message));
            }
        }
        seen
    }
}

fn stored(message: &impl Message) -> Stored {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map_or(Vec::new(), |headers| {
        headers.iter().map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default()))).collect()
    });
    Stored {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

/// Runs kcat, a client that shares no code with ours but librdkafka's wire format.
pub fn kcat(broker: &Broker, arguments: &[&str], input: &str) -> String {
    jars::require("kcat", "kcat");
    let mut child = Command::new("kcat")
        .args(["-b", broker.bootstrap()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kcat starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("kcat reads");
    drop(stdin);
    let out = child.wait_with_output().expect("kcat ends");
    assert!(out.status.success(), "kcat {arguments:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}
