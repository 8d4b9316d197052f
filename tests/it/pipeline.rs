//! The daemon on a log in memory: what no timing of a real broker could show.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::JoinHandle;
use std::time::Duration;

use latentd::config::Settings;
use latentd::daemon::{self, Clock, DaemonError, Options, RunReport, Shutdown};
use latentd::io::{DeliverFault, MemoryBroker, OffsetReset, OutMessage};
use latentd::record::{EventTime, Millis};

use crate::broker::wait_for;

const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_767_225_600_000;
const GROUP: &str = "latentd";
const OUTPUTS: [&str; 4] =
    ["latentd.alerts.v1", "latentd.features.v1", "latentd.forecasts.v1", "latentd.dlq.v1"];

const STREAM: &str = r#"
    http = { listen = "127.0.0.1:0" }
    [[stream]]
    name = "press"
    topics = ["input"]
    timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
    step = "1s"
    max_out_of_order = "2s"
    ahead_max = "520w"
    channel = [{ name = "x" }, { name = "y" }]
    window = { length = 4 }
    model = { hidden = [6], latent = 2, warmup = 60 }
    forecast = { targets = ["x"], horizons = ["1s"], seasons = ["20s"], levels = [0.8] }
"#;

/// A broker in memory with `partitions` input partitions of `rows` records each.
fn broker(partitions: i32, rows: i64) -> MemoryBroker {
    let broker = MemoryBroker::new();
    broker.create_topic("input", partitions as usize);
    OUTPUTS.iter().for_each(|topic| broker.create_topic(topic, 2));
    for i in 0..rows {
        (0..partitions).for_each(|partition| append(&broker, partition, i));
    }
    broker
}

fn append(broker: &MemoryBroker, partition: i32, i: i64) {
    let load = (i as f64 / 5.0).sin();
    let fault = if i == 150 { 30.0 } else { 0.0 };
    let (x, y) = (load + 0.01 * (i % 7) as f64, fault - load);
    let body = format!(r#"{{"ts":{},"x":{x},"y":{y}}}"#, START + 1_000 * i);
    let message = OutMessage {
        topic: "input".into(),
        partition: Some(partition),
        key: Some(format!("press-{partition}").into_bytes()),
        payload: Some(body.into_bytes()),
        headers: Vec::new(),
    };
    broker.append(message, Some(START + 1_000 * i)).expect("the topic exists");
}

/// A daemon on its own thread.
struct Running {
    stop: Shutdown,
    thread: JoinHandle<Result<RunReport, DaemonError>>,
}

impl Running {
    fn start(broker: &MemoryBroker, batch: usize, clock: Clock) -> Self {
        let mut settings =
            Settings::from_text(STREAM, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e}"));
        settings.kafka.batch_records_max = batch;
        settings.kafka.batch_wait = Millis::new(5);
        let log = broker.join(GROUP, &["input"], OffsetReset::Earliest);
        let retry_first = Duration::from_millis(1);
        let options = Options { clock, retry_first, ..Options::default() };
        let stop = Shutdown::new();
        let asked = stop.clone();
        let thread = std::thread::spawn(move || daemon::run(&settings, options, log, &asked));
        Self { stop, thread }
    }

    fn stop(self) -> RunReport {
        self.stop.request();
        self.thread.join().expect("no panic").unwrap_or_else(|e| panic!("{e}"))
    }
}

fn wait_committed(broker: &MemoryBroker, partitions: i32, offset: i64) {
    wait_for("the last commit", LIMIT, || {
        let done = |p| broker.committed(GROUP, "input", p) == Some(offset);
        (0..partitions).all(done).then_some(())
    });
}

/// Runs a daemon over everything and stops it.
fn consume(broker: &MemoryBroker, batch: usize, rows: i64) -> RunReport {
    let running = Running::start(broker, batch, Clock::system());
    wait_committed(broker, 2, rows);
    running.stop()
}

/// Everything written, in the order of each key: topic, key, headers and body as text.
fn written(broker: &MemoryBroker) -> Vec<String> {
    let mut all = Vec::new();
    for topic in OUTPUTS {
        let mut records = broker.records(topic);
        records.sort_by(|a, b| a.key.cmp(&b.key));
        all.extend(records.iter().map(|r| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers: Vec<String> =
                r.headers.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
            let body = r.payload.as_deref().map(text);
            format!("{topic} {:?} {headers:?} {body:?}", r.key.as_deref().map(text))
        }));
    }
    all
}

#[test]
fn the_size_of_a_batch_changes_no_output() {
    let outputs = [1, 7, 10_000].map(|batch| {
        let broker = broker(2, 300);
        let report = consume(&broker, batch, 300);
        assert_eq!((report.records, report.rejected), (600, 0));
        assert!(report.alerts >= 2 && report.features > 500 && report.forecasts > 0, "{report}");
        written(&broker)
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[1], outputs[2]);
}

#[test]
fn a_delivery_that_fails_is_repeated_until_it_succeeds() {
    let undisturbed = broker(2, 300);
    consume(&undisturbed, 50, 300);
    let disturbed = broker(2, 300);
    for fault in [DeliverFault::BeforeWrite, DeliverFault::BeforeWrite, DeliverFault::BeforeWrite] {
        disturbed.fail_next_deliver(fault);
    }
    consume(&disturbed, 50, 300);
    assert_eq!(written(&disturbed), written(&undisturbed));
    // An acknowledgement that got lost: written twice under one id, and nothing else.
    let doubled = broker(2, 300);
    doubled.fail_next_deliver(DeliverFault::AfterWrite);
    consume(&doubled, 50, 300);
    let (once, twice) = (written(&undisturbed), written(&doubled));
    assert!(twice.len() > once.len());
    let set = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(twice), set(once));
}

#[test]
fn a_stop_while_nothing_can_be_delivered_ends_and_commits_nothing() {
    let broker = broker(1, 100);
    (0..100_000).for_each(|_| broker.fail_next_deliver(DeliverFault::BeforeWrite));
    let running = Running::start(&broker, 1_000, Clock::system());
    running.stop.sleep(Duration::from_millis(50));
    running.stop.request();
    let error = running.thread.join().expect("no panic").map(|report| report.records);
    match error {
        Err(error) => assert!(error.to_string().contains("were not acknowledged"), "{error}"),
        // The stop came before the first batch: nothing was there to deliver.
        Ok(records) => assert_eq!(records, 0),
    }
    assert_eq!(broker.committed(GROUP, "input", 0), None);
    assert_eq!(written(&broker), Vec::<String>::new());
}

#[test]
fn a_second_member_takes_partitions_over_and_none_is_orphaned() {
    let broker = broker(2, 200);
    let first = Running::start(&broker, 20, Clock::system());
    wait_committed(&broker, 2, 200);
    let second = Running::start(&broker, 20, Clock::system());
    for i in 200..400 {
        (0..2).for_each(|partition| append(&broker, partition, i));
    }
    wait_committed(&broker, 2, 400);
    let reports = [first.stop(), second.stop()];
    assert!(reports.iter().map(|r| r.records).sum::<u64>() >= 800, "{reports:?}");
}

#[test]
fn silence_closes_the_last_rows_as_fast_as_the_clock_and_no_faster() {
    let broker = broker(1, 20);
    let clock = Clock::manual(EventTime::from_millis(START));
    let running = Running::start(&broker, 100, clock.clone());
    wait_committed(&broker, 1, 20);
    let features = || broker.records("latentd.features.v1").len();
    // The watermark stands at second 17: row 16 is the last that is closed, windows begin at 3.
    assert_eq!(features(), 14);
    clock.advance(Millis::new(29_000));
    running.stop.sleep(Duration::from_millis(100));
    assert_eq!(features(), 14, "the default idle_timeout is 30 s");
    wait_for("the last rows", LIMIT, || {
        clock.advance(Millis::new(1_000));
        (features() == 17).then_some(())
    });
    running.stop();
}
