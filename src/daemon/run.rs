//! Starts the parts, watches them, puts them away.

use std::any::Any;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use prometheus::Registry;

use super::intake::{DeadLetters, Intake};
use super::pipeline::{Pace, Pipeline};
use super::publish::Board;
use super::restore::Policy;
use super::stream::{Stream, streams_of};
use super::supervise::{Heartbeat, Supervisor};
use super::{Clock, DaemonError, RunReport, Shutdown, http};
use crate::config::Settings;
use crate::io::{KafkaLog, Log, version_text};
use crate::model::Trainer;
use crate::pool::TrainingPool;
use crate::telemetry::{Build, Metrics};
use crate::web::{Actions, App, History, HistoryParams, NotReady, SharedStatus, Status};

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
    /// Streams whose stored state is dropped.
    pub reset_state: BTreeSet<String>,
    /// Told the HTTP address once it answers.
    pub listening: Option<mpsc::Sender<SocketAddr>>,
    /// What HTTP requests may set in motion.
    pub actions: Actions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            signals: false,
            clock: Clock::system(),
            retry_first: Duration::from_millis(100),
            reset_state: BTreeSet::new(),
            listening: None,
            actions: Actions::default(),
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
    mut options: Options,
    shutdown: &Shutdown,
) -> Result<RunReport, DaemonError> {
    let write = || http::writer(&settings.kafka, &settings.topics);
    options.actions.write.get_or_insert_with(write);
    let topics = settings.input_topics();
    let open = |worker| KafkaLog::open(&settings.kafka, worker, &topics);
    let logs: Result<Vec<_>, _> = (0..settings.kafka.workers).map(open).collect();
    run(settings, options, logs.map_err(DaemonError::Connect)?, shutdown)
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
    let registry = Registry::new();
    let metrics = Metrics::register(&registry)?;
    metrics.set_build(Build { version: VERSION, kafka_client: &version_text() });
    let status = SharedStatus::new(Status {
        version: VERSION.to_owned(),
        not_ready: Some(NotReady::default()),
        stalled: None,
        streams: Vec::new(),
    });
    let threads = settings.training.threads;
    let pool = TrainingPool::new(threads, metrics.training.clone()).map_err(DaemonError::Thread)?;
    let trainer: Arc<dyn Trainer> = Arc::new(pool);
    let terms = http::Terms::of(settings)?;
    let history = history(settings);
    let boards = Board::for_workers(logs.len(), &status, &history);
    let mut pipelines = Vec::with_capacity(logs.len());
    for (log, board) in logs.into_iter().zip(boards) {
        let streams = streams_of(settings, &trainer)?;
        let place = (board, history.clone());
        pipelines.push(pipeline(settings, &options, log, streams, place, &metrics, shutdown)?);
    }
    let (access, limits, actions) = (terms.access.clone(), terms.limits, http::actions(&options));
    let app = App { status: status.clone(), history, registry, actions, access, limits };
    let http = http::start(terms, app, &options, shutdown)?;
    let heartbeats = pipelines.iter().map(|pipeline| pipeline.heartbeat.clone()).collect();
    let supervisor =
        Supervisor { clock: options.clock, shutdown: shutdown.clone(), heartbeats, status };
    let result = run_pipelines(pipelines, &supervisor);
    shutdown.request();
    http.shutdown_timeout(HTTP_STOP_MAX);
    result
}

/// What is kept for the charts.
fn history(settings: &Settings) -> History {
    let (rows, bytes_max) = (settings.http.history_rows, settings.http.history_bytes_max);
    let channels = settings.stream.iter().map(|stream| stream.channel.len()).collect();
    History::new(HistoryParams { rows, bytes_max }, channels)
}

fn pipeline<L: Log>(
    settings: &Settings,
    options: &Options,
    log: L,
    streams: Vec<Stream>,
    (board, history): (Board, History),
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<Pipeline<L>, DaemonError> {
    let dlq = DeadLetters {
        topic: settings.topics.dlq.clone(),
        bytes_max: settings.kafka.message_bytes_max,
    };
    Ok(Pipeline {
        log,
        intake: Intake::new(streams, dlq, metrics.clone(), history)?,
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
