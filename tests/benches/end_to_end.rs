//! Records a second from topic to topics: `cargo bench --bench end_to_end`.
//!
//! A million JSON records of 1,000 series lie in librdkafka's mock cluster. First they are only
//! consumed (the ceiling), then the daemon reads, decodes, scores at stride 1 with a shared
//! 64-32-8-32-64 network, trains (one step of 32 windows every 32 windows), encodes and produces
//! them. Both runs share the machine with the mock cluster, which lives in this process.
//!
//! With `LATENTD_TEST_BROKERS=host:port` the broker is a real one, and exactly-once delivery is
//! measured beside at-least-once delivery, in turns (the mock cluster keeps no transactions).

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use latentd::config::Settings;
use latentd::daemon::{self, Options, Shutdown};
use latentd::io::{Delivery, TopicSpec, ensure_topics};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::util::Timeout;

const RECORDS: u64 = 1_000_000;
const SERIES: u64 = 1_000;
/// The mock cluster forgets what exceeds 5 MiB in a partition.
const PARTITIONS: i32 = 24;

const SETTINGS: &str = r#"
kafka = { group_id = "bench", batch_records_max = 20000 }
http = { listen = "127.0.0.1:0" }

[[stream]]
name = "bench"
topics = ["input"]
timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
entity = { from = "kafka_key" }
step = "1s"
max_out_of_order = "1s"
# The records' own time lies ahead of the time at which they were produced.
ahead_max = "52w"
channel = [{ name = "value" }]
window = { length = 64 }
model = { scope = "shard", hidden = [32], latent = 8, train_every = 32, warmup_train_every = 32 }
features = { every = 10 }
"#;

fn main() {
    let topics = [
        ("input", PARTITIONS),
        ("latentd.alerts.v1", 4),
        ("latentd.alerts.current.v1", 4),
        ("latentd.features.v1", 4),
        ("latentd.forecasts.v1", 4),
        ("latentd.models.v1", 4),
        ("latentd.dlq.v1", 4),
        ("state-0", PARTITIONS),
    ];
    match std::env::var("LATENTD_TEST_BROKERS") {
        Ok(servers) => {
            let settings = settings(&servers, 0, Delivery::ExactlyOnce);
            let specs = topics.map(|(name, partitions)| TopicSpec {
                name: name.to_owned(),
                partitions,
                replication: 1,
                config: BTreeMap::new(),
            });
            ensure_topics(&settings.kafka, &specs).expect("topics can be made");
            measure(&servers, &[Delivery::AtLeastOnce, Delivery::ExactlyOnce].repeat(3));
        }
        Err(_) => {
            let cluster: MockCluster<'_, DefaultProducerContext> =
                MockCluster::new(1).expect("the mock cluster starts");
            for (topic, partitions) in topics {
                cluster.create_topic(topic, partitions, 1).expect("a topic can be made");
            }
            measure(&cluster.bootstrap_servers(), &[Delivery::AtLeastOnce]);
        }
    }
}

fn measure(servers: &str, deliveries: &[Delivery]) {
    fill(servers);
    let ceiling = consume(servers);
    println!("consume only: {:.0} records/s, {:.0} ns CPU/record", ceiling.rate, ceiling.cpu_ns);
    let mut rates = BTreeMap::<&str, Vec<f64>>::new();
    for (run, delivery) in deliveries.iter().enumerate() {
        let (measured, report) = latentd(settings(servers, run, *delivery));
        println!("{report}");
        println!(
            "latentd, {delivery:?}: {:.0} records/s end to end, {:.0} ns CPU/record of this \
             process, {:.0} ns of the worker thread; {:.2} of the ceiling",
            measured.rate,
            measured.cpu_ns,
            measured.thread_ns,
            measured.rate / ceiling.rate
        );
        let name = if *delivery == Delivery::ExactlyOnce { "exactly" } else { "at least" };
        rates.entry(name).or_default().push(measured.rate);
    }
    let median = |name: &str| {
        let mut of = rates.get(name).cloned().unwrap_or_default();
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
    };
    if rates.len() == 2 {
        println!("exactly once over at least once: {:.2}", median("exactly") / median("at least"));
    }
}

fn settings(servers: &str, run: usize, delivery: Delivery) -> Settings {
    let mut settings =
        Settings::from_text(SETTINGS, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e}"));
    settings.kafka.brokers = vec![servers.to_owned()];
    settings.kafka.group_id = format!("bench-{}-{run}", std::process::id());
    settings.kafka.delivery = delivery;
    settings.topics.state = match run {
        0 => "state-0".to_owned(),
        _ => format!("state-{}-{run}", std::process::id()),
    };
    settings
}

/// One measured stretch.
struct Measured {
    /// Records a second of wall time.
    rate: f64,
    /// CPU time of the process a record.
    cpu_ns: f64,
    /// CPU time of the thread that scores a record.
    thread_ns: f64,
}

fn fill(servers: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("queue.buffering.max.messages", "200000")
        .set("linger.ms", "20")
        .set("batch.num.messages", "1000")
        .set("compression.type", "lz4")
        .create()
        .expect("a producer");
    for i in 0..RECORDS {
        let (row, series) = (i / SERIES, i % SERIES);
        let key = format!("sensor-{series:05}");
        let noise = ((i * 7_919) % 1_009) as f64 / 1_009.0;
        let value = (row as f64 / 60.0 + series as f64).sin() + 0.1 * noise;
        let payload = format!(r#"{{"ts":{},"value":{value:.4}}}"#, 1_700_000_000_000 + 1_000 * row);
        let partition = (series % PARTITIONS as u64) as i32;
        let mut record = BaseRecord::to("input").partition(partition).key(&key).payload(&payload);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(5));
            record = back;
        }
        if i % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Timeout::After(Duration::from_secs(60))).expect("everything is acknowledged");
}

/// Reads everything with a consumer that does nothing else.
fn consume(servers: &str) -> Measured {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "ceiling")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer");
    for partition in 0..PARTITIONS {
        let (low, _) = consumer
            .fetch_watermarks("input", partition, Duration::from_secs(10))
            .expect("the broker tells its offsets");
        assert_eq!(low, 0, "the mock cluster forgot records: more partitions are needed");
    }
    consumer.subscribe(&["input"]).expect("a subscription");
    let mut read = 0_u64;
    let (mut began, mut cpu) = (Instant::now(), 0.0);
    while read < RECORDS {
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100)) {
            if read == 0 {
                (began, cpu) = (Instant::now(), cpu_seconds(None));
            }
            read += 1;
        }
    }
    measured(RECORDS, began, cpu_seconds(None) - cpu, 0.0)
}

/// Runs the daemon over everything; the clock runs while it is seen to consume.
fn latentd(settings: Settings) -> (Measured, daemon::RunReport) {
    let (tell, listening) = mpsc::channel();
    let options = Options { listening: Some(tell), ..Options::default() };
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let running = thread::spawn(move || daemon::run_on_kafka(&settings, options, &stop));
    let address = listening.recv().expect("the daemon listens");
    let consumed = || consumed(&format!("http://{address}/metrics"));
    let first = wait(consumed, 1);
    let (began, cpu, own) = (Instant::now(), cpu_seconds(None), cpu_seconds(Some("worker-0")));
    wait(consumed, RECORDS);
    let own = cpu_seconds(Some("worker-0")) - own;
    let result = measured(RECORDS - first, began, cpu_seconds(None) - cpu, own);
    shutdown.request();
    let report = running.join().expect("no panic").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.records, report.rejected), (RECORDS, 0));
    (result, report)
}

fn measured(records: u64, began: Instant, cpu: f64, own: f64) -> Measured {
    let records = records as f64;
    Measured {
        rate: records / began.elapsed().as_secs_f64(),
        cpu_ns: cpu * 1e9 / records,
        thread_ns: own * 1e9 / records,
    }
}

fn wait(mut consumed: impl FnMut() -> u64, records: u64) -> u64 {
    loop {
        let now = consumed();
        if now >= records {
            return now;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sum of `latentd_records_consumed_total`.
fn consumed(url: &str) -> u64 {
    let text = ureq::get(url)
        .call()
        .and_then(|mut answer| answer.body_mut().read_to_string())
        .expect("metrics can be read");
    let values = text.lines().filter(|line| line.starts_with("latentd_records_consumed_total{"));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

/// User and system time so far: of the process, or of its thread of this name.
fn cpu_seconds(thread: Option<&str>) -> f64 {
    let stat = match thread {
        None => std::fs::read_to_string("/proc/self/stat").ok(),
        Some(name) => std::fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok())
            .find(|stat| stat.contains(&format!("({name})"))),
    };
    let stat = stat.unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
    let ticks = after.split(' ').skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
