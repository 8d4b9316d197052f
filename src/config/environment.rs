//! Environment variables as a layer: `LATENTD__KAFKA__GROUP_ID=line-7`.
//!
//! The double underscore after the prefix matters: for a service named `latentd`, Kubernetes sets
//! `LATENTD_PORT`, `LATENTD_SERVICE_HOST` and more in every pod.

use std::collections::BTreeMap;

use ::config::{Environment, Source};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::merge::lay_over;
use super::schema::{Kind, Node};

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// The values as one tree, in the types that the schema wants. List items are addressed by
    /// number, as keys of a table.
    pub(super) tree: Value,
    /// Key path and name of each variable, for fault texts.
    pub(super) names: Vec<(String, String)>,
}

/// Reads the variables that begin with `LATENTD__`, case ignored; others are none of ours.
pub(super) fn read(env: &BTreeMap<String, String>) -> Variables {
    let mut all = Variables { tree: json!({}), names: Vec::new() };
    for (name, value) in env {
        // One source a variable, so that a fault can name the variable it came from.
        let one = [(name.clone(), value.clone())].into_iter().collect();
        let source = Environment::with_prefix("LATENTD")
            .prefix_separator("__")
            .separator("__")
            .source(Some(one));
        for (path, value) in source.collect().unwrap_or_default() {
            let Ok(text) = value.into_string() else { continue };
            let nest = |inner, key: &str| Value::Object(Map::from_iter([(key.to_owned(), inner)]));
            let mut branch = path.rsplit('.').fold(Value::String(text), nest);
            give_types(Some(Node::root()), &mut branch);
            lay_over(&mut all.tree, branch);
            all.names.push((written_path(&path), name.clone()));
        }
    }
    all
}

/// A variable that is meant for us and is not read: `LATENTD_KAFKA__GROUP_ID`, with one underscore where
/// two must stand. What Kubernetes sets has no two anywhere.
pub(super) fn misspelt(env: &BTreeMap<String, String>) -> impl Iterator<Item = Fault> {
    env.keys().filter_map(|name| {
        let upper = name.to_uppercase();
        let (table, _) = upper.strip_prefix("LATENTD_")?.split_once("__")?;
        let why =
            format!("not read: two underscores belong behind LATENTD, as in LATENTD__{table}__");
        Node::root().child(&table.to_lowercase()).map(|_| Fault::new(name, why))
    })
}

/// `stream.0.step` as faults have it: `stream[0].step`.
fn written_path(path: &str) -> String {
    if let Some(key) = path.strip_prefix("kafka.rdkafka.") {
        return format!("kafka.rdkafka.{}", key.replace('_', "."));
    }
    let mut written = String::new();
    for part in path.split('.') {
        match part.parse::<usize>() {
            Ok(index) => written += &format!("[{index}]"),
            Err(_) if written.is_empty() => written += part,
            Err(_) => written += &format!(".{part}"),
        }
    }
    written
}

/// Turns text into what the schema wants there. What does not fit stays text, and the check of
/// shapes says so.
fn give_types(node: Option<Node<'_>>, value: &mut Value) {
    match value {
        Value::Object(table) => {
            for (key, inner) in table.iter_mut() {
                let child = node.and_then(|node| match node.kind() {
                    Kind::List(item) => Some(item),
                    _ => node.child(key),
                });
                give_types(child, inner);
            }
        }
        Value::String(text) => {
            if let Some(typed) = node.and_then(|node| typed(node, text.trim())) {
                *value = typed;
            }
        }
        _ => {}
    }
}

fn typed(node: Node<'_>, text: &str) -> Option<Value> {
    match node.kind() {
        Kind::Integer => text
            .parse::<u64>()
            .map(Value::from)
            .or_else(|_| text.parse::<i64>().map(Value::from))
            .ok(),
        Kind::Number => text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from),
        Kind::List(_) if text.starts_with('[') => serde_json::from_str(text).ok(),
        Kind::List(item) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Some(parts.map(|part| typed(item, part).unwrap_or_else(|| part.into())).collect())
        }
        Kind::Table(_) | Kind::Tagged(_) | Kind::Free if text.starts_with('{') => {
            serde_json::from_str(text).ok()
        }
        _ => None,
    }
}

/// The full path of a change, so that the fault finds its variable.
fn first_key_inside(at: String, change: &Value) -> String {
    match change.as_object().and_then(|table| table.iter().next()) {
        Some((key, inner)) => first_key_inside(format!("{at}.{key}"), inner),
        None => at,
    }
}

/// Replaces tables with numbers as keys by the lists they change: `{"0": {"step": "5s"}}` over two
/// streams becomes both streams, the first one changed.
pub(super) fn resolve_indexes(below: &Value, over: &mut Value, at: &str, faults: &mut Vec<Fault>) {
    let Value::Object(changes) = over else { return };
    match below {
        Value::Object(table) => {
            for (key, change) in changes.iter_mut() {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                resolve_indexes(table.get(key).unwrap_or(&Value::Null), change, &at, faults);
            }
        }
        Value::Array(items) => {
            let mut items = items.clone();
            for (key, mut change) in std::mem::take(changes) {
                let at = format!("{at}[{key}]");
                match key.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                    Some(item) => {
                        resolve_indexes(item, &mut change, &at, faults);
                        lay_over(item, change);
                    }
                    None => {
                        let why = format!("no such item, there are {}, from 0 on", items.len());
                        faults.push(Fault::new(first_key_inside(at, &change), why));
                    }
                }
            }
            *over = Value::Array(items);
        }
        _ => {}
    }
}
