//! Workers that are ahead of the gateway: what they refuse is split again, and no point is lost, moved or counted twice.

use std::time::Duration;

use shardset_membership::Origin;
use shardset_model::RoutingKey;
use shardset_wire::{ExportAnswer, status};
use tonic::Code;

use crate::gateway::Running;
use crate::points::{owners, request};
use crate::workers::{Workers, at};

const ADOPTED: &str = "shardset_gateway_memberships_adopted_total";
const REFUSED: &str = "shardset_gateway_parts_split_again_total{cause=\"refused\"}";

#[tokio::test]
async fn what_workers_refuse_goes_to_the_new_owners_although_nothing_was_published() {
    for (before, after) in [(3, 5), (5, 2)] {
        let workers = Workers::start(5, &at(2, after, before)).await;
        let gateway = Running::start(Some(workers.record(&at(1, before, before), 5))).await;
        assert_eq!(gateway.send(request(0..200)).await.unwrap(), ExportAnswer::default());
        workers.assert_counted(&request(0..200), &at(2, after, before));
        assert_eq!((gateway.metric(ADOPTED), gateway.metric(REFUSED)), (1.0, f64::from(before)));
        assert_eq!(gateway.metric("shardset_gateway_points_total{outcome=\"accepted\"}"), 200.0);
        assert_eq!(gateway.metric("shardset_gateway_points_received_total"), 200.0);
        assert!(gateway.readiness.unmet().is_empty());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_one_worker_took_under_the_old_epoch_is_not_sent_again() {
    let workers = Workers::start(5, &at(1, 3, 3)).await;
    workers.0[1..].iter().for_each(|worker| worker.adopt(&at(2, 5, 3)));
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 5))).await;
    gateway.send(request(0..200)).await.unwrap();
    let (before, after) = (owners(&request(0..200), &at(1, 3, 3)), owners(&request(0..200), &at(2, 5, 3)));
    let counted = workers.counted();
    assert_eq!(counted.len(), 200);
    for (name, by) in counted {
        let expected = if before[&name] == 0 { (0, 1) } else { (after[&name], 2) };
        assert_eq!(by, expected, "point {name}");
    }
}

/// As it is when the gateway has started while the API server was away: it knows a name for every worker that there may be.
#[tokio::test]
async fn a_membership_that_a_worker_said_and_that_is_old_gives_way_to_that_of_a_refusal() {
    let workers = Workers::start(5, &at(2, 5, 3)).await;
    let old = workers.record(&at(1, 2, 2), 5).from_origin(Origin::Worker);
    let gateway = Running::start(Some(old)).await;
    assert_eq!(origins(&gateway), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(gateway.send(request(0..200)).await.unwrap(), ExportAnswer::default());
    workers.assert_counted(&request(0..200), &at(2, 5, 3));
    assert_eq!(origins(&gateway), [0.0, 0.0, 0.0, 1.0]);
    gateway.publish(workers.record(&at(2, 5, 3), 5));
    gateway.eventually("what is published counts", || origins(&gateway) == [1.0, 0.0, 0.0, 0.0]).await;
}

/// The gauge of each way by which a membership comes.
fn origins(gateway: &Running) -> Vec<f64> {
    let gauge = |origin: Origin| format!("shardset_gateway_membership_origin{{origin=\"{}\"}}", origin.name());
    Origin::ALL.into_iter().map(|origin| gateway.metric(&gauge(origin))).collect()
}

#[tokio::test]
async fn a_refused_request_waits_for_a_membership_whose_workers_are_not_known_yet() {
    let workers = Workers::start(5, &at(2, 5, 3)).await;
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 3))).await;
    let published = async {
        for worker in &workers.0[..3] {
            worker.turns_away().await;
        }
        gateway.publish(workers.record(&at(2, 5, 3), 5));
    };
    let (sent, ()) = tokio::join!(gateway.send(request(0..200)), published);
    assert_eq!(sent.unwrap(), ExportAnswer::default());
    workers.assert_counted(&request(0..200), &at(2, 5, 3));
    assert_eq!((gateway.metric(ADOPTED), gateway.metric(REFUSED)), (0.0, 3.0));
}

#[tokio::test]
async fn a_membership_that_comes_too_late_makes_the_client_send_again_and_the_gateway_unready() {
    let workers = Workers::start(5, &at(2, 5, 3)).await;
    let gateway = Running::start_with(Some(workers.record(&at(1, 3, 3), 3)), Duration::from_millis(100)).await;
    gateway.is_ready().await;
    let refused = gateway.send(request(0..200)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "a worker is at membership e2, which has not come from the test in time");
    assert!(status::retry_after(&refused).is_some());
    gateway.eventually("unready", || gateway.readiness.unmet() == ["membership"]).await;
    assert_eq!(gateway.metric("shardset_gateway_membership_missed_total"), 1.0);
    assert_eq!(gateway.metric("shardset_gateway_points_total{outcome=\"unavailable\"}"), 200.0);
    assert_eq!(workers.counted().len(), 0);
    gateway.publish(workers.record(&at(2, 5, 3), 5));
    gateway.is_ready().await;
    gateway.send(request(0..200)).await.unwrap();
    workers.assert_counted(&request(0..200), &at(2, 5, 3));
}

#[tokio::test]
async fn a_change_of_the_routing_key_is_a_change_of_owners() {
    let by_resource = at(2, 3, 3).routed_by(RoutingKey::Resource, RoutingKey::StreamId);
    let workers = Workers::start(3, &by_resource).await;
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 3))).await;
    gateway.send(request(0..200)).await.unwrap();
    assert_ne!(owners(&request(0..200), &at(1, 3, 3)), owners(&request(0..200), &by_resource));
    workers.assert_counted(&request(0..200), &by_resource);
}

#[tokio::test]
async fn points_that_are_refused_for_good_are_told_to_the_client_whichever_way_they_went() {
    let workers = Workers::start(5, &at(1, 3, 3)).await;
    workers.0[1..].iter().for_each(|worker| worker.adopt(&at(2, 5, 3)));
    workers.0.iter().for_each(|worker| worker.refuses((0..200).filter(|name| name % 7 == 0)));
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 5))).await;
    let answer = gateway.send(request(0..200)).await.unwrap();
    assert_eq!((answer.rejected_points, answer.message.as_str()), (29, "no (29 points)"));
    assert_eq!(workers.counted().len(), 171);
    let outcome = |outcome| gateway.metric(&format!("shardset_gateway_points_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((outcome("accepted"), outcome("refused")), (171.0, 29.0));
}

#[tokio::test]
async fn a_slow_worker_does_not_keep_what_others_refused() {
    let workers = Workers::start(5, &at(2, 5, 3)).await;
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 5))).await;
    workers.0[0].is_busy();
    let others_count = async {
        let mine = |owner: &u32| *owner > 0;
        let (before, after) = (owners(&request(0..200), &at(1, 3, 3)), owners(&request(0..200), &at(2, 5, 3)));
        let expected = before.iter().filter(|(name, owner)| mine(owner) && mine(&after[name])).count();
        gateway.eventually("the others count", || workers.counted().len() >= expected).await;
        workers.0[0].is_free();
        gateway.publish(workers.record(&at(3, 4, 5), 5));
    };
    let (sent, ()) = tokio::join!(gateway.send(request(0..200)), others_count);
    assert_eq!(sent.unwrap(), ExportAnswer::default());
    assert_eq!(workers.counted().len(), 200);
}
