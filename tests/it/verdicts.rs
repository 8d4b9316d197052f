//! What verdicts of people do: to alerts, to what was held back, and over restarts.

use std::sync::Arc;

use latentd::engine::{Shard, StreamSpec};
use latentd::model::Scope;
use latentd::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, Decided, EventTime, Feedback, Millis, Outbox,
    RecordRef, Step, Verdict,
};

use crate::support::{Owned, bits, positive, spec};

const FAULT: std::ops::Range<usize> = 1_500..1_560;

/// A wave with a ripple; channel 1 is off by 3 within `off`.
fn records(rows: usize, off: std::ops::Range<usize>) -> Vec<Owned> {
    let record = |i: usize| {
        let phase = i as f64 / 24.0 * std::f64::consts::TAU;
        let ripple = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
        let shift = if off.contains(&i) { 3.0 } else { 0.0 };
        let values = vec![phase.sin() + 0.1 * ripple, phase.cos() - 0.1 * ripple + shift];
        Owned { key: "wave".into(), time: 60_000 * i as i64, values }
    };
    (0..rows).map(record).collect()
}

fn minutes(accept_after: u32) -> StreamSpec {
    let mut spec = spec(Scope::Series, 2, 1);
    spec.rows.step = Step::Grid(Millis::new(60_000));
    spec.rows.max_out_of_order = Millis::ZERO;
    (spec.model.warmup, spec.alert.accept_after) = (300, accept_after);
    spec.alert.budget.per = Millis::new(7 * 86_400_000);
    spec
}

/// A shard, the records it is fed with, and what it has said.
struct Run {
    shard: Shard,
    out: Outbox,
    offset: i64,
}

impl Run {
    fn new(spec: &StreamSpec) -> Self {
        let shard = Shard::new(Arc::new(spec.clone()), 0);
        Self { shard, out: Outbox { keep_rows: true, ..Outbox::default() }, offset: 0 }
    }

    fn feed(&mut self, records: &[Owned]) {
        for record in records {
            let time = EventTime::from_millis(record.time);
            let (values, offset) = (&record.values, self.offset);
            let record = RecordRef { key: &record.key, time, values, offset };
            self.shard.push(record, time, &mut self.out);
            self.offset += 1;
        }
        self.shard.settle(&mut self.out);
    }

    /// The alert that opened within the fault.
    fn alert(&self) -> String {
        let within = |time: EventTime| FAULT.contains(&((time.as_millis() / 60_000) as usize));
        let opened = |a: &&AlertRecord| a.change == AlertChange::Opened && within(a.starts_at);
        self.out.alerts.iter().find(opened).expect("the fault is found").alert_id.clone()
    }

    fn say(&mut self, alert_id: &str, verdict: Verdict, position: i64) -> Decided {
        let feedback = Feedback { alert_id: alert_id.to_owned(), verdict, position };
        self.shard.decide(&feedback, &mut self.out)
    }

    /// The alerts of a kind that have opened, oldest first.
    fn opened(&self, kind: AlertKind) -> Vec<String> {
        let opened = |a: &&AlertRecord| a.change == AlertChange::Opened && a.kind == kind;
        self.out.alerts.iter().filter(opened).map(|a| a.alert_id.clone()).collect()
    }

    /// Minutes within `of` in which an alert was open.
    fn firing(&self, of: std::ops::Range<usize>) -> usize {
        let within = |time: EventTime| of.contains(&((time.as_millis() / 60_000) as usize));
        self.out.rows.iter().filter(|row| within(row.time) && row.firing).count()
    }
}

#[test]
fn faults_are_dropped_and_false_alarms_are_learned() {
    let all = records(1_560, FAULT);
    for (verdict, learns) in [
        (Verdict::TruePositive, false),
        (Verdict::Expected, false),
        (Verdict::FalsePositive, true),
        (Verdict::NewNormal, true),
    ] {
        let mut run = Run::new(&minutes(720));
        run.feed(&all);
        let alert = run.alert();
        let decided = run.say(&alert, verdict, 4);
        let Decided::Applied { entity, learned, dropped } = decided else {
            panic!("{verdict:?}: {decided:?}")
        };
        assert_eq!(&*entity, "wave");
        assert!(learned + dropped >= 55, "{verdict:?}: {learned} and {dropped} of 60 rows");
        assert_eq!((learned > 0, dropped > 0), (learns, !learns), "{verdict:?}");
        assert_eq!(run.out.facts.verdicts.iter().sum::<u64>(), 1);
    }
}

#[test]
fn a_verdict_counts_once_and_a_later_one_wins() {
    let mut run = Run::new(&minutes(720));
    run.feed(&records(1_560, FAULT));
    let alert = run.alert();
    assert_eq!(run.say("a-000000000000", Verdict::Expected, 3), Decided::Unknown);
    assert!(matches!(run.say(&alert, Verdict::TruePositive, 3), Decided::Applied { .. }));
    assert_eq!(run.say(&alert, Verdict::TruePositive, 3), Decided::Heard);
    assert_eq!(run.say(&alert, Verdict::NewNormal, 2), Decided::Heard, "an older one");
    assert!(matches!(run.say(&alert, Verdict::NewNormal, 9), Decided::Applied { .. }));
}

/// A real change of a set point: absorbed within the warm-up of the verdict, and long before the
/// time rule would have accepted it.
#[test]
fn a_new_set_point_is_absorbed_within_a_warm_up_of_the_verdict() {
    let change = FAULT.start..usize::MAX;
    let all = records(2_600, change);
    let mut run = Run::new(&minutes(100_000));
    run.feed(&all[..1_600]);
    let alert = run.alert();
    assert!(matches!(run.say(&alert, Verdict::NewNormal, 1), Decided::Applied { .. }));
    run.feed(&all[1_600..]);
    let firing = run.firing(1_910..2_600);
    assert!(firing < 35, "firing for {firing} of 690 minutes");
    // Nobody said anything: it fires to the end.
    let mut silent = Run::new(&minutes(100_000));
    silent.feed(&all);
    assert!(silent.firing(1_910..2_590) > 600, "{}", silent.firing(1_910..2_590));
}

/// A state that someone has said is not to be learned does not become normal by lasting, told or not.
#[test]
fn what_was_said_to_be_expected_is_never_learned() {
    let all = records(2_400, FAULT.start..2_300);
    let mut run = Run::new(&minutes(120));
    run.feed(&all[..1_560]);
    let alert = run.alert();
    run.say(&alert, Verdict::Expected, 1);
    run.feed(&all[1_560..2_290]);
    let accepted = |a: &AlertRecord| a.reason == Some(AlertReason::Accepted);
    assert!(!run.out.alerts.iter().any(accepted));
    let status = run.shard.status();
    assert!(status.warming == 0 && status.quarantined > 100, "{status:?}");
}

/// A fault that someone has confirmed does not become normal by lasting.
#[test]
fn a_confirmed_fault_is_never_accepted() {
    let all = records(2_400, FAULT.start..2_300);
    let mut run = Run::new(&minutes(120));
    run.feed(&all[..1_560]);
    let alert = run.alert();
    run.say(&alert, Verdict::TruePositive, 1);
    run.feed(&all[1_560..]);
    let firing = run.firing(1_560..2_290);
    assert!(firing > 700, "firing for {firing} of 730 minutes");
}

/// A word on one alert does not end the silence that a word on another one has begun.
#[test]
fn a_verdict_on_an_old_alert_leaves_the_present_one_alone() {
    let mut all = records(1_900, FAULT);
    all[1_700..1_900].iter_mut().for_each(|record| record.values[1] += 3.0);
    let mut run = Run::new(&minutes(100_000));
    run.feed(&all[..1_720]);
    let old = run.alert();
    let present = run.opened(AlertKind::Anomaly).pop().expect("the second fault is found");
    assert_ne!(old, present);
    run.say(&present, Verdict::Expected, 1);
    let known = run.out.alerts.len();
    assert!(matches!(run.say(&old, Verdict::FalsePositive, 2), Decided::Applied { .. }));
    run.feed(&all[1_720..]);
    assert_eq!(run.out.alerts[known..].len(), 0, "{:?}", run.out.alerts[known..].first());
}

/// What an alert that was accepted had held back is no longer kept.
#[test]
fn nothing_is_held_back_after_a_state_was_accepted() {
    let mut run = Run::new(&minutes(120));
    let all = records(1_700, FAULT.start..usize::MAX);
    run.feed(&all[..1_560]);
    assert!(run.shard.status().quarantined > 50, "{}", run.shard.status().quarantined);
    run.feed(&all[1_560..]);
    let accepted = |a: &&AlertRecord| a.reason == Some(AlertReason::Accepted);
    let alert = run.out.alerts.iter().find(accepted).expect("it lasted").alert_id.clone();
    assert_eq!(run.shard.status().quarantined, 0);
    let late = run.say(&alert, Verdict::NewNormal, 1);
    assert!(matches!(late, Decided::Applied { learned: 0, dropped: 0, .. }), "{late:?}");
    let progress = run.shard.status().warmup_progress;
    assert!(progress > Some(0.1), "it does not begin again: {progress:?}");
    // What is left is a matter of this warm-up, not of how old the series is.
    let left = run.shard.status().warmup_remaining;
    assert!(left > Some(0.0) && left < Some(300.0 * 60.0), "{left:?}");
}

/// A channel that repeats a value is no anomaly: nothing is held back because of it, but a verdict is
/// heard, counted, and closes or keeps the alert.
#[test]
fn verdicts_on_stuck_channels_are_heard() {
    let mut all = records(1_800, 0..0);
    all[1_500..].iter_mut().for_each(|record| record.values[0] = 0.25);
    let mut spec = minutes(100);
    spec.alert.stuck_after = 30;
    for verdict in Verdict::ALL {
        let mut run = Run::new(&spec);
        run.feed(&all[..1_580]);
        let alert = run.opened(AlertKind::Stuck).pop().expect("it is stuck");
        let decided = run.say(&alert, verdict, 1);
        assert!(matches!(decided, Decided::Applied { learned: 0, dropped: 0, .. }), "{decided:?}");
        assert_eq!(run.say(&alert, verdict, 1), Decided::Heard);
        assert_eq!(run.out.facts.verdicts[verdict as usize], 1);
        run.feed(&all[1_580..]);
        let closed = run.out.alerts.iter().find(|a| a.alert_id == alert && a.ends_at.is_some());
        let reason = closed.map(|a| a.reason);
        match verdict {
            Verdict::TruePositive => {
                assert_eq!(reason, None, "it does not become normal by lasting")
            }
            Verdict::FalsePositive => assert_eq!(reason, Some(Some(AlertReason::FalsePositive))),
            Verdict::Expected => assert_eq!(reason, Some(Some(AlertReason::Expected))),
            Verdict::NewNormal => assert_eq!(reason, Some(Some(AlertReason::NewNormal))),
        }
        assert_eq!(run.opened(AlertKind::Stuck).len(), 1, "{verdict:?}: it is told once");
    }
}

/// State at any moment, verdicts and quarantine included, goes on as if it had never been stored.
#[test]
fn a_restart_within_an_alert_changes_nothing() {
    let all = records(2_000, FAULT);
    let spec = minutes(720);
    let finish = |mut run: Run, alert: &str| {
        run.say(alert, Verdict::FalsePositive, 7);
        run.feed(&all[1_550..]);
        bits(&run.out)
    };
    let mut run = Run::new(&spec);
    run.feed(&all[..1_550]);
    let alert = run.alert();
    let bytes = run.shard.save();
    let shard = Shard::restore(Arc::new(spec.clone()), 0, &bytes).expect("its own bytes");
    let restored = Run { shard, out: run.out.clone(), offset: run.offset };
    assert_eq!(finish(run, &alert), finish(restored, &alert));
}

/// A sensor that is wont to jump is learned from verdicts: alerts say how likely they are true, and
/// a restart forgets nothing of it.
#[test]
fn alerts_say_how_likely_they_are_true_once_the_verdicts_tell() {
    let mut spec = minutes(720);
    spec.model.scope = Scope::Shard;
    (spec.alert.flap_limit.openings, spec.alert.budget.alerts) = (1_000, positive(100.0));
    let mut run = Run::new(&spec);
    let mut all = records(1_500 + 41 * 80, 0..0);
    for fault in 0..41 {
        let first = 1_500 + 80 * fault;
        for record in &mut all[first..first + 8] {
            record.values[fault % 2] += 6.0;
        }
    }
    run.feed(&all[..1_500]);
    let mut said: Vec<(usize, Option<f64>)> = Vec::new();
    for fault in 0..40 {
        let known = run.out.alerts.len();
        run.feed(&all[1_500 + 80 * fault..1_580 + 80 * fault]);
        let opened = run.out.alerts[known..].iter().find(|a| a.change == AlertChange::Opened);
        let Some(opened) = opened.cloned() else { continue };
        said.push((fault % 2, opened.p_true));
        let verdict = [Verdict::Expected, Verdict::TruePositive][fault % 2];
        run.say(&opened.alert_id, verdict, fault as i64);
        if fault == 20 {
            let bytes = run.shard.save();
            run.shard = Shard::restore(Arc::new(spec.clone()), 0, &bytes).expect("just saved");
        }
    }
    assert!(said.len() >= 30, "{said:?}");
    assert!(said[..6].iter().all(|(_, p)| p.is_none()), "{said:?}");
    for (real, p) in &said[said.len() - 6..] {
        let p = p.expect("the verdicts tell");
        assert!(if *real == 1 { p > 0.7 } else { p < 0.3 }, "{said:?}");
    }
    // The word on an alert is no news about this alert itself.
    let known = run.out.alerts.len();
    run.feed(&all[4_700..4_704]);
    let opened = run.out.alerts[known..].first().cloned().expect("the last fault is found");
    assert!(opened.p_true.is_some_and(|p| p < 0.3), "{:?}", opened.p_true);
    run.say(&opened.alert_id, Verdict::TruePositive, 99);
    run.feed(&all[4_704..]);
    let records: Vec<_> = run.out.alerts.iter().filter(|a| a.alert_id == opened.alert_id).collect();
    assert!(records.iter().any(|a| a.change == AlertChange::Closed), "{records:?}");
    assert!(records.iter().all(|a| a.p_true == opened.p_true), "{records:?}");
}
