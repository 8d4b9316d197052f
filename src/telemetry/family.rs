//! Makes metric families, registers them at once, and bounds how many label sets each may have.
//!
//! Labels come from the configuration and from closed lists, but a topic may have thousands of
//! partitions: beyond a cap a label set is not made. Counters and histograms then count under
//! the label value `_overflow`, so that sums stay right; a gauge beyond the cap is not shown, since
//! no single value could stand for many. Both are told by `latentd_metrics_series_dropped_total`.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{Error, Gauge, Histogram, HistogramOpts, IntCounter, Opts, Registry};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

/// Label value of what has no label set of its own.
pub(super) const OVERFLOW: &str = "_overflow";
/// The label by which the cap is shared out.
const STREAM: &str = "stream";

pub(super) type IntCounterVec = Capped<prometheus::IntCounterVec>;
pub(super) type GaugeVec = Capped<prometheus::GaugeVec>;
pub(super) type HistogramVec = Capped<prometheus::HistogramVec>;

/// A family of the library.
pub(super) trait Labelled: Collector + Clone + 'static {
    type Metric;
    fn get(&self, values: &[&str]) -> Self::Metric;
    fn remove(&self, values: &[&str]) -> Result<(), Error>;
}

impl<B: MetricVecBuilder + 'static> Labelled for MetricVec<B> {
    type Metric = B::M;

    fn get(&self, values: &[&str]) -> B::M {
        self.with_label_values(values)
    }

    fn remove(&self, values: &[&str]) -> Result<(), Error> {
        self.remove_label_values(values)
    }
}

/// A registry that is being filled.
#[derive(Debug, Clone)]
pub(super) struct Families<'a> {
    registry: &'a Registry,
    /// Most label sets of one family and stream.
    series_max: usize,
    dropped: prometheus::IntCounterVec,
}

impl<'a> Families<'a> {
    /// # Errors
    ///
    /// If `registry` counts what was dropped already.
    pub fn new(registry: &'a Registry, series_max: usize) -> Result<Self, Error> {
        let dropped = prometheus::IntCounterVec::new(
            Opts::new(
                "latentd_metrics_series_dropped_total",
                "Updates of label sets beyond `metrics.series_max`, by family: counted under \
                 `_overflow`, or, of a gauge, not shown.",
            ),
            &["metric"],
        )?;
        registry.register(Box::new(dropped.clone()))?;
        Ok(Self { registry, series_max, dropped })
    }

    fn keep<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, Error> {
        self.registry.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn cap<F: Labelled>(
        &self,
        name: &str,
        labels: &[&str],
        family: F,
        spare: Option<F>,
    ) -> Result<Capped<F>, Error> {
        Ok(Capped {
            family: self.keep(family)?,
            spare,
            stream_at: labels.iter().position(|label| *label == STREAM),
            labels: labels.len(),
            series_max: self.series_max,
            known: Arc::default(),
            dropped: self.dropped.with_label_values(&[name]),
        })
    }

    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        let family = prometheus::IntCounterVec::new(Opts::new(name, help), labels)?;
        self.cap(name, labels, family, None)
    }

    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        let make = || prometheus::GaugeVec::new(Opts::new(name, help), labels);
        self.cap(name, labels, make()?, Some(make()?))
    }

    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.cap(name, labels, prometheus::HistogramVec::new(options, labels)?, None)
    }

    pub fn single_gauge(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.keep(Gauge::new(name, help)?)
    }

    pub fn single_counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.keep(IntCounter::with_opts(Opts::new(name, help))?)
    }

    pub fn single_histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options)?)
    }
}

/// Hashes of the label sets that exist, by stream.
type Known = FxHashMap<String, FxHashSet<u64>>;

/// A family whose label sets are counted. Clones are one family.
#[derive(Debug, Clone)]
pub(super) struct Capped<F> {
    family: F,
    /// Takes the values of gauges beyond the cap; nobody reads it.
    spare: Option<F>,
    stream_at: Option<usize>,
    labels: usize,
    series_max: usize,
    known: Arc<Mutex<Known>>,
    dropped: IntCounter,
}

impl<F: Labelled> Capped<F> {
    /// The metric with these label values, or the one that stands for all beyond the cap.
    pub fn with_label_values(&self, values: &[&str]) -> F::Metric {
        if self.admits(values) {
            return self.family.get(values);
        }
        self.dropped.inc();
        if let Some(spare) = &self.spare {
            return spare.get(&vec![OVERFLOW; self.labels]);
        }
        let stands_for_many = |i: usize| Some(i) != self.stream_at || self.labels == 1;
        let values = values.iter().enumerate();
        let values: Vec<&str> =
            values.map(|(i, own)| if stands_for_many(i) { OVERFLOW } else { own }).collect();
        self.family.get(&values)
    }

    /// Forgets a label set, and makes room for another.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub fn remove_label_values(&self, values: &[&str]) -> Result<(), Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_stream) = known.get_mut(self.stream(values)) {
            of_stream.remove(&hash(values));
        }
        drop(known);
        self.family.remove(values)
    }

    fn admits(&self, values: &[&str]) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = self.stream(values);
        if !known.contains_key(stream) {
            known.insert(stream.to_owned(), FxHashSet::default());
        }
        let Some(of_stream) = known.get_mut(stream) else { return false };
        let hash = hash(values);
        let admitted = of_stream.contains(&hash) || of_stream.len() < self.series_max;
        if admitted {
            of_stream.insert(hash);
        }
        admitted
    }

    fn stream<'v>(&self, values: &[&'v str]) -> &'v str {
        // A family by stream and nothing else has one label set of each: its cap is that of streams.
        let at = self.stream_at.filter(|_| self.labels > 1);
        at.and_then(|at| values.get(at)).copied().unwrap_or_default()
    }
}

fn hash(values: &[&str]) -> u64 {
    let mut hasher = FxHasher::default();
    values.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(registry: &Registry) -> String {
        prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    fn has(text: &str, line: &str) -> bool {
        text.lines().any(|l| l == line)
    }

    #[test]
    fn counters_beyond_the_cap_of_a_stream_are_summed_and_told() {
        let registry = Registry::new();
        let to = Families::new(&registry, 2).unwrap();
        let family = to.counter("reads_total", "Reads.", &["stream", "partition"]).unwrap();
        for partition in ["0", "1", "2", "3", "2"] {
            family.with_label_values(&["press", partition]).inc_by(10);
        }
        family.with_label_values(&["shop", "7"]).inc();
        let text = text(&registry);
        for line in [
            r#"reads_total{partition="0",stream="press"} 10"#,
            r#"reads_total{partition="1",stream="press"} 10"#,
            r#"reads_total{partition="_overflow",stream="press"} 30"#,
            r#"reads_total{partition="7",stream="shop"} 1"#,
            r#"latentd_metrics_series_dropped_total{metric="reads_total"} 3"#,
        ] {
            assert!(has(&text, line), "`{line}` is missing in\n{text}");
        }
    }

    #[test]
    fn gauges_beyond_the_cap_are_not_shown_and_room_can_be_made() {
        let registry = Registry::new();
        let to = Families::new(&registry, 1).unwrap();
        let lag = to.gauge("lag", "Lag.", &["stream", "partition"]).unwrap();
        lag.with_label_values(&["press", "0"]).set(4.0);
        lag.with_label_values(&["press", "1"]).set(5.0);
        assert!(!text(&registry).contains(r#"lag{partition="1""#));
        assert!(!text(&registry).contains(r#""_overflow""#));
        lag.remove_label_values(&["press", "0"]).unwrap();
        lag.with_label_values(&["press", "1"]).set(6.0);
        assert!(has(&text(&registry), r#"lag{partition="1",stream="press"} 6"#));
        assert!(lag.remove_label_values(&["press", "0"]).is_err(), "it is gone already");
    }

    #[test]
    fn a_family_by_stream_alone_is_capped_as_a_whole() {
        let registry = Registry::new();
        let to = Families::new(&registry, 1).unwrap();
        let family = to.counter("rows_total", "Rows.", &["stream"]).unwrap();
        family.with_label_values(&["press"]).inc();
        family.with_label_values(&["shop"]).inc_by(2);
        assert!(has(&text(&registry), r#"rows_total{stream="_overflow"} 2"#));
    }
}
