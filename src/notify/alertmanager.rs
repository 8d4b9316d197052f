//! Threads that keep Alertmanagers informed, and the handle by which the pipeline informs them.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::book::{Book, Frame, Message};
use super::courier::{Carried, Courier, Pauses};
use super::{AlertingParams, NotifyError, SinkKind, SinkParams};
use crate::record::{AlertRecord, EventTime, OpenAlert};
use crate::telemetry::{AlertMetrics, PartitionLabels, SinkMetrics};

const PATH: &str = "/api/v2/alerts";
/// Most alerts of one request.
const REQUEST_ALERTS_MAX: usize = 500;

/// The daemon's clocks, as functions: there is one clock, and it is not here.
#[derive(Clone)]
pub struct Clocks {
    /// Time of day.
    pub wall: Arc<dyn Fn() -> EventTime + Send + Sync>,
    /// Time since some fixed instant; never goes back.
    pub steady: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clocks").field("wall", &(self.wall)()).finish_non_exhaustive()
    }
}

/// Tells all Alertmanagers. Clones are one notifier.
#[derive(Debug, Clone, Default)]
pub struct Notifier(Arc<Vec<Sink>>);

#[derive(Debug)]
struct Sink {
    params: SinkParams,
    shared: Arc<Shared>,
    metrics: SinkMetrics,
    ended: Mutex<Receiver<()>>,
}

/// What the pipeline writes and the thread reads.
#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug)]
struct Desk {
    book: Book,
    stopping: bool,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier {
    /// Starts a thread for each Alertmanager of `params`.
    ///
    /// # Errors
    ///
    /// [`NotifyError`].
    pub fn start(
        params: &AlertingParams,
        metrics: &AlertMetrics,
        clocks: &Clocks,
    ) -> Result<Self, NotifyError> {
        let sinks = params.of_kind(SinkKind::Alertmanager);
        let sinks: Result<Vec<Sink>, NotifyError> =
            sinks.map(|sink| start(params, sink, metrics.sink(&sink.name), clocks)).collect();
        Ok(Self(Arc::new(sinks?)))
    }

    /// Whether there is anybody to tell.
    pub fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes changes of alerts whose transaction has committed.
    pub fn committed(
        &self,
        of: PartitionLabels<'_>,
        records: &[AlertRecord],
        channels: &[impl AsRef<str>],
    ) {
        if records.is_empty() {
            return;
        }
        self.tell(of, |sink, book| {
            let refused = records.iter().filter(|record| !book.take(of, record, channels)).count();
            sink.metrics.dropped.inc_by(refused as u64);
        });
    }

    /// Takes the alerts that are open in the committed state of a partition that came.
    pub fn restored(&self, of: PartitionLabels<'_>, open: &[OpenAlert]) {
        self.tell(of, |sink, book| sink.metrics.dropped.inc_by(book.restore(of, open)));
    }

    /// Falls silent about a partition that went.
    pub fn left(&self, of: PartitionLabels<'_>) {
        self.tell(of, |_, book| book.forget(of));
    }

    fn tell(&self, of: PartitionLabels<'_>, change: impl Fn(&Sink, &mut Book)) {
        for sink in self.0.iter().filter(|sink| sink.params.wants(of.stream)) {
            let mut desk = sink.shared.desk();
            change(sink, &mut desk.book);
            sink.metrics.pending.set(desk.book.news() as f64);
            drop(desk);
            sink.shared.changed.notify_one();
        }
    }

    /// Lets each sink try once more to tell what is new, and waits for all of them at most `limit`.
    pub fn stop(&self, limit: Duration) {
        let began = Instant::now();
        for sink in self.0.iter() {
            sink.shared.desk().stopping = true;
            sink.shared.changed.notify_one();
        }
        for sink in self.0.iter() {
            let ended = sink.ended.lock().unwrap_or_else(PoisonError::into_inner);
            // The sender is dropped, not used: either end of the wait is fine.
            let _ = ended.recv_timeout(limit.saturating_sub(began.elapsed()));
        }
    }
}

fn start(
    params: &AlertingParams,
    sink: &SinkParams,
    metrics: SinkMetrics,
    clocks: &Clocks,
) -> Result<Sink, NotifyError> {
    let courier = Courier::new(sink, PATH, params.timeout_of(sink).to_duration())?;
    let resend = params.resend_of(sink);
    let frame = Frame {
        labels: sink.labels.clone(),
        external_url: params.external_url.clone(),
        runbook_url: params.runbook_url.clone(),
        resend,
    };
    let desk = Desk { book: Book::new(frame, params.alerts_max), stopping: false };
    let shared = Arc::new(Shared { desk: Mutex::new(desk), changed: Condvar::new() });
    let (on_end, ended) = channel();
    let seed = (clocks.wall)().as_millis().unsigned_abs() ^ u64::from(std::process::id());
    let teller = Teller {
        name: sink.name.clone(),
        shared: Arc::clone(&shared),
        courier,
        metrics: metrics.clone(),
        clocks: clocks.clone(),
        resend: resend.to_duration(),
        pauses: Pauses::new(seed),
        _on_end: on_end,
    };
    let thread = thread::Builder::new().name(format!("sink-{}", sink.name));
    let no_thread = |source| NotifyError::Thread { sink: sink.name.clone(), source };
    thread.spawn(move || teller.run()).map_err(no_thread)?;
    Ok(Sink { params: sink.clone(), shared, metrics, ended: Mutex::new(ended) })
}

/// The thread of one Alertmanager.
struct Teller {
    name: String,
    shared: Arc<Shared>,
    courier: Courier,
    metrics: SinkMetrics,
    clocks: Clocks,
    resend: Duration,
    pauses: Pauses,
    /// Dropped with the thread.
    _on_end: Sender<()>,
}

impl Teller {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let (mut resend_at, mut not_before) = (Duration::ZERO, Duration::ZERO);
        let mut desk = shared.desk();
        while !desk.stopping {
            let now = (self.clocks.steady)();
            let all = now >= resend_at;
            if now >= not_before && (all || desk.book.news() > 0) {
                let messages = self.messages(&desk, all);
                drop(desk);
                if self.post(messages) {
                    self.pauses.reset();
                    resend_at = if all { now + self.resend } else { resend_at };
                } else {
                    not_before = (self.clocks.steady)() + self.pauses.after_failure();
                }
                desk = shared.desk();
                continue;
            }
            let next = if desk.book.news() > 0 { not_before } else { resend_at.max(not_before) };
            let wait = shared.changed.wait_timeout(desk, next.saturating_sub(now));
            desk = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let last = self.messages(&desk, false);
        drop(desk);
        self.post(last);
    }

    fn messages(&self, desk: &Desk, all: bool) -> Vec<Message> {
        desk.book.messages((self.clocks.wall)(), all, REQUEST_ALERTS_MAX)
    }

    /// Posts until one is not taken; whether all were dealt with.
    fn post(&mut self, messages: Vec<Message>) -> bool {
        let mut left: usize = messages.iter().map(|message| message.alerts.len()).sum();
        for message in messages {
            let alerts = message.alerts.len() as u64;
            let body = serde_json::to_vec(&message.alerts).unwrap_or_default();
            // Ends that another partition contradicts leave nothing to say.
            let carried = if alerts == 0 { Carried::Ok } else { self.courier.post(&body, &[]) };
            match carried {
                Carried::Ok => self.metrics.ok.inc_by(alerts),
                Carried::Refused(why) => {
                    tracing::error!(sink = self.name, alerts, "alerts refused: {why}");
                    self.metrics.refused.inc_by(alerts);
                }
                Carried::Again(why) => {
                    tracing::warn!(sink = self.name, alerts, "alerts not taken: {why}");
                    self.metrics.failed.inc_by(alerts);
                    // What is told again is no news, but waits as well: it ends where it is not told.
                    let news = self.shared.desk().book.news();
                    self.metrics.pending.set(news.max(left) as f64);
                    return false;
                }
            }
            left -= message.alerts.len();
            let mut desk = self.shared.desk();
            desk.book.taken(message);
            self.metrics.pending.set(desk.book.news() as f64);
        }
        true
    }
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
