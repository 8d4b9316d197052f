//! Drift of a stream: told with its place, and followed up as configured.

use latentd::model::Scope;
use latentd::record::{DriftAction, DriftLevel, EventTime, Outbox};

use crate::support::{Owned, run, spec};

const CREEP: std::ops::Range<usize> = 2_000..3_000;

/// A wave of 24 rows with a ripple; channel 1 creeps up by two of its deviations within `CREEP`.
fn records(creeps: bool) -> Vec<Owned> {
    let record = |i: usize| {
        let phase = i as f64 / 24.0 * std::f64::consts::TAU;
        let ripple = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
        let gone = (i.clamp(CREEP.start, CREEP.end) - CREEP.start) as f64 / CREEP.len() as f64;
        let creep = if creeps { 1.5 * gone } else { 0.0 };
        let values = vec![phase.sin() + 0.1 * ripple, phase.cos() - 0.1 * ripple + creep];
        Owned { key: "wave".into(), time: 1_000 * i as i64, values }
    };
    (0..4_000).map(record).collect()
}

fn drifting(action: DriftAction, creeps: bool) -> Outbox {
    let mut spec = spec(Scope::Series, 2, 1);
    (spec.model.drift.block, spec.model.drift.action) = (24, action);
    // Alerts would quarantine what this is about.
    spec.alert.min_dev_from_expected = 100.0;
    run(&spec, [records(creeps).as_slice()])
}

#[test]
fn a_channel_that_creeps_is_named_and_a_calm_stream_is_left_alone() {
    let calm = drifting(DriftAction::None, false);
    assert_eq!(calm.drifts, [], "at no level");
    let out = drifting(DriftAction::None, true);
    let first = out.drifts.iter().find(|d| d.level == DriftLevel::Input).expect("it is found");
    assert_eq!((first.part, first.entity.as_deref()), (1, Some("wave")));
    let at = (first.at.as_millis() / 1_000) as usize;
    assert!((CREEP.start..CREEP.end).contains(&at), "found at row {at}");
    assert!(first.after > first.before, "{first:?}");
    assert_eq!(out.facts.drifts.iter().sum::<u64>(), out.drifts.len() as u64);
    let warming = out.rows.iter().skip(100).filter(|row| row.warming).count();
    assert_eq!(warming, 0, "nothing follows");
}

/// A fault that is being alerted is no new normal, whatever is configured to follow a drift.
#[test]
fn a_fault_that_fires_is_told_as_a_drift_and_changes_nothing() {
    let fault = 2_000..2_600;
    let mut all = records(false);
    all[fault.clone()].iter_mut().for_each(|record| record.values[1] += 3.0);
    let mut spec = spec(Scope::Series, 2, 1);
    (spec.model.drift.block, spec.model.drift.action) = (24, DriftAction::Reset);
    spec.alert.accept_after = 1_000;
    let out = run(&spec, [all.as_slice()]);
    let row = |at: EventTime| (at.as_millis() / 1_000) as usize;
    let told: Vec<usize> = out.drifts.iter().map(|d| row(d.at)).collect();
    assert!(told.iter().any(|at| fault.contains(at)), "{:?}", out.drifts);
    assert!(told.iter().all(|at| fault.contains(at)), "its end is no drift: {:?}", out.drifts);
    assert!(out.drifts.iter().all(|d| d.action == DriftAction::None), "{:?}", out.drifts);
    assert!(out.rows[100..].iter().all(|row| !row.warming), "nothing is learned anew");
    let firing = out.rows[fault.start + 5..fault.end].iter().filter(|row| row.firing).count();
    assert_eq!(firing, 595, "it fires to the end");
    let after = out.rows[fault.end + 50..].iter().filter(|row| row.firing).count();
    assert_eq!(after, 0, "and not longer");
}

#[test]
fn a_reset_learns_anew_and_a_refresh_goes_on() {
    let reset = drifting(DriftAction::Reset, true);
    let first = &reset.drifts[0];
    assert_eq!((first.level, first.action), (DriftLevel::Input, DriftAction::Reset));
    let at = (first.at.as_millis() / 1_000) as usize;
    assert!((CREEP.start..CREEP.end).contains(&at), "reset at row {at}");
    let warming = reset.rows[at + 1..at + 30].iter().filter(|row| row.warming).count();
    assert_eq!(warming, 29, "after a reset the series warms up");
    let refresh = drifting(DriftAction::Refresh, true);
    assert!(refresh.rows.iter().skip(100).all(|row| !row.warming));
    assert_ne!(refresh.models, drifting(DriftAction::None, true).models, "examined next");
}
