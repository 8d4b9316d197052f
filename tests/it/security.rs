//! TLS and passwords against a real Apache Kafka, and that no secret is told to anybody.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use crate::broker::process::{Latentd, create_outputs, latentd, settings, settings_file};
use crate::broker::secure::SecureBroker;
use crate::broker::wait_for;

const LIMIT: Duration = Duration::from_secs(60);
const USER: &str = "press-reader";
const PASSWORD: &str = "correct-horse-7f3a";
const WRONG: &str = "wrong-horse-91bd";
const KEY_PASSWORD: &str = "key-horse-55c0";

const STREAM: &str = r#"
    [[stream]]
    name = "press"
    topics = ["in.secure"]
    step = "1s"
    max_out_of_order = "0s"
    channel = [{ name = "x" }]
    features = { every = 1 }
"#;

/// The settings of [`settings`], but through the listener with TLS and SASL; who signs its certificate is
/// for `authorities` to say.
fn secured(secure: &SecureBroker, password_file: &str, authorities: &str) -> String {
    let SecureBroker { broker, bootstrap, .. } = secure;
    let text = settings(broker, "secure", STREAM);
    let (open, tables) = (broker.bootstrap(), text.find("[topics]").expect("a table"));
    let (head, rest) = text.split_at(tables);
    let kafka = format!(
        "kafka.sasl_password_file = \"{password_file}\"\n\
         kafka.rdkafka.\"security.protocol\" = \"SASL_SSL\"\n\
         kafka.rdkafka.\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\
         kafka.rdkafka.\"sasl.username\" = \"{USER}\"\n{authorities}"
    );
    // One inline table cannot be extended: the keys become dotted ones.
    let head = head.replace(
        &format!(
            "kafka = {{ brokers = [\"{open}\"], group_id = \"secure\", offset_reset = \"earliest\" }}"
        ),
        &format!(
            "kafka.brokers = [\"{bootstrap}\"]\nkafka.group_id = \"secure\"\n\
             kafka.offset_reset = \"earliest\"\n{kafka}"
        ),
    );
    format!("{head}{rest}")
}

#[test]
fn tls_and_scram_let_the_right_password_in_and_nobody_learns_it() {
    let secure = SecureBroker::start(USER, PASSWORD);
    secure.broker.create_topic("in.secure", 1);
    create_outputs(&secure.broker, "secure");
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str, password: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("{password}\n")).expect("a writable folder");
        path.display().to_string()
    };
    let ca = secure.ca.display().to_string();
    let named = format!("kafka.rdkafka.\"ssl.ca.location\" = \"{ca}\"\n");
    let right = secured(&secure, &file("right", PASSWORD), &named);
    let values: Vec<String> = (0..50).map(|i| format!("{{\"x\":{i}}}")).collect();
    secure.broker.produce("in.secure", 0, values.iter().map(|v| ("m", v.as_bytes())));

    let wrong = Latentd::start(&secured(&secure, &file("wrong", WRONG), &named));
    wait_for("the refusal", LIMIT, || {
        let log = wrong.log();
        (log.contains("SASL") || log.contains("uthentication")).then_some(())
    });
    assert_eq!(wrong.get("/readyz").0, 503);
    wrong.signal("TERM");
    let log = wrong.kill();
    assert!(!log.contains(WRONG), "the password is in the log:\n{log}");

    let daemon = Latentd::start(&right);
    daemon.wait_metric("latentd_records_consumed_total", &[], 50.0);
    daemon.wait_metric("latentd_ready", &[], 1.0);
    let mut told = vec![daemon.log()];
    for path in ["/", "/metrics", "/api/v1/streams"] {
        told.push(daemon.get(path).1);
    }
    let (status, _, log) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
    told.push(log);
    let checked = settings_file(&folder, &right).display().to_string();
    let (code, out, err) = latentd(&["check", "--config", &checked]);
    assert_eq!(code, 0, "{err}");
    told.extend([out, err]);
    for text in told {
        assert!(!text.contains(PASSWORD), "the password is in\n{text}");
    }
    authorities_are_those_of_the_system(&secured(&secure, &file("again", PASSWORD), ""), &ca);
}

/// Nobody names authorities: those of the environment are taken, else those of the system, which do not
/// know who signed the certificate of this broker.
fn authorities_are_those_of_the_system(settings: &str, ca: &str) {
    let debug = settings.replacen("[topics]", "kafka.rdkafka.debug = \"security\"\n[topics]", 1);
    let start = |ca| {
        let env = [("SSL_CERT_FILE", ca), ("SSL_CERT_DIR", "")];
        Latentd::spawn(&debug, &["--log-level", "info,latentd::io=trace"], &env)
    };
    let trusting = start(ca);
    wait_for("the broker to be trusted", LIMIT, || {
        trusting.log().contains("partition assigned").then_some(())
    });
    trusting.kill();
    let daemon = start("");
    wait_for("a place of the system to be tried", LIMIT, || {
        let log = daemon.log();
        (log.contains("/etc/ssl/") || log.contains("/etc/pki/")).then_some(())
    });
    wait_for("the refusal", LIMIT, || daemon.log().contains("erify").then_some(()));
    daemon.kill();
}

/// Secrets given in the environment are used, and shown as stars.
#[test]
fn a_secret_of_the_environment_is_not_shown() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = settings_file(&folder, STREAM);
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_latentd"))
        .args(["check", "--show", "--config"])
        .arg(path)
        .env("LATENTD__KAFKA__RDKAFKA__SSL_KEY_PASSWORD", KEY_PASSWORD)
        .output()
        .expect("latentd starts");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("***"), "{text}");
    assert!(!text.contains(KEY_PASSWORD));
    assert!(!String::from_utf8_lossy(&out.stderr).contains(KEY_PASSWORD));
}
