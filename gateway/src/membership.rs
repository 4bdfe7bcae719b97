//! What the gateway routes by: a membership, and where the worker of each of its shards is.
//!
//! A request is split under one membership and stays with it; when another one comes, new requests take that and what was
//! split before is split again. So routes are a value that never changes, and a change is a new one (`follow`).
//!
//! There are two ways to newer routes. The ordinary one is a published record. The other is a worker's refusal, which names
//! the worker's own membership: that is adopted when every shard of it has a worker whose place is known, because a record
//! lists spare workers and those of the generation before as well. Either way epochs only grow.
//!
//! Pure; the shell around it is `follow`.

mod metrics;

use std::collections::BTreeMap;
use std::sync::Arc;

use shardset_membership::{Address, Origin, Record, Refused, follows};
use shardset_model::{Epoch, Membership, ShardIndex};

pub use metrics::MembershipMetrics;

/// A membership, and the place of the worker of each of its shards. Places of other workers are kept for a later one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routes {
    membership: Arc<Membership>,
    places: BTreeMap<u32, Address>,
    origin: Origin,
}

impl Routes {
    /// The routes of this record.
    pub fn new(record: &Record) -> Self {
        let places = record.workers().iter().map(|worker| (worker.shard, worker.address.clone())).collect();
        Self { membership: Arc::new(record.membership().clone()), places, origin: record.origin() }
    }

    /// The routes of `record` for a gateway that has `held`.
    ///
    /// # Errors
    ///
    /// Why it may not take them.
    pub fn after(held: Option<&Self>, record: &Record) -> Result<Self, Refused> {
        if let Some(held) = held {
            follows(&held.membership, record.membership())?;
        }
        Ok(Self::new(record))
    }

    /// These routes under a newer membership, if all of its workers have a place here.
    pub fn adopt(&self, newer: &Membership) -> Option<Self> {
        let known = newer.shards().shards().all(|shard| self.places.contains_key(&shard.get()));
        let adopts = known && newer.epoch() > self.epoch();
        let (membership, places) = (Arc::new(newer.clone()), self.places.clone());
        adopts.then_some(Self { membership, places, origin: Origin::Refusal })
    }

    /// Who owns which streams.
    pub const fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    /// How it came.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Its version.
    pub fn epoch(&self) -> Epoch {
        self.membership.epoch()
    }

    /// The workers of all shards, in the order of shards.
    pub fn workers(&self) -> impl Iterator<Item = (ShardIndex, &Address)> {
        let place = |shard: ShardIndex| self.places.get(&shard.get());
        let worker = move |shard| (shard, place(shard).expect("routes have a place for each shard when they are made"));
        self.membership.shards().shards().map(worker)
    }
}

#[cfg(test)]
mod tests {
    use shardset_membership::{Record, Refused, WorkerAt};
    use shardset_model::{Membership, Phase};

    use super::Routes;

    fn at(epoch: u64, shards: u32, previous: u32) -> Membership {
        let phase = if shards == previous { Phase::Stable } else { Phase::Moving };
        Membership::new(epoch, shards, previous, phase).unwrap()
    }

    /// A record that lists so many workers, all of them on `port`.
    fn record(membership: Membership, workers: u32, port: u16) -> Record {
        let worker = |shard| WorkerAt { shard, address: format!("w{shard}:{port}").parse().unwrap(), uid: None };
        Record::new(membership, (0..workers).map(worker).collect()).unwrap()
    }

    fn places(routes: &Routes) -> Vec<String> {
        routes.workers().map(|(shard, address)| format!("{shard} {address}")).collect()
    }

    #[test]
    fn routes_have_one_place_for_each_shard_of_the_membership() {
        let routes = Routes::new(&record(at(7, 2, 4), 5, 1));
        assert_eq!(places(&routes), ["0 w0:1", "1 w1:1"]);
    }

    #[test]
    fn a_membership_out_of_a_refusal_is_adopted_when_all_of_its_workers_are_known() {
        let held = Routes::new(&record(at(7, 3, 3), 5, 1));
        let table = [
            ("more shards, spare workers are listed", at(8, 5, 3), Some(5)),
            ("more shards than workers are listed", at(8, 6, 3), None),
            ("fewer shards", at(8, 2, 3), Some(2)),
            ("fewer, after some that were never known", at(9, 2, 7), Some(2)),
            ("the same epoch", at(7, 3, 3), None),
            ("an older one", at(6, 2, 2), None),
        ];
        for (what, newer, expected) in table {
            let adopted = held.adopt(&newer);
            assert_eq!(adopted.as_ref().map(|routes| places(routes).len()), expected, "{what}");
            assert!(adopted.is_none_or(|routes| **routes.membership() == newer), "{what}");
        }
    }

    #[test]
    fn a_record_replaces_what_was_adopted_and_never_what_is_newer() {
        let adopted = Routes::new(&record(at(7, 3, 3), 5, 1)).adopt(&at(8, 5, 3)).unwrap();
        let published = Routes::after(Some(&adopted), &record(at(8, 5, 3), 5, 2)).unwrap();
        assert_eq!(places(&published)[4], "4 w4:2");
        let late = Routes::after(Some(&adopted), &record(at(7, 3, 3), 5, 2));
        assert_eq!(late.as_ref().map_err(Refused::reason), Err("older_epoch"));
        assert!(Routes::after(None, &record(at(7, 3, 3), 5, 2)).is_ok());
    }
}
