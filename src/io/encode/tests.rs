//! The exact text of each payload, and that the published schemas describe it.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::record::{
    AlertChange, AlertKind, AlertReason, Contribution, Direction, DriftAction, DriftLevel,
    DriftRecord, EventTime, Evidence, FaultClass, HeadOutput, Marks, Millis, ModelChange, Severity,
    WindowSpan,
};

#[path = "forecast_tests.rs"]
mod forecasts;
use forecasts::forecast;

const ALERT: &str = include_str!("../../../config/schemas/alert.v1.json");
const MODEL: &str = include_str!("../../../config/schemas/model.v1.json");
const DRIFT: &str = include_str!("../../../config/schemas/drift.v1.json");
const FEATURES: &str = include_str!("../../../config/schemas/features.v1.json");
const FORECAST: &str = include_str!("../../../config/schemas/forecast.v1.json");

const ORIGIN: Origin<'static> = Origin { topic: "plant.press", partition: 5 };
const HOUR: i64 = 3_600_000;
const NOON: i64 = 1_700_000_000_000;
fn encoder() -> Encoder {
    let topics = TopicNames {
        alerts: "latentd.alerts.v1".into(),
        alerts_current: "latentd.alerts.current.v1".into(),
        features: "latentd.features.v1".into(),
        forecasts: "latentd.forecasts.v1".into(),
        models: "latentd.models.v1".into(),
        feedback: "latentd.feedback.v1".into(),
        control: "latentd.control.v1".into(),
        dlq: "latentd.dlq.v1".into(),
        state: "latentd.state.{stream}.v1".into(),
    };
    Encoder::new("press-line", &["oil_temp", "flow"], topics, "0.1.0")
}

fn at(ms: i64) -> EventTime {
    EventTime::from_millis(ms)
}

fn span() -> WindowSpan {
    WindowSpan { start: at(NOON - 60_000), end: at(NOON), completeness: 0.98 }
}

fn alert(change: AlertChange) -> AlertRecord {
    AlertRecord {
        alert_id: "a-5f0c9e2b71d4".into(),
        sequence: 3,
        change,
        reason: match change {
            AlertChange::Opened => None,
            AlertChange::Updated => Some(AlertReason::Escalated),
            AlertChange::Closed => Some(AlertReason::Calm),
            AlertChange::Suppressed => Some(AlertReason::Maintenance),
        },
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        direction: Some(Direction::Above),
        entity: "press-07".into(),
        starts_at: at(NOON - 120_000),
        ends_at: (change == AlertChange::Closed).then(|| at(NOON)),
        window: span(),
        surprise: 3.75,
        p_value: 0.00018,
        anomaly_score: 1.25,
        threshold: 3.0,
        top: vec![
            Contribution { channel: 1, y: 3.1, yhat: 4.6, lower: 4.2, upper: 5.0, share: 0.75 },
            Contribution {
                channel: 0,
                y: f64::NAN,
                yhat: 58.2,
                lower: f64::NEG_INFINITY,
                upper: 61.4,
                share: 0.25,
            },
        ],
        cause: Some(FaultClass::Sensor(1)),
        p_true: Some(0.875),
        model_version: 42,
        evidence: Evidence { partition: 5, from_offset: 8_812_034, to_offset: 8_812_093 },
    }
}

fn features() -> FeatureRecord {
    FeatureRecord {
        entity: "press-07".into(),
        window: span(),
        z: vec![0.12, -1.08, 0.44],
        vectors: Vec::new(),
        head: None,
        surprise: 0.5,
        anomaly_score: 0.1 + 0.2,
        reconstruction_error: f64::NAN,
        warming: false,
        model_version: 42,
        latent_space_id: Arc::from("press-7f3a"),
        offset: 8_812_093,
    }
}

fn body(message: &OutMessage) -> &str {
    std::str::from_utf8(message.payload.as_deref().unwrap()).unwrap()
}

fn headers(message: &OutMessage) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    message.headers.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect()
}

/// The first fault that a published schema finds.
fn fault(schema: &str, body: &str) -> Option<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let check = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    check.validate(&serde_json::from_str(body).unwrap()).err().map(|e| e.to_string())
}

#[test]
fn an_alert_reads_as_promised() {
    let message = encoder().alert(&alert(AlertChange::Opened), ORIGIN);
    assert_eq!((message.topic.as_str(), message.partition), ("latentd.alerts.v1", None));
    assert_eq!(message.key.as_deref(), Some(&b"a-5f0c9e2b71d4"[..]));
    assert_eq!(
        body(&message),
        concat!(
            r#"{"alert_id":"a-5f0c9e2b71d4","sequence":3,"change":"opened","reason":null,"kind":"anomaly","state":"firing","#,
            r#""severity":"critical","stream":"press-line","entity":"press-07","#,
            r#""starts_at":"2023-11-14T22:11:20Z","ends_at":null,"duration":"PT2M","#,
            r#""window":{"start":"2023-11-14T22:12:20Z","end":"2023-11-14T22:13:20Z","completeness":0.98},"#,
            r#""anomaly_score":1.25,"surprise":3.75,"p_value":0.00018,"threshold":3.0,"p_true":0.875,"#,
            r#""direction":"above_expected","explanation":{"top":["#,
            r#"{"sensor":"flow","y":3.1,"yhat":4.6,"yhat_lower":4.2,"yhat_upper":5.0,"share":0.75},"#,
            r#"{"sensor":"oil_temp","y":null,"yhat":58.2,"yhat_lower":null,"yhat_upper":61.4,"share":0.25}],"#,
            r#""cause":{"class":"sensor","sensor":"flow"}},"#,
            r#""model":{"version":"42"},"evidence":{"topic":"plant.press","partition":5,"#,
            r#""from_offset":8812034,"to_offset":8812093,"build":"0.1.0"}}"#,
        )
    );
    assert_eq!(
        headers(&message),
        [
            "content-type: application/json",
            "ce_specversion: 1.0",
            "ce_id: plant.press/5/8812093/alert/a-5f0c9e2b71d4/3",
            "ce_source: /latentd/press-line",
            "ce_type: io.latentd.alert.opened.v1",
            "ce_time: 2023-11-14T22:13:20Z",
            "ce_subject: press-07",
            "ce_partitionkey: press-07",
        ]
    );
}

fn examination() -> ModelRecord {
    let marks = |loss| Marks {
        false_alarms: 0.047,
        loss,
        recall: [1.0, 0.9, 0.8, 0.5, 0.7, 0.6],
        delay: [1.0, 2.5, 4.0, f64::NAN, 2.0, 3.0],
    };
    ModelRecord {
        entity: Some("press-07".into()),
        partition: 5,
        at: at(NOON),
        change: ModelChange::Rejected,
        reason: Some("loss"),
        model_version: 640,
        challenger_version: 704,
        latent_space_id: Arc::from("press-1"),
        new_latent_space: false,
        alignment_error: 0.125,
        champion: marks(0.25),
        challenger: marks(0.5),
        predecessor: None,
        offset: 8_812_093,
    }
}

#[test]
fn examinations_read_as_promised() {
    let message = encoder().model(&examination(), ORIGIN);
    assert_eq!(message.topic, "latentd.models.v1");
    assert_eq!(message.key.as_deref(), Some(&b"press-07"[..]));
    let text = body(&message);
    assert_eq!(fault(MODEL, text), None);
    let start = concat!(
        r#"{"stream":"press-line","entity":"press-07","topic":"plant.press","partition":5,"#,
        r#""at":"2023-11-14T22:13:20Z","change":"rejected","reason":"loss","model_version":"640","#,
        r#""challenger_version":"704","latent_space_id":"press-1","new_latent_space":false,"#,
        r#""alignment_error":0.125,"champion":{"false_alarm_ratio":0.047,"#,
        r#""reconstruction_error":0.25,"recall":{"spike":1.0,"offset":0.9,"drift":0.8,"#,
        r#""stuck":0.5,"noise":0.7,"decorrelated":0.6},"delay_rows":{"spike":1.0,"offset":2.5,"#,
        r#""drift":4.0,"stuck":null,"#,
    );
    assert!(text.starts_with(start), "{text}");
    let headers = headers(&message);
    assert_eq!(headers[2], "ce_id: plant.press/5/8812093/model/press-07/704");
    assert_eq!(headers[4], "ce_type: io.latentd.model.rejected.v1");
    let shared = ModelRecord { entity: None, ..examination() };
    let message = encoder().model(&shared, ORIGIN);
    assert_eq!(message.key.as_deref(), Some(&b"plant.press/5"[..]));
    assert_eq!(fault(MODEL, body(&message)), None);
}

#[test]
fn features_read_as_promised() {
    let message = encoder().features(&features(), ORIGIN);
    assert_eq!(message.topic, "latentd.features.v1");
    assert_eq!(message.key.as_deref(), Some(&b"press-07"[..]));
    assert_eq!(
        body(&message),
        concat!(
            r#"{"stream":"press-line","entity":"press-07","window_start":"2023-11-14T22:12:20Z","#,
            r#""window_end":"2023-11-14T22:13:20Z","latent_space_id":"press-7f3a","model_version":"42","#,
            r#""z":[0.12,-1.08,0.44],"observed_ratio":0.98,"anomaly_score":0.30000000000000004,"#,
            r#""surprise":0.5,"reconstruction_error":null,"warming":false}"#,
        )
    );
    for (head, text) in [
        (HeadOutput::Next(vec![1.5, -2.0]), r#""next":[1.5,-2.0],"observed"#),
        (HeadOutput::Rise(vec![0.25, 0.75]), r#""p_rise":[0.25,0.75],"observed"#),
    ] {
        let record = FeatureRecord { head: Some(head), ..features() };
        let message = encoder().features(&record, ORIGIN);
        assert!(body(&message).contains(text), "{}", body(&message));
        assert_eq!(fault(FEATURES, body(&message)), None);
    }
    let quantised =
        encoder().features(&FeatureRecord { vectors: vec![3, 0, 63], ..features() }, ORIGIN);
    assert!(body(&quantised).contains(r#"0.44],"vectors":[3,0,63],"observed"#));
    assert_eq!(fault(FEATURES, body(&quantised)), None);
    let headers = headers(&message);
    assert_eq!(headers[2], "ce_id: plant.press/5/8812093/features/press-07/1700000000000");
    assert_eq!(headers[4], "ce_type: io.latentd.features.v1");
}

#[test]
fn a_drift_reads_as_promised() {
    let record = DriftRecord {
        entity: Some("press-07".into()),
        at: at(NOON),
        level: DriftLevel::Input,
        part: 1,
        before: 0.25,
        after: -1.5,
        action: DriftAction::Refresh,
        model_version: 42,
        offset: 99,
    };
    let message = encoder().drift(&record, ORIGIN);
    assert_eq!(
        body(&message),
        concat!(
            r#"{"stream":"press-line","entity":"press-07","topic":"plant.press","partition":5,"#,
            r#""at":"2023-11-14T22:13:20Z","change":"drift","level":"input","sensor":"flow","#,
            r#""mean_before":0.25,"mean_after":-1.5,"action":"refresh","model_version":"42"}"#,
        )
    );
    assert_eq!(fault(DRIFT, body(&message)), None);
    let message =
        encoder().drift(&DriftRecord { entity: None, level: DriftLevel::Latent, ..record }, ORIGIN);
    assert_eq!(message.key.as_deref(), Some(&b"plant.press/5"[..]));
    assert!(body(&message).contains(r#""latent":1"#), "{}", body(&message));
    assert_eq!(fault(DRIFT, body(&message)), None);
    assert_eq!(headers(&message)[4], "ce_type: io.latentd.model.drift.v1");
}

#[test]
fn the_published_schemas_describe_what_is_encoded() {
    let mut encoder = encoder();
    let changes =
        [AlertChange::Opened, AlertChange::Updated, AlertChange::Closed, AlertChange::Suppressed];
    for change in changes {
        let mut record = alert(change);
        assert_eq!(fault(ALERT, body(&encoder.alert(&record, ORIGIN))), None, "{change:?}");
        record.direction = None;
        record.top.clear();
        assert_eq!(fault(ALERT, body(&encoder.alert(&record, ORIGIN))), None, "{change:?}");
        record.starts_at = at(NOON - 1_500);
        (record.surprise, record.p_value, record.threshold) = (f64::NAN, f64::NAN, f64::NAN);
        for kind in AlertKind::ALL {
            record.kind = kind;
            assert_eq!(fault(ALERT, body(&encoder.alert(&record, ORIGIN))), None, "{kind:?}");
        }
    }
    assert_eq!(fault(FEATURES, body(&encoder.features(&features(), ORIGIN))), None);
    let mut early = forecast();
    assert_eq!(fault(FORECAST, body(&encoder.forecast(&early, ORIGIN))), None);
    (early.skill, early.coverage) = (None, Vec::new());
    assert_eq!(fault(FORECAST, body(&encoder.forecast(&early, ORIGIN))), None);
}

/// On the compacted topic an open alert is its newest record, a closed one is gone.
#[test]
fn current_alerts_are_records_until_a_tombstone() {
    let mut encoder = encoder();
    for change in [AlertChange::Opened, AlertChange::Updated] {
        let current = encoder.current_alert(&alert(change), ORIGIN).expect("it is open");
        let told = encoder.alert(&alert(change), ORIGIN);
        assert_eq!(current.topic, "latentd.alerts.current.v1");
        assert_eq!(OutMessage { topic: told.topic.clone(), ..current }, told);
    }
    let closed = encoder.current_alert(&alert(AlertChange::Closed), ORIGIN).expect("it was open");
    assert_eq!((closed.key.as_deref(), closed.payload), (Some(&b"a-5f0c9e2b71d4"[..]), None));
    assert_eq!(encoder.current_alert(&alert(AlertChange::Suppressed), ORIGIN), None);
}

/// Every reason that can be written is one that the schema knows.
#[test]
fn reasons_are_published() {
    for reason in AlertReason::ALL {
        assert!(ALERT.contains(&format!("\"{}\"", reason.word())), "{reason:?}");
    }
}

#[test]
fn the_published_schemas_refuse_what_is_not() {
    let mut encoder = encoder();
    let alert = encoder.alert(&alert(AlertChange::Opened), ORIGIN);
    let features = encoder.features(&features(), ORIGIN);
    let forecast = encoder.forecast(&forecast(), ORIGIN);
    #[rustfmt::skip]
    let cases = [
        (ALERT, &alert, r#""state":"firing""#, r#""state":"burning""#, r#""burning" is not one of"#),
        (ALERT, &alert, r#""sequence":3,"#, "", r#""sequence" is a required property"#),
        (ALERT, &alert, r#""y":3.1"#, r#""x":1,"y":3.1"#, "Additional properties are not allowed ('x' was unexpected)"),
        (ALERT, &alert, "2023-11-14T22:11:20Z", "yesterday", r#""yesterday" is not a "date-time""#),
        (FEATURES, &features, r#""z":[0.12"#, r#""z":["0.12""#, r#""0.12" is not of type "number""#),
        (FORECAST, &forecast, r#""0.8":0.79"#, r#""0.8":1.79"#, "1.79 is greater than the maximum of 1"),
        (FORECAST, &forecast, r#""PT36H""#, r#""36 hours""#, r#""36 hours" does not match"#),
    ];
    for (schema, message, from, to, expected) in cases {
        let spoilt = body(message).replacen(from, to, 1);
        assert_ne!(spoilt, body(message), "{from}");
        let fault = fault(schema, &spoilt).unwrap_or_default();
        assert!(fault.contains(expected), "{to}: {fault}");
    }
}

#[test]
fn ids_are_the_same_on_replay_and_differ_by_place() {
    let id = |message: OutMessage| message.headers[2].clone();
    let record = features();
    let first = id(encoder().features(&record, ORIGIN));
    assert_eq!(first, id(encoder().features(&record, ORIGIN)));
    let elsewhere = Origin { partition: 6, ..ORIGIN };
    assert_ne!(first, id(encoder().features(&record, elsewhere)));
    let later = FeatureRecord { window: WindowSpan { end: at(NOON + 1), ..span() }, ..record };
    assert_ne!(first, id(encoder().features(&later, ORIGIN)));
}
