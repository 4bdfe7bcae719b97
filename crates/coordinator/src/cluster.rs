//! What a coordinator works on: where the membership is published, and how workers come and go.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;

use shardset_membership::{Address, Record};
use shardset_model::{Membership, SetName, ShardCount, ShardIndex};
use shardset_tls::PeerTls;
use thiserror::Error as ThisError;

/// A set of workers and its membership.
pub trait Cluster: Send {
    /// What the set is called, where workers of others can be reached too.
    fn set(&self) -> Option<SetName> {
        None
    }

    /// Whether its workers are reached with TLS.
    fn tls(&self) -> PeerTls {
        PeerTls::default()
    }

    /// What is published.
    fn published(&mut self) -> impl Future<Output = Result<Option<Record>, ClusterError>> + Send;

    /// Where the workers are that run, or may run: members and others.
    fn workers(&mut self) -> BTreeMap<ShardIndex, Address>;

    /// Publishes `next`, on condition that `seen` still is what is published. Says whether it did: if not, somebody else was
    /// faster, and everything is to be looked at again.
    fn publish(
        &mut self,
        seen: Option<&Record>,
        next: Membership,
    ) -> impl Future<Output = Result<bool, ClusterError>> + Send;

    /// Makes sure that so many workers run, or will.
    fn run(&mut self, shards: ShardCount) -> impl Future<Output = Result<(), ClusterError>> + Send;

    /// Workers from this ordinal on are not needed any more. Their disks may be kept.
    fn stop(&mut self, from: ShardCount) -> impl Future<Output = Result<(), ClusterError>> + Send;
}

/// Why a step can not be done now; the next round tries again.
#[derive(Debug, ThisError)]
#[error("{what}")]
pub struct ClusterError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ClusterError {
    /// What can not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// What can not be done, and why.
    pub fn because(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { what: what.into(), source: Some(Box::new(source)) }
    }
}
