//! One integration binary: laws of the engine, the rules of the tree, and runs on a real broker.

mod alert_laws;
mod broker;
mod browser;
mod conformance;
mod daemon;
mod detector_laws;
mod drift;
mod engine_laws;
mod faults;
mod forecast_figures;
mod layers;
mod observability;
mod offline;
mod people;
mod pipeline;
mod real_broker;
mod reload;
mod replay;
mod replay_lab;
mod security;
mod settings;
mod slow_training;
mod snapshot_laws;
mod support;
mod verdicts;
mod web;
