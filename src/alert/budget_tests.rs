use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::record::Positive;

fn budget(alerts: f64, per_ms: i64) -> Allowance {
    let alerts = Positive::try_from(alerts).expect("above 0");
    Allowance { budget: Budget { alerts, per: Millis::new(per_ms) }, is_spent: false }
}

fn time(i: usize) -> EventTime {
    EventTime::from_millis(1_000 * i as i64)
}

#[test]
fn the_level_follows_from_budget_and_step() {
    let mut grid = Threshold::new(Step::Grid(Millis::new(60_000)));
    let week = budget(2.0, 604_800_000);
    // Nothing spent yet: 2 alerts within 4,000 rows.
    assert!((grid.level(&week) - 3.3010).abs() < 1e-3);
    grid.observe(&week, EventTime::from_millis(0));
    (0..2).for_each(|_| grid.spend(&week, 3.3, 0.0));
    // 2 a week of minutes: p = 2 / 10,080.
    assert!((grid.level(&week) - 3.7024).abs() < 1e-3);
    assert!((grid.level(&budget(1e9, 604_800_000)) - 3.0).abs() < 1e-3, "capped");
}

#[test]
fn without_a_grid_the_spacing_is_found() {
    let mut event = Threshold::new(Step::Event);
    let rare = budget(1.0, 10_000_000);
    for i in 0..100 {
        event.observe(&rare, EventTime::from_millis(1_000_000 + i * 1_000));
    }
    event.spend(&rare, 3.0, 0.0);
    assert!((event.level(&rare) - 4.0).abs() < 0.01);
}

/// Alerts within the budget must not hide the next fault, if they are clear; those at the edge may.
#[test]
fn only_alerts_at_the_edge_lift_the_threshold_for_long() {
    let week = budget(3.0, 604_800_000);
    let lifted = |peak: f64| {
        let mut threshold = Threshold::new(Step::Grid(Millis::new(60_000)));
        for row in 0..10 * 3_360 {
            threshold.observe(&week, EventTime::from_millis(60_000 * row));
            if row % 3_360 == 0 {
                let level = threshold.level(&week);
                threshold.spend(&week, level, 0.5);
                threshold.confirm(peak * level);
            }
        }
        threshold.level(&week) / threshold.base(&week)
    };
    assert!(lifted(3.0) < 1.05, "{}", lifted(3.0));
    assert!(lifted(1.0) > 1.7, "{}", lifted(1.0));
}

/// Calm evidence whose scale is wrong by a factor, both ways: what was promised comes.
#[test]
fn a_calm_series_gets_what_it_was_promised() {
    for factor in [0.8, 1.0, 1.5] {
        let budget = budget(1.0, 1_000_000);
        let mut threshold = Threshold::new(Step::Grid(Millis::new(1_000)));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let (rows, mut opened) = (200_000, 0.0);
        for i in 0..rows {
            let evidence = -factor * rng.gen_range(1e-12..1.0_f64).log10();
            threshold.observe(&budget, EventTime::from_millis(1_000 * i));
            let level = threshold.level(&budget);
            if evidence >= level {
                threshold.spend(&budget, level, 0.2);
                opened += 1.0;
            }
            threshold.learn(&budget, evidence);
        }
        let ratio = opened / (rows as f64 / 1_000.0);
        assert!((0.8..1.25).contains(&ratio), "{factor}: {ratio}");
    }
}

/// What is to be spent is spent with long steps, too, whatever the scale of the evidence.
#[test]
fn long_steps_get_what_they_were_promised() {
    let day = 86_400_000;
    // (step, alerts, per): two a week of hours, one a month and three a quarter of days.
    for (step_ms, alerts, per) in
        [(day / 24, 2.0, 7 * day), (day, 1.0, 30 * day), (day, 3.0, 90 * day)]
    {
        for factor in [0.6, 1.0, 1.7] {
            let of = Allowance { is_spent: true, ..budget(alerts, per) };
            let mut threshold = Threshold::new(Step::Grid(Millis::new(step_ms)));
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
            let (rows, mut opened) = (60_000, 0.0);
            for i in 0..rows {
                let evidence = -factor * rng.gen_range(1e-12..1.0_f64).log10();
                threshold.observe(&of, time(i));
                let level = threshold.level(&of);
                if evidence >= level {
                    threshold.spend(&of, level, 0.5);
                    opened += 1.0;
                }
                threshold.learn(&of, evidence);
            }
            let ratio = opened / (alerts * step_ms as f64 / per as f64 * rows as f64);
            assert!((0.75..1.25).contains(&ratio), "{step_ms} {factor}: {ratio}");
        }
    }
}

/// A week in which everything went wrong, then a calm one: a total outage is far over the threshold.
#[test]
fn an_outage_after_a_bad_week_is_clear() {
    let week = budget(2.0, 604_800_000);
    let mut threshold = Threshold::new(Step::Grid(Millis::new(60_000)));
    for i in 0..2 * 10_080 {
        threshold.observe(&week, time(i));
        if i < 10_080 && i % 300 == 0 {
            let level = threshold.level(&week);
            threshold.spend(&week, level, 0.5);
        }
    }
    let score = EVIDENCE_MAX / threshold.level(&week);
    assert!(score > 1.5, "{score}");
    // Six more weeks, and the past is forgotten.
    (0..6 * 10_080).for_each(|i| threshold.observe(&week, time(i)));
    assert!(EVIDENCE_MAX / threshold.level(&week) > 2.0, "{}", threshold.level(&week));
}

proptest! {
    /// The bound of the type's documentation, whatever a series does.
    #[test]
    fn no_series_opens_more_than_its_budget(
        evidence in proptest::collection::vec(0.0..LEVEL_MAX, 1..40),
        alerts in 1.0_f64..5.0,
        repeat in 1_usize..400,
        lift in 0.0_f64..0.5,
        learns in any::<bool>(),
        before in proptest::collection::vec(0.0..EVIDENCE_MAX, 0..300),
    ) {
        let budget = budget(alerts, 10_000_000);
        let mut threshold = Threshold::new(Step::Grid(Millis::new(1_000)));
        let p = alerts * 1_000.0 / 10_000_000.0;
        before.iter().for_each(|value| _ = step(&mut threshold, &budget, *value, lift, learns));
        let (mut opened, mut rows, mut r) = (0.0, 0.0, 1.0_f64);
        for value in evidence.iter().cycle().take(evidence.len() * repeat) {
            rows += 1.0;
            r = r.max(value / -(p.log10()));
            let (_, opens) = step(&mut threshold, &budget, *value, lift, learns);
            opened += f64::from(u8::from(opens));
            let most = p * rows + alerts + 1.0 + (r - CEILING_MIN) / DEBT_LIFT;
            prop_assert!(opened <= most, "{opened}");
        }
    }

    /// Whatever has come before: what is clear is heard, and a calm time makes the past forgotten.
    #[test]
    fn no_past_makes_a_series_deaf(
        evidence in proptest::collection::vec(0.0..EVIDENCE_MAX, 1..40),
        step_ms in 1_i64..200_000,
        alerts in 0.1_f64..5.0,
        repeat in 1_usize..200,
        lift in 0.0_f64..0.5,
        learns in any::<bool>(),
    ) {
        let week = budget(alerts, 604_800_000);
        let mut threshold = Threshold::new(Step::Grid(Millis::new(step_ms)));
        let p = threshold.allowed(&week);
        for value in evidence.iter().cycle().take(evidence.len() * repeat) {
            let (level, opened) = step(&mut threshold, &week, *value, lift, learns);
            prop_assert!(level <= LEVEL_MAX.max(-p.log10()), "{level}");
            prop_assert_eq!(opened, *value >= level);
        }
        // Lift and debt are no more than what leads from the least base, 3, to the highest level.
        let most = LEVEL_MAX / -BOUND_MAX.log10();
        let account = threshold.account.expect("a row was seen");
        prop_assert!(-account <= (most - CEILING_MIN) / DEBT_LIFT + 1.0 + 1e-9, "{account}");
        prop_assert!(threshold.lifted <= most - 1.0 + 1e-9, "{}", threshold.lifted);
    }
}

/// A row: the level it meets, and whether an alert opens.
fn step(
    threshold: &mut Threshold,
    of: &Allowance,
    evidence: f64,
    lift: f64,
    learns: bool,
) -> (f64, bool) {
    threshold.observe(of, EventTime::from_millis(0));
    let level = threshold.level(of);
    let opens = evidence >= level;
    if opens {
        threshold.spend(of, level, lift);
        threshold.confirm(evidence);
    }
    if learns {
        threshold.learn(of, evidence);
    }
    (level, opens)
}
