use super::*;
use crate::web::harness::{Server, status};
use crate::web::{NotReady, Status};

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
        "version": "1.2.3", "ready": true, "not_ready_reason": null, "total": 1,
        "streams": [{
            "stream": "press", "topics": ["plant.press"], "channels": ["oil", "flow"],
            "series": 5, "warming": 2, "alerts": alerts, "lag_records": 7, "records_per_sec": 2.5,
            "partitions": [{
                "topic": "plant.press", "partition": 3, "next_offset": 99, "lag_records": 7,
                "lag_seconds": 1.5, "records_per_sec": 2.5,
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
fn metrics_are_served_and_not_written() {
    let server = Server::start(status());
    let (code, text) = server.get("/metrics");
    assert_eq!(code, 200);
    assert!(text.contains("latentd_windows_scored_total{stream=\"press\"} 0\n"), "{text}");
    assert_eq!(server.get("/nothing").0, 404);
    assert_eq!(server.send("POST", "/metrics", &[], "x").0, 405);
}

#[test]
fn the_server_ends_when_asked() {
    let mut server = Server::start(status());
    assert_eq!(server.get("/healthz").0, 200);
    server.stop.take().unwrap().send(()).unwrap();
    let running = server.running.take().unwrap();
    server.runtime.block_on(running).unwrap();
}

#[test]
fn connections_wait_for_a_place() {
    use std::io::{Read as _, Write as _};
    let app = Server::app(status());
    let limits = Limits { connections_max: 2, ..app.limits };
    let server = Server::start_app(App { limits, ..app }, None);
    let connect = || std::net::TcpStream::connect(server.address).unwrap();
    let ask = |mut stream: &std::net::TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        answer
    };
    let [first, second, third] = [connect(), connect(), connect()];
    assert_eq!(ask(&first), *b"HTTP/1.1 200 OK");
    assert_eq!(ask(&second), *b"HTTP/1.1 200 OK");
    // The third is in the queue of the system: its answer comes when a place is free.
    (&third).write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    third.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!((&third).read_exact(&mut [0; 1]).is_err(), "there are two places");
    drop(first);
    third.set_read_timeout(None).unwrap();
    let mut answer = [0; 15];
    (&third).read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"HTTP/1.1 200 OK");
}

#[test]
fn idle_clients_and_those_who_do_not_finish_their_question_lose_their_place() {
    use std::io::{Read as _, Write as _};
    let app = Server::app(status());
    let head_timeout = Duration::from_millis(100);
    let limits = Limits { connections_max: 1, head_timeout, ..app.limits };
    let server = Server::start_app(App { limits, ..app }, None);
    let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    // Nothing, half a head, and one who has his answer and stays.
    for said in [&ask[..0], &ask[..12], &ask[..]] {
        let mut slow = std::net::TcpStream::connect(server.address).unwrap();
        slow.write_all(said).unwrap();
        let mut next = std::net::TcpStream::connect(server.address).unwrap();
        next.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        next.write_all(ask).unwrap();
        let mut answer = [0; 15];
        next.read_exact(&mut answer).expect("the place of the slow one");
        assert_eq!(answer, *b"HTTP/1.1 200 OK");
    }
}

#[test]
fn clients_that_do_not_read_lose_their_place() {
    use std::io::{Read as _, Write as _};
    let app = Server::app(status());
    let request_timeout = Duration::from_millis(100);
    let limits = Limits { connections_max: 1, request_timeout, ..app.limits };
    let server = Server::start_app(App { limits, ..app }, None);
    let connect = || std::net::TcpStream::connect(server.address).unwrap();
    let deaf = connect();
    deaf.set_nonblocking(true).unwrap();
    // More answers than the system keeps for somebody who does not read them.
    let ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000);
    let _ = (&deaf).write(&ask).unwrap();
    let mut next = connect();
    next.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    next.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    next.read_exact(&mut answer).expect("the place of the one who does not read");
    assert_eq!(answer, *b"HTTP/1.1 200 OK");
    drop(deaf);
}

#[test]
fn a_request_that_takes_too_long_is_told_so() {
    let app = Server::app(status());
    let limits = Limits { request_timeout: Duration::from_millis(50), ..app.limits };
    // Waits until the test is over: longer than any limit.
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let reload: crate::web::Reload = Arc::new(move || {
        let _ = wait.lock().unwrap().recv();
        Ok(String::new())
    });
    let actions = Actions { reload: Some(reload), ..Actions::default() };
    let server = Server::start_app(App { limits, actions, ..app }, None);
    let (status, headers, body) = server.send("POST", "/-/reload", &[], "");
    assert_eq!(status, 503, "{body}");
    assert!(headers.contains("application/problem+json"), "{headers}");
    assert!(body.contains("http.request_timeout"), "{body}");
    drop(release);
}
