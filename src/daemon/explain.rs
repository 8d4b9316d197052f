//! `latentd explain`: an alert, the records behind it, and whether they lead to it again.

use std::collections::VecDeque;

use serde_json::Value;

use super::DaemonError;
use super::rerun::Rerun;
use super::state::{in_place, kept};
use super::stream::{Stream, streams_of};
use crate::config::Settings;
use crate::io::{Bounds, Encoder, MessageRef, Origin, PartitionReader, Place};
use crate::record::{AlertRecord, Outbox, RowScore};

/// Rows before the alert that are shown.
const ROWS_MAX: usize = 256;

/// What is known about an alert.
#[derive(Debug)]
pub struct Explained {
    /// The first record of it on the alerts topic: with which it opened, or was suppressed.
    pub published: Value,
    /// Names of the stream's channels.
    pub channels: Vec<String>,
    /// The alert as the input leads to it again, or why it cannot be told.
    pub again: Result<Reproduced, String>,
}

/// An alert that the input has led to again.
#[derive(Debug)]
pub struct Reproduced {
    /// Offset of the snapshot from which the input was read again.
    pub from: i64,
    /// Its first record.
    pub alert: AlertRecord,
    /// Rows of its series, oldest first; the alert began on the last.
    pub rows: Vec<RowScore>,
    /// Whether its record is the one published, to the last bit.
    pub same: bool,
}

/// Looks an alert up, and reads its input again from the nearest state that is kept.
///
/// # Errors
///
/// [`DaemonError`] if the broker does not answer, or the settings cannot work. `None` if no such
/// alert is on the alerts topic.
pub fn explain(settings: &Settings, alert_id: &str) -> Result<Option<Explained>, DaemonError> {
    let mut reader = PartitionReader::open(&settings.kafka).map_err(DaemonError::Connect)?;
    let Some(published) = published(&mut reader, &settings.topics.alerts, alert_id)? else {
        return Ok(None);
    };
    let mut streams = streams_of(settings, &in_place())?;
    let name = published["stream"].as_str().unwrap_or_default();
    let Some(stream) = streams.iter_mut().find(|stream| &*stream.name == name) else {
        let again = Err(format!("the configuration has no stream `{name}`"));
        return Ok(Some(Explained { published, channels: Vec::new(), again }));
    };
    let channels = stream.spec.channels.iter().map(ToString::to_string).collect();
    let again = reproduce(&mut reader, stream, (settings, &published))?;
    Ok(Some(Explained { published, channels, again }))
}

/// The first record of an alert.
fn published(
    reader: &mut PartitionReader,
    topic: &str,
    alert_id: &str,
) -> Result<Option<Value>, DaemonError> {
    let mut found = None;
    for partition in 0..reader.partitions(topic).map_err(DaemonError::Poll)? {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let mut each = |message: MessageRef<'_>| {
            if message.key == Some(alert_id.as_bytes())
                && let Some(body) = message.payload
                && let Ok(body) = serde_json::from_slice::<Value>(body)
                && (body["change"] == "opened" || body["change"] == "suppressed")
            {
                found = Some(body);
            }
            found.is_none()
        };
        reader.read(topic, partition, None, &mut each).map_err(DaemonError::Poll)?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

fn reproduce(
    reader: &mut PartitionReader,
    stream: &mut Stream,
    (settings, published): (&Settings, &Value),
) -> Result<Result<Reproduced, String>, DaemonError> {
    let evidence = &published["evidence"];
    let (Some(topic), Some(partition), Some(to)) = (
        evidence["topic"].as_str(),
        evidence["partition"].as_i64().and_then(|p| i32::try_from(p).ok()),
        evidence["to_offset"].as_i64(),
    ) else {
        return Ok(Err("the alert names no evidence".to_owned()));
    };
    let place: Place = (topic.to_owned(), partition);
    let Bounds { low, .. } = reader.bounds(&place).map_err(DaemonError::Poll)?;
    // The last record of the evidence is not in it yet.
    let nearest = kept(reader, stream, &place, u64::MAX, |state| state.next_offset <= to)?;
    let mut again = match Rerun::begin(stream, partition, nearest, low) {
        Ok(again) => again,
        Err(why) => return Ok(Err(why)),
    };
    again.out.keep_rows = true;
    let mut watch = Watch::of(published);
    again.run((reader, stream), &place, None, &mut |out| watch.goes_on(out))?;
    let same = |alert: AlertRecord| (is_same((settings, stream), &place, &alert, published), alert);
    Ok(match watch.found.map(same) {
        // Without the journal an alert may come out otherwise, or not at all.
        Some((same, alert)) if same || !again.blind => {
            Ok(Reproduced { from: again.from, same, alert, rows: watch.rows.into() })
        }
        _ => Err("its input does not lead to it again: another configuration or version, or what \
                  silence or people did before it is not kept"
            .to_owned()),
    })
}

/// Waits for an alert to begin.
struct Watch<'a> {
    alert_id: &'a str,
    entity: &'a str,
    /// Rows of its series, up to the alert if it has opened.
    rows: VecDeque<RowScore>,
    found: Option<AlertRecord>,
}

impl<'a> Watch<'a> {
    fn of(published: &'a Value) -> Self {
        let text = |key: &str| published[key].as_str().unwrap_or_default();
        let (alert_id, entity) = (text("alert_id"), text("entity"));
        Self { alert_id, entity, rows: VecDeque::new(), found: None }
    }

    /// Looks through what was said. Returns whether there is more to wait for.
    fn goes_on(&mut self, out: &mut Outbox) -> bool {
        let begins = |a: &&AlertRecord| a.change.begins() && a.alert_id == self.alert_id;
        self.found = out.alerts.iter().find(begins).cloned();
        let end = self.found.as_ref().map(|alert| alert.window.end);
        for row in out.rows.drain(..).filter(|row| &*row.entity == self.entity) {
            if end.is_some_and(|end| end <= row.time) {
                break;
            }
            if self.rows.len() >= ROWS_MAX {
                self.rows.pop_front();
            }
            self.rows.push_back(row);
        }
        out.clear();
        self.found.is_none()
    }
}

/// Whether an alert, as it would be published, is what was published but for the version that did.
fn is_same(
    (settings, stream): (&Settings, &Stream),
    (topic, partition): &Place,
    alert: &AlertRecord,
    published: &Value,
) -> bool {
    let spec = &stream.spec;
    let mut encoder = Encoder::new(&spec.name, &spec.channels, settings.topics.clone(), "");
    let message = encoder.alert(alert, Origin { topic, partition: *partition });
    let ours = message.payload.and_then(|body| serde_json::from_slice(&body).ok());
    let without_build = |mut body: Value| {
        body["evidence"]["build"] = Value::Null;
        body
    };
    ours.map(without_build) == Some(without_build(published.clone()))
}
