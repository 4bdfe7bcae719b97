//! A worker in a process of its own, as far as it can tell.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use shardset_model::{Epoch, Membership, ShardCount};
use shardset_process::{Readiness, Tasks, clock};
use shardset_remote_write::client::RetrySettings;
use shardset_remote_write::{ClientMetrics, Destination, DestinationSettings};
use shardset_worker::persist::{Journal, Volatile};
use shardset_worker::{ExportTo, Metrics, Process, Settings, Setup, StartError, Worker};
use tempfile::TempDir;

use crate::backend::{Backend, PATIENCE};
use crate::sender::Sender;

/// A running worker and what belongs to it.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) worker: Worker,
    pub(crate) process: Process,
    pub(crate) registry: Registry,
    pub(crate) membership: Membership,
    pub(crate) dir: Arc<TempDir>,
}

/// Settings whose ticks are fast.
pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        export_interval: Duration::from_millis(50),
        heartbeat: Duration::from_secs(3600),
        stop_grace: Duration::from_secs(10),
        ..Settings::new(dir.to_owned())
    }
}

/// Three shards, of which the worker of these tests serves the first.
pub(crate) fn three_shards(epoch: u64) -> Membership {
    let shards = ShardCount::new(3).unwrap();
    Membership::stable(Epoch::new(epoch).unwrap(), shards)
}

pub(crate) fn one_shard() -> Membership {
    Membership::stable(Epoch::FIRST, ShardCount::ONE)
}

pub(crate) fn to(name: &str, url: &str) -> ExportTo {
    let quick = RetrySettings { longest: Duration::from_millis(100), ..RetrySettings::default() };
    let settings = DestinationSettings { retry: quick, ..DestinationSettings::new(url) };
    let destination = Destination::new(&settings, ClientMetrics::default().of("test"), clock::now).unwrap();
    ExportTo { name: name.to_owned(), destination: Arc::new(destination) }
}

impl Harness {
    /// One shard, one destination, an empty directory.
    pub(crate) async fn start(backend: &Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    pub(crate) async fn start_with(backend: &Backend, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = settings(dir.path());
        change(&mut settings);
        Self::run(settings, one_shard(), vec![to("main", &backend.url)], dir).await
    }

    pub(crate) async fn run(
        settings: Settings,
        membership: Membership,
        destinations: Vec<ExportTo>,
        dir: Arc<TempDir>,
    ) -> Self {
        Self::try_run(settings, membership, destinations, dir).await.unwrap()
    }

    pub(crate) async fn try_run(
        settings: Settings,
        membership: Membership,
        destinations: Vec<ExportTo>,
        dir: Arc<TempDir>,
    ) -> Result<Self, StartError> {
        Self::try_run_shard(settings, membership, 0, destinations, dir).await
    }

    pub(crate) async fn run_shard(
        settings: Settings,
        membership: Membership,
        shard: u32,
        destinations: Vec<ExportTo>,
        dir: Arc<TempDir>,
    ) -> Self {
        Self::try_run_shard(settings, membership, shard, destinations, dir).await.unwrap()
    }

    async fn try_run_shard(
        settings: Settings,
        membership: Membership,
        shard: u32,
        destinations: Vec<ExportTo>,
        dir: Arc<TempDir>,
    ) -> Result<Self, StartError> {
        let index = membership.shards().shard(shard).unwrap();
        let journal =
            Volatile::open(&settings.data_dir, index).map_err(|source| StartError::Recover { shard: index, source })?;
        Self::run_on(settings, membership, shard, destinations, dir, journal).await
    }

    pub(crate) async fn run_on(
        settings: Settings,
        membership: Membership,
        shard: u32,
        destinations: Vec<ExportTo>,
        dir: Arc<TempDir>,
        journal: impl Journal,
    ) -> Result<Self, StartError> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let process = Process { tasks: Tasks::default(), readiness: Readiness::default(), metrics };
        let shard = membership.shards().shard(shard).unwrap();
        let setup = Setup { settings, shard, membership: membership.clone(), destinations };
        let worker = Worker::start(setup, journal, &process).await?;
        Ok(Self { worker, process, registry, membership, dir })
    }

    /// Stops the worker and waits until nothing of it runs.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        tokio::time::timeout(PATIENCE, self.worker.stop()).await.unwrap().unwrap();
        tokio::time::timeout(PATIENCE, self.process.tasks.finished()).await.unwrap().unwrap();
        self.dir
    }

    /// A gateway of the worker's own membership.
    pub(crate) async fn sender(&self) -> Sender {
        Sender::connect(self.worker.address(), Some(self.membership.clone())).await
    }

    /// The value of one of the worker's metrics, by how its line begins.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.split(' ').next_back());
        value.map_or(0, |value| value.parse().unwrap())
    }
}

impl Harness {
    /// Waits until a metric is as wished: what it counts may happen after the answer.
    pub(crate) async fn wait_metric(&self, line: &str, wished: impl Fn(u64) -> bool) {
        let waiting = async {
            while !wished(self.metric(line)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "waited in vain for {line}, which is {}", self.metric(line));
    }
}

/// Now, in ns.
pub(crate) fn now() -> u64 {
    clock::now().0
}
