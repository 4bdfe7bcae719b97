//! What a destination counts. The caller registers it, under a label that tells destinations apart.
//!
//! Pure: atomics.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shardset_model::UnixNanos;

use super::answer::Cause;
use super::rejection::DropReason;

/// What one destination counts. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct DestinationMetrics {
    samples_sent: Counter,
    samples_dropped: Family<ReasonLabel, Counter>,
    retries: Family<CauseLabel, Counter>,
    in_flight: Gauge,
    last_success: Gauge<f64, AtomicU64>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

impl DestinationMetrics {
    /// Registers everything, with names that begin with `remote_write_`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("remote_write");
        registry.register("samples_sent", "Samples the destination has taken", self.samples_sent.clone());
        registry.register(
            "samples_dropped",
            "Samples the destination refused for good, by reason",
            self.samples_dropped.clone(),
        );
        registry.register("retries", "Requests that had to be sent again, by cause", self.retries.clone());
        registry.register(
            "requests_in_flight",
            "Requests under way or waiting to be sent again",
            self.in_flight.clone(),
        );
        registry.register(
            "last_success_timestamp_seconds",
            "When the destination last took a request, in seconds since 1970",
            self.last_success.clone(),
        );
    }

    pub(super) fn sent(&self, samples: u64) {
        self.samples_sent.inc_by(samples);
    }

    pub(super) fn dropped(&self, reason: DropReason, samples: u64) {
        self.samples_dropped.get_or_create(&ReasonLabel { reason: reason.name() }).inc_by(samples);
    }

    pub(super) fn retried(&self, cause: Cause) {
        self.retries.get_or_create(&CauseLabel { cause: cause.name() }).inc();
    }

    pub(super) fn succeeded(&self, now: UnixNanos) {
        self.last_success.set(now.0 as f64 / 1e9);
    }

    /// A request is under way until this is dropped.
    pub(super) fn under_way(&self) -> UnderWay {
        self.in_flight.inc();
        UnderWay(self.in_flight.clone())
    }
}

/// Counts one request in [`DestinationMetrics::in_flight`], also where it is cancelled.
pub(super) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
