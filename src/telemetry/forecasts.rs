//! What the forecasts say about themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

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
                 groups of them; where it stays below 0 the naive forecast is published.",
                &["stream", "target", "baseline", "horizon"])?,
            coverage: to.gauge("latentd_forecast_coverage_ratio",
                "Share of actual values inside the interval of a level.", &["stream", "target", "level"])?,
            width: to.gauge("latentd_forecast_interval_width",
                "Mean width of the interval of a level, in the unit of the channel.",
                &["stream", "target", "level"])?,
            weight: to.gauge("latentd_forecast_expert_weight_ratio",
                "Weight of an expert in the mix; that of the latent expert says whether the latent \
                 features help.", &["stream", "target", "expert"])?,
        })
    }

    /// Counts forecast points and shows what the records say about their own quality.
    /// `channels` are the names of those of the stream.
    pub fn count(&self, stream: &str, channels: &[Arc<str>], records: &[ForecastRecord]) {
        for record in records {
            for point in &record.points {
                let horizon = horizon_label(point.horizon, record.step);
                let labels = [stream, horizon.as_str(), point.source.word()];
                self.forecasts.with_label_values(&labels).inc();
            }
        }
        // Targets are not of one unit, and what helps one may not help another.
        let targets: BTreeSet<usize> = records.iter().map(|record| record.channel).collect();
        for target in targets {
            let of: Vec<&ForecastRecord> = records.iter().filter(|r| r.channel == target).collect();
            let name = channels.get(target).map_or("", |name| &**name);
            self.show_skill((stream, name), &of);
            self.show_intervals((stream, name), &of);
            self.show_weights((stream, name), &of);
        }
    }

    fn show_weights(&self, (stream, target): (&str, &str), records: &[&ForecastRecord]) {
        let names = records.first().map(|record| record.weights.iter().map(|(name, _)| *name));
        for name in names.into_iter().flatten() {
            let named = |r: &&ForecastRecord| {
                r.weights.iter().find(|(known, _)| *known == name).map(|(_, weight)| *weight)
            };
            let value = mean(records.iter().filter_map(named));
            set_if_some(&self.weight, &[stream, target, name], value);
        }
    }

    fn show_skill(&self, (stream, target): (&str, &str), records: &[&ForecastRecord]) {
        let skills = || records.iter().filter_map(|record| record.skill);
        let (last, naive) = ("last_value", "seasonal_naive");
        let set = |baseline: &str, horizon: &str, value: Option<f64>| {
            set_if_some(&self.skill, &[stream, target, baseline, horizon], value);
        };
        set(last, "all", mean(skills().map(|skill| skill.last_value)));
        set(naive, "all", mean(skills().map(|skill| skill.seasonal_naive)));
        for group in HorizonGroup::ALL {
            let of_group = || {
                let all = records.iter().flat_map(|record| &record.group_skill);
                all.filter(move |skill| skill.group == group)
            };
            set(last, group.word(), mean(of_group().map(|skill| skill.last_value)));
            set(naive, group.word(), mean(of_group().map(|skill| skill.seasonal_naive)));
        }
    }

    fn show_intervals(&self, (stream, target): (&str, &str), records: &[&ForecastRecord]) {
        let levels = records.iter().find(|record| !record.coverage.is_empty());
        for (i, first) in levels.iter().flat_map(|r| r.coverage.iter()).enumerate() {
            let of = |part: fn(&Coverage) -> f64| {
                mean(records.iter().filter_map(|r| r.coverage.get(i)).map(part))
            };
            let level = first.level.to_string();
            set_if_some(&self.coverage, &[stream, target, &level], of(|c| c.covered));
            set_if_some(&self.width, &[stream, target, &level], of(|c| c.width));
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
