//! The shard: all state of one input partition. Records in, outputs and facts out, as values.

mod shard;
mod spec;

pub use shard::{Shard, ShardStatus};
pub use spec::StreamSpec;
