//! Finding seasons: peaks of the autocorrelation.

/// A season must be seen this often.
const SEEN_MIN: usize = 3;
/// Least autocorrelation at a season.
const PEAK_MIN: f64 = 0.25;
/// Least rise of a peak above the deepest point before it.
const RISE_MIN: f64 = 0.15;
/// A longer season must be better than the shorter one by this much.
const BETTER: f64 = 0.03;
/// The first peak that reaches this share of the highest is the season: others are its multiples.
const NEAR_BEST: f64 = 0.85;
/// Shorter seasons are not told from noise.
const SHORTEST: usize = 4;
/// Least autocorrelation at a day.
const DAY_MIN: f64 = 0.1;
/// A season so near a day, as a share of it, is a day.
const NEAR_DAY: f64 = 0.05;

/// Season lengths in rows, ascending: none, one, or a season and a multiple of it. `values` are
/// without gaps; a trend does no harm. `day` is the number of rows of a day, if there is one: what is
/// found near a day is a day, and then its week is a season, too, once it was seen often enough.
pub(super) fn find(values: &[f64], longest: usize, day: Option<usize>) -> Vec<u32> {
    // A level that wanders hides seasons; its steps do not. Noise hides them in steps.
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let both = [detrended(values), detrended(&steps)];
    if let Some(day) = day.filter(|day| both.iter().any(|values| has_day(values, *day))) {
        return civil(vec![day], values.len(), longest, Some(day));
    }
    let found = both.iter().map(|values| search(values, longest)).find(|found| !found.is_empty());
    civil(found.unwrap_or_default(), values.len(), longest, day)
}

/// Whether the autocorrelation has a peak at a day that chance does not make: a day is expected, so less
/// is asked than of other seasons.
fn has_day(values: &[f64], day: usize) -> bool {
    let beside = (day / 6).max(1);
    if day < SHORTEST || values.len() < SEEN_MIN * day + beside {
        return false;
    }
    let acf = autocorrelation(values, day + beside);
    let is_top = acf[day - beside..].iter().all(|x| *x <= acf[day]);
    let lowest = acf[..day].iter().copied().fold(f64::INFINITY, f64::min);
    let chance = 4.0 / (values.len() as f64).sqrt();
    is_top && acf[day] >= chance.max(DAY_MIN) && acf[day] >= lowest + RISE_MIN
}

fn is_near(found: &[usize], day: usize) -> bool {
    let off = found.first().map_or(usize::MAX, |short| short.abs_diff(day));
    off as f64 <= NEAR_DAY * day as f64
}

/// Days and weeks in the place of what is near a day.
fn civil(found: Vec<usize>, rows: usize, longest: usize, day: Option<usize>) -> Vec<u32> {
    let seasons = match day.filter(|day| is_near(&found, *day)) {
        Some(day) if 7 * day <= (rows / SEEN_MIN).min(longest) => vec![day, 7 * day],
        Some(day) => vec![day],
        None => found,
    };
    seasons.into_iter().map(|season| season as u32).collect()
}

fn search(values: &[f64], longest: usize) -> Vec<usize> {
    let lags = (values.len() / SEEN_MIN).min(longest);
    if lags < SHORTEST {
        return Vec::new();
    }
    let acf = autocorrelation(values, lags);
    let peaks = peaks(&acf);
    let best = peaks.iter().map(|lag| acf[*lag]).fold(0.0, f64::max);
    let Some(short) = peaks.iter().copied().find(|lag| acf[*lag] >= NEAR_BEST * best) else {
        return Vec::new();
    };
    let multiples = (2..).map(|k| k * short).take_while(|lag| *lag <= lags);
    let near = |lag: usize| {
        // The peak of a multiple may lie beside it.
        let beside = short / 8;
        let around = lag.saturating_sub(beside)..=(lag + beside).min(lags);
        around.max_by(|a, b| acf[*a].total_cmp(&acf[*b])).unwrap_or(lag)
    };
    let is_multiple = |lag: usize| near(lag).abs_diff(lag) <= 1;
    let multiples: Vec<usize> = multiples.filter(|lag| is_multiple(*lag)).collect();
    let highest = multiples.iter().map(|lag| acf[*lag]).fold(acf[short] + BETTER, f64::max);
    // Multiples of the longer season are as high as it is.
    let long = multiples.into_iter().find(|lag| acf[*lag] >= highest - BETTER);
    let mut seasons = vec![short];
    seasons.extend(long.filter(|lag| acf[*lag] > acf[short] + BETTER));
    seasons
}

/// Without mean and straight line.
fn detrended(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let centre = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let at = |i: usize| i as f64 - centre;
    let (mut product, mut square) = (0.0, 0.0);
    for (i, y) in values.iter().enumerate() {
        product += at(i) * (y - mean);
        square += at(i) * at(i);
    }
    let slope = if square > 0.0 { product / square } else { 0.0 };
    values.iter().enumerate().map(|(i, y)| y - mean - slope * at(i)).collect()
}

/// Autocorrelation at lags 0 to `lags`, each over the pairs there are.
fn autocorrelation(values: &[f64], lags: usize) -> Vec<f64> {
    let product = |lag: usize| {
        let pairs = values.iter().zip(&values[lag..]);
        pairs.map(|(a, b)| a * b).sum::<f64>() / (values.len() - lag) as f64
    };
    let variance = product(0);
    (0..=lags).map(|lag| if variance > 0.0 { product(lag) / variance } else { 0.0 }).collect()
}

/// Lags whose autocorrelation is high, highest in their neighbourhood, and well above what lies before.
fn peaks(acf: &[f64]) -> Vec<usize> {
    let mut lowest = f64::INFINITY;
    let mut peaks = Vec::new();
    for lag in 1..acf.len() {
        let beside = (lag / 8).max(1);
        let from = lag.saturating_sub(beside).max(1);
        let around = &acf[from..(lag + beside + 1).min(acf.len())];
        let is_top = around.iter().all(|x| *x <= acf[lag]);
        // Whether the last lag is a peak cannot be known.
        let inside = lag + 1 < acf.len() && lag >= SHORTEST;
        if inside && is_top && acf[lag] >= PEAK_MIN && acf[lag] >= lowest + RISE_MIN {
            peaks.push(lag);
        }
        lowest = lowest.min(acf[lag]);
    }
    peaks
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::f64::consts::TAU;

    fn series(n: usize, of: impl Fn(f64) -> f64, noise: f64) -> Vec<f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        (0..n).map(|t| of(t as f64) + rng.gen_range(-noise..=noise)).collect()
    }

    #[test]
    fn seasons_are_found_and_noise_has_none() {
        let day = |t: f64| 10.0 * (t * TAU / 24.0).sin();
        let week = move |t: f64| day(t) * if t % 168.0 < 120.0 { 1.0 } else { 0.3 };
        #[rustfmt::skip]
        let cases = [
            ("a day",             series(400, day, 5.0),                    vec![24]),
            ("a day and a week",  series(1_024, week, 2.0),                 vec![24, 168]),
            ("a trend",           series(400, |t| day(t) + t, 5.0),         vec![24]),
            ("no season",         series(1_024, |_| 0.0, 5.0),              vec![]),
            ("a straight line",   series(256, |t| t, 0.0),                  vec![]),
            ("a constant",        series(256, |_| 7.0, 0.0),                vec![]),
            ("too short",         series(10, day, 0.0),                     vec![]),
            ("weekdays",          series(200, |t| (t % 7.0).powi(2), 5.0),  vec![7]),
        ];
        for (what, values, wanted) in cases {
            assert_eq!(find(&values, 700, None), wanted, "{what}");
        }
    }

    #[test]
    fn what_is_near_a_day_is_a_day_and_has_a_week() {
        let wave = |period: f64| move |t: f64| 10.0 * (t * TAU / period).sin();
        let cases = [
            ("a day", series(400, wave(24.3), 5.0), vec![24]),
            ("three weeks of it", series(600, wave(24.0), 5.0), vec![24, 168]),
            ("half a day is in a day", series(600, wave(12.0), 5.0), vec![24, 168]),
            (
                "in a level that wanders",
                series(600, |t| wave(24.0)(t) + 0.001 * t * t, 2.0),
                vec![24, 168],
            ),
        ];
        for (what, values, wanted) in cases {
            assert_eq!(find(&values, 700, Some(24)), wanted, "{what}");
        }
    }

    #[test]
    fn a_walk_has_no_season() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
        let mut y = 0.0;
        let walk: Vec<f64> = (0..2_000)
            .map(|_| {
                y += rng.gen_range(-1.0..1.0);
                y
            })
            .collect();
        assert!(find(&walk, 600, None).is_empty());
    }
}
