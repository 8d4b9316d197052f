use std::sync::Arc;

use super::store::Store;
use super::*;
use crate::record::{AlertKind, EventTime, OpenAlert, Outbox, RowScore, Severity};

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
    history.take(0, &News { outbox: &outbox, alerts, forecasts, models });
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

#[test]
fn alerts_of_an_earlier_life_are_open_until_their_series_is_calm() {
    let history = History::new(HistoryParams { rows: 10, bytes_max: 1 << 20 }, vec![1]);
    let (kind, severity) = (AlertKind::Stale, Severity::Warning);
    let open = OpenAlert {
        alert_id: "a-1".into(),
        kind,
        severity,
        entity: Arc::from("x"),
        starts_at: at(3),
        sequence: 0,
        model_version: 0,
    };
    let load = Load { at: at(0), lag: 0.0, rate: 0.0 };
    history.align(0, &[open], load);
    history.read(|store| assert!(store.alert("a-1").is_some_and(AlertEntry::is_open)));
    history.align(0, &[], load);
    history.read(|store| assert!(store.alert("a-1").is_none()));
}
