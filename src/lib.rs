//! latentd: online autoencoders on Kafka streams.

#![warn(missing_debug_implementations)]

pub mod record;
pub mod window;
pub mod model;
pub mod detect;
pub mod forecast;
pub mod engine;
pub mod io;
pub mod config;
