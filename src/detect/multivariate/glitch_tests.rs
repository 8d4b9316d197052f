//! Streams as they come: glitches, counters, flags, sensors that show up late.

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

/// Evidence at which an alert opens, and below which it may close, of two alerts a week at a minute.
const LEVEL: f64 = 3.7;
const RELEASE: f64 = 0.6 * LEVEL;

/// What an operator would see.
#[derive(Debug, Default)]
struct Seen {
    evidence: Vec<f64>,
    /// Rows at which alerts opened, and how long each fired.
    alerts: Vec<(usize, usize)>,
}

impl Seen {
    fn at(&self, rows: std::ops::Range<usize>) -> Vec<(usize, usize)> {
        self.alerts.iter().copied().filter(|(at, _)| rows.contains(at)).collect()
    }
}

/// Runs a detector with alerts as the engine keeps them: nothing is learned while one fires, it closes
/// after 8 calm rows, and after 400 rows what lasts is accepted.
fn watch(rows: &[Vec<f64>]) -> Seen {
    let channels = rows[0].len();
    let mut detector = Multivariate::new(channels, Tuning::default(), 1);
    let mut space = MultivariateSpace::new(channels);
    let (mut seen, mut calm, mut firing) = (Seen::default(), 0, None::<usize>);
    for (i, row) in rows.iter().enumerate() {
        let judged = detector.judge(row, &mut space);
        seen.evidence.push(judged.evidence);
        if firing.is_none() && judged.evidence >= LEVEL {
            firing = Some(i);
            calm = 0;
        }
        detector.learn(firing.is_none(), &mut space);
        let Some(since) = firing else { continue };
        calm = if judged.evidence < RELEASE { calm + 1 } else { 0 };
        let accepted = i - since >= 400;
        if accepted {
            detector.accept_new_normal();
        }
        if accepted || calm == 8 {
            firing = None;
            seen.alerts.push((since, i - since));
        }
    }
    seen.alerts.extend(firing.map(|since| (since, rows.len() - since)));
    seen
}

fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    move || StandardNormal.sample(&mut rng)
}

/// `channels` sensors of noise.
fn noise(rows: usize, channels: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut normal = normals(seed);
    (0..rows).map(|_| (0..channels).map(|_| normal()).collect()).collect()
}

#[test]
fn one_pulse_on_constant_sensors_is_one_short_alert() {
    let mut rows = vec![vec![0.0, 5.0]; 4_000];
    rows[3_000][0] = 1.0;
    let seen = watch(&rows);
    assert_eq!(seen.alerts.len(), 1, "{:?}", seen.alerts);
    let (at, fired) = seen.alerts[0];
    assert!(at == 3_000 && fired <= 130, "{:?}", seen.alerts);
}

#[test]
fn an_alert_is_over_soon_after_its_fault() {
    let mut rows = noise(3_000, 3, 2);
    rows[2_000..2_020].iter_mut().for_each(|row| row[1] += 15.0);
    rows[2_500][0] += 30.0;
    let seen = watch(&rows);
    let [(_, fault)] = seen.at(2_000..2_020)[..] else { panic!("{:?}", seen.alerts) };
    assert!(fault <= 80, "a fault of 20 rows fires {fault}");
    let [(_, spike)] = seen.at(2_500..2_501)[..] else { panic!("{:?}", seen.alerts) };
    assert!(spike <= 40, "a spike fires {spike} rows");
}

#[test]
fn a_counter_beside_calm_sensors_is_calm_and_does_not_hide_a_fault() {
    let mut rows = noise(20_000, 3, 3);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    for (i, row) in rows.iter_mut().enumerate() {
        row[2] = 1e5 + 0.5 * i as f64 + 0.2 * rng.r#gen::<f64>();
    }
    rows[19_000..19_030].iter_mut().for_each(|row| row[0] += 12.0);
    let seen = watch(&rows);
    assert!(seen.at(0..19_000).len() <= 4, "{:?}", seen.alerts);
    assert_eq!(seen.at(19_000..19_030).len(), 1, "{:?}", seen.alerts);
    let mut late = seen.evidence[12_000..19_000].to_vec();
    late.sort_by(f64::total_cmp);
    assert!(late[3_500] < 2.0, "median {}", late[3_500]);
}

#[test]
fn a_glitch_in_the_first_rows_blinds_no_sensor() {
    for glitch in [-9_999.0, 65_535.0] {
        let mut rows = noise(1_400, 3, 5);
        rows[100][1] = glitch;
        rows[301][1] = glitch;
        rows[1_200..1_300].iter_mut().for_each(|row| row[1] += 15.0);
        let seen = watch(&rows);
        let at: Vec<usize> = seen.at(1_200..1_300).iter().map(|(at, _)| *at).collect();
        assert!(at.first().is_some_and(|at| *at <= 1_203), "{glitch}: {:?}", seen.alerts);
        assert!(seen.evidence[1_200..1_220].iter().any(|e| *e > 6.0));
    }
}

/// Constant for long, then one absurd value: what it does later is seen as if that had not been.
#[test]
fn a_glitch_of_a_constant_sensor_does_not_blind_it() {
    let mut rows = noise(4_000, 3, 6);
    rows.iter_mut().for_each(|row| row[1] = 20.0);
    rows[1_000][1] = 65_535.0;
    rows[3_000..3_050].iter_mut().for_each(|row| row[1] = 23.0);
    let seen = watch(&rows);
    assert_eq!(seen.at(3_000..3_050).len(), 1, "{:?}", seen.alerts);
}

/// A sensor that was off and comes on finds its unit: it is calm once that is accepted.
#[test]
fn a_sensor_that_comes_on_is_calm_once_it_is_accepted() {
    let mut rows = noise(4_000, 3, 7);
    let mut normal = normals(8);
    for (i, row) in rows.iter_mut().enumerate() {
        row[1] = if i < 1_000 { 0.0 } else { 200.0 + 20.0 * normal() };
    }
    let seen = watch(&rows);
    assert_eq!(seen.at(1_000..1_005).len(), 1, "{:?}", seen.alerts);
    assert!(seen.at(1_450..4_000).len() <= 1, "{:?}", seen.alerts);
}

/// What is common is not evident, however a fitted tail sees it.
#[test]
fn a_flag_that_comes_back_spends_no_budget_and_hides_no_fault() {
    let mut rows = noise(20_000, 3, 9);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(10);
    rows.iter_mut().for_each(|row| row[2] = f64::from(u8::from(rng.r#gen::<f64>() < 0.003)));
    rows[19_500..19_530].iter_mut().for_each(|row| row[0] += 10.0);
    let seen = watch(&rows);
    // Two a week are allowed.
    assert!(seen.at(0..19_500).len() <= 4, "{:?}", seen.alerts);
    let fault: Vec<f64> = seen.evidence[19_500..19_530].to_vec();
    assert!(fault.iter().any(|e| *e > LEVEL + 1.0), "{fault:?}");
}

#[test]
fn sensors_that_are_absent_at_first_are_no_fault_when_they_come() {
    let mut rows = vec![vec![f64::NAN; 3]; 450];
    rows.extend(noise(2_000, 3, 11));
    let seen = watch(&rows);
    assert!(seen.alerts.is_empty(), "{:?}", seen.alerts);
    assert!(seen.evidence[..850].iter().all(|e| *e == 0.0), "still warming");
    // Known only after the first fit, and seldom seen.
    let mut rows = noise(3_000, 3, 12);
    for (i, row) in rows.iter_mut().enumerate() {
        (0..3).for_each(|j| row[j] = if i % 30 == j { row[j] } else { f64::NAN });
    }
    let seen = watch(&rows);
    assert!(seen.alerts.len() <= 1, "{:?}", seen.alerts);
}

/// What is compared with calm rows must find some: of a block of 32 all but one in twenty.
#[test]
fn most_calm_rows_are_typical_and_some_have_no_evidence() {
    let seen = watch(&noise(6_000, 4, 14));
    let rare = 1.0 - 0.95_f64.powf(1.0 / f64::from(BLOCK));
    let calm = &seen.evidence[1_000..];
    let typical = calm.iter().filter(|e| 10.0_f64.powf(-**e) > rare).count();
    assert!(typical > 4_250, "{typical} of 5000");
    assert!(calm.iter().any(|e| *e < 0.6), "a coarse step has a low level to fall below");
}

#[test]
fn warm_up_counts_rows_in_which_something_is_seen() {
    let mut detector = Multivariate::new(2, Tuning::default(), 1);
    let mut space = MultivariateSpace::new(2);
    for i in 0..500 {
        let row = if i % 5 == 0 { [1.0, f64::NAN] } else { [f64::NAN; 2] };
        detector.judge(&row, &mut space);
        detector.learn(true, &mut space);
    }
    assert_eq!(detector.warm_up_left(), 301);
}

/// The phase after a long gap is that of the clock.
#[test]
fn a_period_goes_on_during_a_gap() {
    let rows: Vec<Vec<f64>> = {
        let mut normal = normals(13);
        let wave = |i: usize, j: usize| (std::f64::consts::TAU * i as f64 / 120.0 + j as f64).sin();
        (0..6_000).map(|i| (0..3).map(|j| 5.0 * wave(i, j) + 0.2 * normal()).collect()).collect()
    };
    let mut detector = Multivariate::new(3, Tuning::default(), 1);
    let mut space = MultivariateSpace::new(3);
    let mut most = [0.0_f64; 2];
    for (i, row) in rows.iter().enumerate() {
        // Half a period and some is missing.
        if (4_000..4_190).contains(&i) {
            continue;
        }
        if i == 4_190 {
            detector.skip(190);
        }
        let judged = detector.judge(row, &mut space);
        detector.learn(true, &mut space);
        let after = usize::from(i >= 4_260);
        if i > 3_000 {
            most[after] = most[after].max(judged.evidence);
        }
    }
    assert!(most[1] < most[0].max(LEVEL) + 1.0, "{most:?}");
}
