//! The configuration of the daemon that the demo runs.

use std::collections::BTreeMap;

use super::error::DemoError;
use crate::config::Settings;
use crate::io::Delivery;

/// Streams, as a file of a user would hold them.
const STREAMS: &str = include_str!("demo.toml");

/// The settings, but for the address of the broker, which is known only when it runs.
///
/// The environment is not asked: a demo with the settings of a production daemon would surprise.
pub(super) fn build(http: &str, seed: u64) -> Result<Settings, DemoError> {
    let mut settings = Settings::from_text(STREAMS, &BTreeMap::new())?;
    settings.kafka.group_id = "latentd-demo".to_owned();
    // The broker of the demo takes transactions, and does not keep their promises.
    settings.kafka.delivery = Delivery::AtLeastOnce;
    settings.http.listen = http.to_owned();
    settings.seed = seed;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::super::producer::topic;
    use super::*;
    use crate::sim::{SENSORS, Stream, UNITS};

    #[test]
    fn the_streams_are_those_of_the_simulation() {
        let settings = build("127.0.0.1:0", 9).unwrap();
        assert_eq!((settings.seed, settings.http.listen.as_str()), (9, "127.0.0.1:0"));
        let channels = [SENSORS.as_slice(), &[UNITS]];
        for ((stream, of), channels) in settings.stream.iter().zip(Stream::ALL).zip(channels) {
            assert_eq!(
                (stream.name.as_str(), stream.topics.as_slice()),
                (of.name(), &[topic(of).to_owned()][..])
            );
            let names: Vec<&str> = stream.channel.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, channels);
        }
    }
}
