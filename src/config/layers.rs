//! Defaults, file, environment: collected as raw values, laid over each other, then read.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use ::config::{Config, File, FileFormat};
use serde_json::Value;

use super::fault::{ConfigError, Fault, Faults};
use super::schema::Node;
use super::{Settings, client, environment, merge, shape, yaml};

/// Larger files are refused before they are parsed.
const FILE_BYTES_MAX: u64 = 1 << 20;

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The embedded `config/default.toml` as a table.
pub(super) fn default_layer() -> Value {
    let mut layer = parse(DEFAULTS, FileFormat::Toml, "config/default.toml")
        .expect("the embedded defaults are TOML: a test of this crate loads them");
    client::flatten(&mut layer, false, &mut Vec::new());
    layer
}

/// Format of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// Settings in the making: each call lays one more layer over those before it.
///
/// ```
/// use latentd::config::Layers;
///
/// let settings = Layers::new()
///     .toml("[[stream]]\nname = 'a'\ntopics = ['in']\nchannel = [{ name = 'x' }]", "the example")?
///     .table(serde_json::json!({ "kafka": { "brokers": ["127.0.0.1:19092"] } }))
///     .settings()?;
/// assert_eq!(settings.stream[0].window.length, 16);
/// # Ok::<(), latentd::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Layers {
    document: Value,
    faults: Vec<Fault>,
    variables: Vec<(String, String)>,
}

impl Default for Layers {
    fn default() -> Self {
        Self::new()
    }
}

impl Layers {
    /// The defaults alone.
    pub fn new() -> Self {
        Self { document: default_layer(), faults: Vec::new(), variables: Vec::new() }
    }

    /// A file; its extension tells the format.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it cannot be read, is longer than 1 MiB, or is not TOML, YAML or JSON.
    pub fn file(self, path: &Path) -> Result<Self, ConfigError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("toml") => FileFormat::Toml,
            Some("yaml" | "yml") => FileFormat::Yaml,
            Some("json") => FileFormat::Json,
            _ => return Err(ConfigError::Format { path: path.into() }),
        };
        let text = read_bounded(path)?;
        Ok(self.written(parse(&text, format, &path.display().to_string())?))
    }

    /// TOML text; `origin` names it in faults of syntax.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Syntax`] if it is not TOML.
    pub fn toml(self, text: &str, origin: &str) -> Result<Self, ConfigError> {
        self.text(text, TextFormat::Toml, origin)
    }

    /// Text in one of the formats; `origin` names it in faults of syntax.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Syntax`] if it is not in that format.
    pub fn text(self, text: &str, format: TextFormat, origin: &str) -> Result<Self, ConfigError> {
        let format = match format {
            TextFormat::Toml => FileFormat::Toml,
            TextFormat::Yaml => FileFormat::Yaml,
            TextFormat::Json => FileFormat::Json,
        };
        Ok(self.written(parse(text, format, origin)?))
    }

    /// Values that the program itself decides, for example the address of an embedded broker.
    pub fn table(mut self, mut layer: Value) -> Self {
        client::flatten(&mut layer, false, &mut self.faults);
        merge::lay_over(&mut self.document, layer);
        self
    }

    /// Environment variables that begin with `LATENTD__`; others are ignored, but one that lacks an
    /// underscore is a fault.
    pub fn environment(mut self, env: &BTreeMap<String, String>) -> Self {
        self.faults.extend(environment::misspelt(env));
        let mut variables = environment::read(env);
        client::flatten(&mut variables.tree, true, &mut self.faults);
        let tree = &mut variables.tree;
        environment::resolve_indexes(&self.document, tree, "", &mut self.faults);
        merge::lay_over(&mut self.document, variables.tree);
        self.variables.append(&mut variables.names);
        self
    }

    /// Checks everything and reads the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Faults`] with all faults: keys, kinds of values, and, as soon as every value
    /// is of the right kind, the rules between keys.
    pub fn settings(mut self) -> Result<Settings, ConfigError> {
        let sound = shape::check_written(&mut self.document, &mut self.faults);
        merge::complete_streams(&mut self.document);
        let before = self.faults.len();
        shape::check_complete("", Node::root(), &self.document, &mut self.faults);
        if !sound || before < self.faults.len() {
            return Err(self.refused().into());
        }
        // The walk over the schema is stricter than serde, so nobody should ever see this fault.
        let read = serde_json::from_value::<Settings>(std::mem::take(&mut self.document))
            .map_err(|e| Faults::from(Fault::new("settings", e.to_string())))?;
        self.faults.extend(read.faults());
        if self.faults.is_empty() { Ok(read) } else { Err(self.refused().into()) }
    }

    /// The faults so far, each blamed on the variable it came from.
    fn refused(self) -> Faults {
        let Self { faults, variables, .. } = self;
        faults.into_iter().map(|fault| blame(fault, &variables)).collect()
    }

    /// A layer that a person wrote to be kept.
    fn written(mut self, mut layer: Value) -> Self {
        client::flatten(&mut layer, false, &mut self.faults);
        client::refuse_secrets(&mut layer, &mut self.faults);
        merge::lay_over(&mut self.document, layer);
        self
    }
}

/// Names the variable that set the key of the fault, or a table around it.
fn blame(fault: Fault, variables: &[(String, String)]) -> Fault {
    let sets = |path: &str| {
        let rest = fault.path().strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    match variables.iter().rev().find(|(path, _)| sets(path)) {
        Some((_, name)) => fault.blamed_on(name),
        None => fault,
    }
}

fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.into(), bytes_max: FILE_BYTES_MAX });
    }
    let not_text = |e| unreadable(io::Error::new(io::ErrorKind::InvalidData, e));
    String::from_utf8(bytes).map_err(|e| not_text(e.utf8_error()))
}

fn parse(text: &str, format: FileFormat, origin: &str) -> Result<Value, ConfigError> {
    let syntax = |e: ::config::ConfigError| ConfigError::Syntax {
        origin: origin.to_owned(),
        detail: e.to_string(),
    };
    if let (FileFormat::Yaml, Some(detail)) = (format, yaml::expansion_fault(text)) {
        return Err(ConfigError::Syntax { origin: origin.to_owned(), detail });
    }
    let source = File::from_str(text, format);
    let layer = Config::builder().add_source(source).build().map_err(syntax)?;
    layer.try_deserialize().map_err(syntax)
}

impl Settings {
    /// Defaults, then `file`, then the environment, checked.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]: the file, or all faults of the settings at once.
    pub fn load(file: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let layers = match file {
            Some(path) => Layers::new().file(path)?,
            None => Layers::new(),
        };
        layers.environment(env).settings()
    }

    /// The same for a text in TOML.
    ///
    /// # Errors
    ///
    /// As [`Settings::load`].
    pub fn from_text(toml: &str, env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Layers::new().toml(toml, "the text")?.environment(env).settings()
    }

    /// All settings as JSON, with `***` for every value of librdkafka that may be a secret.
    pub fn redacted(&self) -> Value {
        let mut settings = serde_json::to_value(self)
            .expect("settings are strings, numbers and tables with string keys");
        client::redact(&mut settings);
        settings
    }
}
