mod params;

pub use params::{ForecastParams, NonNegative};
