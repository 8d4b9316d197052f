//! A real Alertmanager is told of an alert once, over a crash, and of its end.

use serde_json::Value;

use super::hook::Hook;
use super::{LIMIT, Ready, Service, flow, ranged_stream};
use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{free_ports, shared, wait_for};

/// Tells `hook` of each change of an alert, each alert for itself, and never again.
fn alertmanager(hook: &Hook) -> Service {
    alertmanager_with(hook, &[])
}

/// The same behind TLS, if there is a `web.yml` among the further files.
pub fn alertmanager_with(hook: &Hook, further: &[(&str, &str)]) -> Service {
    let settings = format!(
        "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n  \
         repeat_interval: 4h\nreceivers:\n  - name: hook\n    webhook_configs:\n      - url: {}\n        \
         send_resolved: true\n",
        hook.url
    );
    let [port, _] = free_ports();
    let mut arguments = vec![
        "--config.file=alertmanager.yml".to_owned(),
        "--storage.path=data".to_owned(),
        "--cluster.listen-address=".to_owned(),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    // Without a client of its own for TLS nobody can ask whether it is ready: it logs that it is.
    let tls = further.iter().any(|(name, _)| *name == "web.yml");
    if tls {
        arguments.push("--web.config.file=web.yml".to_owned());
    }
    let files: Vec<(&str, &str)> =
        further.iter().copied().chain([("alertmanager.yml", settings.as_str())]).collect();
    let ready = if tls { Ready::Log("Listening") } else { Ready::Answer("/-/ready") };
    let package = ("prometheus-alertmanager", "prometheus-alertmanager");
    Service::start(package, &arguments, &files, (port, ready))
}

/// The alerts that are active, as `entity kind severity`.
fn active(alertmanager: &Service) -> Vec<String> {
    let alerts = alertmanager.json("/api/v2/alerts");
    let of = |alert: &Value| {
        let label = |name: &str| alert["labels"][name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", label("entity"), label("kind"), label("severity"))
    };
    alerts.as_array().expect("a list").iter().map(of).collect()
}

/// What Alertmanager has told of alerts of a severity: status and start, in order.
fn told(hook: &Hook, severity: &str) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for posted in hook.taken() {
        for alert in posted.body["alerts"].as_array().expect("a list") {
            if alert["labels"]["severity"] == severity {
                let text = |key: &str| alert[key].as_str().expect("text").to_owned();
                told.push((text("status"), text("startsAt")));
            }
        }
    }
    told
}

#[test]
fn an_alert_is_told_once_over_a_crash_and_resolved_after() {
    let (broker, name) = (shared(), "sink-am");
    broker.create_topic("in.sink-am", 1);
    create_outputs(broker, name);
    let produce = |key: &str, values: Vec<String>| {
        broker.produce("in.sink-am", 0, values.iter().map(|v| (key, v.as_bytes())));
    };
    let hook = Hook::start(0);
    let alertmanager = alertmanager(&hook);
    let sink = format!(
        "[alerting]\nrunbook_url = \"https://wiki/press\"\n[[alerting.sink]]\nname = \"pager\"\n\
         kind = \"alertmanager\"\nurl = \"{}\"\nresend = \"30s\"\nlabels = {{ site = \"x\" }}\n",
        alertmanager.url
    );
    let settings = settings(broker, name, &format!("{}\n{sink}", ranged_stream("in.sink-am")));
    let daemon = Latentd::start(&settings);
    let becomes = |what: &str, wanted: &[&str]| {
        wait_for(what, LIMIT, || (active(&alertmanager) == wanted).then_some(()));
    };

    produce("press-08", flow(0, &[50.0, 500.0, 500.0]));
    produce("press-07", flow(0, &[50.0, 50.0, 130.0, 130.0]));
    becomes("the warning", &["press-07 out_of_range warning"]);
    let alert = &alertmanager.json("/api/v2/alerts")[0];
    assert_eq!(alert["labels"]["alertname"], "LatentdOutOfRange");
    assert_eq!(
        (&alert["labels"]["site"], &alert["labels"]["stream"]),
        (&"x".into(), &"press".into())
    );
    assert_eq!(alert["annotations"]["runbook_url"], "https://wiki/press");
    let summary = "press-07: flow is outside its range (score 1.30)";
    assert_eq!(alert["annotations"]["summary"], summary);

    produce("press-07", flow(4, &[500.0, 500.0]));
    becomes("the rise", &["press-07 out_of_range critical"]);
    let before = alertmanager.json("/api/v2/alerts")[0].clone();
    wait_for("the notifications", LIMIT, || {
        (told(&hook, "warning").len() == 2 && told(&hook, "critical").len() == 1).then_some(())
    });
    assert_eq!(told(&hook, "warning")[1].0, "resolved");

    // The group waits for the dead member for 10 s; the alert ends by itself after 120 s.
    daemon.kill();
    let daemon = Latentd::start(&settings);
    daemon.wait_metric(
        "latentd_alert_delivery_total",
        &[r#"sink="pager""#, r#"outcome="ok""#],
        2.0,
    );
    let after = alertmanager.json("/api/v2/alerts");
    assert_eq!(after.as_array().map(Vec::len), Some(1), "{after}");
    for key in ["fingerprint", "startsAt", "labels"] {
        assert_eq!(after[0][key], before[key], "{key}");
    }
    assert_eq!(told(&hook, "critical").len(), 1, "it is not told again");

    produce("press-07", flow(6, &[50.0, 50.0, 50.0, 50.0, 50.0]));
    becomes("the end", &[]);
    wait_for("the last notification", LIMIT, || (told(&hook, "critical").len() == 2).then_some(()));
    assert_eq!(told(&hook, "critical")[1].0, "resolved");
    let all: String = hook.taken().iter().map(|posted| posted.body.to_string()).collect();
    assert!(!all.contains("press-08"), "maintenance: {all}");
    assert_eq!(daemon.metric("latentd_alert_delivery_pending", &[]), 0.0);
    broker.read_until("alerts.sink-am", LIMIT, |seen| {
        seen.iter().any(|r| r.text().contains("press-08") && r.text().contains("maintenance"))
    });
    daemon.terminate();
}

#[test]
fn whoever_owns_a_partition_speaks_for_it() {
    let (broker, name) = (shared(), "sink-move");
    broker.create_topic("in.sink-move", 2);
    create_outputs(broker, name);
    let produce = |partition: i32, values: Vec<String>| {
        let key = format!("press-{partition}");
        let records = values.iter().map(|value| (key.as_str(), value.as_bytes()));
        broker.produce("in.sink-move", partition, records);
    };
    let hook = Hook::start(0);
    let alertmanager = alertmanager(&hook);
    let sink = format!(
        "[[alerting.sink]]\nname = \"pager\"\nkind = \"alertmanager\"\nurl = \"{}\"\nresend = \"30s\"\n",
        alertmanager.url
    );
    let settings = settings(broker, name, &format!("{}\n{sink}", ranged_stream("in.sink-move")));
    let instance = |name: &str| {
        let named = format!(r#""earliest", instance = "{name}" }}"#);
        Latentd::start(&settings.replacen(r#""earliest" }"#, &named, 1))
    };
    let first = instance("a");
    (0..2).for_each(|partition| produce(partition, flow(0, &[50.0, 130.0, 130.0])));
    wait_for("both alerts", LIMIT, || (told(&hook, "warning").len() == 2).then_some(()));
    let second = instance("b");
    second.wait_metric("latentd_partitions_assigned", &[], 1.0);
    first.terminate();
    second.wait_metric("latentd_partitions_assigned", &[], 2.0);
    second.wait_metric("latentd_alert_delivery_total", &[r#"outcome="ok""#], 2.0);
    let statuses =
        |wanted: &str| told(&hook, "warning").iter().filter(|(status, _)| status == wanted).count();
    assert_eq!((active(&alertmanager).len(), statuses("firing"), statuses("resolved")), (2, 2, 0));
    (0..2).for_each(|partition| produce(partition, flow(3, &[50.0, 50.0, 50.0, 50.0])));
    wait_for("both ends", LIMIT, || (statuses("resolved") == 2).then_some(()));
    assert_eq!((active(&alertmanager).len(), statuses("firing")), (0, 2));
    second.terminate();
}

#[test]
fn a_sink_that_never_answers_delays_nothing() {
    let (broker, name) = (shared(), "sink-mute");
    broker.create_topic("in.sink-mute", 1);
    create_outputs(broker, name);
    // The system takes connections for it; nobody reads them.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let sink = |kind: &str| {
        let address = mute.local_addr().expect("bound");
        format!(
            "[[alerting.sink]]\nname = \"{kind}\"\nkind = \"{kind}\"\nurl = \"http://{address}\"\n\
             timeout = \"5m\"\n"
        )
    };
    let sinks = sink("alertmanager") + &sink("webhook");
    let settings = settings(broker, name, &format!("{}\n{sinks}", ranged_stream("in.sink-mute")));
    let daemon = Latentd::start(&settings);
    let values = flow(0, &[50.0, 130.0, 130.0, 50.0, 50.0, 50.0, 50.0]);
    broker.produce("in.sink-mute", 0, values.iter().map(|v| ("press-07", v.as_bytes())));
    let alerts = broker.read_until("alerts.sink-mute", LIMIT, |seen| {
        seen.iter().any(|record| record.text().contains(r#""change":"closed""#))
    });
    assert_eq!(alerts.len(), 2);
    daemon.wait_metric("latentd_alert_delivery_pending", &[r#"sink="alertmanager""#], 1.0);
    assert_eq!(daemon.metric("latentd_alert_delivery_total", &[r#"outcome="ok""#]), 0.0);
    let (status, _, log) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}
