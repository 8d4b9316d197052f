//! Starts the parts, watches them, puts them away.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::intake::{DeadLetters, Intake};
use super::pipeline::{Pace, Pipeline};
use super::shutdown::watch_signals;
use super::stream::streams_of;
use super::supervise::{Heartbeat, Supervisor};
use super::{Clock, DaemonError, RunReport, Shutdown};
use crate::config::Settings;
use crate::io::{KafkaLog, Log, version_text};
use crate::telemetry::{Build, Metrics};
use crate::web::{self, App, NotReady, SharedStatus, Status};

/// HTTP answers a few scrapers; the work is done elsewhere.
const HTTP_THREADS: usize = 2;
/// How long open HTTP answers may take at the end.
const HTTP_STOP_MAX: Duration = Duration::from_millis(500);
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
    /// Told the HTTP address once it answers.
    pub listening: Option<mpsc::Sender<SocketAddr>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            signals: false,
            clock: Clock::system(),
            retry_first: Duration::from_millis(100),
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
    let log = KafkaLog::open(&settings.kafka, &topics).map_err(DaemonError::Connect)?;
    run(settings, options, log, shutdown)
}

/// Runs the daemon on `log` until `shutdown` is requested or a fault ends it.
///
/// The pipeline has a thread of its own; the calling thread watches it.
///
/// # Errors
///
/// [`DaemonError`]. Whatever it is, positions are not ahead of acknowledged outputs.
pub fn run<L: Log + Send + 'static>(
    settings: &Settings,
    options: Options,
    log: L,
    shutdown: &Shutdown,
) -> Result<RunReport, DaemonError> {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry)?;
    metrics.set_build(Build { version: VERSION, kafka_client: &version_text() });
    let status = SharedStatus::new(Status {
        version: VERSION.to_owned(),
        not_ready: Some(NotReady::default()),
        stalled: None,
        streams: Vec::new(),
    });
    let dlq = DeadLetters {
        topic: settings.topics.dlq.clone(),
        bytes_max: settings.kafka.message_bytes_max,
    };
    let intake = Intake::new(streams_of(settings)?, dlq, metrics.clone())?;
    let heartbeat = Heartbeat::default();
    let pipeline = Pipeline {
        log,
        intake,
        pace: Pace {
            records_max: settings.kafka.batch_records_max,
            wait: settings.kafka.batch_wait.to_duration(),
            retry_first: options.retry_first,
        },
        clock: options.clock.clone(),
        shutdown: shutdown.clone(),
        metrics,
        status: status.clone(),
        heartbeat: heartbeat.clone(),
        report: RunReport::default(),
        ready: false,
        upkeep_at: Duration::ZERO,
    };
    let app = App { status: status.clone(), registry };
    let http = start_http(&settings.http.listen, app, &options, shutdown)?;
    let supervisor =
        Supervisor { clock: options.clock, shutdown: shutdown.clone(), heartbeat, status };
    let result = run_pipeline(pipeline, &supervisor);
    shutdown.request();
    http.shutdown_timeout(HTTP_STOP_MAX);
    result
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

fn run_pipeline<L: Log + Send + 'static>(
    pipeline: Pipeline<L>,
    supervisor: &Supervisor,
) -> Result<RunReport, DaemonError> {
    let (tell, result) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || {
            // The receiver is gone only if the stop took too long, and then nobody asks.
            let _ = tell.send(pipeline.run());
        })
        .map_err(DaemonError::Thread)?;
    match supervisor.watch(&result)? {
        Some(report) => Ok(report),
        None => Err(DaemonError::Panicked { message: panic_text(thread) }),
    }
}

fn panic_text(thread: thread::JoinHandle<()>) -> String {
    let Err(panic) = thread.join() else { return "no text".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "no text".to_owned())
}
