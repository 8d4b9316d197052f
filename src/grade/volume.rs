//! The precision-recall area over blurred labels: a detector that is a few rows early is not wrong.

use super::curve::labelled;
use super::ranking::Ranking;
use super::{Event, Graded, events};

/// Volume under the precision-recall surface (VUS-PR), 0 to 1: the mean range-based area over the
/// buffers `w = 0..=reach`.
///
/// With a buffer `w`, rows up to `w / 2` rows before or after a labelled range count as labelled by
/// `sqrt(1 − distance / w)`, at most 1 in sum. At a threshold that takes `n` rows, of them `t`
/// labelled ones and buffer of weight `b`: precision `(t + b) / n`, recall
/// `min(1, (t + b) / (T + b / 2)) · (ranges touched / ranges)` with `T` labelled rows. This is the
/// form of the authors' package (`RangeAUC_volume_opt`): only the buffer that was taken enters the
/// denominator, so a perfect ranking has volume 1. All thresholds are visited, where the package
/// samples 250; areas are sums of steps.
///
/// `None` without a labelled row.
///
/// # Source
///
/// Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series
/// Anomaly Detection", PVLDB 15(11), 2022.
pub fn vus_pr(rows: &[Graded], reach: usize) -> Option<f64> {
    let labelled = labelled(rows)? as f64;
    let ranges = events(rows);
    let ranking = Ranking::of(rows.iter().map(|row| row.score));
    let mut surface = Surface::new(rows.len());
    let mut volume = 0.0;
    for buffer in 0..=reach {
        surface.blur(&ranges, buffer);
        volume += surface.area(&ranking, labelled);
    }
    Some(volume / (reach + 1) as f64)
}

/// Labels at one buffer.
struct Surface {
    /// By row, 0 to 1.
    weight: Vec<f64>,
    /// By row: 1 and up for the range that it touches, 0 for none.
    range: Vec<u32>,
    /// By row: labelled itself, not by a buffer.
    label: Vec<bool>,
    ranges: u32,
}

impl Surface {
    fn new(rows: usize) -> Self {
        Self { weight: vec![0.0; rows], range: vec![0; rows], label: vec![false; rows], ranges: 0 }
    }

    /// Widens the ranges; those that then overlap are one.
    fn blur(&mut self, ranges: &[Event], buffer: usize) {
        self.weight.fill(0.0);
        self.range.fill(0);
        self.ranges = 0;
        let (half, mut end) = (buffer / 2, None);
        for Event { first, last } in ranges.iter().copied() {
            let from = first.saturating_sub(half);
            let to = (last + half).min(self.weight.len() - 1);
            // As in the package: ranges that touch stay two, a shared row makes them one.
            if end.is_none_or(|end| end < first as i64 - half as i64) {
                self.ranges += 1;
            }
            end = Some((last + half) as i64);
            for row in from..=to {
                let distance = first.saturating_sub(row) + row.saturating_sub(last);
                let part = match distance {
                    0 => 1.0,
                    _ => (1.0 - distance as f64 / buffer as f64).sqrt(),
                };
                self.weight[row] = f64::min(1.0, self.weight[row] + part);
                self.label[row] |= distance == 0;
                self.range[row] = self.ranges;
            }
        }
    }

    fn area(&self, ranking: &Ranking, labelled: f64) -> f64 {
        let mut touched = vec![false; self.ranges as usize + 1];
        let (mut taken, mut found, mut blurred, mut hits) = (0, 0.0, 0.0, 0);
        let (mut area, mut recall_before) = (0.0, 0.0);
        for run in ranking.runs() {
            taken += run.len();
            for row in run.iter().map(|row| *row as usize) {
                let range = self.range[row] as usize;
                if range == 0 {
                    continue;
                }
                match self.label[row] {
                    true => found += 1.0,
                    false => blurred += self.weight[row],
                }
                hits += u32::from(!std::mem::replace(&mut touched[range], true));
            }
            let (hit, all) = (found + blurred, labelled + blurred / 2.0);
            let recall = f64::min(1.0, hit / all) * f64::from(hits) / f64::from(self.ranges);
            area += (recall - recall_before) * hit / taken as f64;
            recall_before = recall;
        }
        area
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::rows;
    use super::*;

    #[test]
    fn a_perfect_ranking_fills_the_volume_and_one_range_alone_is_average_precision() {
        let labels = "....xxx.......xx....";
        let truth: Vec<f64> = labels.chars().map(|c| f64::from(u8::from(c == 'x'))).collect();
        assert_eq!(vus_pr(&rows(&truth, labels), 8), Some(1.0));
        // Without a buffer and with one range, touching it is having found a row of it.
        let scores = [5.0, 1.0, 4.0, 3.0, 2.0];
        let rows = rows(&scores, "..xx.");
        assert_eq!(vus_pr(&rows, 0), super::super::average_precision(&rows));
        assert_eq!(vus_pr(&rows[..2], 3), None);
    }

    #[test]
    fn a_row_early_is_half_right() {
        // Buffer 0 and 1: the label alone, found by the last threshold. Buffers 2: sqrt(1/2)
        // beside it.
        let rows = rows(&[0.0, 1.0, 0.0, 0.0], "..x.");
        let w = 0.5_f64.sqrt();
        let first = (w / (1.0 + w / 2.0)).min(1.0);
        let narrow = 0.25;
        let wide = first * w + (1.0 - first) * (1.0 + 2.0 * w) / 4.0;
        let mean = (2.0 * narrow + wide) / 3.0;
        assert!((vus_pr(&rows, 2).unwrap() - mean).abs() < 1e-12);
    }
}
