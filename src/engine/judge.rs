//! How unusual a row is: by the errors of the stream's network, or by a detector of its series.

use super::detector::{Eyes, Seen};
use super::explain::contributions;
use super::score::{Context, Scored};
use super::series::Series;
use super::spec::StreamSpec;
use crate::alert::EVIDENCE_MAX;
use crate::record::{Contribution, FaultClass};

/// How unusual a row is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judged {
    pub(super) warming: bool,
    /// Root mean squared residual of the window; largest relative residual of its newest row. Zero
    /// without a window.
    pub(super) errors: [f64; 2],
    /// Ranks rows.
    pub(super) surprise: f64,
    pub(super) p_value: f64,
    pub(super) threshold: f64,
    /// Evidence over threshold.
    pub(super) anomaly_score: f64,
    /// The same to a past that learns all rows, of alerts, too.
    pub(super) news: f64,
    /// What a detector of the series has said.
    pub(super) seen: Option<Seen>,
}

impl Judged {
    /// `-log10` of a chance, 0 to 12.
    pub(super) fn evidence(&self) -> f64 {
        self.anomaly_score * self.threshold
    }

    /// What is shown of a row that is not to be scored.
    pub(super) fn hidden(self) -> Self {
        Self { warming: true, surprise: 0.0, p_value: 1.0, anomaly_score: 0.0, ..self }
    }
}

/// Judges a row by what was known before it; `None` if that needs a window and there is none.
pub(super) fn judge(
    context: &Context<'_>,
    series: &mut Series,
    scored: Option<Scored<'_>>,
    eyes: &mut Eyes,
) -> Option<Judged> {
    let errors = scored.map(|s| series.residuals.errors(s.x, s.xhat, s.spread));
    let threshold = series.threshold.level(&context.spec.alert.allowance());
    let Some(detector) = &mut series.detector else {
        return Some(judge_window(context.spec, series, errors?, threshold));
    };
    let seen = detector.judge(eyes, context.row.start, &context.row.values);
    series.warming = seen.warming;
    Some(Judged {
        warming: seen.warming.is_some(),
        errors: errors.unwrap_or_default(),
        surprise: seen.surprise,
        // The smallest positive f64 keeps what is computed from it finite.
        p_value: 10.0_f64.powf(-seen.evidence).clamp(f64::MIN_POSITIVE, 1.0),
        threshold,
        anomaly_score: seen.evidence.min(EVIDENCE_MAX) / threshold,
        news: seen.news.min(EVIDENCE_MAX) / threshold,
        seen: Some(seen),
    })
}

fn judge_window(spec: &StreamSpec, series: &Series, errors: [f64; 2], threshold: f64) -> Judged {
    if series.windows <= u64::from(spec.model.warmup) {
        return Judged { warming: true, errors, p_value: 1.0, threshold, ..Judged::default() };
    }
    let p = errors.iter().zip(&series.tails).map(|(e, tail)| tail.p_value(*e)).fold(1.0, f64::min);
    // Two looks at one window: Bonferroni.
    let p_value = (2.0 * p).min(1.0);
    // Not `-log10`: a p-value of 1 would print as -0.
    let surprise = 0.0 - p_value.log10();
    let anomaly_score = surprise.min(EVIDENCE_MAX) / threshold;
    Judged { errors, surprise, p_value, threshold, anomaly_score, ..Judged::default() }
}

/// Observed and expected value of every channel, and its part in the surprise.
pub(super) fn explain(
    context: &Context<'_>,
    series: &Series,
    scored: Option<Scored<'_>>,
    judged: &Judged,
) -> Vec<Contribution> {
    match (&series.detector, &judged.seen, scored) {
        (Some(detector), Some(seen), _) => detector.explain(seen, &context.row.values),
        (_, _, Some(scored)) => contributions(series, context.row, scored),
        _ => Vec::new(),
    }
}

/// Whether one sensor or the process seems to be at fault.
pub(super) fn cause(series: &Series) -> Option<FaultClass> {
    series.detector.as_ref().and_then(super::detector::Detector::cause)
}
