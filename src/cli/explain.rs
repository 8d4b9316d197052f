//! `latentd explain`: why an alert was raised.

use serde_json::Value;

use super::args::ExplainArgs;
use super::drawing;
use super::exit::Failure;
use super::run::load;
use crate::daemon::{Explained, Reproduced, explain};
use crate::telemetry::say;

/// Looks the alert up and tells what is known.
pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let settings = load(&args.config)?;
    let found = explain(&settings, &args.alert_id).map_err(Failure::asked(&settings.kafka))?;
    let Some(explained) = found else {
        let topic = &settings.topics.alerts;
        return Err(Failure::failed(format!("{}: no such alert on `{topic}`", args.alert_id)));
    };
    tell(&explained);
    match &explained.again {
        Ok(again) => tell_again(again, &explained.channels),
        Err(why) => say(&format!("cannot be reproduced: {why}")),
    }
    if let Some(path) = &args.svg {
        let drawn = drawing::svg(&explained).map_err(Failure::failed)?;
        let failed = |error| Failure::failed(format!("{}: {error}", path.display()));
        std::fs::write(path, drawn).map_err(failed)?;
        say(&format!("drawn: {}", path.display()));
    }
    match &explained.again {
        Ok(again) if !again.same => {
            Err(Failure::failed("the input leads to another alert than the one published"))
        }
        _ => Ok(()),
    }
}

/// What the alerts topic says.
fn tell(explained: &Explained) {
    let body = &explained.published;
    let text = |name: &str| body[name].as_str().unwrap_or("?").to_owned();
    let number = |name: &str| body[name].as_f64().unwrap_or(f64::NAN);
    say(&format!(
        "{} {}{} on {} of stream {}, since {}",
        text("alert_id"),
        text("severity"),
        suppressed(body),
        text("entity"),
        text("stream"),
        text("starts_at"),
    ));
    // Kinds that no chance is behind have a score only.
    let chance = match body["p_value"].as_f64() {
        Some(p) => {
            let (surprise, threshold) = (number("surprise"), number("threshold"));
            format!(", surprise {surprise:.3}, threshold {threshold:.3}, p-value {p:.2e}")
        }
        None => String::new(),
    };
    say(&format!(
        "{}, anomaly score {:.3}{chance}, model version {}",
        text("kind"),
        number("anomaly_score"),
        body["model"]["version"].as_str().unwrap_or("?"),
    ));
    let evidence = &body["evidence"];
    say(&format!(
        "evidence: {}/{} records {} to {}",
        evidence["topic"].as_str().unwrap_or("?"),
        evidence["partition"],
        evidence["from_offset"],
        evidence["to_offset"],
    ));
    tell_sensors(body);
}

/// What is said of an alert that nobody was told of.
fn suppressed(body: &Value) -> String {
    let reason = body["reason"].as_str().unwrap_or("?");
    if body["change"] == "suppressed" { format!(" (suppressed: {reason})") } else { String::new() }
}

/// The sensors with the largest shares.
fn tell_sensors(body: &Value) {
    let top = body["explanation"]["top"].as_array();
    let Some(top) = top.filter(|top| !top.is_empty()) else { return };
    say(&format!("{:24} {:>12} {:>12} {:>25} {:>6}", "sensor", "y", "yhat", "expected", "share"));
    for part in top {
        // Not every kind expects something.
        let told = |name: &str, digits: usize| match part[name].as_f64() {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let (lower, upper) = (told("yhat_lower", 5), told("yhat_upper", 5));
        let expected = if lower == upper { lower } else { format!("{lower} .. {upper}") };
        say(&format!(
            "{:24} {:>12} {:>12} {expected:>25} {:>6}",
            part["sensor"].as_str().unwrap_or("?"),
            told("y", 5),
            told("yhat", 5),
            told("share", 2),
        ));
    }
}

/// What the input says, read again.
fn tell_again(again: &Reproduced, channels: &[String]) {
    let verdict = if again.same { "the same, bit for bit" } else { "DIFFERENT" };
    say(&format!(
        "read again from offset {}: anomaly score {:.3}, {verdict}",
        again.from, again.alert.anomaly_score
    ));
    let Some(top) = again.alert.top.first() else { return };
    say(&format!("{} in the rows before:", channels.get(top.channel).map_or("?", |c| c)));
    for row in again.rows.iter().rev().take(12).rev() {
        let Some(part) = row.channels.get(top.channel) else { continue };
        say(&format!(
            "  {} y {:>12.5} yhat {:>12.5} [{:.5}, {:.5}] score {:.2}",
            row.time, part.y, part.yhat, part.lower, part.upper, row.anomaly_score
        ));
    }
}
