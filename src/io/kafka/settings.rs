//! The properties of consumer, producer and admin client.

use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::io::{IoError, KafkaParams, OffsetReset};

/// Properties that `kafka.rdkafka` may not set, since the guarantees rest on them or another key
/// of the configuration sets them.
pub const OWNED_PROPERTIES: &[&str] = &[
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "metadata.broker.list",
    "statistics.interval.ms",
    "transactional.id",
];

/// Bytes that the headers of a dead letter may add to the longest message.
const ENVELOPE_BYTES: usize = 65_536;

#[rustfmt::skip]
const CONSUMER: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("isolation.level", "read_committed"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "10000"),
    ("max.poll.interval.ms", "300000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.wait.max.ms", "50"),
    // The high watermarks behind `lag` come with the statistics.
    ("statistics.interval.ms", "2000"),
];

#[rustfmt::skip]
const PRODUCER: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("compression.type", "lz4"),
    ("linger.ms", "2"),
    ("queue.buffering.max.messages", "200000"),
    // A key lands in the partition that Java clients would choose.
    ("partitioner", "murmur2_random"),
    // Below max.poll.interval.ms: a dead broker is reported before the group gives us up.
    ("message.timeout.ms", "240000"),
];

/// Properties of the consumer.
pub(super) fn consumer(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let mut config = base(params)?;
    config.set("group.id", &params.group_id);
    config.set(
        "auto.offset.reset",
        match params.offset_reset {
            OffsetReset::Earliest => "earliest",
            OffsetReset::Latest => "latest",
        },
    );
    Ok(finished(config, CONSUMER, params))
}

/// Properties of the producer.
pub(super) fn producer(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let mut config = base(params)?;
    let bytes_max = params.message_bytes_max.saturating_add(ENVELOPE_BYTES);
    config.set("message.max.bytes", bytes_max.clamp(1_000_000, 1_000_000_000).to_string());
    Ok(finished(config, PRODUCER, params))
}

/// Properties of the admin client and of metadata requests.
pub(in crate::io) fn admin(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    Ok(finished(base(params)?, &[], params))
}

/// The client's words without the value, if the property may hold a secret.
pub(in crate::io) fn client_error(error: KafkaError) -> IoError {
    IoError::Client(match error {
        KafkaError::ClientConfig(_, detail, key, _) if !is_secret(&key) => {
            format!("`{key}`: {detail}")
        }
        KafkaError::ClientConfig(_, _, key, _) => format!("`{key}`: the value was refused"),
        KafkaError::ClientCreation(detail) => detail,
        other => other.to_string(),
    })
}

fn base(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let owned = |key: &&String| OWNED_PROPERTIES.contains(&key.as_str());
    if let Some(key) = params.rdkafka.keys().find(owned) {
        return Err(IoError::Client(format!(
            "`{key}` is set by latentd and not by `kafka.rdkafka`"
        )));
    }
    let mut config = ClientConfig::new();
    config.set("client.id", "latentd");
    config.set("bootstrap.servers", params.brokers.join(","));
    if let Some(path) = &params.sasl_password_file {
        if params.rdkafka.contains_key("sasl.password") {
            let text =
                "`sasl.password` is set by `kafka.sasl_password_file` and by `kafka.rdkafka`";
            return Err(IoError::Client(text.into()));
        }
        config.set("sasl.password", password(path)?);
    }
    Ok(config)
}

/// The user's own properties come last and win over the defaults.
fn finished(
    mut config: ClientConfig,
    defaults: &[(&str, &str)],
    params: &KafkaParams,
) -> ClientConfig {
    for (key, value) in defaults {
        config.set(*key, *value);
    }
    for (key, value) in &params.rdkafka {
        config.set(key, value);
    }
    config
}

fn password(path: &Path) -> Result<String, IoError> {
    let fault = |detail: String| IoError::File { path: path.display().to_string(), detail };
    let text = std::fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(fault("the password is empty".into()));
    }
    Ok(password.to_owned())
}

fn is_secret(key: &str) -> bool {
    ["password", "secret", "key", "pem", "jaas", "token", "oauthbearer", "sasl.username"]
        .iter()
        .any(|word| key.contains(word))
}
