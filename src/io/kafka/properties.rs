//! Which properties of librdkafka a configuration may set, and which of them are secret.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

const COMMITS: &str = "latentd commits offsets itself, after the outputs";
const ITSELF: &str = "latentd sets it itself";
const REPLICAS: &str = "latentd always waits for all replicas";

/// Properties that `kafka.rdkafka` may not set, since the guarantees rest on them or another key of the
/// configuration sets them, and what to do instead.
#[rustfmt::skip]
const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use `kafka.brokers`"),
    ("metadata.broker.list", "use `kafka.brokers`"),
    ("group.id", "use `kafka.group_id`"),
    ("auto.offset.reset", "use `kafka.offset_reset`"),
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("auto.commit.interval.ms", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("enable.partition.eof", ITSELF),
    ("partition.assignment.strategy", ITSELF),
    ("statistics.interval.ms", "the lag comes with the statistics: latentd sets it itself"),
    ("isolation.level", "latentd reads what is committed: aborted records are none"),
    ("enable.idempotence", "latentd always writes idempotently"),
    ("acks", REPLICAS),
    ("request.required.acks", REPLICAS),
    ("transactional.id", "use `kafka.instance`"),
    ("transaction.timeout.ms", "use `kafka.transaction_timeout`"),
    ("message.max.bytes", "use `kafka.message_bytes_max`"),
];

/// To set it is to load what it names.
const PLUGINS: &str = "plugin.library.paths";

/// What to do instead of setting a property, if it may not be set.
pub fn owned_property(key: &str) -> Option<&'static str> {
    OWNED.iter().find(|(own, _)| *own == key).map(|(_, instead)| *instead)
}

/// Whether nobody should see the value of a property.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passphrase", "secret", "key.pem", "oauthbearer.config", "jaas"]
        .iter()
        .any(|word| key.contains(word))
}

/// Why the client library does not take a property, by itself: it knows no such key, or the value is
/// out of range. Opens no file; the value is told unless it is secret.
pub fn property_fault(key: &str, value: &str) -> Option<String> {
    if key == PLUGINS {
        return None;
    }
    let error = ClientConfig::new().set(key, value).create_native_config().err()?;
    Some(words(error))
}

/// The client's words without the value, if the property is secret.
pub(super) fn words(error: KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, detail, key, _) if !is_secret(&key) => detail,
        KafkaError::ClientConfig(..) => "the value was refused".to_owned(),
        KafkaError::ClientCreation(detail) => detail,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in ["sasl.password", "ssl.key.password", "ssl.key.pem", "SASL.PASSWORD"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["ssl.key.location", "ssl.ca.location", "sasl.username", "client.id"] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn a_property_is_looked_at_by_the_library_itself() {
        assert_eq!(property_fault("linger.ms", "5"), None);
        assert_eq!(property_fault(PLUGINS, "/no/such/library"), None);
        for (key, value) in [
            ("security.protocl", "SSL"),
            ("security.protocol", "SASLSSL"),
            ("session.timeout.ms", "abc"),
            ("max.in.flight", "0"),
        ] {
            let fault = property_fault(key, value).unwrap_or_default();
            assert!(fault.contains(key), "{key}: {fault}");
        }
        let secret = property_fault("sasl.password", "hunter2\0").unwrap_or_default();
        assert!(!secret.is_empty() && !secret.contains("hunter2"), "{secret}");
    }

    /// A property that the library does not know protects nothing.
    #[test]
    fn the_library_knows_what_may_not_be_set() {
        for (key, _) in OWNED {
            let fault = property_fault(key, "1").unwrap_or_default();
            assert!(!fault.contains("No such configuration property"), "{key}: {fault}");
        }
        assert!(property_fault("acts", "1").unwrap_or_default().contains("No such"));
    }
}
