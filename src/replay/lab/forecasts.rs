//! Figures and pictures of forecasts.

use plotters::style::Color;

use super::super::ReplayError;
use super::ledger::{Graded, Ledger, Picture};
use super::table::{NONE, Table};
use crate::chart::{BAND, LABEL, SERIES, Size, frame};
use crate::grade::ForecastFigures;
use crate::record::HorizonGroup;

/// Series with a row of their own, at most.
const NAMED_MAX: usize = 50;
const HEADER: [&str; 13] = [
    "target", "horizons", "checked", "MASE", "RMSSE", "WAPE", "skill", "in 80 %", "in 95 %",
    "naive", "MASE", "RMSSE", "WAPE",
];

/// Figures by target and group of horizons: means over the series; then of each series, if they are
/// few. `None` if nothing was forecast.
pub(super) fn table(ledger: &Ledger) -> Option<Table> {
    let figures = ledger.figures();
    let mut rows = means(&figures);
    let series: std::collections::BTreeSet<_> = figures.iter().map(|(_, key, _)| *key).collect();
    if (2..=NAMED_MAX).contains(&series.len()) {
        for (name, entity, by) in &figures {
            let label = format!("{name} of {entity}");
            rows.extend(by[3].iter().map(|figures| cells(&label, "all", figures)));
        }
    }
    let note = match rows.is_empty() {
        true => {
            "No forecast was checked: figures begin after four of the longest season, or after \
                 --train-rows."
        }
        false => {
            "Errors are scaled by the seasonal difference of the shortest season; beside them \
                  those of the best seasonal naive. near: up to a quarter of that season, beyond: \
                  after it. Figures of several series are means."
        }
    };
    (!figures.is_empty()).then(|| Table {
        title: "Forecasts".into(),
        note: note.into(),
        header: HEADER.map(str::to_owned).to_vec(),
        rows,
        total: false,
    })
}

/// Of each target and group of horizons.
fn means(figures: &[Graded<'_>]) -> Vec<Vec<String>> {
    let mut names: Vec<_> = figures.iter().map(|(name, ..)| *name).collect();
    names.dedup();
    let groups = HorizonGroup::ALL.map(HorizonGroup::word).into_iter().chain(["all"]);
    let groups: Vec<&str> = groups.collect();
    let mut rows = Vec::new();
    for name in names {
        for (i, group) in groups.iter().enumerate() {
            let of = figures.iter().filter(|(known, ..)| *known == name);
            let of: Vec<ForecastFigures> = of.filter_map(|(_, _, by)| by[i]).collect();
            rows.extend(ForecastFigures::mean(&of).map(|mean| cells(name, group, &mean)));
        }
    }
    rows
}

fn cells(name: &str, group: &str, figures: &ForecastFigures) -> Vec<String> {
    let number = |value: f64| if value.is_finite() { format!("{value:.3}") } else { NONE.into() };
    let percent = |value: f64| {
        if value.is_finite() { format!("{:.1} %", 100.0 * value) } else { NONE.into() }
    };
    let ForecastFigures { count, ours, naive, skill, coverage } = figures;
    vec![
        name.to_owned(),
        group.to_owned(),
        count.to_string(),
        number(ours.mase),
        number(ours.rmsse),
        percent(ours.wape),
        number(*skill),
        percent(coverage[0]),
        percent(coverage[1]),
        String::new(),
        number(naive.mase),
        number(naive.rmsse),
        percent(naive.wape),
    ]
}

/// The newest forecasts, one after the other, with their intervals and what came true, as SVG.
pub(super) fn picture(picture: &Picture, size: Size) -> Result<String, ReplayError> {
    let at = |time: crate::record::EventTime| time.as_millis() as f64;
    let said = || picture.said.iter().flatten();
    let times = || picture.truth.iter().map(|p| at(p.0)).chain(said().map(|p| at(p.0)));
    let from = said().map(|p| at(p.0)).fold(f64::INFINITY, f64::min);
    let to = times().fold(from, f64::max);
    let truth = || picture.truth.iter().filter(move |(time, y)| from <= at(*time) && y.is_finite());
    let ends = said().flat_map(|(_, yhat, bounds)| {
        bounds.iter().flatten().copied().chain([*yhat]).collect::<Vec<f64>>()
    });
    let ends = ends.chain(truth().map(|(_, y)| *y)).filter(|y| y.is_finite());
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    let pad = ((high - low) * 0.05).max(1e-9);
    let time = |ms: f64| crate::record::EventTime::from_millis(ms as i64);
    frame(size, (time(from), time(to)), low - pad..high + pad, |canvas| {
        for forecast in &picture.said {
            for level in [1, 0] {
                let band: Vec<_> =
                    forecast.iter().map(|(time, _, bounds)| (at(*time), bounds[level])).collect();
                let band = band.iter().filter(|(_, ends)| ends.iter().all(|end| end.is_finite()));
                let shade = BAND.mix(if level == 1 { 0.25 } else { 0.45 });
                canvas.area(&band.copied().collect::<Vec<_>>(), shade.filled())?;
            }
            canvas.line(forecast.iter().map(|p| (at(p.0), p.1)), LABEL.stroke_width(2))?;
        }
        canvas.line(truth().map(|(time, y)| (at(*time), *y)), SERIES.stroke_width(1))
    })
    .map_err(ReplayError::Plot)
}

/// What the colours mean.
pub(super) const LEGEND: [(&str, &str); 3] = [
    ("series", "what came true"),
    ("label", "forecast, made just before its first point"),
    ("band", "intervals of 80 % and 95 %"),
];
