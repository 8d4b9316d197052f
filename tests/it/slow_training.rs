//! Training that takes longer than a session of the consumer group.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use latentd::config::Settings;
use latentd::daemon::{Options, Shutdown, run_on_kafka};
use latentd::model::{InPlace, Refresh, Refreshed, Running, Started, Trainer, Workspace};

use crate::broker::process::{create_outputs, settings};
use crate::broker::{shared, wait_for};

const LIMIT: Duration = Duration::from_secs(60);
const ROWS: i64 = 400;
/// Two of them last longer than a session.
const PAUSE_MS: u64 = 4_000;

const STREAM: &str = r#"
    [[stream]]
    name = "press"
    topics = ["in.slow"]
    timestamp = { from = "field", field = "/ts", format = "epoch_ms" }
    step = "1s"
    max_out_of_order = "1s"
    ahead_max = "520w"
    idle_timeout = "1h"
    channel = [{ name = "x" }, { name = "y" }]
    window = { length = 8 }
    model = { hidden = [6], latent = 2, warmup = 300, refresh_steps = 16 }
    alert = { detector = "network" }
"#;

/// Trains at once, and is done `pause_ms` after it was asked for the result.
#[derive(Debug, Default)]
struct Late {
    pause_ms: AtomicU64,
    waits: AtomicU64,
}

#[derive(Debug)]
struct Later {
    late: Arc<Late>,
    done: Box<Refreshed>,
}

#[derive(Debug)]
struct LateTrainer(Arc<Late>);

impl Trainer for LateTrainer {
    fn start(&self, refresh: Refresh, space: &mut Workspace) -> Started {
        match InPlace.start(refresh, space) {
            Started::Done(done) => {
                Started::Running(Box::new(Later { late: Arc::clone(&self.0), done }))
            }
            running => running,
        }
    }
}

impl Running for Later {
    fn finish(self: Box<Self>, _: &mut Workspace) -> Refreshed {
        thread::sleep(Duration::from_millis(self.late.pause_ms.load(Ordering::SeqCst)));
        self.late.waits.fetch_add(1, Ordering::SeqCst);
        *self.done
    }
}

/// Sum of a metric over all label values that have `label`.
fn metric(address: &str, name: &str, label: &str) -> f64 {
    let mut answer = ureq::get(format!("http://{address}/metrics")).call().expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a body");
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The shard waits for the training at every refresh, polls in between, and neither leaves the group
/// nor reads anything twice.
#[test]
fn training_that_outlasts_a_session_costs_time_and_nothing_else() {
    let (broker, name) = (shared(), "slow");
    broker.create_topic("in.slow", 1);
    create_outputs(broker, name);
    let patience =
        r#", rdkafka = { "session.timeout.ms" = 6000, "max.poll.interval.ms" = 6000 } }"#;
    let text = settings(broker, name, STREAM);
    let text = text.replacen(r#""earliest" }"#, &format!(r#""earliest"{patience}"#), 1);
    let settings =
        Settings::from_text(&text, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
    let late = Arc::new(Late::default());
    late.pause_ms.store(PAUSE_MS, Ordering::SeqCst);
    let (listening, address) = mpsc::channel();
    let trainer: Arc<dyn Trainer> = Arc::new(LateTrainer(Arc::clone(&late)));
    let options =
        Options { trainer: Some(trainer), listening: Some(listening), ..Options::default() };
    let stop = Shutdown::new();
    let asked = stop.clone();
    let daemon = thread::spawn(move || run_on_kafka(&settings, options, &asked));
    let address = address.recv_timeout(LIMIT).expect("it listens").to_string();
    let record = |i: i64| {
        let load = (i as f64 / 30.0).sin();
        format!(r#"{{"ts":{},"x":{load},"y":{}}}"#, 1_767_225_600_000 + 1_000 * i, -load)
    };
    let records: Vec<String> = (0..ROWS).map(record).collect();
    broker.produce("in.slow", 0, records.iter().map(|record| ("press-07", record.as_bytes())));
    wait_for("two sessions of waiting", 3 * LIMIT, || {
        (late.waits.load(Ordering::SeqCst) >= 4).then_some(())
    });
    assert_eq!(metric(&address, "latentd_rebalances_total", r#"outcome="revoked""#), 0.0);
    late.pause_ms.store(0, Ordering::SeqCst);
    wait_for("the rest", LIMIT, || (broker.committed(name, "in.slow", 0) == ROWS).then_some(()));
    stop.request();
    daemon.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"));
    // The last two rows are open, and seven come before the first window.
    let windows = usize::try_from(ROWS).expect("positive") - 9;
    let scored = broker.read_until("features.slow", LIMIT, |seen| seen.len() >= windows);
    assert_eq!(scored.len(), windows, "each row once");
}
