use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::harness::{ALERT, EVIL, Server, status};
use super::*;

const JSON: (&str, &str) = ("content-type", "application/json");
const HERE: (&str, &str) = ("host", "localhost");

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn series_are_listed_by_parts_and_filters() {
    let server = Server::full();
    let all = server.json("/api/v1/series");
    assert_eq!((&all["total"], &all["limit"], &all["offset"]), (&json!(2), &json!(100), &json!(0)));
    let warming = server.json("/api/v1/series?state=warming");
    assert_eq!(warming["total"], 1);
    let expected = json!({
        "stream": "press", "entity": "press-08", "topic": "plant.press", "partition": 3, "rows": 300,
        "last_row": "2023-11-14T22:18:19Z", "alerts": [],
        "warming": { "done_ratio": 0.25, "rows_left": 30, "until": "2023-11-14T22:18:50Z" },
        "silenced": null,
    });
    assert_eq!(warming["series"], json!([expected]));
    let second = server.json("/api/v1/series?limit=1&offset=1");
    assert_eq!((&second["series"][0]["entity"], &second["total"]), (&json!(EVIL), &json!(2)));
    assert_eq!(server.json("/api/v1/series?stream=other")["total"], 0);
    assert_eq!(server.json("/api/v1/series?entity=press-08&stream=press")["total"], 1);
}

#[test]
fn a_series_comes_with_its_newest_rows() {
    let server = Server::full();
    let body = server.json(&format!("/api/v1/series/press/{}?limit=60", encoded(EVIL)));
    assert_eq!((&body["kept"], &body["channels"]), (&json!(true), &json!(["oil", "flow"])));
    let points = body["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    assert_eq!(points[10]["raised"], true);
    assert_eq!(points[10]["at"], "2023-11-14T22:17:30Z");
    let cells = points[10]["channels"].as_array().unwrap();
    assert!(cells[0]["y"].as_f64() > cells[0]["upper"].as_f64(), "{cells:?}");
    assert_eq!(server.get("/api/v1/series/press/none").0, 404);
    assert_eq!(server.get("/api/v1/series/none/none").0, 404);
    // Nothing is kept of the other one: asking for it makes room.
    assert_eq!(server.json("/api/v1/series/press/press-08")["kept"], true);
}

#[test]
fn an_alert_is_listed_shown_and_explained() {
    let server = Server::full();
    for (query, total) in
        [("", 1), ("?state=resolved", 1), ("?state=firing", 0), ("?severity=warning", 0)]
    {
        assert_eq!(server.json(&format!("/api/v1/alerts{query}"))["total"], total, "{query}");
    }
    let alert = server.json(&format!("/api/v1/alerts/{ALERT}"));
    assert_eq!(alert["alert"]["state"], "resolved");
    assert_eq!(alert["opened"]["change"], "opened");
    assert_eq!(alert["newest"]["change"], "closed");
    let explained = server.json(&format!("/api/v1/alerts/{ALERT}/explain"));
    let sensors = explained["sensors"].as_array().unwrap();
    assert_eq!((sensors.len(), &sensors[0]["sensor"]), (2, &json!("oil")));
    // 160 rows before it, all while it was open, and 16 after it.
    let points = sensors[0]["points"].as_array().unwrap();
    let times = |i: usize| points[i]["at"].as_str().unwrap();
    assert_eq!((times(0), points.len()), ("2023-11-14T22:14:51Z", 160 + 49));
    let (status, headers, svg) =
        server.send("GET", &format!("/api/v1/alerts/{ALERT}/explain?format=svg"), &[], "");
    assert_eq!(status, 200);
    assert!(headers.contains("content-type: image/svg+xml"), "{headers}");
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
    assert_eq!(server.get("/api/v1/alerts/a-ffffffffffff").0, 404);
}

#[test]
fn bodies_keep_what_the_document_promises() {
    let server = Server::full();
    let document = server.json("/api/v1/openapi.json");
    for path in ["streams", "series", "alerts", "models", "forecasts"] {
        let pointer =
            format!("/paths/~1api~1v1~1{path}/get/responses/200/content/application~1json");
        let mut schema = document.pointer(&pointer).unwrap()["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let body = server.json(&format!("/api/v1/{path}"));
        let faults: Vec<String> = validator.iter_errors(&body).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{path}: {faults:?}");
        assert_eq!(body["total"] == 0, path == "models", "{body}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let server = Server::full();
    #[rustfmt::skip]
    let cases = [
        ("/api/v1/series?limit=0", 400, "limit: expected 1 to 1000"),
        ("/api/v1/series?limit=x", 400, "limit"),
        ("/api/v1/series?sate=warming", 400, "unknown field `sate`"),
        ("/api/v1/series?state=odd", 400, "unknown variant `odd`"),
        ("/api/v1/alerts?offset=-1", 400, "offset"),
        ("/api/v1/series/%FF/x", 400, "UTF-8"),
        ("/api/v1/nothing", 404, "/api/v1/openapi.json"),
    ];
    for (path, code, reason) in cases {
        let (status, headers, body) = server.send("GET", path, &[], "");
        assert_eq!(status, code, "{path}: {body}");
        assert!(headers.contains("application/problem+json"), "{path}: {headers}");
        assert!(body.contains(reason), "{path}: {body}");
    }
    let (status, headers, _) = server.send("DELETE", "/api/v1/alerts", &[], "");
    assert_eq!(status, 405);
    assert!(headers.contains("allow: GET"), "{headers}");
}

/// A server whose notices are kept.
fn writable() -> (Server, Arc<Mutex<Vec<Notice>>>) {
    let said: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let heard = Arc::clone(&said);
    let write: WriteNotice = Arc::new(move |notice| {
        heard.lock().unwrap().push(notice.clone());
        Ok(Written { topic: "t".into(), partition: 1, offset: 5 })
    });
    let validate: Validate = Arc::new(|text, format| match format {
        ConfigFormat::Toml if text == "good" => Vec::new(),
        _ => vec![ConfigProblem { path: "a.b".into(), message: "a.b: is bad".into() }],
    });
    let reload: Reload = Arc::new(|| Err("line 3: no".into()));
    let actions = Actions { write: Some(write), validate: Some(validate), reload: Some(reload) };
    (Server::start_app(App { actions, ..Server::app(status()) }, None), said)
}

#[test]
fn verdicts_and_maintenance_are_written_as_their_schemas_promise() {
    let (server, said) = writable();
    let post =
        |path: &str, body: &Value| server.send("POST", path, &[JSON, HERE], &body.to_string());
    let verdict = json!({"alert_id": ALERT, "verdict": "new_normal", "by": "ann"});
    let (status, _, body) = post("/api/v1/feedback", &verdict);
    assert_eq!((status, body.as_str()), (202, r#"{"topic":"t","partition":1,"offset":5}"#));
    let window = json!({
        "id": "line-7", "entities": ["press-*"], "from": "2026-11-20T10:00:00Z",
        "until": "2026-11-20T12:00:00+01:00",
    });
    assert_eq!(post("/api/v1/maintenance", &window).0, 202);
    let said = said.lock().unwrap();
    assert_eq!((said[0].kind, &said[0].body), (NoticeKind::Verdict, &verdict));
    assert_eq!(said[1].key, "line-7");
    for (notice, schema) in said.iter().zip([
        include_str!("../../config/schemas/feedback.v1.json"),
        include_str!("../../config/schemas/control.v1.json"),
    ]) {
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert!(jsonschema::is_valid(&schema, &notice.body), "{}", notice.body);
    }
}

#[test]
fn nonsense_is_not_written() {
    let (server, said) = writable();
    #[rustfmt::skip]
    let cases = [
        ("/api/v1/feedback", r#"{"alert_id":"a-1","verdict":"expected"}"#, 400, "12 hex digits"),
        ("/api/v1/feedback", r#"{"alert_id":"a-0123456789ab","verdict":"nice"}"#, 422, "unknown variant `nice`"),
        ("/api/v1/feedback", "{", 400, "EOF"),
        ("/api/v1/maintenance", r#"{"id":"","from":"x","until":"x"}"#, 400, "id: expected 1 to 256"),
        ("/api/v1/maintenance", r#"{"id":"x","from":"monday","until":"x"}"#, 400, "from: "),
        ("/-/reload", "", 422, "line 3: no"),
    ];
    for (path, body, code, reason) in cases {
        let (status, _, answer) = server.send("POST", path, &[JSON, HERE], body);
        assert_eq!(status, code, "{path} {body}: {answer}");
        assert!(answer.contains(reason), "{path} {body}: {answer}");
    }
    let text = ("content-type", "text/plain");
    assert_eq!(server.send("POST", "/api/v1/feedback", &[text, HERE], "{}").0, 415);
    let long = "x".repeat((1 << 20) + 1);
    assert_eq!(server.send("POST", "/api/v1/feedback", &[JSON, HERE], &long).0, 413);
    assert_eq!(
        server.send("POST", "/api/v1/feedback", &[JSON, ("host", "evil.example")], "{}").0,
        403
    );
    assert!(said.lock().unwrap().is_empty());
    let bare = Server::full();
    let verdict = json!({"alert_id": ALERT, "verdict": "expected"}).to_string();
    assert_eq!(bare.send("POST", "/api/v1/feedback", &[JSON, HERE], &verdict).0, 404);
}

#[test]
fn a_configuration_is_checked_in_its_format() {
    let (server, _) = writable();
    let check = |kind: &str, text: &str| {
        server.send("POST", "/api/v1/config/validate", &[("content-type", kind), HERE], text)
    };
    assert_eq!(
        check("application/toml; charset=utf-8", "good").2,
        r#"{"valid":true,"problems":[]}"#
    );
    let expected = r#"{"valid":false,"problems":[{"path":"a.b","message":"a.b: is bad"}]}"#;
    assert_eq!(check("application/yaml", "good").2, expected);
    assert_eq!(check("text/html", "good").0, 415);
}
