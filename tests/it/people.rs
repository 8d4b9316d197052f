//! What people ask of an alert and say about it, on a real Apache Kafka.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::client::kcat;
use crate::broker::process::{Latentd, create_outputs, latentd, settings, settings_file};
use crate::broker::{shared, wait_for};

const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_767_225_600_000;

const STREAM: &str = r#"
    [[stream]]
    name = "press"
    topics = ["in.people"]
    timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
    step = "1s"
    max_out_of_order = "1s"
    ahead_max = "520w"
    channel = [{ name = "temp" }, { name = "flow" }]
    window = { length = 8 }
    model = { hidden = [12], latent = 3, warmup = 300 }
    alert = { detector = "network", budget = { alerts = 4.0, per = "1w" }, accept_after = 100000 }
"#;

/// The record of second `i`: both sensors follow one load; `flow` breaks away from second 1,400 on.
fn second(i: i64) -> String {
    let load = (i as f64 / 30.0).sin();
    let noise = |salt: i64| ((i * 7_919 + salt) % 101) as f64 / 101.0 - 0.5;
    let broken = if i >= 1_400 { 9.0 } else { 0.0 };
    let (temp, flow) = (10.0 * load + 0.4 * noise(3), 0.08 * noise(17) - 2.0 * load + broken);
    format!(r#"{{"ts":{},"temp":{temp:.4},"flow":{flow:.4}}}"#, START + 1_000 * i)
}

#[test]
fn an_alert_is_explained_from_stored_state_and_a_verdict_closes_it() {
    let (broker, name) = (shared(), "people");
    broker.create_topic("in.people", 1);
    create_outputs(broker, name);
    let text = settings(broker, name, STREAM);
    let folder = TempDir::new().expect("a temporary folder");
    let file = settings_file(&folder, &text).display().to_string();
    let daemon = Latentd::start(&text);
    let produce = |range: std::ops::Range<i64>| {
        let values: Vec<String> = range.map(second).collect();
        broker.produce("in.people", 0, values.iter().map(|v| ("press-07", v.as_bytes())));
    };
    produce(0..1_200);
    daemon.wait_metric("latentd_records_consumed_total", &[], 1_200.0);
    // A snapshot from before the alert, by a clean stop: the next life goes on from it.
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let daemon = Latentd::start(&text);
    produce(1_200..1_450);
    let is_opened =
        |body: &Value| body["change"] == "opened" && body["evidence"]["to_offset"] == 1_400;
    let bodies = |seen: &[crate::broker::client::Stored]| -> Vec<Value> {
        seen.iter().filter_map(|r| serde_json::from_str(r.text()).ok()).collect()
    };
    let alerts =
        broker.read_until("alerts.people", LIMIT, |seen| bodies(seen).iter().any(is_opened));
    let body = bodies(&alerts).into_iter().find(is_opened).expect("just seen");
    let id = body["alert_id"].as_str().expect("an id");
    let svg = folder.path().join("alert.svg").display().to_string();
    let (code, out, err) = latentd(&["explain", id, "--config", &file, "--svg", &svg]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("the same, bit for bit"), "{out}");
    assert!(out.lines().any(|line| line.starts_with("flow ")), "{out}");
    let drawn = std::fs::read_to_string(&svg).expect("a drawing");
    assert!(drawn.starts_with("<svg") && drawn.contains(id) && drawn.contains(">flow</text>"));
    let (code, _, err) = latentd(&["explain", "a-000000000000", "--config", &file]);
    assert!(code == 1 && err.contains("no such alert on `alerts.people`"), "{err}");
    let (code, _, err) = latentd(&["feedback", id, "nice", "--config", &file]);
    assert!(code == 64 && err.contains("`nice` is no verdict"), "{code}: {err}");
    let (code, _, err) = latentd(&["feedback", "a-12", "expected", "--config", &file]);
    assert!(code == 64 && err.contains("expected `a-` and 12 hex digits"), "{code}: {err}");
    let say =
        ["feedback", id, "new_normal", "--by", "ann", "--comment", "new pump", "--config", &file];
    let (code, out, err) = latentd(&say);
    assert_eq!(code, 0, "{out}{err}");
    let verdicts = broker.read_until("feedback.people", LIMIT, |seen| !seen.is_empty());
    let verdict: Value = serde_json::from_str(verdicts[0].text()).expect("JSON");
    assert_eq!((&verdict["by"], &verdict["comment"]), (&"ann".into(), &"new pump".into()));
    // The inbox looks for new topics and records while it runs.
    let is_closed = |body: &Value| body["change"] == "closed" && body["alert_id"] == id;
    wait_for("the verdict", LIMIT, || {
        let heard = daemon.metric("latentd_feedback_total", &["verdict=\"new_normal\""]);
        (heard == 1.0).then_some(())
    });
    broker.read_until("alerts.people", LIMIT, |seen| bodies(seen).iter().any(is_closed));
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

/// Alerts of several kinds, of before the newest two snapshots, in a life in which something was
/// announced: they come out of an older state and the journal since, to the bit.
#[test]
fn alerts_of_any_age_and_kind_are_led_to_again() {
    let (broker, name) = (shared(), "aged");
    broker.create_topic("in.aged", 1);
    create_outputs(broker, name);
    let stream = STREAM.replace("in.people", "in.aged");
    let stream = stream.replace(r#"name = "flow""#, r#"name = "flow", data_range = [-50, 50]"#);
    let text = settings(broker, name, &stream);
    let folder = TempDir::new().expect("a temporary folder");
    let file = settings_file(&folder, &text).display().to_string();
    let spike = |i: i64| match i {
        1_270 | 1_300 => format!(r#"{{"ts":{},"temp":1.0,"flow":90.0}}"#, START + 1_000 * i),
        _ => second(i),
    };
    let mut consumed = 0;
    let mut life = |until: i64, meanwhile: &dyn Fn()| {
        let daemon = Latentd::start(&text);
        let produce = |range: std::ops::Range<i64>, all: i64| {
            let values: Vec<String> = range.map(spike).collect();
            broker.produce("in.aged", 0, values.iter().map(|v| ("press-07", v.as_bytes())));
            daemon.wait_metric("latentd_records_consumed_total", &[], all as f64);
        };
        // The first batch of a life brings a snapshot: what people say then is in the journal.
        produce(consumed..consumed + 10, 10);
        meanwhile();
        produce(consumed + 10..until, until - consumed);
        assert_eq!(daemon.terminate().0.code(), Some(0));
        consumed = until;
    };
    life(1_200, &|| {});
    // Seconds 1,250 to 1,290: nothing is learned of them, and alerts are suppressed.
    let window = r#"{"kind":"maintenance","id":"m","from":"2026-01-01T00:20:50Z","until":"2026-01-01T00:21:30Z"}"#;
    life(1_450, &|| {
        kcat(broker, &["-P", "-t", "control.aged", "-K", "|"], &format!("m|{window}\n"));
        broker.read_until("state.aged.press", LIMIT, |seen| {
            seen.iter().any(|record| record.text_lossy().contains(r#""kind":"notice""#))
        });
    });
    (1_500..1_800).step_by(50).for_each(|until| life(until, &|| {}));
    let begun = |seen: &[crate::broker::client::Stored]| -> Vec<Value> {
        let bodies = seen.iter().filter_map(|record| serde_json::from_str(record.text()).ok());
        let begins = |body: &Value| body["change"] == "opened" || body["change"] == "suppressed";
        bodies.filter(begins).collect()
    };
    let wanted = [
        ("opened", "anomaly"),
        ("opened", "out_of_range"),
        ("suppressed", "anomaly"),
        ("suppressed", "out_of_range"),
    ];
    let alerts = broker.read_until("alerts.aged", LIMIT, |seen| {
        let begun = begun(seen);
        let is = |body: &Value, (change, kind): (&str, &str)| {
            body["change"] == change && body["kind"] == kind
        };
        wanted.iter().all(|wanted| begun.iter().any(|body| is(body, *wanted)))
    });
    for body in &begun(&alerts) {
        let id = body["alert_id"].as_str().expect("an id");
        let (code, out, err) = latentd(&["explain", id, "--config", &file]);
        assert!(code == 0 && out.contains("the same, bit for bit"), "{body}\n{out}{err}");
        let silent = body["change"] == "suppressed";
        assert_eq!(out.contains("(suppressed: maintenance)"), silent, "{body}\n{out}");
        let from = out.split("read again from offset ").nth(1).expect("it is told");
        let from: i64 = from.split(':').next().expect("a part").parse().expect("a number");
        assert!((1..=1_210).contains(&from), "not from the first record: {out}");
    }
    let (code, out, err) = latentd(&["state", "verify", "--config", &file]);
    assert!(
        code == 0 && out.contains("verified: records 17") && out.contains(" to 1750 give"),
        "{out}{err}"
    );
}
