//! The kinds of alert beside anomalies: what is known of a series, and what a row says.

use serde::{Deserialize, Serialize};

use super::alerts::{Scene, Sign, step_kind};
use super::series::Series;
use super::spec::StreamSpec;
use crate::alert::{AlertState, Skew, Stuck, Switches, Transition};
use crate::record::{AlertKind, Contribution, Direction, EventTime, Outbox, WindowSpan};
use crate::window::ClosedRow;

/// Before all time, for series of states that did not note when they began.
const LONG_AGO: EventTime = EventTime::from_millis(i64::MIN / 4);

/// What is watched of a series beside its windows.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Watch {
    /// Event time of its first and newest record, offset of the newest.
    pub first_seen: Option<EventTime>,
    pub last_seen: Option<EventTime>,
    pub last_offset: i64,
    /// Event time of the newest record with a value; of states of before there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_at: Option<EventTime>,
    /// Event time of the partition when a record of it came that was late, ahead or known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spoke_at: Option<EventTime>,
    #[serde(skip_serializing_if = "AlertState::is_blank")]
    pub stale: AlertState,
    /// Where the silence of the stale alert began, and when it was looked at last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<EventTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<EventTime>,
    #[serde(skip_serializing_if = "AlertState::is_blank")]
    pub stuck: AlertState,
    #[serde(skip_serializing_if = "Stuck::is_empty")]
    pub runs: Stuck,
    #[serde(skip_serializing_if = "AlertState::is_blank")]
    pub range: AlertState,
    /// Channels that were out of range in the newest row in which any was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<usize>,
    #[serde(skip_serializing_if = "AlertState::is_blank")]
    pub clock: AlertState,
    #[serde(skip_serializing_if = "Skew::is_empty")]
    pub skew: Skew,
    /// The newest row is stuck or out of range.
    #[serde(skip)]
    pub alarm: bool,
    /// When the silence of the series is looked at next; follows from the rest.
    #[serde(skip)]
    pub due: Option<EventTime>,
    /// The same, for what ends when a series sends nothing more.
    #[serde(skip)]
    pub gone_due: Option<EventTime>,
}

impl Watch {
    /// Takes note of a record that found its row.
    pub fn note(&mut self, time: EventTime, offset: i64, (rows, observed): (u64, bool)) {
        if observed {
            self.value_at = self.value_at.max(Some(time));
        }
        if self.first_seen.is_none() {
            self.first_seen = Some(if rows > 0 { LONG_AGO } else { time });
        }
        self.last_seen = self.last_seen.max(Some(time));
        self.last_offset = self.last_offset.max(offset);
    }

    /// The rows say something that must not be learned, whether it may be told or not.
    pub fn is_faulty(&self) -> bool {
        self.alarm || self.stuck.episode().is_some() || self.range.episode().is_some()
    }

    /// This state for a stream of `channels` channels.
    pub fn fitting(self, channels: usize) -> Self {
        let outside = self.outside.into_iter().filter(|c| *c < channels).collect();
        Self { runs: self.runs.fitting(channels), outside, ..self }
    }

    /// Whether the series is old enough for alerts.
    pub fn is_settled(&self, spec: &StreamSpec, time: EventTime) -> bool {
        let delay = spec.alert.new_entity_delay;
        delay.get() == 0 || self.first_seen.is_none_or(|first| first + delay <= time)
    }
}

impl Series {
    /// The state of a kind.
    pub(super) fn state(&mut self, kind: AlertKind) -> &mut AlertState {
        match kind {
            AlertKind::Anomaly => &mut self.alert,
            AlertKind::Stale => &mut self.watch.stale,
            AlertKind::Stuck => &mut self.watch.stuck,
            AlertKind::OutOfRange => &mut self.watch.range,
            AlertKind::ClockSkew => &mut self.watch.clock,
        }
    }

    /// The states of all kinds.
    pub(super) fn states(&self) -> [&AlertState; 5] {
        let watch = &self.watch;
        [&self.alert, &watch.stale, &watch.stuck, &watch.range, &watch.clock]
    }
}

/// Looks for stuck channels and values out of range in a closed row.
pub(super) fn watch_row(
    scene: &Scene<'_>,
    series: &mut Series,
    row: &ClosedRow,
    switches: Switches,
    out: &mut Outbox,
) {
    let spec = scene.spec;
    series.watch.alarm = false;
    // What goes on ends, too, if it is watched no longer.
    let stuck = spec.alert.stuck_after > 0 || series.watch.stuck.episode().is_some();
    let range = !spec.data_ranges.is_empty() || series.watch.range.episode().is_some();
    if !stuck && !range {
        return;
    }
    let seen = Seen {
        span: WindowSpan {
            start: row.start,
            end: spec.rows.step.row_of(row.start).1,
            completeness: observed_share(&row.values),
        },
        offsets: (row.first_offset, row.last_offset),
        switches,
    };
    if stuck {
        watch_stuck(scene, series, row, &seen, out);
    }
    if range {
        watch_range(scene, series, row, &seen, out);
    }
}

/// What the signs of one row have in common.
struct Seen {
    span: WindowSpan,
    offsets: (i64, i64),
    switches: Switches,
}

impl Seen {
    fn sign(&self, kind: AlertKind, score: f64, top: Vec<Contribution>) -> Sign {
        let (span, offsets, switches) = (self.span, self.offsets, self.switches);
        let direction = (kind == AlertKind::OutOfRange).then(|| top.first().map(side)).flatten();
        Sign { kind, score, span, offsets, switches, direction, top }
    }
}

fn side(part: &Contribution) -> Direction {
    if part.y > part.upper { Direction::Above } else { Direction::Below }
}

fn watch_stuck(
    scene: &Scene<'_>,
    series: &mut Series,
    row: &ClosedRow,
    seen: &Seen,
    out: &mut Outbox,
) {
    let after = scene.spec.alert.stuck_after;
    let score = if after > 0 { series.watch.runs.step(after, &row.values) } else { 0.0 };
    series.watch.alarm |= score >= 1.0;
    if score < 1.0 && series.watch.stuck.episode().is_none() {
        return;
    }
    let part = |(channel, y): (usize, &f64)| {
        let part = if score > 0.0 { series.watch.runs.score(after, channel) } else { 0.0 };
        let none = f64::NAN;
        let share = if part < 1.0 { 0.0 } else { part };
        Contribution { channel, y: *y, yhat: none, lower: none, upper: none, share }
    };
    let top = shared_out(row.values.iter().enumerate().map(part).collect());
    let sign = seen.sign(AlertKind::Stuck, score, top);
    if step_kind(scene, series, sign, out) == Transition::Accepted {
        series.watch.runs.accept();
    }
}

fn watch_range(
    scene: &Scene<'_>,
    series: &mut Series,
    row: &ClosedRow,
    seen: &Seen,
    out: &mut Outbox,
) {
    let ranges = row.values.iter().zip(&scene.spec.data_ranges).enumerate();
    let outside = ranges.filter_map(|(channel, (y, range))| {
        let [lower, upper] = (*range)?;
        let excess = (lower - y).max(y - upper);
        // A missing value is nowhere.
        let yhat = y.clamp(lower, upper);
        (excess > 0.0).then(|| Contribution {
            channel,
            y: *y,
            yhat,
            lower,
            upper,
            share: 1.0 + excess / (upper - lower),
        })
    });
    let outside: Vec<Contribution> = outside.collect();
    series.watch.alarm |= !outside.is_empty();
    if outside.is_empty() {
        // Where a value is that is missing nobody knows.
        let missing = |c: &usize| row.values.get(*c).is_none_or(|y| y.is_nan());
        let unknown = series.watch.outside.iter().any(missing);
        if series.watch.range.episode().is_none() || unknown {
            return;
        }
    } else {
        series.watch.outside = outside.iter().map(|part| part.channel).collect();
    }
    let score = outside.iter().map(|part| part.share).fold(0.0, f64::max);
    let sign = seen.sign(AlertKind::OutOfRange, score, shared_out(outside));
    step_kind(scene, series, sign, out);
}

/// The parts that have a share, largest first, with shares that sum to 1.
fn shared_out(mut parts: Vec<Contribution>) -> Vec<Contribution> {
    parts.retain(|part| part.share > 0.0);
    let sum: f64 = parts.iter().map(|part| part.share).sum();
    parts.iter_mut().for_each(|part| part.share /= sum);
    parts.sort_by(|a, b| b.share.total_cmp(&a.share));
    parts
}

fn observed_share(values: &[f64]) -> f64 {
    let observed = values.iter().filter(|value| !value.is_nan()).count();
    observed as f64 / values.len().max(1) as f64
}
