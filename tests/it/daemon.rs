//! The daemon on a real Apache Kafka: every way in and out, and what must survive.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::client::{Stored, kcat};
use crate::broker::process::{Latentd, create_outputs, latentd, settings, settings_file};
use crate::broker::{Broker, shared, wait_for};

const LIMIT: Duration = Duration::from_secs(60);
const STEP: i64 = 1_000;
const START: i64 = 1_767_225_600_000;

const ALERT: &str = include_str!("../../config/schemas/alert.v1.json");
const FEATURES: &str = include_str!("../../config/schemas/features.v1.json");
const FORECAST: &str = include_str!("../../config/schemas/forecast.v1.json");

/// A stream of one machine with two sensors that learns in 300 rows.
fn stream(name: &str, topic: &str) -> String {
    format!(
        r#"
        [[stream]]
        name = "{name}"
        topics = ["{topic}"]
        timestamp = {{ from = "field", field = "/ts", format = "epoch_ms" }}
        step = "1s"
        max_out_of_order = "1s"
        ahead_max = "520w"
        idle_timeout = "1s"
        channel = [{{ name = "temp", field = "/oil/temp" }}, {{ name = "flow" }}]
        window = {{ length = 8 }}
        model = {{ hidden = [12], latent = 3, warmup = 300 }}
        alert = {{ detector = "network", budget = {{ alerts = 4.0, per = "1w" }} }}
        "#
    )
}

/// The record of second `i`: both sensors follow one load; `flow` breaks away in `fault`.
fn second(i: i64, fault: &std::ops::Range<i64>) -> String {
    let load = (i as f64 / 30.0).sin();
    let noise = |salt: i64| ((i * 7_919 + salt) % 101) as f64 / 101.0 - 0.5;
    let temp = 40.0 + 10.0 * load + 0.4 * noise(3);
    let broken = if fault.contains(&i) { 9.0 } else { 0.0 };
    let flow = 5.0 - 2.0 * load + 0.08 * noise(17) + broken;
    format!(r#"{{"ts":{},"oil":{{"temp":{temp:.4}}},"flow":{flow:.4}}}"#, START + i * STEP)
}

fn seconds(range: std::ops::Range<i64>, fault: std::ops::Range<i64>) -> Vec<String> {
    range.map(|i| second(i, &fault)).collect()
}

fn produce(broker: &Broker, topic: &str, key: &str, values: &[String]) {
    broker.produce(topic, 0, values.iter().map(|value| (key, value.as_bytes())));
}

fn check(schema: &str, record: &Stored) -> Value {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let body: Value = serde_json::from_str(record.text()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(&body).map(|e| e.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new(), "{}", record.text());
    body
}

fn is_change(record: &Stored, change: &str) -> bool {
    record.text().contains(&format!(r#""change":"{change}""#))
}

#[test]
fn kcat_sends_sensors_and_reads_the_alert_that_names_the_broken_one() {
    let (broker, name) = (shared(), "round-trip");
    broker.create_topic("in.round-trip", 1);
    create_outputs(broker, name);
    let forecast = r#"forecast = { targets = ["temp"], horizons = ["1s", "5s"], seasons = ["60s"], levels = [0.8], every = 10 }"#;
    let streams = format!("{}\n{forecast}", stream("press", "in.round-trip"));
    let daemon = Latentd::start(&settings(broker, name, &streams));
    let mut lines = String::new();
    for value in seconds(0..1_500, 1_400..1_410) {
        writeln!(lines, "press-07|{value}").expect("memory");
    }
    kcat(broker, &["-P", "-t", "in.round-trip", "-K", "|"], &lines);
    let alerts = broker.read_until("alerts.round-trip", LIMIT, |seen| {
        let at_fault = |r: &Stored| r.text().contains(r#""starts_at":"2026-01-01T00:23:21Z""#);
        seen.iter().any(|r| is_change(r, "closed") && at_fault(r))
    });
    // What the budget allows may have opened before.
    let at_fault = |r: &&Stored| is_change(r, "opened") && r.text().contains(r#""to_offset":1400"#);
    let opened = alerts.iter().find(at_fault).expect("it is found at once");
    let body = check(ALERT, opened);
    assert_eq!((&body["stream"], &body["entity"]), (&"press".into(), &"press-07".into()));
    assert_eq!(body["explanation"]["top"][0]["sensor"], "flow");
    assert_eq!(body["direction"], "above_expected");
    let starts_at = body["starts_at"].as_str().expect("a time");
    // The row of second 1,400 ends a second later.
    assert_eq!(starts_at, "2026-01-01T00:23:21Z");
    assert_eq!(body["evidence"]["to_offset"], 1_400);
    assert_eq!(opened.header("ce_type"), Some("io.latentd.alert.opened.v1"));
    assert_eq!(opened.header("ce_specversion"), Some("1.0"));
    alerts.iter().for_each(|record| _ = check(ALERT, record));
    // Rows 0..7 fill the first window.
    let features = broker.read_until("features.round-trip", LIMIT, |seen| seen.len() == 1_493);
    check(FEATURES, &features[700]);
    let forecasts = broker.read_until("forecasts.round-trip", LIMIT, |seen| seen.len() > 100);
    check(FORECAST, &forecasts[100]);
    let seen = kcat(broker, &["-C", "-t", "alerts.round-trip", "-e", "-q", "-f", "%k %h\n"], "");
    let id = body["alert_id"].as_str().expect("an id");
    assert!(seen.lines().any(|l| l.starts_with(id) && l.contains("ce_id=")), "{seen}");
    assert_eq!(daemon.get("/readyz").0, 200);
    assert_eq!(daemon.get("/healthz").0, 200);
    assert!(daemon.get("/api/v1/streams").1.contains(r#""stream":"press""#));
    assert_eq!(daemon.metric("latentd_records_consumed_total", &[]), 1_500.0);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

#[test]
fn poison_becomes_dead_letters_as_it_came_and_stops_nothing() {
    let (broker, name) = (shared(), "poison");
    broker.create_topic("in.poison", 1);
    create_outputs(broker, name);
    let daemon = Latentd::start(&settings(broker, name, &stream("press", "in.poison")));
    let good = seconds(0..20, 0..0);
    let too_far = format!(r#"{{"ts":{},"oil":{{"temp":1}},"flow":2}}"#, i64::MAX / 2);
    #[rustfmt::skip]
    let poison: &[(&str, &[u8])] = &[
        ("json",  b"{not json"),
        ("bytes", b"\xff\xfe\x00"),
        ("time",  br#"{"ts":"tomorrow","oil":{"temp":1},"flow":2}"#),
        ("value", br#"{"ts":1767225600000,"oil":{"temp":"hot"},"flow":2}"#),
        ("none",  br#"{"oil":{"temp":1},"flow":2}"#),
        ("ahead", too_far.as_bytes()),
        ("empty", b""),
    ];
    produce(broker, "in.poison", "press-07", &good[..10]);
    broker.produce("in.poison", 0, poison.iter().copied());
    kcat(broker, &["-P", "-t", "in.poison", "-k", "headed", "-H", "trace=42"], "[1,2]\n");
    produce(broker, "in.poison", "press-07", &good[10..]);
    let letters = broker.read_until("dlq.poison", LIMIT, |seen| seen.len() == poison.len() + 1);
    for (i, (key, value)) in poison.iter().enumerate() {
        let letter = letters.iter().find(|l| l.key.as_deref() == Some(key)).expect("a letter");
        assert_eq!(letter.value.as_deref(), Some(*value), "{key}");
        assert_eq!(letter.header("latentd-source-topic"), Some("in.poison"));
        let offset = (10 + i).to_string();
        assert_eq!(letter.header("latentd-source-offset"), Some(offset.as_str()), "{key}");
        assert!(letter.header("latentd-reason").is_some_and(|r| !r.is_empty()), "{key}");
        assert!(letter.header("latentd-detail").is_some_and(|r| !r.is_empty()), "{key}");
    }
    let headed = letters.iter().find(|l| l.key.as_deref() == Some("headed")).expect("a letter");
    assert_eq!(headed.header("trace"), Some("42"));
    daemon.wait_metric("latentd_rows_closed_total", &[r#"kind="observed""#], 20.0);
    daemon.wait_metric("latentd_dlq_records_total", &[], 8.0);
    assert_eq!(daemon.metric("latentd_records_rejected_total", &[]), 8.0);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

#[test]
fn two_streams_do_not_hear_of_each_other() {
    let (broker, name) = (shared(), "two");
    broker.create_topic("in.two.a", 2);
    broker.create_topic("in.two.b", 1);
    create_outputs(broker, name);
    let second = r#"
        [[stream]]
        name = "shops"
        topics = ["in.two.b"]
        timestamp = { from = "field", field = "/at", format = "rfc3339" }
        entity = { from = "field", field = "/shop" }
        step = "event"
        max_out_of_order = "0s"
        ahead_max = "520w"
        channel = [{ name = "units" }]
        window = { length = 4 }
        model = { hidden = [4], latent = 2, warmup = 50 }
    "#;
    let streams = format!("{}{second}", stream("press", "in.two.a"));
    let daemon = Latentd::start(&settings(broker, name, &streams));
    produce(broker, "in.two.a", "press-1", &seconds(0..100, 0..0));
    let shop = |i: i64| {
        let at = jiff::Timestamp::from_millisecond(START + i * STEP).expect("in range");
        format!(r#"{{"at":"{at}","shop":"s{}","units":{}}}"#, i % 2, i % 7)
    };
    produce(broker, "in.two.b", "", &(0..60).map(shop).collect::<Vec<_>>());
    daemon.wait_metric("latentd_rows_closed_total", &[r#"stream="press""#, "observed"], 100.0);
    daemon.wait_metric("latentd_rows_closed_total", &[r#"stream="shops""#, "observed"], 60.0);
    let features = broker.read_until("features.two", LIMIT, |seen| seen.len() == 93 + 2 * 27);
    let streams: BTreeSet<(String, String)> = features
        .iter()
        .map(|record| {
            let body = check(FEATURES, record);
            let text = |key: &str| body[key].as_str().expect("text").to_owned();
            (text("stream"), text("entity"))
        })
        .collect();
    let want = [("press", "press-1"), ("shops", "s0"), ("shops", "s1")];
    assert_eq!(streams, want.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

#[test]
fn sigterm_drains_commits_and_ends_well_within_ten_seconds() {
    let (broker, name) = (shared(), "sigterm");
    broker.create_topic("in.sigterm", 1);
    create_outputs(broker, name);
    let text = settings(broker, name, &stream("press", "in.sigterm"));
    produce(broker, "in.sigterm", "press-1", &seconds(0..20_000, 0..0));
    let daemon = Latentd::start(&text);
    daemon.wait_metric("latentd_records_consumed_total", &[], 1.0);
    let (status, took, log) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}\n{log}");
    // What it says to have read is committed, and nothing else.
    let stopped = log.lines().find(|line| line.contains("stopped: ")).expect("a last word");
    let words = stopped.split("stopped: ").nth(1).expect("a report");
    let records: i64 = words.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert_eq!(broker.committed(name, "in.sigterm", 0), records, "{stopped}");
    // The next one goes on right there.
    let daemon = Latentd::start(&text);
    let rest = 20_000 - records;
    daemon.wait_metric("latentd_records_consumed_total", &[], rest as f64);
    wait_for("the last commit", LIMIT, || {
        (broker.committed(name, "in.sigterm", 0) == 20_000).then_some(())
    });
    assert_eq!(daemon.metric("latentd_records_consumed_total", &[]), rest as f64);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

#[test]
fn a_broker_that_dies_and_comes_back_costs_no_record() {
    let (broker, name) = (Broker::start(), "outage");
    broker.create_topic("in.outage", 1);
    create_outputs(&broker, name);
    let daemon = Latentd::start(&settings(&broker, name, &stream("press", "in.outage")));
    let values = seconds(0..600, 0..0);
    let refused = || daemon.log().matches("refused").count();
    let outage = || {
        let before = refused();
        broker.kill();
        wait_for("the daemon to notice", LIMIT, || (refused() > before).then_some(()));
        let health = daemon.get("/healthz").0;
        assert_eq!(health, 200, "a dead broker is no reason to restart the daemon");
        broker.resume();
    };
    produce(&broker, "in.outage", "press-1", &values[..200]);
    daemon.wait_metric("latentd_records_consumed_total", &[], 200.0);
    outage();
    // The second time a batch is under way, and what comes next waits behind it.
    produce(&broker, "in.outage", "press-1", &values[200..210]);
    daemon.wait_metric("latentd_records_consumed_total", &[], 210.0);
    produce(&broker, "in.outage", "press-1", &values[210..400]);
    outage();
    produce(&broker, "in.outage", "press-1", &values[400..]);
    let ends = |seen: &[Stored]| -> BTreeSet<String> {
        let end = |r: &Stored| r.text().split(r#""window_end":""#).nth(1).map(|t| t[..20].into());
        seen.iter().filter_map(end).collect()
    };
    let features = broker.read_until("features.outage", LIMIT, |seen| ends(seen).len() == 593);
    assert_eq!(features.len(), 593, "every window is there once");
    assert_eq!(daemon.terminate().0.code(), Some(0));
    broker.stop();
}

#[test]
fn topics_are_made_once_and_listed() {
    let (broker, folder) = (shared(), TempDir::new().expect("a temporary folder"));
    let text = settings(broker, "made", &stream("press", "in.made"));
    let file = settings_file(&folder, &text);
    let file = file.to_str().expect("UTF-8");
    let create = [
        "topics",
        "create",
        "--config",
        file,
        "--partitions",
        "3",
        "--replication",
        "1",
        "--inputs",
    ];
    let names = [
        "in.made",
        "alerts.made",
        "control.made",
        "dlq.made",
        "features.made",
        "feedback.made",
        "forecasts.made",
        "models.made",
        "current.made",
        "state.made.press",
    ];
    let lines = |word: &str| -> String { names.map(|n| format!("{n}: {word}\n")).concat() };
    assert_eq!(latentd(&create), (0, lines("created"), String::new()));
    assert_eq!(latentd(&create), (0, lines("exists, 3 partitions"), String::new()));
    let list = ["topics", "list", "--config", file];
    wait_for("the topics", LIMIT, || (latentd(&list).1 == lines("3 partitions")).then_some(()));
}

#[test]
fn state_is_inspected_verified_exported_and_a_damaged_one_is_refused() {
    let (broker, name) = (shared(), "stored");
    broker.create_topic("in.stored", 1);
    create_outputs(broker, name);
    let text = settings(broker, name, &stream("press", "in.stored"));
    produce(broker, "in.stored", "press-1", &seconds(0..400, 0..0));
    let daemon = Latentd::start(&text);
    wait_for("the last commit", LIMIT, || {
        (broker.committed(name, "in.stored", 0) == 400).then_some(())
    });
    // Silence closes the last rows: the journal is part of what is verified.
    daemon.wait_metric("latentd_rows_closed_total", &[r#"kind="observed""#], 400.0);
    assert_eq!(daemon.terminate().0.code(), Some(0));

    let folder = TempDir::new().expect("a temporary folder");
    let file = settings_file(&folder, &text);
    let file = file.to_str().expect("UTF-8");
    let (code, lines, errors) = latentd(&["state", "inspect", "--config", file]);
    assert_eq!(code, 0, "{errors}");
    assert!(
        lines.starts_with("press in.stored/0: offset 400, committed 400; snapshot "),
        "{lines}"
    );
    assert!(lines.contains("; 1 series (0 warming), "), "{lines}");
    let of = |stream| latentd(&["state", "inspect", "--config", file, "--stream", stream]);
    assert_eq!(of("press").1, lines);
    let (code, _, errors) = of("presses");
    assert!(code == 64 && errors.contains("--stream presses: there is no such stream"), "{errors}");
    let (code, lines, errors) = latentd(&["state", "verify", "--config", file]);
    assert_eq!(code, 0, "{lines}{errors}");
    assert!(
        lines.contains("in.stored/0: verified: records ") && lines.contains(" to 400 give"),
        "{lines}"
    );
    let out = folder.path().join("out");
    let out_text = out.to_str().expect("UTF-8");
    let export = ["state", "export", "--config", file, "--out", out_text];
    assert_eq!(latentd(&export).0, 0);
    let manifest = std::fs::read_to_string(out.join("press-in.stored-0.json")).expect("written");
    assert!(manifest.contains(r#""next_offset": 400"#), "{manifest}");
    assert!(out.join("press-in.stored-0.state").exists());

    // Another latent width does not fit.
    let unfit = text.replace("latent = 3", "latent = 2");
    let file_of_unfit = folder.path().join("unfit.toml");
    std::fs::write(&file_of_unfit, &unfit).expect("written");
    let unfit = file_of_unfit.to_str().expect("UTF-8");
    let (code, _, errors) = latentd(&["run", "--config", unfit]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("`model.latent` was 3 and is 2"), "{errors}");
    assert!(errors.contains("--reset-state press"), "{errors}");

    // A manifest that nobody of us wrote.
    kcat(
        broker,
        &["-P", "-t", "state.stored.press", "-p", "0", "-K", "|"],
        "in.stored/0/manifest|{}\n",
    );
    let (code, lines, _) = latentd(&["state", "inspect", "--config", file]);
    assert_eq!(code, 1, "{lines}");
    let (code, _, errors) = latentd(&["run", "--config", file]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("`in.stored/0/manifest` does not read"), "{errors}");

    // Only by request is it dropped.
    produce(broker, "in.stored", "press-1", &seconds(400..450, 0..0));
    let daemon = Latentd::start_with_args(&text, &["--reset-state", "press"]);
    wait_for("the last commit", LIMIT, || {
        (broker.committed(name, "in.stored", 0) == 450).then_some(())
    });
    assert_eq!(daemon.metric("latentd_records_consumed_total", &[]), 50.0);
    assert_eq!(daemon.metric("latentd_state_restores_total", &[r#"outcome="anew""#]), 1.0);
    assert_eq!(daemon.terminate().0.code(), Some(0));
    assert_eq!(latentd(&["state", "inspect", "--config", file]).0, 0);
}

#[test]
fn a_restart_goes_on_with_the_state_and_is_ready() {
    let (broker, name) = (shared(), "resumed");
    broker.create_topic("in.resumed", 2);
    create_outputs(broker, name);
    let kafka = "[state]\nsnapshot_interval = \"1h\"\n";
    let text = settings(broker, name, &format!("{kafka}{}", stream("press", "in.resumed")))
        .replace("offset_reset = ", "workers = 2, group_id_ = ")
        .replace("group_id_ = \"earliest\"", "offset_reset = \"earliest\"");
    produce(broker, "in.resumed", "press-1", &seconds(0..500, 0..0));
    let daemon = Latentd::start(&text);
    wait_for("the last commit", LIMIT, || {
        (broker.committed(name, "in.resumed", 0) == 500).then_some(())
    });
    daemon.kill();
    let daemon = Latentd::start(&text);
    // Two workers: the group may give both partitions to the first, and one of them to the second
    // a moment later. The one without records has no state to restore.
    daemon.wait_metric("latentd_state_restores_total", &[r#"outcome="restored""#], 1.0);
    daemon.wait_metric("latentd_partitions_assigned", &[], 2.0);
    daemon.wait_metric("latentd_ready", &[], 1.0);
    // The first batch has brought the only snapshot: what came after it is read again in silence.
    assert_eq!(daemon.metric("latentd_records_consumed_total", &[]), 0.0);
    let (_, body) = daemon.get("/api/v1/streams");
    assert!(body.contains(r#""warming":0"#), "the model is not learned anew: {body}");
    assert_eq!(daemon.terminate().0.code(), Some(0));
}
