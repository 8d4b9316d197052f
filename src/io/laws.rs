//! What every [`Log`] must do, run over each implementation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{DeliverError, Log, LogEvent, OutMessage, Part, Place};

/// Partitions of the topic `input` that a world starts with.
pub(super) const PARTITIONS: i32 = 3;

/// Longer than any healthy wait; only a broken implementation gets here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with the topics `input` ([`PARTITIONS`] partitions) and `output`.
pub(super) trait World {
    /// Appends records to `input`.
    fn produce(&mut self, records: Vec<OutMessage>);
    /// Joins the one group, which reads `input` from the beginning.
    fn open(&mut self) -> Box<dyn Log>;
    /// The next `deliver` cannot write.
    fn fail_next_deliver(&mut self);
    /// The values in `output`, at least `count` of them.
    fn written(&mut self, count: usize) -> Vec<Vec<u8>>;
}

/// Offset, key, value, headers.
type Seen = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Vec<u8>)>);

pub(super) fn record(partition: i32, text: &str) -> OutMessage {
    OutMessage {
        topic: "input".into(),
        partition: Some(partition),
        key: Some(format!("key {text}").into_bytes()),
        payload: Some(text.as_bytes().to_vec()),
        headers: vec![("h".into(), text.as_bytes().to_vec()), ("empty".into(), Vec::new())],
    }
}

fn output(text: &str) -> OutMessage {
    OutMessage { topic: "output".into(), partition: None, ..record(0, text) }
}

/// Begins to read assigned partitions where the group has committed.
pub(super) fn start(log: &mut dyn Log, places: Vec<Place>) {
    let from = |place: Place| {
        let committed = log.committed(&place.0, place.1).unwrap();
        let next = committed.unwrap_or_else(|| log.bounds(&place.0, place.1).unwrap().low);
        (place, next)
    };
    let starts: Vec<_> = places.into_iter().map(from).collect();
    log.start(&starts).unwrap();
}

/// Polls until `count` messages were seen; checks that they come in order.
pub(super) fn take(log: &mut dyn Log, count: usize) -> BTreeMap<i32, Vec<Seen>> {
    let mut seen = BTreeMap::<i32, Vec<Seen>>::new();
    let (mut total, began) = (0, Instant::now());
    while total < count {
        assert!(began.elapsed() < PATIENCE, "saw {total} of {count}");
        let (mut arriving, mut leaving) = (Vec::new(), Vec::new());
        total += log
            .poll(count - total, Duration::from_millis(200), &mut |event| match event {
                LogEvent::Assigned(places) => arriving.extend(places.iter().cloned()),
                LogEvent::Revoking(places) => leaving.extend(places.iter().cloned()),
                LogEvent::Lost(_) => {}
                LogEvent::Gone { place, .. } => panic!("{place:?} is gone"),
                LogEvent::Message(m) => {
                    assert!(m.timestamp_ms.is_some());
                    let [key, value] = [m.key, m.payload].map(|bytes| bytes.map(<[u8]>::to_vec));
                    let of_partition = seen.entry(m.partition).or_default();
                    of_partition.push((m.offset, key, value, m.headers.to_vec()));
                }
            })
            .unwrap();
        if !arriving.is_empty() {
            start(log, arriving);
        }
        if !leaving.is_empty() {
            log.release(&leaving).unwrap();
        }
    }
    for (partition, records) in &seen {
        let offsets: Vec<i64> = records.iter().map(|record| record.0).collect();
        assert!(offsets.windows(2).all(|two| two[0] < two[1]), "{partition}: {offsets:?}");
    }
    seen
}

fn values(seen: &BTreeMap<i32, Vec<Seen>>) -> Vec<String> {
    let text = |record: &Seen| String::from_utf8(record.2.clone().unwrap_or_default()).unwrap();
    seen.values().flatten().map(text).collect()
}

/// A part of partition `partition` of `input`.
pub(super) fn part(partition: i32, next_offset: Option<i64>, outputs: Vec<OutMessage>) -> Part {
    Part { topic: "input".into(), partition, next_offset, outputs, state: Vec::new() }
}

/// The positions behind what was seen, the first with `outputs`.
fn after(seen: &BTreeMap<i32, Vec<Seen>>, mut outputs: Vec<OutMessage>) -> Vec<Part> {
    let next = |(&partition, records): (&i32, &Vec<Seen>)| {
        let next = records.last().map(|record| record.0 + 1);
        part(partition, next, std::mem::take(&mut outputs))
    };
    seen.iter().map(next).collect()
}

fn numbered(range: std::ops::Range<i32>) -> Vec<OutMessage> {
    range.map(|n| record(n % PARTITIONS, &format!("{n:03}"))).collect()
}

/// What is produced is seen once, in order, with key, headers and tombstones, and lag falls to 0.
pub(super) fn everything_is_seen_in_order(mut world: impl World) {
    let mut records = numbered(0..60);
    records.push(OutMessage { payload: None, key: None, headers: Vec::new(), ..record(1, "") });
    world.produce(records.clone());
    let mut log = world.open();
    let seen = take(&mut *log, records.len());
    for (partition, seen) in &seen {
        let sent = records.iter().filter(|sent| sent.partition == Some(*partition));
        let sent: Vec<_> =
            sent.map(|s| (s.key.clone(), s.payload.clone(), s.headers.clone())).collect();
        let seen: Vec<_> = seen.iter().cloned().map(|(_, key, value, h)| (key, value, h)).collect();
        assert_eq!(seen, sent, "partition {partition}");
    }
    let start = Instant::now();
    loop {
        let lag = log.lag();
        if lag.len() == PARTITIONS as usize && lag.iter().all(|(_, _, records)| *records == 0) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{lag:?}");
        assert_eq!(log.poll(10, Duration::from_millis(50), &mut |_| ()).unwrap(), 0);
    }
    log.close();
    assert_eq!(log.poll(10, Duration::ZERO, &mut |_| ()).unwrap(), 0);
}

/// The group goes on at the committed position: delivered records are not read again, others are.
pub(super) fn the_group_resumes_where_it_delivered(mut world: impl World) {
    world.produce(numbered(0..30));
    let mut log = world.open();
    let first = take(&mut *log, 30);
    log.deliver(&after(&first, vec![output("a"), output("b")])).unwrap();
    world.produce(numbered(30..36));
    assert_eq!(values(&take(&mut *log, 6)).len(), 6);
    log.close();
    drop(log);
    let mut log = world.open();
    let again = take(&mut *log, 6);
    assert_eq!(values(&again), ["030", "033", "031", "034", "032", "035"]);
    log.deliver(&after(&again, Vec::new())).unwrap();
    log.close();
    let mut written = world.written(2);
    written.sort();
    assert_eq!(written, [b"a".to_vec(), b"b".to_vec()]);
}

/// A failed `deliver` leaves the positions, and the log works on.
pub(super) fn a_failed_deliver_moves_nothing(mut world: impl World) {
    world.produce(numbered(0..12));
    let mut log = world.open();
    let seen = take(&mut *log, 12);
    world.fail_next_deliver();
    let error = log.deliver(&after(&seen, vec![output("a"), output("b")])).unwrap_err();
    assert!(matches!(error, DeliverError::Again(_)), "{error}");
    log.close();
    drop(log);
    let mut log = world.open();
    let again = take(&mut *log, 12);
    assert_eq!(values(&again), values(&seen));
    log.deliver(&after(&again, vec![output("c")])).unwrap();
    log.close();
    assert!(world.written(1).contains(&b"c".to_vec()));
}
