use std::collections::BTreeSet;

use prometheus::proto::MetricType::{self, COUNTER, GAUGE, HISTOGRAM};

use super::*;
use crate::record::{ForecastRecord, Skill};
use crate::telemetry::{PartitionLabels, StreamGauges};
use fixture::{filled, forecast};

#[path = "fixture_tests.rs"]
mod fixture;

const PARTITION: PartitionLabels<'_> =
    PartitionLabels { stream: "press", topic: "plant.press", partition: 3 };

/// Name, type, labels and the first words of the help text of each family.
#[rustfmt::skip]
const FAMILIES: &[(&str, MetricType, &[&str], &str)] = &[
    ("latentd_alert_budget_ratio", GAUGE, &["stream"], "Anomaly alerts opened over"),
    ("latentd_alert_delivery_pending", GAUGE, &["sink"], "Changes of alerts that a sink"),
    ("latentd_alert_delivery_total", COUNTER, &["outcome", "sink"], "Alerts handed to a sink"),
    ("latentd_alerts_active", GAUGE, &["severity", "stream"], "Alerts open now."),
    ("latentd_alerts_closed_total", COUNTER, &["outcome", "stream"], "Alerts closed: calm"),
    ("latentd_alerts_opened_total", COUNTER, &["kind", "severity", "stream"], "Alerts opened, by"),
    ("latentd_alerts_suppressed_total", COUNTER, &["reason", "stream"], "Alerts recorded and"),
    ("latentd_anomaly_score", HISTOGRAM, &["stream"], "Anomaly score of each"),
    ("latentd_batch_duration_seconds", HISTOGRAM, &["stage"], "Time of one batch"),
    ("latentd_build_info", GAUGE, &["features", "kafka_client", "revision", "rustc", "version"], "Always 1"),
    ("latentd_calibration_samples", GAUGE, &["stream"], "Errors behind the calibration"),
    ("latentd_checkpoint_duration_seconds", HISTOGRAM, &[], "Time to take one snapshot"),
    ("latentd_checkpoint_interval_seconds", GAUGE, &[], "`state.snapshot_interval`"),
    ("latentd_checkpoint_last_success_timestamp_seconds", GAUGE, &[], "When a snapshot was acknowledged"),
    ("latentd_checkpoints_total", COUNTER, &["outcome"], "Snapshots of partitions"),
    ("latentd_codebook_perplexity", GAUGE, &["stream"], "Effective number of code"),
    ("latentd_config_last_reload_success_timestamp_seconds", GAUGE, &[], "When the configuration"),
    ("latentd_config_last_reload_successful", GAUGE, &[], "1 if the last load"),
    ("latentd_config_reloads_total", COUNTER, &["outcome"], "Reloads of the configuration"),
    ("latentd_consumer_lag_records", GAUGE, &["partition", "stream", "topic"], "Records between"),
    ("latentd_consumer_lag_seconds", GAUGE, &["partition", "stream", "topic"], "Age, by its Kafka time"),
    ("latentd_cpu_cores_available", GAUGE, &[], "CPU cores that"),
    ("latentd_dlq_records_total", COUNTER, &["reason", "stream"], "Records acknowledged by"),
    ("latentd_drift_detections_total", COUNTER, &["level", "stream"], "Times that channels"),
    ("latentd_drift_statistic", GAUGE, &["level", "stream"], "How far, at the end"),
    ("latentd_duplicate_records_total", COUNTER, &["stream"], "Records of a series and instant"),
    ("latentd_end_to_end_latency_seconds", HISTOGRAM, &["stream"], "From the Kafka time"),
    ("latentd_entities", GAUGE, &["state", "stream"], "Series held."),
    ("latentd_false_alarm_ratio", GAUGE, &["stream"], "Share of `false_positive`"),
    ("latentd_features_emitted_total", COUNTER, &["stream"], "Latent feature records"),
    ("latentd_feedback_total", COUNTER, &["stream", "verdict"], "Verdicts of people"),
    ("latentd_forecast_coverage_ratio", GAUGE, &["horizon", "level", "stream", "target"], "Share of actual"),
    ("latentd_forecast_expert_weight_ratio", GAUGE, &["expert", "stream", "target"], "Weight of an expert"),
    ("latentd_forecast_interval_width", GAUGE, &["level", "stream", "target"], "Mean width of the interval"),
    (
        "latentd_forecast_skill_ratio",
        GAUGE,
        &["baseline", "horizon", "stream", "target"],
        "1 minus the error",
    ),
    ("latentd_forecasts_total", COUNTER, &["horizon", "source", "stream"], "Forecast points"),
    ("latentd_late_records_total", COUNTER, &["outcome", "stream"], "Records behind"),
    ("latentd_latent_alignment_error_ratio", GAUGE, &["stream"], "Distance of the codes"),
    ("latentd_linear_control_loss_ratio", GAUGE, &["stream"], "Reconstruction error of recent"),
    ("latentd_memory_limit_bytes", GAUGE, &[], "Memory that the process"),
    ("latentd_metrics_series_dropped_total", COUNTER, &["metric"], "Updates of label sets"),
    ("latentd_model_age_seconds", GAUGE, &["role", "stream"], "Event time since which"),
    ("latentd_model_promotions_total", COUNTER, &["outcome", "reason", "stream"], "Examinations of"),
    (
        "latentd_model_version_info",
        GAUGE,
        &["model", "role", "stream", "version"],
        "Always 1; `version` is",
    ),
    ("latentd_notices_refused_total", COUNTER, &["reason"], "What people said without"),
    ("latentd_offset_gone_total", COUNTER, &["stream"], "Times that records were gone"),
    ("latentd_open_rows", GAUGE, &["stream"], "Rows not closed yet."),
    ("latentd_partition_idle", GAUGE, &["partition", "stream", "topic"], "1 while silence"),
    ("latentd_partitions_assigned", GAUGE, &["stream"], "Input partitions that"),
    ("latentd_quarantine_windows", GAUGE, &["stream"], "Windows held back"),
    ("latentd_ready", GAUGE, &[], "1 while the group has said"),
    ("latentd_rebalances_total", COUNTER, &["outcome", "stream"], "Partitions that came or went."),
    ("latentd_reconstruction_loss", GAUGE, &["split", "stream"], "Mean squared"),
    ("latentd_record_lateness_seconds", HISTOGRAM, &["stream"], "How far late records"),
    ("latentd_records_consumed_bytes_total", COUNTER, &["stream"], "Bytes of keys and values"),
    ("latentd_records_consumed_total", COUNTER, &["partition", "stream", "topic"], "Records read"),
    ("latentd_records_produced_total", COUNTER, &["outcome", "topic"], "Output records handed"),
    ("latentd_records_rejected_total", COUNTER, &["reason", "stream"], "Records that could not"),
    ("latentd_records_replayed_total", COUNTER, &["stream"], "Records read again"),
    ("latentd_records_unused_total", COUNTER, &["partition", "stream", "topic"], "Records that are late"),
    ("latentd_refresh_wait_seconds", HISTOGRAM, &[], "Time for which scoring stood still"),
    ("latentd_refreshes_held_total", COUNTER, &["stream"], "Refreshes that were due"),
    ("latentd_rows_closed_total", COUNTER, &["kind", "stream"], "Rows closed: with"),
    ("latentd_schema_changes_total", COUNTER, &["kind", "stream"], "Times that a channel"),
    ("latentd_score_duration_seconds", HISTOGRAM, &["stream"], "Time to score"),
    ("latentd_selftest_delay_rows", GAUGE, &["kind", "stream"], "Mean age in rows"),
    ("latentd_selftest_recall_ratio", GAUGE, &["kind", "stream"], "Share of faults"),
    ("latentd_sensor_stale", GAUGE, &["stream"], "Series that have stopped"),
    ("latentd_state_bytes", GAUGE, &["stream", "tier"], "State of the partitions"),
    ("latentd_state_restore_duration_seconds", HISTOGRAM, &[], "From an assignment"),
    ("latentd_state_restores_total", COUNTER, &["outcome"], "Partitions taken over"),
    ("latentd_state_written_bytes_total", COUNTER, &[], "Bytes handed to the state"),
    ("latentd_stream_state", GAUGE, &["stream"], "-1 while every series"),
    ("latentd_train_diverged_total", COUNTER, &["stream"], "Training steps refused"),
    ("latentd_train_duration_seconds", HISTOGRAM, &["by", "stream"], "Time of the training steps"),
    ("latentd_train_steps_total", COUNTER, &["stream"], "Training steps (minibatches)."),
    ("latentd_transactions_total", COUNTER, &["outcome"], "Attempts to deliver"),
    ("latentd_warmup_progress_ratio", GAUGE, &["stream"], "Share of the warm-up"),
    ("latentd_warmup_remaining_seconds", GAUGE, &["stream"], "Event time until the last"),
    ("latentd_watermark_timestamp_seconds", GAUGE, &["partition", "stream", "topic"], "Event time"),
    ("latentd_window_completeness_ratio", HISTOGRAM, &["stream"], "Observed share"),
    ("latentd_windows_closed_total", COUNTER, &["stream", "trigger"], "Windows that became"),
    ("latentd_windows_quarantined_total", COUNTER, &["stream"], "Windows not learned from"),
    ("latentd_windows_scored_total", COUNTER, &["stream"], "Windows scored."),
];

fn text(registry: &Registry) -> String {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

#[test]
fn each_family_has_its_name_type_labels_and_help() {
    let registry = Registry::new();
    let _metrics = filled(&registry);
    let mut seen = BTreeSet::new();
    for family in registry.gather().iter().filter(|f| f.name().starts_with("latentd_")) {
        let (_, kind, labels, help) = *FAMILIES
            .iter()
            .find(|(name, ..)| *name == family.name())
            .unwrap_or_else(|| panic!("`{}` is not in the table", family.name()));
        assert_eq!(family.get_field_type(), kind, "{}", family.name());
        assert!(family.help().starts_with(help), "{}: {}", family.name(), family.help());
        for metric in family.get_metric() {
            let names: Vec<_> = metric.get_label().iter().map(|pair| pair.name()).collect();
            assert_eq!(names, labels, "{}", family.name());
        }
        seen.insert(family.name().to_owned());
    }
    let all: BTreeSet<_> = FAMILIES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(seen, all);
}

#[test]
fn the_readme_lists_each_family_and_no_other() {
    let readme = include_str!("../../README.md");
    let listed: BTreeSet<&str> =
        readme.lines().filter(|line| line.starts_with("| `latentd_")).collect();
    let kind = |kind| match kind {
        COUNTER => "counter",
        GAUGE => "gauge",
        _ => "histogram",
    };
    let line = |&(name, of, labels, _): &(&str, MetricType, &[&str], &str)| {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        format!("| `{name}` | {} | {labels} |", kind(of))
    };
    let wanted: Vec<String> = FAMILIES.iter().map(line).collect();
    assert_eq!(listed, wanted.iter().map(String::as_str).collect());
}

#[test]
fn the_values_are_those_of_the_facts() {
    let registry = Registry::new();
    let _metrics = filled(&registry);
    let text = text(&registry);
    for line in [
        r#"latentd_records_consumed_total{partition="3",stream="press",topic="plant.press"} 5"#,
        r#"latentd_records_consumed_bytes_total{stream="press"} 640"#,
        r#"latentd_late_records_total{outcome="dropped",stream="press"} 2"#,
        r#"latentd_alerts_opened_total{kind="anomaly",severity="critical",stream="press"} 3"#,
        r#"latentd_alerts_opened_total{kind="stale",severity="warning",stream="press"} 2"#,
        r#"latentd_alerts_suppressed_total{reason="flapping",stream="press"} 4"#,
        r#"latentd_alerts_active{severity="critical",stream="press"} 1"#,
        r#"latentd_alerts_closed_total{outcome="accepted",stream="press"} 2"#,
        r#"latentd_feedback_total{stream="press",verdict="false_positive"} 3"#,
        r#"latentd_false_alarm_ratio{stream="press"} 0.75"#,
        r#"latentd_alert_budget_ratio{stream="press"} 0.5"#,
        r#"latentd_alert_delivery_total{outcome="ok",sink="pager"} 3"#,
        r#"latentd_dlq_records_total{reason="utf8",stream="press"} 0"#,
        r#"latentd_consumer_lag_seconds{partition="3",stream="press",topic="plant.press"} 7.5"#,
        r#"latentd_record_lateness_seconds_bucket{stream="press",le="1"} 1"#,
        r#"latentd_windows_closed_total{stream="press",trigger="idle"} 2"#,
        r#"latentd_drift_statistic{level="latent",stream="press"} 1.5"#,
        r#"latentd_model_age_seconds{role="champion",stream="press"} 60"#,
        r#"latentd_checkpoint_last_success_timestamp_seconds 1500"#,
        r#"latentd_checkpoints_total{outcome="ok"} 2"#,
        r#"latentd_model_age_seconds{role="challenger",stream="press"} 30"#,
        r#"latentd_model_version_info{model="vae",role="champion",stream="press",version="128"} 1"#,
        r#"latentd_model_version_info{model="vae",role="challenger",stream="press",version="192"} 1"#,
        r#"latentd_schema_changes_total{kind="channel_gone",stream="press"} 1"#,
        r#"latentd_schema_changes_total{kind="channel_back",stream="press"} 0"#,
        r#"latentd_records_unused_total{partition="3",stream="press",topic="plant.press"} 4"#,
        r#"latentd_checkpoint_interval_seconds 30"#,
        r#"latentd_state_bytes{stream="press",tier="log"} 2048"#,
        r#"latentd_state_bytes{stream="press",tier="memory"} 8192"#,
        r#"latentd_sensor_stale{stream="press"} 1"#,
        r#"latentd_quarantine_windows{stream="press"} 9"#,
        r#"latentd_warmup_progress_ratio{stream="press"} 0.75"#,
        r#"latentd_config_last_reload_successful 0"#,
        r#"latentd_config_last_reload_success_timestamp_seconds 1000"#,
        r#"latentd_config_reloads_total{outcome="refused"} 1"#,
        r#"latentd_memory_limit_bytes 1073741824"#,
        r#"latentd_reconstruction_loss{split="calm",stream="press"} 0.1"#,
        r#"latentd_reconstruction_loss{split="train",stream="press"} 0.5"#,
        r#"latentd_model_promotions_total{outcome="rolled_back",reason="loss",stream="press"} 1"#,
        r#"latentd_selftest_recall_ratio{kind="stuck",stream="press"} 0.75"#,
        r#"latentd_codebook_perplexity{stream="press"} 12.5"#,
        r#"latentd_anomaly_score_bucket{stream="press",le="1"} 2"#,
        r#"latentd_forecasts_total{horizon="1h",source="seasonal_naive",stream="press"} 2"#,
        r#"latentd_forecast_skill_ratio{baseline="seasonal_naive",horizon="all",stream="press",target="x"} -0.5"#,
        r#"latentd_forecast_skill_ratio{baseline="seasonal_naive",horizon="near",stream="press",target="x"} 0.5"#,
        r#"latentd_forecast_skill_ratio{baseline="last_value",horizon="near",stream="press",target="x"} 0.75"#,
        r#"latentd_forecast_interval_width{level="0.8",stream="press",target="x"} 2.5"#,
        r#"latentd_forecast_interval_width{level="0.8",stream="press",target="y"} 900"#,
        r#"latentd_forecast_expert_weight_ratio{expert="latent_ridge",stream="press",target="x"} 0.5"#,
        r#"latentd_forecast_coverage_ratio{horizon="all",level="0.8",stream="press",target="x"} 0.75"#,
        r#"latentd_forecast_coverage_ratio{horizon="near",level="0.8",stream="press",target="x"} 0.625"#,
        r#"latentd_entities{state="live",stream="press"} 3"#,
        r#"latentd_partitions_assigned{stream="press"} 1"#,
        r#"latentd_stream_state{stream="press"} 0"#,
        r#"latentd_linear_control_loss_ratio{stream="press"} 0.5"#,
        "latentd_ready 1",
    ] {
        assert!(text.lines().any(|l| l == line), "`{line}` is missing in\n{text}");
    }
    assert!(!text.contains(r#"version="64""#), "one version a role");
    #[cfg(target_os = "linux")]
    assert!(text.contains("process_resident_memory_bytes "), "{text}");
}

#[test]
fn a_partition_that_moved_away_leaves_no_gauge_behind() {
    let registry = Registry::new();
    let metrics = filled(&registry);
    metrics.partition_revoked(PARTITION);
    metrics.shards.set_stream("press", &StreamGauges::default());
    metrics.alerts.set_active("press", None);
    metrics.models.set_ages("press", [None; 2]);
    metrics.models.set_versions("press", "vae", [None; 2]);
    metrics.models.set_drift("press", None);
    metrics.models.set_perplexity("press", None);
    metrics.state.set_bytes("press", None);
    let stays = |name: &str| {
        // What this process has counted, and what it is.
        ["latentd_partitions_assigned", "latentd_false_alarm_ratio"].contains(&name)
    };
    let gathered = registry.gather();
    let gauges = gathered.iter().filter(|f| f.get_field_type() == GAUGE && !stays(f.name()));
    for metric in gauges.flat_map(|f| f.get_metric()) {
        let of_stream = metric.get_label().iter().any(|label| label.name() == "stream");
        assert!(!of_stream, "{metric:?} is still in\n{}", text(&registry));
    }
    let text = text(&registry);
    assert!(text.contains(r#"latentd_partitions_assigned{stream="press"} 0"#), "{text}");
    assert!(text.contains(r#"latentd_records_consumed_total{partition="3""#), "{text}");
}

/// A skill or a coverage of a handful of forecasts is chance: rules would fire on each young series.
#[test]
fn young_forecasts_show_no_skill_and_no_coverage() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let skill = Some(Skill { last_value: 0.25, seasonal_naive: -0.5, windows: 49 });
    let young = ForecastRecord { skill, group_coverage: Vec::new(), ..forecast() };
    metrics.forecasts.count(PARTITION, &["x".into()], &[young], 5);
    let text = text(&registry);
    assert!(text.contains("latentd_forecasts_total{"), "{text}");
    for family in ["skill_ratio", "coverage_ratio", "interval_width"] {
        assert!(!text.contains(&format!("latentd_forecast_{family}{{")), "{text}");
    }
}

#[test]
fn the_stream_state_is_signed() {
    #[rustfmt::skip]
    let cases = [
        // series  warming  firing   state
        (0,        0,       [0, 0],  -1),
        (3,        3,       [0, 0],  -1),
        (3,        2,       [0, 0],   0),
        (3,        2,       [1, 0],   1),
        (3,        0,       [0, 1],   1),
    ];
    for (series, warming, firing, state) in cases {
        let now = StreamGauges { series, warming, firing, ..StreamGauges::default() };
        assert_eq!(now.state(), state, "{now:?}");
    }
}
