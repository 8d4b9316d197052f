//! The body of a forecast, as `config/schemas/forecast.v1.json` promises it.

use serde::{Serialize, Serializer};

use super::wire::{At, Span, Version};
use crate::record::{Coverage, ForecastPoint, ForecastRecord, GroupSkill, Interval, Skill};

#[derive(Serialize)]
pub(super) struct ForecastBody<'a> {
    stream: &'a str,
    entity: &'a str,
    target: &'a str,
    issued_at: At,
    points: Points<'a>,
    skill: Option<SkillBody>,
    group_skill: BySkill<'a>,
    group_skill_last_value: BySkill<'a>,
    coverage: Covered<'a>,
    weights: Weights<'a>,
    model_version: Version,
}

impl<'a> ForecastBody<'a> {
    pub(super) fn new(record: &'a ForecastRecord, stream: &'a str, target: &'a str) -> Self {
        Self {
            stream,
            entity: &record.entity,
            target,
            issued_at: At(record.issued_at),
            points: Points(record),
            skill: record.skill.map(SkillBody::from),
            group_skill: BySkill(&record.group_skill, |skill| skill.seasonal_naive),
            group_skill_last_value: BySkill(&record.group_skill, |skill| skill.last_value),
            coverage: Covered(&record.coverage),
            weights: Weights(&record.weights),
            model_version: Version(record.model_version),
        }
    }
}

/// The points of a forecast, written without a list in between.
struct Points<'a>(&'a ForecastRecord);

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = self.0.step.get();
        serializer.collect_seq(self.0.points.iter().map(|point| Point::new(point, step)))
    }
}

#[derive(Serialize)]
struct Point<'a> {
    horizon: Span,
    at: At,
    yhat: f64,
    intervals: Intervals<'a>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_zero: Option<f64>,
}

impl<'a> Point<'a> {
    fn new(point: &'a ForecastPoint, step_ms: i64) -> Self {
        Self {
            horizon: Span(step_ms.saturating_mul(point.horizon.into())),
            at: At(point.target_at),
            yhat: point.yhat,
            intervals: Intervals(&point.intervals),
            source: point.source.word(),
            p_zero: point.p_zero,
        }
    }
}

struct Intervals<'a>(&'a [Interval]);

impl Serialize for Intervals<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Bounds {
            level: f64,
            lower: f64,
            upper: f64,
        }
        serializer.collect_seq(self.0.iter().map(|&Interval { level, lower, upper }| Bounds {
            level,
            lower,
            upper,
        }))
    }
}

#[derive(Serialize)]
struct SkillBody {
    last_value: f64,
    seasonal_naive: f64,
    windows: u64,
}

impl From<Skill> for SkillBody {
    fn from(skill: Skill) -> Self {
        let Skill { last_value, seasonal_naive, windows } = skill;
        Self { last_value, seasonal_naive, windows }
    }
}

/// Of the mix against one baseline, by group of horizons: `{"near": 0.31}`.
struct BySkill<'a>(&'a [GroupSkill], fn(&GroupSkill) -> f64);

impl Serialize for BySkill<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|skill| (skill.group.word(), self.1(skill))))
    }
}

/// Realised coverage by level: `{"0.8": 0.79}`.
struct Covered<'a>(&'a [Coverage]);

impl Serialize for Covered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|c| (c.level.to_string(), c.covered)))
    }
}

/// Mean weight of each expert in the mix: `{"latent_ridge": 0.4}`.
struct Weights<'a>(&'a [(&'static str, f64)]);

impl Serialize for Weights<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(expert, weight)| (expert, weight)))
    }
}
