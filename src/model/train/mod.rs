//! Training: what a step does (`trainee`, `optimizer`), which windows it sees (`reservoir`), and
//! where and when it runs (`refresh`).

mod optimizer;
mod refresh;
mod reservoir;
mod trainee;

pub(super) use optimizer::Optimizer;
pub use refresh::{Examined, InPlace, Outcome, Refresh, Refreshed, Running, Started, Trainer};
pub(super) use reservoir::Reservoir;
pub(super) use trainee::Trainee;
