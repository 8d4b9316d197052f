//! The daemon on a log in memory: what no timing of a real broker could show.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::JoinHandle;
use std::time::Duration;

use latentd::config::Settings;
use latentd::daemon::{self, Clock, DaemonError, Options, RunReport, Shutdown};
use latentd::io::{DeliverFault, Delivery, MemoryBroker, OutMessage};
use latentd::record::{EventTime, Millis};

use crate::broker::wait_for;

const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_767_225_600_000;
const GROUP: &str = "latentd";
const OUTPUTS: [&str; 5] = [
    "latentd.alerts.v1",
    "latentd.alerts.current.v1",
    "latentd.features.v1",
    "latentd.forecasts.v1",
    "latentd.dlq.v1",
];

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
    alert = { detector = "network" }
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

/// How a daemon is run.
#[derive(Clone)]
struct How {
    batch: usize,
    clock: Clock,
    delivery: Delivery,
    workers: usize,
    snapshot_interval: Millis,
    reset: &'static [&'static str],
    extra: &'static str,
}

impl How {
    fn batch(batch: usize) -> Self {
        Self {
            batch,
            clock: Clock::system(),
            delivery: Delivery::ExactlyOnce,
            workers: 1,
            snapshot_interval: Millis::new(60_000),
            reset: &[],
            extra: "",
        }
    }
}

/// A daemon on its own thread.
struct Running {
    stop: Shutdown,
    thread: JoinHandle<Result<RunReport, DaemonError>>,
}

impl Running {
    fn start(broker: &MemoryBroker, how: &How) -> Self {
        let text = format!("{}\n{STREAM}", how.extra);
        let mut settings =
            Settings::from_text(&text, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e}"));
        settings.kafka.batch_records_max = how.batch;
        settings.kafka.batch_wait = Millis::new(5);
        settings.state.snapshot_interval = how.snapshot_interval;
        let join = |_| broker.join(GROUP, &["input"], how.delivery);
        let logs = (0..how.workers).map(join).collect();
        let retry_first = Duration::from_millis(1);
        let reset_state = how.reset.iter().map(|name| (*name).to_owned()).collect();
        let clock = how.clock.clone();
        let options = Options { clock, retry_first, reset_state, ..Options::default() };
        let stop = Shutdown::new();
        let asked = stop.clone();
        let thread = std::thread::spawn(move || daemon::run(&settings, options, logs, &asked));
        Self { stop, thread }
    }

    fn stop(self) -> RunReport {
        self.stop.request();
        self.thread.join().expect("no panic").unwrap_or_else(|e| panic!("{e}"))
    }

    /// Ends without a last delivery, as a crash does.
    fn crash(self, broker: &MemoryBroker) {
        (0..10).for_each(|_| broker.fail_next_deliver(DeliverFault::Broken));
        self.stop.request();
        // An error if anything was left to deliver.
        let _ = self.thread.join().expect("no panic");
        broker.clear_faults();
    }

    /// The error with which it ends by itself.
    fn fails(self) -> String {
        let error = self.thread.join().expect("no panic").expect_err("it ends by itself");
        error.to_string()
    }
}

fn wait_committed(broker: &MemoryBroker, partitions: i32, offset: i64) {
    wait_for("the last commit", LIMIT, || {
        let done = |p| broker.committed(GROUP, "input", p) == Some(offset);
        (0..partitions).all(done).then_some(())
    });
}

/// Runs a daemon over everything and stops it.
fn consume(broker: &MemoryBroker, how: &How, rows: i64) -> RunReport {
    let running = Running::start(broker, how);
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
        let report = consume(&broker, &How::batch(batch), 300);
        assert_eq!((report.records, report.rejected), (600, 0));
        assert!(report.alerts >= 2 && report.features > 500 && report.forecasts > 0, "{report}");
        written(&broker)
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[1], outputs[2]);
}

/// The compacted topic repeats what is open, under the same keys, and forgets what closed.
#[test]
fn current_alerts_are_those_that_did_not_close() {
    let broker = broker(2, 300);
    consume(&broker, &How::batch(50), 300);
    let last = |topic| -> BTreeMap<_, _> {
        broker.records(topic).into_iter().map(|r| (r.key, r.payload)).collect()
    };
    let (told, current) = (last("latentd.alerts.v1"), last("latentd.alerts.current.v1"));
    let is = |body: &[u8], change: &str| {
        String::from_utf8_lossy(body).contains(&format!("\"change\":\"{change}\""))
    };
    let mut closed = 0;
    for (key, body) in told {
        let body = body.expect("alerts are never tombstones");
        if is(&body, "suppressed") {
            assert!(!current.contains_key(&key));
        } else if is(&body, "closed") {
            closed += 1;
            assert_eq!(current[&key], None);
        } else {
            assert_eq!(current[&key].as_deref(), Some(&body[..]));
        }
    }
    assert!(closed > 0);
}

/// Alerts that are open in a state that is dropped are closed with it; once, even if the partition goes
/// and comes back to the process that has dropped it.
#[test]
fn a_reset_closes_what_it_forgets_and_happens_once() {
    let broker = broker(2, 156);
    consume(&broker, &How::batch(50), 156);
    let last = |topic| -> BTreeMap<_, _> {
        broker.records(topic).into_iter().map(|r| (r.key, r.payload)).collect()
    };
    let open: Vec<_> =
        last("latentd.alerts.current.v1").into_iter().filter(|r| r.1.is_some()).collect();
    assert_eq!(open.len(), 2, "the fault is still there");
    // Of another stream: none of ours.
    let strange = String::from_utf8(open[0].1.clone().expect("filtered")).expect("JSON");
    let strange = OutMessage {
        topic: "latentd.alerts.current.v1".into(),
        partition: Some(0),
        key: Some(b"a-strange".to_vec()),
        payload: Some(strange.replace("\"stream\":\"press\"", "\"stream\":\"oven\"").into_bytes()),
        headers: Vec::new(),
    };
    broker.append(strange, None).expect("a topic");
    let running = Running::start(&broker, &How { reset: &["press"], ..How::batch(50) });
    let go_on = |range: std::ops::Range<i64>| {
        let end = range.end;
        range.for_each(|i| (0..2).for_each(|partition| append(&broker, partition, i)));
        wait_committed(&broker, 2, end);
    };
    go_on(156..200);
    broker.expire_members(GROUP);
    go_on(200..240);
    running.stop();
    let (told, current) = (last("latentd.alerts.v1"), last("latentd.alerts.current.v1"));
    for (key, body) in open {
        let body: serde_json::Value =
            serde_json::from_slice(&body.expect("filtered")).expect("JSON");
        let closed = told[&key].as_deref().expect("alerts are never tombstones");
        let closed: serde_json::Value = serde_json::from_slice(closed).expect("JSON");
        assert_eq!((&closed["change"], &closed["reason"]), (&"closed".into(), &"reset".into()));
        assert_eq!((&closed["starts_at"], &closed["kind"]), (&body["starts_at"], &body["kind"]));
        assert_eq!(current[&key], None);
    }
    assert!(current[&Some(b"a-strange".to_vec())].is_some());
    let records = broker.records("latentd.state.press.v1");
    let drops = records
        .iter()
        .filter(|r| r.key.as_deref() == Some(b"input/0/manifest") && r.payload.is_none());
    assert_eq!(drops.count(), 1, "what was learned since is kept");
}

fn undisturbed(rows: i64) -> Vec<String> {
    let broker = broker(2, rows);
    consume(&broker, &How::batch(50), rows);
    written(&broker)
}

#[test]
fn a_delivery_that_fails_is_repeated_until_it_succeeds() {
    for fault in [DeliverFault::Refused, DeliverFault::AnswerLost, DeliverFault::Fenced] {
        let broker = broker(2, 300);
        (0..3).for_each(|_| broker.fail_next_deliver(fault));
        consume(&broker, &How::batch(50), 300);
        assert_eq!(written(&broker), undisturbed(300), "{fault:?}");
    }
    // Without transactions an acknowledgement that got lost doubles outputs under one id.
    let doubled = broker(2, 300);
    doubled.fail_next_deliver(DeliverFault::AnswerLost);
    consume(&doubled, &How { delivery: Delivery::AtLeastOnce, ..How::batch(50) }, 300);
    let (once, twice) = (undisturbed(300), written(&doubled));
    assert!(twice.len() > once.len());
    let set = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(twice), set(once));
}

/// A small generator, so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The promise of exactly-once learning: crashes, stops, faults of deliveries, members that are
/// thrown out, at any point, between any snapshots, change no byte of what is written.
#[test]
fn crashes_and_restarts_change_no_output() {
    let expected = undisturbed(600);
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let broker = broker(2, 600);
        let mut lives = 0;
        loop {
            let how = How {
                snapshot_interval: Millis::new([1, 5, 60_000][dice.roll(3) as usize]),
                workers: 1 + dice.roll(2) as usize,
                ..How::batch(1 + dice.roll(60) as usize)
            };
            broker.clear_faults();
            for _ in 0..dice.roll(4) {
                let faults =
                    [DeliverFault::Refused, DeliverFault::AnswerLost, DeliverFault::Fenced];
                broker.fail_next_deliver(faults[dice.roll(3) as usize]);
            }
            let running = Running::start(&broker, &how);
            let goal = 20 + 600 * lives / 6 + dice.roll(100) as i64;
            wait_for("some progress", LIMIT, || {
                let done = |p| broker.committed(GROUP, "input", p).unwrap_or(0) >= goal.min(600);
                (done(0) || done(1)).then_some(())
            });
            lives += 1;
            if lives == 6 {
                wait_committed(&broker, 2, 600);
                running.stop();
                break;
            }
            match dice.roll(3) {
                0 => drop(running.stop()),
                1 => running.crash(&broker),
                _ => {
                    broker.expire_members(GROUP);
                    running.crash(&broker);
                }
            }
        }
        assert_eq!(written(&broker), expected, "seed {seed}");
    }
}

#[test]
fn without_transactions_a_crash_repeats_outputs_but_loses_and_changes_none() {
    let expected: BTreeSet<String> = undisturbed(600).into_iter().collect();
    let broker = broker(2, 600);
    let how = How {
        delivery: Delivery::AtLeastOnce,
        snapshot_interval: Millis::new(1),
        ..How::batch(20)
    };
    for goal in [100, 250, 400] {
        let running = Running::start(&broker, &how);
        wait_for("some progress", LIMIT, || {
            (broker.committed(GROUP, "input", 0).unwrap_or(0) >= goal).then_some(())
        });
        running.crash(&broker);
    }
    consume(&broker, &how, 600);
    assert_eq!(written(&broker).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_stop_while_nothing_can_be_delivered_ends_and_commits_nothing() {
    let broker = broker(1, 100);
    (0..100_000).for_each(|_| broker.fail_next_deliver(DeliverFault::Refused));
    let running = Running::start(&broker, &How::batch(1_000));
    wait_for("a delivery that fails", LIMIT, || (broker.faults_left() < 100_000).then_some(()));
    running.stop.request();
    let error = running.fails();
    assert!(error.contains("were not acknowledged"), "{error}");
    assert_eq!(broker.committed(GROUP, "input", 0), None);
    assert_eq!(written(&broker), Vec::<String>::new());
}

#[test]
fn a_partition_that_moves_takes_its_state_along() {
    let broker = broker(2, 200);
    let first = Running::start(&broker, &How::batch(20));
    wait_committed(&broker, 2, 200);
    let second = Running::start(&broker, &How::batch(20));
    for i in 200..400 {
        (0..2).for_each(|partition| append(&broker, partition, i));
    }
    wait_committed(&broker, 2, 400);
    let reports = [first.stop(), second.stop()];
    assert_eq!(reports.iter().map(|r| r.records).sum::<u64>(), 800, "{reports:?}");
    assert_eq!(reports.iter().map(|r| r.replayed).sum::<u64>(), 0, "a clean move replays nothing");
    assert_eq!(written(&broker), undisturbed(400));
}

#[test]
fn what_does_not_fit_the_state_is_refused_and_said() {
    let broker = broker(2, 100);
    let how = How::batch(50);
    consume(&broker, &how, 100);
    // A change that fits keeps the state.
    let fits = How {
        extra: "stream_defaults.alert.top = 1\nstream_defaults.model.learning_rate = 0.001",
        ..how.clone()
    };
    for i in 100..120 {
        (0..2).for_each(|partition| append(&broker, partition, i));
    }
    let report = consume(&broker, &fits, 120);
    assert_eq!((report.records, report.replayed), (40, 0));
    // One that does not is told, with the way out.
    let unfit = How { extra: "seed = 7", ..how.clone() };
    let error = Running::start(&broker, &unfit).fails();
    assert!(
        error.contains("`seed` was 1 and is 7") && error.contains("of 1 series would be dropped"),
        "{error}"
    );
    assert!(error.contains("--reset-state press"), "{error}");
    for i in 120..140 {
        (0..2).for_each(|partition| append(&broker, partition, i));
    }
    let report = consume(&broker, &How { reset: &["press"], ..unfit }, 140);
    assert_eq!(report.records, 40, "learned anew from the committed offset");
    // The group was moved back by hand.
    broker.set_committed(GROUP, "input", 0, 50);
    let error = Running::start(&broker, &How { extra: "seed = 7", ..how.clone() }).fails();
    assert!(
        error.contains("the state is that of offset 140") && error.contains("committed 50"),
        "{error}"
    );
}

#[test]
fn records_that_are_gone_end_the_process_unless_the_settings_say_how_to_go_on() {
    for extra in ["state.on_missing_offset = 'earliest'", "state.on_missing_offset = 'latest'"] {
        let broker = broker(2, 100);
        let how = How::batch(50);
        consume(&broker, &how, 100);
        for i in 100..200 {
            (0..2).for_each(|partition| append(&broker, partition, i));
        }
        (0..2).for_each(|partition| broker.truncate("input", partition, 140));
        let error = Running::start(&broker, &how).fails();
        assert!(error.contains("offset 100 is needed, but the log has 140 to 200"), "{error}");
        let running = Running::start(&broker, &How { extra, ..how });
        // Where the log ends is decided when the daemon looks: records come until it has.
        let mut i = 200;
        wait_for("the last commit", LIMIT, || {
            (0..2).for_each(|partition| append(&broker, partition, i));
            i += 1;
            let behind = |p| broker.committed(GROUP, "input", p) > Some(200);
            (0..2).all(behind).then_some(())
        });
        let records = running.stop().records;
        let late = 2 * (i as u64 - 200);
        match extra.contains("earliest") {
            true => assert!((120..=120 + late).contains(&records), "{records}"),
            false => assert!((2..=late).contains(&records), "{records} of {late}"),
        }
    }
}

#[test]
fn a_partition_that_is_added_is_read_with_a_state_of_its_own() {
    let broker = broker(1, 50);
    let running = Running::start(&broker, &How::batch(20));
    wait_committed(&broker, 1, 50);
    broker.grow_topic("input", 2);
    (0..50).for_each(|i| append(&broker, 1, i));
    wait_committed(&broker, 2, 50);
    running.stop();
    let keys: BTreeSet<String> = broker
        .records("latentd.state.press.v1")
        .iter()
        .filter_map(|r| String::from_utf8(r.key.clone()?).ok())
        .filter(|key| key.ends_with("/manifest"))
        .collect();
    assert_eq!(keys, ["input/0/manifest", "input/1/manifest"].map(str::to_owned).into());
}

#[test]
fn silence_closes_the_last_rows_as_fast_as_the_clock_and_no_faster() {
    let broker = broker(1, 20);
    let clock = Clock::manual(EventTime::from_millis(START));
    let how = How { clock: clock.clone(), ..How::batch(100) };
    let running = Running::start(&broker, &how);
    wait_committed(&broker, 1, 20);
    let features = || broker.records("latentd.features.v1").len();
    // The watermark stands at second 17: row 16 is the last that is closed, windows begin at 3.
    assert_eq!(features(), 14);
    clock.advance(Millis::new(29_000));
    // The worker looks at the clock between two polls.
    let polls = broker.polls();
    wait_for("a whole turn of the loop", LIMIT, || (broker.polls() >= polls + 3).then_some(()));
    assert_eq!(features(), 14, "the default idle_timeout is 30 s");
    wait_for("the last rows", LIMIT, || {
        clock.advance(Millis::new(1_000));
        (features() == 17).then_some(())
    });
    // The clock is no part of the log: a restart must know from the journal what it has done.
    running.crash(&broker);
    let running = Running::start(&broker, &How::batch(100));
    // Rows 17 to 19 are closed, and far later ones begin: rows 200 to 216 are closed, and windows
    // with half of their rows observed begin at 201.
    (18..20).chain(200..220).for_each(|i| append(&broker, 0, i));
    wait_committed(&broker, 1, 42);
    let report = running.stop();
    assert_eq!(features(), 17 + 16, "rows that silence has closed are not closed again");
    assert_eq!(report.rejected, 0);
}

/// The last alert that was opened of `press-0`, and a verdict on it.
fn say(broker: &MemoryBroker, verdict: &str) {
    let records = broker.records("latentd.alerts.v1");
    let bodies = records.iter().filter_map(|r| serde_json::from_slice(r.payload.as_deref()?).ok());
    let opened = |b: &serde_json::Value| b["change"] == "opened" && b["entity"] == "press-0";
    let alert = bodies.rev().find(opened).expect("an alert")["alert_id"].clone();
    let body = serde_json::json!({ "alert_id": alert, "verdict": verdict, "by": "ann" });
    let message = OutMessage {
        key: alert.as_str().map(|id| id.as_bytes().to_vec()),
        payload: Some(body.to_string().into_bytes()),
        ..feedback_like()
    };
    broker.append(message, None).expect("a topic of one partition");
}

/// A verdict takes effect once, at an offset that is journalled; a crash changes nothing about it.
#[test]
fn a_verdict_is_put_into_effect_exactly_once_over_crashes() {
    let run = |crash: bool| {
        let broker = broker(2, 200);
        let how = How::batch(50);
        let mut running = Running::start(&broker, &how);
        wait_committed(&broker, 2, 200);
        say(&broker, "false_positive");
        let garbage = OutMessage { payload: Some(b"{}".to_vec()), ..feedback_like() };
        broker.append(garbage, None).expect("a topic");
        wait_for("the verdict in the journal", LIMIT, || {
            let records = broker.records("latentd.state.press.v1");
            let decided = |r: &latentd::io::StoredRecord| {
                let text = r.payload.as_deref().map(String::from_utf8_lossy);
                text.is_some_and(|text| text.contains("\"kind\":\"notice\""))
            };
            records.iter().any(decided).then_some(())
        });
        if crash {
            running.crash(&broker);
            running = Running::start(&broker, &how);
        }
        for i in 200..400 {
            (0..2).for_each(|partition| append(&broker, partition, i));
        }
        wait_committed(&broker, 2, 400);
        running.stop();
        written(&broker)
    };
    let undisturbed = run(false);
    assert_eq!(run(true), undisturbed);
}

fn feedback_like() -> OutMessage {
    OutMessage {
        topic: "latentd.feedback.v1".into(),
        partition: None,
        key: None,
        payload: None,
        headers: Vec::new(),
    }
}
