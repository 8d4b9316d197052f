//! How soon the detector of many channels sees a fault of a plant, and whom it names:
//! `cargo bench --bench attribution`.
//!
//! Tennessee Eastman process: each faulty run behind the normal training run, as one series; an alarm is
//! evidence of one row in 2,000. Servers (SMD, ASD): HitRate@100 % (Su et al., "Robust Anomaly
//! Detection for Multivariate Time Series", KDD 2019, section 5.1): of a labelled fault with `k`
//! guilty channels, the share of them among the `k` largest by their mean size over the fault, all rows
//! being learned: alerts name channels when they open, before anything is held back. Of the plant nothing
//! is learned from rows that alarm. Data: `../shared/data`; without it nothing is measured.

use std::path::Path;

use data::{files, rows};
use latentd::detect::multivariate::{Multivariate, MultivariateSpace, Tuning};

mod data;

/// `-log10` of one row in 2,000.
const ALARM: f64 = 3.3;

/// Judges all rows, and learns those of less evidence than `held_back`; `each` is told the number of a row
/// and its evidence.
fn pass(
    values: &[Vec<f64>],
    (seed, held_back): (u64, f64),
    mut each: impl FnMut(usize, f64, &Multivariate),
) {
    let channels = values.first().map_or(0, Vec::len);
    let mut detector = Multivariate::new(channels, Tuning::default(), seed);
    let mut space = MultivariateSpace::new(channels);
    for (i, row) in values.iter().enumerate() {
        let evidence = detector.judge(row, &mut space).evidence;
        each(i, evidence, &detector);
        detector.learn(evidence < held_back, &mut space);
    }
}

/// Rows from the onset of a fault to the first alarm, alarms before it, and the share of faulty rows
/// that alarm.
fn plant(normal: &Path, faulty: &Path, seed: u64) -> (Option<usize>, usize, f64) {
    let fault = rows(faulty);
    let values: Vec<Vec<f64>> = rows(normal).into_iter().map(|(row, _)| row).collect();
    let labels = fault.iter().map(|(_, label)| *label);
    let onset = values.len() + labels.clone().position(|label| label).expect("a fault");
    let end = values.len() + fault.len();
    let values: Vec<Vec<f64>> =
        values.into_iter().chain(fault.into_iter().map(|(row, _)| row)).collect();
    let (mut first, mut before, mut alarms) = (None, 0, 0);
    pass(&values, (seed, ALARM), |i, evidence, _| {
        let alarm = evidence >= ALARM;
        match i < onset {
            true => before += usize::from(alarm),
            false => alarms += usize::from(alarm),
        }
        if alarm && i >= onset {
            first.get_or_insert(i - onset);
        }
    });
    (first, before, alarms as f64 / (end - onset) as f64)
}

/// First and last row of a fault, and the channels that are guilty.
type Guilty = (usize, usize, Vec<usize>);

/// What `FILE.interpretation.txt` says: `start-end:channels`, rows behind the train part, channels from 1.
fn guilty(path: &Path, train: usize) -> Vec<Guilty> {
    let path = path.to_string_lossy().replace(".csv.gz", ".interpretation.txt");
    let text = std::fs::read_to_string(path).expect("an interpretation");
    let number = |word: &str| word.trim().parse::<usize>().expect("a number");
    let fault = |line: &str| {
        let (span, channels) = line.split_once(':').expect("a span and channels");
        let (from, to) = span.split_once('-').expect("two rows");
        let channels = channels.split(',').map(|channel| number(channel) - 1).collect();
        (train + number(from), train + number(to), channels)
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(fault).collect()
}

/// The share of guilty channels that are named, for each fault of a file.
fn hits(path: &Path, train: usize, seed: u64) -> Vec<f64> {
    let values: Vec<Vec<f64>> = rows(path).into_iter().map(|(row, _)| row).collect();
    let faults = guilty(path, train);
    let mut sums = vec![vec![0.0; values[0].len()]; faults.len()];
    pass(&values, (seed, f64::INFINITY), |i, _, detector| {
        for ((from, to, _), sums) in faults.iter().zip(&mut sums) {
            if (*from..*to).contains(&i) {
                sums.iter_mut().zip(detector.explain()).for_each(|(sum, view)| *sum += view.size);
            }
        }
    });
    let rate = |(sums, (_, _, guilty)): (&Vec<f64>, &Guilty)| {
        let mut order: Vec<usize> = (0..sums.len()).collect();
        order.sort_by(|a, b| sums[*b].total_cmp(&sums[*a]));
        let named = order.iter().take(guilty.len()).filter(|channel| guilty.contains(channel));
        named.count() as f64 / guilty.len() as f64
    };
    sums.iter().zip(&faults).map(rate).collect()
}

fn main() {
    let Some(root) = data::root() else { return };
    let seeds = std::env::var("LATENTD_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let normal = root.join("tep/normal_train.csv.gz");
    for fault in ["01", "04", "05", "11", "14"] {
        let faulty = root.join(format!("tep/fault{fault}_test.csv.gz"));
        for seed in 1..=seeds {
            let (first, before, share) = plant(&normal, &faulty, seed);
            let first = first.map_or("never".into(), |rows| format!("after {rows} rows"));
            println!(
                "tep fault {fault}: {first}, {before} alarms before, {share:.2} of faulty rows"
            );
        }
    }
    for folder in ["smd", "asd"] {
        let rates: Vec<f64> = (1..=seeds)
            .flat_map(|seed| files(&root, folder).into_iter().map(move |file| (file, seed)))
            .flat_map(|((path, train), seed)| hits(&path, train, seed))
            .collect();
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        println!("{folder}: HitRate@100 % {mean:.3} ({} faults)", rates.len());
    }
}
