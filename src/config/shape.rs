//! Every key known, every value of the right kind: all faults at once, before serde sees a thing.
//!
//! Serde stops at its first fault and cannot tell what the key should have been. This walk goes
//! over the raw values side by side with the generated schema, so the types remain the only
//! description of the format.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::schema::{Kind, Node, STREAM_OWN};
use super::suggest::{is_like, keys_meant, nearest};
use crate::record::{Millis, Step};

/// Longer spans are slips of the finger, and sums of them leave the range of event times: a century.
const DURATION_MAX: Millis = Millis::new(5_200 * 7 * 86_400_000);

/// Checks keys and values of what was written. Unknown keys are taken out of `document`, so that
/// the rules between keys can be checked all the same.
pub(super) fn check_written(document: &mut Value, faults: &mut Vec<Fault>) -> bool {
    let mut walk = Walk { faults, above: Vec::new(), sound: true };
    walk.visit("", Node::root(), document);
    walk.sound
}

struct Walk<'f> {
    faults: &'f mut Vec<Fault>,
    /// The tables around the current one, outermost first.
    above: Vec<(String, Node<'static>)>,
    /// No value is of a wrong kind; unknown keys do not count.
    sound: bool,
}

impl Walk<'_> {
    fn visit(&mut self, at: &str, node: Node<'static>, value: &mut Value) {
        if node.optional && value.is_null() {
            return;
        }
        match node.kind() {
            Kind::Choice(words) => self.choice(at, &words, value),
            Kind::Tagged(variants) => self.tagged(at, node, variants, value),
            Kind::Table(properties) => {
                let known: Vec<_> = properties.keys().map(String::as_str).collect();
                self.table(at, node, &known, value);
            }
            Kind::List(item) => self.list(at, item, value),
            Kind::Number => self.number(at, node.schema, "number", value.as_f64(), value),
            Kind::Integer => {
                let whole = (value.is_u64() || value.is_i64()).then(|| value.as_f64()).flatten();
                self.number(at, node.schema, "whole number", whole, value);
            }
            Kind::Text => self.text(at, node, value),
            Kind::Flag if !value.is_boolean() => {
                self.wrong(at, format!("expected true or false, got {}", shown(value)));
            }
            Kind::Flag | Kind::Free => {}
        }
    }

    fn wrong(&mut self, at: &str, why: String) {
        self.sound = false;
        self.faults.push(Fault::new(at, why));
    }

    fn table(&mut self, at: &str, node: Node<'static>, known: &[&str], value: &mut Value) {
        let Value::Object(table) = value else {
            return self.wrong(at, format!("expected a table, got {}", shown(value)));
        };
        self.drop_unknown(at, node, known, table);
        self.above.push((at.to_owned(), node));
        for (key, inner) in table.iter_mut() {
            if let Some(child) = node.child(key) {
                self.visit(&join(at, key), child, inner);
            }
        }
        self.above.pop();
    }

    fn drop_unknown(
        &mut self,
        at: &str,
        node: Node<'_>,
        known: &[&str],
        table: &mut Map<String, Value>,
    ) {
        table.retain(|key, value| {
            let unknown = !known.contains(&key.as_str());
            if unknown {
                let why = self.unknown(at, node, known, (key, value));
                self.faults.push(Fault::new(join(at, key), why));
            }
            !unknown
        });
    }

    fn unknown(&self, at: &str, node: Node<'_>, known: &[&str], key: (&str, &Value)) -> String {
        let (key, value) = key;
        if at == "stream_defaults" && STREAM_OWN.contains(&key) {
            return "unknown key: each [[stream]] has its own".to_owned();
        }
        let mut meant = keys_meant(key, value, node, known);
        if meant.is_empty() {
            // In TOML, a key after `[stream.window]` is inside it, whatever its indent.
            let has = |node: &Node<'_>| node.child(key).is_some_and(|child| is_like(child, value));
            let outer = self.above.iter().rev().find(|(_, node)| has(node));
            meant.extend(outer.map(|(at, _)| join(at, key)));
        }
        match meant.is_empty() {
            true => "unknown key".to_owned(),
            false => format!("unknown key, did you mean `{}`?", meant.join("` or `")),
        }
    }

    /// A table whose keys hang on `from`. Without `from` it is a part that is laid over a default:
    /// any key of any kind may be there.
    fn tagged(
        &mut self,
        at: &str,
        node: Node<'static>,
        variants: &'static [Value],
        value: &mut Value,
    ) {
        let known = |v: &'static Value| v["properties"].as_object().into_iter().flatten();
        if let Some(from) = value.get_mut("from") {
            let tag = |v: &'static Value| v["properties"]["from"]["const"].as_str();
            match variants.iter().find(|v| from.is_string() && tag(v) == from.as_str()) {
                Some(variant) => return self.visit(at, node.at(variant), value),
                None => {
                    let words: Vec<_> = variants.iter().filter_map(tag).collect();
                    return self.choice(&join(at, "from"), &words, from);
                }
            }
        }
        let all: Vec<_> = variants.iter().flat_map(known).map(|(key, _)| key.as_str()).collect();
        self.table(at, node, &all, value);
    }

    fn list(&mut self, at: &str, item: Node<'static>, value: &mut Value) {
        let Value::Array(items) = value else {
            return self.wrong(at, format!("expected a list, got {}", shown(value)));
        };
        for (i, inner) in items.iter_mut().enumerate() {
            self.visit(&format!("{at}[{i}]"), item, inner);
        }
    }

    fn choice(&mut self, at: &str, words: &[&str], value: &Value) {
        let word = value.as_str();
        if word.is_some_and(|word| words.contains(&word)) {
            return;
        }
        let meant = word.and_then(|word| nearest(word, words));
        let hint = meant.map(|m| format!(", did you mean `{m}`?")).unwrap_or_default();
        let words = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        self.wrong(at, format!("expected one of {words}, got {}{hint}", shown(value)));
    }

    fn number(&mut self, at: &str, schema: &Value, noun: &str, number: Option<f64>, value: &Value) {
        let bound = |key: &str| schema[key].as_f64();
        let fits = |x: f64| {
            bound("minimum").is_none_or(|low| low <= x)
                && bound("maximum").is_none_or(|high| x <= high)
                && bound("exclusiveMinimum").is_none_or(|low| low < x)
                && bound("exclusiveMaximum").is_none_or(|high| x < high)
        };
        // schemars notes the width of an integer in `format`, but not as a maximum.
        let narrow = schema["format"] == "uint32" && number > Some(f64::from(u32::MAX));
        if number.is_some_and(fits) && !narrow {
            return;
        }
        let range = match (bound("minimum"), bound("exclusiveMinimum"), bound("maximum")) {
            (_, Some(low), _) => match bound("exclusiveMaximum") {
                Some(high) => format!(" between {low} and {high}"),
                None => format!(" above {low}"),
            },
            (Some(low), _, Some(high)) => format!(" from {low} to {high}"),
            (Some(low), _, None) if narrow => format!(" from {low} to {}", u32::MAX),
            (Some(low), _, None) => format!(" of at least {low}"),
            _ => String::new(),
        };
        // JSON has no infinity and no NaN: they arrive as null.
        let got = match value {
            Value::Null if noun == "number" => "nan, inf or nothing".to_owned(),
            value => shown(value),
        };
        self.wrong(at, format!("expected a {noun}{range}, got {got}"));
    }

    fn text(&mut self, at: &str, node: Node<'_>, value: &Value) {
        if !value.is_string() {
            return self.wrong(at, format!("expected text in quotes, got {}", shown(value)));
        }
        let span = |read: serde_json::Result<Millis>| match read {
            Ok(span) if DURATION_MAX < span => Some(format!("is longer than {DURATION_MAX}")),
            Ok(_) => None,
            Err(why) => Some(why.to_string()),
        };
        let why = match node.name {
            Some("Duration") => span(serde_json::from_value(value.clone())),
            Some("Step") => span(serde_json::from_value(value.clone()).map(|step| match step {
                Step::Grid(step) => step,
                Step::Event => Millis::ZERO,
            })),
            _ => None,
        };
        if let Some(why) = why {
            self.wrong(at, why);
        }
    }
}

/// Finds keys that nobody set although there is no default for them.
pub(super) fn check_complete(at: &str, node: Node<'_>, value: &Value, faults: &mut Vec<Fault>) {
    if let (Kind::List(item), Value::Array(items)) = (node.kind(), value) {
        for (i, inner) in items.iter().enumerate() {
            check_complete(&format!("{at}[{i}]"), item, inner, faults);
        }
    }
    let Value::Object(table) = value else { return };
    let node = match node.kind() {
        Kind::Tagged(variants) => {
            let same = |v: &&Value| v["properties"]["from"]["const"] == value["from"];
            // An unknown `from` has been told already, and tells nothing about the other keys.
            let Some(variant) = variants.iter().find(same) else { return };
            node.at(variant)
        }
        _ => node,
    };
    let required = node.schema["required"].as_array().into_iter().flatten();
    for key in required.filter_map(Value::as_str).filter(|key| !table.contains_key(*key)) {
        faults.push(Fault::new(join(at, key), "is missing"));
    }
    for (key, inner) in table {
        if let Some(child) = node.child(key) {
            check_complete(&join(at, key), child, inner, faults);
        }
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

/// A value as far as it helps: never a whole table, never a long text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("`{}...`", text.chars().take(57).collect::<String>())
        }
        Value::String(text) => format!("`{text}`"),
        number_or_flag => number_or_flag.to_string(),
    }
}
