//! New settings for a running daemon, on a real Apache Kafka.

use std::time::Duration;

use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{Broker, shared, wait_for};

const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_767_225_600_000;
const SUCCESSFUL: &str = "latentd_config_last_reload_successful";
const RELOADS: &str = "latentd_config_reloads_total";

fn stream(topic: &str, more: &str) -> String {
    format!(
        r#"
        [[stream]]
        name = "press"
        topics = ["{topic}"]
        timestamp = {{ from = "field", field = "/ts", format = "epoch_ms" }}
        step = "1s"
        max_out_of_order = "0s"
        ahead_max = "520w"
        channel = [{{ name = "x" }}, {{ name = "y" }}]
        window = {{ length = 4 }}
        model = {{ hidden = [6], latent = 2, warmup = 60 }}
        {more}
        "#
    )
}

fn produce(broker: &Broker, topic: &str, seconds: std::ops::Range<i64>) {
    let body = |i: i64| {
        let (load, fault) = ((i as f64 / 5.0).sin(), if i % 97 == 90 { 30.0 } else { 0.0 });
        let (x, y) = (load + 0.01 * (i % 7) as f64, fault - load);
        format!(r#"{{"ts":{},"x":{x:.4},"y":{y:.4}}}"#, START + 1_000 * i)
    };
    let bodies: Vec<String> = seconds.map(body).collect();
    broker.produce(topic, 0, bodies.iter().map(|body| ("press-1", body.as_bytes())));
}

/// Features and alerts written so far, by one life of a daemon.
fn produced(daemon: &Latentd, name: &str) -> [usize; 2] {
    ["features", "alerts"].map(|kind| {
        let topic = format!("topic=\"{kind}.{name}\"");
        daemon.metric("latentd_records_produced_total", &[&topic]) as usize
    })
}

/// The bodies of both topics, in any order.
fn outputs(broker: &Broker, name: &str, [features, alerts]: [usize; 2]) -> Vec<String> {
    let read = |kind: &str, count| {
        let topic = format!("{kind}.{name}");
        broker.read_until(&topic, LIMIT, |seen| seen.len() >= count)
    };
    let all = read("features", features).into_iter().chain(read("alerts", alerts));
    let mut bodies: Vec<String> = all.map(|record| record.text().to_owned()).collect();
    bodies.sort();
    bodies
}

fn wait_committed(broker: &Broker, group: &str, topic: &str, offset: i64) {
    wait_for("the last commit", LIMIT, || {
        (broker.committed(group, topic, 0) == offset).then_some(())
    });
}

/// New settings by signal give the outputs that a stop and a start with them give.
#[test]
fn a_reload_is_a_restart_without_the_pause() {
    let broker = shared();
    let (before, after) =
        ("features = { every = 1 }", "features = { every = 3 }\nalert = { release_ratio = 0.2 }");
    let outcome = ["reloaded", "restarted"].map(|name| {
        let topic = format!("in.{name}");
        broker.create_topic(&topic, 1);
        create_outputs(broker, name);
        let text = |more| settings(broker, name, &stream(&topic, more));
        produce(broker, &topic, 0..300);
        let mut daemon = Latentd::start(&text(before));
        wait_committed(broker, name, &topic, 300);
        let mut count = [0; 2];
        if name == "reloaded" {
            daemon.rewrite(&text(after));
            daemon.signal("HUP");
            wait_for("the new settings", LIMIT, || {
                daemon.log().contains("new settings in use").then_some(())
            });
            assert_eq!(daemon.metric(RELOADS, &[r#"outcome="ok""#]), 1.0);
        } else {
            count = produced(&daemon, name);
            assert_eq!(daemon.terminate().0.code(), Some(0));
            daemon = Latentd::start(&text(after));
        }
        produce(broker, &topic, 300..600);
        wait_committed(broker, name, &topic, 600);
        for (sum, more) in count.iter_mut().zip(produced(&daemon, name)) {
            *sum += more;
        }
        assert_eq!(daemon.terminate().0.code(), Some(0));
        // A feature record of every window before, of every third after.
        assert!((380..400).contains(&count[0]) && count[1] > 0, "{count:?}");
        // The topic is part of the evidence.
        let of_topic = |text: String| text.replace(&topic, "in");
        outputs(broker, name, count).into_iter().map(of_topic).collect::<Vec<_>>()
    });
    assert_eq!(outcome[0], outcome[1]);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_is_told() {
    let (broker, name) = (shared(), "misread");
    broker.create_topic("in.misread", 1);
    create_outputs(broker, name);
    let text = |more| settings(broker, name, &stream("in.misread", more));
    let daemon = Latentd::start(&text(""));
    assert_eq!(daemon.metric(SUCCESSFUL, &[]), 1.0);
    let refused = |number: f64, text: &str, why: &str| {
        daemon.rewrite(text);
        daemon.signal("HUP");
        daemon.wait_metric(RELOADS, &[r#"outcome="refused""#], number);
        assert_eq!(daemon.metric(SUCCESSFUL, &[]), 0.0);
        assert!(daemon.log().contains(why), "`{why}` is not in\n{}", daemon.log());
    };
    refused(1.0, &text("alerts = {}"), "stream[0].alerts");
    refused(2.0, "this is [no TOML", "TOML");
    refused(3.0, &text("window_ = 1").replace("length = 4", "length = 5"), "window_");
    let longer = text("").replace("length = 4", "length = 5");
    refused(4.0, &longer, "only a restart can change stream.press.window.length");
    produce(broker, "in.misread", 0..50);
    wait_committed(broker, name, "in.misread", 50);
    daemon.rewrite(&text("alert = { renotify = \"1h\" }"));
    daemon.signal("HUP");
    daemon.wait_metric(RELOADS, &[r#"outcome="ok""#], 1.0);
    assert_eq!(daemon.metric(SUCCESSFUL, &[]), 1.0);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}
