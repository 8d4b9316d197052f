//! An Alertmanager behind TLS, with a certificate of an authority of its own.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use latentd::notify::{AlertingParams, Clocks, Notifier, SinkKind, SinkParams};
use latentd::record::{AlertKind, EventTime, Millis, OpenAlert, Severity};
use latentd::telemetry::{Metrics, PartitionLabels};
use tempfile::TempDir;

use super::alertmanager::alertmanager_with;
use super::{LIMIT, hook::Hook};
use crate::broker::{require, wait_for};

/// Makes `ca.pem`, and `cert.pem` with `key.pem` for 127.0.0.1.
fn certificates(folder: &TempDir) {
    require("openssl", "openssl");
    let script = "
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca &&
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out cert.csr -subj /CN=localhost &&
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext &&
        openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext \\
          -out cert.pem";
    let out = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output();
    let out = out.expect("sh starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn params(url: String, ca: Option<std::path::PathBuf>) -> AlertingParams {
    let sink = SinkParams {
        name: "pager".to_owned(),
        kind: SinkKind::Alertmanager,
        url: Some(url),
        url_file: None,
        streams: Vec::new(),
        resend: None,
        timeout: None,
        token_file: None,
        ca_file: ca,
        headers: [].into(),
        labels: [].into(),
    };
    AlertingParams {
        sink: vec![sink],
        resend: Millis::new(30_000),
        timeout: Millis::new(5_000),
        alerts_max: 10,
        external_url: None,
        runbook_url: None,
    }
}

/// A notifier that has one open alert to tell.
fn telling(params: &AlertingParams) -> (Notifier, Metrics) {
    let metrics = Metrics::register(&prometheus::Registry::new()).expect("a fresh registry");
    let start = Instant::now();
    let clocks = Clocks {
        wall: Arc::new(|| EventTime::from_millis(1_767_225_600_000)),
        steady: Arc::new(move || start.elapsed()),
    };
    let notifier = Notifier::start(params, &metrics.alerts, &clocks).expect("a sink");
    let open = OpenAlert {
        alert_id: "a-1".to_owned(),
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        entity: "press-07".into(),
        starts_at: EventTime::from_millis(1_767_225_500_000),
        sequence: 0,
        model_version: 1,
    };
    let of = PartitionLabels { stream: "press", topic: "plant.press", partition: 0 };
    notifier.restored(of, &[open]);
    (notifier, metrics)
}

#[test]
fn a_sink_trusts_the_authority_that_it_is_given_and_no_other() {
    let folder = TempDir::new().expect("a temporary folder");
    certificates(&folder);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let web = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";
    let files = [("web.yml", web), ("cert.pem", &read("cert.pem")), ("key.pem", &read("key.pem"))];
    let alertmanager = alertmanager_with(&Hook::start(0), &files);
    let url = alertmanager.url.replace("http://", "https://");

    let (notifier, metrics) = telling(&params(url.clone(), Some(folder.path().join("ca.pem"))));
    let sink = metrics.alerts.sink("pager");
    wait_for("the alert", LIMIT, || (sink.ok.get() == 1).then_some(()));
    notifier.stop(LIMIT);

    let (notifier, metrics) = telling(&params(url, None));
    let sink = metrics.alerts.sink("pager");
    wait_for("the refusal", LIMIT, || (sink.failed.get() >= 1).then_some(()));
    assert_eq!(sink.ok.get(), 0);
    notifier.stop(LIMIT);
}
