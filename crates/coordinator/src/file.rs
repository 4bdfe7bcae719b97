//! A membership in a file, which lists the workers that may be used; whoever runs them starts and stops them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use shardset_membership::{Address, Expect, PublishError, ReadError, Record, WorkerAt, publish, read};
use shardset_model::{Membership, ShardCount, ShardIndex};
use shardset_tls::PeerTls;

use crate::cluster::{Cluster, ClusterError};

/// The membership file at a path.
#[derive(Debug)]
pub struct FileCluster {
    path: PathBuf,
    /// Where workers are, in the order of ordinals, in addition to those that the file lists.
    pool: Vec<Address>,
    listed: Vec<WorkerAt>,
    tls: PeerTls,
}

impl FileCluster {
    /// The file at `path`; the workers in `pool` go before those that the file lists.
    pub fn new(path: PathBuf, pool: Vec<Address>, tls: PeerTls) -> Self {
        Self { path, pool, listed: Vec::new(), tls }
    }

    /// Who is listed: the file's workers, with the addresses of the pool in the place of theirs.
    fn known(&self) -> Vec<WorkerAt> {
        let pool =
            self.pool.iter().zip(0..).map(|(address, shard)| WorkerAt { shard, address: address.clone(), uid: None });
        let pooled = self.pool.len();
        let others = self.listed.iter().filter(|worker| worker.shard as usize >= pooled).cloned();
        pool.chain(others).collect()
    }
}

impl Cluster for FileCluster {
    fn tls(&self) -> PeerTls {
        self.tls.clone()
    }

    async fn published(&mut self) -> Result<Option<Record>, ClusterError> {
        match read(&self.path) {
            Ok(record) => {
                self.listed = record.workers().to_vec();
                Ok(Some(record))
            }
            Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClusterError::because("the membership file can not be used", error)),
        }
    }

    fn workers(&mut self) -> BTreeMap<ShardIndex, Address> {
        let all = ShardCount::new(ShardCount::MAX);
        let index = |number| all.and_then(|all| all.shard(number));
        self.known().into_iter().filter_map(|worker| Some((index(worker.shard)?, worker.address))).collect()
    }

    async fn publish(&mut self, seen: Option<&Record>, next: Membership) -> Result<bool, ClusterError> {
        let record = Record::new(next, self.known())
            .map_err(|error| ClusterError::because("the membership can not be published", error))?;
        let expected =
            seen.map_or(Expect::Nothing, |seen| Expect::At(seen.membership().epoch(), seen.membership().phase()));
        match publish(&self.path, expected, &record) {
            Ok(()) => Ok(true),
            Err(PublishError::Changed { .. }) => Ok(false),
            Err(error) => Err(ClusterError::because("the membership can not be published", error)),
        }
    }

    async fn run(&mut self, shards: ShardCount) -> Result<(), ClusterError> {
        let workers = self.workers();
        match shards.shards().find(|shard| !workers.contains_key(shard)) {
            None => Ok(()),
            Some(shard) => Err(ClusterError::new(format!(
                "no address is known for worker {shard}: start it, and list its address in {} or with --worker",
                self.path.display()
            ))),
        }
    }

    async fn stop(&mut self, from: ShardCount) -> Result<(), ClusterError> {
        tracing::info!(from = from.get(), "workers from this ordinal on are not needed any more and can be stopped");
        Ok(())
    }
}
