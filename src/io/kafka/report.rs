//! Log lines of the client library, at a bounded rate.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// The same fault is reported once in this time; a dead broker repeats itself many times a second.
const QUIET: Duration = Duration::from_secs(30);

/// Reports faults of one client.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    last: Mutex<BTreeMap<String, Line>>,
}

/// Context of a client for a single question, such as which topics there are.
#[derive(Debug, Default)]
pub(in crate::io) struct Asker(Reporter);

impl ClientContext for Asker {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Reporter::line("command", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.fault("command", &error, reason);
    }
}

impl ConsumerContext for Asker {}

#[derive(Debug)]
struct Line {
    at: Instant,
    suppressed: u64,
}

impl Reporter {
    /// A fault that the client mends by itself, such as a broker that is down.
    pub(super) fn fault(&self, client: &'static str, error: &KafkaError, detail: &str) {
        let error = error.to_string();
        if let Some(suppressed) = self.due(&error, Instant::now()) {
            tracing::warn!(client, error, detail, suppressed, "kafka client reports a fault");
        }
    }

    /// A line of the library's own log.
    pub(super) fn line(client: &'static str, level: RDKafkaLogLevel, facility: &str, line: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        match level {
            // The pass-through properties go to every client, and not each one knows each.
            _ if facility == "CONFWARN" => tracing::debug!(client, facility, "{line}"),
            Emerg | Alert | Critical => tracing::error!(client, facility, "{line}"),
            // Broker faults also come as errors, which are reported above at a bounded rate.
            Error | Warning | Notice | Info => tracing::debug!(client, facility, "{line}"),
            Debug => tracing::trace!(client, facility, "{line}"),
        }
    }

    /// How many equal lines were held back, if one may be written now.
    fn due(&self, text: &str, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.get_mut(text) {
            Some(line) if now.duration_since(line.at) < QUIET => {
                line.suppressed += 1;
                None
            }
            Some(line) => {
                let suppressed = line.suppressed;
                *line = Line { at: now, suppressed: 0 };
                Some(suppressed)
            }
            // Texts of error codes are a bounded set.
            None => {
                last.insert(text.to_owned(), Line { at: now, suppressed: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_faults_are_counted_and_not_repeated() {
        let (reporter, start) = (Reporter::default(), Instant::now());
        assert_eq!(reporter.due("down", start), Some(0));
        assert_eq!(reporter.due("down", start), None);
        assert_eq!(reporter.due("denied", start), Some(0));
        assert_eq!(reporter.due("down", start + QUIET / 2), None);
        assert_eq!(reporter.due("down", start + QUIET), Some(2));
        assert_eq!(reporter.due("down", start + QUIET * 2), Some(0));
    }
}
