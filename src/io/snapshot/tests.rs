//! Laws of the state topic: compaction and crashes change nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::io::OutMessage;
use crate::record::EventTime;

fn writer(topic: &str) -> SnapshotWriter {
    SnapshotWriter::new("state", "press", topic, 3)
}

fn fingerprint() -> BTreeMap<String, String> {
    BTreeMap::from([("model.latent".to_owned(), "8".to_owned())])
}

fn entry(next_offset: i64, time: i64) -> JournalEntry {
    let time = EventTime::from_millis(time);
    JournalEntry { next_offset, kind: JournalKind::CloseUntil { time } }
}

/// Bytes that do not compress, so that there are several chunks.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn read(topic: &str, log: &[OutMessage]) -> Result<Stored, StateError> {
    let mut reader = SnapshotReader::new("state", "press", topic, 3);
    for (offset, record) in log.iter().enumerate() {
        let key = record.key.as_deref().unwrap_or_default();
        reader.take(key, record.payload.as_deref(), offset as i64);
    }
    reader.finish()
}

fn state(topic: &str, log: &[OutMessage]) -> Recovered {
    match read(topic, log) {
        Ok(Stored::State(recovered)) => *recovered,
        other => panic!("{other:?}"),
    }
}

/// Keeps the last record of each key among the first `until`, as compaction may at any time;
/// tombstones go, too.
fn compact(log: &[OutMessage], until: usize) -> Vec<OutMessage> {
    let (old, new) = log.split_at(until.min(log.len()));
    let last = |i: usize| old[i + 1..].iter().all(|later| later.key != old[i].key);
    let kept = (0..old.len()).filter(|i| last(*i) && old[*i].payload.is_some());
    kept.map(|i| old[i].clone()).chain(new.iter().cloned()).collect()
}

#[test]
fn what_was_written_is_read_back() {
    let mut writer = writer("in");
    let bytes = noise(1_300_000, 7);
    let mut log = writer.snapshot(42, &bytes, &fingerprint());
    assert_eq!(log.len(), 3 + 1);
    assert!(log.iter().all(|record| record.partition == Some(3) && record.topic == "state"));
    log.push(writer.journal(entry(42, 1_000)));
    log.push(writer.journal(entry(42, 2_000)));
    let recovered = state("in", &log);
    assert_eq!((recovered.manifest.next_offset, recovered.manifest.chunks), (42, 3));
    assert_eq!(recovered.bytes, bytes);
    assert_eq!(recovered.journal, [entry(42, 1_000), entry(42, 2_000)]);
    assert_eq!(recovered.writer, writer, "it goes on where the first one stopped");
    assert_eq!(recovered.manifest.fingerprint, fingerprint());
    assert!(matches!(read("other", &log), Ok(Stored::Nothing(_))));
    let (_, tombstones) = SnapshotReader::new("state", "press", "in", 3).reset();
    assert_eq!(tombstones.len(), 1);
}

#[test]
fn a_damaged_state_says_what_is_wrong() {
    let mut writer = writer("in");
    let log = writer.snapshot(42, &noise(1_300_000, 7), &fingerprint());
    let fault = |log: &[OutMessage]| read("in", log).expect_err("damaged").to_string();
    assert_eq!(fault(&log[1..]), "state/3: `in/3/chunk/1/0` is missing");
    let mut changed = log.clone();
    changed[1].payload.as_mut().unwrap()[5] ^= 1;
    assert_eq!(
        fault(&changed),
        "state/3: the snapshot that `in/3/manifest` describes is damaged: the checksum differs"
    );
    let mut unread = log.clone();
    unread[3].payload = Some(b"{}".to_vec());
    let text = fault(&unread);
    assert!(
        text.starts_with("state/3, offset 3: `in/3/manifest` does not read: missing"),
        "{text}"
    );
    let mut newer = log.clone();
    let manifest = String::from_utf8(newer[3].payload.clone().unwrap()).unwrap();
    newer[3].payload = Some(manifest.replace(r#""format":1"#, r#""format":9"#).into_bytes());
    assert_eq!(
        fault(&newer),
        "state/3: `in/3/manifest` is of format 9, this latentd reads up to 1"
    );
    let mut journal = log.clone();
    let mut unknown = writer.journal(entry(42, 1));
    unknown.payload = Some(br#"{"next_offset":42,"kind":"rewind"}"#.to_vec());
    journal.push(unknown);
    assert!(fault(&journal).contains("unknown variant `rewind`"), "{}", fault(&journal));
}

#[test]
fn a_crash_before_the_manifest_leaves_the_old_state_and_its_rests_are_swept_away() {
    let mut writer = writer("in");
    let mut log = writer.snapshot(10, b"first", &fingerprint());
    let cut = writer.snapshot(20, &noise(1_300_000, 3), &fingerprint());
    log.extend_from_slice(&cut[..2]);
    let recovered = state("in", &log);
    assert_eq!((recovered.manifest.next_offset, recovered.bytes.as_slice()), (10, &b"first"[..]));
    let mut writer = recovered.writer;
    // What happens after the restart belongs to the state that was found.
    log.push(writer.journal(entry(12, 5)));
    let again = state("in", &log);
    assert_eq!(again.journal, [entry(12, 5)]);
    assert_eq!(again.writer, writer);
    log.extend(writer.snapshot(30, b"third", &fingerprint()));
    let kept = compact(&log, log.len());
    assert_eq!(kept.len(), 2, "a chunk and a manifest");
    assert_eq!(state("in", &kept).bytes, b"third");
}

#[test]
fn a_reset_that_is_cut_off_leaves_no_half_state() {
    let mut writer = writer("in");
    let log = writer.snapshot(10, &noise(1_300_000, 3), &fingerprint());
    let mut reader = SnapshotReader::new("state", "press", "in", 3);
    for (offset, record) in log.iter().enumerate() {
        reader.take(record.key.as_deref().unwrap(), record.payload.as_deref(), offset as i64);
    }
    let (_, tombstones) = reader.reset();
    assert_eq!(tombstones.len(), 4);
    for cut in 1..=tombstones.len() {
        let mut log = log.clone();
        log.extend_from_slice(&tombstones[..cut]);
        assert!(matches!(read("in", &log), Ok(Stored::Nothing(_))), "cut after {cut}");
    }
}

fn reader_of_all(log: &[OutMessage]) -> SnapshotReader {
    let mut reader = SnapshotReader::new("state", "press", "in", 3).of_all();
    for (offset, record) in log.iter().enumerate() {
        let key = record.key.as_deref().unwrap_or_default();
        reader.take(key, record.payload.as_deref(), offset as i64);
    }
    reader
}

#[test]
fn older_snapshots_are_kept_at_powers_of_two_with_the_journal_since() {
    const RUNGS: u32 = 6;
    let mut writer = writer("in");
    writer.keep(RUNGS);
    let mut log = Vec::new();
    for now in 1..=200_i64 {
        log.extend(writer.snapshot(10 * now, format!("state {now}").as_bytes(), &fingerprint()));
        log.push(writer.journal(entry(10 * now + 5, now)));
        log = compact(&log, log.len());
        let reader = reader_of_all(&log);
        let mut kept: Vec<i64> = Vec::new();
        while let Some(older) = reader.older(kept.last().map_or(now, |s| *s) as u64, |_| true) {
            let sequence = older.manifest.sequence as i64;
            assert_eq!(older.bytes, format!("state {sequence}").as_bytes());
            let until = kept.last().copied().unwrap_or(now);
            let journal: Vec<_> = (sequence..until).map(|s| entry(10 * s + 5, s)).collect();
            assert_eq!(older.journal, journal, "of {sequence} at {now}");
            kept.push(sequence);
        }
        assert!(kept.len() <= RUNGS as usize, "{kept:?} at {now}");
        for age in 1..now.min(1 << (RUNGS - 1)) {
            let from = reader.older(u64::MAX, |state| state.next_offset <= 10 * (now - age));
            let found = now - from.expect("kept").manifest.sequence as i64;
            assert!((age..4 * age).contains(&found), "{found} of {age} at {now}");
        }
        assert_eq!(state("in", &log).bytes, format!("state {now}").as_bytes());
    }
    // A restart goes on with what there is, and another length of it sweeps up.
    let mut writer = state("in", &log).writer;
    writer.keep(1);
    log.extend(writer.snapshot(3_000, b"last", &fingerprint()));
    assert_eq!(compact(&log, log.len()).len(), 2 + 1 + 2 + 1, "two, and a journal of one");
    writer.keep(0);
    log.extend(writer.snapshot(3_001, b"alone", &fingerprint()));
    assert_eq!(compact(&log, log.len()).len(), 2);
}

#[test]
fn a_crash_between_the_manifests_leaves_one_snapshot_out_of_the_history() {
    let mut writer = writer("in");
    writer.keep(4);
    let mut log = writer.snapshot(10, b"first", &fingerprint());
    let cut = writer.snapshot(20, b"second", &fingerprint());
    log.extend_from_slice(&cut[..2]);
    let mut writer = state("in", &log).writer;
    writer.keep(4);
    log.extend(writer.snapshot(30, b"third", &fingerprint()));
    let reader = reader_of_all(&log);
    assert_eq!(reader.older(3, |_| true).map(|older| older.bytes), Some(b"first".to_vec()));
}

proptest! {
    /// Whatever was written about two inputs, and however much of it was compacted.
    #[test]
    fn compaction_changes_nothing(
        steps in proptest::collection::vec((any::<bool>(), 0_usize..3, any::<u64>()), 1..12),
        until in 0_usize..200,
    ) {
        let mut writers = [writer("a"), writer("b")];
        let (mut log, mut expected) = (Vec::new(), [const { None }; 2]);
        for (i, (second, what, seed)) in steps.into_iter().enumerate() {
            let at = usize::from(second);
            if what == 0 && expected[at].is_some() {
                let entry = entry(i as i64, seed as i64);
                log.push(writers[at].journal(entry.clone()));
                let (_, journal): &mut (Vec<u8>, Vec<JournalEntry>) =
                    expected[at].as_mut().expect("checked above");
                journal.push(entry);
            } else {
                let bytes = noise(600_000 * what, seed);
                log.extend(writers[at].snapshot(i as i64, &bytes, &fingerprint()));
                expected[at] = Some((bytes, Vec::new()));
            }
        }
        let log = compact(&log, until);
        for (topic, expected) in ["a", "b"].iter().zip(expected) {
            match (read(topic, &log), expected) {
                (Ok(Stored::State(got)), Some((bytes, journal))) => {
                    prop_assert!(got.bytes == bytes);
                    prop_assert_eq!(got.journal, journal);
                }
                (Ok(Stored::Nothing(_)), None) => {}
                (got, _) => prop_assert!(false, "{:?}", got),
            }
        }
    }
}
