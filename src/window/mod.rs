mod params;

pub use params::{Aggregate, RowParams, WindowParams};
