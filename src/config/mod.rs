//! Configuration: embedded defaults, then a file, then the environment.
//!
//! `config/default.toml` is the only place of defaults and the reference of all keys. Start with
//! [`Settings::load`]; the files in the order in which a configuration meets them:
//!
//! | file | job |
//! |---|---|
//! | `layers` | collects the layers as raw values and turns them into [`Settings`] |
//! | `environment` | `LATENTD__KAFKA__GROUP_ID` as a layer |
//! | `yaml` | bounds what aliases of YAML stand for |
//! | `client` | `[kafka.rdkafka]`: one spelling, no secrets in files, the rules of single keys |
//! | `merge` | one rule for all layers, and `[stream_defaults]` under every stream |
//! | `schema` | the JSON Schema, generated from the types |
//! | `shape`, `suggest` | unknown keys and wrong kinds, all at once, with "did you mean" |
//! | `settings` | the types |
//! | `maintenance` | `[[stream.maintenance]]`: its type, its rules, and what the engine takes |
//! | `rules`, `rules_stream`, `rules_forecast`, `rules_alerting` | the rules between keys |
//! | `notes` | what is sound and worth a second look |
//! | `changes` | what differs between two configurations, and what of it can change while running |
//! | `spec` | durations to rows: what the engine and the decoders take |
//! | `unused` | what is allowed and does nothing |
//!
//! # Invariants
//!
//! - [`Settings`] that come out of [`Layers::settings`] have passed [`Settings::check`].
//! - Nothing here reads the process environment or a file that was not named.
//! - No fault text shows a secret value of `[kafka.rdkafka]`.

mod changes;
mod client;
mod environment;
mod fault;
mod layers;
mod maintenance;
mod merge;
mod notes;
mod rules;
mod rules_alerting;
mod rules_forecast;
mod rules_model;
mod rules_stream;
mod schema;
mod settings;
mod shape;
mod spec;
mod suggest;
mod unused;
mod yaml;

pub use changes::Changes;
pub use fault::{ConfigError, Fault, Faults};
pub use layers::{Layers, TextFormat};
pub use maintenance::MaintenanceSettings;
pub use schema::json_schema;
pub use settings::{
    FeatureSettings, ForecastSettings, HttpSettings, MetricsSettings, MissingOffset, Settings,
    StateSettings, StreamDefaults, StreamSettings,
};
