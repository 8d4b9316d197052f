//! A real Apache Kafka broker for any test that asks.
//!
//! [`shared`] starts one KRaft node per test run; [`Broker::start`] one of the test's own, to be
//! stopped, killed and started again. Jars come from Maven Central (`tests/broker/pom.xml`) into
//! `target/`. `LATENTD_TEST_BROKERS` names an existing broker to be used instead of the shared one.

pub mod client;
mod jars;
pub mod process;
pub mod secure;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use jars::require;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const JVM: &[&str] = &["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// Ends the JVM when the pipe to the test process closes, however that process died.
pub const LEASH: &str =
    r#""$@" & jvm=$!; echo $jvm; read -r _; kill -TERM $jvm 2>/dev/null; wait $jvm"#;

/// A Kafka node and the place of its data.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    home: Option<TempDir>,
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    shell: Child,
    leash: ChildStdin,
    jvm: u32,
}

/// The broker of this test run.
pub fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("LATENTD_TEST_BROKERS") {
        Ok(bootstrap) => Broker { bootstrap, home: None, process: Mutex::new(None) },
        Err(_) => Broker::start(),
    })
}

impl Broker {
    /// Starts a node on free loopback ports and waits until it answers.
    pub fn start() -> Self {
        Self::start_in(TempDir::new().expect("a temporary folder"), "", &[])
    }

    /// The same in a folder of the test's, with further properties and arguments of the formatter.
    fn start_in(home: TempDir, more: &str, format_args: &[&str]) -> Self {
        let [port, controller] = free_ports();
        let template = include_str!("../../broker/server.properties");
        let data = home.path().join("data");
        let properties = template
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller.to_string())
            .replace("@DATA@", &data.display().to_string());
        let properties = format!("{properties}{}", more.replace("@PORT@", &port.to_string()));
        fs::write(home.path().join("server.properties"), properties).expect("a writable folder");
        let format = ["format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", "server.properties"];
        let out =
            java(home.path(), "kafka.tools.StorageTool").args(format).args(format_args).output();
        let out = out.expect("java starts");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let broker = Self {
            bootstrap: format!("127.0.0.1:{port}"),
            home: Some(home),
            process: Mutex::new(None),
        };
        broker.resume();
        broker
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// An admin client.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().expect("a client")
    }

    /// Starts the node again on its port and data.
    pub fn resume(&self) {
        let home = self.home().path();
        let log = fs::File::options().append(true).create(true).open(home.join("kafka.log"));
        let log = log.expect("a writable folder");
        let node = java(home, "kafka.Kafka");
        let mut command = Command::new("sh");
        command.current_dir(home).args(["-c", LEASH, "sh"]).arg(node.get_program());
        command.args(node.get_args()).arg("server.properties");
        // The leash prints the JVM's pid; what Kafka prints goes the same way, into the log.
        let pid_file = home.join("pid");
        command.stdin(Stdio::piped()).stderr(log).stdout(fs::File::create(&pid_file).expect("pid"));
        let mut shell = command.spawn().expect("sh starts");
        let leash = shell.stdin.take().expect("stdin is piped");
        let jvm = wait_for("the broker's pid", START_LIMIT, || {
            fs::read_to_string(&pid_file).ok()?.lines().next()?.parse().ok()
        });
        *self.process.lock().expect("not poisoned") = Some(Process { shell, leash, jvm });
        let admin = self.admin();
        wait_for("the broker to answer", START_LIMIT, || {
            admin.inner().fetch_metadata(None, Duration::from_secs(2)).ok()
        });
    }

    /// Stops the node cleanly.
    pub fn stop(&self) {
        let Some(mut process) = self.process.lock().expect("not poisoned").take() else { return };
        writeln!(process.leash, "stop").expect("the leash reads");
        wait_for("the broker to stop", STOP_LIMIT, || process.shell.try_wait().ok().flatten());
    }

    /// Kills the node as a power cut would.
    pub fn kill(&self) {
        let Some(mut process) = self.process.lock().expect("not poisoned").take() else { return };
        signal(process.jvm, "KILL");
        writeln!(process.leash, "gone").expect("the leash reads");
        wait_for("the broker to die", STOP_LIMIT, || process.shell.try_wait().ok().flatten());
    }

    fn home(&self) -> &TempDir {
        self.home.as_ref().expect("LATENTD_TEST_BROKERS is not ours to stop: unset it")
    }
}

/// `java` with the jars and the options of a small node, about to run `main` in `home`.
fn java(home: &Path, main: &str) -> Command {
    let log4j = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/log4j2.xml");
    let mut command = Command::new("java");
    command
        .current_dir(home)
        .args(JVM)
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .arg("-cp")
        .arg(format!("{}/*", jars::folder().display()))
        .arg(main);
    command
}

/// Two ports that are free now.
pub fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|l| l.local_addr().expect("bound").port())
}

/// Sends a signal to a process that this test run started.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -{name} {pid}");
}

/// Asks again and again, at a pace that costs little, until there is an answer.
///
/// # Panics
///
/// If there is none within `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The build folder of this test run.
pub fn target_folder() -> PathBuf {
    // The test binary lies in target/<profile>/deps.
    let exe = std::env::current_exe().expect("a path of its own");
    exe.ancestors().nth(3).expect("target/<profile>/deps").to_path_buf()
}
