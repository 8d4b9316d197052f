//! `latentd topics create` and `latentd topics list`.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{CreateArgs, TopicsAction, TopicsArgs};
use super::exit::Failure;
use super::run::load;
use crate::config::{Settings, StreamSettings};
use crate::io::{TopicOutcome, TopicSpec, ensure_topics, list_topics};
use crate::telemetry::say;

/// Does what the action says.
pub(super) fn run(args: &TopicsArgs) -> Result<(), Failure> {
    match &args.action {
        TopicsAction::Create(args) => create(args),
        TopicsAction::List(args) => list(&load(args)?),
    }
}

fn create(args: &CreateArgs) -> Result<(), Failure> {
    let settings = load(&args.config)?;
    let inputs = if args.inputs { settings.input_topics() } else { Vec::new() };
    let specs: Vec<TopicSpec> = inputs
        .into_iter()
        .chain(output_topics(&settings))
        .map(|name| TopicSpec {
            name: name.to_owned(),
            partitions: args.partitions,
            replication: args.replication,
            config: BTreeMap::new(),
        })
        .collect();
    let ensure = |specs: &[TopicSpec]| {
        ensure_topics(&settings.kafka, specs).map_err(Failure::asked(&settings.kafka))
    };
    let mut outcomes = ensure(&specs)?;
    let current =
        TopicSpec::compacted(&settings.topics.alerts_current, args.partitions, args.replication);
    outcomes.extend(ensure(&[current])?);
    let mut states = state_topics(&settings, args.partitions as usize)?;
    states.iter_mut().for_each(|spec| spec.replication = args.replication);
    outcomes.extend(ensure(&states)?);
    let mut refused = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            TopicOutcome::Created => say(&format!("{name}: created")),
            TopicOutcome::Existed { partitions } => {
                say(&format!("{name}: exists, {partitions} partitions"));
            }
            TopicOutcome::Failed { detail } => refused.push(format!("{name}: {detail}")),
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("the cluster refused {}", refused.join(", "))))
}

fn list(settings: &Settings) -> Result<(), Failure> {
    let topics = list_topics(&settings.kafka).map_err(Failure::asked(&settings.kafka))?;
    let present: BTreeMap<&str, usize> =
        topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
    let states = settings.stream.iter().map(|stream| settings.topics.state_of(&stream.name));
    let current = settings.topics.alerts_current.as_str();
    let others =
        settings.input_topics().into_iter().chain(output_topics(settings)).chain([current]);
    for name in others.map(str::to_owned).chain(states) {
        match present.get(name.as_str()) {
            Some(partitions) => say(&format!("{name}: {partitions} partitions")),
            None => say(&format!("{name}: missing")),
        }
    }
    Ok(())
}

/// The state topics, with as many partitions as their inputs have, or will have.
fn state_topics(settings: &Settings, partitions: usize) -> Result<Vec<TopicSpec>, Failure> {
    let topics = list_topics(&settings.kafka).map_err(Failure::asked(&settings.kafka))?;
    let count = |name: &String| topics.iter().find(|t| t.name == *name).map(|t| t.partitions);
    let spec = |stream: &StreamSettings| {
        let widest = stream.topics.iter().filter_map(count).max().unwrap_or(partitions);
        TopicSpec::state(&settings.topics.state_of(&stream.name), widest)
    };
    Ok(settings.stream.iter().map(spec).collect())
}

/// Each topic beside the inputs once: several kinds of output may share one.
fn output_topics(settings: &Settings) -> BTreeSet<&str> {
    let topics = &settings.topics;
    [
        &topics.alerts,
        &topics.features,
        &topics.forecasts,
        &topics.models,
        &topics.feedback,
        &topics.control,
        &topics.dlq,
    ]
    .into_iter()
    .map(String::as_str)
    .collect()
}
