//! `latentd check`.

use super::args::CheckArgs;
use super::exit::{Failure, chain};
use super::run::load;
use crate::config::{Settings, StreamSettings};
use crate::daemon::rehearse;
use crate::record::{Millis, Step};
use crate::telemetry::say;

/// Tells whether the settings can be used, what of them has no effect, and, if asked to, what they are.
pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let settings = load(&args.config)?;
    let faults = if args.skip_files { Vec::new() } else { rehearse(&settings) };
    let faults: Vec<String> = faults.iter().map(|fault| chain(fault)).collect();
    if !faults.is_empty() {
        let text = format!("settings are not usable here:\n  {}", faults.join("\n  "));
        return Err(Failure::config(text));
    }
    // Whoever asks for the settings wants nothing else on standard output.
    let tell = |line: &str| if args.show { eprintln!("{line}") } else { say(line) };
    let (streams, file) = (settings.stream.len(), args.config.config.display());
    let plural = if streams == 1 { "" } else { "s" };
    tell(&format!("{file} is usable: {streams} stream{plural}"));
    settings.stream.iter().for_each(|stream| tell(&summary(&settings, stream)));
    settings.notes().iter().for_each(|note| tell(&format!("note: {note}")));
    if args.show {
        say(&serde_json::to_string_pretty(&settings.redacted()).map_err(Failure::failed)?);
    }
    Ok(())
}

/// `press: 2 channels; a series may raise its first alert after 400 observed rows (1h 6m 40s)`.
fn summary(settings: &Settings, stream: &StreamSettings) -> String {
    let (channels, rows) = (stream.channel.len(), stream.spec(settings.seed).rows_before_alerts());
    let plural = if channels == 1 { "" } else { "s" };
    let time = match stream.step {
        Step::Grid(step) => {
            let span =
                Millis::new(step.get().saturating_mul(i64::try_from(rows).unwrap_or(i64::MAX)));
            format!(" ({span})")
        }
        Step::Event => String::new(),
    };
    format!(
        "{}: {channels} channel{plural}; a series may raise its first alert after {rows} observed \
         rows{time}",
        stream.name
    )
}
