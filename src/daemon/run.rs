//! Starts the parts, watches them, puts them away.

use std::any::Any;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::intake::{DeadLetters, Intake};
use super::limits;
use super::pipeline::{Pace, Pipeline};
use super::publish::Board;
use super::restore::Policy;
use super::shutdown::watch_signals;
use super::stream::{Stream, streams_of};
use super::supervise::{Heartbeat, Supervisor};
use super::webhooks::Webhooks;
use super::{Clock, DaemonError, RunReport, Shutdown};
use crate::config::Settings;
use crate::io::{KafkaLog, Log, version_text};
use crate::model::Trainer;
use crate::notify::{Clocks, Notifier};
use crate::pool::TrainingPool;
use crate::telemetry::{AlertMetrics, Build, Metrics};
use crate::web::{self, App, NotReady, SharedStatus, Status};

/// HTTP answers a few scrapers; the work is done elsewhere.
const HTTP_THREADS: usize = 2;
/// How long open HTTP answers may take at the end.
const HTTP_STOP_MAX: Duration = Duration::from_millis(500);
/// How long a sink may take for its last words.
const SINK_STOP_MAX: Duration = Duration::from_secs(2);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a run needs to know beside the settings.
#[derive(Debug)]
pub struct Options {
    /// Whether SIGTERM and SIGINT ask for the stop.
    pub signals: bool,
    /// Clock.
    pub clock: Clock,
    /// First pause after a failed delivery.
    pub retry_first: Duration,
    /// Streams whose stored state is dropped.
    pub reset_state: BTreeSet<String>,
    /// Told the HTTP address once it answers.
    pub listening: Option<mpsc::Sender<SocketAddr>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            signals: false,
            clock: Clock::system(),
            retry_first: Duration::from_millis(100),
            reset_state: BTreeSet::new(),
            listening: None,
        }
    }
}

/// Runs the daemon on the brokers of its settings.
///
/// # Errors
///
/// [`DaemonError::Connect`] if the client refuses its settings, then as [`run`].
pub fn run_on_kafka(
    settings: &Settings,
    options: Options,
    shutdown: &Shutdown,
) -> Result<RunReport, DaemonError> {
    let topics = settings.input_topics();
    let open = |worker| KafkaLog::open(&settings.kafka, worker, &topics);
    let logs: Result<Vec<_>, _> = (0..settings.kafka.workers).map(open).collect();
    run_with(settings, options, logs.map_err(DaemonError::Connect)?, shutdown, Webhooks::start)
}

/// Runs the daemon until `shutdown` is requested or a fault ends it, with a worker for each log.
///
/// A worker has a thread of its own; the calling thread watches them.
///
/// # Errors
///
/// [`DaemonError`]. Whatever it is, positions are not ahead of acknowledged outputs.
pub fn run<L: Log + Send + 'static>(
    settings: &Settings,
    options: Options,
    logs: Vec<L>,
    shutdown: &Shutdown,
) -> Result<RunReport, DaemonError> {
    // Webhooks read the alerts topic of a broker, which there may not be.
    run_with(settings, options, logs, shutdown, |_, _, _, _| Ok(Webhooks::default()))
}

fn run_with<L: Log + Send + 'static>(
    settings: &Settings,
    options: Options,
    logs: Vec<L>,
    shutdown: &Shutdown,
    webhooks: impl FnOnce(&Settings, &AlertMetrics, &Clock, &Shutdown) -> Result<Webhooks, DaemonError>,
) -> Result<RunReport, DaemonError> {
    let registry = Registry::new();
    let metrics = Metrics::register_capped(&registry, settings.metrics.series_max)?;
    describe_process(&metrics, &options.clock);
    let status = SharedStatus::new(Status {
        version: VERSION.to_owned(),
        not_ready: Some(NotReady::default()),
        stalled: None,
        streams: Vec::new(),
    });
    let threads = settings.training.threads;
    let pool = TrainingPool::new(threads, metrics.training.clone()).map_err(DaemonError::Thread)?;
    let trainer: Arc<dyn Trainer> = Arc::new(pool);
    let notifier = notifier(settings, &metrics, &options.clock)?;
    let boards = Board::for_workers(logs.len(), &status);
    let mut pipelines = Vec::with_capacity(logs.len());
    for (log, board) in logs.into_iter().zip(boards) {
        let streams = streams_of(settings, &trainer)?;
        let parts = Parts { board, metrics: &metrics, notifier: notifier.clone() };
        pipelines.push(pipeline(settings, &options, log, streams, parts, shutdown)?);
    }
    let app = App { status: status.clone(), registry };
    let http = start_http(&settings.http.listen, app, &options, shutdown)?;
    let webhooks = webhooks(settings, &metrics.alerts, &options.clock, shutdown)?;
    let heartbeats = pipelines.iter().map(|pipeline| pipeline.heartbeat.clone()).collect();
    let supervisor =
        Supervisor { clock: options.clock, shutdown: shutdown.clone(), heartbeats, status };
    let result = run_pipelines(pipelines, &supervisor);
    shutdown.request();
    notifier.stop(SINK_STOP_MAX);
    webhooks.wait(SINK_STOP_MAX);
    http.shutdown_timeout(HTTP_STOP_MAX);
    result
}

/// Says what was built, what it may use, and that its configuration is loaded.
fn describe_process(metrics: &Metrics, clock: &Clock) {
    let kafka_client = version_text();
    metrics.process.set_build(Build {
        version: VERSION,
        revision: env!("LATENTD_REVISION"),
        rustc: env!("LATENTD_RUSTC"),
        features: if cfg!(feature = "failpoints") { "failpoints" } else { "none" },
        kafka_client: &kafka_client,
    });
    metrics.process.set_limits(limits::cores(), limits::memory_bytes(Path::new("/")));
    metrics.process.config_loaded(clock.wall().as_secs_f64());
}

fn notifier(
    settings: &Settings,
    metrics: &Metrics,
    clock: &Clock,
) -> Result<Notifier, DaemonError> {
    let (wall, steady) = (clock.clone(), clock.clone());
    let clocks =
        Clocks { wall: Arc::new(move || wall.wall()), steady: Arc::new(move || steady.steady()) };
    Notifier::start(&settings.alerting, &metrics.alerts, &clocks).map_err(DaemonError::Sink)
}

/// What the pipelines share.
struct Parts<'a> {
    board: Board,
    metrics: &'a Metrics,
    notifier: Notifier,
}

fn pipeline<L: Log>(
    settings: &Settings,
    options: &Options,
    log: L,
    streams: Vec<Stream>,
    Parts { board, metrics, notifier }: Parts<'_>,
    shutdown: &Shutdown,
) -> Result<Pipeline<L>, DaemonError> {
    let dlq = DeadLetters {
        topic: settings.topics.dlq.clone(),
        bytes_max: settings.kafka.message_bytes_max,
    };
    Ok(Pipeline {
        log,
        intake: Intake::new(streams, dlq, metrics.clone(), notifier)?,
        pace: Pace {
            records_max: settings.kafka.batch_records_max,
            wait: settings.kafka.batch_wait.to_duration(),
            snapshot_interval: settings.state.snapshot_interval.to_duration(),
            retry_first: options.retry_first,
        },
        policy: Policy {
            reset: settings.kafka.offset_reset,
            missing: settings.state.on_missing_offset,
            dropped: options.reset_state.clone(),
        },
        inbox: [settings.topics.feedback.clone(), settings.topics.control.clone()],
        clock: options.clock.clone(),
        shutdown: shutdown.clone(),
        metrics: metrics.clone(),
        board,
        heartbeat: Heartbeat::default(),
        report: RunReport::default(),
        ready: false,
        upkeep_at: Duration::ZERO,
    })
}

/// Binds the address before anything is read: an address in use is told at once.
fn start_http(
    address: &str,
    app: App,
    options: &Options,
    shutdown: &Shutdown,
) -> Result<Runtime, DaemonError> {
    let refused = |source| DaemonError::Listen { address: address.to_owned(), source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(DaemonError::Thread)?;
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    tracing::info!("http listening on {bound}");
    if let Some(listening) = &options.listening {
        // A caller that no longer wants to know is no fault.
        let _ = listening.send(bound);
    }
    let stop = shutdown.clone();
    runtime.spawn(async move {
        if let Err(error) = web::serve(listener, app, stop.clone().requested()).await {
            tracing::error!("http: {error}");
            stop.request();
        }
    });
    if options.signals {
        let stop = shutdown.clone();
        runtime.spawn(async move {
            if let Err(error) = watch_signals(stop).await {
                tracing::warn!("signals cannot be caught: {error}");
            }
        });
    }
    Ok(runtime)
}

fn run_pipelines<L: Log + Send + 'static>(
    pipelines: Vec<Pipeline<L>>,
    supervisor: &Supervisor,
) -> Result<RunReport, DaemonError> {
    let (tell, results) = mpsc::channel();
    for (worker, pipeline) in pipelines.into_iter().enumerate() {
        let tell = tell.clone();
        let work = move || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| pipeline.run()));
            let result = result.unwrap_or_else(|panic| {
                Err(DaemonError::Panicked { message: panic_text(&*panic) })
            });
            // The receiver is gone only if the stop took too long, and then nobody asks.
            let _ = tell.send(result);
        };
        let thread = thread::Builder::new().name(format!("worker-{worker}"));
        thread.spawn(work).map_err(DaemonError::Thread)?;
    }
    drop(tell);
    supervisor.watch(&results)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "no text".to_owned())
}
