//! What differs between two configurations, and what of it a running daemon can take over.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Settings, StreamSettings};

/// Tables outside the streams whose keys are read anew while the daemon runs.
const LIVE_TABLES: [&str; 1] = ["state"];

/// Differences between two checked configurations. Only key paths: values may be secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that a running daemon takes over, for example `stream.press.alert.budget.alerts`.
    pub live: Vec<String>,
    /// Keys that need a restart.
    pub restart: Vec<String>,
}

impl Settings {
    /// What is different in `new`.
    ///
    /// Of a stream everything can change while it runs, but its name, its place among the
    /// streams, its topics, and what its stored state depends on (see
    /// [`crate::engine::StreamSpec::fingerprint`]): that would drop what was learned, if only the
    /// forecasts, which a restart begins anew.
    pub fn changes(&self, new: &Self) -> Changes {
        let (mut changes, mut paths) = (Changes::default(), Vec::new());
        differing(&self.table(), &new.table(), String::new(), &mut paths);
        for path in paths {
            let table = path.split('.').next().unwrap_or_default();
            let live = LIVE_TABLES.contains(&table);
            if live { &mut changes.live } else { &mut changes.restart }.push(path);
        }
        let names = |settings: &Self| -> Vec<String> {
            settings.stream.iter().map(|stream| stream.name.clone()).collect()
        };
        if names(self) != names(new) {
            changes.restart.push("stream".to_owned());
            return changes;
        }
        for (index, (was, is)) in self.stream.iter().zip(&new.stream).enumerate() {
            let mut paths = Vec::new();
            differing(&value(was), &value(is), String::new(), &mut paths);
            let shapes = was.spec(self.seed).fingerprint() != is.spec(self.seed).fingerprint();
            let mut fixed: Vec<bool> = paths
                .iter()
                .map(|path| path == "topics" || shapes && self.reshaped_by(index, is, path))
                .collect();
            // None alone, but all together.
            if shapes && !fixed.contains(&true) {
                fixed.fill(true);
            }
            for (path, fixed) in paths.iter().zip(fixed) {
                let path = format!("stream.{}.{path}", was.name);
                if fixed { &mut changes.restart } else { &mut changes.live }.push(path);
            }
        }
        changes
    }

    /// Whether one key of `is` alone would drop what stream `index` has learned, or does not fit the
    /// others as they are.
    fn reshaped_by(&self, index: usize, is: &StreamSettings, path: &str) -> bool {
        let was = &self.stream[index];
        let (mut mixed, pointer) = (value(was), format!("/{}", path.replace('.', "/")));
        let new = value(is).pointer(&pointer).cloned().unwrap_or_default();
        match mixed.pointer_mut(&pointer) {
            Some(old) => *old = new,
            None => return true,
        }
        let Ok(stream) = serde_json::from_value::<StreamSettings>(mixed) else { return true };
        let mut settings = self.clone();
        settings.stream[index] = stream;
        settings.check().is_err()
            || settings.stream[index].spec(self.seed).fingerprint()
                != was.spec(self.seed).fingerprint()
    }

    /// Everything but the streams; their defaults are part of them.
    fn table(&self) -> Value {
        let mut table = value(self);
        if let Some(keys) = table.as_object_mut() {
            keys.remove("stream");
            keys.remove("stream_defaults");
        }
        table
    }
}

fn value<T: serde::Serialize>(settings: &T) -> Value {
    serde_json::to_value(settings).expect("settings are maps with text keys, lists and numbers")
}

/// The deepest paths at which two values differ; lists are compared whole.
pub(super) fn differing(was: &Value, is: &Value, path: String, into: &mut Vec<String>) {
    if was == is {
        return;
    }
    let (Value::Object(was), Value::Object(is)) = (was, is) else {
        into.push(path);
        return;
    };
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for key in keys {
        let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        differing(&of(was), &of(is), at, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn settings(more: &str) -> Settings {
        let text = format!(
            "{more}\n[[stream]]\nname = 'press'\ntopics = ['in']\nchannel = [{{ name = 'x' }}]\n"
        );
        Layers::new().toml(&text, "a test").unwrap().settings().unwrap()
    }

    #[test]
    fn nothing_changed_is_no_change() {
        assert_eq!(settings("").changes(&settings("")), Changes::default());
    }

    #[test]
    fn what_is_read_anew_and_what_needs_a_restart() {
        let was = settings("");
        let mut is = was.clone();
        is.stream[0].alert.keep_firing_for += 1;
        is.state.snapshot_interval = crate::record::Millis::new(1_234);
        let changes = was.changes(&is);
        assert_eq!(changes.live, ["state.snapshot_interval", "stream.press.alert.keep_firing_for"]);
        assert_eq!(changes.restart, [""; 0]);
        is.stream[0].topics = vec!["other".to_owned()];
        is.http.listen = "127.0.0.1:1".to_owned();
        let changes = was.changes(&is);
        assert_eq!(changes.restart, ["http.listen", "stream.press.topics"]);
    }

    #[test]
    fn what_would_drop_forecasts_needs_a_restart() {
        let mut was = settings("");
        was.stream[0].step = crate::record::Step::Grid(crate::record::Millis::new(3_600_000));
        was.stream[0].forecast.targets = vec!["x".to_owned()];
        was.stream[0].forecast.horizons = vec![crate::record::Millis::new(3_600_000)];
        let mut first = was.clone();
        first.stream[0].forecast.holidays = vec!["2026-12-25".to_owned()];
        let path = ["stream.press.forecast.holidays"];
        assert_eq!(was.changes(&first).restart, path);
        let mut second = first.clone();
        second.stream[0].forecast.holidays.push("2027-01-01".to_owned());
        assert_eq!(first.changes(&second).live, path);
    }

    #[test]
    fn what_would_drop_the_state_needs_a_restart() {
        let was = settings("");
        let mut is = was.clone();
        is.stream[0].window.length += 1;
        is.stream[0].alert.keep_firing_for += 1;
        let changes = was.changes(&is);
        assert_eq!(changes.restart, ["stream.press.window.length"]);
        assert_eq!(
            changes.live,
            ["stream.press.alert.keep_firing_for"],
            "not what stands in the way"
        );
        is = was.clone();
        is.stream[0].name = "other".to_owned();
        assert_eq!(was.changes(&is).restart, ["stream"]);
    }
}
