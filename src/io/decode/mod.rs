//! From the bytes of a message to a record, without building a document tree.
//!
//! A message meets the files in this order: `mod` (size, envelope) → `walk` (one pass over the
//! JSON, along the pointers compiled by `trie`) → `timestamp` → the checks here. The buffers are
//! used again for the next message, so that a record costs no allocation.

mod error;
pub mod timestamp;
mod trie;
mod walk;

#[cfg(test)]
mod tests;

pub use error::{DecodeError, InputError};

use self::trie::Trie;
use self::walk::{Finds, Found};
use super::{EntitySource, InputParams, MessageRef, TimestampFormat, TimestampSource};
use crate::record::{EventTime, Millis, RecordRef};

/// Longest name of a series, in bytes.
pub const ENTITY_BYTES_MAX: usize = 256;

/// 1980-01-01T00:00:00Z: earlier times come from clocks that were never set.
const OLDEST: EventTime = EventTime::from_millis(315_532_800_000);

/// Turns the JSON messages of one stream into records.
#[derive(Debug)]
pub struct Decoder {
    trie: Trie,
    time: Time,
    entity: Entity,
    channels: Vec<Channel>,
    message_bytes_max: usize,
    ahead_max: Millis,
    finds: Finds,
    key: String,
    values: Vec<f64>,
}

#[derive(Debug)]
enum Time {
    Field { leaf: usize, pointer: String, format: TimestampFormat },
    Kafka,
}

#[derive(Debug)]
enum Entity {
    Field {
        leaf: usize,
        pointer: String,
    },
    KafkaKey,
    /// The name is in `Decoder::key` for good.
    Constant,
}

#[derive(Debug)]
struct Channel {
    leaf: usize,
    name: String,
    pointer: String,
}

impl Decoder {
    /// Compiles the description of an input.
    ///
    /// # Errors
    ///
    /// [`InputError`] if a pointer is malformed or leads into another one's value, if there is
    /// not one field per channel, or if a constant entity is empty or over
    /// [`ENTITY_BYTES_MAX`].
    pub fn new(params: &InputParams) -> Result<Self, InputError> {
        let (fields, channels) = (params.fields.len(), params.channels.len());
        if fields != channels || fields == 0 {
            return Err(InputError::Fields { fields, channels });
        }
        let mut pointers: Vec<&str> = params.fields.iter().map(String::as_str).collect();
        if let TimestampSource::Field { field, .. } = &params.timestamp {
            pointers.push(field);
        }
        if let EntitySource::Field { field } = &params.entity {
            pointers.push(field);
        }
        let trie = Trie::new(&pointers)?;
        Ok(Self {
            channels: channel_places(params, &trie)?,
            time: time_place(&params.timestamp, &trie)?,
            entity: entity_place(&params.entity, &trie)?,
            message_bytes_max: params.message_bytes_max,
            ahead_max: params.ahead_max,
            finds: Finds::new(trie.leaves()),
            trie,
            key: constant_name(&params.entity)?,
            values: Vec::with_capacity(fields),
        })
    }

    /// Decodes one message. The record borrows from the decoder and holds until the next call.
    ///
    /// A channel that is null or absent is NaN in the record, "not observed".
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the decoder stays usable.
    pub fn decode(&mut self, message: &MessageRef<'_>) -> Result<RecordRef<'_>, DecodeError> {
        let payload = message.payload.ok_or(DecodeError::Tombstone)?;
        let (bytes, bytes_max) = (payload.len(), self.message_bytes_max);
        if bytes > bytes_max {
            return Err(DecodeError::TooLong { bytes, bytes_max });
        }
        let text = std::str::from_utf8(payload)
            .map_err(|e| DecodeError::Utf8 { byte: e.valid_up_to() })?;
        self.read(text, message.headers)?;
        self.read_channels()?;
        self.read_entity(message.key)?;
        let time = self.read_time(message.timestamp_ms)?;
        Ok(RecordRef { key: &self.key, time, values: &self.values, offset: message.offset })
    }

    /// For each channel whether the last message that was decoded had its field, be it null.
    pub fn present(&self) -> impl Iterator<Item = bool> {
        self.channels.iter().map(|channel| self.finds.at[channel.leaf] != Found::Absent)
    }

    fn read(&mut self, text: &str, headers: &[(String, Vec<u8>)]) -> Result<(), DecodeError> {
        let root = envelope_root(headers)?;
        walk::read(&self.trie, root, text, &mut self.finds).map_err(|e| json_error(&e))?;
        if !self.finds.entered {
            return Err(DecodeError::Envelope { detail: "no `data` member" });
        }
        Ok(())
    }

    fn read_channels(&mut self) -> Result<(), DecodeError> {
        self.values.clear();
        let mut present = false;
        for channel in &self.channels {
            let found = self.finds.at[channel.leaf];
            present |= found != Found::Absent;
            self.values.push(match found {
                Found::Absent | Found::Null => f64::NAN,
                Found::Signed(number) => number as f64,
                Found::Unsigned(number) => number as f64,
                Found::Float(number) => number,
                other => {
                    return Err(DecodeError::ChannelType {
                        channel: channel.name.clone(),
                        pointer: channel.pointer.clone(),
                        found: other.kind(),
                    });
                }
            });
        }
        if present {
            return Ok(());
        }
        let pointer = self.channels[0].pointer.clone();
        Err(DecodeError::NoChannel { channels: self.channels.len(), pointer })
    }

    fn read_entity(&mut self, kafka_key: Option<&[u8]>) -> Result<(), DecodeError> {
        let mut digits = itoa::Buffer::new();
        let (name, place) = match &self.entity {
            Entity::Constant => return Ok(()),
            Entity::KafkaKey => {
                let name = std::str::from_utf8(kafka_key.unwrap_or_default())
                    .map_err(|e| DecodeError::EntityUtf8 { byte: e.valid_up_to() })?;
                (name, None)
            }
            Entity::Field { leaf, pointer } => match self.finds.at[*leaf] {
                Found::Text { start, end } => (self.finds.text_of(start, end), Some(pointer)),
                Found::Signed(number) => (digits.format(number), Some(pointer)),
                Found::Unsigned(number) => (digits.format(number), Some(pointer)),
                Found::Absent | Found::Null => ("", Some(pointer)),
                other => {
                    let (pointer, found) = (pointer.clone(), other.kind());
                    return Err(DecodeError::EntityType { pointer, found });
                }
            },
        };
        if name.is_empty() {
            let place = place.map_or("the Kafka key".into(), |pointer| format!("`{pointer}`"));
            return Err(DecodeError::EntityMissing { place });
        }
        if name.len() > ENTITY_BYTES_MAX {
            let (bytes, bytes_max) = (name.len(), ENTITY_BYTES_MAX);
            return Err(DecodeError::EntityTooLong { bytes, bytes_max });
        }
        self.key.clear();
        self.key.push_str(name);
        Ok(())
    }

    fn read_time(&self, kafka_ms: Option<i64>) -> Result<EventTime, DecodeError> {
        let kafka = kafka_ms.map(EventTime::from_millis);
        let Time::Field { leaf, pointer, format } = &self.time else {
            return kafka
                .ok_or_else(|| DecodeError::TimestampMissing { place: "the Kafka time".into() });
        };
        let time = self.field_time(*leaf, pointer, *format)?;
        if time < OLDEST {
            return Err(DecodeError::TimestampOld { time });
        }
        if let Some(ahead) = kafka.map(|kafka| time - kafka)
            && ahead > self.ahead_max
        {
            return Err(DecodeError::TimestampAhead { time, ahead, ahead_max: self.ahead_max });
        }
        Ok(time)
    }

    fn field_time(
        &self,
        leaf: usize,
        pointer: &str,
        format: TimestampFormat,
    ) -> Result<EventTime, DecodeError> {
        let found = self.finds.at[leaf];
        let is_text = matches!(found, Found::Text { .. });
        let time = match found {
            Found::Text { start, end } if format == TimestampFormat::Rfc3339 => {
                timestamp::from_rfc3339(self.finds.text_of(start, end))
            }
            Found::Text { start, end } => {
                timestamp::from_digits(self.finds.text_of(start, end), format)
            }
            Found::Signed(number) => timestamp::from_whole(number.into(), format),
            Found::Unsigned(number) => timestamp::from_whole(number.into(), format),
            Found::Float(number) => timestamp::from_float(number, format),
            Found::Absent | Found::Null => {
                return Err(DecodeError::TimestampMissing { place: format!("`{pointer}`") });
            }
            Found::Bool | Found::Object | Found::Array => None,
        };
        let is_number = format != TimestampFormat::Rfc3339
            && matches!(found, Found::Signed(_) | Found::Unsigned(_) | Found::Float(_));
        let expected = timestamp::expected(format);
        time.ok_or_else(|| match is_text || is_number {
            true => DecodeError::TimestampFormat {
                pointer: pointer.into(),
                text: self.shown(found),
                expected,
            },
            false => DecodeError::TimestampType {
                pointer: pointer.into(),
                found: found.kind(),
                expected,
            },
        })
    }

    /// A value for an error text, cut to 64 characters.
    fn shown(&self, found: Found) -> String {
        match found {
            Found::Text { start, end } => self.finds.text_of(start, end).chars().take(64).collect(),
            Found::Signed(number) => number.to_string(),
            Found::Unsigned(number) => number.to_string(),
            Found::Float(number) => number.to_string(),
            other => other.kind().into(),
        }
    }
}

fn channel_places(params: &InputParams, trie: &Trie) -> Result<Vec<Channel>, InputError> {
    let place = |(name, pointer): (&String, &String)| {
        let leaf = trie.leaf(pointer)?;
        Ok(Channel { leaf, name: name.clone(), pointer: pointer.clone() })
    };
    params.channels.iter().zip(&params.fields).map(place).collect()
}

fn time_place(source: &TimestampSource, trie: &Trie) -> Result<Time, InputError> {
    Ok(match source {
        TimestampSource::Field { field, format } => {
            Time::Field { leaf: trie.leaf(field)?, pointer: field.clone(), format: *format }
        }
        TimestampSource::Kafka => Time::Kafka,
    })
}

fn entity_place(source: &EntitySource, trie: &Trie) -> Result<Entity, InputError> {
    Ok(match source {
        EntitySource::Field { field } => {
            Entity::Field { leaf: trie.leaf(field)?, pointer: field.clone() }
        }
        EntitySource::KafkaKey => Entity::KafkaKey,
        EntitySource::Constant { .. } => Entity::Constant,
    })
}

fn constant_name(source: &EntitySource) -> Result<String, InputError> {
    let EntitySource::Constant { name } = source else { return Ok(String::new()) };
    let (bytes, bytes_max) = (name.len(), ENTITY_BYTES_MAX);
    if bytes == 0 || bytes > bytes_max {
        return Err(InputError::Constant { bytes, bytes_max });
    }
    Ok(name.clone())
}

/// Where the walk starts: in a structured CloudEvent the pointers apply to its `data`.
fn envelope_root(headers: &[(String, Vec<u8>)]) -> Result<trie::NodeId, DecodeError> {
    let kind = headers.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let Some((_, kind)) = kind else { return Ok(Trie::ROOT) };
    let kind = kind.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/cloudevents+json") {
        return Ok(Trie::ENVELOPE);
    }
    if kind.len() >= 24 && kind[..24].eq_ignore_ascii_case(b"application/cloudevents-") {
        return Err(DecodeError::Envelope { detail: "batches are not supported" });
    }
    Ok(Trie::ROOT)
}

fn json_error(error: &serde_json::Error) -> DecodeError {
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let detail = full.rfind(" at line ").map_or(full.as_str(), |end| &full[..end]);
    if detail == "number out of range" {
        return DecodeError::NumberRange { line, column };
    }
    DecodeError::Json { line, column, detail: detail.into() }
}
