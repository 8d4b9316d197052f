//! The rules between keys: each value is of the right kind, but do they fit together?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;

use super::fault::{Fault, Faults};
use super::{Settings, client, rules_alerting, rules_forecast, rules_stream};
use crate::record::Millis;

/// The only format that this version reads.
const SCHEMA: u32 = 1;

/// Kafka's own limit for the length of a topic name, in bytes.
const TOPIC_BYTES_MAX: usize = 249;

/// librdkafka refuses a `message.max.bytes` above this.
const MESSAGE_BYTES_MAX: usize = 1_000_000_000;

/// A consumer that polls less often than every 5 minutes loses its partitions; stay far away.
const BATCH_WAIT_MAX: Millis = Millis::new(60_000);

impl Settings {
    /// Checks the rules between keys. Pure: contacts nobody and opens no file.
    ///
    /// # Errors
    ///
    /// [`Faults`]: every rule that is broken, in the order of `config/default.toml`.
    pub fn check(&self) -> Result<(), Faults> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(faults.into_iter().collect()) }
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.schema != SCHEMA {
            let why = format!("this latentd reads version {SCHEMA} of the settings");
            faults.push(Fault::rule("schema", self.schema, why));
        }
        self.check_kafka(&mut faults);
        if self.state.snapshot_interval < Millis::new(1) {
            let why = "must be above 0s";
            faults.push(Fault::rule("state.snapshot_interval", self.state.snapshot_interval, why));
        }
        self.check_http(&mut faults);
        rules_alerting::check(self, &mut faults);
        if self.stream.is_empty() {
            faults.push(Fault::new("stream", "at least one [[stream]] is needed"));
        }
        for (i, stream) in self.stream.iter().enumerate() {
            let at = format!("stream[{i}]");
            rules_stream::check(stream, &at, &mut faults);
            rules_forecast::check(stream, &at, &mut faults);
        }
        self.check_names(&mut faults);
        self.check_topics(&mut faults);
        faults
    }

    fn check_kafka(&self, faults: &mut Vec<Fault>) {
        let kafka = &self.kafka;
        if kafka.brokers.is_empty() {
            faults.push(Fault::new("kafka.brokers", "at least one broker is needed"));
        }
        for (i, broker) in kafka.brokers.iter().enumerate() {
            let address = broker.split_once("://").map_or(broker.as_str(), |(_, rest)| rest);
            let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
            if host.is_empty() || !port.parse::<u16>().is_ok_and(|port| 0 < port) {
                let why = "expected host:port such as kafka-1:9092";
                faults.push(Fault::rule(format!("kafka.brokers[{i}]"), quoted(broker), why));
            }
        }
        if kafka.group_id.trim().is_empty() {
            faults.push(Fault::rule(
                "kafka.group_id",
                quoted(&kafka.group_id),
                "must not be empty",
            ));
        }
        if kafka.batch_wait < Millis::new(1) || BATCH_WAIT_MAX < kafka.batch_wait {
            let why = format!("expected a duration from 1ms to {BATCH_WAIT_MAX}");
            faults.push(Fault::rule("kafka.batch_wait", kafka.batch_wait, why));
        }
        let timeout = kafka.transaction_timeout;
        if timeout < Millis::new(1_000) || Millis::new(900_000) < timeout {
            let why = "expected a duration from 1s to 15m";
            faults.push(Fault::rule("kafka.transaction_timeout", timeout, why));
        }
        if kafka.instance.as_ref().is_some_and(|name| name.trim().is_empty()) {
            faults.push(Fault::rule("kafka.instance", quoted(""), "must not be empty"));
        }
        if MESSAGE_BYTES_MAX < kafka.message_bytes_max {
            let why = format!("Kafka clients take at most {MESSAGE_BYTES_MAX}");
            faults.push(Fault::rule("kafka.message_bytes_max", kafka.message_bytes_max, why));
        }
        client::check(kafka, faults);
    }

    fn check_http(&self, faults: &mut Vec<Fault>) {
        let http = &self.http;
        if http.listen.parse::<SocketAddr>().is_err() {
            let why = "expected address:port such as 127.0.0.1:9108 or [::]:9108";
            faults.push(Fault::rule("http.listen", quoted(&http.listen), why));
        }
        let pair = [("tls_cert_file", &http.tls_cert_file), ("tls_key_file", &http.tls_key_file)];
        if let [(_, Some(_)), (missing, None)] | [(missing, None), (_, Some(_))] = pair {
            let why = "is missing: a certificate and its key are used together";
            faults.push(Fault::new(format!("http.{missing}"), why));
        }
        let timeout = http.request_timeout;
        if timeout < Millis::new(100) || Millis::new(600_000) < timeout {
            let why = "expected a duration from 100ms to 10m";
            faults.push(Fault::rule("http.request_timeout", timeout, why));
        }
    }

    fn check_names(&self, faults: &mut Vec<Fault>) {
        let names = self.stream.iter().enumerate();
        unique(names.map(|(i, s)| (format!("stream[{i}].name"), s.name.as_str())), faults);
    }

    /// A topic is read by one stream, or written for one purpose, never both.
    fn check_topics(&self, faults: &mut Vec<Fault>) {
        let topics = &self.topics;
        let outputs = [
            ("topics.alerts", &topics.alerts),
            ("topics.alerts_current", &topics.alerts_current),
            ("topics.features", &topics.features),
            ("topics.forecasts", &topics.forecasts),
            ("topics.models", &topics.models),
            ("topics.dlq", &topics.dlq),
        ];
        let mut outputs: Vec<_> =
            outputs.map(|(path, name)| (path.to_owned(), name.as_str())).into();
        if !topics.state.contains("{stream}") && self.stream.len() > 1 {
            let why = "needs `{stream}`: each stream has a state topic of its own";
            faults.push(Fault::rule("topics.state", quoted(&topics.state), why));
        }
        let states = self.stream.iter().map(|s| topics.state_of(&s.name));
        let states: BTreeSet<String> = states.collect();
        let states = states.iter().map(|name| ("topics.state".to_owned(), name.as_str()));
        outputs.extend(states);
        let inputs = self.stream.iter().enumerate().flat_map(|(i, stream)| {
            let path = move |j| format!("stream[{i}].topics[{j}]");
            stream.topics.iter().enumerate().map(move |(j, name)| (path(j), name.as_str()))
        });
        let inputs: Vec<_> = inputs.collect();
        for (path, name) in outputs.iter().chain(&inputs) {
            check_topic_name(path, name, faults);
        }
        for (path, name) in &inputs {
            if let Some((output, _)) = outputs.iter().find(|(_, output)| output == name) {
                let why = format!("is also {output}: the daemon would read what it writes");
                faults.push(Fault::rule(path, quoted(name), why));
            }
        }
        unique(outputs.into_iter(), faults);
        unique(inputs.into_iter(), faults);
    }
}

fn check_topic_name(path: &str, name: &str, faults: &mut Vec<Fault>) {
    let legal = !matches!(name, "" | "." | "..")
        && name.len() <= TOPIC_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !legal {
        let why = format!(
            "Kafka topics are named by 1 to {TOPIC_BYTES_MAX} letters, digits, dots, `_` and `-`"
        );
        faults.push(Fault::rule(path, quoted(name), why));
    }
}

/// Complains about every name that an earlier path has already.
pub(super) fn unique<'a>(named: impl Iterator<Item = (String, &'a str)>, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for (path, name) in named {
        match seen.get(name) {
            Some(first) => {
                faults.push(Fault::rule(path, quoted(name), format!("is also {first}")));
            }
            None => drop(seen.insert(name, path)),
        }
    }
}

/// Text as it stands in a TOML file.
pub(super) fn quoted(text: impl Display) -> String {
    format!("{:?}", text.to_string())
}
