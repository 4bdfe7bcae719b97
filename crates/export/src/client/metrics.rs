//! What destinations count. Registered once for all of them: a label tells destinations apart, so that each metric is one
//! family on `/metrics` however many there are.
//!
//! Pure: atomics.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shardset_model::UnixNanos;

use super::answer::Cause;
use super::rejection::DropReason;

/// What all destinations of a process count. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct ClientMetrics {
    samples_sent: Family<To, Counter>,
    samples_dropped: Family<ToFor, Counter>,
    retries: Family<ToBecause, Counter>,
    in_flight: Family<To, Gauge>,
    last_success: Family<To, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct To {
    destination: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ToFor {
    destination: Arc<str>,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ToBecause {
    destination: Arc<str>,
    cause: &'static str,
}

/// What one destination counts. Clones count together.
#[derive(Clone, Debug)]
pub struct DestinationMetrics {
    all: ClientMetrics,
    to: To,
}

impl ClientMetrics {
    /// Registers everything, with names that begin with `export_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("export");
        registry.register(
            "samples_sent",
            "Samples (of OTLP: data points) the destination has taken",
            metrics.samples_sent.clone(),
        );
        registry.register(
            "samples_dropped",
            "Samples (of OTLP: data points) the destination refused for good, by reason",
            metrics.samples_dropped.clone(),
        );
        registry.register("retries", "Requests that had to be sent again, by cause", metrics.retries.clone());
        registry.register(
            "requests_in_flight",
            "Requests under way or waiting to be sent again",
            metrics.in_flight.clone(),
        );
        registry.register(
            "last_success_timestamp_seconds",
            "When the destination last took a request, in seconds since 1970",
            metrics.last_success.clone(),
        );
        metrics
    }

    /// The counters of the destination with this name.
    pub fn of(&self, destination: &str) -> DestinationMetrics {
        DestinationMetrics { all: self.clone(), to: To { destination: destination.into() } }
    }
}

impl DestinationMetrics {
    pub(super) fn sent(&self, samples: u64) {
        self.all.samples_sent.get_or_create(&self.to).inc_by(samples);
    }

    pub(super) fn dropped(&self, reason: DropReason, samples: u64) {
        let label = ToFor { destination: self.to.destination.clone(), reason: reason.name() };
        self.all.samples_dropped.get_or_create(&label).inc_by(samples);
    }

    pub(super) fn retried(&self, cause: Cause) {
        let label = ToBecause { destination: self.to.destination.clone(), cause: cause.name() };
        self.all.retries.get_or_create(&label).inc();
    }

    pub(super) fn succeeded(&self, now: UnixNanos) {
        self.all.last_success.get_or_create(&self.to).set(now.0 as f64 / 1e9);
    }

    /// A request is under way until this is dropped.
    pub(super) fn under_way(&self) -> UnderWay {
        let in_flight = self.all.in_flight.get_or_create_owned(&self.to);
        in_flight.inc();
        UnderWay(in_flight)
    }
}

/// Counts one request in [`ClientMetrics::in_flight`], also where it is cancelled.
pub(super) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::ClientMetrics;

    #[test]
    fn two_destinations_are_two_series_of_one_family() {
        let mut registry = Registry::default();
        let metrics = ClientMetrics::register(&mut registry);
        metrics.of("a").sent(1);
        metrics.of("b").sent(2);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(text.matches("# TYPE export_samples_sent counter").count(), 1, "{text}");
        assert!(text.contains("samples_sent_total{destination=\"b\"} 2"), "{text}");
    }
}
