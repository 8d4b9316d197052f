use proptest::prelude::*;

use super::*;
use crate::alert::{Budget, DetectionDirection};
use crate::record::{Fraction, Millis, Positive};

fn params(for_rows: u32, keep_firing_for: u32, accept_after: u32) -> AlertParams {
    let positive = |v| Positive::try_from(v).expect("above 0");
    let fraction = |v| Fraction::try_from(v).expect("between 0 and 1");
    AlertParams {
        budget: Budget { alerts: positive(2.0), per: Millis::new(604_800_000) },
        for_rows,
        keep_firing_for,
        release_ratio: fraction(0.5),
        critical_ratio: positive(2.0),
        accept_after,
        top: 3,
        direction: DetectionDirection::Both,
        min_dev_from_expected: 0.0,
        tail: fraction(0.05),
        memory: positive(5_000.0),
        ..AlertParams::default()
    }
}

fn run(params: &AlertParams, scores: &[f64]) -> Vec<Transition> {
    let mut state = AlertState::default();
    let row = |(i, score): (usize, &f64)| Observation {
        anomaly_score: *score,
        eligible: true,
        time: EventTime::from_millis(i as i64),
    };
    scores.iter().enumerate().map(|r| state.step(params, row(r)).0).collect()
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

proptest! {
    /// Every alert that closes was opened, only one is open at a time, and sequences count up.
    #[test]
    fn openings_and_closings_alternate(
        scores in proptest::collection::vec(0.0_f64..4.0, 0..400),
        for_rows in 1_u32..4, keep in 1_u32..6, accept in 5_u32..60,
    ) {
        let params = params(for_rows, keep, accept);
        let mut state = AlertState::default();
        let (mut open, mut sequence) = (false, 0);
        for (i, anomaly_score) in scores.into_iter().enumerate() {
            let row = Observation { anomaly_score, eligible: true, time: EventTime::from_millis(i as i64) };
            let (transition, alert) = state.step(&params, row);
            match transition {
                Transition::Opened => {
                    prop_assert!(!open && anomaly_score >= 1.0);
                    (open, sequence) = (true, 0);
                }
                Transition::Closed | Transition::Accepted => {
                    prop_assert!(open);
                    open = false;
                    prop_assert_eq!(alert.expect("ended").sequence, sequence + 1);
                }
                Transition::Escalated => {
                    sequence += 1;
                    prop_assert_eq!(alert.expect("open").sequence, sequence);
                }
                Transition::None => {}
            }
            prop_assert_eq!(state.firing().is_some(), open);
        }
    }
}
