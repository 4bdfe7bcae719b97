//! A membership with the places of its workers, whole.
//!
//! A record that leaves one shard out would make a gateway hold back or lose that shard's points, so it is refused where it
//! is made: there is a worker for every shard, and while streams move also for every shard that there was before, because
//! those still have streams to send. More may be listed: a spare worker is known before a larger membership needs it.

use shardset_model::{Membership, Phase, ShardCount, UnixMillis};
use thiserror::Error;

use crate::{Address, Origin};

/// A published membership. Its workers are in the order of their shards, one each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    membership: Membership,
    workers: Vec<WorkerAt>,
    published: Option<UnixMillis>,
    origin: Origin,
}

/// Where one shard's worker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerAt {
    /// The number of its shard. A number and no index: a spare worker is beyond the membership's count.
    pub shard: u32,
    /// Where it takes points.
    pub address: Address,
    /// Tells a new worker from an earlier one with the same number (a pod's uid). Compared and not looked into.
    pub uid: Option<Box<str>>,
}

/// Why workers do not make a record.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum InvalidRecord {
    /// Nobody is listed.
    #[error("it lists no workers: list one for each shard")]
    Empty,
    /// A shard has no worker.
    #[error("no worker is listed for shard {0}: list one for each shard, and while Moving for each one before as well")]
    Missing(u32),
    /// Two workers for one shard: both would count its streams.
    #[error("two workers are listed for shard {0}: list one")]
    Twice(u32),
    /// One worker for two shards: it serves one and would be sent the other's points.
    #[error("{address} is listed for shard {first} and for shard {second}: a worker serves one shard")]
    SharedAddress {
        /// Where it is.
        address: Address,
        /// One of its shards.
        first: u32,
        /// The other.
        second: u32,
    },
    /// No membership has so many shards.
    #[error("a worker is listed for shard {0}: the largest number is {max}", max = ShardCount::MAX - 1)]
    OutOfRange(u32),
}

impl Record {
    /// `membership`, served by `workers`, in any order.
    ///
    /// # Errors
    ///
    /// The first rule that the workers break.
    pub fn new(membership: Membership, mut workers: Vec<WorkerAt>) -> Result<Self, InvalidRecord> {
        workers.sort_by_key(|worker| worker.shard);
        check_each_once(&workers)?;
        check_all_there(&membership, &workers)?;
        Ok(Self { membership, workers, published: None, origin: Origin::default() })
    }

    /// The same record, published at this time.
    #[must_use]
    pub fn published_at(self, time: UnixMillis) -> Self {
        Self { published: Some(time), ..self }
    }

    /// The same record, which came this way.
    #[must_use]
    pub fn from_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// The same record with its workers elsewhere.
    ///
    /// # Errors
    ///
    /// As for [`Record::new`].
    pub fn placed(&self, workers: Vec<WorkerAt>) -> Result<Self, InvalidRecord> {
        let record = Self::new(self.membership.clone(), workers)?;
        Ok(Self { published: self.published, origin: self.origin, ..record })
    }

    /// Who owns which streams.
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Everybody who is listed, spare workers included, by ascending shard.
    pub fn workers(&self) -> &[WorkerAt] {
        &self.workers
    }

    /// When it was published, if it says so.
    pub const fn published(&self) -> Option<UnixMillis> {
        self.published
    }

    /// How it came.
    pub const fn origin(&self) -> Origin {
        self.origin
    }
}

fn check_each_once(workers: &[WorkerAt]) -> Result<(), InvalidRecord> {
    if let Some(beyond) = workers.iter().find(|worker| worker.shard >= ShardCount::MAX) {
        return Err(InvalidRecord::OutOfRange(beyond.shard));
    }
    if let Some(pair) = workers.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        return Err(InvalidRecord::Twice(pair[0].shard));
    }
    let mut by_address: Vec<&WorkerAt> = workers.iter().collect();
    by_address.sort_by_key(|worker| &worker.address);
    match by_address.windows(2).find(|pair| pair[0].address == pair[1].address) {
        Some(pair) => Err(InvalidRecord::SharedAddress {
            address: pair[0].address.clone(),
            first: pair[0].shard,
            second: pair[1].shard,
        }),
        None => Ok(()),
    }
}

/// The workers are sorted and none is there twice, so all of the first `n` are there if the n-th has the number n.
fn check_all_there(membership: &Membership, workers: &[WorkerAt]) -> Result<(), InvalidRecord> {
    if workers.is_empty() {
        return Err(InvalidRecord::Empty);
    }
    let shards = membership.shards().get();
    let needed = match membership.phase() {
        Phase::Stable => shards,
        Phase::Moving => shards.max(membership.previous().get()),
    };
    let missing = (0..needed).zip(workers.iter().map(|worker| Some(worker.shard)).chain(std::iter::repeat(None)));
    match missing.into_iter().find(|(wanted, listed)| *listed != Some(*wanted)) {
        Some((wanted, _)) => Err(InvalidRecord::Missing(wanted)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use shardset_model::{Membership, Phase};

    use super::{InvalidRecord, Record, WorkerAt};

    fn workers(shards: impl IntoIterator<Item = u32>) -> Vec<WorkerAt> {
        let at = |shard| WorkerAt { shard, address: format!("w{shard}:4317").parse().unwrap(), uid: None };
        shards.into_iter().map(at).collect()
    }

    #[test]
    fn a_record_has_one_worker_for_each_shard_of_both_generations() {
        let record = |shards, previous, phase, workers| {
            let membership = Membership::new(7, shards, previous, phase).unwrap();
            Record::new(membership, workers).map(|record| record.workers().len())
        };
        let (stable, moving) = (Phase::Stable, Phase::Moving);
        let mut shared = workers(0..3);
        shared[2].address = shared[0].address.clone();
        let shared_address = InvalidRecord::SharedAddress { address: shared[0].address.clone(), first: 0, second: 2 };
        let table = [
            ("all there", 3, 3, stable, workers(0..3), Ok(3)),
            ("in any order", 3, 3, stable, workers([2, 0, 1]), Ok(3)),
            ("with spare ones", 3, 3, stable, workers([0, 1, 2, 3, 9]), Ok(5)),
            ("growing", 5, 3, moving, workers(0..5), Ok(5)),
            ("shrinking", 2, 5, moving, workers(0..5), Ok(5)),
            ("shrunk", 2, 5, stable, workers(0..2), Ok(2)),
            ("nobody", 3, 3, stable, vec![], Err(InvalidRecord::Empty)),
            ("the last one is missing", 3, 3, stable, workers(0..2), Err(InvalidRecord::Missing(2))),
            ("one is missing before a spare one", 3, 3, stable, workers([0, 2, 3]), Err(InvalidRecord::Missing(1))),
            ("a leaving one is missing", 2, 5, moving, workers(0..4), Err(InvalidRecord::Missing(4))),
            ("a coming one is missing", 5, 3, moving, workers(0..4), Err(InvalidRecord::Missing(4))),
            ("two for one", 2, 2, stable, workers([0, 1, 1]), Err(InvalidRecord::Twice(1))),
            ("one for two", 3, 3, stable, shared, Err(shared_address)),
            ("too many", 1, 1, stable, workers([0, 1000]), Err(InvalidRecord::OutOfRange(1000))),
        ];
        for (what, shards, previous, phase, workers, expected) in table {
            assert_eq!(record(shards, previous, phase, workers), expected, "{what}");
        }
    }
}
