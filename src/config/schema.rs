//! The JSON Schema of a configuration file, generated from the types.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::Settings;
use super::layers::default_layer;

/// Keys of a stream that no default can stand for.
pub(super) const STREAM_OWN: [&str; 3] = ["name", "topics", "channel"];

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

/// The JSON Schema (draft 2020-12) of a configuration file.
///
/// It describes what a person writes, not the complete settings: every key that has a default
/// may be left out, and carries it as `default`.
pub fn json_schema() -> &'static Value {
    &SCHEMA
}

fn generate() -> Value {
    let mut schema = schemars::schema_for!(Settings).to_value();
    schema["title"] = json!("latentd configuration");
    schema["description"] = json!("Settings of the latentd daemon, version 1.");
    schema["properties"]["kafka"]["default"] = json!({});
    add_stream_defaults(&mut schema);
    relax_rdkafka(&mut schema);
    forget_required(&mut schema);
    let defaults = default_layer();
    add_defaults(&mut schema, "", &defaults);
    add_defaults(&mut schema, "/$defs/StreamSettings", &defaults["stream_defaults"]);
    schema
}

/// `[stream_defaults]` is a raw table for serde; in a file it is a stream without its own keys.
fn add_stream_defaults(schema: &mut Value) {
    let mut defaults = schema["$defs"]["StreamSettings"].clone();
    if let Some(properties) = defaults["properties"].as_object_mut() {
        properties.retain(|key, _| !STREAM_OWN.contains(&key.as_str()));
    }
    defaults["description"] = json!("The keys of a stream that have a default.");
    schema["$defs"]["StreamDefaults"] = defaults;
    schema["properties"]["stream_defaults"] = json!({
        "description": "Values that a `[[stream]]` does not set itself.",
        "$ref": "#/$defs/StreamDefaults",
    });
}

/// librdkafka takes text only, but `linger.ms = 5` and the nested tables that TOML makes of
/// unquoted dotted keys are welcome in a file.
fn relax_rdkafka(schema: &mut Value) {
    schema["$defs"]["KafkaParams"]["properties"]["rdkafka"]["additionalProperties"] =
        json!({ "type": ["string", "number", "boolean", "object"] });
}

/// A file may leave out whatever has a default. Tagged tables (`from = ...`) keep their rules:
/// their variants are not looked into.
fn forget_required(schema: &mut Value) {
    let forget = |table: &mut Map<String, Value>| table.remove("required");
    schema.as_object_mut().map(forget);
    let Some(defs) = schema["$defs"].as_object_mut() else { return };
    for (name, table) in defs.iter_mut() {
        match name.as_str() {
            "StreamSettings" => table["required"] = json!(STREAM_OWN),
            "ChannelParams" | "MaintenanceSettings" | "SinkParams" => {}
            _ => drop(table.as_object_mut().map(forget)),
        }
    }
}

/// Writes the values of `defaults` into the `default` of the properties of the table at `at`.
fn add_defaults(schema: &mut Value, at: &str, defaults: &Value) {
    for (key, value) in defaults.as_object().into_iter().flatten() {
        let Some(property) = schema.pointer_mut(&format!("{at}/properties/{key}")) else {
            continue;
        };
        let target = property["$ref"].as_str().map(|link| link.trim_start_matches('#').to_owned());
        let nested = target.filter(|_| value.is_object());
        match nested.filter(|at| schema.pointer(at).is_some_and(|t| t["properties"].is_object())) {
            Some(at) => add_defaults(schema, &at, value),
            None => {
                if let Some(property) = schema.pointer_mut(&format!("{at}/properties/{key}")) {
                    property["default"] = value.clone();
                }
            }
        }
    }
}

/// One place in the schema, with references and `or null` already followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    root: &'a Value,
    /// The schema object.
    pub(super) schema: &'a Value,
    /// Name in `$defs`, if it has one: `Duration` and `Step` have a grammar of their own.
    pub(super) name: Option<&'a str>,
    /// Whether null is allowed.
    pub(super) optional: bool,
}

/// What a value at a place must be.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// One of a few words.
    Choice(Vec<&'a str>),
    /// A table whose `from` decides which keys it has; the variants.
    Tagged(&'a [Value]),
    /// A table with known keys.
    Table(&'a Map<String, Value>),
    /// A list.
    List(Node<'a>),
    /// A number with a fraction.
    Number,
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// Checked elsewhere.
    Free,
}

impl<'a> Node<'a> {
    /// The whole file.
    pub(super) fn root() -> Node<'static> {
        Node { root: &SCHEMA, schema: &SCHEMA, name: None, optional: false }
    }

    /// The node of a sub-schema, references followed.
    pub(super) fn at(self, schema: &'a Value) -> Self {
        let here = Self { schema, name: None, optional: false, ..self };
        if let Some(link) = schema["$ref"].as_str() {
            let target = self.root.pointer(link.trim_start_matches('#')).unwrap_or(schema);
            return Self { schema: target, name: link.rsplit('/').next(), ..here };
        }
        if let Some(some) = schema["anyOf"].as_array().and_then(|any| any.first()) {
            return Self { optional: true, ..here.at(some) };
        }
        let optional = list_of_types(schema).contains(&"null");
        Self { optional, ..here }
    }

    /// The place of `key` in a table; of a tagged one, in any of its variants.
    pub(super) fn child(self, key: &str) -> Option<Self> {
        let property = |table: &'a Value| table["properties"].get(key).map(|s| self.at(s));
        let variants = self.schema["oneOf"].as_array().into_iter().flatten();
        property(self.schema).or_else(|| variants.filter_map(property).next())
    }

    /// What a value here must be.
    pub(super) fn kind(self) -> Kind<'a> {
        if let Some(variants) = self.schema["oneOf"].as_array() {
            let words = words(variants);
            return if words.is_empty() { Kind::Tagged(variants) } else { Kind::Choice(words) };
        }
        let types = list_of_types(self.schema);
        match types.iter().find(|t| **t != "null").copied() {
            Some("object") => match self.schema["properties"].as_object() {
                Some(properties) => Kind::Table(properties),
                None => Kind::Free,
            },
            Some("array") => Kind::List(self.at(&self.schema["items"])),
            Some("number") => Kind::Number,
            Some("integer") => Kind::Integer,
            Some("string") => Kind::Text,
            Some("boolean") => Kind::Flag,
            _ => Kind::Free,
        }
    }
}

/// The words of an enum: those with a doc comment are a `const` each, the others share an `enum`.
fn words(variants: &[Value]) -> Vec<&str> {
    let shared = variants.iter().filter_map(|v| v["enum"].as_array()).flatten();
    variants.iter().map(|v| &v["const"]).chain(shared).filter_map(Value::as_str).collect()
}

fn list_of_types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
