//! A server on a free port, and what it has to show.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::engine::{NetworkStatus, SeriesStatus, ShardStatus, Warming};
use crate::io::{Encoder, Origin, OutMessage, TopicNames};
use crate::record::{
    AlertChange, AlertKind, AlertReason, AlertRecord, Contribution, Coverage, EventTime, Evidence,
    FeatureRecord, ForecastPoint, ForecastRecord, ForecastSource, HorizonGroup, Interval, Millis,
    OpenAlert, Outbox, RowScore, Severity, Skill, WindowSpan,
};
use crate::telemetry::Metrics;

/// A server on a free port; it stops with this value.
pub struct Server {
    pub address: SocketAddr,
    pub status: SharedStatus,
    pub history: History,
    pub stop: Option<oneshot::Sender<()>>,
    pub runtime: tokio::runtime::Runtime,
    pub running: Option<tokio::task::JoinHandle<()>>,
}

impl Server {
    pub fn start(status: Status) -> Self {
        Self::start_app(Self::app(status), None)
    }

    pub fn app(status: Status) -> App {
        let registry = Registry::new();
        Metrics::register(&registry).unwrap().add_stream("press");
        let channels = status.streams.iter().map(|stream| stream.channels.len()).collect();
        let params = HistoryParams { rows: 512, bytes_max: 1 << 20 };
        App {
            status: SharedStatus::new(status),
            history: History::new(params, channels),
            registry,
            actions: Actions::default(),
            access: Access::new(None, "127.0.0.1:0".parse().unwrap()).unwrap(),
            limits: Limits::default(),
        }
    }

    pub fn start_app(app: App, tls: Option<Tls>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (history, status) = (app.history.clone(), app.status.clone());
        let running = runtime.spawn(serve(listener, tls, app, async {
            let _ = stopped.await;
        }));
        Self { address, status, history, stop: Some(stop), runtime, running: Some(running) }
    }

    /// A server that has a stream with a warming series, and one with an alert and all else.
    pub fn full() -> Self {
        let server = Self::start(status());
        server.fill();
        server
    }

    pub fn fill(&self) {
        let outbox = outbox();
        let topics: TopicNames = serde_json::from_value(serde_json::json!({
            "alerts": "a", "alerts_current": "c", "features": "f", "forecasts": "o", "models": "m",
            "feedback": "b", "control": "k", "dlq": "d", "state": "s",
        }))
        .unwrap();
        let mut encoder = Encoder::new("press", &["oil", "flow"], topics, "1.2.3");
        let origin = Origin { topic: "plant.press", partition: 3 };
        let text =
            |message: OutMessage| Arc::from(String::from_utf8(message.payload.unwrap()).unwrap());
        let news = News {
            alerts: outbox.alerts.iter().map(|r| text(encoder.alert(r, origin))).collect(),
            forecasts: outbox.forecasts.iter().map(|r| text(encoder.forecast(r, origin))).collect(),
            models: Vec::new(),
            outbox: &outbox,
        };
        self.history.take(0, ("plant.press", 3), &news);
    }

    /// Status, headers in small letters, body.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, String) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
        let headers = headers.collect();
        (answer.status().as_u16(), headers, answer.body_mut().read_to_string().unwrap())
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.send("GET", path, &[], "");
        (status, body)
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

pub fn at(second: i64) -> EventTime {
    EventTime::from_millis(1_700_000_000_000 + 1_000 * second)
}

pub const ALERT: &str = "a-0123456789ab";
/// A name that is markup, a path and a quotation.
pub const EVIL: &str = "</svg><script>\"'/..&";

fn series(entity: &str, warming: Option<Warming>, open: Vec<OpenAlert>) -> SeriesStatus {
    let network = Some(NetworkStatus { version: 4_711, linear_control_ratio: Some(0.625) });
    let (entity, last_row) = (Arc::from(entity), Some(at(299)));
    SeriesStatus { entity, rows: 300, last_row, warming, open, silenced: None, network }
}

fn warming() -> SeriesStatus {
    let warming = Warming { done: 0.25, rows_left: 30, until: Some(at(330)) };
    series("press-08", Some(warming), Vec::new())
}

fn alarmed() -> SeriesStatus {
    let (kind, severity) = (AlertKind::Anomaly, Severity::Critical);
    let open = OpenAlert {
        alert_id: ALERT.into(),
        kind,
        severity,
        entity: Arc::from(EVIL),
        starts_at: at(251),
        sequence: 0,
        model_version: 17,
    };
    series(EVIL, None, vec![open])
}

fn parts(second: i64) -> Vec<Contribution> {
    let wave = (second as f64 / 20.0).sin();
    let fault = if (250..280).contains(&second) { 5.0 } else { 0.0 };
    [wave + fault, 2.0 * wave]
        .into_iter()
        .zip([wave, 2.0 * wave])
        .enumerate()
        .map(|(channel, (y, yhat))| {
            let share = if channel == 0 { 0.9 } else { 0.1 };
            Contribution { channel, y, yhat, lower: yhat - 0.5, upper: yhat + 0.5, share }
        })
        .collect()
}

/// 300 rows of one series with an alert that opens at row 250 and closes at row 285, latent codes, and a
/// forecast.
pub fn outbox() -> Outbox {
    let entity: crate::record::SeriesKey = Arc::from(EVIL);
    let row = |second: i64| RowScore {
        entity: entity.clone(),
        time: at(second),
        surprise: 1.0,
        anomaly_score: if (250..280).contains(&second) { 3.0 } else { 0.2 },
        raised: second == 250,
        firing: (250..285).contains(&second),
        warming: false,
        values: Vec::new(),
        channels: parts(second),
    };
    let alert = |change, end: i64, sequence| AlertRecord {
        alert_id: ALERT.into(),
        sequence,
        change,
        reason: (change == AlertChange::Closed).then_some(AlertReason::Calm),
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        direction: None,
        entity: entity.clone(),
        starts_at: at(251),
        ends_at: (change == AlertChange::Closed).then_some(at(end)),
        window: WindowSpan { start: at(end - 8), end: at(end), completeness: 1.0 },
        surprise: 6.0,
        p_value: 1e-6,
        anomaly_score: 3.0,
        threshold: 2.0,
        top: parts(250),
        model_version: 17,
        evidence: Evidence { partition: 3, from_offset: 242, to_offset: 250 },
        cause: Some(crate::record::FaultClass::Sensor(0)),
        p_true: Some(0.75),
    };
    let feature = |second: i64| FeatureRecord {
        entity: entity.clone(),
        window: WindowSpan { start: at(second - 7), end: at(second), completeness: 1.0 },
        z: vec![(second as f32).sin(), (second as f32).cos(), 0.5],
        vectors: Vec::new(),
        head: None,
        surprise: 0.0,
        anomaly_score: 0.0,
        reconstruction_error: 0.1,
        warming: false,
        model_version: 17,
        latent_space_id: Arc::from("space"),
        offset: second,
    };
    let point = |horizon: u32| ForecastPoint {
        horizon,
        target_at: at(300 + i64::from(horizon)),
        yhat: 1.5,
        intervals: vec![Interval { level: 0.8, lower: 1.0, upper: 2.0 }],
        source: ForecastSource::Mix,
        p_zero: None,
        group: HorizonGroup::Near,
    };
    let forecast = ForecastRecord {
        entity: entity.clone(),
        channel: 0,
        issued_at: at(300),
        step: Millis::new(1_000),
        points: (1..=12).map(point).collect(),
        skill: Some(Skill { last_value: 0.4, seasonal_naive: 0.2, windows: 9 }),
        group_skill: Vec::new(),
        group_coverage: Vec::new(),
        coverage: vec![Coverage { level: 0.8, covered: 0.79, width: 1.0 }],
        weights: Vec::new(),
        model_version: 17,
        offset: 299,
    };
    Outbox {
        rows: (0..300).map(row).collect(),
        alerts: vec![alert(AlertChange::Opened, 251, 0), alert(AlertChange::Closed, 286, 1)],
        features: (200..240).map(feature).collect(),
        forecasts: vec![forecast],
        ..Outbox::default()
    }
}

pub fn status() -> Status {
    let shard = ShardStatus {
        partition: 3,
        series: 5,
        warming: 2,
        firing: [1, 0],
        watermark: Some(EventTime::from_millis(1_700_000_000_000)),
        open_rows: 4,
        model_version: 17,
        reconstruction_loss: Some(0.25),
        linear_control_ratio: Some(0.5),
        ..ShardStatus::default()
    };
    let partition = PartitionStatus {
        topic: "plant.press".into(),
        shard,
        next_offset: Some(99),
        lag: Some(7),
        lag_seconds: Some(1.5),
        stored_bytes: 2_048,
        state_bytes: 4_096,
        idle: false,
        records_per_sec: 2.5,
        listed: Arc::from([warming(), alarmed()]),
    };
    let stream = StreamStatus {
        name: "press".into(),
        topics: vec!["plant.press".into()],
        channels: vec!["oil".into(), "flow".into()],
        model: "undercomplete",
        partitions: vec![partition],
    };
    Status { version: "1.2.3".into(), not_ready: None, stalled: None, streams: vec![stream] }
}
