//! What the operator counts.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Write {
    object: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Set {
    namespace: String,
    set: String,
}

/// Counters of one operator. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    leader: Gauge<u64, AtomicU64>,
    turns: Family<Outcome, Counter>,
    turn_seconds: Histogram,
    writes: Family<Write, Counter>,
    epoch: Family<Set, Gauge<u64, AtomicU64>>,
    shards: Family<Set, Gauge<u64, AtomicU64>>,
    moving: Family<Set, Gauge<u64, AtomicU64>>,
}

impl Metrics {
    /// Registers everything.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            leader: Gauge::default(),
            turns: Family::default(),
            turn_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            writes: Family::default(),
            epoch: Family::default(),
            shards: Family::default(),
            moving: Family::default(),
        };
        let help = "1 while this operator acts, 0 while another one does";
        registry.register("shardset_operator_leader", help, metrics.leader.clone());
        registry.register("shardset_operator_turns", "Looks at a set, by outcome", metrics.turns.clone());
        let help = "Time that one look at a set took";
        registry.register("shardset_operator_turn_seconds", help, metrics.turn_seconds.clone());
        let help = "Objects written to the API server, by kind";
        registry.register("shardset_operator_writes", help, metrics.writes.clone());
        let help = "Epoch of the membership that is published";
        registry.register("shardset_operator_epoch", help, metrics.epoch.clone());
        registry.register("shardset_operator_shards", "Shards that are published", metrics.shards.clone());
        registry.register("shardset_operator_moving", "1 while streams move, else 0", metrics.moving.clone());
        metrics
    }

    /// Whether this operator acts.
    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// One look at a set, how it went and how long it took.
    pub(crate) fn turn(&self, outcome: &'static str, took: Duration) {
        self.turns.get_or_create(&Outcome { outcome }).inc();
        self.turn_seconds.observe(took.as_secs_f64());
    }

    /// An object was written.
    pub(crate) fn wrote(&self, object: &'static str) {
        self.writes.get_or_create(&Write { object }).inc();
    }

    /// How a set stands.
    pub(crate) fn stands(&self, namespace: &str, set: &str, epoch: u64, shards: u32, moves: bool) {
        let of = Set { namespace: namespace.to_owned(), set: set.to_owned() };
        self.epoch.get_or_create(&of).set(epoch);
        self.shards.get_or_create(&of).set(shards.into());
        self.moving.get_or_create(&of).set(moves.into());
    }

    /// A set is there no more.
    pub(crate) fn forget(&self, namespace: &str, set: &str) {
        let of = Set { namespace: namespace.to_owned(), set: set.to_owned() };
        self.epoch.remove(&of);
        self.shards.remove(&of);
        self.moving.remove(&of);
    }
}
