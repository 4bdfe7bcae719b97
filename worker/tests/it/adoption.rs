//! From whom a worker learns a membership: from a gateway's request the newer one, from the coordinator alone its first.

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_handoff::Adopt;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_model::Membership;
use shardset_wire::{AdoptRequest, status};
use tonic::Code;

use crate::cluster::owners;
use crate::harness::{Harness, Launch, incarnation, moving, now, one_shard, shard, three_shards};
use crate::sender::{Sender, counter};

/// A point whose stream is at the first shard under both sides of a change.
fn at_home(change: &Membership) -> Metric {
    let point = |session: u32| counter("requests", &session.to_string(), now(), now() + 1, 1.0);
    let stays = |metric: &_| owners(metric, change) == (shard(0), shard(0));
    (0..).map(point).find(stays).unwrap()
}

async fn known(worker: &Harness) -> Option<Membership> {
    worker.report().await.membership
}

#[tokio::test]
async fn a_newer_membership_is_adopted_from_the_request_that_was_routed_by_it() {
    let worker = Launch::on(MemoryDisk::new(1)).of(0, three_shards(5)).run().await;
    let four = moving(6, 3, 4);
    let gateway = Sender::connect(worker.worker.address(), Some(four.clone())).await;
    gateway.accept(vec![at_home(&four)]).await;
    assert_eq!(known(&worker).await, Some(four.clone()));
    worker.wait_metric("shardset_worker_epoch{shard=\"0\"}", |epoch| epoch == 6).await;

    let late = worker.sender().await.send(vec![at_home(&four)]).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "{late}");

    let over = Sender::connect(worker.worker.address(), Some(four.clone().settled())).await;
    over.accept(vec![at_home(&four)]).await;
    assert_eq!(known(&worker).await, Some(four.clone().settled()), "that a move is over is news as well");
    gateway.accept(vec![at_home(&four)]).await;
    assert_eq!(known(&worker).await, Some(four.settled()), "and its beginning is none");
    worker.stop().await;
}

#[tokio::test]
async fn what_was_adopted_from_a_request_is_known_after_the_power_went() {
    let disk = MemoryDisk::new(1);
    let worker = Launch::on(disk.clone()).of(0, three_shards(5)).run().await;
    let four = moving(6, 3, 4);
    Sender::connect(worker.worker.address(), Some(four.clone())).await.accept(vec![at_home(&four)]).await;
    disk.crash();
    worker.kill().await;
    let worker = Launch::on(disk).of(0, three_shards(5)).untold().run().await;
    assert_eq!(known(&worker).await, Some(four));
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_with_an_empty_disk_refuses_retryably_until_it_is_told() {
    let worker = Launch::on(MemoryDisk::new(1)).untold().run().await;
    let (gateway, stock) = (worker.sender().await, Sender::connect(worker.worker.address(), None).await);
    let point = || vec![counter("requests", "a", now(), now() + 1, 1.0)];
    for sender in [&gateway, &stock] {
        let refused = sender.send(point()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
        assert!(status::retry_after(&refused).is_some_and(|after| after <= Duration::from_secs(1)), "{refused}");
    }
    assert_eq!(known(&worker).await, None, "a gateway may lag: its word is not enough");
    assert_eq!(worker.metric("shardset_worker_requests_total{shard=\"0\",outcome=\"no_epoch\"}"), 2);
    worker.tell(&one_shard(), Vec::new()).await;
    gateway.accept(point()).await;
    stock.accept(point()).await;
    worker.stop().await;
}

#[tokio::test]
async fn what_is_told_to_another_disk_is_not_taken() {
    let worker = Launch::on(MemoryDisk::new(1)).untold().run().await;
    let adopt = Adopt { incarnation: incarnation(), membership: one_shard(), incarnations: Vec::new() };
    let told = worker.worker.handle().adopt(AdoptRequest { adopt, addresses: Vec::new() }).await.unwrap();
    assert_eq!((told.membership, told.incarnation), (None, worker.incarnation));
    let refused = worker.sender().await.send(vec![counter("requests", "a", 1, 2, 1.0)]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_missed_a_whole_change_drops_what_is_nobodys() {
    let worker = Launch::on(MemoryDisk::new(1)).of(0, three_shards(5)).run().await;
    worker.sender().await.accept(vec![at_home(&moving(9, 3, 3))]).await;
    assert_eq!(worker.report().await.streams, 1);
    let report = worker.tell(&three_shards(9), Vec::new()).await;
    assert_eq!((report.membership, report.streams), (Some(three_shards(9)), 0));
    worker.stop().await;
}
