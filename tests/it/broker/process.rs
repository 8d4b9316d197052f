//! The built `latentd` as a process, on a real broker.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Broker, signal, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A running daemon; killed if the test ends without [`Latentd::terminate`].
#[derive(Debug)]
pub struct Latentd {
    child: Child,
    folder: TempDir,
    url: String,
}

/// Kinds of output topics, which are called `KIND.NAME`.
pub const OUTPUTS: [&str; 6] = ["alerts", "current", "features", "forecasts", "models", "dlq"];

/// The settings of a daemon of its own: group, output topics and HTTP port are nobody else's.
/// The output topics are those of [`OUTPUTS`].
pub fn settings(broker: &Broker, name: &str, streams: &str) -> String {
    format!(
        r#"
        kafka = {{ brokers = ["{bootstrap}"], group_id = "{name}", offset_reset = "earliest" }}
        http = {{ listen = "127.0.0.1:0" }}
        [topics]
        alerts = "alerts.{name}"
        alerts_current = "current.{name}"
        features = "features.{name}"
        forecasts = "forecasts.{name}"
        models = "models.{name}"
        feedback = "feedback.{name}"
        control = "control.{name}"
        dlq = "dlq.{name}"
        state = "state.{name}.{{stream}}"
        {streams}
        "#,
        bootstrap = broker.bootstrap(),
    )
}

/// Makes the output topics of [`settings`], two partitions each.
pub fn create_outputs(broker: &Broker, name: &str) {
    for kind in OUTPUTS.into_iter().chain(["feedback", "control"]) {
        broker.create_topic(&format!("{kind}.{name}"), 2);
    }
}

impl Latentd {
    /// Starts `latentd run` and waits until it answers HTTP.
    pub fn start(settings: &str) -> Self {
        Self::start_with_args(settings, &[])
    }

    /// The same with further arguments.
    pub fn start_with_args(settings: &str, args: &[&str]) -> Self {
        let mut latentd = Self::spawn(settings, args, &[]);
        let address = wait_for("latentd to listen", LIMIT, || {
            if let Some(status) = latentd.child.try_wait().expect("a child") {
                panic!("latentd ended with {status}:\n{}", latentd.log());
            }
            let log = latentd.log();
            let rest = log.split("http listening on ").nth(1)?;
            rest.split('"').next().map(str::to_owned)
        });
        latentd.url = format!("http://{address}");
        latentd
    }

    /// Starts `latentd run` and waits for nothing.
    pub fn spawn(settings: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("latentd.toml");
        fs::write(&file, settings).expect("a writable folder");
        let log = fs::File::create(folder.path().join("log")).expect("a writable folder");
        let child = Command::new(env!("CARGO_BIN_EXE_latentd"))
            .args(["run", "--log-format", "json", "--config"])
            .arg(&file)
            .args(args)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("latentd starts");
        Self { child, folder, url: String::new() }
    }

    /// Replaces its configuration file.
    pub fn rewrite(&self, settings: &str) {
        fs::write(self.folder.path().join("latentd.toml"), settings).expect("a writable folder");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Ends it as a power cut would; its log.
    pub fn kill(mut self) -> String {
        signal(self.child.id(), "KILL");
        self.child.wait().expect("a child");
        self.log()
    }

    /// Its exit status, once it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log")
    }

    /// `host:port` of its HTTP server.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Status and body of a path of its HTTP server.
    pub fn get(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.get(format!("{}{path}", self.url)).call().expect("an answer");
        let body = answer.body_mut().read_to_string().expect("a body");
        (answer.status().as_u16(), body)
    }

    /// Where its HTTP server is: `http://address:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Status and body of the answer to a request with a body.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent: ureq::Agent = config.build().into();
        let mut request = agent.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).expect("an answer");
        let body = answer.body_mut().read_to_string().expect("a body");
        (answer.status().as_u16(), body)
    }

    /// Sum over all label values of a metric that have all of `labels` (`name="value"`).
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (family, rest) = series.split_once('{').unwrap_or((series, ""));
            let fits = family == name && labels.iter().all(|label| rest.contains(label));
            fits.then(|| value.parse::<f64>().expect("a number"))
        };
        text.lines().filter_map(sample).sum()
    }

    /// Waits until a metric is at least `value`.
    pub fn wait_metric(&self, name: &str, labels: &[&str], value: f64) {
        let what = format!("{name}{labels:?} to reach {value}; log:\n{}", self.log());
        wait_for(&what, LIMIT, || (self.metric(name, labels) >= value).then_some(()));
    }

    /// Sends SIGTERM; the exit status, how long it took, and the log.
    pub fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let start = Instant::now();
        signal(self.child.id(), "TERM");
        let status = wait_for("latentd to stop", LIMIT, || self.child.try_wait().ok().flatten());
        (status, start.elapsed(), self.log())
    }
}

impl Drop for Latentd {
    fn drop(&mut self) {
        let running = matches!(self.child.try_wait(), Ok(None));
        if running {
            // Nothing to do about a process that cannot be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs a command of latentd to its end: exit code (or minus the signal), output, errors.
pub fn latentd(arguments: &[&str]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_latentd"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("latentd starts");
    let mut errors = child.stderr.take().expect("stderr is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let out = child.wait_with_output().expect("latentd ends");
    let errors = reader.join().expect("no panic").expect("UTF-8");
    let code = out.status.code().unwrap_or_else(|| -out.status.signal().unwrap_or(0));
    (code, String::from_utf8(out.stdout).expect("UTF-8"), errors)
}

/// Writes a settings file that lives as long as the folder.
pub fn settings_file(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("latentd.toml");
    fs::write(&path, text).expect("a writable folder");
    path
}
