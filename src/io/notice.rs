//! What people say on the feedback topic and the control topic.

use serde::{Deserialize, Serialize};

use super::MessageRef;
use crate::alert::{Entities, MaintenanceWindow, Switches};
use crate::record::{Announcement, EventTime, Feedback, Verdict};

/// Longest message that is looked at.
const BYTES_MAX: usize = 64 * 1024;

/// Something that people want of the shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A verdict on an alert.
    Verdict(Feedback),
    /// Maintenance is announced, or called off.
    Maintenance(MaintenanceWindow),
    /// Values that are known before their rows come.
    Known(Announcement),
}

/// The body of a verdict, as `config/schemas/feedback.v1.json` promises it. Further fields (who said
/// it, why) are for people.
#[derive(Deserialize)]
struct FeedbackBody {
    alert_id: String,
    verdict: Verdict,
}

/// The body of an announcement, as `config/schemas/control.v1.json` promises it.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ControlBody {
    Maintenance {
        id: String,
        #[serde(default)]
        streams: Vec<String>,
        #[serde(default)]
        entities: Vec<String>,
        from: String,
        until: String,
        #[serde(default = "yes")]
        score: bool,
        #[serde(default)]
        alert: bool,
        #[serde(default)]
        learn: bool,
    },
    Known {
        #[serde(default)]
        stream: String,
        #[serde(default)]
        entity: String,
        channel: String,
        from: String,
        values: Vec<f64>,
    },
}

fn yes() -> bool {
    true
}

/// Reads a verdict. Messages of one alert are ordered by their offsets: they have its id for a key.
///
/// # Errors
///
/// What is wrong with it, with its place.
pub fn feedback(message: &MessageRef<'_>) -> Result<Notice, String> {
    let FeedbackBody { alert_id, verdict } = body(message)?;
    Ok(Notice::Verdict(Feedback { alert_id, verdict, position: message.offset }))
}

/// Reads an announcement: maintenance, or known values. Messages of one id, or of one series, are
/// ordered by their offsets: they have it for a key.
///
/// # Errors
///
/// What is wrong with it, with its place.
pub fn control(message: &MessageRef<'_>) -> Result<Notice, String> {
    let time = |name: &str, text: &str| {
        let time: Result<jiff::Timestamp, _> = text.parse();
        let fault = |error| format!("{}: `{name}` is `{text}`: {error}", place(message));
        time.map(|time| EventTime::from_millis(time.as_millisecond())).map_err(fault)
    };
    Ok(match body(message)? {
        ControlBody::Maintenance { id, streams, entities, from, until, score, alert, learn } => {
            Notice::Maintenance(MaintenanceWindow {
                id,
                streams: Entities(streams),
                entities: Entities(entities),
                from: time("from", &from)?,
                until: time("until", &until)?,
                switches: Switches { score, alert, learn },
            })
        }
        ControlBody::Known { stream, entity, channel, from, values } => {
            let from = time("from", &from)?;
            let position = message.offset;
            Notice::Known(Announcement { stream, entity, channel, from, values, position })
        }
    })
}

fn body<'a, T: Deserialize<'a>>(message: &MessageRef<'a>) -> Result<T, String> {
    let payload = message.payload.unwrap_or_default();
    if payload.len() > BYTES_MAX {
        return Err(format!("{}: {} bytes, at most {BYTES_MAX}", place(message), payload.len()));
    }
    serde_json::from_slice(payload).map_err(|error| format!("{}: {error}", place(message)))
}

fn place(message: &MessageRef<'_>) -> String {
    format!("{}/{}@{}", message.topic, message.partition, message.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> MessageRef<'_> {
        MessageRef {
            topic: "f",
            partition: 2,
            offset: 7,
            timestamp_ms: None,
            key: None,
            payload: Some(text.as_bytes()),
            headers: &[],
        }
    }

    #[test]
    fn verdicts_are_read_and_faults_are_told_with_their_place() {
        let read = |text: &str| feedback(&message(text));
        let good = r#"{"alert_id":"a-1","verdict":"new_normal","by":"ann","comment":"set point"}"#;
        let wanted = Feedback { alert_id: "a-1".into(), verdict: Verdict::NewNormal, position: 7 };
        assert_eq!(read(good), Ok(Notice::Verdict(wanted)));
        let fault = read(r#"{"alert_id":"a-1","verdict":"nice"}"#).unwrap_err();
        assert!(fault.starts_with("f/2@7: unknown variant `nice`"), "{fault}");
        assert!(read("").unwrap_err().starts_with("f/2@7: EOF"));
    }

    #[test]
    fn maintenance_is_read_with_its_defaults() {
        let read = |text: &str| control(&message(text));
        let good = r#"{"kind":"maintenance","id":"line-7","entities":["press-*"],
            "from":"2026-11-20T10:00:00Z","until":"2026-11-20T12:00:00+01:00"}"#;
        let Ok(Notice::Maintenance(window)) = read(good) else { panic!("{:?}", read(good)) };
        assert_eq!((window.id.as_str(), window.streams.0.len()), ("line-7", 0));
        assert_eq!((window.until - window.from).get(), 3_600_000);
        assert_eq!(window.switches, Switches { score: true, alert: false, learn: false });
        let fault = read(&good.replace("2026-11-20T10:00:00Z", "monday")).unwrap_err();
        assert!(fault.starts_with("f/2@7: `from` is `monday`: "), "{fault}");
        let known =
            r#"{"kind":"known","channel":"price","from":"2026-11-20T10:00:00Z","values":[1,2.5]}"#;
        let Ok(Notice::Known(news)) = read(known) else { panic!("{:?}", read(known)) };
        assert_eq!((news.channel.as_str(), news.values), ("price", vec![1.0, 2.5]));
        let fault = read(r#"{"kind":"party"}"#).unwrap_err();
        assert!(fault.contains("unknown variant `party`"), "{fault}");
    }
}
