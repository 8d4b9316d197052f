//! Series that send nothing: what single records say.

use super::alerts::{Scene, Sign, step_kind};
use super::clock::Moment;
use super::looks::Looks;
use super::shard::Shard;
use super::spec::StreamSpec;
use super::watch::Watch;
use crate::alert::{MaintenanceWindow, Planned};
use crate::record::{
    AlertKind, AlertRecord, EventTime, Millis, Outbox, Placement, RecordRef, Severity, WindowSpan,
};

/// Where the present silence of a series began.
fn since(looks: &Looks, watch: &Watch) -> Option<EventTime> {
    watch.silent_since.or(watch.last_seen.max(looks.alive_since))
}

/// Event time of the next look at the silence of a series; `None` before it has reported for
/// `stale_after`, since what never was regular cannot stop to be.
///
/// A function of state that only moves on as records come, so that it may be computed late.
fn next_look(looks: &Looks, spec: &StreamSpec, watch: &Watch) -> Option<EventTime> {
    let alert = &spec.alert;
    let (first, last) = (watch.first_seen?, watch.last_seen?);
    if alert.stale_after.get() == 0 {
        // What goes on ends, too, if it is watched no longer.
        return watch.stale.episode().map(|episode| episode.starts_at);
    }
    if last - first < alert.stale_after {
        return None;
    }
    let since = since(looks, watch)?;
    let next = match (watch.stale.episode(), watch.looked_at) {
        (Some(episode), Some(looked)) => {
            let again = looked + alert.stale_after;
            let critical = alert.stale_after.get() as f64 * alert.critical_ratio.get();
            let critical = since + Millis::new(critical.ceil() as i64);
            let renotify = episode.told_at() + alert.renotify;
            let loud = episode.silent.is_none();
            let worse = loud && episode.severity == Severity::Warning && looked < critical;
            let say = loud && alert.renotify.get() > 0 && looked < renotify;
            let at = |wanted: bool, time: EventTime| if wanted { time } else { again };
            at(worse, critical).min(at(say, renotify)).min(again)
        }
        _ => (since + alert.stale_after).max(first + alert.new_entity_delay),
    };
    Some(next.max(looks.alive_since?))
}

fn schedule(looks: &mut Looks, spec: &StreamSpec, index: usize, watch: &mut Watch) {
    let next = next_look(looks, spec, watch);
    looks.plan(index, &mut watch.due, next);
}

impl Shard {
    /// Takes a maintenance window that was announced while the daemon runs: stores it in the state
    /// of the shard, in the place of one of the same id, until a day of event time after its end.
    /// Up to 256 are kept.
    ///
    /// The same window again changes nothing, and neither does one for other streams. One that ends
    /// at or before its beginning is called off. Call after [`Shard::settle`]: rows that wait for
    /// their results are judged by it, too.
    pub fn apply_maintenance(&mut self, window: MaintenanceWindow) -> Planned {
        let ours = window.streams.contain(&self.spec.name);
        if ours { self.plan.announce(window, self.silence.heard) } else { Planned::Unchanged }
    }

    /// Takes note of a record of a known series, after it was placed.
    pub(super) fn hear(
        &mut self,
        index: usize,
        record: &RecordRef<'_>,
        placement: Placement,
        moment: Moment,
        out: &mut Outbox,
    ) {
        self.hear_clock(index, record, (placement, moment), out);
        if !matches!(placement, Placement::Placed | Placement::Replaced) {
            self.hear_in_vain(index);
            return;
        }
        let Self { spec, series, silence, .. } = self;
        let series = &mut series[index];
        let observed = record.values.iter().any(|value| !value.is_nan());
        series.watch.note(record.time, record.offset, (series.rows, observed));
        let stale_after = spec.alert.stale_after;
        silence.hear(moment.says - spec.rows.max_out_of_order, stale_after);
        if series.watch.stale.episode().is_some() {
            self.end_silence(index, record, out);
        } else if series.watch.due.is_none() {
            schedule(silence, spec, index, &mut series.watch);
        }
        self.look_for_silence(out);
        self.hear_of(index, (moment.says, observed), out);
    }

    /// Sets the times of all looks, in a shard that was restored.
    pub(super) fn schedule_looks(&mut self) {
        let Self { spec, series, silence, .. } = self;
        for (index, series) in series.iter_mut().enumerate() {
            schedule(silence, spec, index, &mut series.watch);
        }
    }

    fn look_for_silence(&mut self, out: &mut Outbox) {
        while let Some((due, index)) = self.silence.due() {
            let Self { spec, series, silence, .. } = self;
            let watch = &mut series[index].watch;
            // The series may have spoken since this look was planned.
            let real = next_look(silence, spec, watch);
            if real == Some(due) {
                self.step_silence(index, due, out);
            }
            let Self { spec, series, silence, .. } = self;
            schedule(silence, spec, index, &mut series[index].watch);
        }
    }

    fn step_silence(&mut self, index: usize, now: EventTime, out: &mut Outbox) {
        let watch = &mut self.series[index].watch;
        let Some(since) = since(&self.silence, watch) else { return };
        let stale_after = self.spec.alert.stale_after.get() as f64;
        let (score, now) = match self.silence.heard {
            // It is watched no longer.
            Some(heard) if stale_after == 0.0 => (0.0, heard.max(now)),
            _ => ((now - since).get() as f64 / stale_after, now),
        };
        watch.looked_at = Some(now);
        let offset = watch.last_offset;
        self.step_record_kind(index, AlertKind::Stale, score, (since, now), offset, out);
        let watch = &mut self.series[index].watch;
        watch.silent_since = watch.stale.episode().is_some().then_some(since);
    }

    fn end_silence(&mut self, index: usize, record: &RecordRef<'_>, out: &mut Outbox) {
        let since = self.series[index].watch.silent_since.take().unwrap_or(record.time);
        // A record from within the silence ends it where it was noticed.
        let starts_at = self.series[index].watch.stale.episode().map(|alert| alert.starts_at);
        let now = starts_at.map_or(record.time, |starts_at| record.time.max(starts_at));
        self.step_record_kind(index, AlertKind::Stale, 0.0, (since, now), record.offset, out);
        let Self { spec, series, silence, .. } = self;
        series[index].watch.looked_at = None;
        schedule(silence, spec, index, &mut series[index].watch);
    }

    /// Steps a kind that hangs on records. What waits for its results comes first in the outbox,
    /// as it would if it had not been made to wait.
    pub(super) fn step_record_kind(
        &mut self,
        index: usize,
        kind: AlertKind,
        score: f64,
        (start, end): (EventTime, EventTime),
        offset: i64,
        out: &mut Outbox,
    ) {
        let Self { spec, series, partition, plan, .. } = self;
        let series = &mut series[index];
        let scene = Scene { spec, partition: *partition, model_version: 0 };
        let sign = Sign {
            kind,
            score,
            span: WindowSpan { start, end, completeness: 0.0 },
            offsets: (offset, offset),
            switches: plan.switches(&series.key, end, end),
            direction: None,
            top: Vec::new(),
        };
        let mut said = Outbox::default();
        step_kind(&scene, series, sign, &mut said);
        let Some(record) = said.alerts.pop() else { return };
        self.score_pending(out);
        out.facts.add_alerts(&said.facts);
        out.alerts.push(AlertRecord { model_version: self.version_of(index), ..record });
    }
}
