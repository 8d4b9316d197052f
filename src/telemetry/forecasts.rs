//! What the forecasts say about themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use prometheus::Error;

use super::PartitionLabels;
use super::family::{Families, IntCounterVec};
use super::partitions::PartitionGauge;
use crate::record::{ForecastRecord, HorizonGroup, Millis};

/// Forecasts without which skill is chance.
const CHECKED_MIN: u64 = 50;

/// Families of the forecasts. Gauges are means over the series of all partitions, in which the newest
/// round of forecasts counts most.
#[derive(Debug, Clone)]
pub struct ForecastMetrics {
    forecasts: IntCounterVec,
    skill: PartitionGauge,
    coverage: PartitionGauge,
    width: PartitionGauge,
    weight: PartitionGauge,
}

/// What one partition, of so many series, has forecast of a target.
struct Round<'a> {
    of: PartitionLabels<'a>,
    target: &'a str,
    records: Vec<&'a ForecastRecord>,
    series: usize,
}

impl ForecastMetrics {
    #[rustfmt::skip]
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        let mean = |name: &str, help: &str, labels: &[&str]| {
            to.gauge(name, help, labels).map(PartitionGauge::new)
        };
        Ok(Self {
            forecasts: to.counter("latentd_forecasts_total",
                "Forecast points emitted, by horizon and by the model that made them.",
                &["stream", "horizon", "source"])?,
            skill: mean("latentd_forecast_skill_ratio",
                "1 minus the error of the mix over that of the baseline, for all horizons and for \
                 groups of them, once 50 forecasts were checked; where it stays below 0 the naive \
                 forecast is published.",
                &["stream", "target", "baseline", "horizon"])?,
            coverage: mean("latentd_forecast_coverage_ratio",
                "Share of actual values inside the interval of a level, for all horizons and for groups of \
                 them, once 50 values and a season of them were seen.",
                &["stream", "target", "level", "horizon"])?,
            width: mean("latentd_forecast_interval_width",
                "Mean width of the interval of a level, in the unit of the channel.",
                &["stream", "target", "level"])?,
            weight: mean("latentd_forecast_expert_weight_ratio",
                "Weight of an expert in the mix; that of the latent expert says whether the latent \
                 features help.", &["stream", "target", "expert"])?,
        })
    }

    /// Counts forecast points and shows what the records of one partition say about their own
    /// quality; it has `series` series, and its stream channels of these names.
    pub fn count(
        &self,
        of: PartitionLabels<'_>,
        channels: &[Arc<str>],
        records: &[ForecastRecord],
        series: usize,
    ) {
        for record in records {
            for point in &record.points {
                let horizon = horizon_label(point.horizon, record.step);
                let labels = [of.stream, &horizon, point.source.word()];
                self.forecasts.with_label_values(&labels).inc();
            }
        }
        // Targets are not of one unit, and what helps one may not help another.
        let targets: BTreeSet<usize> = records.iter().map(|record| record.channel).collect();
        for target in targets {
            let name = channels.get(target).map_or("", |name| &**name);
            let records = records.iter().filter(|r| r.channel == target).collect();
            let round = Round { of, target: name, records, series };
            self.show_skill(&round);
            self.show_intervals(&round);
            self.show_weights(&round);
        }
    }

    fn show_weights(&self, round: &Round<'_>) {
        let Round { of, target, ref records, series } = *round;
        let names = records.first().map(|record| record.weights.iter().map(|(name, _)| *name));
        for name in names.into_iter().flatten() {
            let named = |r: &&ForecastRecord| {
                r.weights.iter().find(|(known, _)| *known == name).map(|(_, weight)| *weight)
            };
            self.weight.add(of, &[target, name], records.iter().filter_map(named), series);
        }
    }

    fn show_skill(&self, round: &Round<'_>) {
        let Round { of, target, ref records, series } = *round;
        let checked = |r: &&&ForecastRecord| r.skill.is_some_and(|s| s.windows >= CHECKED_MIN);
        let records: Vec<&ForecastRecord> = records.iter().filter(checked).copied().collect();
        let skills = || records.iter().filter_map(|record| record.skill);
        let (last, naive) = ("last_value", "seasonal_naive");
        let [by_last, by_naive] = [last, naive].map(|baseline| [target, baseline, "all"]);
        self.skill.add(of, &by_last, skills().map(|skill| skill.last_value), series);
        self.skill.add(of, &by_naive, skills().map(|skill| skill.seasonal_naive), series);
        for group in HorizonGroup::ALL {
            let of_group = || {
                let all = records.iter().flat_map(|record| &record.group_skill);
                all.filter(move |skill| skill.group == group)
            };
            let [by_last, by_naive] =
                [last, naive].map(|baseline| [target, baseline, group.word()]);
            self.skill.add(of, &by_last, of_group().map(|skill| skill.last_value), series);
            self.skill.add(of, &by_naive, of_group().map(|skill| skill.seasonal_naive), series);
        }
    }

    fn show_intervals(&self, round: &Round<'_>) {
        let Round { of, target, ref records, series } = *round;
        let checked = |r: &&&ForecastRecord| !r.group_coverage.is_empty();
        let records: Vec<&ForecastRecord> = records.iter().filter(checked).copied().collect();
        let levels = records.iter().find(|record| !record.coverage.is_empty());
        for (i, first) in levels.iter().flat_map(|r| r.coverage.iter()).enumerate() {
            let known = || records.iter().filter_map(|r| r.coverage.get(i));
            let level = first.level.to_string();
            let all = [target, &level, "all"];
            self.coverage.add(of, &all, known().map(|c| c.covered), series);
            self.width.add(of, &[target, &level], known().map(|c| c.width), series);
            for group in HorizonGroup::ALL {
                let of_group = records.iter().flat_map(|r| &r.group_coverage);
                let own = of_group.filter(|c| c.group == group && c.level == first.level);
                let labels = [target, &level, group.word()];
                self.coverage.add(of, &labels, own.map(|c| c.covered), series);
            }
        }
    }

    pub(super) fn forget(&self, of: PartitionLabels<'_>) {
        for gauge in [&self.skill, &self.coverage, &self.width, &self.weight] {
            gauge.forget(of);
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
