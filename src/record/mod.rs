//! The vocabulary of every other room: time, numbers, records in, outputs and facts out.
//!
//! Nothing here computes. A missing measurement is `f64::NAN` inside the core; the decoders at the
//! edge refuse NaN and infinities, so a NaN in the core always means "not observed".

mod alert;
mod bits;
mod digits;
mod fact;
mod forecast;
mod model;
mod notice;
mod number;
mod output;
pub mod raw;
mod time;

pub use alert::{AlertKind, AlertReason};
pub use bits::{hex, mix};
pub use digits::{apart, magnitude, told, written};
pub use fact::{Facts, Placement, Trigger};
pub use forecast::{
    Coverage, ForecastPoint, ForecastRecord, ForecastSource, FoundSeasons, GroupCoverage,
    GroupSkill, HorizonGroup, Interval, Skill,
};
pub use model::{DriftAction, DriftLevel, DriftRecord, FaultKind, Marks, ModelChange, ModelRecord};
pub use notice::{Announcement, Decided, Feedback, Saying, Verdict, is_alert_id};
pub use number::{Fraction, NumberError, Positive};
pub use output::{
    AlertChange, AlertRecord, Contribution, Direction, Evidence, FaultClass, FeatureRecord,
    HeadOutput, OpenAlert, Outbox, RowScore, Severity, WindowSpan,
};
pub use time::{EventTime, Millis, Step};

use std::sync::Arc;

/// Name of one series ("entity"): a machine, a shop, a host. Cheap to clone.
pub type SeriesKey = Arc<str>;

/// One decoded measurement of one series, borrowed from the message it came in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordRef<'a> {
    /// Series the measurement belongs to.
    pub key: &'a str,
    /// When it was measured.
    pub time: EventTime,
    /// One value per channel, in the order of `[[stream.channel]]`; NaN where not observed.
    pub values: &'a [f64],
    /// Offset of the message in its partition; evidence for alerts.
    pub offset: i64,
}
