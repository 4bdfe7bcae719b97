//! Which requests a worker lets through, by the membership that they were routed by.

use bytes::Bytes;
use shardset_model::{Epoch, Membership, ShardCount};
use shardset_wire::{membership, status};
use tonic::Code;

use crate::backend::Backend;
use crate::harness::{Harness, now, settings, three_shards, to};
use crate::sender::{Sender, counter, request};

async fn at_epoch_5(backend: &Backend) -> Harness {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    Harness::run(settings(dir.path()), three_shards(5), vec![to("main", &backend.url)], dir).await
}

fn body() -> Bytes {
    request(vec![("checkout", vec![counter("requests", "a", now(), now() + 1, 1.0)])])
}

#[tokio::test]
async fn a_worker_holds_one_epoch() {
    let backend = Backend::start().await;
    let worker = at_epoch_5(&backend).await;
    let four = Membership::stable(Epoch::new(6).unwrap(), ShardCount::new(4).unwrap());
    let same_epoch = Membership::stable(Epoch::new(5).unwrap(), ShardCount::new(4).unwrap());
    let table = [
        ("no epoch", None, Some(Code::FailedPrecondition)),
        ("an older epoch", Some(three_shards(4)), Some(Code::FailedPrecondition)),
        ("a newer one of other shards", Some(four), Some(Code::Unavailable)),
        ("the same epoch of other shards", Some(same_epoch), Some(Code::Internal)),
        ("the same epoch", Some(three_shards(5)), None),
        ("a newer one of the same shards", Some(three_shards(7)), None),
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
    let backend = Backend::start().await;
    let worker = at_epoch_5(&backend).await;
    let stale = Sender::connect(worker.worker.address(), Some(three_shards(4))).await;
    let refused = stale.send_bytes(body()).await.unwrap_err();
    assert_eq!(membership::read(refused.metadata()), Ok(Some(three_shards(5))));
    let stock = Sender::connect(worker.worker.address(), None).await;
    let refused = stock.send_bytes(body()).await.unwrap_err();
    assert!(refused.message().ends_with("send to the gateway"), "{refused}");
    let ahead = Membership::stable(Epoch::new(6).unwrap(), ShardCount::new(4).unwrap());
    let refused = Sender::connect(worker.worker.address(), Some(ahead)).await.send_bytes(body()).await.unwrap_err();
    assert!(status::retry_after(&refused).is_some(), "{refused}");
    worker.stop().await;
}
