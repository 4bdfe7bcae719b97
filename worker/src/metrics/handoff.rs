//! What a worker counts of its part in moves.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shardset_handoff::Report;

use super::Shard;

/// The metrics of all shards' moves.
#[derive(Clone, Debug, Default)]
pub(super) struct Families {
    epoch: Family<Shard, Gauge>,
    moving: Family<Shard, Gauge>,
    to_send: Family<Shard, Gauge>,
    received: Family<Shard, Counter>,
    parked: Family<Shard, Gauge>,
    parked_bytes: Family<Shard, Gauge>,
    parked_points: Family<Shard, Counter>,
    foreign: Family<Shard, Counter>,
    empty_disks: Family<Shard, Counter>,
}

/// The metrics of one shard's moves.
#[derive(Clone, Debug)]
pub(crate) struct HandoffMetrics {
    epoch: Gauge,
    moving: Gauge,
    to_send: Gauge,
    pub(crate) received: Counter,
    parked: Gauge,
    parked_bytes: Gauge,
    pub(crate) parked_points: Counter,
    pub(crate) foreign: Counter,
    pub(crate) empty_disks: Counter,
}

impl Families {
    pub(super) fn register(&self, registry: &mut Registry) {
        let name = |name: &str| format!("shardset_worker_{name}");
        registry.register(
            name("epoch"),
            "The epoch of the worker's membership; 0 while it has none",
            self.epoch.clone(),
        );
        registry.register(name("moving"), "1 while streams move between shards, else 0", self.moving.clone());
        registry.register(
            name("streams_to_send"),
            "Streams that another shard has yet to be sent",
            self.to_send.clone(),
        );
        let received = "Streams that were taken over from other shards";
        registry.register(name("streams_received"), received, self.received.clone());
        registry.register(name("parked"), "Points that wait for their stream's state", self.parked.clone());
        registry.register(
            name("parked_bytes"),
            "Bytes of points that wait for their stream's state",
            self.parked_bytes.clone(),
        );
        let points = "Points that were acknowledged before their stream's state had come";
        registry.register(name("points_parked"), points, self.parked_points.clone());
        let foreign = "Points of streams that another shard owns, whose requests were refused: two sets are mixed up";
        registry.register(name("points_foreign"), foreign, self.foreign.clone());
        let empty = "Starts with an empty disk: the first one of a worker, and every one after its disk was lost";
        registry.register(name("empty_disk_starts"), empty, self.empty_disks.clone());
    }

    pub(super) fn of(&self, label: &Shard) -> HandoffMetrics {
        HandoffMetrics {
            epoch: self.epoch.get_or_create_owned(label),
            moving: self.moving.get_or_create_owned(label),
            to_send: self.to_send.get_or_create_owned(label),
            received: self.received.get_or_create_owned(label),
            parked: self.parked.get_or_create_owned(label),
            parked_bytes: self.parked_bytes.get_or_create_owned(label),
            parked_points: self.parked_points.get_or_create_owned(label),
            foreign: self.foreign.get_or_create_owned(label),
            empty_disks: self.empty_disks.get_or_create_owned(label),
        }
    }
}

impl HandoffMetrics {
    /// How things stand.
    pub(crate) fn show(&self, report: &Report, moving: bool) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.epoch.set(gauge(report.membership.as_ref().map_or(0, |membership| membership.epoch().get())));
        self.moving.set(i64::from(moving));
        self.to_send.set(gauge(report.sending.iter().map(|sending| sending.total - sending.sent).sum()));
        self.parked.set(gauge(report.parked_points));
        self.parked_bytes.set(gauge(report.parked_bytes));
    }
}
