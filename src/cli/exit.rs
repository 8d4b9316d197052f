//! What went wrong, in words and as an exit code.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::process::ExitCode;

use crate::io::KafkaParams;

/// `EX_USAGE` of sysexits.
const USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits.
const CONFIG: u8 = 78;

/// The end of a command that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    error: Box<dyn Error>,
}

impl Failure {
    pub fn failed(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: 1, error: error.into() }
    }

    /// A cluster gave no answer that helps: with the brokers that were asked.
    pub fn asked<E: Error>(kafka: &KafkaParams) -> impl Fn(E) -> Self {
        let brokers = kafka.brokers.join(", ");
        move |error| Self::failed(format!("{} (kafka.brokers: {brokers})", chain(&error)))
    }

    pub fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: USAGE, error: error.into() }
    }

    pub fn config(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: CONFIG, error: error.into() }
    }

    /// Prints the cause chain and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("latentd: {self}");
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.error))
    }
}

/// Exit code of arguments that make no sense.
pub(super) fn usage() -> ExitCode {
    ExitCode::from(USAGE)
}

/// The error and its causes on one line; a cause that the line above already tells is left out.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::DaemonError;
    use crate::io::IoError;

    #[test]
    fn the_whole_chain_is_told_once() {
        let source = std::io::Error::other("address in use");
        let error = DaemonError::Listen { address: "127.0.0.1:80".into(), source };
        assert_eq!(chain(&error), "http.listen = `127.0.0.1:80`: address in use");
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {source}")]
        struct Outer {
            source: std::io::Error,
        }
        let outer = Outer { source: std::io::Error::other("inner") };
        assert_eq!(chain(&outer), "outer: inner");
    }

    #[test]
    fn a_cluster_without_an_answer_is_named() {
        let table = serde_json::json!({
            "kafka": { "brokers": ["a:9092", "b:9092"] },
            "stream": [{ "name": "a", "topics": ["a"], "channel": [{ "name": "x" }] }],
        });
        let settings = crate::config::Layers::new().table(table).settings().unwrap();
        let error = IoError::Broker { operation: "list topics", detail: "timed out".into() };
        let told = Failure::asked(&settings.kafka)(DaemonError::Poll(error)).to_string();
        let expected =
            "reading stopped: kafka list topics: timed out (kafka.brokers: a:9092, b:9092)";
        assert_eq!(told, expected);
    }
}
