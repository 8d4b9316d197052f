//! What watches latentd, and whom it tells: rules, dashboards, and real Prometheus and Alertmanager.

mod alertmanager;
mod compose;
mod expressions;
mod grafana;
mod hook;
mod prometheus;
mod rules;
mod tls;
mod webhook;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::{LEASH, require, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file of the repository.
fn yaml(path: &str) -> Value {
    let source = config::File::from_str(&read(path), config::FileFormat::Yaml);
    let read = config::Config::builder().add_source(source).build();
    read.and_then(config::Config::try_deserialize).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// How a service says that it is ready.
enum Ready {
    /// This path answers.
    Answer(&'static str),
    /// It logs this.
    Log(&'static str),
}

/// A foreign daemon on loopback; it ends with this value, or with the test process.
struct Service {
    shell: Child,
    leash: Option<ChildStdin>,
    folder: TempDir,
    url: String,
}

impl Service {
    /// Starts `command`, which a Debian package brings, in a folder with `files`, and waits until
    /// it is ready.
    fn start(
        (command, package): (&str, &str),
        arguments: &[String],
        files: &[(&str, &str)],
        (port, ready): (u16, Ready),
    ) -> Self {
        require(command, package);
        let folder = TempDir::new().expect("a temporary folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a writable folder");
        }
        let log = fs::File::create(folder.path().join("log")).expect("a writable folder");
        let mut shell = Command::new("sh");
        shell.current_dir(folder.path()).args(["-c", LEASH, "sh", command]).args(arguments);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let mut shell = shell.spawn().expect("sh starts");
        let leash = shell.stdin.take();
        let service = Self { shell, leash, folder, url: format!("http://127.0.0.1:{port}") };
        wait_for(&format!("{command}; {}", service.log()), LIMIT, || {
            match ready {
                Ready::Answer(path) => ureq::get(format!("{}{path}", service.url)).call().is_ok(),
                Ready::Log(words) => service.log().contains(words),
            }
            .then_some(())
        });
        service
    }

    /// The JSON that a path answers with.
    fn json(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}{path}", self.url)).call().expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The leash ends the process when the pipe closes.
        drop(self.leash.take());
        let _ = self.shell.wait();
    }
}

/// A stream with one sensor of known range: outside it an alert opens at once.
fn ranged_stream(topic: &str) -> String {
    format!(
        r#"
        [[stream]]
        name = "press"
        topics = ["{topic}"]
        timestamp = {{ from = "field", field = "/ts", format = "epoch_ms" }}
        step = "1s"
        max_out_of_order = "0s"
        ahead_max = "520w"
        idle_timeout = "1s"
        channel = [{{ name = "flow", data_range = [0, 100] }}]
        window = {{ length = 8 }}
        model = {{ hidden = [4], latent = 2 }}
        alert = {{ detector = "network", keep_firing_for = 3, critical_ratio = 2.0 }}
        [[stream.maintenance]]
        name = "overhaul"
        entities = ["press-08"]
        from = "2025-12-01T00:00:00Z"
        until = "2026-12-01T00:00:00Z"
        "#
    )
}

/// Records of a machine with these values, one a second from second `from` on.
fn flow(from: i64, values: &[f64]) -> Vec<String> {
    const START: i64 = 1_767_225_600_000;
    let seconds = values.iter().zip(from..);
    seconds.map(|(y, i)| format!(r#"{{"ts":{},"flow":{y}}}"#, START + i * 1_000)).collect()
}
