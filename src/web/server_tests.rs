use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::*;
use crate::engine::ShardStatus;
use crate::record::EventTime;
use crate::telemetry::Metrics;
use crate::web::{NotReady, PartitionStatus, Status, StreamStatus};

/// A server on a free port; it stops with this value.
struct Server {
    address: SocketAddr,
    status: SharedStatus,
    stop: Option<oneshot::Sender<()>>,
    runtime: tokio::runtime::Runtime,
    running: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Server {
    fn start(status: Status) -> Self {
        let registry = Registry::new();
        Metrics::register(&registry).unwrap().add_stream("press");
        let app = App { status: SharedStatus::new(status), registry };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let status = app.status.clone();
        let running = runtime.spawn(serve(listener, app, async {
            let _ = stopped.await;
        }));
        Self { address, status, stop: Some(stop), runtime, running: Some(running) }
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, 0)
    }

    fn ask(&self, method: &str, path: &str, body: usize) -> (u16, String) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let url = format!("http://{}{path}", self.address);
        let answer = match method {
            "GET" => agent.get(&url).call(),
            _ => agent.post(&url).send(vec![b'x'; body].as_slice()),
        };
        let mut answer = answer.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }
}

fn status() -> Status {
    let shard = ShardStatus {
        partition: 3,
        series: 5,
        warming: 2,
        firing: [1, 0],
        watermark: Some(EventTime::from_millis(1_700_000_000_000)),
        open_rows: 4,
        model_version: 17,
        reconstruction_loss: Some(0.25),
        linear_control_ratio: Some(0.5),
        ..ShardStatus::default()
    };
    let partition = PartitionStatus {
        topic: "plant.press".into(),
        shard,
        next_offset: Some(99),
        lag: Some(7),
        lag_seconds: Some(1.5),
        stored_bytes: 2_048,
        idle: false,
    };
    let stream = StreamStatus {
        name: "press".into(),
        topics: vec!["plant.press".into()],
        channels: vec!["oil".into()],
        partitions: vec![partition],
    };
    Status { version: "1.2.3".into(), not_ready: None, stalled: None, streams: vec![stream] }
}

#[test]
fn probes_tell_their_reason() {
    let server = Server::start(Status { not_ready: Some(NotReady::default()), ..status() });
    assert_eq!(server.get("/healthz"), (200, "ok\n".into()));
    assert_eq!(server.get("/readyz"), (503, "no partitions assigned yet\n".into()));
    let undelivered = NotReady::Undelivered { attempts: 3, detail: "broker is down".into() };
    server.status.update(|status| status.not_ready = Some(undelivered));
    let expected = "outputs are not acknowledged after 3 attempts: broker is down\n";
    assert_eq!(server.get("/readyz"), (503, expected.into()));
    server.status.update(|status| {
        status.not_ready = None;
        status.stalled = Some("no progress for 2m".into());
    });
    assert_eq!(server.get("/readyz"), (200, "ready\n".into()));
    assert_eq!(server.get("/healthz"), (503, "no progress for 2m\n".into()));
}

#[test]
fn streams_are_shown_with_their_partitions() {
    let server = Server::start(status());
    let (code, body) = server.get("/api/v1/streams");
    let alerts = serde_json::json!({"warning": 1, "critical": 0});
    let expected = serde_json::json!({
        "version": "1.2.3", "ready": true, "not_ready_reason": null,
        "streams": [{
            "stream": "press", "topics": ["plant.press"], "channels": ["oil"],
            "series": 5, "warming": 2, "alerts": alerts, "lag_records": 7,
            "partitions": [{
                "topic": "plant.press", "partition": 3, "next_offset": 99, "lag_records": 7,
                "watermark": "2023-11-14T22:13:20Z", "idle": false, "series": 5, "warming": 2,
                "alerts": alerts, "open_rows": 4, "model_version": 17, "reconstruction_loss": 0.25,
                "linear_control_loss_ratio": 0.5,
            }],
        }],
    });
    assert_eq!(code, 200);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected);
}

#[test]
fn metrics_and_the_page_are_served_and_nothing_can_be_written() {
    let server = Server::start(status());
    let (code, text) = server.get("/metrics");
    assert_eq!(code, 200);
    assert!(text.contains("latentd_windows_scored_total{stream=\"press\"} 0\n"), "{text}");
    let (code, page) = server.get("/");
    assert_eq!(code, 200);
    assert!(page.contains("<title>latentd</title>"), "{page}");
    assert!(!page.contains("://"), "the page asks no other server");
    assert_eq!(server.get("/nothing").0, 404);
    assert_eq!(server.ask("POST", "/metrics", 10).0, 405);
}

#[test]
fn the_server_ends_when_asked() {
    let mut server = Server::start(status());
    assert_eq!(server.get("/healthz").0, 200);
    server.stop.take().unwrap().send(()).unwrap();
    let running = server.running.take().unwrap();
    server.runtime.block_on(running).unwrap().unwrap();
}
