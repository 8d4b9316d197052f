//! Starts the parts, watches them, puts them away.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use prometheus::Registry;

use super::intake::{DeadLetters, Intake};
use super::limits;
use super::pipeline::{Pace, Pipeline};
use super::publish::Board;
use super::reload::{Loader, Reload};
use super::restore::Policy;
use super::stream::streams_of;
use super::supervise::{Heartbeat, Supervisor};
use super::webhooks::Webhooks;
use super::{Clock, DaemonError, RunReport, Shutdown, http};
use crate::config::Settings;
use crate::io::{KafkaLog, Log, version_text};
use crate::model::Trainer;
use crate::notify::{Clocks, Notifier};
use crate::pool::TrainingPool;
use crate::telemetry::{AlertMetrics, Build, Metrics};
use crate::web::{Actions, App, History, HistoryParams, NotReady, SharedStatus, Status};

/// How long open HTTP answers may take at the end.
const HTTP_STOP_MAX: Duration = Duration::from_millis(500);
/// How long a sink may take for its last words.
const SINK_STOP_MAX: Duration = Duration::from_secs(2);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a run needs to know beside the settings.
pub struct Options {
    /// Whether SIGTERM and SIGINT ask for the stop, and SIGHUP for a reload.
    pub signals: bool,
    /// Reads the settings again; without it they cannot change.
    pub load: Option<Loader>,
    /// Clock.
    pub clock: Clock,
    /// Who trains; without it the threads of `[training]`.
    pub trainer: Option<Arc<dyn Trainer>>,
    /// First pause after a failed delivery.
    pub retry_first: Duration,
    /// Streams whose stored state is dropped.
    pub reset_state: BTreeSet<String>,
    /// Told the HTTP address once it answers.
    pub listening: Option<mpsc::Sender<SocketAddr>>,
    /// What HTTP requests may set in motion.
    pub actions: Actions,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signals, clock, retry_first, reset_state, .. } = self;
        let mut shown = f.debug_struct("Options");
        shown.field("signals", signals).field("clock", clock).field("retry_first", retry_first);
        shown.field("reset_state", reset_state).finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            signals: false,
            load: None,
            clock: Clock::system(),
            trainer: None,
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
    let write = || http::writer(settings);
    options.actions.write.get_or_insert_with(write);
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
    describe_process(&metrics);
    metrics.state.set_interval(settings.state.snapshot_interval.to_duration());
    let status = SharedStatus::new(beginning());
    let trainer = trainer(settings, &options, &metrics)?;
    let terms = http::Terms::of(settings)?;
    let history = history(settings);
    let notifier = notifier(settings, &metrics, &options.clock)?;
    let boards = Board::for_workers(logs.len(), &status, &history);
    let (load, clock) = (options.load.clone(), options.clock.clone());
    let renew = terms.renewal(settings);
    let reload = Reload::new(settings, load, renew, (clock, metrics.clone()));
    let shared = Shared {
        trainer: &trainer,
        reload: &reload,
        metrics: &metrics,
        notifier: &notifier,
        history: &history,
        shutdown,
    };
    let pipelines = logs.into_iter().zip(boards);
    let pipelines = pipelines.map(|(log, board)| pipeline(settings, &options, log, board, shared));
    let pipelines = pipelines.collect::<Result<Vec<_>, _>>()?;
    let (access, limits) = (terms.access.clone(), terms.limits);
    let actions = http::actions(&options, &reload);
    let (shown, kept) = (status.clone(), history.clone());
    let app = App { status: shown, history: kept, registry, actions, access, limits };
    let http = http::start(terms, app, &options, &reload, shutdown)?;
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

/// What is shown before anything has happened.
fn beginning() -> Status {
    Status {
        version: VERSION.to_owned(),
        not_ready: Some(NotReady::default()),
        stalled: None,
        streams: Vec::new(),
    }
}

fn trainer(
    settings: &Settings,
    options: &Options,
    metrics: &Metrics,
) -> Result<Arc<dyn Trainer>, DaemonError> {
    if let Some(trainer) = &options.trainer {
        return Ok(Arc::clone(trainer));
    }
    let pool = TrainingPool::new(settings.training.threads, metrics.training.clone());
    Ok(Arc::new(pool.map_err(DaemonError::Thread)?))
}

/// What is kept for the charts.
fn history(settings: &Settings) -> History {
    let (rows, bytes_max) = (settings.http.history_rows, settings.http.history_bytes_max);
    let channels = settings.stream.iter().map(|stream| stream.channel.len()).collect();
    History::new(HistoryParams { rows, bytes_max }, channels)
}

/// Says what was built and what it may use.
fn describe_process(metrics: &Metrics) {
    let kafka_client = version_text();
    metrics.process.set_build(Build {
        version: VERSION,
        revision: env!("LATENTD_REVISION"),
        rustc: env!("LATENTD_RUSTC"),
        features: if cfg!(feature = "failpoints") { "failpoints" } else { "none" },
        kafka_client: &kafka_client,
    });
    metrics.process.set_limits(limits::cores(), limits::memory_bytes(Path::new("/")));
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
#[derive(Clone, Copy)]
struct Shared<'a> {
    trainer: &'a Arc<dyn Trainer>,
    reload: &'a Reload,
    metrics: &'a Metrics,
    notifier: &'a Notifier,
    history: &'a History,
    shutdown: &'a Shutdown,
}

fn pipeline<L: Log>(
    settings: &Settings,
    options: &Options,
    log: L,
    board: Board,
    Shared { trainer, reload, metrics, notifier, history, shutdown }: Shared<'_>,
) -> Result<Pipeline<L>, DaemonError> {
    let streams = streams_of(settings, trainer)?;
    let dlq = DeadLetters {
        topic: settings.topics.dlq.clone(),
        bytes_max: settings.kafka.message_bytes_max,
    };
    Ok(Pipeline {
        log,
        intake: Intake::new(streams, dlq, metrics.clone(), (notifier.clone(), history.clone()))?,
        pace: Pace {
            records_max: settings.kafka.batch_records_max,
            wait: settings.kafka.batch_wait.to_duration(),
            snapshot_interval: settings.state.snapshot_interval.to_duration(),
            snapshot_rungs: settings.state.rungs(),
            retry_first: options.retry_first,
        },
        policy: Policy {
            reset: settings.kafka.offset_reset,
            missing: settings.state.on_missing_offset,
            dropped: options.reset_state.clone(),
            stored: BTreeSet::new(),
        },
        inbox: [settings.topics.feedback.clone(), settings.topics.control.clone()],
        clock: options.clock.clone(),
        shutdown: shutdown.clone(),
        trainer: Arc::clone(trainer),
        reload: reload.clone(),
        generation: 0,
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
