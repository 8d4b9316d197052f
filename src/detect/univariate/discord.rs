//! The left discord: how far is the newest period from the most similar one of the past?

use serde::{Deserialize, Serialize};

use super::thin::Thin;
use super::track::Track;
use crate::record::raw;

/// Past windows compared, at most.
pub(super) const LAGS: usize = 8_000;
/// Points a period, about.
const POINTS: f64 = 128.0;
/// Shortest and longest window, in points: periods under 192 records are taken record by record.
const WINDOWS: (usize, usize) = (8, 192);
/// Room is kept for windows of at least so many points.
const ROOM_MIN: usize = 96;
/// Gaps up to this share of a window hold the last point; a window with a longer one is compared with none.
const GAP_SHARE: f64 = 0.05;
/// Variance (of scaled values) that is added to that of a window: flat ones are alike.
const FLAT: f32 = 0.1;

/// Nearest neighbour of the newest window among all earlier windows that do not overlap it, both
/// reduced to zero mean and unit deviation: the left matrix profile (Yeh et al., "Matrix Profile I",
/// ICDM 2016; Lu et al., "DAMP", KDD 2022, for the left form).
///
/// Products are kept by lag and updated in place, so that a point costs two passes over the lags,
/// some microseconds; one lag a point is computed anew, so that rounding does not add up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Discord {
    #[serde(flatten)]
    thin: Thin,
    points: Track,
    window: usize,
    /// Sum of products of the newest window and the one `window + i` points before.
    #[serde(with = "raw::f32s")]
    products: Vec<f32>,
    means: Track,
    /// One over the deviation of each window; NaN: never a neighbour.
    inverse: Track,
    refresh: usize,
    /// The last point observed, and how many were not since.
    #[serde(default)]
    held: Option<(f32, usize)>,
}

impl Discord {
    /// For a period of `period` records.
    pub(super) fn new(period: usize) -> Self {
        let stride = ((period as f64 / POINTS).round() as usize).max(1);
        let window = (period as f64 / stride as f64).round() as usize;
        let window = window.clamp(WINDOWS.0, WINDOWS.1);
        let [points, means, inverse] = Self::tracks(window);
        Self {
            thin: Thin::new(stride),
            points,
            window,
            products: Vec::new(),
            means,
            inverse,
            refresh: 0,
            held: None,
        }
    }

    /// Points, and means and deviations of windows, as many as [`LAGS`] lags need.
    fn tracks(window: usize) -> [Track; 3] {
        let room = window.max(ROOM_MIN);
        [LAGS + 2 * room, LAGS + room + 1, LAGS + room + 1].map(Track::new)
    }

    /// Takes a scaled record (NaN: not observed). Returns whether it completed a point.
    pub(super) fn push(&mut self, x: f32) -> bool {
        let Some(point) = self.thin.push(x) else { return false };
        let point = self.hold(point);
        self.points.push(point);
        self.advance();
        true
    }

    /// A point, or the last one in a short gap.
    fn hold(&mut self, point: f32) -> f32 {
        let most = ((GAP_SHARE * self.window as f64) as usize).max(1);
        match &mut self.held {
            _ if !point.is_nan() => self.held = Some((point, 0)),
            Some((last, gone)) if *gone < most => {
                *gone += 1;
                return *last;
            }
            _ => self.held = None,
        }
        point
    }

    /// Distance of the newest window to its nearest neighbour, from 0 (seen before) to 2; `None`
    /// while there is nothing to compare with.
    pub(super) fn distance(&self) -> Option<f64> {
        let (w, n, lags) = (self.window, self.means.len(), self.products.len());
        if lags == 0 {
            return None;
        }
        let (mean, inverse) = (self.means.newest(1)[0], self.inverse.newest(1)[0]);
        let past = n - w - lags..n - w;
        let others = self.means.kept()[past.clone()].iter().zip(&self.inverse.kept()[past]).rev();
        let share = 1.0 / w as f32;
        let mut nearest = f32::INFINITY;
        for (product, (m, i)) in self.products.iter().zip(others) {
            let square = norm(*i) - 2.0 * (product * share - mean * m) * inverse * i;
            // False for NaN.
            nearest = if square < nearest { square } else { nearest };
        }
        nearest.is_finite().then(|| f64::from((nearest + norm(inverse)).max(0.0)).sqrt())
    }

    /// The newest window is never a neighbour: it belongs to an alert.
    pub(super) fn quarantine(&mut self) {
        self.inverse.replace_newest(f32::NAN);
    }

    fn advance(&mut self) {
        let y = self.points.kept();
        let Some(start) = y.len().checked_sub(self.window) else { return };
        let (mean, variance) = moments(&y[start..]);
        let sound = variance.is_finite();
        self.means.push(if sound { mean } else { 0.0 });
        self.inverse.push(1.0 / (variance + FLAT).sqrt());
        self.multiply();
    }

    fn multiply(&mut self) {
        let y = self.points.kept();
        let (w, n) = (self.window, y.len());
        let held = |v: f32| if v.is_nan() { 0.0 } else { v };
        let product = |lag: usize| -> f32 {
            let (a, b) = (&y[n - w..], &y[n - w - lag..n - lag]);
            a.iter().zip(b).map(|(a, b)| held(*a) * held(*b)).sum()
        };
        if n > w {
            let (new, old) = (held(y[n - 1]), held(y[n - 1 - w]));
            // Lags w, w + 1, …: the newest points of the neighbours, backwards.
            let heads = y[..n - w].iter().rev();
            let gone = y[..n - w].iter().rev().skip(w);
            for ((p, head), gone) in self.products.iter_mut().zip(heads).zip(gone) {
                *p += new * held(*head) - old * held(*gone);
            }
        }
        let most = (n + 1).saturating_sub(2 * w).min(LAGS);
        for lag in self.products.len() + w..most + w {
            self.products.push(product(lag));
        }
        if let Some(p) = self.products.get_mut(self.refresh) {
            *p = product(self.refresh + w);
        }
        self.refresh = if self.refresh + 1 < most { self.refresh + 1 } else { 0 };
    }

    pub(super) fn is_sound(&self) -> bool {
        if !(WINDOWS.0..=WINDOWS.1).contains(&self.window) {
            return false;
        }
        let most = (self.points.len() + 1).saturating_sub(2 * self.window).min(LAGS);
        // Not the window of a new one: a stored one may have been made for fewer points a period.
        let [points, means, inverse] = Self::tracks(self.window);
        self.thin.is_sound()
            && self.points.fits(&points)
            && self.products.len() <= most
            && self.refresh <= LAGS
            && (self.products.is_empty() || self.means.len() >= self.products.len() + self.window)
            && self.means.fits(&means)
            && self.inverse.fits(&inverse)
            && self.inverse.len() == self.means.len()
    }
}

/// Mean square of a reduced window.
fn norm(inverse: f32) -> f32 {
    1.0 - FLAT * inverse * inverse
}

fn moments(window: &[f32]) -> (f32, f32) {
    let n = window.len() as f32;
    let mean = window.iter().sum::<f32>() / n;
    (mean, window.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brute_force(y: &[f32], w: usize) -> f64 {
        let reduced = |end: usize| {
            let window = &y[end - w..end];
            let mean = window.iter().sum::<f32>() / w as f32;
            let variance = window.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / w as f32;
            window.iter().map(|v| (v - mean) / (variance + FLAT).sqrt()).collect::<Vec<f32>>()
        };
        let newest = reduced(y.len());
        let distance = |end: usize| {
            let squares = newest.iter().zip(reduced(end)).map(|(a, b)| f64::from((a - b).powi(2)));
            (squares.sum::<f64>() / w as f64).sqrt()
        };
        (w..=y.len() - w).map(distance).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let mut discord = Discord::new(16);
        let mut y = Vec::new();
        for i in 0..400_u32 {
            let noise = f64::from(i.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
            y.push(((f64::from(i) * 0.4).sin() + 0.3 * noise) as f32);
            assert!(discord.push(y[y.len() - 1]));
            let got = discord.distance();
            assert_eq!(got.is_some(), y.len() >= 32, "{i}");
            if let Some(got) = got {
                let wanted = brute_force(&y, 16);
                assert!((got - wanted).abs() < 2e-3, "{i}: {got} instead of {wanted}");
            }
        }
        assert!(discord.is_sound());
    }

    /// With values missing here and there each window is compared, and the strange one stands out; with a
    /// long gap in it none is.
    #[test]
    fn short_gaps_are_held_and_long_ones_say_nothing() {
        let mut discord = Discord::new(180);
        let mut rng = <rand_xoshiro::Xoshiro256PlusPlus as rand::SeedableRng>::seed_from_u64(1);
        let (mut calm, mut strange) = (0.0_f64, 0.0_f64);
        for i in 0..4_000 {
            let turn = (i as f32 / 180.0 * std::f32::consts::TAU).sin();
            let x = if (3_000..3_090).contains(&i) { -turn } else { turn };
            let random = rand::Rng::gen_bool(&mut rng, 0.03) && !(3_480..3_520).contains(&i);
            let missing = random || (3_500..3_510).contains(&i);
            discord.push(if missing { f32::NAN } else { x });
            let told = discord.distance();
            assert_eq!(told.is_some(), i >= 359 && !(3_509..3_689).contains(&i), "{i}");
            match i {
                1_000..3_000 => calm = calm.max(told.unwrap_or(0.0)),
                3_000..3_270 => strange = strange.max(told.unwrap_or(0.0)),
                _ => {}
            }
        }
        assert!(strange > 4.0 * calm, "{strange} and {calm}");
    }

    #[test]
    fn memory_is_bounded_and_gaps_heal() {
        for period in [20, 180] {
            let mut discord = Discord::new(period);
            for i in 0..3 * LAGS {
                let turn = i as f32 / period as f32;
                let x = if i % 500 < 3 { f32::NAN } else { (turn * std::f32::consts::TAU).sin() };
                discord.push(x);
            }
            assert!(discord.is_sound() && discord.products.len() == LAGS);
            assert_eq!(discord.window, period);
            assert!(discord.distance().expect("enough past") < 0.05);
        }
    }
}
