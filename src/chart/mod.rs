//! Pictures of series as SVG: the same for reports, for the command line and for the page.
//!
//! [`frame`] has axes with round numbers and times (`axis`) and takes what stands between them.
//! `series` draws observed values against what was expected, `fan` a forecast, `scatter` a latent
//! map, `trend` a number over time. `theme` has the colours: pictures name them by place-holders, which
//! [`css`] or [`standalone`] replace, so that they follow the theme of the reader.
//!
//! # Invariants
//!
//! - Nothing here fails on data: numbers that are not finite are left out, nothing is drawn as nothing.
//! - Text that comes from data is escaped.

mod axis;
mod fan;
mod frame;
mod scatter;
mod series;
mod theme;
mod trend;

pub use axis::{TimeAxis, short, tick};
pub use fan::{FanPoint, forecast};
pub use frame::{Canvas, ChartError, Mark, SCORE_MAX, Size, frame, runs, scores_to};
pub use scatter::{Dot, scatter};
pub use series::{Panel, Point, anomaly_score, expected, explanation};
pub use theme::{
    ALERT, BAND, GRID, INK, LABEL, OTHER, PALETTE, SCORE, SERIES, css, escape, labelled, standalone,
};
pub use trend::trend;
