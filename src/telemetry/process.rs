//! The process: what was built, what it may use, and whether its configuration is the one asked for.

use prometheus::{Error, Gauge};

use super::family::{Families, GaugeVec, IntCounterVec};

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
    reload_successful: Gauge,
    reload_at: Gauge,
    reloads: IntCounterVec,
}

impl ProcessMetrics {
    pub(super) fn register(to: &Families<'_>) -> Result<Self, Error> {
        let reloads = to.counter(
            "latentd_config_reloads_total",
            "Attempts to load a changed configuration.",
            &["outcome"],
        )?;
        for outcome in ["ok", "failed"] {
            reloads.with_label_values(&[outcome]);
        }
        Ok(Self {
            build: to.gauge(
                "latentd_build_info",
                "Always 1; the labels say what was built.",
                &["version", "revision", "rustc", "features", "kafka_client"],
            )?,
            ready: to.single_gauge(
                "latentd_ready",
                "1 while partitions are assigned and outputs are acknowledged.",
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
            reload_successful: to.single_gauge(
                "latentd_config_last_reload_successful",
                "1 if the last attempt to load the configuration succeeded; 0: an older one is used.",
            )?,
            reload_at: to.single_gauge(
                "latentd_config_last_reload_success_timestamp_seconds",
                "When the configuration in use was loaded, in seconds since 1970.",
            )?,
            reloads,
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

    /// The configuration was loaded at the start, at `now` (seconds since 1970).
    pub fn config_loaded(&self, now: f64) {
        self.reload_successful.set(1.0);
        self.reload_at.set(now);
    }

    /// A changed configuration was loaded at `now` (seconds since 1970), or refused.
    pub fn config_reloaded(&self, ok: bool, now: f64) {
        self.reloads.with_label_values(&[super::delivery::outcome(ok)]).inc();
        if ok {
            self.config_loaded(now);
        } else {
            self.reload_successful.set(0.0);
        }
    }
}
