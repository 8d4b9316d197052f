//! What may be wrong with a configuration, in words for the person who wrote it.

use std::fmt;
use std::path::PathBuf;

/// One fault of one key.
///
/// Prints as `key.path: why` or `key.path = value: why`, and names the environment variable if
/// the value came from one. Without a path, the document as a whole is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    path: String,
    value: Option<String>,
    why: String,
    variable: Option<String>,
}

impl Fault {
    /// A fault of the key itself: it is unknown, missing, or holds a value of the wrong kind.
    pub(super) fn new(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self { path: path.into(), value: None, why: why.into(), variable: None }
    }

    /// A value of the right kind that breaks a rule.
    pub(super) fn rule(
        path: impl Into<String>,
        value: impl fmt::Display,
        why: impl Into<String>,
    ) -> Self {
        let value = Some(value.to_string());
        Self { path: path.into(), value, why: why.into(), variable: None }
    }

    /// Full path of the key, for example `stream[0].window.stride`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same fault, blamed on an environment variable.
    pub(super) fn blamed_on(mut self, name: &str) -> Self {
        self.variable = Some(name.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        match self.path.is_empty() {
            true => f.write_str(&self.why)?,
            false => write!(f, ": {}", self.why)?,
        }
        match &self.variable {
            Some(name) => write!(f, " (set by {name})"),
            None => Ok(()),
        }
    }
}

/// All faults that were found, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self(faults.into_iter().collect())
    }
}

impl From<Fault> for Faults {
    fn from(only: Fault) -> Self {
        Self(vec![only])
    }
}

impl Faults {
    /// The faults in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "settings are not usable: {only}");
        }
        write!(f, "settings are not usable, {} rules are broken", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened or is not UTF-8.
    #[error("settings file {path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// System error.
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("settings file {path} is larger than {bytes_max} bytes", path = path.display())]
    TooLarge {
        /// As given.
        path: PathBuf,
        /// Limit.
        bytes_max: u64,
    },
    /// The name of the file does not tell its format.
    #[error(
        "settings file {path} has no known format: the name must end in .toml, .yaml, .yml or .json",
        path = path.display()
    )]
    Format {
        /// As given.
        path: PathBuf,
    },
    /// The text is not TOML, YAML or JSON.
    #[error("settings in {origin} cannot be parsed: {detail}")]
    Syntax {
        /// File or other origin.
        origin: String,
        /// What the parser said, with line and column.
        detail: String,
    },
    /// Keys and values that cannot be used.
    #[error(transparent)]
    Faults(#[from] Faults),
}
