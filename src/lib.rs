//! latentd: online autoencoders on Kafka streams.

#![warn(missing_debug_implementations)]

pub mod config;
pub mod detect;
pub mod engine;
pub mod forecast;
pub mod io;
pub mod model;
pub mod record;
pub mod window;
