//! What a worker counts about itself, labelled by shard. Names and help are a public interface (docs/metrics.md).
//!
//! The counters of points reconcile: `points_received = points_accepted + points_duplicate + points_refused +
//! points_no_recorded_value + points_passed_on + points_parked + points_foreign`, where `points_late`, `bounds_changed` and `int_overflow` count some of the
//! accepted ones once more. A request that is refused as a whole counts in `requests` only: its points were not read.
//!
//! Counters are added to once a batch, not once a point: an atomic per point would cost as much as counting it.

mod handoff;
mod journal;

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use shardset_model::{Refusal, ShardIndex};
use shardset_process::budget::BytesGauge;

pub(crate) use self::handoff::HandoffMetrics;
pub(crate) use self::journal::JournalMetrics;

/// The metrics of all workers of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Outcome, Counter>,
    received: Family<Shard, Counter>,
    accepted: Family<Shard, Counter>,
    late: Family<Shard, Counter>,
    duplicate: Family<Shard, Counter>,
    refused: Family<Reason, Counter>,
    no_recorded_value: Family<Shard, Counter>,
    passed_on: Family<Shard, Counter>,
    bounds_changed: Family<Shard, Counter>,
    int_overflow: Family<Shard, Counter>,
    streams: Family<State, Gauge>,
    idle_bytes: Family<Shard, Gauge>,
    forgotten: Family<Shard, Counter>,
    passes: Family<ToDestination, Counter>,
    chunks: Family<ToDestination, Counter>,
    samples: Family<ToDestination, Counter>,
    not_encodable: Family<Reason, Counter>,
    mailbox: Family<Shard, Gauge>,
    inflight: Family<Shard, BytesGauge>,
    apply: Family<Shard, Histogram, fn() -> Histogram>,
    journal: journal::Families,
    handoff: handoff::Families,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Shard {
    shard: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Outcome {
    shard: u32,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Reason {
    shard: u32,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct State {
    shard: u32,
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ToDestination {
    shard: u32,
    destination: String,
}

impl Metrics {
    /// Registers them, once in a process however many workers it runs.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::new();
        metrics.register_points(registry);
        metrics.register_export(registry);
        metrics.register_process(registry);
        metrics.journal.register(registry);
        metrics.handoff.register(registry);
        metrics
    }

    fn new() -> Self {
        Self {
            requests: Family::default(),
            received: Family::default(),
            accepted: Family::default(),
            late: Family::default(),
            duplicate: Family::default(),
            refused: Family::default(),
            no_recorded_value: Family::default(),
            passed_on: Family::default(),
            bounds_changed: Family::default(),
            int_overflow: Family::default(),
            streams: Family::default(),
            idle_bytes: Family::default(),
            forgotten: Family::default(),
            passes: Family::default(),
            chunks: Family::default(),
            samples: Family::default(),
            not_encodable: Family::default(),
            mailbox: Family::default(),
            inflight: Family::default(),
            // From 10 µs, a request of ten points, to 5 s, which nobody should ever see.
            apply: Family::new_with_constructor(|| Histogram::new(exponential_buckets(10e-6, 2.0, 20))),
            journal: journal::Families::default(),
            handoff: handoff::Families::default(),
        }
    }

    fn register_points(&self, registry: &mut Registry) {
        let name = |name: &str| format!("shardset_worker_{name}");
        registry.register(name("requests"), "Requests answered, by outcome", self.requests.clone());
        registry.register(name("points_received"), "Points read from requests", self.received.clone());
        registry.register(name("points_accepted"), "Delta points counted", self.accepted.clone());
        let late = "Accepted points that are older than the newest one of their stream";
        registry.register(name("points_late"), late, self.late.clone());
        let duplicate = "Points not counted because they are counted already";
        registry.register(name("points_duplicate"), duplicate, self.duplicate.clone());
        registry.register(name("points_refused"), "Points refused for good, by reason", self.refused.clone());
        let no_value = "Points that say that their stream has no value any more";
        registry.register(name("points_no_recorded_value"), no_value, self.no_recorded_value.clone());
        let passed_on = "Cumulative, gauge and summary points, which are passed on as they are";
        registry.register(name("points_passed_on"), passed_on, self.passed_on.clone());
        let bounds = "Histogram streams that started anew because their bounds changed";
        registry.register(name("bounds_changed"), bounds, self.bounds_changed.clone());
        let overflow = "Sums of integers that became doubles because they left 64 bits";
        registry.register(name("int_overflow"), overflow, self.int_overflow.clone());
    }

    fn register_export(&self, registry: &mut Registry) {
        let name = |name: &str| format!("shardset_worker_{name}");
        let passes = "Passes over the shard that were delivered completely";
        registry.register(name("export_passes"), passes, self.passes.clone());
        registry.register(name("export_chunks"), "Chunks delivered", self.chunks.clone());
        let samples = "Samples in the chunks that were made for a destination";
        registry.register(name("export_samples"), samples, self.samples.clone());
        let not_encodable = "Times that a stream was left out of a pass or scrape because its value has no series";
        registry.register(name("export_not_encodable"), not_encodable, self.not_encodable.clone());
    }

    fn register_process(&self, registry: &mut Registry) {
        let name = |name: &str| format!("shardset_worker_{name}");
        registry.register(
            name("streams"),
            "Streams whose state is held, by state: live, idle (in memory), on_disk",
            self.streams.clone(),
        );
        let idle_bytes = "Bytes of streams on the disk that were silent for long";
        registry.register(name("idle_bytes"), idle_bytes, self.idle_bytes.clone());
        let forgotten = "Streams whose state was dropped after forget-after";
        registry.register(name("streams_forgotten"), forgotten, self.forgotten.clone());
        registry.register(name("mailbox_depth"), "Events that wait for the shard's thread", self.mailbox.clone());
        let inflight = "Bytes of requests that are not answered yet";
        registry.register(name("inflight_bytes"), inflight, self.inflight.clone());
        let apply = "Time from taking a group of requests to their commit";
        registry.register(name("apply_seconds"), apply, self.apply.clone());
    }

    /// The metrics of one shard, looked up once.
    pub(crate) fn of(&self, shard: ShardIndex) -> ShardMetrics {
        let label = Shard { shard: shard.get() };
        let state = |state| self.streams.get_or_create_owned(&State { shard: shard.get(), state });
        ShardMetrics {
            received: self.received.get_or_create_owned(&label),
            accepted: self.accepted.get_or_create_owned(&label),
            late: self.late.get_or_create_owned(&label),
            duplicate: self.duplicate.get_or_create_owned(&label),
            no_recorded_value: self.no_recorded_value.get_or_create_owned(&label),
            passed_on: self.passed_on.get_or_create_owned(&label),
            bounds_changed: self.bounds_changed.get_or_create_owned(&label),
            int_overflow: self.int_overflow.get_or_create_owned(&label),
            live: state("live"),
            idle: state("idle"),
            on_disk: state("on_disk"),
            idle_bytes: self.idle_bytes.get_or_create_owned(&label),
            forgotten: self.forgotten.get_or_create_owned(&label),
            mailbox: self.mailbox.get_or_create_owned(&label),
            inflight: self.inflight.get_or_create_owned(&label),
            apply: self.apply.get_or_create_owned(&label),
            journal: self.journal.of(&label),
            handoff: self.handoff.of(&label),
            shard,
            all: self.clone(),
        }
    }
}

/// The metrics of one shard.
#[derive(Clone, Debug)]
pub(crate) struct ShardMetrics {
    received: Counter,
    accepted: Counter,
    late: Counter,
    duplicate: Counter,
    no_recorded_value: Counter,
    passed_on: Counter,
    bounds_changed: Counter,
    int_overflow: Counter,
    pub(crate) live: Gauge,
    pub(crate) idle: Gauge,
    pub(crate) on_disk: Gauge,
    pub(crate) idle_bytes: Gauge,
    pub(crate) forgotten: Counter,
    pub(crate) mailbox: Gauge,
    pub(crate) inflight: BytesGauge,
    pub(crate) apply: Histogram,
    pub(crate) journal: JournalMetrics,
    pub(crate) handoff: HandoffMetrics,
    shard: ShardIndex,
    all: Metrics,
}

/// What became of the points of one or more requests: each of the `received` is in exactly one of the five fields after it, or
/// `parked`, `foreign` or `unreadable`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) no_recorded_value: u64,
    pub(crate) passed_on: u64,
    pub(crate) late: u64,
    pub(crate) bounds_changed: u64,
    pub(crate) int_overflow: u64,
    pub(crate) parked: u64,
    pub(crate) foreign: u64,
    pub(crate) unreadable: u64,
}

impl Tally {
    /// One point more that is refused for this.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal.reason()).or_default() += 1;
    }
}

impl ShardMetrics {
    /// Adds what became of a request's points.
    pub(crate) fn add(&self, tally: &Tally) {
        self.received.inc_by(tally.received);
        self.accepted.inc_by(tally.accepted);
        self.late.inc_by(tally.late);
        self.duplicate.inc_by(tally.duplicate);
        self.no_recorded_value.inc_by(tally.no_recorded_value);
        self.passed_on.inc_by(tally.passed_on);
        self.bounds_changed.inc_by(tally.bounds_changed);
        self.int_overflow.inc_by(tally.int_overflow);
        self.handoff.parked_points.inc_by(tally.parked);
        self.handoff.foreign.inc_by(tally.foreign);
        for (&reason, &points) in &tally.refused {
            self.all.refused.get_or_create(&Reason { shard: self.shard.get(), reason }).inc_by(points);
        }
    }

    /// One request more with this outcome.
    pub(crate) fn answered(&self, outcome: &'static str) {
        self.all.requests.get_or_create(&Outcome { shard: self.shard.get(), outcome }).inc();
    }

    /// The counter of requests with this outcome.
    pub(crate) fn requests(&self, outcome: &'static str) -> Counter {
        self.all.requests.get_or_create_owned(&Outcome { shard: self.shard.get(), outcome })
    }

    /// A stream was left out because its value has no series.
    pub(crate) fn not_encodable(&self, reason: &'static str) {
        self.all.not_encodable.get_or_create(&Reason { shard: self.shard.get(), reason }).inc();
    }

    /// What goes to this destination.
    pub(crate) fn to(&self, destination: &str) -> DestinationMetrics {
        let label = ToDestination { shard: self.shard.get(), destination: destination.to_owned() };
        DestinationMetrics {
            passes: self.all.passes.get_or_create_owned(&label),
            chunks: self.all.chunks.get_or_create_owned(&label),
            samples: self.all.samples.get_or_create_owned(&label),
        }
    }
}

/// The metrics of one shard's way to one destination.
#[derive(Clone, Debug)]
pub(crate) struct DestinationMetrics {
    pub(crate) passes: Counter,
    pub(crate) chunks: Counter,
    pub(crate) samples: Counter,
}
