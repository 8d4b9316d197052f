//! Alerts against the truth: which faults were found, which alerts were false alarms.

use std::collections::HashMap;

use serde::Serialize;

use crate::record::{EventTime, Millis, SeriesKey};
use crate::sim::{Fault, FaultKind};

/// An alert as it was read back from its topic.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenAlert {
    /// Name of the stream.
    pub stream: String,
    /// Machine or shop.
    pub entity: SeriesKey,
    /// When it began, in event time.
    pub starts_at: EventTime,
}

/// Faults of one kind, and how many of them an alert found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindScore {
    /// Kind.
    pub kind: FaultKind,
    /// Faults that were over in the part of the simulation that was processed.
    pub injected: u64,
    /// Those with an alert.
    pub found: u64,
    /// Median event time from the start of a found fault to its first alert, in minutes.
    pub median_delay_minutes: Option<f64>,
}

/// The verdict on all alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// One entry per kind, in the order of [`FaultKind::ALL`].
    pub kinds: Vec<KindScore>,
    /// Alerts that belong to no fault, by stream.
    pub false_alarms: HashMap<String, u64>,
}

/// Matches alerts to faults.
///
/// An alert that starts in `[start, end + grace]` of a fault of its entity finds the fault; more
/// alerts on the same fault count for nothing. Any other alert is a false alarm. A fault that
/// ends after `until` is not counted, but an alert on it is no false alarm either.
pub fn match_alerts(
    faults: &[Fault],
    alerts: &[SeenAlert],
    grace: Millis,
    until: EventTime,
) -> Matched {
    let mut first: Vec<Option<EventTime>> = vec![None; faults.len()];
    let mut false_alarms = HashMap::new();
    for alert in alerts {
        match faults.iter().position(|fault| belongs(alert, fault, grace)) {
            Some(i) => {
                let earliest = first[i].map_or(alert.starts_at, |seen| seen.min(alert.starts_at));
                first[i] = Some(earliest);
            }
            None => *false_alarms.entry(alert.stream.clone()).or_insert(0) += 1,
        }
    }
    let score = |kind| {
        let of_kind =
            |(fault, _): &(&Fault, &Option<EventTime>)| fault.kind == kind && fault.end <= until;
        let pairs: Vec<_> = faults.iter().zip(&first).filter(of_kind).collect();
        let delays = pairs.iter().filter_map(|(fault, first)| {
            first.map(|first| (first - fault.start).get() as f64 / 60_000.0)
        });
        let delays: Vec<f64> = delays.collect();
        KindScore {
            kind,
            injected: pairs.len() as u64,
            found: delays.len() as u64,
            median_delay_minutes: median(delays),
        }
    };
    Matched { kinds: FaultKind::ALL.into_iter().map(score).collect(), false_alarms }
}

fn belongs(alert: &SeenAlert, fault: &Fault, grace: Millis) -> bool {
    alert.entity == fault.entity
        && fault.start <= alert.starts_at
        && alert.starts_at <= fault.end + grace
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> EventTime {
        EventTime::from_millis(minute * MINUTE)
    }

    fn fault(kind: FaultKind, entity: &str, start: i64, end: i64) -> Fault {
        let sensors = vec!["load"];
        Fault { kind, entity: entity.into(), sensors, start: at(start), end: at(end), size: 1.0 }
    }

    fn alert(stream: &str, entity: &str, minute: i64) -> SeenAlert {
        SeenAlert { stream: stream.into(), entity: entity.into(), starts_at: at(minute) }
    }

    fn score(matched: &Matched, kind: FaultKind) -> (u64, u64, Option<f64>) {
        let of = matched.kinds.iter().find(|score| score.kind == kind).expect("every kind");
        (of.injected, of.found, of.median_delay_minutes)
    }

    #[test]
    fn an_alert_in_the_window_finds_the_fault_and_any_other_is_false() {
        let faults = [
            fault(FaultKind::Spike, "a", 100, 110),
            fault(FaultKind::Spike, "b", 100, 110),
            fault(FaultKind::Spike, "c", 100, 110),
            fault(FaultKind::Drift, "a", 500, 600),
        ];
        let alerts = [
            alert("plant", "a", 99),  // too early
            alert("plant", "a", 100), // first instant
            alert("plant", "a", 105), // again: counts for nothing
            alert("plant", "b", 140), // last instant of grace
            alert("plant", "c", 141), // too late
            alert("shops", "a2", 105),
        ];
        let matched = match_alerts(&faults, &alerts, Millis::new(30 * MINUTE), at(1_000));
        assert_eq!(score(&matched, FaultKind::Spike), (3, 2, Some(20.0)));
        assert_eq!(score(&matched, FaultKind::Drift), (1, 0, None));
        assert_eq!(score(&matched, FaultKind::Noise), (0, 0, None));
        assert_eq!(matched.false_alarms["plant"], 2);
        assert_eq!(matched.false_alarms["shops"], 1);
    }

    #[test]
    fn a_fault_that_was_not_over_counts_neither_way() {
        let faults = [fault(FaultKind::Stuck, "a", 100, 200)];
        let alerts = [alert("plant", "a", 120)];
        let matched = match_alerts(&faults, &alerts, Millis::ZERO, at(199));
        assert_eq!(score(&matched, FaultKind::Stuck), (0, 0, None));
        assert!(matched.false_alarms.is_empty());
    }

    #[test]
    fn the_order_of_alerts_does_not_matter_for_the_delay() {
        let faults = [fault(FaultKind::Noise, "a", 0, 50), fault(FaultKind::Noise, "b", 0, 50)];
        let alerts = [alert("p", "a", 40), alert("p", "a", 4), alert("p", "b", 1)];
        let matched = match_alerts(&faults, &alerts, Millis::ZERO, at(50));
        assert_eq!(score(&matched, FaultKind::Noise), (2, 2, Some(2.5)));
    }
}
