//! What the alert budget promises, on calm series, through the whole engine.

use latentd::alert::Budget;
use latentd::engine::StreamSpec;
use latentd::model::Scope;
use latentd::record::{AlertChange, AlertKind, Millis, Step};

use crate::support::{Owned, positive, run, spec};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A slow wave with noise, a row every `step`.
fn calm(rows: i64, step: i64) -> Vec<Owned> {
    let mut state = 5_u64;
    let mut noise = || {
        let mut sum = -2.0;
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            sum += (state >> 40) as f64 / (1_u64 << 24) as f64;
        }
        sum
    };
    let record = |i: i64| {
        let value = (i as f64 / 24.0 * std::f64::consts::TAU).sin() + noise();
        Owned { key: "calm".into(), time: step * i, values: vec![value] }
    };
    (0..rows).map(record).collect()
}

fn stream(step: i64, alerts: f64, per: i64) -> StreamSpec {
    let mut spec = spec(Scope::Series, 1, 1);
    spec.rows.step = Step::Grid(Millis::new(step));
    spec.rows.max_out_of_order = Millis::ZERO;
    (spec.forecast, spec.model.warmup, spec.model.train_every) = (None, 300, 16);
    spec.alert.budget = Budget { alerts: positive(alerts), per: Millis::new(per) };
    spec.alert.gone_after = Millis::ZERO;
    spec
}

/// Anomalies that opened, and those that the budget allows.
fn opened_of_allowed(spec: &StreamSpec, rows: i64, step: i64) -> (f64, f64) {
    let out = run(spec, [calm(rows, step).as_slice()]);
    let opened = out
        .alerts
        .iter()
        .filter(|alert| (alert.kind, alert.change) == (AlertKind::Anomaly, AlertChange::Opened));
    let budget = spec.alert.budget;
    let allowed = (rows * step) as f64 / budget.per.get() as f64 * budget.alerts.get();
    (opened.count() as f64, allowed)
}

/// A budget that is to be spent is spent, with rows of hours and of days; else it is a bound, and far
/// below the budget there, as the configuration says.
#[test]
fn a_budget_that_is_to_be_spent_is_spent_with_long_steps() {
    let rows = 10_000;
    for (step, alerts, per) in [(HOUR, 2.0, 7 * DAY), (DAY, 1.0, 30 * DAY)] {
        let mut spec = stream(step, alerts, per);
        let (bound, allowed) = opened_of_allowed(&spec, rows, step);
        assert!(bound <= 0.001 * rows as f64 + alerts + 8.0, "{step}: {bound}");
        spec.alert.spend_budget = true;
        let (opened, _) = opened_of_allowed(&spec, rows, step);
        let ratio = opened / allowed;
        assert!((0.6..1.25).contains(&ratio), "{step}: {opened} of {allowed}, {bound} as a bound");
    }
}
