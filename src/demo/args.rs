//! What the command line may say.

use std::path::PathBuf;
use std::time::Duration;

use crate::record::Millis;

/// Shortest run that can show anything: the broker alone takes about four seconds to hand out
/// the partitions.
const SHORTEST: Duration = Duration::from_secs(5);

/// Arguments of `latentd demo`.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct DemoArgs {
    /// End after this much wall time; the longer, the more weeks are simulated
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub duration: Duration,

    /// Write the summary as JSON to this file, too
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,

    /// Address of the page and the metrics; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub http: String,

    /// Seed of the simulation and of the models
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<Millis>()?.to_duration();
    if duration < SHORTEST {
        return Err(format!("expected at least {} s, got `{text}`", SHORTEST.as_secs()));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: DemoArgs,
    }

    #[test]
    fn the_line_is_read_with_its_defaults() {
        let Line { args } = Line::try_parse_from(["demo"]).unwrap();
        let want = DemoArgs {
            duration: Duration::from_secs(60),
            summary: None,
            http: "127.0.0.1:0".into(),
            seed: 1,
        };
        assert_eq!(args, want);
        let line = ["demo", "--duration", "2m", "--summary", "s.json", "--seed", "9"];
        let Line { args } = Line::try_parse_from(line).unwrap();
        assert_eq!((args.duration.as_secs(), args.seed), (120, 9));
    }

    #[test]
    fn durations_that_show_nothing_are_refused() {
        let fault = Line::try_parse_from(["demo", "--duration", "2s"]).unwrap_err().to_string();
        assert!(fault.contains("expected at least 5 s, got `2s`"), "{fault}");
    }
}
