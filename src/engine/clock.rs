//! Clocks that are wrong: what an event time and a Kafka time say together.

use super::shard::Shard;
use crate::record::{AlertKind, EventTime, Outbox, Placement, RecordRef};

/// Share of records ahead of their Kafka time that makes the latter the odd one.
const AHEAD_ALL: f64 = 0.9;

/// What a record says about now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Its Kafka time.
    log_time: EventTime,
    /// The event time that has come. A record too far ahead of its Kafka time has a wrong clock, and
    /// must not make all others late: it says no more than its Kafka time.
    pub(super) says: EventTime,
    /// Event times and Kafka times are of the same day. They are not if all records are of the future:
    /// then it is the Kafka time that says nothing.
    comparable: bool,
}

impl Moment {
    /// Of a record that is not taken.
    pub(super) fn of_log(log_time: EventTime) -> Self {
        Self { log_time, says: log_time, comparable: true }
    }
}

impl Shard {
    /// What a record says about now.
    pub(super) fn moment(&mut self, time: EventTime, log_time: EventTime) -> Moment {
        let limit = &self.spec.alert.clock_skew;
        if limit.share <= 0.0 {
            return Moment { log_time, says: time, comparable: true };
        }
        // Further than others may be behind, it would make them late.
        let ahead = log_time + limit.ahead.min(self.spec.rows.max_out_of_order) < time;
        self.clocks.step(limit, ahead);
        let comparable = self.clocks.share() < AHEAD_ALL;
        let says = if ahead && comparable { log_time } else { time };
        Moment { log_time, says, comparable }
    }

    /// A record is of a wrong time if it is ahead of its Kafka time, or late by its own clock: not if
    /// others have made it late.
    pub(super) fn hear_clock(
        &mut self,
        index: usize,
        record: &RecordRef<'_>,
        (placement, moment): (Placement, Moment),
        out: &mut Outbox,
    ) {
        let limit = self.spec.alert.clock_skew;
        let watch = &mut self.series[index].watch;
        let score = if limit.share > 0.0 {
            let ahead = moment.log_time + limit.ahead < record.time;
            let behind = record.time + self.spec.rows.max_out_of_order < moment.log_time;
            let late = placement == Placement::Late && (behind || !moment.comparable);
            watch.skew.step(&limit, ahead || late || placement == Placement::Ahead)
        } else {
            // What goes on ends, too, if it is watched no longer.
            0.0
        };
        let began = watch.clock.episode().map(|alert| alert.starts_at);
        if score < 1.0 && began.is_none() {
            return;
        }
        // The wrong clock says nothing about now: the others of the partition do.
        let now = self.silence.heard.unwrap_or(record.time).max(began.unwrap_or(record.time));
        self.step_record_kind(index, AlertKind::ClockSkew, score, (now, now), record.offset, out);
    }
}
