//! What people ask of an alert and say about it, on a real Apache Kafka.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

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
