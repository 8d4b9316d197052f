//! Processes of one group on one input that never ends, and the faults that hit them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{LIMIT, check};
use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{Broker, wait_for};

pub const PARTITIONS: i32 = 3;
const START: i64 = 1_767_225_600_000;
/// Records that the feeder writes to each partition a second.
const PACE: u64 = 150;

const CLASSIC: &str = r#"
    kafka.rdkafka."session.timeout.ms" = "2000"
    kafka.rdkafka."heartbeat.interval.ms" = "300"
"#;
/// The group protocol of KIP-848: the broker assigns, and sets the session.
pub const CONSUMER: &str = r#"kafka.rdkafka."group.protocol" = "consumer""#;

pub struct Fleet<'b> {
    pub broker: &'b Broker,
    pub name: String,
    pub workers: usize,
    /// Settings of the client library that the group needs.
    pub group: &'static str,
    pub faults: usize,
    running: BTreeMap<String, Latentd>,
    feeder: Option<JoinHandle<i64>>,
    stop_feeding: Arc<AtomicBool>,
    offsets: BaseConsumer,
    /// When the last fault came, and what was committed of each partition then.
    hit_at: Option<(Instant, Vec<i64>)>,
    takeovers: Vec<Duration>,
    seed: u64,
}

/// The record of second `i` of one of the two machines of a partition.
fn record(partition: i32, i: i64) -> (String, String) {
    let machine = format!("m{partition}{}", i % 2);
    let load = (i as f64 / 40.0 + f64::from(partition)).sin();
    let noise = ((i * 7_919 + i64::from(partition)) % 101) as f64 / 101.0 - 0.5;
    let fault = if i % 400 > 392 { 8.0 } else { 0.0 };
    let (x, y) = (10.0 * load + noise, fault - 3.0 * load);
    let value = format!(r#"{{"ts":{},"x":{x:.4},"y":{y:.4}}}"#, START + 500 * i);
    // Now and then something that is no record.
    (machine, if i % 97 == 96 { "{broken".to_owned() } else { value })
}

/// Writes until it is told to stop; the records of each partition.
fn feed(bootstrap: &str, topic: &str, stop: &AtomicBool) -> i64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "120000")
        .create()
        .expect("a producer");
    let (mut i, began) = (0, Instant::now());
    while !stop.load(Ordering::SeqCst) {
        while (i as u64) < began.elapsed().as_millis() as u64 * PACE / 1_000 {
            for partition in 0..PARTITIONS {
                let (key, value) = record(partition, i);
                let record =
                    || BaseRecord::to(topic).partition(partition).key(&key).payload(&value);
                while producer.send(record()).is_err() {
                    producer.poll(Duration::from_millis(10));
                }
            }
            i += 1;
        }
        producer.poll(Duration::from_millis(5));
    }
    producer.flush(Duration::from_secs(120)).expect("all records stored");
    i
}

pub fn stream(name: &str) -> String {
    format!(
        r#"
        [state]
        snapshot_interval = "300ms"
        [[stream]]
        name = "press"
        topics = ["in.{name}"]
        timestamp = {{ from = "field", field = "/ts", format = "epoch_ms" }}
        step = "1s"
        max_out_of_order = "1s"
        ahead_max = "520w"
        idle_timeout = "1h"
        channel = [{{ name = "x" }}, {{ name = "y" }}]
        window = {{ length = 4 }}
        model = {{ hidden = [6], latent = 2, warmup = 60, scope = "shard" }}
        alert = {{ budget = {{ alerts = 4.0, per = "1h" }} }}
        forecast = {{ targets = ["x"], horizons = ["1s", "3s"], seasons = ["20s"], every = 5 }}
        "#
    )
}

impl<'b> Fleet<'b> {
    /// Makes the topics and begins to feed the input.
    pub fn new(broker: &'b Broker, name: &str, workers: usize) -> Self {
        let name = format!("fleet-{name}");
        broker.create_topic(&format!("in.{name}"), PARTITIONS);
        create_outputs(broker, &name);
        let stop_feeding = Arc::new(AtomicBool::new(false));
        let (bootstrap, topic) = (broker.bootstrap().to_owned(), format!("in.{name}"));
        let stop = Arc::clone(&stop_feeding);
        let feeder = std::thread::spawn(move || feed(&bootstrap, &topic, &stop));
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap()).set("group.id", &name);
        Self {
            offsets: config.create().expect("a consumer"),
            broker,
            name,
            workers,
            group: CLASSIC,
            faults: 0,
            running: BTreeMap::new(),
            feeder: Some(feeder),
            stop_feeding,
            hit_at: None,
            takeovers: Vec::new(),
            seed: 1,
        }
    }

    fn settings(&self, instance: &str) -> String {
        let kafka = format!(
            r#"
            kafka.instance = "{instance}"
            kafka.workers = {}
            kafka.transaction_timeout = "3s"
            kafka.batch_records_max = 40
            kafka.batch_wait = "20ms"
            {}
            "#,
            self.workers, self.group
        );
        let rest = settings(self.broker, &self.name, &stream(&self.name));
        let brokers = format!("kafka = {{ brokers = [\"{}\"], ", self.broker.bootstrap());
        let rest = rest.replace(
            &format!("{brokers}group_id = \"{}\", offset_reset = \"earliest\" }}", self.name),
            &format!(
                "kafka.brokers = [\"{}\"]\nkafka.group_id = \"{}\"",
                self.broker.bootstrap(),
                self.name
            ),
        );
        format!("{kafka}\n{rest}")
    }

    pub fn start(&mut self, instance: &str) {
        let latentd = Latentd::start(&self.settings(instance));
        assert!(self.running.insert(instance.to_owned(), latentd).is_none(), "{instance} runs");
    }

    /// Runs a second process under the name of `instance` until one of the two is fenced off and
    /// says why, then stops it.
    pub fn twin_until_fenced(&mut self, instance: &str) {
        let twin = Latentd::start(&self.settings(instance));
        let first = &self.running[instance];
        wait_for("one to be fenced", LIMIT, || {
            let told =
                |latentd: &Latentd| latentd.log().contains("under the same `kafka.instance`?");
            (told(&twin) || told(first)).then_some(())
        });
        self.fault();
        assert_eq!(twin.terminate().0.code(), Some(0));
    }

    /// Starts an instance that ends itself when it gets to a point for the `times`-th time.
    pub fn die_at(&mut self, instance: &str, point: &str, times: usize) {
        let armed =
            if point == "during_restore" { point.to_owned() } else { format!("{point}:{times}") };
        let mut latentd =
            Latentd::spawn(&self.settings(instance), &[], &[("LATENTD_FAILPOINT", &armed)]);
        let status = wait_for(&format!("death at {armed}"), LIMIT, || latentd.ended());
        assert!(status.code().is_none(), "{armed}: {status}\n{}", latentd.log());
        self.fault();
    }

    pub fn kill(&mut self, instance: &str) {
        self.dice();
        std::thread::sleep(Duration::from_millis(self.seed % 40));
        self.running.remove(instance).expect("it runs").kill();
        self.fault();
    }

    pub fn stop(&mut self, instance: &str) {
        let (status, took, log) = self.running.remove(instance).expect("it runs").terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(took < Duration::from_secs(10), "{took:?}\n{log}");
        self.fault();
    }

    /// Stops an instance in its tracks for a while.
    pub fn freeze(&mut self, instance: &str, span: Duration) {
        self.running[instance].signal("STOP");
        self.fault();
        std::thread::sleep(span);
        self.running[instance].signal("CONT");
    }

    pub fn kill_broker(&mut self, away: Duration) {
        self.broker.kill();
        self.fault();
        std::thread::sleep(away);
        self.broker.resume();
    }

    fn dice(&mut self) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 1;
    }

    fn fault(&mut self) {
        self.faults += 1;
        let at = Instant::now();
        self.hit_at = Some((at, self.committed()));
    }

    /// Committed position of each partition; nothing while the broker is away.
    fn committed(&self) -> Vec<i64> {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&format!("in.{}", self.name), 0, PARTITIONS - 1);
        let Ok(offsets) = self.offsets.committed_offsets(list, Duration::from_secs(5)) else {
            return Vec::new();
        };
        let raw =
            |e: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| e.offset().to_raw();
        offsets.elements().into_iter().filter_map(raw).map(|offset| offset.max(0)).collect()
    }

    /// Committed positions, added up.
    pub fn total_committed(&self) -> i64 {
        self.committed().iter().sum()
    }

    /// Waits until the group has committed `records` more.
    pub fn wait_progress(&mut self, what: &str, records: i64) {
        let from = self.total_committed();
        wait_for(&format!("progress, {what}; logs:\n{}", self.logs()), LIMIT, || {
            let committed = self.committed();
            // Taken over: each partition has moved on since the fault.
            let moved = |(_, before): &&(Instant, Vec<i64>)| {
                before.len() == committed.len()
                    && before.iter().zip(&committed).all(|(before, now)| before < now)
            };
            if let Some((at, _)) = self.hit_at.as_ref().filter(moved) {
                self.takeovers.push(at.elapsed());
                self.hit_at = None;
            }
            (committed.iter().sum::<i64>() >= from + records).then_some(())
        });
    }

    fn logs(&self) -> String {
        let tail = |log: String| {
            let lines: Vec<&str> = log.lines().rev().take(30).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        self.running.iter().map(|(name, l)| format!("--- {name}\n{}\n", tail(l.log()))).collect()
    }

    pub fn takeover_p50_ms(&self) -> u128 {
        let mut sorted = self.takeovers.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).map_or(0, Duration::as_millis)
    }

    /// Ends the feed, lets the group read to its end, stops it, and compares everything with a run
    /// that nothing disturbed.
    pub fn verify(&mut self, alive: &[&str]) {
        self.stop_feeding.store(true, Ordering::SeqCst);
        let rows = self.feeder.take().expect("fed once").join().expect("no panic");
        let total = rows * i64::from(PARTITIONS);
        wait_for(&format!("the end of the input; logs:\n{}", self.logs()), LIMIT, || {
            (self.total_committed() >= total).then_some(())
        });
        for instance in alive {
            let (status, _, log) = self.running.remove(*instance).expect("it runs").terminate();
            assert_eq!(status.code(), Some(0), "{log}");
        }
        assert!(self.running.is_empty(), "{:?}", self.running.keys());
        check::exactly_once(self, rows);
    }
}
