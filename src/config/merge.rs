//! One rule for all layers: tables merge, everything else replaces.

use serde_json::Value;

/// Lays `over` on top of `base`.
///
/// Tables merge key by key. Lists and single values replace. A table whose `from` differs is of
/// another kind (see `timestamp` and `entity`) and replaces the old one as a whole, so that no
/// key of the old kind is left behind.
pub(super) fn lay_over(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if !other_kind(base, &over) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(below) => lay_over(below, value),
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (base, over) => *base = over,
    }
}

type Table = serde_json::Map<String, Value>;

fn other_kind(base: &Table, over: &Table) -> bool {
    matches!((base.get("from"), over.get("from")), (Some(a), Some(b)) if a != b)
}

/// Lays each stream on top of a copy of `[stream_defaults]`.
pub(super) fn complete_streams(document: &mut Value) {
    let defaults = document.get("stream_defaults").cloned().unwrap_or_default();
    let streams = document.get_mut("stream").and_then(Value::as_array_mut);
    for stream in streams.into_iter().flatten() {
        let own = std::mem::replace(stream, defaults.clone());
        lay_over(stream, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_merge_and_the_rest_replaces() {
        #[rustfmt::skip]
        let cases = [
            ("a table keeps what is not named", json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 3}}), json!({"a": {"b": 1, "c": 3}})),
            ("a list replaces", json!({"a": [1, 2, 3]}), json!({"a": [4]}), json!({"a": [4]})),
            ("a value replaces a table", json!({"a": {"b": 1}}), json!({"a": 5}), json!({"a": 5})),
            ("the same kind merges", json!({"from": "field", "field": "/a", "format": "epoch_s"}), json!({"from": "field", "field": "/b"}),
                json!({"from": "field", "field": "/b", "format": "epoch_s"})),
            ("another kind replaces", json!({"from": "field", "field": "/a"}), json!({"from": "kafka"}), json!({"from": "kafka"})),
        ];
        for (what, mut base, over, expected) in cases {
            lay_over(&mut base, over);
            assert_eq!(base, expected, "{what}");
        }
    }

    #[test]
    fn every_stream_gets_its_own_copy_of_the_defaults() {
        let mut document = json!({
            "stream_defaults": {"step": "1m", "window": {"length": 16, "stride": 1}},
            "stream": [{"name": "a"}, {"name": "b", "window": {"length": 4}}],
        });
        complete_streams(&mut document);
        assert_eq!(document["stream"][0]["window"], json!({"length": 16, "stride": 1}));
        assert_eq!(document["stream"][1]["window"], json!({"length": 4, "stride": 1}));
        assert_eq!(document["stream"][1]["step"], "1m");
    }
}
