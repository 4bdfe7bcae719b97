//! The ways to the workers of one membership: for each shard a queue, and a merger with its connection behind it.
//!
//! A lane belongs to a shard and a place. The next membership takes over those that it has too, connection and all; a worker
//! that restarted elsewhere has a new one. A lane that is not taken over is called off: what waits on it comes back to its
//! requests, and when the last request that was split by it has gone, its queue closes and its merger ends.

use std::sync::Arc;

use shardset_membership::Address;
use shardset_model::{Epoch, Membership, ShardIndex};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::acks::{Acks, PartAnswer};
use super::batch::Part;
use super::link::Link;
use super::shard::Merger;
use super::{Deliver, metrics::ShardMetrics};
use crate::membership::Routes;
use crate::route::Routed;

/// Parts that may wait for one shard's merger. Their bytes are bounded by the budget of the receiver; this bounds their
/// number at 4,096 x about 200 bytes of bookkeeping.
const QUEUED_PARTS: usize = 4096;

/// The ways to all shards of one membership.
#[derive(Debug)]
pub struct Lanes {
    membership: Arc<Membership>,
    /// In the order of shards.
    lanes: Vec<Arc<Lane>>,
}

#[derive(Debug)]
struct Lane {
    address: Address,
    queue: mpsc::Sender<Part>,
    /// The epoch that the lane is in force for; `None` when it is called off.
    serves: watch::Sender<Option<Epoch>>,
}

impl Deliver {
    /// The ways to the workers of `routes`. Those that `before` has too are the same.
    pub fn lanes(&self, routes: &Routes, before: Option<&Lanes>) -> Lanes {
        let known = |position: usize, address: &Address| {
            let lane = before?.lanes.get(position)?;
            (lane.address == *address).then(|| Arc::clone(lane))
        };
        let lane = |(shard, address): (ShardIndex, &Address)| {
            let known = known(shard.position(), address);
            known.unwrap_or_else(|| Arc::new(self.lane(shard, address, routes.epoch())))
        };
        let lanes = routes.workers().map(lane).collect();
        Lanes { membership: Arc::clone(routes.membership()), lanes }
    }

    fn lane(&self, shard: ShardIndex, address: &Address, epoch: Epoch) -> Lane {
        let (queue, parts) = mpsc::channel(QUEUED_PARTS);
        let (serves, served) = watch::channel(Some(epoch));
        let metrics: ShardMetrics = self.metrics.of_shard(shard.position());
        let link = Link::new(shard, address, &self.settings);
        let merger = Merger::new(parts, link, served, self.settings.clone(), metrics);
        self.tasks.spawn(format!("deliver-{shard}"), merger.run());
        Lane { address: address.clone(), queue, serves }
    }
}

impl Lanes {
    /// The membership that parts for these lanes are split under.
    pub const fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    /// Its version.
    pub fn epoch(&self) -> Epoch {
        self.membership.epoch()
    }

    /// Sends the parts of one request, which were split under this membership. Comes back when all of them are queued.
    pub async fn send(&self, parts: Vec<Routed>, acks: &Acks, deadline: Instant) {
        for part in parts {
            let lane = self.lanes.get(part.shard.position()).expect("a part's shard is one of its membership's");
            let Routed { bytes, resources, points, .. } = part;
            let membership = Arc::clone(&self.membership);
            lane.enqueue(Part { bytes, resources, membership, deadline, ack: acks.part(points) }).await;
        }
    }

    /// `next` is in force: what waits on a lane under an older epoch, or on one that `next` does not have, comes back.
    pub(crate) fn make_way(&self, next: &Self) {
        for (position, lane) in self.lanes.iter().enumerate() {
            let is_kept = next.lanes.get(position).is_some_and(|other| Arc::ptr_eq(lane, other));
            lane.serves.send_replace(is_kept.then(|| next.epoch()));
        }
    }
}

impl Lane {
    async fn enqueue(&self, part: Part) {
        match timeout_at(part.deadline, self.queue.reserve()).await {
            Ok(Ok(place)) => place.send(part),
            Ok(Err(_)) => part.ack.settle(PartAnswer::unavailable("the gateway is stopping")),
            Err(_) => part.ack.settle(PartAnswer::unavailable("too many requests wait for this worker")),
        }
    }
}
