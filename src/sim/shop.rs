//! Shops: units sold per hour, Poisson counts with a day, a week and promotions.

use rand::Rng as _;
use rand_distr::{Distribution, Poisson};

use super::noise::{Ar1, Purpose, Rng, stream};
use super::params::{DAY, HOUR};
use crate::record::SeriesKey;

/// Name of a shop's one channel.
pub const UNITS: &str = "units";

/// Factor on the demand for each hour of the day; mean 1, closed from 22 to 6.
#[rustfmt::skip]
pub const DAY_PROFILE: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6, 1.2, 1.8, 1.6, 1.4, 1.6,
    2.2, 1.8, 1.2, 1.0, 1.4, 2.2, 2.6, 1.8, 1.0, 0.6, 0.0, 0.0,
];
/// Factor on the demand for each day of the week from Monday; mean 1.
pub const WEEK_PROFILE: [f64; 7] = [0.8, 0.8, 0.9, 1.0, 1.3, 1.5, 0.7];

/// Chance that a promotion starts on a morning without one.
const PROMOTION_CHANCE: f64 = 0.05;

/// One shop.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) name: SeriesKey,
    /// Mean units an hour over a calm week.
    base: f64,
    /// Hours by which this shop's day is shifted.
    shift: usize,
    /// Logarithm of a slow factor on the demand: fashion and weather.
    mood: Ar1,
    counts: Rng,
    promotions: Rng,
    /// Days left and factor of the current promotion.
    promotion: Option<(u32, f64)>,
}

impl Shop {
    /// Shop `index`; an intermittent one sells 0.1 to 0.4 units an hour, others 4 to 40.
    pub(super) fn new(seed: u64, index: usize, is_intermittent: bool) -> Self {
        let mut counts = stream(seed, Purpose::Shop, index, 0);
        let (low, high): (f64, f64) = if is_intermittent { (0.1, 0.4) } else { (4.0, 40.0) };
        Self {
            name: format!("shop-{:02}", index + 1).into(),
            base: counts.gen_range(low.ln()..high.ln()).exp(),
            shift: counts.gen_range(0..3),
            mood: Ar1::new(0.99, 0.12, stream(seed, Purpose::Shop, index, 1)),
            counts,
            promotions: stream(seed, Purpose::Promotion, index, 0),
            promotion: None,
        }
    }

    /// Units sold in the hour that starts `elapsed` milliseconds after a Monday midnight; call
    /// once an hour, in order.
    pub(super) fn sell(&mut self, elapsed: i64) -> f64 {
        let hour = elapsed.div_euclid(HOUR).rem_euclid(24) as usize;
        if hour == 0 {
            self.turn_day();
        }
        let day = elapsed.div_euclid(DAY).rem_euclid(7) as usize;
        let season = DAY_PROFILE[(hour + 24 - self.shift) % 24] * WEEK_PROFILE[day];
        let promotion = self.promotion.map_or(1.0, |(_, factor)| factor);
        let rate = self.base * season * promotion * self.mood.step().exp();
        // A rate of 0 is a closed shop; `Poisson` has no such member.
        Poisson::new(rate).map_or(0.0, |law| law.sample(&mut self.counts))
    }

    fn turn_day(&mut self) {
        self.promotion = match self.promotion {
            Some((days, factor)) if days > 1 => Some((days - 1, factor)),
            Some(_) => None,
            None => self
                .promotions
                .gen_bool(PROMOTION_CHANCE)
                .then(|| (self.promotions.gen_range(1..=3), self.promotions.gen_range(1.4..2.2))),
        };
    }
}
