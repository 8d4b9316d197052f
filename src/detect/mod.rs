mod params;

pub use params::{AlertParams, Budget, DetectionDirection};
