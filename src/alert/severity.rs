//! How bad an alert is.

use super::LifeParams;
use crate::record::Severity;

/// Severity from the score of a row and from how long the alert has lasted.
///
/// With `s` the score (1 is the threshold; of anomalies as it would be without past alerts, which lift it, see
/// [`Threshold::strength`](super::Threshold::strength)) and `n` the rows since the alert opened:
///
/// - critical if `s >= critical_ratio`, or `s >= 1` and `n >= critical_after > 0`;
/// - else a warning.
///
/// An alert keeps its worst.
pub fn severity(params: &LifeParams, score: f64, rows: u32) -> Severity {
    let lasting = params.critical_after > 0 && rows >= params.critical_after && score >= 1.0;
    if score >= params.critical_ratio || lasting { Severity::Critical } else { Severity::Warning }
}
