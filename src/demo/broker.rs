//! The broker in this process.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::error::DemoError;

/// A librdkafka mock cluster: real protocol over real sockets, one life, nothing on disk.
///
/// It keeps about 5 MiB a partition, so writers must not run far ahead of readers. It must stay
/// on the thread that made it.
pub(super) struct Broker {
    _cluster: MockCluster<'static, DefaultProducerContext>,
    servers: String,
}

impl Broker {
    /// Starts one broker with these topics and numbers of partitions.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, DemoError> {
        let cluster = MockCluster::new(1).map_err(DemoError::kafka("start"))?;
        for (topic, partitions) in topics {
            cluster
                .create_topic(topic, *partitions, 1)
                .map_err(DemoError::kafka("create topic"))?;
        }
        let servers = cluster.bootstrap_servers();
        Ok(Self { _cluster: cluster, servers })
    }

    /// `host:port`, for any client on this machine.
    pub fn servers(&self) -> &str {
        &self.servers
    }
}

/// Settings that all clients of the demo share.
pub(super) fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}
