//! What delivery counts, per shard.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Shard {
    shard: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ShardAttempt {
    shard: u32,
    result: &'static str,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum AttemptResult {
    Durable,
    Retried,
    Rejected,
    OtherEpoch,
    TimedOut,
}

impl AttemptResult {
    /// The value of the label `result`.
    const fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Retried => "retried",
            Self::Rejected => "rejected",
            Self::OtherEpoch => "other_epoch",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Counters of the stage, all shards.
#[derive(Clone, Debug)]
pub struct DeliverMetrics {
    attempts: Family<ShardAttempt, Counter>,
    parts: Family<Shard, Counter>,
    bytes: Family<Shard, Counter>,
    seconds: Family<Shard, Histogram, fn() -> Histogram>,
}

/// Counters of one shard.
#[derive(Clone, Debug)]
pub(super) struct ShardMetrics {
    shard: u32,
    all: DeliverMetrics,
}

impl DeliverMetrics {
    /// Registers the counters.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            attempts: Family::default(),
            parts: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_5, 2.0, 15))),
        };
        let mut add = |name: &str, help: &str, metric: Family<Shard, Counter>| registry.register(name, help, metric);
        add(
            "shardset_gateway_delivered_parts",
            "Parts of requests sent to a worker, attempts included",
            metrics.parts.clone(),
        );
        add("shardset_gateway_delivered_bytes", "Bytes sent to a worker, attempts included", metrics.bytes.clone());
        let help = "Merged requests sent to a worker, by how the attempt ended";
        registry.register("shardset_gateway_delivery_attempts", help, metrics.attempts.clone());
        let help = "Seconds that one attempt to deliver a merged request took";
        registry.register("shardset_gateway_delivery_attempt_seconds", help, metrics.seconds.clone());
        metrics
    }

    pub(super) fn of_shard(&self, number: usize) -> ShardMetrics {
        ShardMetrics { shard: u32::try_from(number).unwrap_or(u32::MAX), all: self.clone() }
    }
}

impl ShardMetrics {
    /// A merged request of this many parts and bytes leaves.
    pub(super) fn sent(&self, parts: usize, bytes: usize) {
        let shard = Shard { shard: self.shard };
        self.all.parts.get_or_create(&shard).inc_by(parts as u64);
        self.all.bytes.get_or_create(&shard).inc_by(bytes as u64);
    }

    /// It came back, or did not.
    pub(super) fn ended(&self, result: AttemptResult, seconds: f64) {
        self.all.attempts.get_or_create(&ShardAttempt { shard: self.shard, result: result.name() }).inc();
        self.all.seconds.get_or_create(&Shard { shard: self.shard }).observe(seconds);
    }
}
