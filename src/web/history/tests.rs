use std::sync::Arc;

use super::alerts::ALERTS_MAX;
use super::store::Store;
use super::*;
use crate::record::{
    AlertChange, AlertKind, AlertRecord, EventTime, OpenAlert, Outbox, RowScore, Severity,
};
use crate::web::harness::outbox;

const PLACE: (&str, i32) = ("in", 0);

fn at(second: i64) -> EventTime {
    EventTime::from_millis(1_000 * second)
}

fn rows(entity: &str, range: std::ops::Range<i64>) -> Vec<RowScore> {
    let row = |second| RowScore {
        entity: Arc::from(entity),
        time: at(second),
        surprise: 0.0,
        anomaly_score: 0.0,
        raised: false,
        firing: false,
        warming: false,
        values: Vec::new(),
        channels: Vec::new(),
    };
    range.map(row).collect()
}

fn take(history: &History, rows: Vec<RowScore>) {
    let outbox = Outbox { rows, ..Outbox::default() };
    let (alerts, forecasts, models) = (vec![], vec![], vec![]);
    history.take(0, PLACE, &News { outbox: &outbox, alerts, forecasts, models });
}

fn length(store: &Store, entity: &str) -> Option<usize> {
    store.ring(0, entity).map(|ring| ring.newest(usize::MAX).count())
}

/// A series of one channel takes rows x (24 + 16) bytes: the memory that the documentation promises.
#[test]
fn memory_is_what_is_promised_and_series_give_way_to_those_that_matter() {
    assert_eq!((size_of::<HistoryRow>(), size_of::<Cell>()), (24, 16));
    let room_for_three = 3 * 10 * (24 + 16) + 39;
    let params = HistoryParams { rows: 10, bytes_max: room_for_three };
    let history = History::new(params, vec![1]);
    for entity in ["a", "b", "c", "d"] {
        take(&history, rows(entity, 0..25));
    }
    history.read(|store| {
        assert_eq!(store.held(), (3, 1_200));
        assert_eq!((length(store, "a"), length(store, "d")), (Some(10), None));
    });
    let mut wanted = Vec::new();
    history.wanted(0, |new, wants| {
        assert!(!new, "there is no room for more");
        wanted = ["a", "d"].map(|entity| wants(&Arc::from(entity))).to_vec();
    });
    assert_eq!(wanted, [true, false]);
    // Somebody looks at `a`, then at `d`: another one goes.
    assert!(history.look_at(0, "a") && history.look_at(0, "d"));
    take(&history, rows("d", 25..30));
    history.read(|store| {
        assert_eq!(store.held(), (3, 1_200));
        assert_eq!((length(store, "a"), length(store, "d")), (Some(10), Some(5)));
    });
    let none = History::new(HistoryParams { rows: 10, bytes_max: 0 }, vec![1]);
    take(&none, rows("a", 0..5));
    assert!(!none.look_at(0, "a"));
    none.read(|store| assert_eq!(store.held(), (0, 0)));
}

const LOAD: Load = Load { at: EventTime::from_millis(0), lag: 0.0, rate: 0.0 };

fn open(id: &str) -> OpenAlert {
    OpenAlert {
        alert_id: id.into(),
        kind: AlertKind::Stale,
        severity: Severity::Warning,
        entity: Arc::from("x"),
        starts_at: at(3),
        sequence: 0,
        model_version: 0,
    }
}

/// What the state of the series of some partitions of topic `in` tells.
fn align(history: &History, partitions: &[(i32, &[&str])]) {
    let of = |(number, ids): &(i32, &[&str])| {
        (("in".to_owned(), *number), ids.iter().map(|id| open(id)).collect())
    };
    let partitions: Vec<_> = partitions.iter().map(of).collect();
    history.align(0, &partitions, LOAD);
}

/// Partition 0 tells of alerts that open.
fn tell(history: &History, ids: &[&str]) {
    let opened = |id: &&str| AlertRecord {
        alert_id: (*id).to_owned(),
        change: AlertChange::Opened,
        ends_at: None,
        ..outbox().alerts[0].clone()
    };
    changes(history, ids.iter().map(opened).collect());
}

/// Partition 0 tells of alerts.
fn changes(history: &History, records: Vec<AlertRecord>) {
    let alerts = records.iter().map(|record| Arc::from(&*record.alert_id)).collect();
    let outbox = Outbox { alerts: records, ..Outbox::default() };
    let (forecasts, models) = (vec![], vec![]);
    history.take(0, PLACE, &News { outbox: &outbox, alerts, forecasts, models });
}

fn shown(history: &History) -> Vec<String> {
    let open = |store: &Store| {
        let open = store.alerts().filter(|entry| entry.is_open());
        open.map(|entry| entry.alert_id.clone()).collect()
    };
    history.read(open)
}

fn empty() -> History {
    History::new(HistoryParams { rows: 10, bytes_max: 1 << 20 }, vec![1])
}

#[test]
fn alerts_of_an_earlier_life_are_open_until_their_series_is_calm() {
    let history = empty();
    align(&history, &[(0, &["a-1"])]);
    history.read(|store| assert!(store.alert("a-1").is_some_and(AlertEntry::is_open)));
    align(&history, &[(0, &[])]);
    history.read(|store| assert!(store.alert("a-1").is_none()));
}

#[test]
fn more_open_alerts_than_are_kept_leave_what_was_told_alone() {
    let history = empty();
    let ids: Vec<String> = (0..ALERTS_MAX + 200).map(|i| format!("a-{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    // Some were open when the process began, the others it saw open.
    let (before, told) = ids.split_at(300);
    align(&history, &[(0, before)]);
    tell(&history, told);
    let explained = |store: &Store| store.alerts().filter(|entry| entry.opened.is_some()).count();
    for _ in 0..3 {
        align(&history, &[(0, &ids)]);
        assert_eq!(shown(&history).len(), ALERTS_MAX);
        assert_eq!(history.read(explained), told.len());
    }
}

#[test]
fn open_alerts_end_with_the_stay_of_their_partition() {
    let history = empty();
    tell(&history, &["a-1", "a-2"]);
    align(&history, &[(0, &["a-1", "a-2"]), (1, &["b-1"])]);
    assert_eq!(shown(&history), ["a-2", "a-1", "b-1"]);
    // Another worker knows nothing of partition 0.
    (0..3).for_each(|_| align(&history, &[(2, &[])]));
    assert_eq!(shown(&history), ["a-2", "a-1", "b-1"]);
    // What was told may be ahead of the state for one look, not for two.
    align(&history, &[(0, &["a-1"])]);
    align(&history, &[(0, &["a-1", "a-2"])]);
    align(&history, &[(0, &["a-1"])]);
    assert_eq!(shown(&history), ["a-2", "a-1", "b-1"]);
    align(&history, &[(0, &["a-1"])]);
    assert_eq!(shown(&history), ["a-1", "b-1"]);
    history.left(0, PLACE);
    assert_eq!(shown(&history), ["b-1"]);
}

#[test]
fn alerts_are_ordered_by_their_start_whenever_they_were_heard_of() {
    let history = empty();
    for (id, start) in [("a-2", 20), ("a-3", 30), ("a-1", 10)] {
        let starts_at = at(start);
        let record = outbox().alerts[0].clone();
        let change = AlertChange::Opened;
        let record = AlertRecord { alert_id: id.into(), change, starts_at, ..record };
        changes(&history, vec![record]);
    }
    assert_eq!(shown(&history), ["a-3", "a-2", "a-1"]);
}

#[test]
fn the_highest_score_is_told_only_of_alerts_that_were_seen_from_their_first_record_on() {
    let score = |first: AlertChange| {
        let history = empty();
        for (change, anomaly_score) in [(first, 3.5), (AlertChange::Closed, 0.2)] {
            let record = outbox().alerts[0].clone();
            changes(&history, vec![AlertRecord { change, anomaly_score, ..record }]);
        }
        history.read(|store| store.alerts().next().map(|entry| entry.anomaly_score))
    };
    assert_eq!(score(AlertChange::Opened), Some(3.5));
    assert!(score(AlertChange::Updated).is_some_and(f64::is_nan));
}
