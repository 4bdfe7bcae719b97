//! The workers of this process and their membership: what `shardset local` coordinates.
//!
//! The membership is kept in a file of the data directory, and told to the gateway of this process at once. Workers keep their
//! ordinal and get a new port at each start; what is published says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use shardset_coordinator::{Cluster, ClusterError};
use shardset_membership::{Address, Expect, ReadError, Record, WorkerAt, publish, read};
use shardset_model::{Membership, ShardCount, ShardIndex};
use shardset_worker::scrape::Sources;
use shardset_worker::{ExportTo, Process, Setup, Worker};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::LocalArgs;
use crate::state;

/// The workers of one process.
pub(super) struct LocalCluster {
    args: LocalArgs,
    destinations: Vec<ExportTo>,
    process: Process,
    path: PathBuf,
    workers: BTreeMap<ShardIndex, Worker>,
    sources: Sources,
    records: watch::Sender<Option<Arc<Record>>>,
}

impl LocalCluster {
    /// No workers yet; what is published goes to `records` as well.
    pub(super) fn new(
        args: LocalArgs,
        destinations: Vec<ExportTo>,
        process: Process,
        sources: Sources,
        records: watch::Sender<Option<Arc<Record>>>,
    ) -> Self {
        let path = args.count.data_dir.join("membership.json");
        Self { args, destinations, process, path, workers: BTreeMap::new(), sources, records }
    }

    /// What is published.
    pub(super) fn read(&self) -> Result<Option<Record>, ClusterError> {
        match read(&self.path) {
            Ok(record) => Ok(Some(record)),
            Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClusterError::because(
                "the published membership can not be read; remove the file, and it is learnt from the workers again",
                error,
            )),
        }
    }

    /// Says again what is published, with the addresses that the workers have now.
    pub(super) fn publish_addresses(&mut self, membership: Membership) -> Result<(), ClusterError> {
        let record = self.record(membership)?;
        self.put(Expect::Anything, record)
    }

    /// Stops all workers, at the same time.
    ///
    /// # Errors
    ///
    /// The first that could not keep its state.
    pub(super) async fn stop_all(self) -> anyhow::Result<()> {
        let mut stopping: JoinSet<_> = self.workers.into_values().map(Worker::stop).collect();
        let mut outcome = Ok(());
        while let Some(stopped) = stopping.join_next().await {
            outcome = outcome.and(stopped?.map_err(anyhow::Error::from));
        }
        outcome
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.workers.len()
    }

    async fn start(&self, shard: ShardIndex, of: u32) -> anyhow::Result<Worker> {
        let settings = self.args.count.settings(&self.args.receive.limits, of)?;
        let opening = state::open(&self.args.count, shard)?;
        let setup = Setup { settings, shard, destinations: self.destinations.clone() };
        Ok(Worker::start(setup, opening, &self.process).await?)
    }

    /// The limit of streams is of the process: each worker has its part of it.
    async fn share_limit(&self) {
        let each = self.args.count.max_streams(u32::try_from(self.workers.len()).unwrap_or(u32::MAX));
        for worker in self.workers.values() {
            worker.handle().limit_streams(each).await;
        }
    }

    fn record(&self, membership: Membership) -> Result<Record, ClusterError> {
        let at = |(shard, worker): (&ShardIndex, &Worker)| WorkerAt {
            shard: shard.get(),
            address: worker.address().into(),
            uid: None,
        };
        Record::new(membership, self.workers.iter().map(at).collect())
            .map_err(|error| ClusterError::because("the membership can not be published", error))
    }

    fn put(&self, expected: Expect, record: Record) -> Result<(), ClusterError> {
        publish(&self.path, expected, &record)
            .map_err(|error| ClusterError::because("the membership can not be published", error))?;
        self.records.send_replace(Some(Arc::new(record)));
        Ok(())
    }
}

impl Cluster for LocalCluster {
    async fn published(&mut self) -> Result<Option<Record>, ClusterError> {
        self.read()
    }

    fn workers(&mut self) -> BTreeMap<ShardIndex, Address> {
        self.workers.iter().map(|(shard, worker)| (*shard, worker.address().into())).collect()
    }

    async fn publish(&mut self, seen: Option<&Record>, next: Membership) -> Result<bool, ClusterError> {
        let record = self.record(next)?;
        let expected =
            seen.map_or(Expect::Nothing, |seen| Expect::At(seen.membership().epoch(), seen.membership().phase()));
        self.put(expected, record).map(|()| true)
    }

    async fn run(&mut self, shards: ShardCount) -> Result<(), ClusterError> {
        let missing: Vec<ShardIndex> = shards.shards().filter(|shard| !self.workers.contains_key(shard)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for shard in missing {
            let worker = self.start(shard, shards.get()).await;
            let worker =
                worker.map_err(|error| ClusterError::new(format!("worker {shard} can not start: {error:#}")))?;
            self.sources.insert(&worker);
            self.workers.insert(shard, worker);
        }
        self.share_limit().await;
        Ok(())
    }

    async fn stop(&mut self, from: ShardCount) -> Result<(), ClusterError> {
        while let Some(entry) = self.workers.last_entry().filter(|entry| entry.key().get() >= from.get()) {
            let (shard, worker) = entry.remove_entry();
            self.sources.remove(shard);
            worker
                .stop()
                .await
                .map_err(|error| ClusterError::because(format!("worker {shard} does not stop well"), error))?;
        }
        self.share_limit().await;
        Ok(())
    }
}
