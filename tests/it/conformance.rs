//! What a broker must do for latentd's promises to hold: 20 checks over any bootstrap address.
//!
//! All must pass on a real Apache Kafka. librdkafka's mock cluster, on which `demo` and some unit
//! tests run, fails those marked so: what passes there proves nothing about transactions.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use latentd::io::{KafkaParams, TopicOutcome, TopicSpec, ensure_topics, list_topics};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, Timestamp};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::broker::{shared, wait_for};

const LIMIT: Duration = Duration::from_secs(40);
const CALL: Duration = Duration::from_secs(10);

/// A cluster and the means to make a topic there.
struct Cluster<'a> {
    bootstrap: String,
    create: &'a dyn Fn(&str, i32),
}

/// Name, whether the mock cluster passes, and the check.
type Check = (&'static str, bool, fn(&Cluster<'_>));

#[rustfmt::skip]
const CHECKS: [Check; 20] = [
    ("what is produced is consumed",                    true,  produced_is_consumed),
    ("every codec is read back",                        true,  codecs),
    ("metadata names the partitions",                   true,  metadata),
    ("times and tombstones are kept",                   true,  times_and_tombstones),
    ("a committed position is where the group resumes", true,  commit_and_resume),
    ("two members with range share the partitions",     true,  group_of_two_range),
    ("two members with cooperative-sticky share them",  true,  group_of_two_cooperative),
    ("two members of a KIP-848 group share them",       true,  group_of_two_consumer),
    ("an idempotent producer writes once",              true,  idempotence),
    ("a committed transaction is read",                 true,  committed_is_read),
    ("an aborted transaction is not read",              false, aborted_is_hidden),
    ("an open transaction is not read",                 false, open_is_hidden),
    ("offsets of a committed transaction are committed", false, offsets_commit),
    ("offsets of an aborted transaction are not",       true,  offsets_abort),
    ("a second life fences the first",                  false, zombie_is_fenced),
    ("an old generation cannot commit",                 false, generation_is_fenced),
    ("a transaction that takes too long is aborted",    false, slow_is_aborted),
    ("records that were deleted are gone",              false, retention),
    ("topics can be made and listed",                   false, admin),
    ("a committed marker has an offset",                false, markers_have_offsets),
];

fn name(what: &str) -> String {
    let id = std::process::id();
    format!("conform-{id}-{what}")
}

fn config(cluster: &Cluster<'_>, pairs: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &cluster.bootstrap);
    pairs.iter().for_each(|(key, value)| _ = config.set(*key, *value));
    config
}

fn producer(cluster: &Cluster<'_>, pairs: &[(&str, &str)]) -> BaseProducer {
    config(cluster, pairs).create().expect("a producer")
}

fn send(producer: &BaseProducer, topic: &str, value: &str) {
    let record = BaseRecord::to(topic).partition(0).key("k").payload(value);
    producer.send(record).map_err(|(error, _)| error).expect("queued");
    producer.flush(CALL).expect("stored");
}

/// All values of partition 0 up to its end, as `isolation` shows them.
fn values(cluster: &Cluster<'_>, topic: &str, isolation: &str) -> Vec<String> {
    let pairs =
        [("group.id", "reader"), ("isolation.level", isolation), ("enable.partition.eof", "true")];
    let consumer: BaseConsumer = config(cluster, &pairs).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("valid");
    consumer.assign(&list).expect("assigned");
    let mut seen = Vec::new();
    wait_for("the end of the partition", LIMIT, || match consumer.poll(CALL) {
        Some(Ok(message)) => {
            let value = message.payload().map(|v| String::from_utf8_lossy(v).into_owned());
            seen.push(value.unwrap_or_else(|| "tombstone".to_owned()));
            None
        }
        Some(Err(KafkaError::PartitionEOF(_))) => Some(()),
        Some(Err(error)) => panic!("{error}"),
        None => None,
    });
    seen
}

fn produced_is_consumed(cluster: &Cluster<'_>) {
    let topic = name("plain");
    (cluster.create)(&topic, 1);
    let producer = producer(cluster, &[]);
    (0..5).for_each(|i| send(&producer, &topic, &format!("v{i}")));
    assert_eq!(values(cluster, &topic, "read_committed"), ["v0", "v1", "v2", "v3", "v4"]);
}

fn codecs(cluster: &Cluster<'_>) {
    let topic = name("codecs");
    (cluster.create)(&topic, 1);
    let all = ["none", "gzip", "snappy", "lz4", "zstd"];
    all.iter()
        .for_each(|codec| send(&producer(cluster, &[("compression.type", codec)]), &topic, codec));
    assert_eq!(values(cluster, &topic, "read_committed"), all);
}

fn metadata(cluster: &Cluster<'_>) {
    let topic = name("metadata");
    (cluster.create)(&topic, 7);
    let consumer: BaseConsumer = config(cluster, &[]).create().expect("a consumer");
    let answer = consumer.fetch_metadata(Some(&topic), CALL).expect("metadata");
    assert_eq!(answer.topics()[0].partitions().len(), 7);
}

fn times_and_tombstones(cluster: &Cluster<'_>) {
    let topic = name("times");
    (cluster.create)(&topic, 1);
    let producer = producer(cluster, &[]);
    let at = 1_767_225_600_123;
    let record = BaseRecord::<str, str>::to(&topic).partition(0).key("k").timestamp(at);
    producer.send(record).map_err(|(error, _)| error).expect("queued");
    producer.flush(CALL).expect("stored");
    let pairs = [("group.id", "reader"), ("auto.offset.reset", "earliest")];
    let consumer: BaseConsumer = config(cluster, &pairs).create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Beginning).expect("valid");
    consumer.assign(&list).expect("assigned");
    let message = wait_for("the record", LIMIT, || consumer.poll(CALL).and_then(Result::ok));
    assert_eq!((message.timestamp(), message.payload()), (Timestamp::CreateTime(at), None));
}

fn member(cluster: &Cluster<'_>, group: &str, topic: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut pairs = vec![
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
    ];
    if more.iter().all(|(key, _)| *key != "group.protocol") {
        pairs.push(("session.timeout.ms", "6000"));
    }
    pairs.extend_from_slice(more);
    let consumer: BaseConsumer = config(cluster, &pairs).create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribed");
    consumer
}

fn next_value(consumer: &BaseConsumer) -> String {
    wait_for("a record", LIMIT, || match consumer.poll(Duration::from_millis(200)) {
        Some(Ok(m)) => Some(String::from_utf8_lossy(m.payload().unwrap_or_default()).into_owned()),
        _ => None,
    })
}

fn commit_and_resume(cluster: &Cluster<'_>) {
    let topic = name("resume");
    (cluster.create)(&topic, 1);
    let producer = producer(cluster, &[]);
    ["a", "b"].iter().for_each(|value| send(&producer, &topic, value));
    let first = member(cluster, &topic, &topic, &[]);
    assert_eq!(next_value(&first), "a");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(1)).expect("valid");
    first.commit(&list, CommitMode::Sync).expect("committed");
    drop(first);
    assert_eq!(next_value(&member(cluster, &topic, &topic, &[])), "b");
}

/// Two members end up with two partitions each.
fn share(cluster: &Cluster<'_>, what: &str, more: &[(&str, &str)]) {
    let topic = name(what);
    (cluster.create)(&topic, 4);
    let members = [(); 2].map(|()| member(cluster, &topic, &topic, more));
    wait_for("two partitions each", LIMIT, || {
        for member in &members {
            let _ = member.poll(Duration::from_millis(50));
        }
        let count = |member: &BaseConsumer| member.assignment().map_or(0, |list| list.count());
        (members.iter().map(count).collect::<Vec<_>>() == [2, 2]).then_some(())
    });
}

fn group_of_two_range(cluster: &Cluster<'_>) {
    share(cluster, "range", &[("partition.assignment.strategy", "range")]);
}

fn group_of_two_cooperative(cluster: &Cluster<'_>) {
    share(cluster, "sticky", &[("partition.assignment.strategy", "cooperative-sticky")]);
}

fn group_of_two_consumer(cluster: &Cluster<'_>) {
    share(cluster, "kip848", &[("group.protocol", "consumer")]);
}

fn idempotence(cluster: &Cluster<'_>) {
    let topic = name("idempotent");
    (cluster.create)(&topic, 1);
    let producer = producer(cluster, &[("enable.idempotence", "true")]);
    (0..100).for_each(|i| send(&producer, &topic, &i.to_string()));
    assert_eq!(values(cluster, &topic, "read_committed").len(), 100);
}

fn transactional(cluster: &Cluster<'_>, id: &str, timeout: &str) -> BaseProducer {
    let pairs = [("transactional.id", id), ("transaction.timeout.ms", timeout)];
    let producer = producer(cluster, &pairs);
    producer.init_transactions(CALL).expect("initialised");
    producer
}

fn committed_is_read(cluster: &Cluster<'_>) {
    let topic = name("committed");
    (cluster.create)(&topic, 1);
    let producer = transactional(cluster, &topic, "10000");
    producer.begin_transaction().expect("begun");
    send(&producer, &topic, "committed");
    producer.commit_transaction(CALL).expect("committed");
    assert_eq!(values(cluster, &topic, "read_committed"), ["committed"]);
}

fn aborted_is_hidden(cluster: &Cluster<'_>) {
    let topic = name("aborted");
    (cluster.create)(&topic, 1);
    let producer = transactional(cluster, &topic, "10000");
    producer.begin_transaction().expect("begun");
    send(&producer, &topic, "aborted");
    producer.abort_transaction(CALL).expect("aborted");
    assert_eq!(values(cluster, &topic, "read_committed"), [""; 0]);
}

fn open_is_hidden(cluster: &Cluster<'_>) {
    let topic = name("open");
    (cluster.create)(&topic, 1);
    let producer = transactional(cluster, &topic, "10000");
    producer.begin_transaction().expect("begun");
    send(&producer, &topic, "open");
    assert_eq!(values(cluster, &topic, "read_uncommitted"), ["open"]);
    assert_eq!(values(cluster, &topic, "read_committed"), [""; 0]);
    producer.abort_transaction(CALL).expect("aborted");
}

/// Commits or aborts a transaction with the offset 1; what the group has then.
fn offset_of(cluster: &Cluster<'_>, topic: &str, commit: bool) -> Offset {
    (cluster.create)(topic, 1);
    let writer = transactional(cluster, topic, "10000");
    let plain = producer(cluster, &[]);
    send(&plain, topic, "in");
    let consumer = member(cluster, topic, topic, &[]);
    next_value(&consumer);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(1)).expect("valid");
    writer.begin_transaction().expect("begun");
    let group = consumer.group_metadata().expect("a member");
    writer.send_offsets_to_transaction(&list, &group, CALL).expect("sent");
    match commit {
        true => writer.commit_transaction(CALL).expect("committed"),
        false => writer.abort_transaction(CALL).expect("aborted"),
    }
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    consumer.committed_offsets(list, CALL).expect("an answer").elements()[0].offset()
}

fn offsets_commit(cluster: &Cluster<'_>) {
    assert_eq!(offset_of(cluster, &name("offsets"), true), Offset::Offset(1));
}

fn offsets_abort(cluster: &Cluster<'_>) {
    assert_eq!(offset_of(cluster, &name("no-offsets"), false), Offset::Invalid);
}

fn zombie_is_fenced(cluster: &Cluster<'_>) {
    let topic = name("zombie");
    (cluster.create)(&topic, 1);
    let zombie = transactional(cluster, &topic, "10000");
    zombie.begin_transaction().expect("begun");
    send(&zombie, &topic, "zombie");
    let _second = transactional(cluster, &topic, "10000");
    let error = zombie.commit_transaction(CALL).expect_err("fenced");
    assert!(matches!(&error, KafkaError::Transaction(e) if e.is_fatal()), "{error}");
    assert_eq!(values(cluster, &topic, "read_committed"), [""; 0]);
}

fn generation_is_fenced(cluster: &Cluster<'_>) {
    let topic = name("generation");
    (cluster.create)(&topic, 1);
    let writer = transactional(cluster, &topic, "10000");
    send(&producer(cluster, &[]), &topic, "in");
    let consumer = member(cluster, &topic, &topic, &[]);
    next_value(&consumer);
    let group = consumer.group_metadata().expect("a member");
    drop(consumer);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(1)).expect("valid");
    writer.begin_transaction().expect("begun");
    let error = writer.send_offsets_to_transaction(&list, &group, CALL).expect_err("fenced");
    assert!(matches!(&error, KafkaError::Transaction(e) if e.txn_requires_abort()), "{error}");
    writer.abort_transaction(CALL).expect("aborted");
}

fn slow_is_aborted(cluster: &Cluster<'_>) {
    let topic = name("slow");
    (cluster.create)(&topic, 1);
    let slow = transactional(cluster, &topic, "1500");
    slow.begin_transaction().expect("begun");
    send(&slow, &topic, "slow");
    let [all, stable] = ["read_uncommitted", "read_committed"].map(|isolation| -> BaseConsumer {
        config(cluster, &[("isolation.level", isolation)]).create().expect("a consumer")
    });
    let end = |client: &BaseConsumer| client.fetch_watermarks(&topic, 0, CALL).expect("offsets").1;
    // The broker aborts it and writes a marker behind the record.
    wait_for("the abort", LIMIT, || (end(&stable) == end(&all) && end(&all) > 1).then_some(()));
    assert_eq!(values(cluster, &topic, "read_committed"), [""; 0]);
}

fn retention(cluster: &Cluster<'_>) {
    let topic = name("retention");
    (cluster.create)(&topic, 1);
    let writer = producer(cluster, &[]);
    ["a", "b", "c"].iter().for_each(|value| send(&writer, &topic, value));
    let admin: AdminClient<DefaultClientContext> = config(cluster, &[]).create().expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(2)).expect("valid");
    let options = AdminOptions::new().request_timeout(Some(CALL));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let deleted = runtime.expect("a runtime").block_on(admin.delete_records(&list, &options));
    deleted.expect("deleted");
    assert_eq!(values(cluster, &topic, "read_committed"), ["c"]);
    let consumer: BaseConsumer = config(cluster, &[]).create().expect("a consumer");
    assert_eq!(consumer.fetch_watermarks(&topic, 0, CALL).expect("offsets"), (2, 3));
}

fn admin(cluster: &Cluster<'_>) {
    let params = format!("kafka.brokers = ['{}']", cluster.bootstrap);
    let stream = "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{ name = 'x' }]";
    let settings =
        latentd::config::Settings::from_text(&format!("{params}\n{stream}"), &BTreeMap::new());
    let params: KafkaParams = settings.unwrap_or_else(|e| panic!("{e}")).kafka;
    let spec = TopicSpec { replication: 1, ..TopicSpec::state(&name("made"), 3) };
    let outcome = ensure_topics(&params, std::slice::from_ref(&spec)).expect("the cluster answers");
    assert_eq!(outcome, [(spec.name.clone(), TopicOutcome::Created)]);
    wait_for("the topic", LIMIT, || {
        let listed = list_topics(&params).expect("the cluster answers");
        listed
            .iter()
            .find(|topic| topic.name == spec.name)
            .map(|topic| assert_eq!(topic.partitions, 3))
    });
}

/// The reason why the end of a partition is never taken from its last record.
fn markers_have_offsets(cluster: &Cluster<'_>) {
    let topic = name("markers");
    (cluster.create)(&topic, 1);
    let producer = transactional(cluster, &topic, "10000");
    producer.begin_transaction().expect("begun");
    send(&producer, &topic, "committed");
    producer.commit_transaction(CALL).expect("committed");
    let consumer: BaseConsumer = config(cluster, &[]).create().expect("a consumer");
    wait_for("the marker", Duration::from_secs(5), || {
        (consumer.fetch_watermarks(&topic, 0, CALL).expect("offsets").1 == 2).then_some(())
    });
}

#[test]
fn a_real_broker_passes_every_check() {
    let broker = shared();
    let create = |topic: &str, partitions| broker.create_topic(topic, partitions);
    let cluster = Cluster { bootstrap: broker.bootstrap().to_owned(), create: &create };
    for (what, _, check) in CHECKS {
        eprintln!("conformance: {what}");
        check(&cluster);
    }
}

/// The list of what the mock cluster does not do is kept true from both sides.
#[test]
fn the_mock_cluster_fails_as_expected_and_nowhere_else() {
    let mock: MockCluster<'_, DefaultProducerContext> =
        MockCluster::new(1).expect("a mock cluster");
    let create =
        |topic: &str, partitions| mock.create_topic(topic, partitions, 1).expect("a topic");
    let cluster = Cluster { bootstrap: mock.bootstrap_servers(), create: &create };
    for (what, passes, check) in CHECKS {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&cluster)));
        assert_eq!(outcome.is_ok(), passes, "{what}");
    }
}
