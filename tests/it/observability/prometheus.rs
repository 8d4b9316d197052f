//! A real Prometheus reads the metrics, and its rules fire.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{LIMIT, Ready, Service, flow, ranged_stream, repository};
use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{free_ports, require, shared, wait_for};

fn prometheus(target: &str) -> Service {
    let rules = repository("deploy/prometheus/latentd.rules.yml");
    let settings = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
         rule_files: [{}]\nscrape_configs:\n  - job_name: latentd\n    static_configs:\n      - targets: \
         ['{target}']\n",
        rules.display()
    );
    let [port, _] = free_ports();
    let arguments = [
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let files = [("prometheus.yml", settings.as_str())];
    Service::start(
        ("prometheus", "prometheus"),
        &arguments,
        &files,
        (port, Ready::Answer("/-/ready")),
    )
}

/// The value of an expression that has one.
fn value(prometheus: &Service, expression: &str) -> Option<f64> {
    let mut answer = ureq::get(format!("{}/api/v1/query", prometheus.url))
        .query("query", expression)
        .call()
        .expect("an answer");
    let answer: Value = answer.body_mut().read_json().expect("JSON");
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// What the linter of Prometheus says of a text of metrics: nothing, if all is well.
fn lint(metrics: &str) -> String {
    require("promtool", "prometheus");
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut promtool =
        promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("promtool starts");
    let mut input = promtool.stdin.take().expect("stdin is piped");
    input.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(input);
    let out = promtool.wait_with_output().expect("promtool ends");
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn prometheus_reads_every_family_and_tells_of_dead_letters() {
    let (broker, name) = (shared(), "prometheus");
    broker.create_topic("in.prometheus", 1);
    create_outputs(broker, name);
    let daemon = Latentd::start(&settings(broker, name, &ranged_stream("in.prometheus")));
    let prometheus = prometheus(daemon.address());
    let dead = r#"latentd_dlq_records_total{reason="json",stream="press"}"#;
    // The first increase of a counter is seen only if it was 0 before.
    wait_for("a scrape", LIMIT, || (value(&prometheus, dead)? == 0.0).then_some(()));
    let good = flow(0, &[50.0; 20]);
    let records = good.iter().map(|record| ("press-07", record.as_bytes()));
    broker.produce("in.prometheus", 0, records.chain([("press-07", &b"{broken"[..])]));
    let firing = wait_for("the alert", LIMIT, || {
        let alerts = prometheus.json("/api/v1/alerts");
        let alerts = alerts["data"]["alerts"].as_array()?.clone();
        let named = |alert: &&Value| alert["labels"]["alertname"] == "LatentdDeadLetters";
        alerts.iter().find(named).filter(|alert| alert["state"] == "firing").cloned()
    });
    let labels = &firing["labels"];
    assert_eq!((&labels["stream"], &labels["reason"]), (&"press".into(), &"json".into()));
    let page = firing["annotations"]["runbook_url"].as_str();
    assert!(page.is_some_and(|page| page.ends_with("/LatentdDeadLetters.md")), "{firing}");
    let rules = prometheus.json("/api/v1/rules");
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    let sick: Vec<&Value> = rules.filter(|rule| rule["health"] == "err").collect();
    assert!(sick.is_empty(), "{sick:?}");
    assert_eq!(lint(&daemon.get("/metrics").1), "");
    assert_eq!(value(&prometheus, "up"), Some(1.0));
    assert_eq!(value(&prometheus, "latentd_config_last_reload_successful"), Some(1.0));
    assert!(value(&prometheus, "latentd_memory_limit_bytes").is_some_and(|bytes| bytes > 1e6));
    daemon.terminate();
}

/// The linter is one that finds something.
#[test]
fn the_linter_finds_what_is_wrong() {
    let said = lint("# TYPE latentd_things counter\nlatentd_things 1\n");
    assert!(said.contains("counter metrics should have \"_total\" suffix"), "{said}");
}

/// Many partitions make many label sets: how large is a scrape?
#[test]
fn a_scrape_of_a_thousand_series_is_small() {
    let registry = ::prometheus::Registry::new();
    let metrics = latentd::telemetry::Metrics::register(&registry).expect("a fresh registry");
    metrics.add_stream("press");
    for partition in 0..160 {
        let of = latentd::telemetry::PartitionLabels {
            stream: "press",
            topic: "plant.press",
            partition,
        };
        metrics.ingest.count_consumed(of, 1, 1);
        metrics.ingest.set_lag(of, 1, Some(1.0));
        metrics.ingest.set_watermark(of, 1.0, false);
    }
    let text = ::prometheus::TextEncoder::new().encode_to_string(&registry.gather());
    let text = text.expect("text");
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(samples >= 1_000 && text.len() < 200_000, "{samples} samples, {} bytes", text.len());
}
