//! What requests may set in motion. The daemon brings the means; without them a request is told so.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// Which topic a notice goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The feedback topic.
    Verdict,
    /// The control topic.
    Maintenance,
}

/// Something that people say, ready to be written to its topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Which topic.
    pub kind: NoticeKind,
    /// Key of the record: alert id, or id of the maintenance.
    pub key: String,
    /// Body of the record, as the schema of the topic promises it.
    pub body: Value,
}

/// Where a notice was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Format of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFormat {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// A fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Path of the key; empty if the text cannot be parsed.
    pub path: String,
    /// The whole fault in words.
    pub message: String,
}

/// Writes a notice to its topic and waits until it is there; blocks.
pub type WriteNotice = Arc<dyn Fn(&Notice) -> Result<Written, String> + Send + Sync>;
/// The faults of a configuration; none if it could be run. Contacts nobody.
pub type Validate = Arc<dyn Fn(&str, ConfigFormat) -> Vec<ConfigProblem> + Send + Sync>;
/// Reads the configuration again; says what came of it. Blocks.
pub type Reload = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The means to change something.
#[derive(Clone, Default)]
pub struct Actions {
    /// Writes verdicts and announcements.
    pub write: Option<WriteNotice>,
    /// Checks configurations.
    pub validate: Option<Validate>,
    /// Reads the configuration again.
    pub reload: Option<Reload>,
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |there: bool| if there { "yes" } else { "no" };
        f.debug_struct("Actions")
            .field("write", &has(self.write.is_some()))
            .field("validate", &has(self.validate.is_some()))
            .field("reload", &has(self.reload.is_some()))
            .finish()
    }
}
