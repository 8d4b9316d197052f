use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::record::Positive;

fn budget(alerts: f64, per_ms: i64) -> Budget {
    Budget { alerts: Positive::try_from(alerts).expect("above 0"), per: Millis::new(per_ms) }
}

#[test]
fn the_level_follows_from_budget_and_step() {
    let mut grid = Threshold::new(Step::Grid(Millis::new(60_000)));
    let week = budget(2.0, 604_800_000);
    // Nothing spent yet: 2 alerts within 4,000 rows.
    assert!((grid.level(&week) - 3.3010).abs() < 1e-3);
    grid.observe(&week, EventTime::from_millis(0));
    (0..2).for_each(|_| grid.spend(3.3, 0.0));
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
    event.spend(3.0, 0.0);
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
                threshold.spend(level, 0.5);
                threshold.confirm(peak * level);
            }
        }
        threshold.level(&week) / threshold.base(&week)
    };
    assert!(lifted(3.0) < 1.05, "{}", lifted(3.0));
    assert!(lifted(1.0) > 2.0, "{}", lifted(1.0));
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
                threshold.spend(level, 0.2);
                opened += 1.0;
            }
            threshold.learn(&budget, evidence);
        }
        let ratio = opened / (rows as f64 / 1_000.0);
        assert!((0.8..1.25).contains(&ratio), "{factor}: {ratio}");
    }
}

proptest! {
    /// The bound of the type's documentation, whatever a series does.
    #[test]
    fn no_series_opens_more_than_its_budget(
        evidence in proptest::collection::vec(0.0_f64..12.0, 1..40),
        alerts in 1.0_f64..5.0,
        repeat in 1_usize..400,
        lift in 0.0_f64..0.5,
    ) {
        let budget = budget(alerts, 10_000_000);
        let mut threshold = Threshold::new(Step::Grid(Millis::new(1_000)));
        let p = alerts * 1_000.0 / 10_000_000.0;
        let (mut opened, mut rows, mut r) = (0.0, 0.0, 1.0_f64);
        for value in evidence.iter().cycle().take(evidence.len() * repeat) {
            threshold.observe(&budget, EventTime::from_millis(0));
            rows += 1.0;
            r = r.max(value / -(p.log10()));
            let level = threshold.level(&budget);
            if *value >= level {
                threshold.spend(level, lift);
                threshold.confirm(*value);
                opened += 1.0;
            }
            threshold.learn(&budget, *value);
            let most = p * rows + alerts + 1.0 + (r - CEILING_MIN) / DEBT_LIFT;
            prop_assert!(opened <= most, "{opened}");
        }
    }
}
