//! Why a window is unusual, in the units of its channels.

use super::ids;
use super::judge::Judged;
use super::score::{Context, Scored};
use super::series::Series;
use crate::alert::{AlertParams, DetectionDirection, Firing};
use crate::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, Contribution, Direction, SeriesKey,
};
use crate::window::ClosedRow;

/// Observed and expected value of every channel of the newest row, and its part in the error.
pub(super) fn contributions(
    series: &Series,
    row: &ClosedRow,
    scored: Scored<'_>,
) -> Vec<Contribution> {
    let scaler = &series.scaler;
    let parts = series.residuals.explain(scored.x, scored.xhat);
    parts
        .zip(&row.values)
        .enumerate()
        .map(|(channel, (part, y))| Contribution {
            channel,
            y: *y,
            yhat: scaler.unscale(channel, part.xhat),
            lower: scaler.unscale(channel, part.xhat - part.band),
            upper: scaler.unscale(channel, part.xhat + part.band),
            share: f64::from(part.share),
        })
        .collect()
}

/// Whether direction and smallest deviation let the top channel open an alert.
pub(super) fn is_eligible(params: &AlertParams, channels: &[Contribution]) -> bool {
    let Some(top) = top_channel(channels) else { return true };
    let deviation = top.y - top.yhat;
    if params.min_dev_from_expected > 0.0 && deviation.abs() < params.min_dev_from_expected {
        return false;
    }
    if params.min_rel_dev_from_expected > 0.0
        && deviation.abs() < params.min_rel_dev_from_expected * top.yhat.abs()
    {
        return false;
    }
    match params.direction {
        DetectionDirection::Both => true,
        DetectionDirection::AboveExpected => deviation > 0.0,
        DetectionDirection::BelowExpected => deviation < 0.0,
    }
}

/// The channel with the largest part in the error.
pub(super) fn top_channel(channels: &[Contribution]) -> Option<&Contribution> {
    channels.iter().max_by(|a, b| a.share.total_cmp(&b.share))
}

/// The record of a change in the life of an alert.
pub(super) fn alert_record(
    context: &Context<'_>,
    entity: &SeriesKey,
    judged: &Judged,
    channels: &[Contribution],
    (change, reason): (AlertChange, Option<AlertReason>),
    alert: &Firing,
) -> AlertRecord {
    let direction = top_channel(channels)
        .filter(|top| !top.y.is_nan())
        .map(|top| if top.y >= top.yhat { Direction::Above } else { Direction::Below });
    let mut top = channels.to_vec();
    top.sort_by(|a, b| b.share.total_cmp(&a.share));
    top.truncate(context.spec.alert.top);
    AlertRecord {
        alert_id: ids::kind_alert_id(
            &context.spec.name,
            entity,
            alert.starts_at,
            AlertKind::Anomaly,
        ),
        sequence: alert.sequence,
        change,
        reason,
        kind: AlertKind::Anomaly,
        severity: alert.severity,
        direction,
        entity: entity.clone(),
        starts_at: alert.starts_at,
        ends_at: (change == AlertChange::Closed).then_some(context.span.end),
        window: context.span,
        surprise: judged.surprise,
        p_value: judged.p_value,
        anomaly_score: judged.anomaly_score,
        threshold: judged.threshold,
        top,
        model_version: context.model_version,
        evidence: context.evidence,
        cause: None,
        p_true: None,
    }
}
