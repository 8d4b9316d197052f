//! The alerts of two runs over the same rows, paired.

/// What became of an alert of the first run in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Both have it: index in the first, in the second, and by how many rows the second is later.
    Both(usize, usize, i64),
    /// Only the first has it.
    Vanished(usize),
    /// Only the second has it.
    Appeared(usize),
}

/// Pairs alerts, given as ascending row numbers, that lie at most `tolerance` rows apart; each is
/// paired once, with its nearest. The result is in the order of rows.
pub fn pair(first: &[u64], second: &[u64], tolerance: u64) -> Vec<Pair> {
    let (mut a, mut b) = (0, 0);
    let mut pairs = Vec::new();
    while a < first.len() || b < second.len() {
        let next = match (first.get(a), second.get(b)) {
            (Some(x), Some(y)) if x.abs_diff(*y) <= tolerance => {
                let nearer = |list: &[u64], at: usize, to: u64| {
                    list.get(at + 1).is_some_and(|z| z.abs_diff(to) < list[at].abs_diff(to))
                };
                match (nearer(second, b, *x), nearer(first, a, *y)) {
                    (true, _) => Pair::Appeared(b),
                    (false, true) => Pair::Vanished(a),
                    (false, false) => Pair::Both(a, b, *y as i64 - *x as i64),
                }
            }
            (Some(x), Some(y)) if x < y => Pair::Vanished(a),
            (Some(_), None) => Pair::Vanished(a),
            _ => Pair::Appeared(b),
        };
        a += usize::from(!matches!(next, Pair::Appeared(_)));
        b += usize::from(!matches!(next, Pair::Vanished(_)));
        pairs.push(next);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::Pair::{Appeared, Both, Vanished};
    use super::*;

    #[test]
    fn each_alert_is_paired_once_with_its_nearest() {
        #[rustfmt::skip]
        let cases: [(&[u64], &[u64], &[Pair]); 6] = [
            (&[],       &[],        &[]),
            (&[10],     &[10],      &[Both(0, 0, 0)]),
            (&[10],     &[14],      &[Both(0, 0, 4)]),
            (&[10],     &[16],      &[Vanished(0), Appeared(0)]),
            (&[10, 40], &[6, 10],   &[Appeared(0), Both(0, 1, 0), Vanished(1)]),
            (&[6, 10],  &[9],       &[Vanished(0), Both(1, 0, -1)]),
        ];
        for (first, second, expected) in cases {
            assert_eq!(pair(first, second, 5), expected, "{first:?} {second:?}");
        }
    }
}
