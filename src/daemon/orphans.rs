//! Alerts of a state that is dropped: nobody would ever close them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::io::{IoError, Log, Place};
use crate::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, EventTime, Evidence, Severity, WindowSpan,
};

/// The closings of the alerts of an input partition that are open on the compacted topic of open
/// alerts, by alert id. They are asked of this topic, since the state may not be readable.
///
/// # Errors
///
/// [`IoError`] if the broker does not deliver.
pub(super) fn orphans(
    log: &mut dyn Log,
    topic: &str,
    (stream, place): (&str, &Place),
    alive: &dyn Fn(),
) -> Result<Vec<AlertRecord>, IoError> {
    let mut open: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    log.read_topic(topic, &mut |record| {
        alive();
        match record.payload {
            Some(body) => drop(open.insert(record.key.to_vec(), body.to_vec())),
            None => drop(open.remove(record.key)),
        }
    })?;
    let bodies = open.values().filter_map(|body| serde_json::from_slice::<Value>(body).ok());
    let ours = bodies.filter(|body| {
        let evidence = &body["evidence"];
        body["stream"] == stream
            && evidence["topic"] == *place.0
            && evidence["partition"] == place.1
    });
    Ok(ours.filter_map(|body| closing(&body)).collect())
}

/// The record that closes an alert at the end of what it saw last; `None` for what no latentd has
/// written.
fn closing(body: &Value) -> Option<AlertRecord> {
    let time = |value: &Value| value.as_str()?.parse::<EventTime>().ok();
    let (window, evidence) = (&body["window"], &body["evidence"]);
    let window = WindowSpan {
        start: time(&window["start"])?,
        end: time(&window["end"])?,
        completeness: window["completeness"].as_f64()?,
    };
    let severities = [Severity::Warning, Severity::Critical];
    let severity = usize::from(body["severity"] == "critical");
    Some(AlertRecord {
        alert_id: body["alert_id"].as_str()?.to_owned(),
        sequence: u32::try_from(body["sequence"].as_u64()?).ok()?.saturating_add(1),
        change: AlertChange::Closed,
        reason: Some(AlertReason::Reset),
        kind: AlertKind::ALL.into_iter().find(|kind| body["kind"] == kind.word())?,
        severity: severities[severity],
        direction: None,
        entity: Arc::from(body["entity"].as_str()?),
        starts_at: time(&body["starts_at"])?,
        ends_at: Some(window.end),
        window,
        surprise: f64::NAN,
        p_value: f64::NAN,
        anomaly_score: 0.0,
        threshold: f64::NAN,
        top: Vec::new(),
        model_version: body["model"]["version"].as_str()?.parse().ok()?,
        evidence: Evidence {
            partition: i32::try_from(evidence["partition"].as_i64()?).ok()?,
            from_offset: evidence["from_offset"].as_i64()?,
            to_offset: evidence["to_offset"].as_i64()?,
        },
        cause: None,
        p_true: None,
    })
}
