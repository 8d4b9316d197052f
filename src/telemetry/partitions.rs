//! Gauges of a stream that join what its partitions have said, and forget those that moved away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::PartitionLabels;
use super::family::GaugeVec;
use super::shards::show;

/// A topic and the number of a partition.
pub(super) type Place = (String, i32);

/// Where a partition is.
pub(super) fn place(of: PartitionLabels<'_>) -> Place {
    (of.topic.to_owned(), of.partition)
}

/// What one partition has said; older values count less.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    sum: f64,
    weight: f64,
}

impl Said {
    /// Adds `values`; those of before keep `exp(-n / memory)` of their weight, `n` the new ones.
    fn add(&mut self, values: &[f64], memory: f64) {
        let n = values.len() as f64;
        let kept = if memory > 0.0 { (-n / memory).exp() } else { 0.0 };
        self.sum = self.sum * kept + values.iter().sum::<f64>();
        self.weight = self.weight * kept + n;
    }
}

/// By stream, by the values of the other labels, by partition.
type Kept = BTreeMap<String, BTreeMap<Vec<String>, BTreeMap<Place, Said>>>;

/// A gauge whose first label is the stream: the mean of what its partitions have said, each with the weight of
/// what it has said. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct PartitionGauge {
    family: GaugeVec,
    kept: Arc<Mutex<Kept>>,
}

impl PartitionGauge {
    pub fn new(family: GaugeVec) -> Self {
        Self { family, kept: Arc::default() }
    }

    /// Adds what a partition says under the labels `rest`, which follow the stream; values that
    /// are not finite say nothing. The memory is about `memory` values, 0 for the newest alone.
    pub fn add(
        &self,
        of: PartitionLabels<'_>,
        rest: &[&str],
        values: impl Iterator<Item = f64>,
        memory: usize,
    ) {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            return;
        }
        let rest: Vec<String> = rest.iter().map(|&value| value.to_owned()).collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stream = kept.entry(of.stream.to_owned()).or_default();
        let of_labels = of_stream.entry(rest.clone()).or_default();
        of_labels.entry(place(of)).or_default().add(&values, memory as f64);
        self.show(of.stream, &rest, of_labels);
    }

    /// Forgets what a partition has said.
    pub fn forget(&self, of: PartitionLabels<'_>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_stream) = kept.get_mut(of.stream) else { return };
        of_stream.retain(|rest, of_labels| {
            if of_labels.remove(&place(of)).is_some() {
                self.show(of.stream, rest, of_labels);
            }
            !of_labels.is_empty()
        });
    }

    fn show(&self, stream: &str, rest: &[String], said: &BTreeMap<Place, Said>) {
        let labels: Vec<&str> = std::iter::once(stream).chain(rest.iter().map(|v| &**v)).collect();
        let sum = |part: fn(&Said) -> f64| said.values().map(part).sum::<f64>();
        let value = (!said.is_empty()).then(|| sum(|s| s.sum) / sum(|s| s.weight));
        show(&self.family, &labels, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::family::Families;

    fn of(partition: i32) -> PartitionLabels<'static> {
        PartitionLabels { stream: "press", topic: "in", partition }
    }

    fn gauge(registry: &prometheus::Registry) -> PartitionGauge {
        let to = Families::new(registry, 10).unwrap();
        let family = to.gauge("skill", "Skill.", &["stream", "horizon"]).unwrap();
        PartitionGauge::new(family)
    }

    /// Values by horizon.
    fn shown(registry: &prometheus::Registry) -> BTreeMap<String, f64> {
        let families = registry.gather();
        let metrics = families.iter().filter(|f| f.name() == "skill").flat_map(|f| f.get_metric());
        metrics.map(|m| (m.get_label()[0].value().to_owned(), m.get_gauge().get_value())).collect()
    }

    #[test]
    fn a_mean_is_over_the_series_of_all_partitions_and_old_values_fade() {
        let registry = prometheus::Registry::new();
        let skill = gauge(&registry);
        skill.add(of(0), &["all"], [0.9, 0.9, 0.9].into_iter(), 3);
        skill.add(of(1), &["all"], [0.1, f64::NAN].into_iter(), 1);
        assert!((shown(&registry)["all"] - 0.7).abs() < 1e-12, "three series and one");
        // Partition 0 goes to pieces: forty rounds later nothing is left of better days.
        (0..40).for_each(|_| skill.add(of(0), &["all"], [-0.5, -0.5, -0.5].into_iter(), 3));
        skill.forget(of(1));
        assert!((shown(&registry)["all"] + 0.5).abs() < 1e-9);
    }

    #[test]
    fn labels_go_with_the_last_partition_that_had_them() {
        let registry = prometheus::Registry::new();
        let skill = gauge(&registry);
        skill.add(of(0), &["1h"], [2.0].into_iter(), 0);
        skill.add(of(0), &["1d"], [3.0].into_iter(), 0);
        skill.add(of(1), &["1d"], [7.0].into_iter(), 0);
        skill.add(of(1), &["1d"], [1.0].into_iter(), 0);
        let both = [("1d".to_owned(), 2.0), ("1h".to_owned(), 2.0)];
        assert_eq!(shown(&registry), BTreeMap::from(both));
        skill.forget(of(0));
        assert_eq!(shown(&registry), BTreeMap::from([("1d".to_owned(), 1.0)]));
        skill.forget(of(1));
        assert_eq!(shown(&registry), BTreeMap::new());
    }
}
