//! The keys of `[kafka.rdkafka]`: other people's settings, which may hold secrets.

use serde_json::{Map, Value};

use super::fault::Fault;
use crate::io::KafkaParams;
use crate::io::kafka::{is_secret, owned_property, property_fault};

const TABLE: &str = "kafka.rdkafka";

/// Brings `[kafka.rdkafka]` into one form: full dotted keys with text values.
///
/// TOML reads `linger.ms = 5` as a table in a table, and 5 as a number; librdkafka wants the text
/// `5` for the key `linger.ms`. With `underscores`, as environment variables have them,
/// `linger_ms` is the same key: librdkafka has dots only.
pub(super) fn flatten(document: &mut Value, underscores: bool, faults: &mut Vec<Fault>) {
    let Some(table) = document.pointer_mut("/kafka/rdkafka") else { return };
    let mut flat = Map::new();
    flatten_into(&mut flat, String::new(), std::mem::take(table), underscores, faults);
    *table = Value::Object(flat);
}

fn flatten_into(
    flat: &mut Map<String, Value>,
    key: String,
    value: Value,
    underscores: bool,
    faults: &mut Vec<Fault>,
) {
    let text = match value {
        Value::Object(table) => {
            for (part, inner) in table {
                let part = if underscores { part.replace('_', ".") } else { part };
                let key = if key.is_empty() { part } else { format!("{key}.{part}") };
                flatten_into(flat, key, inner, underscores, faults);
            }
            return;
        }
        _ if key.is_empty() => {
            return faults.push(Fault::new(TABLE, "expected a table of librdkafka settings"));
        }
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) => {
            let why = "expected text, a number, true or false";
            return faults.push(Fault::new(format!("{TABLE}.{key}"), why));
        }
    };
    flat.insert(key, Value::String(text));
}

/// Refuses secrets in a file, which is likely to be under version control, and takes them out.
pub(super) fn refuse_secrets(document: &mut Value, faults: &mut Vec<Fault>) {
    let Some(Value::Object(table)) = document.pointer_mut("/kafka/rdkafka") else { return };
    table.retain(|key, _| {
        if !is_secret(key) {
            return true;
        }
        let variable = key.to_ascii_uppercase().replace('.', "_");
        let elsewhere = match key.as_str() {
            "sasl.password" => "name a file with it in `kafka.sasl_password_file`, or set ",
            _ => "`kafka.sasl_password_file` is for the SASL password, for this one set ",
        };
        let why = format!(
            "secrets do not belong in a settings file: {elsewhere}\
             LATENTD__KAFKA__RDKAFKA__{variable} in the environment"
        );
        faults.push(Fault::new(format!("{TABLE}.{key}"), why));
        false
    });
}

/// Rules of the pass-through table, as far as one key tells; what does not go together is found when a
/// client is made. No secret is shown.
pub(super) fn check(kafka: &KafkaParams, faults: &mut Vec<Fault>) {
    let mut fault = |key: &str, why: String| {
        faults.push(Fault::new(format!("{TABLE}.{key}"), why));
    };
    for (key, value) in &kafka.rdkafka {
        if let Some(instead) = owned_property(key) {
            fault(key, format!("cannot be passed through: {instead}"));
        } else if let Some(why) = property_fault(key, value) {
            fault(key, why);
        }
    }
    if kafka.sasl_password_file.is_some() && kafka.rdkafka.contains_key("sasl.password") {
        let why = "the password is given twice, `kafka.sasl_password_file` names one already";
        fault("sasl.password", why.to_owned());
    }
    if 1 < kafka.workers && kafka.rdkafka.contains_key("group.instance.id") {
        let why = "each worker is a member of the group: with kafka.workers = {} they would fence each other";
        fault("group.instance.id", why.replace("{}", &kafka.workers.to_string()));
    }
}

/// Replaces the values of secret keys by `***`.
pub(super) fn redact(settings: &mut Value) {
    let Some(Value::Object(table)) = settings.pointer_mut("/kafka/rdkafka") else { return };
    for (_, value) in table.iter_mut().filter(|(key, _)| is_secret(key)) {
        *value = Value::from("***");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_spellings_of_a_dotted_key_are_one() {
        let mut document = json!({"kafka": {"rdkafka": {
            "sasl": {"mechanism": "PLAIN"}, "security.protocol": "SASL_SSL", "linger": {"ms": 5},
        }}});
        let mut faults = Vec::new();
        flatten(&mut document, false, &mut faults);
        let expected =
            json!({"sasl.mechanism": "PLAIN", "security.protocol": "SASL_SSL", "linger.ms": "5"});
        assert_eq!(document["kafka"]["rdkafka"], expected);
        assert_eq!(faults, []);
    }
}
