use super::harness::{ALERT, EVIL, Server, status};
use super::*;

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn paths() -> Vec<String> {
    vec![
        "/".into(),
        "/alerts".into(),
        format!("/alerts/{ALERT}"),
        "/models".into(),
        "/forecasts".into(),
        "/streams/press".into(),
        format!("/series/press/{}", encoded(EVIL)),
        "/series/press/press-08".into(),
        "/nothing".into(),
    ]
}

#[test]
fn pages_are_whole_strict_and_escape_what_comes_from_data() {
    let server = Server::full();
    for path in paths() {
        let (status, headers, page) = server.send("GET", &path, &[], "");
        assert_eq!(status, if path == "/nothing" { 404 } else { 200 }, "{path}");
        assert!(
            headers.contains("default-src 'none'; style-src 'self'; script-src 'self'"),
            "{path}"
        );
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">") && page.ends_with("</html>"));
        let scripts = page.matches("<script").count();
        assert_eq!(scripts, 1, "{path}: only its own");
        // The only addresses of others are names of XML.
        let foreign = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!foreign.contains("://"), "{path}");
        assert!(!page.contains(" style=\"") && !page.contains(" onclick"), "{path}");
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert_eq!(page.matches("<table").count(), page.matches("<caption").count(), "{path}");
        assert_eq!(page.matches("NaN").count(), 0, "{path}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let server = Server::full();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths() {
        let (_, page) = server.get(&path);
        let links = page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1));
        for link in links.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")) {
            if link.starts_with('/') && seen.insert(link.clone()) {
                assert!(server.get(&link).0 < 400, "{link} on {path}");
            }
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}

#[test]
fn a_series_shows_its_channels_forecast_alert_and_map() {
    let server = Server::full();
    let (_, page) = server.get(&format!("/series/press/{}", encoded(EVIL)));
    // Two channels, score, forecast, map: each for a screen and for a phone.
    assert_eq!(page.matches("<svg role=\"img\" aria-label=\"").count(), 10);
    assert!(page.contains("oil: 300 rows from -1 to "), "{page}");
    assert!(page.contains("outside of what was expected"), "{page}");
    assert!(page.contains(ALERT) && page.contains("intervals of 80 %"), "{page}");
    let (_, alert) = server.get(&format!("/alerts/{ALERT}"));
    assert!(
        alert.contains("75 % that it is a fault") && alert.contains("one sensor: oil"),
        "{alert}"
    );
    let (_, page) = server.get("/series/press/press-08");
    assert!(page.contains("25 %, 30 rows to go, ready at"), "{page}");
    assert!(page.contains("No rows are kept yet"), "{page}");
}

#[test]
fn a_verdict_is_given_by_a_form_with_the_token() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef").unwrap();
    let access = Access::new(Some(&path), "127.0.0.1:1".parse().unwrap()).unwrap();
    let write: WriteNotice = std::sync::Arc::new(|notice| {
        assert_eq!(notice.body["verdict"], "expected");
        Ok(Written { topic: "t".into(), partition: 0, offset: 0 })
    });
    let actions = Actions { write: Some(write), ..Actions::default() };
    let server = Server::start_app(App { access, actions, ..Server::app(status()) }, None);
    server.fill();
    let (_, page) = server.get(&format!("/alerts/{ALERT}"));
    assert!(page.contains("type=\"password\" name=\"token\""), "{page}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let send =
        |body: &str| server.send("POST", &format!("/alerts/{ALERT}/feedback"), &[form], body);
    let (status, headers, _) = send("verdict=expected&by=&comment=&token=0123456789abcdef");
    assert_eq!(status, 303);
    assert!(headers.contains(&format!("location: /alerts/{ALERT}?told=expected")), "{headers}");
    let (status, _, page) = send("verdict=expected&by=&comment=&token=wrong");
    assert_eq!(status, 401);
    assert!(
        page.contains("the token is not the right one") && page.contains(">Back</a>"),
        "{page}"
    );
    assert_eq!(send("verdict=nice&token=0123456789abcdef").0, 422);
    let (_, page) = server.get(&format!("/alerts/{ALERT}?told=expected"));
    assert!(page.contains("Written: expected."), "{page}");
}

#[test]
fn networks_of_series_are_listed_with_the_models() {
    let server = Server::full();
    let (_, page) = server.get("/models");
    for part in ["Networks of series: 2 of 2", ">press-08</a>", "4711", "0.625"] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
}

#[test]
fn maintenance_is_announced_by_a_form_in_utc() {
    let said = std::sync::Arc::new(std::sync::Mutex::new(None));
    let heard = std::sync::Arc::clone(&said);
    let write: WriteNotice = std::sync::Arc::new(move |notice| {
        *heard.lock().unwrap() = Some(notice.body.clone());
        Ok(Written { topic: "t".into(), partition: 0, offset: 0 })
    });
    let actions = Actions { write: Some(write), ..Actions::default() };
    let server = Server::start_app(App { actions, ..Server::app(status()) }, None);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("host", "localhost")];
    let form = "id=m&stream=press&entity=press-08&from=2026-01-02T03%3A04&until=2026-01-02T05%3A00&score=on";
    let (status, headers, body) = server.send("POST", "/maintenance", &headers, form);
    assert_eq!(status, 303, "{body}");
    assert!(headers.contains("location: /series/press/press-08"), "{headers}");
    let expected = serde_json::json!({
        "kind": "maintenance", "id": "m", "streams": ["press"], "entities": ["press-08"],
        "from": "2026-01-02T03:04:00Z", "until": "2026-01-02T05:00:00Z",
        "score": true, "alert": false, "learn": false,
    });
    assert_eq!(*said.lock().unwrap(), Some(expected));
}
