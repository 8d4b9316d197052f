//! The laws of a log on librdkafka's mock cluster, and its answers to injected faults.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::outlet::Outlet;
use super::*;
use crate::io::laws::{self, PARTITIONS, World, part, record, take};
use crate::io::{
    DeliverError, Delivery, IoError, KafkaParams, Log, LogEvent, OffsetReset, OutMessage, Part,
    TopicInfo, TopicOutcome, TopicSpec, ensure_topics, list_topics,
};
use crate::record::Millis;

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    source: Outlet,
}

pub(super) fn params(brokers: &str) -> KafkaParams {
    KafkaParams {
        brokers: vec![brokers.into()],
        group_id: "g".into(),
        offset_reset: OffsetReset::Earliest,
        delivery: Delivery::AtLeastOnce,
        instance: None,
        workers: 1,
        transaction_timeout: Millis::new(10_000),
        batch_records_max: 1_000,
        batch_wait: Millis::new(200),
        message_bytes_max: 1_000_000,
        sasl_password_file: None,
        rdkafka: BTreeMap::new(),
    }
}

fn mock() -> Mock {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("input", PARTITIONS, 1).unwrap();
    cluster.create_topic("output", 1, 1).unwrap();
    let params = params(&cluster.bootstrap_servers());
    let source = Outlet::open(settings::producer(&params).unwrap()).unwrap();
    Mock { cluster, source }
}

impl Mock {
    fn params(&self) -> KafkaParams {
        params(&self.cluster.bootstrap_servers())
    }

    fn log(&self) -> KafkaLog {
        KafkaLog::open(&self.params(), 0, &["input"]).unwrap()
    }

    fn reader(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers()).set("group.id", "g");
        config.create().unwrap()
    }

    fn committed(&self, partition: i32) -> Offset {
        let mut list = TopicPartitionList::new();
        list.add_partition("input", partition);
        let list = self.reader().committed_offsets(list, Duration::from_secs(20)).unwrap();
        list.elements()[0].offset()
    }
}

impl World for Mock {
    fn produce(&mut self, records: Vec<OutMessage>) {
        self.source.write_all(records.iter()).unwrap();
    }

    fn open(&mut self) -> Box<dyn Log> {
        Box::new(self.log())
    }

    fn fail_next_deliver(&mut self) {
        self.cluster
            .request_errors(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    }

    fn written(&mut self, count: usize) -> Vec<Vec<u8>> {
        let reader = self.reader();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("output", 0, Offset::Beginning).unwrap();
        reader.assign(&list).unwrap();
        let mut values = Vec::new();
        while values.len() < count {
            let message = reader.poll(Duration::from_secs(30)).unwrap().unwrap();
            values.push(message.payload().unwrap().to_vec());
        }
        values
    }
}

#[test]
fn everything_is_seen_in_order() {
    laws::everything_is_seen_in_order(mock());
}

#[test]
fn the_group_resumes_where_it_delivered() {
    laws::the_group_resumes_where_it_delivered(mock());
}

#[test]
fn a_failed_deliver_moves_nothing() {
    laws::a_failed_deliver_moves_nothing(mock());
}

/// More than is handed over at a time: what was said before holds from the first record on.
#[test]
fn the_first_look_into_the_inbox_waits_for_all_that_is_there() {
    let mut mock = mock();
    let topics = ["feedback", "control"];
    for topic in topics {
        mock.cluster.create_topic(topic, 2, 1).unwrap();
    }
    let said =
        |i: i32| OutMessage { topic: topics[i as usize % 2].into(), ..record(i / 2 % 2, "x") };
    mock.produce((0..3_000).map(said).collect());
    let mut log = mock.log();
    let mut heard = 0;
    log.poll_inbox(&topics, &mut |_| heard += 1).unwrap();
    assert_eq!(heard, 3_000);
}

fn after_first(partition: i32) -> [Part; 1] {
    [part(partition, Some(1), Vec::new())]
}

#[test]
fn commits_outlive_a_moving_coordinator_and_a_rebalance_and_keep_to_what_is_owned() {
    let mut mock = mock();
    mock.produce((0..PARTITIONS).map(|p| record(p, "x")).collect());
    let mut log = mock.log();
    take(&mut log, PARTITIONS as usize);

    let moving = [Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 2];
    mock.cluster.request_errors(Api::OffsetCommit, &moving);
    log.deliver(&after_first(0)).unwrap();
    assert_eq!(mock.committed(0), Offset::Offset(1));

    mock.cluster
        .request_errors(Api::OffsetCommit, &[Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 5]);
    log.deliver(&after_first(1)).unwrap();
    assert_eq!(mock.committed(1), Offset::Invalid);
    mock.cluster.clear_request_errors(Api::OffsetCommit);
    log.close();
    assert_eq!(mock.committed(1), Offset::Offset(1));

    assert!(log.deliver(&after_first(2)).is_err(), "a closed log delivers nothing");
    assert_eq!(mock.committed(2), Offset::Invalid);
}

/// The news that the partitions are lost waits behind messages that nobody takes meanwhile.
#[test]
fn a_group_that_goes_on_refusing_a_transaction_is_joined_anew() {
    let mut mock = mock();
    mock.produce((0..200).map(|_| record(0, "x")).collect());
    let params = KafkaParams { delivery: Delivery::ExactlyOnce, ..mock.params() };
    let mut log = KafkaLog::open(&params, 0, &["input"]).unwrap();
    take(&mut log, 1);
    for code in
        [Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION]
    {
        mock.cluster.request_errors(Api::TxnOffsetCommit, &[code; 3]);
        let mut deliver = || log.deliver(&after_first(0));
        assert!(matches!(deliver(), Err(DeliverError::Again(_))), "a rebalance does that, too");
        assert!(matches!(deliver(), Err(DeliverError::Again(_))));
        assert!(matches!(deliver(), Err(DeliverError::Lost(_))));
        let mut lost = Vec::new();
        log.poll(1, Duration::ZERO, &mut |event| {
            if let LogEvent::Lost(places) = event {
                lost.extend(places.iter().map(|place| place.1));
            }
        })
        .unwrap();
        assert_eq!(lost, [0, 1, 2]);
        // As a new member, from the committed position on.
        assert_eq!(take(&mut log, 200)[&0].len(), 200);
        log.deliver(&after_first(0)).unwrap();
    }
}

#[test]
fn a_commit_that_is_not_allowed_is_an_error() {
    let mut mock = mock();
    mock.produce(vec![record(0, "x")]);
    let mut log = mock.log();
    take(&mut log, 1);
    let denied = [Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED];
    mock.cluster.request_errors(Api::OffsetCommit, &denied);
    let error = log.deliver(&after_first(0)).unwrap_err();
    assert!(error.to_string().starts_with("kafka commit: "), "{error}");
}

#[test]
fn a_broker_that_is_down_is_waited_for() {
    let mut mock = mock();
    mock.produce(vec![record(0, "before")]);
    let mut log = mock.log();
    take(&mut log, 1);
    mock.cluster.broker_down(1).unwrap();
    assert_eq!(log.poll(10, Duration::from_millis(500), &mut |_| ()).unwrap(), 0);
    mock.cluster.broker_up(1).unwrap();
    mock.produce(vec![record(0, "after")]);
    let seen = take(&mut log, 1);
    assert_eq!(seen[&0][0].2.as_deref(), Some(&b"after"[..]));
    let output = OutMessage { topic: "output".into(), ..record(0, "out") };
    log.deliver(&[part(0, None, vec![output])]).unwrap();
}

#[test]
fn outputs_are_given_up_after_the_message_timeout() {
    let mut params = params("127.0.0.1:1");
    params.rdkafka.insert("message.timeout.ms".into(), "300".into());
    let mut log = KafkaLog::open(&params, 0, &["input"]).unwrap();
    let error = log.deliver(&[part(0, None, vec![record(0, "x")])]).unwrap_err();
    let text = "1 of 1 records were not acknowledged, first: topic input: ";
    assert!(error.to_string().starts_with(text), "{error}");
    assert_eq!(log.lag(), []);
}

fn refusal(change: impl FnOnce(&mut KafkaParams)) -> String {
    let mut params = params("127.0.0.1:1");
    change(&mut params);
    KafkaLog::open(&params, 0, &["input"]).unwrap_err().to_string()
}

#[test]
fn settings_that_cannot_work_are_named_without_their_secrets() {
    let set = |key: &str, value: &str| {
        refusal(|params| _ = params.rdkafka.insert(key.into(), value.into()))
    };
    assert_eq!(
        set("group.id", "other"),
        "kafka client: `group.id` cannot be passed through: use `kafka.group_id`"
    );
    assert_eq!(
        set("linger.mss", "5"),
        "kafka client: `linger.mss`: No such configuration property: \"linger.mss\""
    );
    assert_eq!(
        set("sasl.passwort", "hunter2"),
        "kafka client: `sasl.passwort`: No such configuration property: \"sasl.passwort\""
    );
    let pem = refusal(|params| {
        params.rdkafka.insert("security.protocol".into(), "ssl".into());
        params.rdkafka.insert("ssl.key.pem".into(), "hunter2".into());
    });
    assert!(pem.starts_with("kafka client: ") && !pem.contains("hunter2"), "{pem}");
    assert_eq!(
        refusal(|params| params.sasl_password_file = Some("/no/such/file".into())),
        "kafka.sasl_password_file = `/no/such/file`: No such file or directory (os error 2)"
    );
}

/// What no key is wrong about by itself, found before anybody is contacted.
#[test]
fn clients_are_made_without_a_broker() {
    let told = |change: fn(&mut KafkaParams)| {
        let mut params = params("192.0.2.1:9092");
        change(&mut params);
        trial(&params).err().map(|error| error.to_string()).unwrap_or_default()
    };
    fn set(params: &mut KafkaParams, key: &str, value: &str) {
        params.rdkafka.insert(key.into(), value.into());
    }
    assert_eq!(told(|_| {}), "");
    assert_eq!(told(|params| params.delivery = Delivery::ExactlyOnce), "");
    let late = told(|params| set(params, "session.timeout.ms", "400000"));
    assert!(late.contains("session.timeout.ms"), "{late}");
    let many = told(|params| set(params, "max.in.flight", "100"));
    assert!(many.contains("max.in.flight"), "{many}");
    let authority = told(|params| {
        set(params, "security.protocol", "SSL");
        set(params, "ssl.ca.location", "/no/such/ca.pem");
    });
    assert!(authority.contains("ssl.ca.location"), "{authority}");
    let password = told(|params| params.sasl_password_file = Some("/no/such/file".into()));
    assert!(password.starts_with("kafka.sasl_password_file"), "{password}");
}

#[test]
fn the_password_file_holds_the_password_and_nothing_else() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let params = KafkaParams { sasl_password_file: Some(file.path().into()), ..params("b:1") };
    let error = settings::consumer(&params).unwrap_err();
    let key = format!("kafka.sasl_password_file = `{}`", file.path().display());
    assert_eq!(error.to_string(), format!("{key}: the password is empty"));
    file.write_all(b" hunter2 \r\n").unwrap();
    let config = settings::consumer(&params).unwrap();
    assert_eq!(config.get("sasl.password"), Some(" hunter2 "));
    assert!(!format!("{config:?}").contains("hunter2"));
    let mut both = params.clone();
    both.rdkafka.insert("sasl.password".into(), "x".into());
    assert!(matches!(settings::producer(&both), Err(IoError::Client(_))));
}

#[test]
fn pass_through_properties_win_over_defaults() {
    let mut params = params("a:1,b:2");
    params.rdkafka.insert("compression.type".into(), "zstd".into());
    params.message_bytes_max = 5_000_000;
    let config = settings::producer(&params).unwrap();
    assert_eq!(config.get("compression.type"), Some("zstd"));
    assert_eq!(config.get("message.max.bytes"), Some("5065536"));
    assert_eq!(config.get("enable.idempotence"), Some("true"));
}

#[test]
fn topics_are_listed_and_those_that_exist_are_left_alone() {
    let mock = mock();
    let info = |name: &str, partitions| TopicInfo { name: name.into(), partitions };
    assert_eq!(list_topics(&mock.params()).unwrap(), [info("input", 3), info("output", 1)]);
    let spec =
        TopicSpec { name: "input".into(), partitions: 8, replication: -1, config: BTreeMap::new() };
    let outcomes = ensure_topics(&mock.params(), &[spec]).unwrap();
    assert_eq!(outcomes, [("input".to_owned(), TopicOutcome::Existed { partitions: 3 })]);
}

#[test]
fn the_version_names_what_was_built_in() {
    let text = version_text();
    assert!(text.starts_with("librdkafka 2."), "{text}");
    for feature in ["ssl", "sasl_scram", "zstd", "lz4"] {
        assert!(text.contains(feature), "{text}");
    }
}
