//! What happened, as counts: the engine adds, telemetry turns them into metrics.

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It is part of an open row.
    Placed,
    /// Its row was open and already had a value from the same instant: the new one won.
    Replaced,
    /// Same series and instant as a row already closed: ignored.
    Duplicate,
    /// Behind the watermark: ignored.
    Late,
    /// Ahead of the allowed clock: ignored, the watermark did not move.
    Ahead,
    /// A new series over `series_max`: ignored.
    SeriesLimit,
}

/// What closed a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The watermark passed its end.
    Watermark,
    /// Its partition was silent for long enough, or its file ended.
    Idle,
    /// Its series held too many open rows.
    Flush,
}

/// Counts since the outbox was last cleared.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Facts {
    /// Records pushed.
    pub records: u64,
    /// Records behind the watermark.
    pub late: u64,
    /// Records of an instant that was already closed or replaced.
    pub duplicates: u64,
    /// Records ahead of the allowed clock.
    pub ahead: u64,
    /// Records of new series over the limit.
    pub series_refused: u64,
    /// Rows closed with at least one observed channel.
    pub rows: u64,
    /// Rows inserted for gaps, with nothing observed.
    pub gap_rows: u64,
    /// Windows that became complete, by the [`Trigger`] that closed their newest row.
    pub windows_closed: [u64; 3],
    /// Windows scored.
    pub windows_scored: u64,
    /// Windows not learned from: their series was firing, or maintenance forbade it.
    pub windows_quarantined: u64,
    /// Verdicts put into effect, by [`super::Verdict::ALL`].
    pub verdicts: [u64; 4],
    /// Drifts found, by [`super::DriftLevel::ALL`].
    pub drifts: [u64; 3],
    /// Training steps (minibatches).
    pub train_steps: u64,
    /// Training steps refused because a gradient or weight was not finite.
    pub train_diverged: u64,
    /// Refreshes that were due and not allowed.
    pub refreshes_held: u64,
    /// Sum of the training loss over `train_steps`, for the mean.
    pub train_loss_sum: f64,
    /// Alerts opened, by kind (in the order of `AlertKind::ALL`) and severity (warning, critical).
    pub alerts_opened: [[u64; 2]; 5],
    /// Alerts suppressed, by reason (in the order of `AlertReason::SUPPRESSED`).
    pub alerts_suppressed: [u64; 2],
    /// Alerts closed, by reason (in the order of `AlertReason::CLOSED`).
    pub alerts_closed: [u64; super::AlertReason::CLOSED.len()],
    /// Anomaly alerts that the budget allows the live series for the event time that passed.
    pub alerts_allowed: f64,
    /// Features emitted.
    pub features: u64,
    /// Forecast records emitted.
    pub forecasts: u64,
    /// Seasons found, for the log.
    pub seasons_found: Vec<super::FoundSeasons>,
    /// Anomaly score of each scored window, for a histogram (one entry a window).
    pub anomaly_scores: Vec<f32>,
    /// Observed share of each scored window, for a histogram.
    pub completeness: Vec<f32>,
    /// Seconds of event time that each late record lies behind the watermark, for a histogram.
    pub lateness: Vec<f32>,
}

impl Facts {
    /// Adds the counts of alerts of others.
    pub fn add_alerts(&mut self, others: &Self) {
        let opened = self.alerts_opened.iter_mut().zip(&others.alerts_opened);
        opened.for_each(|(all, more)| all.iter_mut().zip(more).for_each(|(a, b)| *a += b));
        let suppressed = self.alerts_suppressed.iter_mut().zip(&others.alerts_suppressed);
        suppressed.for_each(|(a, b)| *a += b);
        let closed = self.alerts_closed.iter_mut().zip(&others.alerts_closed);
        closed.for_each(|(a, b)| *a += b);
    }
}
