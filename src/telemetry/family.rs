//! Makes metric families and registers them at once, so that none is forgotten.

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    Opts, Registry,
};

/// A registry that is being filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Families<'a>(pub &'a Registry);

impl Families<'_> {
    fn keep<C: Collector + Clone + 'static>(self, family: C) -> Result<C, Error> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub fn counter(self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub fn gauge(self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub fn single_gauge(self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.keep(Gauge::new(name, help)?)
    }

    pub fn single_counter(self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.keep(IntCounter::with_opts(Opts::new(name, help))?)
    }

    pub fn single_histogram(
        self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options)?)
    }

    pub fn histogram(
        self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(options, labels)?)
    }
}
