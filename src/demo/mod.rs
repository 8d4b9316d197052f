//! Everything on one machine with no set-up: broker, simulated streams, the daemon, a verdict.
//!
//! Start with [`run()`]. Simulated records go through `producer` into the `broker` in this process,
//! the daemon reads them there as it would anywhere, `collector` reads its outputs back
//! (`payload` takes them apart). `progress` follows the daemon's committed offsets and holds the
//! producer back. At the end `verdict` has alerts compared with the injected faults (`matching`)
//! and forecasts with the demand that came true (`accuracy`), and fills the [`Summary`].
//!
//! # Limits
//!
//! The broker is librdkafka's mock cluster: at-least-once delivery, one life, about 5 MiB a
//! partition. It shows the daemon at work on a real client path, not recovery.

mod accuracy;
mod args;
mod broker;
mod collector;
mod error;
mod matching;
mod payload;
mod producer;
mod progress;
mod run;
mod settings;
mod summary;
mod verdict;

pub use accuracy::{Demand, HorizonScore, SeenPoint, score_forecasts};
pub use args::DemoArgs;
pub use error::DemoError;
pub use matching::{KindScore, Matched, SeenAlert, match_alerts};
pub use run::run;
pub use summary::{Ending, FalseAlarms, Summary};
