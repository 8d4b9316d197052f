//! Rows from the highest score to the lowest.

/// An order of rows, cut where the score changes: a threshold takes a run of equal scores whole.
pub(super) struct Ranking {
    order: Vec<u32>,
    /// End of each run in `order`.
    ends: Vec<u32>,
}

impl Ranking {
    /// Orders at most `u32::MAX` scores; NaN counts as lowest.
    pub fn of(scores: impl Iterator<Item = f64>) -> Self {
        let scores: Vec<f64> =
            scores.map(|s| if s.is_nan() { f64::NEG_INFINITY } else { s }).collect();
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
        let differs = |at: &u32| {
            let next = order.get(*at as usize).map(|i| scores[*i as usize]);
            next != Some(scores[order[*at as usize - 1] as usize])
        };
        let ends = (1..=order.len() as u32).filter(differs).collect();
        Self { order, ends }
    }

    /// Rows of equal score, highest first.
    pub fn runs(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| &self.order[from as usize..*to as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_one_run_and_nan_is_last() {
        let ranking = Ranking::of([1.0, f64::NAN, 3.0, 1.0, 0.0].into_iter());
        let runs: Vec<Vec<u32>> = ranking.runs().map(<[u32]>::to_vec).collect();
        assert_eq!(runs, [vec![2], vec![0, 3], vec![4], vec![1]]);
        assert_eq!(Ranking::of(std::iter::empty()).runs().count(), 0);
    }
}
