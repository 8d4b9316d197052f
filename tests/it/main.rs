//! One integration binary: laws of the engine, the rules of the tree, and runs on a real broker.

mod broker;
mod conformance;
mod daemon;
mod engine_laws;
mod faults;
mod layers;
mod pipeline;
mod real_broker;
mod replay;
mod replay_lab;
mod settings;
mod snapshot_laws;
mod support;
