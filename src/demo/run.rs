//! Starts broker, daemon, simulator and reader, watches them, and tells what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar};

use super::accuracy::Demand;
use super::broker::Broker;
use super::collector::{self, Collected, Collector};
use super::producer::{self, Flow, Producer, topic};
use super::progress::{Committed, bar};
use super::summary::Ending;
use super::verdict::{Facts, summarise};
use super::{DemoArgs, DemoError, settings};
use crate::config::Settings;
use crate::daemon::{self, DaemonError, Options, RunReport, Shutdown};
use crate::io::TopicNames;
use crate::record::Millis;
use crate::sim::{SimParams, Simulation, Stream};
use crate::telemetry::say;

const WEEK: i64 = 7 * 24 * 3_600_000;
/// Weeks that are simulated per minute of wall time: about what one core keeps up with.
const WEEKS_PER_MINUTE: f64 = 40.0;
/// Shops need two weeks before their forecasts can be judged, so less shows nothing.
const WEEKS_MIN: i64 = 4;
/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(25);
/// Share of the duration, and most time, that is kept for processing what is in flight.
const DRAIN: (f64, Duration) = (0.1, Duration::from_secs(3));
/// The daemon binds its address before anything else.
const LISTEN_MAX: Duration = Duration::from_secs(10);

/// Runs the demo to its end and prints its summary.
///
/// # Errors
///
/// [`DemoError`] if a part could not be started or failed on the way.
pub fn run(args: DemoArgs) -> Result<(), DemoError> {
    let started = Instant::now();
    let params = sim_params(args.duration);
    let simulation = Simulation::new(args.seed, params.clone());
    let (faults, total) = (simulation.faults().to_vec(), simulation.records_total());
    let inputs = Stream::ALL.map(|s| (topic(s), producer::PARTITIONS));
    let mut settings = settings::build(&args.http, args.seed)?;
    let broker = start_broker(&inputs, &settings.topics)?;
    settings.kafka.brokers = vec![broker.servers().to_owned()];
    let committed = Committed::new(broker.servers(), &settings.kafka.group_id, &inputs)?;
    let parts = Parts::start(&broker, &settings, &params, simulation)?;
    parts.greet(&broker, &settings);
    let watch = Watch { started, duration: args.duration, bar: bar(total) };
    let (ending, working) = watch.until_end(&parts, &committed, &params, total);
    let outcome = parts.stop()?;
    let processed = committed.records().unwrap_or(0);
    let facts = Facts {
        ending,
        seed: args.seed,
        wall: started.elapsed(),
        working,
        produced: outcome.produced,
        processed,
        total,
        report: outcome.report,
    };
    let summary =
        summarise(&facts, &settings, &params, &faults, outcome.collected, &outcome.demand);
    say(&format!("\n{summary}"));
    args.summary.map_or(Ok(()), |path| summary.write(&path))
}

/// As many weeks as fit into the duration.
fn sim_params(duration: Duration) -> SimParams {
    let weeks = (WEEKS_PER_MINUTE * duration.as_secs_f64() / 60.0).round() as i64;
    SimParams { span: Millis::new(weeks.max(WEEKS_MIN) * WEEK), ..SimParams::default() }
}

fn start_broker(inputs: &[(&str, i32)], topics: &TopicNames) -> Result<Broker, DemoError> {
    let outputs = [
        &topics.alerts,
        &topics.alerts_current,
        &topics.features,
        &topics.forecasts,
        &topics.models,
        &topics.dlq,
    ];
    let outputs = outputs.map(|topic| (topic.as_str(), collector::PARTITIONS));
    // This broker makes no topics on request.
    let states = Stream::ALL.map(|stream| topics.state_of(stream.name()));
    let states: Vec<_> = states.iter().map(|s| (s.as_str(), producer::PARTITIONS)).collect();
    Broker::start(&[inputs, &outputs, &states].concat())
}

/// The threads of the demo.
struct Parts {
    flow: Arc<Flow>,
    alerts: Arc<AtomicU64>,
    stop_daemon: Shutdown,
    stop_producer: Shutdown,
    daemon_stopped: Shutdown,
    listening: Receiver<SocketAddr>,
    daemon: JoinHandle<Result<RunReport, DaemonError>>,
    producer: JoinHandle<Result<Demand, DemoError>>,
    collector: JoinHandle<Collected>,
}

/// What the threads brought home.
struct Outcome {
    produced: u64,
    report: RunReport,
    demand: Demand,
    collected: Collected,
}

impl Parts {
    fn start(
        broker: &Broker,
        settings: &Settings,
        params: &SimParams,
        simulation: Simulation,
    ) -> Result<Self, DemoError> {
        let (flow, alerts) = (Arc::<Flow>::default(), Arc::<AtomicU64>::default());
        let [stop_daemon, stop_producer, daemon_stopped] = [(); 3].map(|()| Shutdown::new());
        let grid = (params.start, Millis::new(3_600_000));
        let servers = broker.servers();
        let collector = Collector::new(servers, settings.topics.clone(), grid, alerts.clone())?;
        let producer = Producer::new(servers, flow.clone(), stop_producer.clone())?;
        let (tell, listening) = mpsc::channel();
        let daemon = {
            let (settings, stop) = (settings.clone(), stop_daemon.clone());
            let options = Options { signals: true, listening: Some(tell), ..Options::default() };
            spawn("daemon", move || daemon::run_on_kafka(&settings, options, &stop))?
        };
        let done = daemon_stopped.clone();
        Ok(Self {
            flow,
            alerts,
            stop_daemon,
            stop_producer,
            daemon_stopped,
            listening,
            daemon,
            producer: spawn("producer", move || producer.run(simulation))?,
            collector: spawn("collector", move || collector.run(&done))?,
        })
    }

    /// Says where everything is. Without an address the daemon has failed: `stop` tells why.
    fn greet(&self, broker: &Broker, settings: &Settings) {
        if let Ok(address) = self.listening.recv_timeout(LISTEN_MAX) {
            let (servers, alerts) = (broker.servers(), &settings.topics.alerts);
            say(&format!("latentd demo: page http://{address}/  broker {servers}"));
            say(&format!("look in with: kcat -b {servers} -C -t {alerts} -o beginning"));
        }
    }

    /// Stops what still runs, in the order of the flow, and collects the results.
    fn stop(self) -> Result<Outcome, DemoError> {
        self.stop_producer.request();
        let demand = join("producer", self.producer);
        self.stop_daemon.request();
        let report = join("daemon", self.daemon);
        self.daemon_stopped.request();
        let collected = join("collector", self.collector);
        // A daemon that failed is the cause of whatever failed with it.
        let report = report?.map_err(DemoError::Daemon)?;
        let produced = self.flow.produced.load(Ordering::Relaxed);
        Ok(Outcome { produced, report, demand: demand??, collected: collected? })
    }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, DemoError> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(|e| DemoError::thread(name, e))
}

fn join<T>(name: &'static str, thread: JoinHandle<T>) -> Result<T, DemoError> {
    thread.join().map_err(|_| DemoError::thread(name, "it panicked"))
}

/// Decides when the run is over.
struct Watch {
    started: Instant,
    duration: Duration,
    bar: ProgressBar,
}

impl Watch {
    /// Waits for the end; returns its cause and the time in which records were processed.
    fn until_end(
        &self,
        parts: &Parts,
        committed: &Committed,
        params: &SimParams,
        total: u64,
    ) -> (Ending, Duration) {
        let drain = self.duration.mul_f64(DRAIN.0).min(DRAIN.1);
        let mut working_since = Instant::now();
        let ending = loop {
            let now = self.started.elapsed();
            if parts.stop_daemon.sleep(TICK) || parts.daemon.is_finished() {
                break Ending::Interrupted;
            }
            if let Some(processed) = committed.records() {
                parts.flow.processed.store(processed, Ordering::Relaxed);
                if processed == 0 {
                    working_since = Instant::now();
                }
                self.show(parts, params, total);
            }
            if parts.producer.is_finished() && parts.flow.in_flight() == 0 {
                let whole = parts.flow.produced.load(Ordering::Relaxed) == total;
                break if whole { Ending::SpanConsumed } else { Ending::TimeUp };
            }
            if now >= self.duration {
                break Ending::TimeUp;
            }
            if now + drain >= self.duration {
                parts.stop_producer.request();
            }
        };
        self.bar.finish_and_clear();
        (ending, working_since.elapsed())
    }

    fn show(&self, parts: &Parts, params: &SimParams, total: u64) {
        let processed = parts.flow.processed.load(Ordering::Relaxed);
        let weeks = params.span.get() as f64 / WEEK as f64 * processed as f64 / total as f64;
        let alerts = parts.alerts.load(Ordering::Relaxed);
        self.bar.set_position(processed);
        let rate = HumanCount(self.bar.per_sec() as u64);
        self.bar.set_message(format!("{rate} per s, week {weeks:.1}, {alerts} alerts"));
    }
}
