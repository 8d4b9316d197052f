//! Series that send nothing any more: their alerts end, since nothing will.
//!
//! Alerts end by calm rows, and a series without records, or with none that holds a value, has no such rows. An alert of one that is out of
//! use would be open for ever, at the sinks, too.

use super::looks::Looks;
use super::shard::Shard;
use super::spec::StreamSpec;
use super::watch::Watch;
use crate::record::{AlertKind, AlertReason, EventTime, Millis, Outbox, Step, WindowSpan};

/// Kinds that hang on what a series sends; that it is stale goes on.
const ENDED: [AlertKind; 4] =
    [AlertKind::Anomaly, AlertKind::Stuck, AlertKind::OutOfRange, AlertKind::ClockSkew];

/// Event time without a value after which a series is gone. Not before as many rows as a calm end
/// takes would have come; zero for never.
fn gone_after(spec: &StreamSpec) -> Millis {
    let alert = &spec.alert;
    match spec.rows.step {
        _ if alert.gone_after.get() == 0 => Millis::ZERO,
        Step::Event => alert.gone_after,
        Step::Grid(step) => {
            let rows = step.get().saturating_mul(i64::from(alert.keep_firing_for));
            alert.gone_after.max(Millis::new(rows))
        }
    }
}

fn gone_at(looks: &Looks, spec: &StreamSpec, watch: &Watch) -> Option<EventTime> {
    let after = gone_after(spec);
    let since = watch.value_at.or(watch.last_seen).max(watch.spoke_at)?.max(looks.alive_since?);
    (after.get() > 0).then(|| since + after)
}

fn schedule(looks: &mut Looks, spec: &StreamSpec, index: usize, watch: &mut Watch) {
    let next = gone_at(looks, spec, watch);
    looks.plan(index, &mut watch.gone_due, next);
}

impl Shard {
    /// Takes note of a record of a series that found its row; `time` is what it says about now, and whether
    /// a value was `observed`.
    pub(super) fn hear_of(
        &mut self,
        index: usize,
        (time, observed): (EventTime, bool),
        out: &mut Outbox,
    ) {
        let Self { spec, series, gone, .. } = self;
        let after = gone_after(spec);
        if after.get() == 0 {
            return;
        }
        let knew_nothing = gone.heard.is_none();
        gone.hear(time - spec.rows.max_out_of_order, after);
        if knew_nothing {
            // Series of a state of before ends were watched may never be heard of again.
            self.schedule_ends();
        } else if observed && series[index].watch.gone_due.is_none() {
            schedule(gone, spec, index, &mut series[index].watch);
        }
        self.look_for_gone(out);
    }

    /// Takes note of a record of a series that found no row: it is not gone, whatever its clock says.
    pub(super) fn hear_in_vain(&mut self, index: usize) {
        let Self { spec, series, gone, .. } = self;
        let watch = &mut series[index].watch;
        watch.spoke_at = watch.spoke_at.max(gone.heard);
        if watch.gone_due.is_none() {
            schedule(gone, spec, index, watch);
        }
    }

    /// Sets the times of all looks, in a shard that was restored.
    pub(super) fn schedule_ends(&mut self) {
        let Self { spec, series, gone, .. } = self;
        for (index, series) in series.iter_mut().enumerate() {
            schedule(gone, spec, index, &mut series.watch);
        }
    }

    fn look_for_gone(&mut self, out: &mut Outbox) {
        while let Some((due, index)) = self.gone.due() {
            let Self { spec, series, gone, .. } = self;
            let watch = &mut series[index].watch;
            // It may have spoken since this look was planned.
            if gone_at(gone, spec, watch) != Some(due) {
                schedule(gone, spec, index, watch);
                continue;
            }
            gone.plan(index, &mut watch.gone_due, None);
            self.end_alerts(index, due, out);
        }
    }

    /// Ends what is open of a series that is gone; `now` is when that was seen.
    fn end_alerts(&mut self, index: usize, now: EventTime, out: &mut Outbox) {
        // A row that waits for its result may open an alert yet.
        self.score_pending(out);
        for kind in ENDED {
            let series = &mut self.series[index];
            let since = series.watch.last_seen.unwrap_or(now);
            let Some(ended) = series.state(kind).end() else { continue };
            let end = now.max(ended.starts_at);
            let span = WindowSpan { start: since.min(end), end, completeness: 0.0 };
            self.write_end(index, kind, (AlertReason::Gone, span), &ended, out);
        }
    }
}
