//! Training: what a step does (`trainee`, `optimizer`), which windows it sees (`reservoir`), how
//! much of it there may be (`allowance`), and where and when it runs (`refresh`).

mod allowance;
mod optimizer;
mod refresh;
mod reservoir;
mod trainee;

pub(super) use allowance::Allowance;
pub(super) use optimizer::{Optimizer, Step};
pub use refresh::{Examined, InPlace, Outcome, Refresh, Refreshed, Running, Started, Trainer};
pub(super) use reservoir::Reservoir;
pub(super) use trainee::Trainee;
