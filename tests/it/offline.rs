//! Commands of the built program that need no broker.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::process::{latentd, settings_file};

const STREAM: &str = "[[stream]]\nname = 'press'\ntopics = ['in']\nstep = '10s'\n\
     channel = [{ name = 'x' }, { name = 'y' }]\n";

#[test]
fn check_says_what_is_there_and_what_has_no_effect() {
    let folder = TempDir::new().expect("a temporary folder");
    let text = format!("{STREAM}model.warmup = 1080\n");
    let path = settings_file(&folder, &text).display().to_string();
    let (code, out, errors) = latentd(&["check", "--config", &path]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let expected = format!(
        "{path} is usable: 1 stream\n\
         press: 2 channels; a series may raise its first alert after 400 observed rows (1h 6m 40s)\n\
         note: stream[0].model.warmup: delays no alert: series are judged by detectors of their own, \
         which begin after 400 observed rows\n"
    );
    assert_eq!(out, expected);
    let (code, out, _) = latentd(&["check", "--show", "--config", &path]);
    let shown: Value = serde_json::from_str(&out).expect("JSON and nothing else");
    assert_eq!((code, &shown["stream"][0]["model"]["warmup"]), (0, &1080.into()));
}

/// What would end a run at its start is told at once, key by key.
#[test]
fn check_opens_the_files_that_the_settings_name() {
    let folder = TempDir::new().expect("a temporary folder");
    let text = format!(
        "kafka.sasl_password_file = '/no/password'\nhttp.token_file = '/no/token'\n\
         http.tls_cert_file = '/no/cert'\nhttp.tls_key_file = '/no/key'\n\
         [[alerting.sink]]\nname = 'pager'\nkind = 'webhook'\nurl = 'http://h'\ntoken_file = '/no/bearer'\n\
         {STREAM}"
    );
    let path = settings_file(&folder, &text).display().to_string();
    let (code, _, errors) = latentd(&["check", "--config", &path]);
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!((code, lines.len()), (78, 5), "{errors}");
    for (line, word) in lines.iter().skip(1).zip([
        "kafka.sasl_password_file = `/no/password`",
        "http.token_file = `/no/token`",
        "http.tls_cert_file = `/no/cert`",
        "/no/bearer",
    ]) {
        assert!(line.contains(word), "{line}");
    }
    assert_eq!(latentd(&["check", "--skip-files", "--config", &path]).0, 0);
}

/// The first command of the README.
#[test]
fn the_demo_runs_and_writes_its_summary() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("summary.json");
    let file = path.display().to_string();
    let (code, out, errors) = latentd(&["demo", "--duration", "20s", "--summary", &file]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("latentd demo: page http://") && out.contains("false alarms"), "{out}");
    let summary: Value =
        serde_json::from_slice(&fs::read(&path).expect("a summary")).expect("JSON");
    let count = |name: &str| summary[name].as_u64().expect("a count");
    assert!(count("records_processed") > 0 && count("rows") > 0, "{summary}");
    // Nothing that the simulator writes is unusable.
    assert_eq!((count("dead_letters"), count("outputs_unreadable")), (0, 0), "{summary}");
}

#[test]
fn man_pages_and_completions_are_written() {
    let folder = TempDir::new().expect("a temporary folder");
    let out = folder.path().display().to_string();
    assert_eq!(latentd(&["manual", &out]).0, 0);
    for file in ["man1/latentd.1", "man1/latentd-state-verify.1", "completions/latentd.bash"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}
