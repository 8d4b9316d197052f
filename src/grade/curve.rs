//! Areas under the curves of all thresholds, row by row.

use super::Graded;
use super::ranking::Ranking;

/// Area under the precision-recall curve as average precision, 0 to 1: `Σ (R_i − R_{i−1}) · P_i`
/// over the thresholds, without interpolation. Rows of equal score are taken together.
///
/// A random score comes to about the share of labelled rows. `None` without a labelled row.
///
/// # Source
///
/// Davis and Goadrich, "The Relationship Between Precision-Recall and ROC Curves", ICML 2006.
pub fn average_precision(rows: &[Graded]) -> Option<f64> {
    let labelled = labelled(rows)?;
    let (mut found, mut seen, mut area) = (0, 0, 0.0);
    for run in Ranking::of(rows.iter().map(|row| row.score)).runs() {
        let more = in_run(rows, run);
        found += more;
        seen += run.len();
        area += more as f64 * found as f64 / seen as f64;
    }
    Some(area / labelled as f64)
}

/// Area under the receiver operating characteristic, 0 to 1: the chance that a labelled row scores
/// higher than another one, ties counted half. A random score comes to 0.5.
///
/// `None` if all rows are labelled or none is.
pub fn roc_auc(rows: &[Graded]) -> Option<f64> {
    let labelled = labelled(rows)?;
    let calm = rows.len() - labelled;
    let (mut found, mut area) = (0, 0.0);
    for run in Ranking::of(rows.iter().map(|row| row.score)).runs() {
        let more = in_run(rows, run);
        area += (run.len() - more) as f64 * (found as f64 + more as f64 / 2.0);
        found += more;
    }
    (0 < calm).then(|| area / (labelled as f64 * calm as f64))
}

/// Labelled rows, if there is one.
pub(super) fn labelled(rows: &[Graded]) -> Option<usize> {
    let count = rows.iter().filter(|row| row.label).count();
    (0 < count).then_some(count)
}

fn in_run(rows: &[Graded], run: &[u32]) -> usize {
    run.iter().filter(|i| rows[**i as usize].label).count()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::EventTime;

    /// Rows a minute apart; the text says `x` for a label.
    pub fn rows(scores: &[f64], labels: &str) -> Vec<Graded> {
        let pairs = scores.iter().zip(labels.chars()).enumerate();
        pairs
            .map(|(i, (score, label))| Graded {
                time: EventTime::from_millis(60_000 * i as i64),
                score: *score,
                alerts: 0,
                label: label == 'x',
            })
            .collect()
    }

    #[test]
    fn areas_are_those_computed_by_hand() {
        #[rustfmt::skip]
        let cases: [(&[f64], &str, f64, f64); 5] = [
            // (1/1 + 2/3) / 2; pairs: first beats 2, second beats 1 of 2.
            (&[4.0, 3.0, 2.0, 1.0], "x.x.", 5.0 / 6.0,     0.75),
            (&[4.0, 3.0, 2.0, 1.0], "xx..", 1.0,           1.0),
            (&[4.0, 3.0, 2.0, 1.0], "..xx", (1.0 / 3.0 + 0.5) / 2.0, 0.0),
            // All equal: the share of labels.
            (&[1.0, 1.0, 1.0, 1.0], "x...", 0.25,          0.5),
            // A tie of one of each at the top, then one more.
            (&[2.0, 2.0, 1.0, 0.0], "x.x.", (0.5 + 2.0 / 3.0) / 2.0, 0.625),
        ];
        for (scores, labels, precision, roc) in cases {
            let rows = rows(scores, labels);
            let close = |a: Option<f64>, b: f64| (a.expect("labels") - b).abs() < 1e-12;
            assert!(close(average_precision(&rows), precision), "{labels} {scores:?}");
            assert!(close(roc_auc(&rows), roc), "{labels} {scores:?} {:?}", roc_auc(&rows));
        }
        assert_eq!(average_precision(&rows(&[1.0], ".")), None);
        assert_eq!(roc_auc(&rows(&[1.0], "x")), None);
    }

    #[test]
    fn a_random_score_comes_to_the_base_rate() {
        // A multiplicative congruence visits each rank once, in no order that the labels know.
        let scores: Vec<f64> = (0..9_973_u64).map(|i| ((i * 4_093) % 9_973) as f64).collect();
        let labels: String = (0..9_973).map(|i| if i % 1_000 < 100 { 'x' } else { '.' }).collect();
        let rows = rows(&scores, &labels);
        let [precision, roc] = [average_precision(&rows), roc_auc(&rows)].map(Option::unwrap);
        assert!((precision - 0.1).abs() < 0.02 && (roc - 0.5).abs() < 0.02, "{precision} {roc}");
    }

    proptest! {
        /// Only the order counts, and the area of the opposite order is what is left.
        #[test]
        fn monotone_transforms_change_nothing(
            pairs in prop::collection::vec((-9_i32..9, any::<bool>()), 2..60)
        ) {
            let make = |f: &dyn Fn(f64) -> f64| -> Vec<Graded> {
                let row = |(s, label): &(i32, bool)| Graded {
                    time: EventTime::from_millis(0),
                    score: f(f64::from(*s)),
                    alerts: 0,
                    label: *label,
                };
                pairs.iter().map(row).collect()
            };
            let (plain, warped) = (make(&|s| s), make(&|s| (s / 4.0).exp()));
            prop_assert_eq!(average_precision(&plain), average_precision(&warped));
            prop_assert_eq!(super::super::vus_pr(&plain, 5), super::super::vus_pr(&warped, 5));
            if let (Some(area), Some(other)) = (roc_auc(&plain), roc_auc(&make(&|s| -s))) {
                prop_assert!((area + other - 1.0).abs() < 1e-12);
            }
        }
    }
}
