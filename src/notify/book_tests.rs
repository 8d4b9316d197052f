use serde_json::{Value, json};

use super::*;
use crate::record::{AlertReason, Contribution, Direction, Evidence, FaultClass, WindowSpan};

const PRESS: PartitionLabels<'_> =
    PartitionLabels { stream: "press", topic: "plant.press", partition: 3 };
const OTHER: PartitionLabels<'_> =
    PartitionLabels { stream: "press", topic: "plant.press", partition: 4 };
const START: i64 = 1_767_225_600_000;

fn at(seconds: i64) -> EventTime {
    EventTime::from_millis(START + seconds * 1_000)
}

fn record(change: AlertChange, severity: Severity, now: i64) -> AlertRecord {
    AlertRecord {
        alert_id: "a-1".into(),
        sequence: 0,
        change,
        reason: (change == AlertChange::Closed).then_some(AlertReason::Calm),
        kind: AlertKind::Anomaly,
        severity,
        direction: Some(Direction::Above),
        entity: "press-07".into(),
        starts_at: at(0),
        ends_at: (change == AlertChange::Closed).then(|| at(now)),
        window: WindowSpan { start: at(now - 10), end: at(now), completeness: 1.0 },
        surprise: 5.0,
        p_value: 0.000_2,
        anomaly_score: 3.4,
        threshold: 1.5,
        top: vec![Contribution {
            channel: 1,
            y: 9.0,
            yhat: 4.6,
            lower: 4.2,
            upper: 5.0,
            share: 1.0,
        }],
        model_version: 42,
        evidence: Evidence { partition: 3, from_offset: 1, to_offset: 8 },
        cause: None,
        p_true: None,
    }
}

fn book(entries_max: usize) -> Book {
    let frame = Frame {
        labels: [("site".to_owned(), "x".to_owned())].into(),
        external_url: Some("https://latentd/".into()),
        runbook_url: None,
        resend: Millis::new(30_000),
    };
    Book::new(frame, entries_max)
}

fn take(book: &mut Book, change: AlertChange, severity: Severity, now: i64) {
    assert!(book.take(PRESS, &record(change, severity, now), &["temp", "flow"]));
}

/// The only message, as JSON.
fn said(book: &Book, now: i64, all: bool) -> Value {
    let messages = book.messages(at(now), all, 500);
    assert!(messages.len() <= 1, "{messages:?}");
    serde_json::to_value(messages.first().map_or(&Vec::new(), |m| &m.alerts)).unwrap()
}

fn accept(book: &mut Book, now: i64) {
    for message in book.messages(at(now), true, 500) {
        book.taken(message);
    }
}

#[test]
fn an_alert_is_told_with_stable_labels_and_an_end_that_lies_ahead() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    let expected = json!([{
        "labels": {"alertname": "LatentdAnomaly", "stream": "press", "entity": "press-07",
                   "kind": "anomaly", "severity": "warning", "site": "x"},
        "annotations": {
            "summary": "press-07: flow above what was expected (score 3.40, p = 0.0002)",
            "description": "flow is 9, expected 4.2 to 5.", "alert_id": "a-1", "model": "press@42"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:02:05Z",
        "generatorURL": "https://latentd/alerts/a-1",
    }]);
    assert_eq!(said(&book, 5, false), expected);
    accept(&mut book, 5);
    assert_eq!((said(&book, 6, false), book.news()), (json!([]), 0), "nothing is new");
    assert_eq!(said(&book, 35, true)[0]["endsAt"], "2026-01-01T00:02:35Z", "told again");
}

#[test]
fn an_end_is_told_until_it_was_taken() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    accept(&mut book, 1);
    take(&mut book, AlertChange::Closed, Severity::Warning, 40);
    for now in [45, 50] {
        assert_eq!(said(&book, now, false)[0]["endsAt"], "2026-01-01T00:00:40Z");
    }
    accept(&mut book, 51);
    assert_eq!(said(&book, 60, true), json!([]));
}

#[test]
fn a_rise_ends_the_old_labels_in_the_same_message() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    accept(&mut book, 1);
    take(&mut book, AlertChange::Updated, Severity::Critical, 20);
    let said = said(&book, 21, false);
    let of = |i: usize| (&said[i]["labels"]["severity"], &said[i]["endsAt"]);
    assert_eq!(of(0), (&json!("warning"), &json!("2026-01-01T00:00:21Z")));
    assert_eq!(of(1), (&json!("critical"), &json!("2026-01-01T00:02:21Z")));
    // However short the messages are.
    assert_eq!(book.messages(at(21), false, 1).len(), 1);
}

#[test]
fn what_changes_while_a_message_is_under_way_stays_news() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    let under_way = book.messages(at(1), false, 500).remove(0);
    take(&mut book, AlertChange::Closed, Severity::Warning, 2);
    take(&mut book, AlertChange::Opened, Severity::Warning, 3);
    book.taken(under_way);
    let said = said(&book, 4, false);
    assert_eq!(said.as_array().map(Vec::len), Some(1), "it goes on under the same labels: {said}");
    assert_eq!(said[0]["endsAt"], "2026-01-01T00:02:04Z");
}

#[test]
fn what_is_suppressed_or_moved_away_is_not_told() {
    let mut book = book(10);
    take(&mut book, AlertChange::Suppressed, Severity::Warning, 0);
    assert_eq!(said(&book, 1, true), json!([]));
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    book.forget(PRESS);
    assert_eq!(said(&book, 1, true), json!([]), "the next owner speaks, and nothing is resolved");
}

#[test]
fn an_end_is_told_though_its_partition_moves_away() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    take(&mut book, AlertChange::Closed, Severity::Warning, 5);
    book.forget(PRESS);
    assert_eq!(said(&book, 6, false)[0]["endsAt"], "2026-01-01T00:00:05Z");
    accept(&mut book, 6);
    assert_eq!(book.news(), 0);
}

#[test]
fn a_restored_partition_is_told_under_the_same_labels() {
    let mut before = book(10);
    take(&mut before, AlertChange::Opened, Severity::Critical, 0);
    let mut after = book(10);
    let open = OpenAlert {
        alert_id: "a-1".into(),
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        entity: "press-07".into(),
        starts_at: at(0),
        sequence: 0,
        model_version: 42,
    };
    assert_eq!(after.restore(PRESS, &[open]), 0);
    let (before, after) = (said(&before, 9, true), said(&after, 9, true));
    for key in ["labels", "startsAt", "endsAt", "generatorURL"] {
        assert_eq!(before[0][key], after[0][key], "{key}");
    }
    let summary = "press-07: anomaly since 2026-01-01T00:00:00Z, known from stored state";
    assert_eq!(after[0]["annotations"]["summary"], summary);
}

#[test]
fn an_end_does_not_silence_the_same_entity_of_another_partition() {
    let mut book = book(10);
    let opened = record(AlertChange::Opened, Severity::Warning, 0);
    assert!(book.take(PRESS, &opened, &["t", "f"]) && book.take(OTHER, &opened, &["t", "f"]));
    accept(&mut book, 1);
    take(&mut book, AlertChange::Closed, Severity::Warning, 5);
    assert_eq!(said(&book, 6, false), json!([]));
    accept(&mut book, 6);
    assert_eq!(book.news(), 0);
}

#[test]
fn a_full_book_refuses_and_long_messages_are_cut() {
    let mut book = book(3);
    let named = |i: usize| AlertRecord {
        entity: format!("m-{i}").into(),
        ..record(AlertChange::Opened, Severity::Warning, 0)
    };
    let fitted = (0..5).filter(|i| book.take(PRESS, &named(*i), &["t", "f"])).count();
    assert_eq!(fitted, 3);
    let lengths: Vec<usize> =
        book.messages(at(1), true, 2).iter().map(|m| m.alerts.len()).collect();
    assert_eq!(lengths, [2, 1]);
}

#[test]
fn clocks_that_disagree_make_no_impossible_times() {
    let mut book = book(10);
    take(&mut book, AlertChange::Opened, Severity::Warning, 0);
    assert_eq!(said(&book, -60, true)[0]["startsAt"], "2025-12-31T23:59:00Z");
    take(&mut book, AlertChange::Closed, Severity::Warning, 30);
    let said = said(&book, -60, true);
    assert_eq!(said[0]["startsAt"], said[0]["endsAt"], "it is over by any clock");
}

/// A line that says of a value that it lies where it was expected would contradict itself.
#[test]
fn a_line_says_what_is_wrong() {
    let mut opened = record(AlertChange::Opened, Severity::Warning, 0);
    let line = |opened: &AlertRecord| crate::notify::opened_line(opened, &["temp", "flow"]);
    assert_eq!(
        line(&opened),
        "2026-01-01T00:00:00Z press-07: flow above what was expected (score 3.40, p = 0.0002): flow is \
         9, expected 4.2 to 5."
    );
    opened.cause = Some(FaultClass::Process);
    assert_eq!(
        line(&opened),
        "2026-01-01T00:00:00Z press-07: its sensors do not go together as they used to (score 3.40, \
         p = 0.0002), most of it in flow"
    );
}
