//! The page in a real browser, the API under generated requests, and what people say through both.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::process::{Latentd, create_outputs, settings};
use crate::broker::{shared, target_folder, wait_for};
use crate::browser::{self, Browser};

const LIMIT: Duration = Duration::from_secs(60);
const START: i64 = 1_767_225_600_000;
const JSON: (&str, &str) = ("content-type", "application/json");
/// A name that tries to be markup.
const ENTITY: &str = "press <b>07</b>";

/// A stream of two sensors that warms up in 300 rows.
fn stream(name: &str) -> String {
    format!(
        r#"
    [[stream]]
    name = "press"
    topics = ["in.{name}"]
    timestamp = {{ from = "field", field = "/ts", format = "epoch_ms" }}
    step = "1s"
    max_out_of_order = "1s"
    ahead_max = "520w"
    channel = [{{ name = "temp" }}, {{ name = "flow" }}]
    window = {{ length = 8 }}
    model = {{ hidden = [12], latent = 3, warmup = 300 }}
    alert = {{ detector = "network", budget = {{ alerts = 4.0, per = "1w" }}, accept_after = 100000 }}
    forecast = {{ targets = ["temp"], horizons = ["1s", "5s"], seasons = ["60s"], levels = [0.8], every = 10 }}
"#
    )
}

/// The record of second `i`: both sensors follow one load; `flow` breaks away from second 1,400 on.
fn second(i: i64) -> String {
    let load = (i as f64 / 30.0).sin();
    let noise = |salt: i64| ((i * 7_919 + salt) % 101) as f64 / 101.0 - 0.5;
    let broken = if i >= 1_400 { 9.0 } else { 0.0 };
    let (temp, flow) = (10.0 * load + 0.4 * noise(3), 0.08 * noise(17) - 2.0 * load + broken);
    format!(r#"{{"ts":{},"temp":{temp:.4},"flow":{flow:.4}}}"#, START + 1_000 * i)
}

/// A daemon with an open alert, and its id; `http` are further keys of `[http]`.
fn alarmed(name: &str, http: &str) -> (Latentd, String) {
    let broker = shared();
    broker.create_topic(&format!("in.{name}"), 1);
    create_outputs(broker, name);
    let text = settings(broker, name, &stream(name));
    let text =
        text.replace(r#"listen = "127.0.0.1:0""#, &format!(r#"listen = "127.0.0.1:0", {http}"#));
    let daemon = Latentd::start(&text);
    let values: Vec<String> = (0..1_450).map(second).collect();
    let topic = format!("in.{name}");
    broker.produce(&topic, 0, values.iter().map(|value| (ENTITY, value.as_bytes())));
    let alert = wait_for("an alert", LIMIT, || {
        let (_, body) = daemon.get("/api/v1/alerts?state=firing");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["alerts"][0]["alert_id"].as_str().map(str::to_owned)
    });
    (daemon, alert)
}

/// Chromium without a window; what it prints, and what it complains about.
fn chromium(folder: &Path, arguments: &[&str], url: &str) -> (String, String) {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let Output { status, stdout, stderr } = Command::new(browser::command())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000", &profile])
        .args(arguments)
        .arg(url)
        .output()
        .expect("the browser runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    assert!(status.success(), "{}", text(stderr));
    (text(stdout), text(stderr))
}

#[test]
fn the_page_is_shown_by_a_browser_in_all_its_clothes() {
    let (daemon, alert) = alarmed("page", "");
    let folder = TempDir::new().expect("a temporary folder");
    let series = format!("/series/press/{}", ENTITY.replace(' ', "%20").replace('/', "%2F"));
    #[rustfmt::skip]
    let pages = [
        ("/", vec!["Open alerts", "critical"]),
        ("/alerts", vec![alert.as_str()]),
        (&format!("/alerts/{alert}"), vec!["Top sensors when it opened", "New normal", "flow"]),
        (&series, vec!["Observed against expected", "Latent map", "Forecast"]),
        ("/streams/press", vec!["Lag and throughput", "in.page/0"]),
        ("/models", vec!["Networks that score"]),
        ("/forecasts", vec!["temp", "Coverage"]),
    ];
    for (path, words) in pages {
        let (dom, complaints) =
            chromium(folder.path(), &["--dump-dom"], &format!("{}{path}", daemon.url()));
        for word in words {
            assert!(dom.contains(word), "{path}: no `{word}` in\n{dom}");
        }
        // The script has run under the policy of the page: it shows its button.
        let button = dom.split("id=\"pause\"").nth(1).and_then(|rest| rest.split('>').next());
        assert!(button.is_some_and(|button| !button.contains("hidden")), "{path}: {button:?}");
        assert!(!complaints.contains("Content Security Policy"), "{path}: {complaints}");
        assert!(!complaints.contains("Uncaught"), "{path}: {complaints}");
        // What came from data is text: no element was made of it.
        assert!(!dom.contains("<b>07</b>"), "{path}: {dom}");
    }
    let picture = |name: &str, arguments: &[&str]| {
        let file = target_folder().join(format!("page-{name}.png"));
        let shot = format!("--screenshot={}", file.display());
        let arguments = [&[shot.as_str()], arguments].concat();
        chromium(folder.path(), &arguments, &format!("{}/alerts/{alert}", daemon.url()));
        std::fs::read(file).expect("a picture")
    };
    let dark = "--blink-settings=preferredColorScheme=0";
    let light = picture("light", &["--window-size=1200,1400"]);
    let dark = picture("dark", &["--window-size=1200,1400", dark]);
    let phone = picture("phone", &["--window-size=390,1400"]);
    for image in [&light, &dark, &phone] {
        assert!(image.starts_with(b"\x89PNG") && image.len() > 20_000, "{} bytes", image.len());
    }
    assert_ne!(light, dark);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

/// Marks the element that has the focus: `end` behind the last, `hidden` if nobody sees that it has it.
const MARK: &str = "(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return 'end';
    element.dataset.reached = '';
    return getComputedStyle(element).outlineStyle === 'none' ? `hidden: ${element.outerHTML}` : '';
})()";
/// What can be used and was not reached.
const UNREACHED: &str = "[...document.querySelectorAll(
    'a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex=\"0\"]'
)].filter((e) => e.checkVisibility() && !e.disabled && !('reached' in e.dataset))
    .map((e) => e.outerHTML.slice(0, 120)).join('\\n')";
/// The least contrast between text and page, as WCAG 2.2 has it.
const CONTRAST: &str = "(() => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = light(getComputedStyle(document.body).backgroundColor);
    const texts = [...document.querySelectorAll('body, p, main a, td, th, caption')];
    return Math.min(...texts.map((e) => light(getComputedStyle(e).color)).map((text) =>
        (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05)));
})()";

#[test]
fn the_page_serves_phones_keyboards_and_the_dark() {
    let (daemon, alert) = alarmed("manners", "");
    let series = format!("/series/press/{}", ENTITY.replace(' ', "%20").replace('/', "%2F"));
    let alert = format!("/alerts/{alert}");
    let pages =
        ["/", "/alerts", &alert, &series, "/streams/press", "/models", "/forecasts", "/nothing"];
    let mut browser = Browser::start();
    for path in pages {
        let url = format!("{}{path}", daemon.url());
        for width in [320, 390, 1_200] {
            browser.show(&url, width);
            let faults = browser.value(include_str!("markup.js"));
            assert_eq!(faults, "", "{path}, {width} px");
        }
        // Far more than there are elements: the walk ends.
        let ended = (0..500).any(|_| {
            browser.tab();
            let mark = browser.value(MARK);
            assert!(mark == "" || mark == "end", "{path}: {mark}");
            mark == "end"
        });
        assert!(ended, "{path}: the keyboard does not get out");
        assert_eq!(browser.value(UNREACHED), "", "{path}");
        let mut contrast = |scheme: &str| {
            let feature = json!({"name": "prefers-color-scheme", "value": scheme});
            browser.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
            browser.value(CONTRAST).as_f64().expect("a ratio")
        };
        let (light, dark) = (contrast("light"), contrast("dark"));
        assert!(light >= 4.5 && dark >= 4.5, "{path}: {light} in the light, {dark} in the dark");
    }
    // The checks do find what they are for, on a phone, too.
    browser.show(daemon.url(), 390);
    browser.value(
        "document.body.append(document.createElement('input'), document.createElement('div'));
         Object.assign(document.body.lastChild.style, { width: '500px', height: '9px' })",
    );
    let faults = browser.value(include_str!("markup.js"));
    let faults = faults.as_str().expect("text");
    assert!(faults.contains("no label") && faults.contains("px wide"), "{faults}");
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

/// The tool, from a virtual environment that `tests/run` makes.
fn schemathesis() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/schemathesis");
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

#[test]
fn the_api_keeps_to_its_document_whatever_is_asked() {
    let (daemon, _) = alarmed("api", "");
    let folder = TempDir::new().expect("a temporary folder");
    let output = Command::new(schemathesis())
        .current_dir(folder.path())
        .args(["run", &format!("{}/api/v1/openapi.json", daemon.url())])
        .args(["--checks", "all", "--max-examples", "25", "--seed", "7", "--workers", "1"])
        .args(["--no-color"])
        .output()
        .expect("schemathesis runs");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    let cases: u64 = report
        .split("Test cases:")
        .nth(1)
        .and_then(|rest| rest.trim().split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no count of cases in\n{report}"));
    eprintln!("schemathesis: {cases} cases");
    assert!(cases >= 300, "{report}");
    assert_eq!(daemon.get("/healthz").0, 200);
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

#[test]
fn what_is_said_through_the_api_and_the_page_takes_effect() {
    let folder = TempDir::new().expect("a temporary folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "correct-horse-battery").expect("written");
    let http = format!("token_file = \"{}\"", token.display());
    let (daemon, alert) = alarmed("said", &http);
    let bearer = ("authorization", "Bearer correct-horse-battery");
    let wrong = ("authorization", "Bearer correct-horse-batterx");
    let window = json!({
        "id": "line-7", "streams": ["press"], "from": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00Z", "learn": false,
    })
    .to_string();
    assert_eq!(daemon.post("/api/v1/maintenance", &[JSON], &window).0, 401);
    assert_eq!(daemon.post("/api/v1/maintenance", &[JSON, wrong], &window).0, 401);
    let (status, body) = daemon.post("/api/v1/maintenance", &[JSON, bearer], &window);
    assert_eq!(status, 202, "{body}");
    assert!(body.contains(r#""topic":"control.said""#), "{body}");
    // The page asks for the token in its form.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let path = format!("/alerts/{alert}/feedback");
    let said = |token: &str| format!("verdict=expected&by=ann&comment=test+run&token={token}");
    assert_eq!(daemon.post(&path, &[form], &said("guess-guess-guess")).0, 401);
    assert_eq!(daemon.post(&path, &[form], &said("correct-horse-battery")).0, 303);
    wait_for("the alert to close", LIMIT, || {
        let (_, body) = daemon.get(&format!("/api/v1/alerts/{alert}"));
        let body: Value = serde_json::from_str(&body).expect("JSON");
        (body["newest"]["reason"] == "expected").then_some(())
    });
    let (_, config) = daemon.post(
        "/api/v1/config/validate",
        &[("content-type", "application/toml"), bearer],
        "http = { listen = 'nowhere' }\n[[stream]]\nnam = 'x'",
    );
    for part in [r#""valid":false"#, "did you mean `name`?", "stream[0].topics: is missing"] {
        assert!(config.contains(part), "{config}");
    }
    assert_eq!(daemon.post("/-/reload", &[], "").0, 401);
    let (status, body) = daemon.post("/-/reload", &[bearer], "");
    assert_eq!((status, body.as_str()), (200, r#"{"message":"nothing has changed"}"#));
    // A renewed token counts after a reload; one that is none changes nothing.
    std::fs::write(&token, "short").expect("written");
    let (status, body) = daemon.post("/-/reload", &[bearer], "");
    assert!(status == 409 || status == 422, "{status} {body}");
    std::fs::write(&token, "wrong-horse-battery-staple").expect("written");
    let (status, body) = daemon.post("/-/reload", &[bearer], "");
    assert_eq!((status, body.as_str()), (200, r#"{"message":"changed: http.token_file"}"#));
    assert_eq!(daemon.post("/-/reload", &[bearer], "").0, 401);
    let renewed = ("authorization", "Bearer wrong-horse-battery-staple");
    assert_eq!(daemon.post("/-/reload", &[renewed], "").0, 200);
    let (log, metrics) = (daemon.log(), daemon.get("/metrics").1);
    assert!(!log.contains("-horse-") && !metrics.contains("correct-horse"));
    assert_eq!(daemon.terminate().0.code(), Some(0));
}

/// A key and a certificate of this machine that vouches for itself.
fn make_certificate(cert: &str, key: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", key, "-out", cert])
        .output()
        .expect("openssl runs: tests/run installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn everything_is_there_over_tls() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("tls.crt"), file("tls.key"));
    make_certificate(&cert, &key);
    let broker = shared();
    broker.create_topic("in.tls", 1);
    create_outputs(broker, "tls");
    let text = settings(broker, "tls", &stream("tls"));
    let http =
        format!(r#"listen = "127.0.0.1:0", tls_cert_file = "{cert}", tls_key_file = "{key}""#);
    let daemon = Latentd::start(&text.replace(r#"listen = "127.0.0.1:0""#, &http));
    let url = format!("{}/healthz", daemon.url().replace("http://", "https://"));
    let curl = |more: &[&str]| {
        let arguments = [&["--silent", "--show-error", "--max-time", "20"], more, &[&url]].concat();
        let output = Command::new("curl").args(arguments).output().expect("curl runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(curl(&["--cacert", &cert]), (true, "ok\n".to_owned()));
    assert!(!curl(&[]).0, "a certificate that nobody vouches for");
    assert_eq!(curl(&["--cacert", &cert, "--tls-max", "1.2"]), (true, "ok\n".to_owned()));
    assert!(!curl(&["--cacert", &cert, "--tls-max", "1.1"]).0, "TLS 1.1 is not spoken");
    // A renewed certificate is shown after a reload; one without its key changes nothing.
    let former = file("former.crt");
    std::fs::copy(&cert, &former).expect("a copy");
    make_certificate(&cert, &file("other.key"));
    daemon.signal("HUP");
    wait_for("the refusal", LIMIT, || daemon.log().contains("not reloaded").then_some(()));
    assert_eq!(curl(&["--cacert", &former]), (true, "ok\n".to_owned()));
    std::fs::copy(file("other.key"), &key).expect("a copy");
    daemon.signal("HUP");
    wait_for("the certificate", LIMIT, || curl(&["--cacert", &cert]).0.then_some(()));
    assert!(!curl(&["--cacert", &former]).0, "the old certificate is shown no more");
    assert_eq!(daemon.terminate().0.code(), Some(0));
    // A key that is none is told at the start.
    std::fs::write(folder.path().join("tls.key"), "no key").expect("written");
    let mut daemon = Latentd::spawn(&text.replace(r#"listen = "127.0.0.1:0""#, &http), &[], &[]);
    let status = wait_for("latentd to refuse", LIMIT, || daemon.ended());
    assert_eq!(status.code(), Some(78), "{}", daemon.log());
    assert!(daemon.log().contains("http.tls_key_file"), "{}", daemon.log());
}
