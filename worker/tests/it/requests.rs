//! What a sender is told.

use std::time::Duration;

use bytes::Bytes;
use shardset_wire::{ExportAnswer, status};
use tonic::Code;

use crate::backend::Backend;
use crate::harness::{Harness, now};
use crate::sender::{counter, cumulative, gauge, request};

const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn a_refused_point_is_named_with_its_resource_and_the_others_count() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let start = now() - SECOND;
    let good = counter("good", "a", start, now(), 2.0);
    let negative = counter("bad", "a", start, now(), -1.0);
    let body = request(vec![
        ("first", vec![good.clone()]),
        ("second", vec![negative.clone(), good.clone(), negative.clone()]),
        ("third", vec![negative]),
    ]);
    let answer = worker.sender().await.send_bytes(body).await.unwrap();
    assert_eq!(answer.rejected_points, 3);
    let parts: Vec<_> = answer.refused.iter().map(|part| (part.resource_index, part.points)).collect();
    assert_eq!(parts, [(1, 2), (2, 1)]);
    assert_eq!(answer.refused[0].reason, "bad: the delta of a monotonic sum is negative");
    backend
        .wait("what is good", |got| got.series.values().filter(|s| s.last().unwrap().value == 2.0).count() == 2)
        .await;
    worker.stop().await;
}

#[tokio::test]
async fn malformed_bytes_are_refused_whole_and_nothing_of_them_counts() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let mut body = request(vec![("first", vec![counter("requests", "a", now(), now() + 1, 2.0)])]).to_vec();
    body.extend([0x0a, 0x7f]);
    let refused = worker.sender().await.send_bytes(body.into()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("malformed"), "{refused}");
    assert_eq!(worker.metric("shardset_worker_points_received_total{shard=\"0\"}"), 0);
    assert_eq!(worker.metric("shardset_worker_requests_total{shard=\"0\",outcome=\"malformed\"}"), 1);
    worker.stop().await;
}

#[tokio::test]
async fn limits_answer_by_their_kind() {
    let backend = Backend::start().await;
    let change = |settings: &mut shardset_worker::Settings| {
        // HTTP/2 frames are 16 KiB: the first one tells the length, the second one is over the budget.
        settings.message_bytes_max = 32 * 1024;
        settings.inflight_bytes_max = 20 * 1024;
    };
    let worker = Harness::start_with(&backend, change).await;
    let sender = worker.sender().await;
    let refused = sender.send_bytes(Bytes::from(vec![0; 100_000])).await.unwrap_err();
    assert_eq!((refused.code(), status::retry_after(&refused)), (Code::ResourceExhausted, None), "{refused}");
    let refused = sender.send_bytes(Bytes::from(vec![0; 30_000])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(status::retry_after(&refused).is_some_and(|after| after <= Duration::from_secs(3)), "{refused}");
    assert_eq!(worker.metric("shardset_worker_requests_total{shard=\"0\",outcome=\"over_budget\"}"), 1);
    sender.accept(vec![counter("requests", "a", now(), now() + 1, 2.0)]).await;
    worker.wait_metric("shardset_worker_inflight_bytes{shard=\"0\"}", |bytes| bytes == 0).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    assert_eq!(worker.sender().await.send_bytes(Bytes::new()).await.unwrap(), ExportAnswer::default());
    worker.stop().await;
}

#[tokio::test]
async fn the_counters_of_points_reconcile() {
    let backend = Backend::start().await;
    let worker = Harness::start_with(&backend, |settings| settings.accumulate.max_streams = 4).await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    let mut no_value = counter("flagged", "a", start, start + SECOND, 0.0);
    crate::sender::flag_no_value(&mut no_value);
    let metrics = vec![
        counter("requests", "a", start, start + 2 * SECOND, 1.0),
        counter("requests", "a", start, start + 2 * SECOND, 1.0),
        counter("requests", "a", start, start + SECOND, 1.0),
        counter("requests", "a", start, start + SECOND, -1.0),
        cumulative("passed", "a", start, start + SECOND, 1.0),
        gauge("level", "a", start + SECOND, 1.0),
        no_value,
        counter("requests", "b", start, start + SECOND, 1.0),
        counter("requests", "c", start, start + SECOND, 1.0),
        counter("requests", "d", start, start + SECOND, 1.0),
    ];
    let sent = metrics.len() as u64;
    let answer = sender.send(metrics).await.unwrap();
    let counted = |name: &str| worker.metric(&format!("shardset_worker_points_{name}_total{{shard=\"0\"}}"));
    let refused =
        |reason: &str| worker.metric(&format!("shardset_worker_points_refused_total{{shard=\"0\",reason={reason:?}}}"));
    assert_eq!(counted("received"), sent);
    let all_refused = refused("invalid_negative") + refused("stream_limit");
    assert_eq!(all_refused, answer.rejected_points);
    assert!(refused("invalid_negative") == 1 && refused("stream_limit") > 0);
    let rest = counted("accepted") + counted("duplicate") + counted("no_recorded_value") + counted("passed_on");
    assert_eq!(rest + all_refused, sent);
    assert_eq!(
        (counted("duplicate"), counted("no_recorded_value"), counted("passed_on"), counted("late")),
        (1, 1, 2, 1)
    );
    worker.stop().await;
}
