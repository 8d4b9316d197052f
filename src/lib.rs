//! `latentd`: a daemon that learns autoencoders online on Kafka streams and emits alerts, latent
//! features and demand forecasts.
//!
//! # Rooms, in reading order
//!
//! A room imports rooms of a strictly lower layer only; `tests/it/layers.rs` checks it.
//!
//! | layer | room | holds |
//! |---|---|---|
//! | 0 | [`record`] | the vocabulary: event time, records in, outputs and facts out |
//! | 1 | [`window`] | event-time order: watermark, rows, windows |
//! | 1 | [`model`] | scaler, network, Adam, reservoir |
//! | 1 | [`alert`] | threshold under a budget, life of an alert |
//! | 1 | [`grade`] | what labels say about scores: detection figures, the rule of NAB |
//! | 1 | [`chart`] | pictures of series, forecasts and latent maps as SVG |
//! | 2 | [`detect`] | how unusual a row is in its own past, and why |
//! | 3 | [`engine`] | the shard: all state of one input partition |
//! | 2 | [`forecast`] | a mix of experts, intervals, live skill |
//! | 2 | [`telemetry`] | metric families with bounded labels, log lines |
//! | 2 | [`sim`] | a plant and shops with faults whose truth is known |
//! | 4 | [`io`] | bytes in and out: Kafka and its transactions, state topics, codecs |
//! | 4 | [`notify`] | sinks of alerts: Alertmanager, webhooks |
//! | 4 | [`pool`] | threads that train beside the scoring |
//! | 4 | [`web`] | HTTP: metrics, probes, API, page |
//! | 5 | [`config`] | settings: defaults, file, environment, checks |
//! | 6 | [`daemon`] | the loop: read, score, deliver; restore, snapshots; shutdown |
//! | 6 | [`replay`] | files through the same engine: backtests, their figures and reports |
//! | 7 | [`demo`] | everything on one machine with no set-up |
//! | 8 | [`cli`] | arguments in, an exit code out |
//!
//! # What is absent
//!
//! Everything up to `engine` does no I/O, reads no clock, spawns nothing, logs nothing, and takes
//! its random numbers from a configured seed: equal records give equal bits.

pub mod alert;
pub mod chart;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod detect;
pub mod engine;
pub mod forecast;
pub mod grade;
pub mod io;
pub mod model;
pub mod notify;
pub mod pool;
pub mod record;
pub mod replay;
pub mod sim;
pub mod telemetry;
pub mod web;
pub mod window;
