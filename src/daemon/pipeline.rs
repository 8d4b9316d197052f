//! The loop: poll, decode, push, settle, encode, deliver.

use std::time::Duration;

use super::batch::Batch;
use super::intake::Intake;
use super::publish;
use super::supervise::Heartbeat;
use super::{Clock, DaemonError, RunReport, Shutdown};
use crate::io::Log;
use crate::telemetry::Metrics;
use crate::web::{NotReady, SharedStatus};

/// Between two rounds of gauges, lag and idle checks.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Longest pause between two attempts to deliver.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long deliveries are still tried after the stop was asked for.
const STOP_RETRY_MAX: Duration = Duration::from_secs(5);

/// How large batches get, and how failures are retried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Most records of a batch.
    pub records_max: usize,
    /// Longest wait for a batch to fill.
    pub wait: Duration,
    /// First pause between two attempts to deliver; doubles up to [`RETRY_MAX`].
    pub retry_first: Duration,
}

/// All that the pipeline thread owns.
#[derive(Debug)]
pub(super) struct Pipeline<L> {
    pub log: L,
    pub intake: Intake,
    pub pace: Pace,
    pub clock: Clock,
    pub shutdown: Shutdown,
    pub metrics: Metrics,
    pub status: SharedStatus,
    pub heartbeat: Heartbeat,
    pub report: RunReport,
    pub ready: bool,
    /// Steady time of the next round of upkeep.
    pub upkeep_at: Duration,
}

impl<L: Log> Pipeline<L> {
    /// Works until the stop is asked for, then leaves the group.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Poll`] and [`DaemonError::Undelivered`].
    pub fn run(mut self) -> Result<RunReport, DaemonError> {
        let began = self.clock.steady();
        let mut outcome = Ok(());
        while outcome.is_ok() && !self.shutdown.is_requested() {
            outcome = self.turn();
        }
        self.set_not_ready(Some(NotReady::Stopping));
        self.log.close();
        self.publish();
        self.report.elapsed = self.clock.steady().saturating_sub(began);
        outcome.map(|()| self.report)
    }

    /// One batch, from the log and back to it.
    pub fn turn(&mut self) -> Result<(), DaemonError> {
        let began = self.clock.steady();
        self.read(began)?;
        let read = self.clock.steady();
        let upkeep = read >= self.upkeep_at;
        if upkeep {
            let lag = self.log.lag();
            self.intake.close_idle(&lag, read);
        }
        let batch = self.intake.collect(read, &mut self.report);
        let scored = self.clock.steady();
        if !batch.is_empty() {
            let delivery = &self.metrics.delivery;
            delivery.observe_stage("read", read.saturating_sub(began).as_secs_f64());
            delivery.observe_stage("score", scored.saturating_sub(read).as_secs_f64());
            self.deliver(&batch)?;
        }
        self.heartbeat.beat();
        self.settle_readiness();
        if upkeep {
            self.publish();
            self.upkeep_at = read + UPKEEP_EVERY;
        }
        Ok(())
    }

    /// Fills a batch: until it is full, its time is over, or nothing more comes.
    fn read(&mut self, began: Duration) -> Result<(), DaemonError> {
        let Pace { records_max, wait, .. } = self.pace;
        let (mut records, mut left) = (0, wait);
        while records < records_max && !self.shutdown.is_requested() {
            let Self { log, intake, clock, .. } = self;
            let got = log
                .poll(records_max - records, left, &mut |event| intake.take(event, clock.steady()))
                .map_err(DaemonError::Poll)?;
            self.heartbeat.beat();
            records += got;
            left = wait.saturating_sub(self.clock.steady().saturating_sub(began));
            if got == 0 || left.is_zero() {
                break;
            }
        }
        Ok(())
    }

    /// Delivers a batch, again and again if need be: its input is read again only if the process
    /// ends first.
    fn deliver(&mut self, batch: &Batch) -> Result<(), DaemonError> {
        let mut pause = self.pace.retry_first;
        let mut give_up_at = None;
        for attempts in 1.. {
            let began = self.clock.steady();
            let result = self.log.deliver(batch.outputs.clone(), &batch.positions);
            let now = self.clock.steady();
            self.heartbeat.beat();
            self.count_attempt(batch, result.is_ok(), now.saturating_sub(began));
            let Err(error) = result else { break };
            if self.shutdown.is_requested()
                && now >= *give_up_at.get_or_insert(now + STOP_RETRY_MAX)
            {
                return Err(DaemonError::Undelivered {
                    outputs: batch.outputs.len(),
                    source: error,
                });
            }
            tracing::warn!(attempts, retry_in = ?pause, "delivery failed: {error}");
            self.set_not_ready(Some(NotReady::Undelivered { attempts, detail: error.to_string() }));
            self.pause(pause);
            pause = (pause * 2).min(RETRY_MAX);
        }
        Ok(())
    }

    /// Sleeps between two attempts; once the stop was asked for, only for the first pause.
    fn pause(&self, pause: Duration) {
        if self.shutdown.is_requested() {
            std::thread::sleep(self.pace.retry_first);
        } else {
            self.shutdown.sleep(pause);
        }
    }

    fn count_attempt(&self, batch: &Batch, ok: bool, took: Duration) {
        let (delivery, ingest) = (&self.metrics.delivery, &self.metrics.ingest);
        delivery.count_batch(ok);
        delivery.observe_stage("deliver", took.as_secs_f64());
        for (topic, records) in batch.by_topic() {
            delivery.count_produced(topic, ok, records);
        }
        if !ok {
            return;
        }
        let name = |stream: usize| &*self.intake.streams()[stream].name;
        for (stream, reason) in &batch.dead {
            ingest.count_dead_letter(name(*stream), reason);
        }
        let now = self.clock.wall().as_millis();
        for (stream, oldest) in &batch.oldest_ms {
            delivery.observe_latency(name(*stream), now.saturating_sub(*oldest) as f64 / 1e3);
        }
    }

    /// Ready: the group has spoken, and everything read so far is delivered.
    fn settle_readiness(&mut self) {
        if !self.intake.is_assigned() {
            return;
        }
        self.set_not_ready(None);
        if !self.ready {
            self.ready = true;
            tracing::info!("ready");
        }
    }

    fn set_not_ready(&self, not_ready: Option<NotReady>) {
        let not_ready =
            if self.shutdown.is_requested() { Some(NotReady::Stopping) } else { not_ready };
        self.metrics.set_ready(not_ready.is_none());
        if self.status.read(|status| status.not_ready != not_ready) {
            self.status.update(|status| status.not_ready = not_ready);
        }
    }

    fn publish(&self) {
        let streams = publish::streams(&self.intake);
        publish::gauges(&self.metrics, &streams);
        self.status.update(|status| status.streams = streams);
    }
}
