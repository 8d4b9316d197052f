//! `latentd state inspect`, `verify` and `export`.

use std::path::Path;
use std::sync::Arc;

use super::args::{ExportArgs, StateAction, StateArgs, StateOf};
use super::exit::Failure;
use super::run::load;
use crate::config::Settings;
use crate::daemon::{StoredState, Verdict, stored_states, verify};
use crate::engine::Shard;
use crate::io::snapshot::Recovered;
use crate::telemetry::say;

/// Does what the action says.
pub(super) fn run(args: &StateArgs) -> Result<(), Failure> {
    match &args.action {
        StateAction::Inspect(of) => inspect(of),
        StateAction::Verify(of) => check(of),
        StateAction::Export(args) => export(args),
    }
}

fn states(of: &StateOf) -> Result<(Settings, Vec<StoredState>), Failure> {
    let settings = load(&of.config)?;
    let known = |name: &String| settings.stream.iter().any(|stream| stream.name == *name);
    if let Some(name) = of.stream.as_ref().filter(|name| !known(name)) {
        return Err(Failure::usage(format!("--stream {name}: there is no such stream")));
    }
    let states =
        stored_states(&settings, of.stream.as_deref()).map_err(Failure::asked(&settings.kafka))?;
    Ok((settings, states))
}

fn inspect(of: &StateOf) -> Result<(), Failure> {
    let (settings, states) = states(of)?;
    let mut faults = 0;
    for state in &states {
        faults += usize::from(state.fault.is_some());
        say(&format!("{} {}", name(state), describe(&settings, state)));
    }
    match faults {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{faults} of {} states are damaged", states.len()))),
    }
}

fn name(state: &StoredState) -> String {
    format!("{} {}/{}:", state.stream, state.place.0, state.place.1)
}

fn describe(settings: &Settings, state: &StoredState) -> String {
    let committed = state.committed.map_or("nothing".to_owned(), |next| next.to_string());
    match (&state.fault, &state.newest) {
        (Some(fault), _) => format!("damaged: {fault}"),
        (None, None) => format!("no state; committed {committed}"),
        (None, Some(Recovered { manifest, bytes, journal, .. })) => {
            let model = settings.stream.iter().find(|stream| stream.name == state.stream).map_or(
                String::new(),
                |stream| {
                    let spec = Arc::new(stream.spec(settings.seed));
                    match Shard::restore(spec, state.place.1, bytes) {
                        Ok(shard) => describe_shard(&shard),
                        Err(error) => error.to_string(),
                    }
                },
            );
            format!(
                "offset {}, committed {committed}; snapshot {} by {}, {} bytes in {} chunks of {} \
                 bytes, {} journal entries; {model}",
                manifest.next_offset,
                manifest.sequence,
                manifest.written_by,
                manifest.bytes,
                manifest.chunks,
                manifest.compressed_bytes,
                journal.len(),
            )
        }
    }
}

fn describe_shard(shard: &Shard) -> String {
    let status = shard.status();
    let watermark = status.watermark.map_or("none".to_owned(), |time| time.to_string());
    format!(
        "{} series ({} warming), {} training steps, watermark {watermark}, alerts open: {} warning, \
         {} critical",
        status.series, status.warming, status.model_version, status.firing[0], status.firing[1],
    )
}

fn check(of: &StateOf) -> Result<(), Failure> {
    let (settings, states) = states(of)?;
    let (mut different, count) = (0, states.len());
    for state in states {
        let name = name(&state);
        let text = match verify(&settings, state).map_err(Failure::asked(&settings.kafka))? {
            Verdict::Same { from, to } => {
                format!("verified: records {from} to {to} give this state")
            }
            Verdict::Different { from, to } => {
                different += 1;
                format!("DIFFERENT: records {from} to {to} give another state")
            }
            Verdict::Unknown(why) => format!("not checked: {why}"),
        };
        say(&format!("{name} {text}"));
    }
    match different {
        0 => Ok(()),
        _ => Err(Failure::failed(format!(
            "{different} of {count} states are not what their input makes of them"
        ))),
    }
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let (_, states) = states(&args.of)?;
    std::fs::create_dir_all(&args.out).map_err(Failure::failed)?;
    for state in &states {
        let Some(newest) = &state.newest else { continue };
        let stem = format!("{}-{}-{}", state.stream, state.place.0, state.place.1);
        let manifest = serde_json::to_vec_pretty(&newest.manifest).map_err(Failure::failed)?;
        write(&args.out, &format!("{stem}.json"), &manifest)?;
        write(&args.out, &format!("{stem}.state"), &newest.bytes)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    std::fs::write(&path, bytes)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    say(&format!("{}: {} bytes", path.display(), bytes.len()));
    Ok(())
}
