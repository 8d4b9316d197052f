//! The loop: poll, decode, push, settle, encode, deliver.

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::collect::Saving;
use super::intake::Intake;
use super::publish::Board;
use super::reload::Reload;
use super::restore::{self, Policy, RestoreError, Restored};
use super::stream::streams_of;
use super::supervise::Heartbeat;
use super::{Clock, DaemonError, RunReport, Shutdown};
use crate::io::{DeliverError, IoError, Log, Place};
use crate::model::Trainer;
use crate::telemetry::Metrics;
use crate::web::NotReady;

/// Between two rounds of gauges, lag and idle checks.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Longest pause between two attempts to deliver.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long deliveries are still tried after the stop was asked for.
const STOP_RETRY_MAX: Duration = Duration::from_secs(5);

/// How large batches get, how often state is stored, and how failures are retried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Most records of a batch.
    pub records_max: usize,
    /// Longest wait for a batch to fill.
    pub wait: Duration,
    /// Between two snapshots of a partition.
    pub snapshot_interval: Duration,
    /// Older snapshots that are kept, as rungs of a ladder of powers of two.
    pub snapshot_rungs: u32,
    /// First pause between two attempts to deliver; doubles up to [`RETRY_MAX`].
    pub retry_first: Duration,
}

/// All that the pipeline thread owns.
#[derive(Debug)]
pub(super) struct Pipeline<L> {
    pub log: L,
    pub intake: Intake,
    pub pace: Pace,
    pub policy: Policy,
    /// Where people say what they want: topics of verdicts and of maintenance.
    pub inbox: [String; 2],
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub trainer: Arc<dyn Trainer>,
    pub reload: Reload,
    /// Number of the settings that are in use.
    pub generation: u64,
    pub metrics: Metrics,
    pub board: Board,
    pub heartbeat: Heartbeat,
    pub report: RunReport,
    pub ready: bool,
    /// Steady time of the next round of upkeep.
    pub upkeep_at: Duration,
}

impl<L: Log> Pipeline<L> {
    /// Works until the stop is asked for, stores the state, then leaves the group.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Poll`], [`DaemonError::Restore`], [`DaemonError::Refused`] and
    /// [`DaemonError::Undelivered`].
    pub fn run(mut self) -> Result<RunReport, DaemonError> {
        let began = self.clock.steady();
        // What people said while nobody listened holds from the first record on.
        let mut outcome = self.hear();
        while outcome.is_ok() && !self.shutdown.is_requested() {
            outcome = self.turn();
        }
        self.set_not_ready(Some(NotReady::Stopping));
        if outcome.is_ok() {
            outcome = self.finish();
        }
        self.log.close();
        self.publish();
        self.report.elapsed = self.clock.steady().saturating_sub(began);
        outcome.map(|()| self.report)
    }

    /// One batch, from the log and back to it.
    pub fn turn(&mut self) -> Result<(), DaemonError> {
        self.take_settings()?;
        let began = self.clock.steady();
        self.read(began)?;
        self.go_on_elsewhere()?;
        self.take_over()?;
        let read = self.clock.steady();
        let upkeep = read >= self.upkeep_at;
        if upkeep {
            let lag = self.log.lag();
            self.intake.close_idle(&lag, read);
            self.intake.look(read);
            self.hear()?;
        }
        let batch = self.collect(false);
        let scored = self.clock.steady();
        if !batch.is_empty() {
            let delivery = &self.metrics.delivery;
            delivery.observe_stage("read", read.saturating_sub(began).as_secs_f64());
            delivery.observe_stage("score", scored.saturating_sub(read).as_secs_f64());
            self.deliver(batch)?;
        }
        self.let_go()?;
        self.heartbeat.beat();
        self.settle_readiness();
        if upkeep {
            self.publish();
            self.upkeep_at = read + UPKEEP_EVERY;
        }
        Ok(())
    }

    /// Takes over new settings between two batches. The state is stored first: what was learned
    /// under the old ones is not replayed under the new ones.
    fn take_settings(&mut self) -> Result<(), DaemonError> {
        // What is read again was learned under the old settings: all of it goes on under them.
        if self.intake.silent() > 0 {
            return Ok(());
        }
        let Some(news) = self.reload.news(self.generation) else { return Ok(()) };
        self.finish()?;
        self.intake.replace(streams_of(&news.settings, &self.trainer)?)?;
        self.pace.snapshot_interval = news.settings.state.snapshot_interval.to_duration();
        self.metrics.state.set_interval(self.pace.snapshot_interval);
        self.pace.snapshot_rungs = news.settings.state.rungs();
        self.policy.missing = news.settings.state.on_missing_offset;
        self.generation = news.number;
        tracing::info!(generation = news.number, "new settings in use");
        Ok(())
    }

    /// Puts into effect what people have said.
    fn hear(&mut self) -> Result<(), DaemonError> {
        let Self { log, intake, inbox: [feedback, control], .. } = self;
        let topics = [feedback.as_str(), control.as_str()];
        log.poll_inbox(&topics, &mut |message| intake.take_notice(&message, feedback))
            .map_err(DaemonError::Poll)?;
        intake.spread_notices();
        Ok(())
    }

    /// A batch with the state of everything that is owned.
    fn finish(&mut self) -> Result<(), DaemonError> {
        let batch = self.collect(true);
        if batch.is_empty() { Ok(()) } else { self.deliver(batch) }
    }

    fn collect(&mut self, all: bool) -> Batch {
        let Pace { snapshot_interval: interval, snapshot_rungs: rungs, .. } = self.pace;
        let saving = Saving { interval, rungs, all };
        let batch = self.intake.collect(&self.clock, saving, &mut self.report, &self.heartbeat);
        self.metrics.state.count_written(batch.state_bytes());
        batch
    }

    /// Fills a batch: until it is full, its time is over, nothing more comes, or the group wants
    /// an answer.
    fn read(&mut self, began: Duration) -> Result<(), DaemonError> {
        let Pace { records_max, wait, .. } = self.pace;
        let (mut records, mut left) = (0, wait);
        while records < records_max && !self.shutdown.is_requested() {
            let got = self.poll(records_max - records, left)?;
            records += got;
            left = wait.saturating_sub(self.clock.steady().saturating_sub(began));
            if got == 0 || left.is_zero() || self.intake.has_turns() {
                break;
            }
        }
        Ok(())
    }

    fn poll(&mut self, max: usize, wait: Duration) -> Result<usize, DaemonError> {
        let Self { log, intake, .. } = self;
        let got = log.poll(max, wait, &mut |event| intake.take(event));
        self.heartbeat.beat();
        got.map_err(DaemonError::Poll)
    }

    /// Restores the state of partitions that were given to us, then begins to read them.
    fn take_over(&mut self) -> Result<(), DaemonError> {
        let places = self.intake.arriving().to_vec();
        if places.is_empty() {
            return Ok(());
        }
        let began = self.clock.steady();
        self.set_not_ready(Some(NotReady::Restoring { partitions: places.len() }));
        let restored = match self.restore_all(places) {
            Ok(restored) => restored,
            // The group waits; the next turn asks again.
            Err(error @ (RestoreError::Outside { .. } | RestoreError::Moved { .. })) => {
                tracing::warn!("restore: {error}");
                self.metrics.state.count_restore("failed");
                self.shutdown.sleep(self.pace.retry_first);
                return Ok(());
            }
            Err(error) => {
                self.metrics.state.count_restore("refused");
                return Err(DaemonError::Restore(error));
            }
        };
        for (_, state) in &restored {
            self.metrics.state.count_restore(if state.fresh { "anew" } else { "restored" });
        }
        let starts: Vec<(Place, i64)> =
            restored.iter().map(|(place, state)| (place.clone(), state.start)).collect();
        self.log.start(&starts).map_err(DaemonError::Poll)?;
        let now = self.clock.steady();
        self.metrics.state.observe_restore(now.saturating_sub(began).as_secs_f64());
        self.intake.begin(restored, now);
        self.intake.spread_notices();
        Ok(())
    }

    fn restore_all(&mut self, places: Vec<Place>) -> Result<Vec<(Place, Restored)>, RestoreError> {
        let mut restored = Vec::with_capacity(places.len());
        for place in places {
            let Some(stream) = self.intake.stream_of(&place.0) else { continue };
            let state = {
                let alive = || self.heartbeat.beat();
                restore::restore(&mut self.log, stream, &place, &self.policy, &alive)?
            };
            restored.push((place, state));
            self.heartbeat.beat();
        }
        Ok(restored)
    }

    /// Gives up what the group wants back, now that its last batch is delivered.
    fn let_go(&mut self) -> Result<(), DaemonError> {
        let leaving = self.intake.leaving().to_vec();
        if leaving.is_empty() {
            return Ok(());
        }
        self.log.release(&leaving).map_err(DaemonError::Poll)?;
        self.intake.drop_partitions(&leaving);
        Ok(())
    }

    /// Reads on where there is something to read, if the configuration allows to lose records.
    fn go_on_elsewhere(&mut self) -> Result<(), DaemonError> {
        for (place, bounds) in self.intake.take_gone() {
            let wanted = self.intake.next_offset(&place).unwrap_or(bounds.low);
            let stream = self.intake.stream_of(&place.0).map_or("", |stream| &stream.name);
            self.metrics.state.count_gone(stream);
            let offset = restore::within(&place, wanted, bounds, &self.policy)
                .map_err(DaemonError::Restore)?;
            self.log.seek(&place, offset).map_err(DaemonError::Poll)?;
        }
        Ok(())
    }

    /// Delivers a batch, again and again if need be: its input is read again only if the process
    /// ends first, or if its partitions are lost.
    fn deliver(&mut self, mut batch: Batch) -> Result<(), DaemonError> {
        let mut pause = self.pace.retry_first;
        let mut give_up_at = None;
        for attempts in 1.. {
            let began = self.clock.steady();
            let result = self.log.deliver(batch.parts());
            let now = self.clock.steady();
            self.heartbeat.beat();
            self.count_attempt(&batch, result.is_ok(), now.saturating_sub(began));
            let error = match result {
                Ok(()) => {
                    self.policy.stored.extend(batch.saved());
                    break;
                }
                Err(DeliverError::Stop(error)) => return Err(DaemonError::Refused(error)),
                Err(DeliverError::Lost(error)) => {
                    tracing::warn!("the batch belongs to the next owner: {error}");
                    break;
                }
                Err(DeliverError::Again(error)) => error,
            };
            if self.shutdown.is_requested()
                && now >= *give_up_at.get_or_insert(now + STOP_RETRY_MAX)
            {
                let outputs = batch.outputs();
                return Err(DaemonError::Undelivered { outputs, source: error });
            }
            tracing::warn!(attempts, retry_in = ?pause, "delivery failed: {error}");
            self.wait_to_retry(&error, attempts, pause)?;
            batch.retain(|part, note| self.intake.owns(part, note));
            if batch.is_empty() {
                break;
            }
            pause = (pause * 2).min(RETRY_MAX);
        }
        Ok(())
    }

    /// Waits between two attempts, and hears what the group has to say: a partition may be lost.
    /// The one message that may come with it is part of the next batch.
    fn wait_to_retry(
        &mut self,
        error: &IoError,
        attempts: u32,
        pause: Duration,
    ) -> Result<(), DaemonError> {
        self.set_not_ready(Some(NotReady::Undelivered { attempts, detail: error.to_string() }));
        if self.shutdown.is_requested() {
            std::thread::sleep(self.pace.retry_first);
        } else {
            self.shutdown.sleep(pause);
        }
        self.poll(1, Duration::ZERO).map(|_| ())
    }

    fn count_attempt(&self, batch: &Batch, ok: bool, took: Duration) {
        let (delivery, ingest) = (&self.metrics.delivery, &self.metrics.ingest);
        delivery.count_batch(ok);
        delivery.observe_stage("deliver", took.as_secs_f64());
        for (topic, records) in batch.by_topic() {
            delivery.count_produced(topic, ok, records);
        }
        let now = self.clock.wall();
        let snapshots = batch.notes().iter().filter(|note| note.saved).count() as u64;
        self.metrics.state.count_checkpoints(ok, snapshots, now.as_secs_f64());
        if !ok {
            return;
        }
        for (part, note) in batch.parts().iter().zip(batch.notes()) {
            self.intake.notify(part, note);
        }
        let name = |stream: usize| &*self.intake.streams()[stream].name;
        for note in batch.notes() {
            note.dead.iter().for_each(|why| ingest.count_dead_letter(name(note.stream), why));
        }
        for (stream, oldest) in batch.oldest_ms() {
            let age = now.as_millis().saturating_sub(oldest) as f64 / 1e3;
            delivery.observe_latency(name(stream), age);
        }
    }

    /// Ready: the group has spoken, everything read so far is delivered, and nothing that was
    /// delivered before is still being read again.
    fn settle_readiness(&mut self) {
        if !self.intake.is_assigned() || !self.intake.arriving().is_empty() {
            return;
        }
        match self.intake.silent() {
            0 => self.set_not_ready(None),
            partitions => self.set_not_ready(Some(NotReady::Restoring { partitions })),
        }
        if !self.ready && self.intake.silent() == 0 {
            self.ready = true;
            tracing::info!("ready");
        }
    }

    fn set_not_ready(&self, not_ready: Option<NotReady>) {
        let stopping = self.shutdown.is_requested().then_some(NotReady::Stopping);
        self.board.set_not_ready(stopping.or(not_ready), &self.metrics);
    }

    fn publish(&self) {
        self.board.publish(&self.intake, &self.metrics, self.clock.wall());
    }
}
