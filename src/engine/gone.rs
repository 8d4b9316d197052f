//! Series that send nothing any more: their alerts end, since nothing will.
//!
//! Alerts end by calm rows, and a series without records has no rows. An alert of one that is out of
//! use would be open for ever, at the sinks, too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::shard::Shard;
use super::spec::StreamSpec;
use super::watch::Watch;
use crate::record::{AlertKind, AlertReason, EventTime, Millis, Outbox, Step, WindowSpan};

/// Kinds that hang on what a series sends; that it is stale goes on.
const ENDED: [AlertKind; 4] =
    [AlertKind::Anomaly, AlertKind::Stuck, AlertKind::OutOfRange, AlertKind::ClockSkew];

/// When series are looked at.
///
/// Time is that of records only, as for [`super::silence`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gone {
    /// Largest event time of a record, less `max_out_of_order`.
    heard: Option<EventTime>,
    /// Event time from which the partition has not been silent for `gone_after` as a whole.
    alive_since: Option<EventTime>,
    #[serde(skip)]
    due: BTreeSet<(EventTime, usize)>,
}

/// Event time without a record after which a series is gone. Not before as many rows as a calm end
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

impl Gone {
    fn hear(&mut self, time: EventTime, after: Millis) {
        if self.heard.is_none_or(|before| before + after < time) {
            self.alive_since = Some(time);
        }
        self.heard = self.heard.max(Some(time));
    }

    fn schedule(&mut self, spec: &StreamSpec, index: usize, watch: &mut Watch) {
        if let Some(old) = watch.gone_due.take() {
            self.due.remove(&(old, index));
        }
        watch.gone_due = self.gone_at(spec, watch);
        self.due.extend(watch.gone_due.map(|due| (due, index)));
    }

    fn gone_at(&self, spec: &StreamSpec, watch: &Watch) -> Option<EventTime> {
        let after = gone_after(spec);
        let since = watch.last_seen?.max(self.alive_since?);
        (after.get() > 0).then(|| since + after)
    }
}

impl Shard {
    /// Takes note of a record of a series that found its row; `time` is what it says about now.
    pub(super) fn hear_of(&mut self, index: usize, time: EventTime, out: &mut Outbox) {
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
        } else if series[index].watch.gone_due.is_none() {
            gone.schedule(spec, index, &mut series[index].watch);
        }
        self.look_for_gone(out);
    }

    /// Sets the times of all looks, in a shard that was restored.
    pub(super) fn schedule_ends(&mut self) {
        let Self { spec, series, gone, .. } = self;
        for (index, series) in series.iter_mut().enumerate() {
            gone.schedule(spec, index, &mut series.watch);
        }
    }

    fn look_for_gone(&mut self, out: &mut Outbox) {
        while let Some((due, index)) = self.gone.due.first().copied() {
            if self.gone.heard.is_none_or(|heard| heard < due) {
                return;
            }
            let Self { spec, series, gone, .. } = self;
            let watch = &mut series[index].watch;
            // It may have spoken since this look was planned.
            if gone.gone_at(spec, watch) != Some(due) {
                gone.schedule(spec, index, watch);
                continue;
            }
            gone.due.remove(&(due, index));
            watch.gone_due = None;
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
