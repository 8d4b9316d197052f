//! The period of a series, from its autocorrelation.

/// Records at which the period is looked for.
pub(super) const CHECKS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// Records looked at, at most.
pub(super) const LOOK_BACK: usize = 8_192;
/// Shortest period told from noise, in records.
const SHORTEST: usize = 8;
/// A highest peak below this is no period.
const PEAK_MIN: f64 = 0.3;
/// The shortest peak with this share of the highest is the period: higher ones are multiples of it.
const PEAK_SHARE: f64 = 0.7;

/// The shortest strong peak of the autocorrelation of `x` (`n <= 8192`) after its first negative
/// value, in records; `None` if nothing repeats.
///
/// A straight line is taken out first. Every lag is divided by its own number of products. In
/// `O(n log n)`: about a millisecond.
pub(super) fn find_period(x: &[f64]) -> Option<usize> {
    let a = autocorrelation(&without_line(x)?);
    let a = &a[..x.len() / 2];
    let start = a.iter().position(|v| *v < 0.0).unwrap_or(0).max(SHORTEST);
    let peaks =
        || (start..a.len().saturating_sub(1)).filter(|i| a[*i] >= a[i - 1] && a[*i] > a[i + 1]);
    let highest = peaks().map(|i| a[i]).fold(0.0, f64::max);
    peaks().find(|i| highest >= PEAK_MIN && a[*i] >= PEAK_SHARE * highest)
}

/// `x` minus its least-squares line; `None` if it is constant.
fn without_line(x: &[f64]) -> Option<Vec<f64>> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    if variance.is_nan() || variance < 1e-18 {
        return None;
    }
    let centre = (n - 1.0) / 2.0;
    let slope = x.iter().enumerate().map(|(i, v)| (i as f64 - centre) * v).sum::<f64>()
        / ((n * n - 1.0) * n / 12.0);
    Some(x.iter().enumerate().map(|(i, v)| v - mean - slope * (i as f64 - centre)).collect())
}

/// Unbiased, 1 at lag 0, by the Wiener-Khinchin theorem.
fn autocorrelation(x: &[f64]) -> Vec<f64> {
    let n = x.len();
    let mut wave = vec![(0.0, 0.0); (2 * n).next_power_of_two()];
    wave.iter_mut().zip(x).for_each(|(w, v)| w.0 = *v);
    fourier(&mut wave);
    wave.iter_mut().for_each(|w| *w = (w.0 * w.0 + w.1 * w.1, 0.0));
    // The power spectrum is even: forwards and back are the same but for a factor.
    fourier(&mut wave);
    let first = wave[0].0 / n as f64 + 1e-12;
    wave[..n].iter().enumerate().map(|(lag, w)| w.0 / (n - lag) as f64 / first).collect()
}

/// In place, radix 2 (Cooley and Tukey, 1965); the length is a power of two.
fn fourier(wave: &mut [(f64, f64)]) {
    let n = wave.len();
    let shift = usize::BITS - n.trailing_zeros();
    for i in 0..n {
        let j = if n > 1 { i.reverse_bits() >> shift } else { 0 };
        if i < j {
            wave.swap(i, j);
        }
    }
    let mut half = 1;
    while half < n {
        let turn = -std::f64::consts::PI / half as f64;
        let turns: Vec<(f64, f64)> = (0..half).map(|k| (turn * k as f64).sin_cos()).collect();
        for pair in wave.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for ((a, b), (sin, cos)) in low.iter_mut().zip(high).zip(&turns) {
                let t = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - t.0, a.1 - t.1);
                *a = (a.0 + t.0, a.1 + t.1);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, period: f64) -> Vec<f64> {
        (0..n)
            .map(|i| (i as f64 * std::f64::consts::TAU / period).sin() + 0.01 * i as f64)
            .collect()
    }

    #[test]
    fn the_period_of_a_wave_on_a_slope_is_found() {
        for period in [9.0, 37.0, 144.0, 288.0] {
            let found = find_period(&wave(3_000, period)).expect("a period") as f64;
            assert!((found - period).abs() <= 1.0, "{found} instead of {period}");
        }
        assert_eq!(find_period(&[1.0; 500]), None);
    }

    #[test]
    fn the_fast_way_is_the_definition() {
        let x = without_line(&wave(301, 23.0)).expect("not constant");
        let at = |lag: usize| -> f64 {
            let sum: f64 = (lag..x.len()).map(|i| x[i] * x[i - lag]).sum();
            sum / (x.len() - lag) as f64
        };
        let fast = autocorrelation(&x);
        (0..150).for_each(|lag| assert!((fast[lag] - at(lag) / at(0)).abs() < 1e-9, "{lag}"));
    }
}
