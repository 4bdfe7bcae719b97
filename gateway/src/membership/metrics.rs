//! What the gateway shows of the membership it routes by, and of changes.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use shardset_membership::{Origin, Refusals};
use shardset_model::Membership;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct From {
    origin: &'static str,
}

/// Counters and gauges of the membership.
#[derive(Clone, Debug)]
pub struct MembershipMetrics {
    epoch: Gauge<u64, AtomicU64>,
    shards: Gauge<u64, AtomicU64>,
    origin: Family<From, Gauge<u64, AtomicU64>>,
    refusals: Refusals,
    adopted: Counter,
    split_again: Family<Cause, Counter>,
    missed: Counter,
    publish_seconds: Histogram,
}

impl MembershipMetrics {
    /// Registers everything.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            epoch: Gauge::default(),
            shards: Gauge::default(),
            origin: Family::default(),
            refusals: Refusals::register(registry),
            adopted: Counter::default(),
            split_again: Family::default(),
            missed: Counter::default(),
            publish_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
        };
        let help = "Epoch of the membership that requests are routed by; 0 before the first";
        registry.register("shardset_gateway_membership_epoch", help, metrics.epoch.clone());
        let help = "Shards that requests are routed to";
        registry.register("shardset_gateway_membership_shards", help, metrics.shards.clone());
        let help = "1 for the way by which the membership that requests are routed by came, else 0: it is followed (watch), kept over a restart (snapshot), or was said by a worker that was asked (worker) or refused (refusal)";
        registry.register("shardset_gateway_membership_origin", help, metrics.origin.clone());
        metrics.came(None);
        let help = "Memberships taken out of a worker's refusal, before their publication came";
        registry.register("shardset_gateway_memberships_adopted", help, metrics.adopted.clone());
        let help =
            "Parts of requests split again: their worker refused their epoch (refused), or routes changed (changed)";
        registry.register("shardset_gateway_parts_split_again", help, metrics.split_again.clone());
        let help =
            "Times that a request was told to come back because a worker's newer membership did not come in time";
        registry.register("shardset_gateway_membership_missed", help, metrics.missed.clone());
        let help = "Seconds from the publication of a membership until requests are routed by it";
        registry.register("shardset_gateway_membership_publish_seconds", help, metrics.publish_seconds.clone());
        metrics
    }

    /// The count of memberships that were not taken.
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Requests are routed by this membership from now on.
    pub(crate) fn routed_by(&self, membership: &Membership, origin: Origin) {
        self.epoch.set(membership.epoch().get());
        self.shards.set(u64::from(membership.shards().get()));
        self.came(Some(origin));
    }

    fn came(&self, by: Option<Origin>) {
        for origin in Origin::ALL {
            let gauge = self.origin.get_or_create(&From { origin: origin.name() });
            gauge.set(u64::from(by == Some(origin)));
        }
    }

    /// It was published so long ago.
    pub(crate) fn published(&self, seconds: f64) {
        self.publish_seconds.observe(seconds);
    }

    /// It came out of a refusal.
    pub(crate) fn adopted(&self) {
        self.adopted.inc();
    }

    /// A part came back and is split again: refused by its worker, or called back.
    pub(crate) fn split_again(&self, refused: bool) {
        let cause = if refused { "refused" } else { "changed" };
        self.split_again.get_or_create(&Cause { cause }).inc();
    }

    /// A request waited for a membership in vain.
    pub(crate) fn missed(&self) {
        self.missed.inc();
    }
}
