//! What is published: taken when it is newer, refused when it is older, and never waited for.

use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::time::Duration;

use shardset_membership::Record;
use shardset_model::RoutingKey;
use shardset_wire::{ExportAnswer, status};
use tokio::task::JoinSet;
use tonic::Code;

use crate::gateway::Running;
use crate::points::{owners, request};
use crate::workers::{Worker, Workers, at};

const EPOCH: &str = "shardset_gateway_membership_epoch";

#[tokio::test]
async fn without_a_membership_clients_are_told_to_come_back_and_what_is_awaited() {
    let workers = Workers::start(3, &at(1, 3, 3)).await;
    let gateway = Running::start(None).await;
    assert_eq!(gateway.readiness.unmet(), ["membership"]);
    let refused = gateway.send(request(0..10)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "no membership is known yet; it is awaited from the test");
    assert!(status::retry_after(&refused).is_some());
    gateway.publish(workers.record(&at(1, 3, 3), 3));
    gateway.is_ready().await;
    assert_eq!(gateway.send(request(0..10)).await.unwrap(), ExportAnswer::default());
    workers.assert_counted(&request(0..10), &at(1, 3, 3));
    gateway.stop().await;
}

#[tokio::test]
async fn requests_are_split_by_the_newest_membership_and_workers_keep_their_connections() {
    let workers = Workers::start(5, &at(1, 3, 3)).await;
    let mut gateway = Running::start(Some(workers.record(&at(1, 3, 3), 5))).await;
    let (first, second) = (request(0..100), request(100..200));
    gateway.send(first.clone()).await.unwrap();
    workers.assert_counted(&first, &at(1, 3, 3));
    gateway.publish(workers.record(&at(2, 5, 3), 5));
    gateway.shows(EPOCH, 2.0).await;
    gateway.publisher_goes();
    gateway.send(second.clone()).await.unwrap();
    let counted: Vec<_> = workers.counted().into_iter().filter(|(name, _)| *name >= 100).collect();
    let expected: Vec<_> = owners(&second, &at(2, 5, 3)).into_iter().map(|(name, owner)| (name, (owner, 2))).collect();
    assert_eq!(counted, expected);
    assert_eq!(workers.0.iter().map(Worker::connections).collect::<Vec<_>>(), [1; 5]);
    assert_eq!(gateway.metric("shardset_gateway_membership_shards"), 5.0);
    gateway.stop().await;
}

#[tokio::test]
async fn an_older_membership_is_refused_and_counted() {
    let workers = Workers::start(5, &at(3, 5, 3)).await;
    let gateway = Running::start(Some(workers.record(&at(3, 5, 3), 5))).await;
    let refused = |reason| format!("shardset_membership_refused_total{{reason=\"{reason}\"}}");
    gateway.publish(workers.record(&at(2, 3, 3), 5));
    gateway.shows(&refused("older_epoch"), 1.0).await;
    gateway.publish(workers.record(&at(3, 4, 3), 5));
    gateway.shows(&refused("contradiction"), 1.0).await;
    gateway.send(request(0..50)).await.unwrap();
    workers.assert_counted(&request(0..50), &at(3, 5, 3));
    assert_eq!(gateway.metric(EPOCH), 3.0);
}

#[tokio::test]
async fn a_worker_that_is_elsewhere_keeps_its_shard_and_what_waits_follows_it() {
    let mut workers = Workers::start(3, &at(1, 3, 3)).await;
    let gateway = Running::start(Some(workers.record(&at(1, 3, 3), 3))).await;
    let away = workers.0[1].clone();
    away.is_busy();
    let moved = async {
        away.turns_away().await;
        workers.0[1] = Worker::start(1, at(1, 3, 3)).await;
        gateway.publish(workers.record(&at(1, 3, 3), 3));
    };
    let (sent, ()) = tokio::join!(gateway.send(request(0..100)), moved);
    assert_eq!(sent.unwrap(), ExportAnswer::default());
    workers.assert_counted(&request(0..100), &at(1, 3, 3));
    assert_eq!(gateway.metric("shardset_gateway_parts_split_again_total{cause=\"changed\"}"), 1.0);
    assert_eq!(gateway.metric(EPOCH), 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_shard_that_is_no_more_goes_to_the_new_owners() {
    let workers = Workers::start(5, &at(1, 5, 5)).await;
    let gateway = Running::start(Some(workers.record(&at(1, 5, 5), 5))).await;
    for leaving in &workers.0[2..] {
        leaving.is_busy();
    }
    let shrunk = async {
        for leaving in &workers.0[2..] {
            leaving.turns_away().await;
        }
        gateway.publish(workers.record(&at(2, 2, 5), 5));
    };
    let (sent, ()) = tokio::join!(gateway.send(request(0..200)), shrunk);
    assert_eq!(sent.unwrap(), ExportAnswer::default());
    let (counted, owners_after) = (workers.counted(), owners(&request(0..200), &at(2, 2, 5)));
    assert_eq!(counted.len(), 200);
    let before = owners(&request(0..200), &at(1, 5, 5));
    for (name, (worker, epoch)) in counted {
        let expected = if before[&name] < 2 { (before[&name], 1) } else { (owners_after[&name], 2) };
        assert_eq!((worker, epoch), expected, "point {name}");
    }
    gateway.stop().await;
}

/// Memberships that follow each other, with a change of the routing key among them.
fn history() -> [shardset_model::Membership; 6] {
    let key = RoutingKey::Resource;
    [
        at(1, 3, 3),
        at(2, 5, 3),
        at(3, 2, 5),
        at(4, 2, 2).routed_by(key.clone(), RoutingKey::StreamId),
        at(5, 6, 2).routed_by(key.clone(), key.clone()),
        at(6, 1, 6).routed_by(RoutingKey::StreamId, key),
    ]
}

/// Some changes are told to workers first and some to the gateway first; senders notice nothing of either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_stream_of_changes_every_point_arrives_once_and_no_client_is_told_to_come_back() {
    const SENDERS: i64 = 8;
    let history = history();
    let workers = Workers::start(6, &history[0]).await;
    let gateway = Running::start(Some(workers.record(&history[0], 6))).await;
    let mut senders: JoinSet<i64> = JoinSet::new();
    let (over, until) = tokio::sync::watch::channel(false);
    for sender in 0..SENDERS {
        let (client, until) = (gateway.client(), until.clone());
        senders.spawn(async move {
            let mut sent = 0;
            while !*until.borrow() {
                let first = sender * 10_000_000 + sent;
                client.send(request(first..first + 40)).await.unwrap();
                sent += 40;
            }
            sent
        });
    }
    for (position, membership) in history.iter().enumerate().skip(1) {
        let before = workers.counted().len();
        if position % 2 == 0 {
            workers.adopt(membership);
            gateway.shows(EPOCH, membership.epoch().get() as f64).await;
        }
        gateway.publish(record(&workers, membership));
        gateway.shows(EPOCH, membership.epoch().get() as f64).await;
        gateway.eventually("points go on", || workers.counted().len() > before + 1000).await;
    }
    over.send_replace(true);
    let sent: i64 = senders.join_all().await.into_iter().sum();
    assert_eq!(workers.counted().len() as i64, sent);
    assert_eq!(gateway.metric("shardset_gateway_points_total{outcome=\"accepted\"}"), sent as f64);
    gateway.stop().await;
}

fn record(workers: &Workers, membership: &shardset_model::Membership) -> Record {
    workers.record(membership, workers.0.len())
}

/// Where the machine has IPv6 at all.
#[tokio::test]
async fn senders_and_workers_may_be_reached_by_ipv6_only() {
    let ip: IpAddr = Ipv6Addr::LOCALHOST.into();
    if TcpListener::bind((ip, 0)).is_err() {
        return;
    }
    let workers = Workers(vec![Worker::start_on(ip, 0, at(1, 2, 2)).await, Worker::start_on(ip, 1, at(1, 2, 2)).await]);
    let gateway = Running::start(Some(workers.record(&at(1, 2, 2), 2))).await;
    let sent = gateway.client_by(ip).await.send(request(0..50)).await;
    assert_eq!(sent.unwrap(), ExportAnswer::default());
    workers.assert_counted(&request(0..50), &at(1, 2, 2));
    gateway.stop().await;
}

#[tokio::test]
async fn how_long_a_publication_took_is_shown() {
    let workers = Workers::start(1, &at(1, 1, 1)).await;
    let gateway = Running::start(Some(workers.record(&at(1, 1, 1), 1))).await;
    let a_while_ago = shardset_process::clock::now().minus(Duration::from_secs(5)).millis();
    gateway.publish(workers.record(&at(2, 1, 1), 1).published_at(a_while_ago));
    gateway.shows("shardset_gateway_membership_publish_seconds_count", 1.0).await;
    let seconds = gateway.metric("shardset_gateway_membership_publish_seconds_sum");
    assert!((4.9..25.0).contains(&seconds), "{seconds}");
}
