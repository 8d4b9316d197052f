//! The part of the output payloads that the verdict needs.

use serde::{Deserialize, Deserializer};

use super::accuracy::SeenPoint;
use super::matching::SeenAlert;
use crate::record::{EventTime, Millis, SeriesKey};

/// Body of an alert record.
#[derive(Debug, Deserialize)]
struct AlertBody {
    change: String,
    stream: String,
    entity: SeriesKeyText,
    starts_at: Time,
}

/// Body of a forecast record.
#[derive(Debug, Deserialize)]
struct ForecastBody {
    entity: SeriesKeyText,
    issued_at: Time,
    points: Vec<PointBody>,
}

#[derive(Debug, Deserialize)]
struct PointBody {
    at: Time,
    yhat: Option<f64>,
    intervals: Vec<IntervalBody>,
}

#[derive(Debug, Deserialize)]
struct IntervalBody {
    lower: Option<f64>,
    upper: Option<f64>,
}

type SeriesKeyText = Box<str>;

/// An RFC 3339 time.
#[derive(Debug, Clone, Copy)]
struct Time(EventTime);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// The alert that a record opens; `None` for later changes of an alert.
pub(super) fn opened_alert(payload: &[u8]) -> Result<Option<SeenAlert>, serde_json::Error> {
    let body: AlertBody = serde_json::from_slice(payload)?;
    Ok((body.change == "opened").then(|| SeenAlert {
        stream: body.stream,
        entity: body.entity.into(),
        starts_at: body.starts_at.0,
    }))
}

/// The points of a forecast, on a grid that starts at `start` and has a row every `step`.
pub(super) fn forecast_points(
    payload: &[u8],
    start: EventTime,
    step: Millis,
) -> Result<Vec<SeenPoint>, serde_json::Error> {
    let body: ForecastBody = serde_json::from_slice(payload)?;
    let entity: SeriesKey = body.entity.into();
    let rows = |from: EventTime, to: EventTime| (to - from).get().div_euclid(step.get().max(1));
    let point = |point: PointBody| {
        let bounds = point.intervals.first().and_then(|i| i.lower.zip(i.upper));
        Some(SeenPoint {
            entity: entity.clone(),
            // The forecast is issued at the end of a row, where the first target starts.
            horizon: u32::try_from(rows(body.issued_at.0, point.at.0) + 1).ok()?,
            row: usize::try_from(rows(start, point.at.0)).ok()?,
            yhat: point.yhat?,
            bounds,
        })
    };
    Ok(body.points.into_iter().filter_map(point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: &[u8] = br#"{"alert_id":"a-1","change":"opened","state":"firing","stream":"plant",
        "entity":"press-07","starts_at":"2024-01-01T00:02:00Z","ends_at":null}"#;
    const FORECAST: &[u8] = br#"{"stream":"shops","entity":"shop-01","target":"units",
        "issued_at":"2024-01-01T03:00:00Z","points":[
        {"horizon":"PT1H","at":"2024-01-01T03:00:00Z","yhat":4.5,"source":"mix",
         "intervals":[{"level":0.8,"lower":2.0,"upper":8.0},{"level":0.95,"lower":0.0,"upper":9.0}]},
        {"horizon":"PT24H","at":"2024-01-02T02:00:00Z","yhat":5.5,"intervals":[]},
        {"horizon":"PT25H","at":"2024-01-02T03:00:00Z","yhat":null,"intervals":[]}]}"#;

    #[test]
    fn an_alert_counts_when_it_opens() {
        let want = SeenAlert {
            stream: "plant".into(),
            entity: "press-07".into(),
            starts_at: EventTime::from_millis(1_704_067_320_000),
        };
        assert_eq!(opened_alert(ALERT).unwrap(), Some(want));
        let closed = String::from_utf8_lossy(ALERT).replace("opened", "closed");
        assert_eq!(opened_alert(closed.as_bytes()).unwrap(), None);
    }

    #[test]
    fn points_are_placed_on_the_grid() {
        let start = EventTime::from_millis(1_704_067_200_000);
        let points = forecast_points(FORECAST, start, Millis::new(3_600_000)).unwrap();
        let seen: Vec<_> = points.iter().map(|p| (p.horizon, p.row, p.yhat, p.bounds)).collect();
        assert_eq!(seen, [(1, 3, 4.5, Some((2.0, 8.0))), (24, 26, 5.5, None)]);
    }

    #[test]
    fn a_payload_of_another_shape_is_a_fault() {
        assert!(opened_alert(b"{}").is_err());
        assert!(forecast_points(b"[1]", EventTime::from_millis(0), Millis::new(1)).is_err());
    }
}
