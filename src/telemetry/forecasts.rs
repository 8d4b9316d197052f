//! What the forecasts say about themselves.

use prometheus::Error;

use super::family::{Families, GaugeVec, IntCounterVec};
use super::shards::{mean, set_if_some};
use crate::record::{Coverage, ForecastRecord, HorizonGroup, Millis};

/// Families of the forecasts. Gauges are means over the series that last reported.
#[derive(Debug, Clone)]
pub struct ForecastMetrics {
    forecasts: IntCounterVec,
    skill: GaugeVec,
    coverage: GaugeVec,
    width: GaugeVec,
    weight: GaugeVec,
}

impl ForecastMetrics {
    #[rustfmt::skip]
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            forecasts: to.counter("latentd_forecasts_total",
                "Forecast points emitted, by horizon and by the model that made them.",
                &["stream", "horizon", "source"])?,
            skill: to.gauge("latentd_forecast_skill_ratio",
                "1 minus the error of the mix over that of the baseline, for all horizons and for \
                 groups of them; below 0 the naive forecast is published.",
                &["stream", "baseline", "horizon"])?,
            coverage: to.gauge("latentd_forecast_coverage_ratio",
                "Share of actual values inside the interval of a level.", &["stream", "level"])?,
            width: to.gauge("latentd_forecast_interval_width",
                "Mean width of the interval of a level, in the unit of the channel.",
                &["stream", "level"])?,
            weight: to.gauge("latentd_forecast_expert_weight_ratio",
                "Weight of an expert in the mix; that of the latent expert says whether the latent \
                 features help.", &["stream", "expert"])?,
        })
    }

    /// Counts forecast points and shows what the records say about their own quality.
    pub fn count(&self, stream: &str, records: &[ForecastRecord]) {
        for record in records {
            for point in &record.points {
                let horizon = horizon_label(point.horizon, record.step);
                let labels = [stream, horizon.as_str(), point.source.word()];
                self.forecasts.with_label_values(&labels).inc();
            }
        }
        self.show_skill(stream, records);
        self.show_intervals(stream, records);
        let names = records.first().map(|record| record.weights.iter().map(|(name, _)| *name));
        for name in names.into_iter().flatten() {
            let named = |r: &ForecastRecord| {
                r.weights.iter().find(|(known, _)| *known == name).map(|(_, weight)| *weight)
            };
            set_if_some(&self.weight, &[stream, name], mean(records.iter().filter_map(named)));
        }
    }

    fn show_skill(&self, stream: &str, records: &[ForecastRecord]) {
        let skills = || records.iter().filter_map(|record| record.skill);
        let (last, naive) = ("last_value", "seasonal_naive");
        let set = |baseline: &str, horizon: &str, value: Option<f64>| {
            set_if_some(&self.skill, &[stream, baseline, horizon], value);
        };
        set(last, "all", mean(skills().map(|skill| skill.last_value)));
        set(naive, "all", mean(skills().map(|skill| skill.seasonal_naive)));
        for group in HorizonGroup::ALL {
            let of_group = records.iter().flat_map(|record| &record.group_skill);
            let of_group = of_group.filter(|(known, _)| *known == group).map(|(_, skill)| *skill);
            set(naive, group.word(), mean(of_group));
        }
    }

    fn show_intervals(&self, stream: &str, records: &[ForecastRecord]) {
        let levels = records.iter().find(|record| !record.coverage.is_empty());
        for (i, first) in levels.iter().flat_map(|r| r.coverage.iter()).enumerate() {
            let of = |part: fn(&Coverage) -> f64| {
                mean(records.iter().filter_map(|r| r.coverage.get(i)).map(part))
            };
            let level = first.level.to_string();
            set_if_some(&self.coverage, &[stream, &level], of(|c| c.covered));
            set_if_some(&self.width, &[stream, &level], of(|c| c.width));
        }
    }
}

/// `1h` on a grid, `3 records` where each record is a row.
fn horizon_label(rows: u32, step: Millis) -> String {
    if step.get() > 0 {
        Millis::new(step.get().saturating_mul(i64::from(rows))).to_string()
    } else {
        format!("{rows} records")
    }
}
