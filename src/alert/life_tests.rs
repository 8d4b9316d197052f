use proptest::prelude::*;

use super::*;
use crate::alert::{AlertParams, FlapLimit};
use crate::record::{AlertKind, Millis};

const MINUTE: i64 = 60_000;

fn params(for_rows: u32, keep_firing_for: u32, accept_after: u32) -> LifeParams {
    let flap_limit = FlapLimit { openings: 0, per: Millis::new(1) };
    let alert = AlertParams { for_rows, keep_firing_for, accept_after, ..AlertParams::default() };
    LifeParams {
        critical_after: 0,
        flap_limit,
        release_ratio: 0.5,
        ..alert.life(AlertKind::Anomaly)
    }
}

fn row(i: usize, anomaly_score: f64) -> Observation {
    let time = EventTime::from_millis(i as i64 * MINUTE);
    let strength = anomaly_score;
    Observation {
        anomaly_score,
        strength,
        eligible: true,
        time,
        muted: false,
        settles: true,
        news: 0.0,
        news_strength: 0.0,
    }
}

/// The same, where past alerts have lifted the threshold by a half, and so much of it is news.
fn row_of_news(i: usize, anomaly_score: f64, news: f64) -> Observation {
    let (strength, news_strength) = (1.5 * anomaly_score, 1.5 * news);
    Observation { strength, news, news_strength, ..row(i, anomaly_score) }
}

fn run(params: &LifeParams, scores: &[f64]) -> Vec<Transition> {
    let mut state = AlertState::default();
    scores.iter().enumerate().map(|(i, score)| state.step(params, row(i, *score)).0).collect()
}

#[test]
fn for_and_keep_firing_for_and_hysteresis() {
    use Transition::{Closed, Escalated, None, Opened};
    let got = run(&params(2, 2, 100), &[1.2, 0.1, 1.2, 1.1, 0.7, 2.5, 0.4, 0.6, 0.4, 0.3, 1.5]);
    //            1.2   0.1   1.2   1.1     0.7   2.5        0.4   0.6   0.4   0.3     1.5
    let wanted = [None, None, None, Opened, None, Escalated, None, None, None, Closed, None];
    assert_eq!(got, wanted);
}

#[test]
fn a_state_that_lasts_is_accepted() {
    use Transition::{Accepted, None, Opened};
    assert_eq!(run(&params(1, 3, 3), &[5.0; 4]), [Opened, None, None, Accepted]);
}

#[test]
fn a_warning_that_lasts_is_critical_and_what_goes_on_is_told_again() {
    use Transition::{Escalated, None, Opened, Renotified};
    let params =
        LifeParams { critical_after: 3, renotify: Millis::new(2 * MINUTE), ..params(1, 3, 100) };
    // Calm rows do not make it worse; a record of any kind starts the time to the next anew.
    assert_eq!(
        run(&params, &[1.2, 1.2, 1.2, 0.7, 1.2, 1.2, 1.2]),
        [Opened, None, Renotified, None, Escalated, None, Renotified]
    );
}

#[test]
fn maintenance_records_what_would_open_and_opens_it_when_it_is_over() {
    use Transition::{Closed, None, Opened, Suppressed};
    let params = params(1, 2, 100);
    let mut state = AlertState::default();
    let mut step = |i: usize, score: f64, muted: bool| {
        let (transition, alert) = state.step(&params, Observation { muted, ..row(i, score) });
        (transition, alert.and_then(|alert| alert.silent), state.firing().is_some())
    };
    let maintenance = Some(AlertReason::Maintenance);
    assert_eq!(step(0, 3.0, true), (Suppressed, maintenance, false));
    assert_eq!(step(1, 3.0, true), (None, maintenance, false));
    assert_eq!(step(2, 0.1, false), (None, maintenance, false));
    assert_eq!(step(3, 3.0, false), (Opened, Option::None, true));
    // What is open is not told again in maintenance, but for its end.
    assert_eq!(step(4, 3.0, true), (None, Option::None, true));
    assert_eq!(step(5, 0.1, true), (None, Option::None, true));
    assert_eq!(step(6, 0.1, true), (Closed, Option::None, false));
}

#[test]
fn a_verdict_closes_and_what_goes_on_stays_quiet_until_it_is_calm() {
    let params = params(1, 2, 100);
    let mut state = AlertState::default();
    assert_eq!(state.decide(AlertReason::FalsePositive), None, "nothing is open");
    let (_, opened) = state.step(&params, row(0, 1.5));
    let ended = state.decide(AlertReason::FalsePositive).expect("it is open");
    assert_eq!((ended.starts_at, ended.sequence), (opened.expect("open").starts_at, 1));
    assert_eq!(state.decide(AlertReason::Expected), None, "once");
    let mut step = |i, score| state.step(&params, row(i, score)).0;
    let told: Vec<_> =
        [9.0, 9.0, 0.1, 0.1, 1.5].iter().zip(1..).map(|(s, i)| step(i, *s)).collect();
    assert_eq!(told, [[Transition::None; 4].as_slice(), &[Transition::Opened]].concat());
}

#[test]
fn without_learning_nothing_is_accepted() {
    let params = params(1, 3, 3);
    let mut state = AlertState::default();
    let mut step = |i, settles| state.step(&params, Observation { settles, ..row(i, 5.0) }).0;
    let told: Vec<_> = (0..6).map(|i| step(i, i > 4)).collect();
    assert_eq!(told[5], Transition::Accepted);
    assert_eq!(told[1..5], [Transition::None; 4]);
}

/// An intermittent fault opens as often as may be told; then the machine really fails.
#[test]
fn a_fault_that_begins_while_flapping_is_told_when_there_is_room_and_never_accepted() {
    let flap_limit = FlapLimit { openings: 2, per: Millis::new(40 * MINUTE) };
    let params = LifeParams { flap_limit, ..params(1, 1, 5) };
    let mut state = AlertState::default();
    let mut step = |i: usize, score| state.step(&params, row(i, score)).0;
    let flapping: Vec<_> = (0..6).map(|i| step(i, if i % 2 == 0 { 3.0 } else { 0.0 })).collect();
    use Transition::{Accepted, Closed, None, Opened, Suppressed};
    assert_eq!(flapping, [Opened, Closed, Opened, Closed, Suppressed, None]);
    assert_eq!(step(6, 3.0), Suppressed);
    // The openings of minutes 4 and 6 are the newest: from minute 44 on there is room for one.
    let told: Vec<_> = (7..50).map(|i| step(i, 3.0)).collect();
    let first = told.iter().position(|transition| *transition != None);
    assert_eq!(first.map(|i| (i + 7, told[i])), Some((44, Opened)));
    // Now that somebody knows, it may become normal.
    assert_eq!(told[5 + 44 - 7], Accepted);
}

/// Rows of any score, with switches, and an operator who sometimes speaks.
fn rows() -> impl Strategy<Value = Vec<(f64, bool, bool, bool, u8)>> {
    let on = || prop::bool::weighted(0.8);
    proptest::collection::vec((0.0_f64..4.0, on(), on(), on(), 0_u8..20), 0..400)
}

proptest! {
    /// Every alert that closes was opened, only one is open at a time, sequences count up without
    /// a hole, severity never falls, and what is suppressed or decided never opens.
    #[test]
    fn openings_and_closings_alternate(
        rows in rows(), for_rows in 1_u32..4, keep in 1_u32..6, accept in 5_u32..60,
        critical_after in 0_u32..9, renotify in 0_i64..5, openings in 0_u32..4,
    ) {
        let params = LifeParams {
            critical_after,
            renotify: Millis::new(renotify * MINUTE),
            flap_limit: FlapLimit { openings, per: Millis::new(50 * MINUTE) },
            ..params(for_rows, keep, accept)
        };
        let mut state = AlertState::default();
        let mut open: Option<Firing> = None;
        for (i, (score, eligible, unmuted, learns, verdict)) in rows.into_iter().enumerate() {
            let (muted, news) = (!unmuted, f64::from(verdict % 4));
            let observation = Observation { eligible, muted, settles: learns, ..row_of_news(i, score, news) };
            let (transition, alert) = state.step(&params, observation);
            let next = open.map(|open| open.sequence + 1);
            match transition {
                Transition::Opened => {
                    prop_assert!(open.is_none() && score >= 1.0 && eligible && unmuted);
                    open = alert;
                    prop_assert_eq!(open.map(|open| open.sequence), Some(0));
                }
                Transition::Suppressed => {
                    prop_assert!(open.is_none() && eligible);
                    prop_assert!(alert.is_some_and(|alert| alert.silent.is_some()));
                }
                Transition::Escalated | Transition::Renotified => {
                    prop_assert!(unmuted);
                    let alert = alert.expect("open");
                    prop_assert_eq!(Some(alert.sequence), next);
                    prop_assert!(open.is_some_and(|open| open.severity <= alert.severity));
                    open = Some(alert);
                }
                Transition::Closed => {
                    prop_assert_eq!(Some(alert.expect("ended").sequence), next);
                    open = None;
                }
                Transition::Superseded => {
                    prop_assert!(unmuted && eligible && news.min(score) >= 1.0);
                    prop_assert!(1.5 * news.min(score) >= params.critical_ratio);
                    prop_assert_eq!(Some(alert.expect("ended").sequence), next);
                    open = state.firing().copied();
                    prop_assert_eq!(open.map(|open| open.sequence), Some(0));
                }
                Transition::Accepted => {
                    prop_assert!(learns && news < 1.0);
                    let loud = alert.is_some_and(|alert| alert.silent.is_none());
                    prop_assert_eq!(loud, open.is_some());
                    open = None;
                }
                Transition::None => {}
            }
            prop_assert_eq!(state.firing().is_some(), open.is_some());
            if verdict == 0 {
                let ended = state.decide(AlertReason::Expected);
                prop_assert_eq!(ended.is_some(), open.take().is_some());
                prop_assert!(state.firing().is_none());
            }
        }
    }

    /// Any span shorter than `per` holds at most so many openings.
    #[test]
    fn flapping_is_bounded(
        scores in proptest::collection::vec(prop_oneof![Just(0.0), Just(1.5)], 0..600),
        openings in 1_u32..5, per in 1_usize..200,
    ) {
        let flap_limit = FlapLimit { openings, per: Millis::new(per as i64 * MINUTE) };
        let told = run(&LifeParams { flap_limit, ..params(1, 1, 0) }, &scores);
        let opened: Vec<usize> =
            (0..told.len()).filter(|i| told[*i] == Transition::Opened).collect();
        for span in opened.windows(openings as usize + 1) {
            prop_assert!(span[openings as usize] - span[0] >= per, "{:?}", span);
        }
        // Whatever opens or is suppressed begins at an alarm after calm, and none is forgotten; what
        // was suppressed and goes on opens later.
        let begins = |i: &usize| matches!(told[*i], Transition::Opened | Transition::Suppressed);
        let is_first = |i: &usize| scores[*i] > 1.0 && (*i == 0 || scores[i - 1] < 1.0);
        let mut silent = false;
        for i in (0..scores.len()).filter(|i| begins(i) || is_first(i)) {
            prop_assert!(begins(&i));
            prop_assert!(is_first(&i) || (silent && told[i] == Transition::Opened));
            silent = told[i] == Transition::Suppressed;
        }
    }

    /// A state that is stored and read anywhere goes on as if it never stopped.
    #[test]
    fn a_stored_state_goes_on(rows in rows(), cut in 0_usize..400) {
        let flap_limit = FlapLimit { openings: 2, per: Millis::new(90 * MINUTE) };
        let renotify = Millis::new(4 * MINUTE);
        let params = LifeParams { flap_limit, renotify, critical_after: 4, ..params(1, 2, 30) };
        let (mut whole, mut stored) = (AlertState::default(), AlertState::default());
        for (i, (score, eligible, unmuted, learns, verdict)) in rows.into_iter().enumerate() {
            if i == cut {
                let bytes = rmp_serde::to_vec_named(&stored).expect("a state is plain data");
                stored = rmp_serde::from_slice(&bytes).expect("its own bytes");
            }
            let (muted, news) = (!unmuted, f64::from(verdict % 4));
            let row = Observation { eligible, muted, settles: learns, ..row_of_news(i, score, news) };
            prop_assert_eq!(whole.step(&params, row), stored.step(&params, row));
            prop_assert_eq!(&whole, &stored);
        }
    }
}

/// What still gets worse is no state.
#[test]
fn what_is_news_is_not_accepted() {
    use Transition::{Accepted, None, Opened};
    let params = params(1, 9, 3);
    let mut state = AlertState::default();
    let mut step = |i, news| state.step(&params, row_of_news(i, 1.5, news)).0;
    let told: Vec<_> =
        [1.5, 1.5, 1.5, 1.5, 1.0, 0.9].iter().zip(0..).map(|(n, i)| step(i, *n)).collect();
    assert_eq!(told, [Opened, None, None, None, None, Accepted]);
}

/// A second fault in the first one's shadow: of what is known for `keep_firing_for` rows, what is clear
/// and new is another.
#[test]
fn what_is_new_in_an_episode_gets_an_alert_of_its_own() {
    use Transition::{None, Opened, Superseded};
    let params = params(1, 2, 100);
    let mut state = AlertState::default();
    let mut step = |i: usize, news: f64| {
        let (transition, alert) = state.step(&params, row_of_news(i, 2.5, news));
        (transition, alert.map(|a| a.sequence), state.firing().map(|f| f.starts_at))
    };
    let at = |i: usize| Some(row(i, 0.0).time);
    assert_eq!(step(0, 2.5), (Opened, Some(0), at(0)));
    // It grows, and is news until it is known.
    assert_eq!(step(1, 2.5), (None, Some(0), at(0)));
    assert_eq!(step(2, 0.9), (None, Some(0), at(0)));
    assert_eq!(step(3, 0.9), (None, Some(0), at(0)));
    assert_eq!(step(4, 1.3), (None, Some(0), at(0)), "not critical, however low the threshold");
    assert_eq!(step(5, 1.4), (Superseded, Some(1), at(5)));
    assert_eq!(step(6, 1.4).0, None, "its state is not known yet");
}

/// What is expected is what was seen of it.
#[test]
fn what_is_new_is_told_whatever_was_expected() {
    let params = params(1, 2, 100);
    let mut state = AlertState::default();
    let step = |state: &mut AlertState, i: usize, news: f64| {
        state.step(&params, row_of_news(i, 3.0, news)).0
    };
    step(&mut state, 0, 3.0);
    state.decide(AlertReason::Expected).expect("it is open");
    let told: Vec<_> =
        (1..5).map(|i| step(&mut state, i, if i == 4 { 3.0 } else { 0.0 })).collect();
    let none = Transition::None;
    assert_eq!(told, [none, none, none, Transition::Opened]);
}
