//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::demo::DemoArgs;
use crate::io::version_text;
use crate::record::{Verdict, is_alert_id};
use crate::replay::ReplayArgs;
use crate::telemetry::LogFormat;

/// Online autoencoders on Kafka streams: alerts, latent features and demand forecasts.
#[derive(Debug, Parser)]
#[command(name = "latentd", version = version(), max_term_width = 100)]
#[command(after_help = "Exit codes: 0 fine, 1 failed, 64 usage, 78 configuration.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// How log lines on standard error look.
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormatArg,

    /// Level (error, warn, info, debug, trace) or a list such as info,latentd::io=debug
    /// [default: $RUST_LOG, else info].
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), version_text())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormatArg {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

impl From<LogFormatArg> for LogFormat {
    fn from(format: LogFormatArg) -> Self {
        match format {
            LogFormatArg::Text => Self::Text,
            LogFormatArg::Json => Self::Json,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Consume, learn and emit until SIGTERM or SIGINT.
    Run(RunArgs),
    /// Check a configuration and the files that it names, without touching the network.
    ///
    /// Unknown keys and values of the wrong kind are told all at once; the rules between keys as soon as
    /// there are none; then what the Kafka client and the files say.
    Check(CheckArgs),
    /// Make or list the topics that a configuration names.
    Topics(TopicsArgs),
    /// Look at the stored state of the streams, and check it.
    State(StateArgs),
    /// Show why an alert was raised, and read its input again: does it lead to it?
    Explain(ExplainArgs),
    /// Say what an alert was: a fault, no fault, expected, or the new normal.
    Feedback(FeedbackArgs),
    /// Run files through the same engine, without a broker: a backtest.
    Replay(Box<ReplayArgs>),
    /// Write man pages and shell completions below a folder; packages are made with it.
    #[command(hide = true)]
    Manual(ManualArgs),
    /// Simulate a plant and shops and watch latentd work on them; needs no set-up.
    Demo(DemoArgs),
}

#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// Settings over the built-in defaults: .toml, .yaml or .json. LATENTD__… variables win.
    #[arg(long, short, value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Print all settings as JSON, defaults included and secrets as ***.
    #[arg(long)]
    pub show: bool,

    /// Open none of the files that the settings name (passwords, tokens, certificates): for a check on
    /// another machine than that of the daemon.
    #[arg(long)]
    pub skip_files: bool,
}

#[derive(Debug, Args)]
pub(super) struct ManualArgs {
    /// Folder, made if need be.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Drop the stored state of this stream, close its open alerts and learn anew; each partition once;
    /// may be given several times.
    #[arg(long, value_name = "STREAM")]
    pub reset_state: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id of the alert, as in its records: a-5f0c9e2b71d4
    #[arg(value_name = "ALERT-ID", value_parser = known_form)]
    pub alert_id: String,

    #[command(flatten)]
    pub config: ConfigArgs,

    /// Draw observed against expected of the top sensors into a file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// What is no id would be written, heard by nobody, and never told; or looked for in a whole topic.
fn known_form(text: &str) -> Result<String, String> {
    let sound = is_alert_id(text).then(|| text.to_owned());
    sound.ok_or_else(|| "expected `a-` and 12 hex digits".to_owned())
}

#[derive(Debug, Clone, Args)]
pub(super) struct FeedbackArgs {
    /// Id of the alert, as in its records: a-5f0c9e2b71d4
    #[arg(value_name = "ALERT-ID", value_parser = known_form)]
    pub alert_id: String,

    /// true_positive (a fault: never learned), false_positive (learned as calm), expected (known, not
    /// to be learned) or new_normal (what lasts now is normal from now on)
    #[arg(value_name = "VERDICT")]
    pub verdict: Verdict,

    #[command(flatten)]
    pub config: ConfigArgs,

    /// Who says so
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StateArgs {
    #[command(subcommand)]
    pub action: StateAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum StateAction {
    /// Show offsets, sizes, versions and models, a line per partition.
    Inspect(StateOf),
    /// Replay the input in a scratch engine, and compare with the newest snapshot.
    Verify(StateOf),
    /// Write each snapshot and its manifest to a folder.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct StateOf {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// This stream only.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub of: StateOf,

    /// Folder; made if it does not exist.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    #[command(subcommand)]
    pub action: TopicsAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum TopicsAction {
    /// Make the topics that do not exist; leave the others as they are.
    Create(CreateArgs),
    /// Show which of the topics exist, with their partitions.
    List(ConfigArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Make the input topics, too.
    #[arg(long)]
    pub inputs: bool,

    /// Partitions of a new topic.
    #[arg(long, default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,

    /// Copies of each partition; -1 lets the broker decide.
    #[arg(long, default_value_t = -1, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-1..=100))]
    pub replication: i32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "latentd --log-format json check --config a.toml",
            "latentd check --config a.toml --log-format json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.log_format, LogFormatArg::Json, "{line}");
        }
    }

    #[test]
    fn an_alert_is_named_by_its_id() {
        for command in ["feedback ID expected", "explain ID"] {
            let line = |id: &str| format!("latentd {command} --config a.toml").replace("ID", id);
            assert!(Cli::try_parse_from(line("a-5f0c9e2b71d4").split(' ')).is_ok());
            for id in ["a-5f0c9e2b71d", "5f0c9e2b71d4", "a-5F0C9E2B71D4", "press-7"] {
                let fault = Cli::try_parse_from(line(id).split(' ')).unwrap_err().to_string();
                assert!(fault.contains("expected `a-` and 12 hex digits"), "{fault}");
            }
        }
    }
}
