//! Metrics with something in each family.

use prometheus::Registry;

use super::PARTITION;
use crate::record::{
    Coverage, EventTime, Facts, ForecastPoint, ForecastRecord, ForecastSource, GroupCoverage,
    GroupSkill, HorizonGroup, Interval, Marks, Millis, ModelChange, ModelRecord, Skill,
};
use crate::telemetry::{Build, Metrics, StreamGauges};

/// A forecast of one point.
pub(super) fn forecast() -> ForecastRecord {
    let hour = EventTime::from_millis(3_600_000);
    let interval = Interval { level: 0.8, lower: 1.0, upper: 3.0 };
    let point = ForecastPoint {
        horizon: 2,
        target_at: hour,
        yhat: 2.0,
        intervals: vec![interval],
        source: ForecastSource::SeasonalNaive,
        p_zero: None,
        group: HorizonGroup::Near,
    };
    ForecastRecord {
        entity: "shop-1".into(),
        channel: 0,
        issued_at: hour,
        step: Millis::new(1_800_000),
        points: vec![point],
        skill: Some(Skill { last_value: 0.25, seasonal_naive: -0.5, windows: 50 }),
        group_skill: vec![GroupSkill {
            group: HorizonGroup::Near,
            last_value: 0.75,
            seasonal_naive: 0.5,
        }],
        coverage: vec![Coverage { level: 0.8, covered: 0.75, width: 2.5 }],
        group_coverage: vec![GroupCoverage {
            group: HorizonGroup::Near,
            level: 0.8,
            covered: 0.625,
        }],
        weights: vec![("latent_ridge", 0.5)],
        model_version: 1,
        offset: 7,
    }
}

fn examination() -> ModelRecord {
    let marks =
        |recall| Marks { false_alarms: 0.05, loss: 0.1, recall: [recall; 6], delay: [2.0; 6] };
    ModelRecord {
        entity: None,
        partition: 3,
        at: EventTime::from_millis(0),
        change: ModelChange::RolledBack,
        reason: Some("loss"),
        model_version: 1,
        challenger_version: 3,
        latent_space_id: "a-1".into(),
        new_latent_space: false,
        alignment_error: 0.25,
        champion: marks(0.5),
        challenger: marks(0.4),
        predecessor: Some(marks(0.75)),
        offset: 7,
    }
}

/// Metrics in which every family has at least one value.
pub(super) fn filled(registry: &Registry) -> Metrics {
    let metrics = Metrics::register(registry).unwrap();
    metrics.process.set_build(Build {
        version: "1.2.3",
        revision: "abc",
        rustc: "1.88.0",
        features: "none",
        kafka_client: "4.5.6",
    });
    metrics.process.set_ready(true);
    metrics.process.set_limits(4, Some(1 << 30));
    metrics.config.loaded(EventTime::from_millis(1_000_000));
    metrics.config.refused();
    metrics.add_stream("press");
    metrics.ingest.add_reasons("press", &["json", "utf8"]);
    let ingest = &metrics.ingest;
    ingest.partition_assigned(PARTITION);
    ingest.count_consumed(PARTITION, 5, 640);
    ingest.count_rejected("press", "json");
    ingest.count_dead_letter("press", "json");
    ingest.set_lag(PARTITION, 12, Some(7.5));
    ingest.set_watermark(PARTITION, 1.5, true);
    ingest.add_schema_changes("press", &["channel_gone", "channel_back"]);
    ingest.count_schema_change("press", "channel_gone");
    ingest.count_unused(PARTITION, 4);
    let facts = Facts {
        late: 2,
        lateness: vec![0.5, 90.0],
        windows_closed: [6, 2, 1],
        alerts_allowed: 8.0,
        alerts_closed: [1, 2, 0, 0, 0, 0, 0],
        verdicts: [1, 3, 0, 0],
        train_steps: 4,
        train_loss_sum: 2.0,
        alerts_opened: [[1, 3], [2, 0], [0; 2], [0; 2], [0; 2]],
        alerts_suppressed: [0, 4],
        anomaly_scores: vec![0.2, 1.0, 7.0],
        ..Facts::default()
    };
    metrics.count_facts("press", &facts);
    metrics.shards.show_training(PARTITION, &facts);
    metrics.alerts.count_budget(PARTITION, &facts, 40.0);
    metrics.alerts.set_active("press", Some([2, 1]));
    metrics.alerts.sink("pager").ok.inc_by(3);
    let other = ForecastRecord {
        channel: 1,
        coverage: vec![Coverage { level: 0.8, covered: 0.5, width: 900.0 }],
        ..forecast()
    };
    let channels = ["x".into(), "y".into()];
    metrics.forecasts.count(PARTITION, &channels, &[forecast(), other], 5);
    metrics.models.count(PARTITION, &[examination()], 1);
    metrics.models.set_perplexity("press", Some(12.5));
    metrics.models.set_ages("press", [Some(60.0), Some(30.0)]);
    metrics.models.set_versions("press", "vae", [Some(64), None]);
    metrics.models.set_versions("press", "vae", [Some(128), Some(192)]);
    metrics.models.set_drift("press", Some([0.25, 1.5, 0.0]));
    let now = StreamGauges {
        partitions: 1,
        series: 5,
        warming: 2,
        warmup_progress: Some(0.75),
        warmup_remaining: Some(120.0),
        stale: 1,
        quarantined: 9,
        calibration_samples: Some(300.0),
        linear_control_ratio: Some(0.5),
        ..StreamGauges::default()
    };
    metrics.shards.set_stream("press", &now);
    metrics.delivery.count_produced("latentd.alerts.v1", true, 2);
    metrics.delivery.observe_stage("read", 0.01);
    metrics.state.count_checkpoints(true, 2, 1_500.0);
    metrics.state.set_bytes("press", Some([2_048, 8_192]));
    metrics.state.set_interval(std::time::Duration::from_secs(30));
    metrics
}
