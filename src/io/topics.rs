//! Making and listing topics.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::block::block_on;
use super::kafka::report::Asker;
use super::kafka::settings::{admin, client_error};
use super::{IoError, KafkaParams};

/// Longest wait for the cluster's answer.
const WAIT: Duration = Duration::from_secs(15);

/// A topic to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Copies of each partition; -1 is the broker's own default (Kafka 2.4 and later).
    pub replication: i32,
    /// Topic settings such as `cleanup.policy`; the broker's defaults hold for the others.
    pub config: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A state topic: compacted, so that it holds the newest snapshots and little else.
    pub fn state(name: &str, partitions: usize) -> Self {
        let config = [
            ("cleanup.policy", "compact"),
            // Old snapshots are large: they should not wait for a gigabyte of new ones.
            ("segment.bytes", "67108864"),
            ("min.cleanable.dirty.ratio", "0.3"),
        ];
        Self {
            name: name.to_owned(),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication: -1,
            config: config.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }

    /// A topic that keeps the newest record of each key.
    pub fn compacted(name: &str, partitions: i32, replication: i32) -> Self {
        let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        Self { name: name.to_owned(), partitions, replication, config }
    }
}

/// What became of a [`TopicSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOutcome {
    /// It was made.
    Created,
    /// It was there before; its settings were not touched.
    Existed {
        /// Its number of partitions.
        partitions: usize,
    },
    /// The cluster refused it.
    Failed {
        /// The cluster's words.
        detail: String,
    },
}

/// A topic of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: usize,
}

/// Makes the topics that do not exist yet. The outcomes are in the order of `specs`. Blocks.
///
/// # Errors
///
/// [`IoError::Broker`] if the cluster does not answer, [`IoError::Client`] or [`IoError::File`]
/// for settings that cannot work. A topic that is refused is an outcome and no error.
pub fn ensure_topics(
    params: &KafkaParams,
    specs: &[TopicSpec],
) -> Result<Vec<(String, TopicOutcome)>, IoError> {
    let present = partitions_by_name(params)?;
    let missing: Vec<&TopicSpec> =
        specs.iter().filter(|s| !present.contains_key(&s.name)).collect();
    let created = create(params, &missing)?;
    // Another process may have been faster.
    let raced = created.values().any(|result| *result == Err(RDKafkaErrorCode::TopicAlreadyExists));
    let present = if raced { partitions_by_name(params)? } else { present };
    let outcome = |spec: &TopicSpec| match created.get(&spec.name) {
        Some(Ok(())) => TopicOutcome::Created,
        Some(Err(code)) if *code != RDKafkaErrorCode::TopicAlreadyExists => {
            TopicOutcome::Failed { detail: code.to_string() }
        }
        _ => TopicOutcome::Existed { partitions: present.get(&spec.name).copied().unwrap_or(0) },
    };
    Ok(specs.iter().map(|spec| (spec.name.clone(), outcome(spec))).collect())
}

/// Makes a topic, or adds partitions to it until it has those of `spec`. Blocks.
///
/// # Errors
///
/// As [`ensure_topics`], and [`IoError::Broker`] if the cluster refuses it.
pub fn grow_topic(params: &KafkaParams, spec: &TopicSpec) -> Result<(), IoError> {
    let refused = |detail: String| IoError::Broker { operation: "make a topic", detail };
    let wanted = usize::try_from(spec.partitions).unwrap_or(0);
    match ensure_topics(params, std::slice::from_ref(spec))?.pop() {
        Some((_, TopicOutcome::Failed { detail })) => {
            return Err(refused(format!("{}: {detail}", spec.name)));
        }
        Some((_, TopicOutcome::Existed { partitions })) if partitions < wanted => {}
        _ => return Ok(()),
    }
    let client: AdminClient<Asker> =
        admin(params)?.create_with_context(Asker::default()).map_err(client_error)?;
    let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
    let more = NewPartitions::new(&spec.name, wanted);
    let results = block_on(client.create_partitions([&more], &options));
    for result in results.map_err(|error| refused(error.to_string()))? {
        // Another process may have been faster.
        if let Err((name, code)) = result
            && code != RDKafkaErrorCode::InvalidPartitions
        {
            return Err(refused(format!("{name}: {code}")));
        }
    }
    Ok(())
}

/// All topics of the cluster by name, without the internal ones. Blocks.
///
/// # Errors
///
/// As [`ensure_topics`].
pub fn list_topics(params: &KafkaParams) -> Result<Vec<TopicInfo>, IoError> {
    let client: BaseConsumer<Asker> =
        admin(params)?.create_with_context(Asker::default()).map_err(client_error)?;
    let metadata = client
        .fetch_metadata(None, WAIT)
        .map_err(|error| IoError::Broker { operation: "list topics", detail: error.to_string() })?;
    let mut topics: Vec<TopicInfo> = metadata
        .topics()
        .iter()
        .filter(|topic| !topic.name().starts_with("__"))
        .map(|topic| TopicInfo { name: topic.name().into(), partitions: topic.partitions().len() })
        .collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

fn partitions_by_name(params: &KafkaParams) -> Result<BTreeMap<String, usize>, IoError> {
    Ok(list_topics(params)?.into_iter().map(|topic| (topic.name, topic.partitions)).collect())
}

fn create(
    params: &KafkaParams,
    specs: &[&TopicSpec],
) -> Result<BTreeMap<String, Result<(), RDKafkaErrorCode>>, IoError> {
    if specs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client: AdminClient<Asker> =
        admin(params)?.create_with_context(Asker::default()).map_err(client_error)?;
    let topics: Vec<NewTopic<'_>> = specs.iter().map(|spec| new_topic(spec)).collect();
    let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
    let results = block_on(client.create_topics(&topics, &options)).map_err(|error| {
        IoError::Broker { operation: "create topics", detail: error.to_string() }
    })?;
    let by_name = |result| match result {
        Ok(name) => (name, Ok(())),
        Err((name, code)) => (name, Err(code)),
    };
    Ok(results.into_iter().map(by_name).collect())
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(spec.replication);
    let topic = NewTopic::new(&spec.name, spec.partitions, replication);
    spec.config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
}
