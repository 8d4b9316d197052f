//! Files through the same engine as the daemon's, without a broker: backtests.
//!
//! Start with [`run()`]. A file is a log of one partition. `infer` looks at its beginning if there is
//! no configuration, and finds the `grid` of its times, `settings` makes a stream of what was found or configured, `layout` says
//! which column is what, `table` reads rows, `order` tells which row made others late, `ahead`
//! announces known values, `outputs` writes what the engine said, and `scores`
//! brings the scores back into the order of the input rows. `lab` grades, compares and draws.
//!
//! # Invariants
//!
//! - The numbers are those that the daemon computes for the same records, bit for bit.
//! - Memory does not grow with the length of a file, but for about 60 bytes a row where labels are
//!   graded.
//! - A cell that does not read as what it should be ends the replay with its file and line.

mod ahead;
mod args;
mod cell;
mod error;
mod files;
mod grid;
mod infer;
mod lab;
mod layout;
mod order;
mod outputs;
mod run;
mod scores;
mod settings;
mod summary;
mod table;

pub use args::{ReplayArgs, RowList};
pub use error::ReplayError;
pub use run::run;
pub use summary::ReplaySummary;
