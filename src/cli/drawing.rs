//! The drawing of `latentd explain --svg`: observed against expected, as on the page.

use serde_json::Value;

use crate::chart::{self, ChartError, Mark, Panel, Point, Size};
use crate::daemon::{Explained, Reproduced};
use crate::record::EventTime;

/// Sensors that are drawn.
const SENSORS_MAX: usize = 6;
const SIZE: Size = Size { width: 1_120, height: 180, ticks: 9 };

/// The top sensors of an alert in the rows before it, as a picture of its own. Where the input is gone
/// there is one row: that of the published record.
pub(super) fn svg(explained: &Explained) -> Result<String, ChartError> {
    let record = &explained.published;
    let text = |key: &str| record[key].as_str().unwrap_or("?");
    let opened = text("starts_at").parse().unwrap_or(EventTime::from_millis(0));
    let panels = match &explained.again {
        Ok(again) => of_rows(again, &explained.channels),
        Err(_) => of_record(record),
    };
    let title = format!("{}: {}, {}", text("alert_id"), text("entity"), text("starts_at"));
    let mark = Mark { opened, closed: None, other: false };
    Ok(chart::standalone(&chart::explanation(&title, &panels, &[mark], SIZE)?))
}

fn of_rows(again: &Reproduced, channels: &[String]) -> Vec<Panel> {
    let top = again.alert.top.iter().take(SENSORS_MAX).map(|part| part.channel);
    top.map(|channel| {
        let points = again.rows.iter().filter_map(|row| {
            let part = row.channels.iter().find(|part| part.channel == channel)?;
            let (time, yhat) = (row.time, part.yhat);
            Some(Point { time, y: part.y, yhat, lower: part.lower, upper: part.upper })
        });
        let name = channels.get(channel).cloned().unwrap_or_default();
        Panel { name, points: points.collect() }
    })
    .collect()
}

fn of_record(record: &Value) -> Vec<Panel> {
    let start = record["window"]["end"].as_str().and_then(|text| text.parse().ok());
    let time = start.unwrap_or(EventTime::from_millis(0));
    let top = record["explanation"]["top"].as_array().into_iter().flatten().take(SENSORS_MAX);
    top.map(|part| {
        let number = |key: &str| part[key].as_f64().unwrap_or(f64::NAN);
        let (lower, upper) = (number("yhat_lower"), number("yhat_upper"));
        let point = Point { time, y: number("y"), yhat: number("yhat"), lower, upper };
        Panel { name: part["sensor"].as_str().unwrap_or("?").to_owned(), points: vec![point] }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_whose_input_is_gone_is_drawn_from_its_record() {
        let sensor = |name: &str| json!({ "sensor": name, "y": 9.0, "yhat": 2.0, "yhat_lower": 1.0, "yhat_upper": null });
        let published = json!({
            "alert_id": "a-1", "entity": "press<7>", "starts_at": "2026-01-01T00:00:01Z",
            "window": { "end": "2026-01-01T00:00:01Z" },
            "explanation": { "top": [sensor("oil & gas"), sensor("flow")] },
        });
        let (channels, again) = (Vec::new(), Err("gone".to_owned()));
        let svg = svg(&Explained { published, channels, again }).unwrap();
        assert!(svg.contains(">oil &amp; gas</text>") && svg.contains("press&lt;7&gt;"), "{svg}");
        assert_eq!(svg.matches("<svg ").count(), 3);
    }
}
