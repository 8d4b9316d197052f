//! "Did you mean": the nearest key or word.

use super::schema::{Kind, Node};

/// The nearest of `known`, if one is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let reach = (word.chars().count() / 3).clamp(1, 4);
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), *k))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, k)| k)
}

/// What may be meant by a key that the table at `node` does not have: a near key, else the same
/// key one table further in (`latent` for `model.latent`, `window_length` for `window.length`).
pub(super) fn keys_meant(key: &str, node: Node<'_>, known: &[&str]) -> Vec<String> {
    match nearest(key, known) {
        Some(near) => vec![near.to_owned()],
        None => known.iter().filter_map(|table| further_in(key, node, table)).collect(),
    }
}

fn further_in(key: &str, node: Node<'_>, table: &str) -> Option<String> {
    let child = node.child(table)?;
    let Kind::Table(properties) = child.kind() else { return None };
    let inner = key.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).unwrap_or(key);
    properties.contains_key(inner).then(|| format!("{table}.{inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["model", "window", "series_max", "step"];
        #[rustfmt::skip]
        let cases = [
            ("modle", Some("model")), ("windows", Some("window")), ("max_series", None),
            ("seriesmax", Some("series_max")), ("stp", Some("step")), ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
