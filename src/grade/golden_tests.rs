//! The figures that the packages which define them give: `tests/it/golden/grade.py`.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::{Corpus, Graded, Profile, Window, average_precision, roc_auc, vus_pr};
use crate::record::EventTime;

const GOLDEN: &str = include_str!("../../tests/it/golden/grade.json");
/// Rows, and first and last row of each window, as in the script.
type File = (i64, &'static [(i64, i64)]);
const FILES: [File; 4] = [
    (900, &[(200, 260), (500, 501)]),
    (400, &[]),
    (6_000, &[(700, 800), (3_000, 3_400), (5_990, 5_999)]),
    (300, &[(0, 30)]),
];

fn golden(pointer: &str) -> f64 {
    let all: Value = serde_json::from_str(GOLDEN).unwrap();
    all.pointer(pointer).and_then(Value::as_f64).expect(pointer)
}

fn assert_close(value: f64, pointer: &str) {
    let expected = golden(pointer);
    let distance = (value - expected).abs() / expected.abs().max(1.0);
    assert!(distance < 1e-10, "{pointer}: {value} is not {expected}");
}

fn score(row: usize, file: usize) -> f64 {
    ((row * 331 + file * 17) % 797) as f64 / 797.0
}

fn add(corpus: &mut Corpus, file: usize, times: &[EventTime], windows: &[Window]) {
    let scores: Vec<f64> = (0..times.len()).map(|row| score(row, file)).collect();
    corpus.add(&file.to_string(), times, &scores, windows).unwrap();
}

fn check(corpus: &Corpus, name: &str) {
    for (i, profile) in Profile::ALL.iter().enumerate() {
        assert_close(corpus.sweep(profile).unwrap().score, &format!("/{name}/{i}/0"));
        assert_close(corpus.at(profile, 0.9).unwrap(), &format!("/{name}/{i}/1"));
    }
}

#[test]
fn areas_are_those_of_scikit_learn_and_of_the_authors_of_vus() {
    let ranges = [20..=29, 33..=40, 100..=100, 195..=199];
    let row = |i: usize| {
        let label = ranges.iter().any(|range| range.contains(&i));
        let score = ((i * 37 + 11) % 101 + 15 * usize::from(label)) as f64;
        Graded { time: EventTime::from_millis(i as i64), score, alerts: 0, label }
    };
    let rows: Vec<Graded> = (0..200).map(row).collect();
    assert_close(average_precision(&rows).unwrap(), "/areas/auc_pr");
    assert_close(roc_auc(&rows).unwrap(), "/areas/roc_auc");
    for (i, reach) in [0, 5, 20].into_iter().enumerate() {
        assert_close(vus_pr(&rows, reach).unwrap(), &format!("/areas/vus_pr/{i}"));
    }
}

#[test]
fn made_files_have_the_scores_of_nab() {
    let mut corpus = Corpus::default();
    let at = EventTime::from_millis;
    for (file, (rows, windows)) in FILES.iter().enumerate() {
        let times: Vec<EventTime> = (0..*rows).map(at).collect();
        let window = |(from, to): &(i64, i64)| Window { from: at(*from), to: at(*to) };
        let windows: Vec<Window> = windows.iter().map(window).collect();
        add(&mut corpus, file, &times, &windows);
    }
    check(&corpus, "nab");
}

/// The whole corpus of NAB with made scores; needs the data.
#[test]
fn the_corpus_of_nab_has_the_scores_of_nab() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/nab");
    let Ok(text) = std::fs::read_to_string(folder.join("labels/combined_windows.json")) else {
        eprintln!("SKIPPED: NAB is not at {}", folder.display());
        return;
    };
    let time = |text: &str| {
        let civil: jiff::civil::DateTime = text.parse().expect(text);
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        EventTime::from_millis(zoned.timestamp().as_millisecond())
    };
    let files: std::collections::BTreeMap<String, Vec<[String; 2]>> =
        serde_json::from_str(&text).unwrap();
    let mut corpus = Corpus::default();
    for (i, (name, windows)) in files.iter().enumerate() {
        let packed = std::fs::File::open(folder.join("data").join(format!("{name}.gz"))).unwrap();
        let mut plain = String::new();
        flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut plain).unwrap();
        let times: Vec<EventTime> =
            plain.lines().skip(1).map(|line| time(line.split(',').next().unwrap())).collect();
        let windows: Vec<Window> =
            windows.iter().map(|[a, b]| Window { from: time(a), to: time(b) }).collect();
        add(&mut corpus, i, &times, &windows);
    }
    check(&corpus, "nab_data");
}
