//! What a worker counts of its journal.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use shardset_journal::Statistics;

use super::Shard;

/// The metrics of all shards' journals.
#[derive(Clone, Debug)]
pub(super) struct Families {
    commits: Family<Shard, Histogram, fn() -> Histogram>,
    bytes: Family<Shard, Counter>,
    failures: Family<Shard, Counter>,
    unwritable: Family<Shard, Gauge>,
    checkpoints: Family<Shard, Counter>,
    disk: Family<Shard, Gauge>,
}

/// The metrics of one shard's journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalMetrics {
    commits: Histogram,
    bytes: Counter,
    failures: Counter,
    unwritable: Gauge,
    pub(crate) checkpoints: Counter,
    disk: Gauge,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            // From 50 µs, a write without a sync, to 3 s, a disk in trouble.
            commits: Family::new_with_constructor(|| Histogram::new(exponential_buckets(50e-6, 2.0, 17))),
            bytes: Family::default(),
            failures: Family::default(),
            unwritable: Family::default(),
            checkpoints: Family::default(),
            disk: Family::default(),
        }
    }
}

impl Families {
    pub(super) fn register(&self, registry: &mut Registry) {
        let name = |name: &str| format!("shardset_worker_journal_{name}");
        registry.register(name("commit_seconds"), "Time that one commit of the journal took", self.commits.clone());
        registry.register(name("committed_bytes"), "Bytes of changes committed", self.bytes.clone());
        registry.register(name("failures"), "Times that the journal could not be written", self.failures.clone());
        let unwritable = "1 while the journal can not be written and points are refused for it, else 0";
        registry.register(name("unwritable"), unwritable, self.unwritable.clone());
        registry.register(name("checkpoints"), "Checkpoints written", self.checkpoints.clone());
        registry.register(name("disk_bytes"), "Bytes of the log on the disk", self.disk.clone());
    }

    pub(super) fn of(&self, label: &Shard) -> JournalMetrics {
        JournalMetrics {
            commits: self.commits.get_or_create_owned(label),
            bytes: self.bytes.get_or_create_owned(label),
            failures: self.failures.get_or_create_owned(label),
            unwritable: self.unwritable.get_or_create_owned(label),
            checkpoints: self.checkpoints.get_or_create_owned(label),
            disk: self.disk.get_or_create_owned(label),
        }
    }
}

impl JournalMetrics {
    /// So many bytes are durable, and that took so long.
    pub(crate) fn committed(&self, bytes: usize, took: Duration) {
        if bytes > 0 {
            self.commits.observe(took.as_secs_f64());
            self.bytes.inc_by(bytes as u64);
        }
    }

    /// It can not be written.
    pub(crate) fn failed(&self) {
        self.failures.inc();
        self.unwritable.set(1);
    }

    /// It can be written again.
    pub(crate) fn able(&self) {
        self.unwritable.set(0);
    }

    /// How long the log is.
    pub(crate) fn show(&self, statistics: Statistics) {
        self.disk.set(i64::try_from(statistics.disk_bytes).unwrap_or(i64::MAX));
    }
}
