//! The process: what was built, what it may use, whether it is ready.

use prometheus::{Error, Gauge};

use super::family::{Families, GaugeVec};

/// What was built.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// Version of the daemon.
    pub version: &'a str,
    /// Revision of its sources.
    pub revision: &'a str,
    /// Version of the compiler.
    pub rustc: &'a str,
    /// Cargo features, joined by commas.
    pub features: &'a str,
    /// Version of the Kafka client library.
    pub kafka_client: &'a str,
}

/// Families of the process.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    build: GaugeVec,
    ready: Gauge,
    cores: Gauge,
    memory: Gauge,
}

impl ProcessMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        Ok(Self {
            build: to.gauge(
                "latentd_build_info",
                "Always 1; the labels say what was built.",
                &["version", "revision", "rustc", "features", "kafka_client"],
            )?,
            ready: to.single_gauge(
                "latentd_ready",
                "1 while the group has said which partitions are this process's (perhaps none), their \
                 state is restored, and outputs are acknowledged.",
            )?,
            cores: to.single_gauge(
                "latentd_cpu_cores_available",
                "CPU cores that the process may use, by affinity and control group.",
            )?,
            memory: to.single_gauge(
                "latentd_memory_limit_bytes",
                "Memory that the process may use: the least limit of its control groups, or the \
                 memory of the machine.",
            )?,
        })
    }

    /// Says what was built.
    pub fn set_build(&self, build: Build<'_>) {
        let Build { version, revision, rustc, features, kafka_client } = build;
        let labels = [version, revision, rustc, features, kafka_client];
        self.build.with_label_values(&labels).set(1.0);
    }

    /// Says whether the daemon is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(f64::from(u8::from(ready)));
    }

    /// Says what the process may use; memory in bytes.
    pub fn set_limits(&self, cores: usize, memory: Option<u64>) {
        self.cores.set(cores as f64);
        // Unknown is no limit, as Prometheus writes it.
        self.memory.set(memory.map_or(f64::INFINITY, |bytes| bytes as f64));
    }
}
