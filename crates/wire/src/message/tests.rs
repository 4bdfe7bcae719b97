//! Every noun survives the hop, and no bytes are too odd to be refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use shardset_handoff as handoff;
use shardset_handoff::Progress;
use shardset_model::{Incarnation, Membership, Phase, RoutingAttributes, RoutingKey, ShardCount, ShardIndex};

use super::{Adopt, AdoptRequest, CompleteRequest, HandoffRequest, Malformed, Reply, Report, TransferRequest};
use super::{decode, encode};

/// Shards 0 to 999.
pub(super) fn shard(index: u32) -> ShardIndex {
    ShardCount::new(ShardCount::MAX).unwrap().shard(index).unwrap()
}

/// An incarnation for a test.
pub(super) fn incarnation(number: u128) -> Incarnation {
    Incarnation::new(number).unwrap()
}

/// From 3 shards to 5, at epoch 7.
pub(super) fn membership() -> Membership {
    Membership::new(7, 5, 3, Phase::Moving).unwrap()
}

fn shards() -> impl Strategy<Value = ShardIndex> {
    (0..ShardCount::MAX).prop_map(shard)
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    (1..=u128::MAX).prop_map(incarnation)
}

fn routings() -> impl Strategy<Value = RoutingKey> {
    let attributes = "\\PC{1,8}".prop_map(|name| RoutingKey::Attributes(RoutingAttributes::new([&*name]).unwrap()));
    prop_oneof![Just(RoutingKey::StreamId), Just(RoutingKey::Resource), Just(RoutingKey::Metric), attributes]
}

fn memberships() -> impl Strategy<Value = Membership> {
    let phase = prop_oneof![Just(Phase::Stable), Just(Phase::Moving)];
    (1..=u64::MAX, 1..=1000_u32, 1..=1000_u32, phase, routings(), routings()).prop_map(
        |(epoch, shards, previous, phase, routing, before)| {
            Membership::new(epoch, shards, previous, phase).unwrap().routed_by(routing, before)
        },
    )
}

fn adopts() -> impl Strategy<Value = AdoptRequest> {
    let addresses = vec((shards(), "[a-z][a-z0-9.-]{0,9}:[1-9][0-9]{0,3}"), 0..4);
    (incarnations(), memberships(), vec((shards(), incarnations()), 0..4), addresses).prop_map(
        |(incarnation, membership, incarnations, addresses)| AdoptRequest {
            adopt: handoff::Adopt { incarnation, membership, incarnations },
            addresses,
        },
    )
}

fn sendings() -> impl Strategy<Value = handoff::Sending> {
    (shards(), option::of(incarnations()), any::<u64>(), any::<u64>(), any::<bool>())
        .prop_map(|(to, receiver, sent, total, completed)| handoff::Sending { to, receiver, sent, total, completed })
}

fn receptions() -> impl Strategy<Value = handoff::Reception> {
    (shards(), any::<bool>()).prop_map(|(from, completed)| handoff::Reception { from, completed })
}

fn reports() -> impl Strategy<Value = handoff::Report> {
    let lists = (vec(sendings(), 0..4), vec(receptions(), 0..4));
    (shards(), incarnations(), option::of(memberships()), any::<[u64; 5]>(), lists).prop_map(
        |(shard, incarnation, membership, counts, (sending, receiving))| {
            let [streams, idle, leftovers, parked_points, parked_bytes] = counts;
            handoff::Report {
                shard,
                incarnation,
                membership,
                streams,
                idle,
                leftovers,
                parked_points,
                parked_bytes,
                sending,
                receiving,
            }
        },
    )
}

fn progress() -> impl Strategy<Value = Progress> {
    let chunk = (0..u64::MAX, 1..=u64::MAX, vec(any::<u8>(), 0..64))
        .prop_map(|(position, more, items)| Progress::Chunk { position, next: position.saturating_add(more), items });
    prop_oneof![Just(Progress::Ask), chunk, any::<u64>().prop_map(|position| Progress::Complete { position })]
}

fn messages() -> impl Strategy<Value = handoff::Message> {
    (shards(), incarnations(), shards(), option::of(incarnations()), memberships(), progress()).prop_map(
        |(from, sender, to, receiver, membership, progress)| handoff::Message {
            from,
            sender,
            to,
            receiver,
            membership,
            progress,
        },
    )
}

fn replies() -> impl Strategy<Value = handoff::Reply> {
    (incarnations(), incarnations(), option::of(memberships()), any::<u64>(), any::<bool>()).prop_map(
        |(sender, receiver, membership, through, completed)| handoff::Reply {
            sender,
            receiver,
            membership,
            through,
            completed,
        },
    )
}

fn over_the_hop(message: handoff::Message) -> Result<handoff::Message, Malformed> {
    match message.into() {
        HandoffRequest::Transfer(request) => decode::<TransferRequest>(encode(&request)),
        HandoffRequest::Complete(request) => decode::<CompleteRequest>(encode(&request)),
    }
}

proptest! {
    #[test]
    fn an_adopt_request_survives_the_hop(request in adopts()) {
        prop_assert_eq!(decode::<Adopt>(encode(&Adopt::from(request.clone()))), Ok(request));
    }

    #[test]
    fn a_report_survives_the_hop(report in reports()) {
        prop_assert_eq!(decode::<Report>(encode(&Report::from(report.clone()))), Ok(report));
    }

    #[test]
    fn a_message_survives_the_hop(message in messages()) {
        prop_assert_eq!(over_the_hop(message.clone()), Ok(message));
    }

    #[test]
    fn a_reply_survives_the_hop(reply in replies()) {
        prop_assert_eq!(decode::<Reply>(encode(&Reply::from(reply.clone()))), Ok(reply));
    }

    #[test]
    fn a_message_that_was_cut_is_refused_or_whole(message in messages(), cut: prop::sample::Index) {
        let HandoffRequest::Transfer(request) = message.into() else { return Ok(()) };
        let bytes = encode(&request);
        // Only where the chunk as a whole is gone does a question remain.
        if let Ok(read) = decode::<TransferRequest>(bytes.slice(..cut.index(bytes.len()))) {
            prop_assert_eq!(read.progress, Progress::Ask);
        }
    }
}
