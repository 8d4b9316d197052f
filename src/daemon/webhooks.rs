//! Threads that hand the alerts topic to webhooks.
//!
//! Each webhook is a consumer group of the alerts topic: it sees committed alerts only, one member
//! of the group speaks for a partition at a time, and a record counts as told when the webhook has
//! taken it. A crash between the two repeats a request, under the same id.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Clock, DaemonError, Shutdown};
use crate::config::Settings;
use crate::io::{Feed, FeedRecord};
use crate::notify::{SinkKind, Webhook, WebhookEvent};
use crate::telemetry::AlertMetrics;

/// Longest wait for a record before the stop is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// After a fault of the broker.
const PAUSE: Duration = Duration::from_secs(1);

/// The running threads.
#[derive(Debug, Default)]
pub(super) struct Webhooks(Vec<Receiver<()>>);

impl Webhooks {
    /// Starts a thread for each webhook; they end with `shutdown`.
    pub fn start(
        settings: &Settings,
        metrics: &AlertMetrics,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> Result<Self, DaemonError> {
        let mut threads = Vec::new();
        let seed = clock.wall().as_millis().unsigned_abs() ^ u64::from(std::process::id());
        for sink in settings.alerting.of_kind(SinkKind::Webhook) {
            let hook = Webhook::new(&settings.alerting, sink, metrics, seed);
            let hook = hook.map_err(DaemonError::Sink)?;
            let group = format!("{}.{}", settings.kafka.group_id, sink.name);
            let feed = Feed::open(&settings.kafka, &group, &settings.topics.alerts);
            let feed = feed.map_err(DaemonError::Connect)?;
            let (on_end, ended) = channel::<()>();
            let shutdown = shutdown.clone();
            let thread = thread::Builder::new().name(format!("sink-{}", sink.name));
            let work = move || {
                let _on_end = on_end;
                serve(feed, hook, &shutdown);
            };
            thread.spawn(work).map_err(DaemonError::Thread)?;
            threads.push(ended);
        }
        Ok(Self(threads))
    }

    /// Waits for the threads, at most `limit`: one that is left behind leaves its group late.
    pub fn wait(self, limit: Duration) {
        let began = Instant::now();
        for ended in self.0 {
            // The sender is dropped, not used: either end of the wait is fine.
            let _ = ended.recv_timeout(limit.saturating_sub(began.elapsed()));
        }
    }
}

fn serve(mut feed: Feed, mut hook: Webhook, shutdown: &Shutdown) {
    while !shutdown.is_requested() {
        match feed.next(LOOK) {
            Ok(Some(record)) => tell(&feed, &mut hook, &record, shutdown),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(sink = hook.name(), "alerts cannot be read: {error}");
                shutdown.sleep(PAUSE);
            }
        }
    }
}

fn tell(feed: &Feed, hook: &mut Webhook, record: &FeedRecord, shutdown: &Shutdown) {
    let event = WebhookEvent {
        id: record.header("ce_id").to_owned(),
        kind: record.header("ce_type").to_owned(),
        body: record.body.clone(),
    };
    let wait = |mut left: Duration| {
        while !left.is_zero() && !shutdown.is_requested() {
            let breath = left.min(LOOK);
            if let Err(error) = feed.stand_still(breath) {
                tracing::warn!("{error}");
                shutdown.sleep(breath);
            }
            left -= breath;
        }
        !shutdown.is_requested()
    };
    if hook.wants(&event) && !hook.deliver(&event, wait) {
        return;
    }
    if let Err(error) = feed.done(record) {
        tracing::warn!(sink = hook.name(), "the position is not stored: {error}");
    }
}
