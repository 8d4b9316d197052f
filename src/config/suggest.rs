//! "Did you mean": the nearest key or word.

use serde_json::Value;

use super::schema::{Kind, Node};

/// A key that begins with fewer letters than these tells nothing.
const PREFIX_MIN: usize = 3;

/// The nearest of `known`, if one is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let letters = word.chars().count();
    let reach = (letters / 3).clamp(1, 4);
    // Of three letters one in the place of another makes another word: `mae` is not `mse`.
    let other = |k: &str| letters <= 3 && k.chars().count() == letters && sorted(k) != sorted(word);
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), *k))
        .filter(|(distance, k)| *distance <= reach && !other(k))
        .min()
        .map(|(_, k)| k)
}

fn sorted(word: &str) -> Vec<char> {
    let mut letters: Vec<_> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// What may be meant by a key that the table at `node` does not have: a near key, else those that begin
/// with it (`group_id` for `group`), else the same key one table further in (`latent` for
/// `model.latent`, `window_length` for `window.length`). A table is meant by a table only, a value by a
/// value.
pub(super) fn keys_meant(key: &str, value: &Value, node: Node<'_>, known: &[&str]) -> Vec<String> {
    let fits = |k: &&&str| node.child(k).is_some_and(|child| is_like(child, value));
    let known: Vec<&str> = known.iter().filter(fits).copied().collect();
    if let Some(near) = nearest(key, &known) {
        return vec![near.to_owned()];
    }
    let longer = |k: &&&str| {
        PREFIX_MIN <= key.len() && k.strip_prefix(key).is_some_and(|rest| rest.starts_with('_'))
    };
    let begin: Vec<_> = known.iter().filter(longer).map(|k| (*k).to_owned()).collect();
    if !begin.is_empty() {
        return begin;
    }
    let Kind::Table(tables) = node.kind() else { return begin };
    tables.keys().filter_map(|table| further_in(key, value, node, table)).collect()
}

/// Whether a value may stand at a place, as far as a table is none of the others.
pub(super) fn is_like(node: Node<'_>, value: &Value) -> bool {
    let table = matches!(node.kind(), Kind::Table(_) | Kind::Tagged(_) | Kind::Free);
    table == value.is_object() || matches!(node.kind(), Kind::Free)
}

fn further_in(key: &str, value: &Value, node: Node<'_>, table: &str) -> Option<String> {
    let child = node.child(table)?;
    let Kind::Table(properties) = child.kind() else { return None };
    let inner = key.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).unwrap_or(key);
    let meant = match properties.get_key_value(inner) {
        Some((same, _)) => same.as_str(),
        // `[alerts]` is a slip, and one table too far out.
        None if value.is_object() => {
            nearest(inner, &properties.keys().map(String::as_str).collect::<Vec<_>>())?
        }
        None => return None,
    };
    is_like(child.child(meant)?, value).then(|| format!("{table}.{meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["model", "window", "series_max", "step", "mse"];
        #[rustfmt::skip]
        let cases = [
            ("modle", Some("model")), ("windows", Some("window")), ("max_series", None),
            ("seriesmax", Some("series_max")), ("stp", Some("step")), ("x", None),
            ("mea", None), ("mae", None), ("mes", Some("mse")),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
