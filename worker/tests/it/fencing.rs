//! Which requests a worker lets through, by the membership that they were routed by.

use bytes::Bytes;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_handoff::{Message, Progress};
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_model::{Epoch, Incarnation, Membership, SetName, ShardCount};
use shardset_wire::{ControlClient, HandoffClient, MetricsClient, membership, to_set};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::cluster::owners;
use crate::harness::{Harness, Launch, now, shard, three_shards};
use crate::sender::{Sender, counter, request};

async fn at_epoch_5() -> Harness {
    Launch::on(MemoryDisk::new(1)).of(0, three_shards(5)).run().await
}

/// A point of a stream that is at this shard of three.
fn of_shard(number: u32) -> Metric {
    let point = |session: u32| counter("requests", &session.to_string(), now(), now() + 1, 1.0);
    (0..).map(point).find(|metric| owners(metric, &three_shards(5)).0 == shard(number)).unwrap()
}

fn body() -> Bytes {
    request(vec![("checkout", vec![of_shard(0)])])
}

#[tokio::test]
async fn a_worker_holds_one_epoch() {
    let worker = at_epoch_5().await;
    let same_epoch = Membership::stable(Epoch::new(5).unwrap(), ShardCount::new(4).unwrap());
    let table = [
        ("no epoch", None, Some(Code::FailedPrecondition)),
        ("an older epoch", Some(three_shards(4)), Some(Code::FailedPrecondition)),
        ("the same epoch of other shards", Some(same_epoch), Some(Code::Internal)),
        ("the same epoch", Some(three_shards(5)), None),
        ("a newer one of the same shards", Some(three_shards(6)), None),
        ("the one before that", Some(three_shards(5)), Some(Code::FailedPrecondition)),
    ];
    let mut taken = 0;
    for (what, told, refused) in table {
        let sender = Sender::connect(worker.worker.address(), told).await;
        let answer = sender.send_bytes(body()).await;
        assert_eq!(answer.as_ref().err().map(|status| status.code()), refused, "{what}: {answer:?}");
        taken += u64::from(answer.is_ok());
    }
    assert_eq!(
        worker.metric("shardset_worker_points_received_total{shard=\"0\"}"),
        taken,
        "what is refused is not read"
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_stale_sender_learns_the_membership_and_a_stock_client_learns_where_to_send() {
    let worker = at_epoch_5().await;
    let stale = Sender::connect(worker.worker.address(), Some(three_shards(4))).await;
    let refused = stale.send_bytes(body()).await.unwrap_err();
    assert_eq!(membership::read(refused.metadata()), Ok(Some(three_shards(5))));
    let stock = Sender::connect(worker.worker.address(), None).await;
    let refused = stock.send_bytes(body()).await.unwrap_err();
    assert!(refused.message().ends_with("send to the gateway"), "{refused}");
    worker.stop().await;
}

#[tokio::test]
async fn a_request_for_another_worker_is_sent_back_uncounted() {
    let worker = at_epoch_5().await;
    for (to, expected) in [(1, Some(Code::Unavailable)), (0, None)] {
        let sender = Sender::connect(worker.worker.address(), Some(three_shards(5))).await;
        let answer = sender.send_to(shard(to), body()).await;
        assert_eq!(answer.as_ref().err().map(|status| status.code()), expected, "to {to}: {answer:?}");
    }
    assert_eq!(worker.metric("shardset_worker_points_received_total{shard=\"0\"}"), 1);
    worker.stop().await;
}

#[tokio::test]
async fn whoever_means_a_worker_of_another_set_is_sent_back_by_every_service() {
    let mut launch = Launch::on(MemoryDisk::new(1)).of(0, three_shards(5));
    launch.settings.set = Some("metrics/demo".parse().unwrap());
    let worker = launch.run().await;
    let address = format!("http://{}", worker.worker.address());
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let [own, other] = ["metrics/demo", "metrics/demo-2"].map(|set| set.parse::<SetName>().unwrap());
    let question = Message {
        from: shard(1),
        sender: Incarnation::new(9).unwrap(),
        to: shard(0),
        receiver: None,
        membership: three_shards(5),
        progress: Progress::Ask,
    };
    for (set, is_let_in) in [(Some(&other), false), (Some(&own), true), (None, false)] {
        let mut told = Request::new(body());
        membership::write(&three_shards(5), told.metadata_mut());
        let answers = [
            MetricsClient::new(to_set(channel.clone(), set)).export(told).await.map(drop),
            ControlClient::new(to_set(channel.clone(), set)).status().await.map(drop),
            HandoffClient::new(to_set(channel.clone(), set)).send(question.clone()).await.map(drop),
        ];
        for (answer, service) in answers.into_iter().zip(["metrics", "control", "handoff"]) {
            let refused = answer.err().filter(|status| status.message().contains("the request is for"));
            assert_eq!(refused.map(|status| status.code()), (!is_let_in).then_some(Code::Unavailable), "{service}");
        }
    }
    let received = worker.metric("shardset_worker_points_received_total{shard=\"0\"}");
    let sent_back = worker.metric("shardset_worker_requests_total{shard=\"0\",outcome=\"misaddressed\"}");
    assert_eq!((received, sent_back), (1, 6));
    worker.stop().await;
}

#[tokio::test]
async fn points_of_another_shards_streams_are_refused_as_a_bug_and_not_counted() {
    let worker = at_epoch_5().await;
    let refused = worker.sender().await.send(vec![of_shard(1)]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "{refused}");
    assert_eq!(worker.metric("shardset_worker_points_foreign_total{shard=\"0\"}"), 1);
    assert_eq!(worker.report().await.streams, 0);
    worker.stop().await;
}
