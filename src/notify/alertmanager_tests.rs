use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{RecvTimeoutError, channel};

use prometheus::Registry;
use serde_json::Value;

use super::*;
use crate::record::{AlertKind, Millis, Severity};
use crate::telemetry::Metrics;

const LIMIT: Duration = Duration::from_secs(30);
const PRESS: PartitionLabels<'_> =
    PartitionLabels { stream: "press", topic: "plant.press", partition: 3 };

/// A server that answers with `statuses`, one after the other and the last for ever; the requests.
fn server(statuses: &'static [&'static str]) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = channel();
    thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head += &line;
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = statuses.get(i).unwrap_or(&statuses[statuses.len() - 1]);
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if seen.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

fn params(url: String) -> AlertingParams {
    let sink = SinkParams {
        name: "pager".into(),
        kind: SinkKind::Alertmanager,
        url: Some(url),
        url_file: None,
        streams: vec!["press".into()],
        resend: None,
        timeout: None,
        token_file: None,
        ca_file: None,
        headers: [("X-Scope-OrgID".to_owned(), "plant".to_owned())].into(),
        labels: Default::default(),
    };
    AlertingParams {
        sink: vec![sink],
        resend: Millis::new(3_600_000),
        timeout: Millis::new(5_000),
        alerts_max: 100,
        external_url: None,
        runbook_url: None,
    }
}

fn clocks() -> Clocks {
    let start = std::time::Instant::now();
    Clocks {
        wall: Arc::new(|| EventTime::from_millis(1_767_225_600_000)),
        steady: Arc::new(move || start.elapsed()),
    }
}

fn open(entity: &str) -> OpenAlert {
    OpenAlert {
        alert_id: format!("a-{entity}"),
        kind: AlertKind::Stale,
        severity: Severity::Warning,
        entity: entity.into(),
        starts_at: EventTime::from_millis(1_767_225_500_000),
        sequence: 0,
        model_version: 1,
    }
}

fn started(params: &AlertingParams) -> (Notifier, Metrics) {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    (Notifier::start(params, &metrics.alerts, &clocks()).unwrap(), metrics)
}

#[test]
fn what_is_not_taken_is_tried_again_and_what_is_taken_is_not() {
    let (url, requests) = server(&["503 Busy", "200 OK"]);
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "word\n").unwrap();
    let mut params = params(url);
    params.sink[0].token_file = Some(token.path().into());
    let (notifier, metrics) = started(&params);
    notifier.restored(PRESS, &[open("m-1")]);
    let (head, first) = requests.recv_timeout(LIMIT).unwrap();
    assert!(head.starts_with("POST /api/v2/alerts HTTP/1.1\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("authorization: bearer word\r\n"), "{head}");
    assert!(lower.contains("x-scope-orgid: plant\r\n"), "{head}");
    assert_eq!(first[0]["labels"]["alertname"], "LatentdStale");
    let (_, second) = requests.recv_timeout(LIMIT).unwrap();
    assert_eq!(first, second);
    notifier.stop(LIMIT);
    assert_eq!(requests.try_recv().ok(), None, "the last words would only repeat what was taken");
    let sink = metrics.alerts.sink("pager");
    assert_eq!((sink.failed.get(), sink.ok.get(), sink.pending.get()), (1, 1, 0.0));
}

#[test]
fn what_is_refused_is_counted_and_does_not_block_what_follows() {
    let (url, requests) = server(&["400 Bad Request", "200 OK"]);
    let (notifier, metrics) = started(&params(url));
    notifier.restored(PRESS, &[open("m-1")]);
    requests.recv_timeout(LIMIT).unwrap();
    let other = PartitionLabels { partition: 4, ..PRESS };
    notifier.restored(other, &[open("m-2")]);
    let (_, body) = requests.recv_timeout(LIMIT).unwrap();
    assert_eq!(body[0]["labels"]["entity"], "m-2");
    notifier.stop(LIMIT);
    let sink = metrics.alerts.sink("pager");
    assert_eq!((sink.refused.get(), sink.ok.get()), (1, 1));
}

#[test]
fn other_streams_are_not_told_and_nobody_waits_for_a_dead_sink() {
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (notifier, metrics) = started(&params(url));
    notifier.restored(PartitionLabels { stream: "shop", ..PRESS }, &[open("m-1")]);
    assert_eq!(metrics.alerts.sink("pager").pending.get(), 0.0);
    (0..200).for_each(|i| {
        notifier.restored(PartitionLabels { partition: i, ..PRESS }, &[open(&format!("m-{i}"))]);
    });
    let sink = metrics.alerts.sink("pager");
    assert_eq!((sink.pending.get(), sink.dropped.get()), (100.0, 100), "alerts_max");
    notifier.stop(LIMIT);
}

#[test]
fn an_open_alert_is_told_again() {
    let (url, requests) = server(&["200 OK"]);
    let mut params = params(url);
    params.resend = Millis::new(20);
    let (notifier, _) = started(&params);
    notifier.restored(PRESS, &[open("m-1")]);
    let bodies: Vec<Value> = (0..3).map(|_| requests.recv_timeout(LIMIT).unwrap().1).collect();
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");
    notifier.left(PRESS);
    // One may be under way; then it is silent.
    let silent = (0..50).any(|_| {
        requests.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout)
    });
    assert!(silent, "it goes on though the partition went");
    notifier.stop(LIMIT);
}

/// Nobody changes anything any more, and the Alertmanager lets the alert end.
#[test]
fn an_open_alert_that_cannot_be_told_again_is_pending() {
    let (url, requests) = server(&["200 OK", "503 Busy"]);
    let mut params = params(url);
    params.resend = Millis::new(20);
    let (notifier, metrics) = started(&params);
    notifier.restored(PRESS, &[open("m-1")]);
    // The third request begins after the answer to the second was dealt with.
    (0..3).for_each(|_| drop(requests.recv_timeout(LIMIT).unwrap()));
    let sink = metrics.alerts.sink("pager");
    assert_eq!((sink.ok.get(), sink.pending.get()), (1, 1.0));
    assert!(sink.failed.get() >= 1);
    notifier.stop(LIMIT);
}
