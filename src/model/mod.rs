mod params;

pub use params::{Activation, ModelParams, Scope, Variant};
