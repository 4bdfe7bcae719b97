//! A worker in a process of its own, as far as it can tell: a runtime and a thread that end with it, and a disk that does not.
//!
//! A test stops it, or kills it: then nothing of it is finished and nothing is said, as after SIGKILL. What the machine had not
//! synced is lost only where the test says so as well ([`MemoryDisk::crash`]).

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use shardset_export::client::RetrySettings;
use shardset_export::{ClientMetrics, Destination, DestinationSettings, Protocol};
use shardset_handoff::{Adopt, Report};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{Journal, Storage};
use shardset_model::{Epoch, Incarnation, Membership, Phase, ShardCount, ShardIndex};
use shardset_process::{Readiness, Tasks, clock};
use shardset_wire::AdoptRequest;
use shardset_worker::{ExportTo, Metrics, Process, Settings, Setup, Worker};
use tokio::runtime::{Builder, Runtime};

use crate::backend::{Backend, PATIENCE};
use crate::sender::Sender;

/// What a worker is started with. A test changes what it is about.
#[derive(Debug)]
pub(crate) struct Launch<S> {
    pub(crate) settings: Settings,
    pub(crate) journal: shardset_journal::Settings,
    /// What it is told before it is sent anything; nothing where it has to know it from its disk, or is to know nothing.
    pub(crate) told: Option<Membership>,
    /// What its gateway goes by.
    pub(crate) membership: Membership,
    pub(crate) destinations: Vec<ExportTo>,
    pub(crate) disk: S,
}

/// A running worker and what belongs to it.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) worker: Worker,
    pub(crate) process: Process,
    pub(crate) registry: Registry,
    pub(crate) membership: Membership,
    pub(crate) incarnation: Incarnation,
    runtime: Life,
}

/// The runtime that a worker lives in.
#[derive(Debug)]
struct Life(Option<Runtime>);

/// Three shards, of which the worker of these tests serves the first.
pub(crate) fn three_shards(epoch: u64) -> Membership {
    Membership::stable(Epoch::new(epoch).unwrap(), ShardCount::new(3).unwrap())
}

pub(crate) fn one_shard() -> Membership {
    Membership::stable(Epoch::FIRST, ShardCount::ONE)
}

pub(crate) fn moving(epoch: u64, previous: u32, shards: u32) -> Membership {
    Membership::new(epoch, shards, previous, Phase::Moving).unwrap()
}

pub(crate) fn shard(number: u32) -> ShardIndex {
    ShardCount::new(ShardCount::MAX).unwrap().shard(number).unwrap()
}

pub(crate) fn to(name: &str, url: &str) -> ExportTo {
    to_by(Protocol::RemoteWrite, name, url)
}

pub(crate) fn to_by(protocol: Protocol, name: &str, url: &str) -> ExportTo {
    let quick = RetrySettings { longest: Duration::from_millis(100), ..RetrySettings::default() };
    let settings = DestinationSettings { retry: quick, ..DestinationSettings::new(protocol, url) };
    let destination = Destination::new(&settings, ClientMetrics::default().of("test"), clock::now).unwrap();
    ExportTo { name: name.to_owned(), destination: Arc::new(destination) }
}

/// A life of a disk that no other one has.
pub(crate) fn incarnation() -> Incarnation {
    static LIVES: AtomicU64 = AtomicU64::new(1);
    Incarnation::new(LIVES.fetch_add(1, Ordering::Relaxed).into()).unwrap()
}

impl<S: Storage + 'static> Launch<S> {
    /// The only shard there is, with ticks that are fast, and no destination.
    pub(crate) fn on(disk: S) -> Self {
        let settings = Settings {
            export_interval: Duration::from_millis(50),
            heartbeat: Duration::from_secs(3600),
            stop_grace: Duration::from_secs(10),
            ..Settings::default()
        };
        let journal = shardset_journal::Settings::new(shard(0));
        Self { settings, journal, told: Some(one_shard()), membership: one_shard(), destinations: Vec::new(), disk }
    }

    pub(crate) fn to(mut self, backend: &Backend) -> Self {
        self.destinations.push(to("main", &backend.url));
        self
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Another shard of a larger set.
    pub(crate) fn of(mut self, number: u32, membership: Membership) -> Self {
        self.journal.shard = shard(number);
        self.told = Some(membership.clone());
        self.membership = membership;
        self
    }

    /// Nobody tells it the membership.
    pub(crate) fn untold(mut self) -> Self {
        self.told = None;
        self
    }

    pub(crate) async fn run(self) -> Harness {
        self.try_run().await.unwrap()
    }

    pub(crate) async fn try_run(self) -> Result<Harness, Box<dyn Error + Send + Sync>> {
        let opening = Journal::open(self.disk, self.journal, incarnation())?;
        let incarnation = opening.incarnation();
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let process = Process { tasks: Tasks::default(), readiness: Readiness::default(), metrics };
        let setup = Setup { settings: self.settings, shard: self.journal.shard, destinations: self.destinations };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let lives = process.clone();
        let started = runtime.spawn(async move { Worker::start(setup, opening, &lives).await });
        let runtime = Life(Some(runtime));
        let worker = started.await??;
        let harness = Harness { worker, process, registry, membership: self.membership, incarnation, runtime };
        if let Some(told) = &self.told {
            harness.tell(told, Vec::new()).await;
        }
        Ok(harness)
    }
}

impl Harness {
    /// One shard, one destination, an empty disk.
    pub(crate) async fn start(backend: &Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    pub(crate) async fn start_with(backend: &Backend, change: impl FnOnce(&mut Settings)) -> Self {
        Launch::on(MemoryDisk::new(1)).to(backend).set(change).run().await
    }

    /// What a coordinator does.
    pub(crate) async fn tell(&self, membership: &Membership, addresses: Vec<(ShardIndex, String)>) -> Report {
        let incarnation = self.incarnation;
        let adopt = Adopt { incarnation, membership: membership.clone(), incarnations: Vec::new() };
        self.worker.handle().adopt(AdoptRequest { adopt, addresses }).await.unwrap()
    }

    pub(crate) async fn report(&self) -> Report {
        self.worker.handle().report().await.unwrap()
    }

    /// Stops the worker and waits until nothing of it runs.
    pub(crate) async fn stop(self) {
        tokio::time::timeout(PATIENCE, self.worker.stop()).await.unwrap().unwrap();
        tokio::time::timeout(PATIENCE, self.process.tasks.finished()).await.unwrap().unwrap();
    }

    /// The process dies in the middle of whatever it does. Waits until its disk is free.
    pub(crate) async fn kill(self) {
        let Self { worker, process, runtime, .. } = self;
        drop((worker, runtime));
        tokio::time::timeout(PATIENCE, process.tasks.finished()).await.unwrap().unwrap();
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

    /// Waits until a metric is as wished: what it counts may happen after the answer.
    pub(crate) async fn wait_metric(&self, line: &str, wished: impl Fn(u64) -> bool) {
        wait(line, || wished(self.metric(line))).await;
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Not waited for: a test's own runtime must not block.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Waits until something is so.
pub(crate) async fn wait(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

/// Now, in ns.
pub(crate) fn now() -> u64 {
    clock::now().0
}
