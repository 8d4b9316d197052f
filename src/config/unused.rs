//! What is allowed but does nothing, or not what its name promises, under the other settings.

use serde_json::json;

use super::changes::differing;
use super::{Layers, Settings, StreamSettings};
use crate::alert::DetectorKind;
use crate::engine::StreamSpec;
use crate::model::{HeadKind, OptimizerKind, ScheduleKind, Scope, Variant};

/// Keys of the network that judges nothing where series have detectors of their own.
const OF_NETWORK: [&str; 2] = ["alert.tail", "alert.memory"];
const VARIANTS: [(Variant, &str); 5] = [
    (Variant::Sparse, "sparse"),
    (Variant::Denoising, "denoising"),
    (Variant::Stacked, "stacked"),
    (Variant::Vae, "vae"),
    (Variant::VqVae, "vq_vae"),
];

impl Settings {
    /// Keys that were set to something else than their default and have no effect, or a smaller one than
    /// it looks, each as `path: why`. None of it is a fault.
    pub(super) fn without_effect(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.topics.state.contains("{stream}") {
            let why = "holds no `{stream}`: a second stream would need another name, and state stays behind";
            notes.push(format!("topics.state: {why}"));
        }
        for (i, stream) in self.stream.iter().enumerate() {
            let of = Of { at: format!("stream[{i}]"), set: set(stream), stream, notes: &mut notes };
            of.note(self.seed);
        }
        notes
    }
}

impl StreamSettings {
    /// What becomes of more channels than a detector can have, if that is why there are none.
    pub fn too_wide(&self, spec: &StreamSpec) -> Option<String> {
        let asked = self.alert.detector == DetectorKind::Auto && self.model.scope == Scope::Series;
        let count = self.channel.len();
        (asked && !spec.has_detectors())
            .then(|| format!("{count} are too many for detectors: the errors of the network judge"))
    }
}

/// Deepest paths at which a stream differs from the defaults, for example `alert.tail`.
fn set(stream: &StreamSettings) -> Vec<String> {
    let smallest =
        json!({ "stream": [{ "name": "a", "topics": ["a"], "channel": [{ "name": "a" }] }] });
    let defaults = Layers::new().table(smallest).settings();
    let value = |stream: &StreamSettings| serde_json::to_value(stream).unwrap_or_default();
    let mut paths = Vec::new();
    if let Some(default) = defaults.ok().as_ref().and_then(|settings| settings.stream.first()) {
        differing(&value(default), &value(stream), String::new(), &mut paths);
    }
    paths
}

struct Of<'a> {
    at: String,
    set: Vec<String>,
    stream: &'a StreamSettings,
    notes: &'a mut Vec<String>,
}

impl Of<'_> {
    fn note(mut self, seed: u64) {
        let spec = self.stream.spec(seed);
        match spec.has_detectors() {
            true => self.judged_by_detectors(spec.rows_before_alerts()),
            false => self.judged_by_the_network(&spec),
        }
        self.variant();
        self.optimizer();
        let model = &self.stream.model;
        if model.reservoir < model.batch {
            let why =
                format!("keeps fewer windows than model.batch = {} draws from it", model.batch);
            self.say("model.reservoir", &why);
        }
        if self.stream.forecast.targets.is_empty() {
            self.unused("forecast.", "does nothing while forecast.targets is empty");
        } else if !self.stream.forecast.latent.enabled {
            self.unused("forecast.latent.", "does nothing with forecast.latent.enabled = false");
        }
    }

    fn judged_by_detectors(&mut self, rows: u64) {
        let by = "series are judged by detectors of their own";
        for key in OF_NETWORK {
            self.unused(key, &format!("does nothing: {by}"));
        }
        let why = format!("delays no alert: {by}, which begin after {rows} observed rows");
        self.unused("model.warmup", &why);
        let why = format!("is for the network and its latent features only: {by}, row by row");
        self.unused("window.min_completeness", &why);
    }

    fn judged_by_the_network(&mut self, spec: &StreamSpec) {
        if let Some(why) = self.stream.too_wide(spec) {
            self.say("channel", &why);
        }
    }

    fn variant(&mut self) {
        let model = &self.stream.model;
        for (_, table) in VARIANTS.into_iter().filter(|(variant, _)| *variant != model.variant) {
            let why = format!("does nothing: it is for model.variant = \"{table}\"");
            self.unused(&format!("model.{table}."), &why);
        }
        if model.variant == Variant::Stacked && model.stacked.head == HeadKind::None {
            self.unused("model.stacked.head_weight", "does nothing without a head");
        }
    }

    fn optimizer(&mut self) {
        let model = &self.stream.model;
        let (kind, schedule) = (model.optimizer.kind, model.schedule.kind);
        if kind != OptimizerKind::AdamW {
            let why = "does nothing: it is for model.optimizer.kind = \"adam_w\"";
            self.unused("model.optimizer.weight_decay", why);
        }
        if kind != OptimizerKind::Sgd {
            let why = "does nothing: it is for model.optimizer.kind = \"sgd\"";
            self.unused("model.optimizer.momentum", why);
        }
        if schedule == ScheduleKind::Constant {
            let why = "does nothing with model.schedule.kind = \"constant\"";
            self.unused("model.schedule.steps", why);
            self.unused("model.schedule.floor", why);
        }
    }

    /// Says so of each key that was set and is, or begins with, `keys`.
    fn unused(&mut self, keys: &str, why: &str) {
        let set: Vec<String> =
            self.set.iter().filter(|path| path.starts_with(keys)).cloned().collect();
        set.iter().for_each(|path| self.say(path, why));
    }

    fn say(&mut self, path: &str, why: &str) {
        self.notes.push(format!("{}.{path}: {why}", self.at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(more: &str) -> Vec<String> {
        let text = format!(
            "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{{ name = 'x' }}]\n{more}"
        );
        Layers::new().toml(&text, "a test").unwrap().settings().unwrap().without_effect()
    }

    #[test]
    fn what_has_an_effect_is_not_noted() {
        for more in [
            "",
            "alert.budget.alerts = 1",
            "alert.detector = 'network'\nalert.tail = 0.1\nmodel.warmup = 900",
            "model.variant = 'denoising'\nmodel.denoising.mask = 0.2",
            "model.optimizer = { kind = 'sgd', momentum = 0.5 }",
        ] {
            assert_eq!(notes(more), [""; 0], "{more}");
        }
    }

    #[test]
    fn keys_without_an_effect_are_named_with_the_reason() {
        #[rustfmt::skip]
        let cases = [
            ("alert.tail = 0.1",
             "stream[0].alert.tail: does nothing: series are judged by detectors of their own"),
            ("model.warmup = 1080",
             "stream[0].model.warmup: delays no alert: series are judged by detectors of their own, \
              which begin after 150 observed rows"),
            ("model.vae.samples = 2",
             "stream[0].model.vae.samples: does nothing: it is for model.variant = \"vae\""),
            ("model.optimizer.momentum = 0.5",
             "stream[0].model.optimizer.momentum: does nothing: it is for model.optimizer.kind = \"sgd\""),
            ("model.reservoir = 8",
             "stream[0].model.reservoir: keeps fewer windows than model.batch = 32 draws from it"),
            ("forecast.latent.width = 4",
             "stream[0].forecast.latent.width: does nothing while forecast.targets is empty"),
        ];
        for (more, expected) in cases {
            assert_eq!(notes(more), [expected], "{more}");
        }
    }

    #[test]
    fn more_channels_than_a_detector_takes_are_told() {
        let channels: Vec<_> = (0..600).map(|i| format!("{{ name = 'c{i}' }}")).collect();
        let text = format!(
            "[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{}]\n[topics]\nstate = 'one'",
            channels.join(", ")
        );
        let settings = Layers::new().toml(&text, "a test").unwrap().settings().unwrap();
        let [state, channel] = settings.without_effect().try_into().expect("two notes");
        assert!(state.starts_with("topics.state: "), "{state}");
        assert!(channel.starts_with("stream[0].channel: 600 are too many"), "{channel}");
    }
}
