//! Who has what to do with whom under a membership: owners, senders and receivers.
//!
//! Jump hash only ever moves keys to shards that were added, or from shards that were removed. So a worker waits for those
//! alone that may have something for it, and no two workers that stay exchange a word. A change of the routing key moves
//! streams between any two.

use shardset_model::{Identity, Membership, ShardCount, ShardIndex, StreamId};
use shardset_otlp::route::of_stream;

/// The owner of a stream under `membership`, and its owner before.
pub fn owner(membership: &Membership, stream: StreamId, identity: &Identity) -> (ShardIndex, ShardIndex) {
    let now = of_stream(stream, identity, membership.routing());
    let before = if membership.routing() == membership.previous_routing() {
        now
    } else {
        of_stream(stream, identity, membership.previous_routing())
    };
    (shardset_placement::owner(now, membership.shards()), shardset_placement::owner(before, membership.previous()))
}

/// All workers that take part: of both generations while streams move.
pub fn members(membership: &Membership) -> impl ExactSizeIterator<Item = ShardIndex> + use<> {
    use shardset_model::Phase;
    match membership.phase() {
        Phase::Stable => membership.shards().shards(),
        Phase::Moving => membership.shards().max(membership.previous()).shards(),
    }
}

/// The shards that `from` may have streams for.
pub fn receivers(membership: &Membership, from: ShardIndex) -> impl Iterator<Item = ShardIndex> + use<> {
    let membership = membership.clone();
    membership.shards().shards().filter(move |&to| moves(&membership, from, to))
}

/// The shards that may have streams for `to`.
pub fn senders(membership: &Membership, to: ShardIndex) -> impl Iterator<Item = ShardIndex> + use<> {
    let membership = membership.clone();
    membership.previous().shards().filter(move |&from| moves(&membership, from, to))
}

/// Whether a stream may go this way.
fn moves(membership: &Membership, from: ShardIndex, to: ShardIndex) -> bool {
    let (now, before) = (membership.shards(), membership.previous());
    if from == to || !is_in(from, before) || !is_in(to, now) {
        return false;
    }
    membership.routing() != membership.previous_routing() || !is_in(to, before) || !is_in(from, now)
}

fn is_in(shard: ShardIndex, count: ShardCount) -> bool {
    shard.get() < count.get()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use shardset_model::{Context, Identity, Membership, MetricKind, Phase, RoutingKey, StreamId};

    use super::{members, owner, receivers, senders};

    fn moving(previous: u32, shards: u32) -> Membership {
        Membership::new(7, shards, previous, Phase::Moving).unwrap()
    }

    fn numbers(shards: impl Iterator<Item = shardset_model::ShardIndex>) -> Vec<u32> {
        shards.map(|shard| shard.get()).collect()
    }

    #[test]
    fn only_those_exchange_streams_that_may_have_some() {
        let shard = |index| shardset_model::ShardCount::new(9).unwrap().shard(index).unwrap();
        let (up, down) = (moving(3, 5), moving(5, 3));
        assert_eq!(numbers(receivers(&up, shard(1))), [3, 4]);
        assert_eq!(numbers(receivers(&up, shard(3))), [] as [u32; 0]);
        assert_eq!(numbers(senders(&up, shard(4))), [0, 1, 2]);
        assert_eq!(numbers(senders(&up, shard(0))), [] as [u32; 0]);
        assert_eq!(numbers(receivers(&down, shard(4))), [0, 1, 2]);
        assert_eq!(numbers(receivers(&down, shard(2))), [] as [u32; 0]);
        assert_eq!(numbers(senders(&down, shard(2))), [3, 4]);
        assert_eq!((members(&up).len(), members(&down).len()), (5, 5));
        let rekeyed = moving(3, 3).routed_by(RoutingKey::Metric, RoutingKey::StreamId);
        assert_eq!(numbers(receivers(&rekeyed, shard(1))), [0, 2]);
        assert_eq!(numbers(senders(&rekeyed, shard(1))), [0, 2]);
    }

    proptest! {
        #[test]
        fn every_stream_that_moves_goes_a_way_that_is_waited_for(id: u128, previous in 1..12_u32, shards in 1..12_u32, rekey: bool, name in "[a-z]{1,3}") {
            let routing = if rekey { RoutingKey::Metric } else { RoutingKey::StreamId };
            let membership = moving(previous, shards).routed_by(routing, RoutingKey::StreamId);
            let context = Context {
                resource_attributes: Box::default(),
                scope_name: "".into(),
                scope_version: "".into(),
                scope_attributes: Box::default(),
                name: name.into(),
                unit: "".into(),
                description: "".into(),
                kind: MetricKind::Gauge,
            };
            let identity = Identity { context: Arc::new(context), attributes: Box::default() };
            let (now, before) = owner(&membership, StreamId::from_digest(id), &identity);
            if now != before {
                prop_assert!(receivers(&membership, before).any(|to| to == now));
                prop_assert!(senders(&membership, now).any(|from| from == before));
            }
        }
    }
}
