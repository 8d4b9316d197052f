//! The properties of consumer, producer and admin client.

use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::properties::{owned_property, words};
use crate::io::{IoError, KafkaParams};

/// Bytes that the headers of a dead letter may add to the longest message.
const ENVELOPE_BYTES: usize = 65_536;

#[rustfmt::skip]
const COMMON: &[(&str, &str)] = &[
    // The library's own 10 s outlast most restarts of a broker, and half of a transaction.
    ("reconnect.backoff.max.ms", "1000"),
];

#[rustfmt::skip]
const CONSUMER: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("isolation.level", "read_committed"),
    // Where to read is decided before a partition is read: a position that is gone is a fault.
    ("auto.offset.reset", "error"),
    ("max.poll.interval.ms", "300000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.wait.max.ms", "50"),
    // The high watermarks behind `lag` come with the statistics.
    ("statistics.interval.ms", "2000"),
];

/// Not for `group.protocol = consumer` (KIP-848), where the broker decides them.
#[rustfmt::skip]
const CLASSIC_GROUP: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "10000"),
];

#[rustfmt::skip]
const PRODUCER: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("compression.type", "lz4"),
    ("linger.ms", "2"),
    ("queue.buffering.max.messages", "200000"),
    // A key lands in the partition that Java clients would choose.
    ("partitioner", "murmur2_random"),
];

/// Properties of the consumer.
pub(super) fn consumer(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let mut config = base(params)?;
    config.set("group.id", &params.group_id);
    if params.rdkafka.get("group.protocol").is_none_or(|protocol| protocol != "consumer") {
        CLASSIC_GROUP.iter().for_each(|(key, value)| _ = config.set(*key, *value));
    }
    Ok(finished(config, CONSUMER, params))
}

/// Properties of a client that reads whole partitions and is in no group.
pub(super) fn reader(params: &KafkaParams, isolation: &str) -> Result<ClientConfig, IoError> {
    let mut config = finished(base(params)?, &[], params);
    // For its committed positions; this client never joins it.
    config.set("group.id", &params.group_id);
    config.set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true");
    // The end of a partition is told with an empty answer: it should not be waited for.
    config.set("fetch.wait.max.ms", "10");
    config.set("auto.offset.reset", "error");
    config.set("isolation.level", isolation);
    Ok(config)
}

/// Properties of the producer without transactions.
pub(super) fn producer(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let mut config = sized(params)?;
    // Below max.poll.interval.ms: a dead broker is reported before the group gives us up.
    config.set("message.timeout.ms", "240000");
    Ok(finished(config, PRODUCER, params))
}

/// Properties of the producer with transactions. Its id is the same after a restart: the new life
/// fences the old one off.
pub(super) fn transactional_producer(
    params: &KafkaParams,
    worker: usize,
) -> Result<ClientConfig, IoError> {
    let mut config = sized(params)?;
    let timeout = params.transaction_timeout.get().to_string();
    let instance = match &params.instance {
        Some(name) => name.clone(),
        None => gethostname::gethostname().to_string_lossy().into_owned(),
    };
    config.set("transactional.id", format!("{}-{instance}-{worker}", params.group_id));
    config.set("transaction.timeout.ms", &timeout);
    config.set("message.timeout.ms", timeout);
    Ok(finished(config, PRODUCER, params))
}

fn sized(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let mut config = base(params)?;
    let bytes_max = params.message_bytes_max.saturating_add(ENVELOPE_BYTES);
    config.set("message.max.bytes", bytes_max.clamp(1_000_000, 1_000_000_000).to_string());
    Ok(config)
}

/// Properties of the admin client and of metadata requests.
pub(in crate::io) fn admin(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    Ok(finished(base(params)?, &[], params))
}

/// The client's words, with the property they are about, without a value that is secret.
pub(in crate::io) fn client_error(error: KafkaError) -> IoError {
    let of = match &error {
        KafkaError::ClientConfig(_, _, key, _) => format!("`{key}`: "),
        _ => String::new(),
    };
    IoError::Client(of + &words(error))
}

fn base(params: &KafkaParams) -> Result<ClientConfig, IoError> {
    let owned = |key: &String| Some((key.clone(), owned_property(key)?));
    if let Some((key, instead)) = params.rdkafka.keys().find_map(owned) {
        return Err(IoError::Client(format!("`{key}` cannot be passed through: {instead}")));
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
    for (key, value) in COMMON.iter().chain(defaults) {
        config.set(*key, *value);
    }
    if let Some(place) =
        authorities(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        config.set("ssl.ca.location", place);
    }
    for (key, value) in &params.rdkafka {
        config.set(key, value);
    }
    config
}

/// Where to look for the authorities that sign certificates of brokers. The TLS that is linked in knows
/// only the folder it was built for, which no system has; `probe` tries where systems keep theirs.
/// `None` if the variables of OpenSSL name a place: a probe would go before them.
fn authorities(is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().any(is_set);
    (!named).then_some("probe")
}

fn password(path: &Path) -> Result<String, IoError> {
    let named = format!("kafka.sasl_password_file = `{}`", path.display());
    let fault = |detail: String| IoError::File { path: named.clone(), detail };
    let text = std::fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(fault("the password is empty".into()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_those_of_the_system_unless_the_environment_names_others() {
        assert_eq!(authorities(|_| false), Some("probe"));
        assert_eq!(authorities(|name| name == "SSL_CERT_FILE"), None);
        assert_eq!(authorities(|name| name == "SSL_CERT_DIR"), None);
    }
}
