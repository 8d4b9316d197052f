use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

const STEP_MS: i64 = 300_000;

/// A day of 96 records, with noise.
fn days(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let day = |i: usize| (i as f64 * std::f64::consts::TAU / 96.0).sin();
    (0..n)
        .map(|i| {
            let noise: f64 = StandardNormal.sample(&mut rng);
            50.0 + 10.0 * day(i) + noise
        })
        .collect()
}

fn run(detector: &mut Univariate, from: usize, values: &[f64], learn: bool) -> Vec<Judgement> {
    let mut scratch = Scratch::default();
    let judge = |(i, value): (usize, &f64)| {
        let judgement = detector.judge(&mut scratch, (from + i) as i64 * STEP_MS, *value);
        detector.learn(&mut scratch, learn);
        judgement
    };
    values.iter().enumerate().map(judge).collect()
}

fn bits(judgements: &[Judgement]) -> Vec<[u64; 5]> {
    let bits = |j: &Judgement| [j.surprise, j.evidence, j.yhat, j.lower, j.upper].map(f64::to_bits);
    judgements.iter().map(bits).collect()
}

#[test]
fn the_future_does_not_change_the_past() {
    let mut values = days(1_400, 1);
    let before = run(&mut Univariate::new(7), 0, &values, true);
    values[1_200..].iter_mut().for_each(|v| *v *= -3.0);
    let after = run(&mut Univariate::new(7), 0, &values, true);
    assert_eq!(bits(&before[..1_200]), bits(&after[..1_200]));
}

#[test]
fn a_restored_detector_goes_on_as_if_it_had_never_stopped() {
    let values = days(1_300, 2);
    let mut detector = Univariate::new(3);
    run(&mut detector, 0, &values[..1_100], true);
    let bytes = rmp_serde::to_vec_named(&detector).expect("serialises");
    let restored: Univariate = rmp_serde::from_slice(&bytes).expect("as it was written");
    let mut restored = restored.adopt(&Univariate::new(3)).expect("sound");
    let on = run(&mut detector, 1_100, &values[1_100..], true);
    assert_eq!(bits(&on), bits(&run(&mut restored, 1_100, &values[1_100..], true)));
    assert!(bytes.len() < 700_000, "{} bytes", bytes.len());
}

/// What errors are held against is at most 8 KiB a series, however long it runs.
#[test]
fn the_calibration_is_small() {
    let mut detector = Univariate::new(3);
    run(&mut detector, 0, &days(128 * 130 + 64, 5), true);
    let shape = detector.shape.as_ref().expect("a period");
    let bytes = rmp_serde::to_vec(&(detector.errors.calibration(), shape.calibration()));
    let bytes = bytes.expect("serialises").len();
    assert!((6_000..=8_192).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_constant_is_calm_and_a_jump_from_it_is_not() {
    for level in [0.0, 1e-9, 7.3, -1e12] {
        let mut detector = Univariate::new(1);
        let judgements = run(&mut detector, 0, &[level; 1_500], true);
        let calm = |j: &Judgement| j.evidence == 0.0 && j.surprise == 0.0;
        assert!(judgements.iter().all(calm), "{level}");
        let jump = run(&mut detector, 1_500, &[level + 1.0 + level.abs() * 0.01], true);
        assert!(jump[0].evidence > 3.0, "{level}: {:?}", jump[0]);
    }
}

#[test]
fn what_was_not_observed_is_no_alarm() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut values = days(2_000, 3);
    values.iter_mut().for_each(|v| *v = if rng.gen_bool(0.1) { f64::NAN } else { *v });
    values[1_500..1_600].fill(f64::NAN);
    let judgements = run(&mut Univariate::new(1), 0, &values, true);
    for (value, judgement) in values.iter().zip(&judgements) {
        assert!(judgement.evidence.is_finite() && judgement.surprise.is_finite());
        assert!(!value.is_nan() || judgement.evidence == 0.0);
    }
    assert!(
        run(&mut Univariate::new(1), 0, &[f64::NAN; 1_200], true).iter().all(|j| j.evidence == 0.0)
    );
}

#[test]
fn the_expected_band_holds_and_a_spike_leaves_it() {
    let mut values = days(3_000, 4);
    values.push(values[2_999] + 15.0);
    let mut detector = Univariate::new(1);
    let judgements = run(&mut detector, 0, &values, true);
    let inside = |(v, j): (&f64, &Judgement)| (j.lower..=j.upper).contains(v);
    let share =
        values[1_500..3_000].iter().zip(&judgements[1_500..]).filter(|p| inside(*p)).count();
    assert!((1_455..=1_500).contains(&share), "{share} of 1,500");
    assert!(!inside((&values[3_000], &judgements[3_000])));
    assert!(judgements[3_000].evidence > 4.0 && judgements[3_000].surprise > 1.0);
    assert!(detector.period().is_some_and(|period| period.abs_diff(96) <= 2));
}

/// A detector that has not learned 400 records of a fault, what the fault is, and what it said of them.
fn at_fault() -> (Univariate, Vec<f64>, Vec<Judgement>) {
    let values = days(3_500, 6);
    let mut detector = Univariate::new(1);
    run(&mut detector, 0, &values[..2_500], true);
    let fault: Vec<f64> = values[2_500..].iter().map(|v| v + 40.0).collect();
    let held = run(&mut detector, 2_500, &fault[..400], false);
    (detector, fault, held)
}

#[test]
fn a_fault_that_is_not_learned_stays_one_until_it_is_accepted() {
    let (mut detector, fault, held) = at_fault();
    assert!(held[..20].iter().all(|j| j.evidence > 3.0));
    assert!(held.iter().all(|j| j.surprise > 1.0));
    detector.accept_new_normal(false);
    let new = run(&mut detector, 2_900, &fault[400..], true);
    assert!(new[0].warming.is_some() && new[0].evidence == 0.0);
    assert!(new[400..].iter().all(|j| j.evidence < 4.0));
}

/// A fault teaches that there are such; one of which nothing is to be learned does not.
#[test]
fn what_is_never_learned_is_as_evident_when_it_comes_again() {
    let again = |never: bool| {
        let (mut detector, fault, held) = at_fault();
        if never {
            detector.never_learn();
        }
        let calm: Vec<f64> = fault[400..800].iter().map(|v| v - 40.0).collect();
        run(&mut detector, 2_900, &calm, true);
        let second = run(&mut detector, 3_300, &fault[800..850], false);
        let least = |all: &[Judgement]| all.iter().map(|j| j.evidence).fold(f64::MAX, f64::min);
        (least(&held[..50]), least(&second))
    };
    let ((first, taught), (_, untaught)) = (again(false), again(true));
    assert!(untaught > 0.8 * first && untaught > 1.5 * taught, "{first}: {taught}, {untaught}");
}

/// While a new normal is learned, what is far worse than all that was seen of it is evident, and it
/// alone.
#[test]
fn a_new_normal_that_was_watched_is_not_learned_blindly() {
    let (mut detector, fault, held) = at_fault();
    assert!(held[..8].iter().all(|j| j.news > 3.0), "news at first");
    assert!(held[300..].iter().filter(|j| j.news > 3.0).count() < 10, "and no more");
    detector.accept_new_normal(true);
    let mut worse = detector.clone();
    let new = run(&mut detector, 2_900, &fault[400..], true);
    assert!(new.iter().all(|j| j.warming.is_none()));
    assert!(new[..150].iter().all(|j| j.evidence == 0.0));
    assert!(new[400..].iter().all(|j| j.evidence < 4.0));
    let fault: Vec<f64> = fault[400..450].iter().map(|v| v + 100.0).collect();
    let new = run(&mut worse, 2_900, &fault, false);
    assert!(new[..40].iter().all(|j| j.evidence > 3.0), "{:?}", new[0]);
}
