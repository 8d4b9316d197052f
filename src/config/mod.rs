//! Configuration: embedded defaults, then a file, then the environment.

mod settings;

pub use settings::{
    FeatureSettings, ForecastSettings, HttpSettings, Settings, StreamDefaults, StreamSettings,
};
