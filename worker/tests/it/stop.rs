//! What a stop keeps, and what a start makes of it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use shardset_process::logging::chain;

use crate::backend::Backend;
use crate::harness::{Harness, now, one_shard, settings, to};
use crate::sender::counter;

const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn a_restart_continues_totals_and_remembers_what_was_counted() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let start = now() - 60 * SECOND;
    let first = counter("requests", "a", start, start + SECOND, 5.0);
    worker.sender().await.accept(vec![first.clone()]).await;
    let dir = worker.stop().await;
    backend.wait("the last pass", |got| got.last("requests_total{") == Some(5.0)).await;

    let worker = Harness::run(settings(dir.path()), one_shard(), vec![to("main", &backend.url)], dir).await;
    let sender = worker.sender().await;
    sender.accept(vec![first]).await;
    sender.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    let received = backend.wait("the continued total", |got| got.last("requests_total{") == Some(7.0)).await;
    received.assert_in_order();
    let zeros = received.samples("requests_total{").unwrap().iter().filter(|sample| sample.value == 0.0).count();
    assert_eq!(zeros, 1, "a restart is not a beginning");
    assert_eq!(worker.metric("shardset_worker_points_duplicate_total{shard=\"0\"}"), 1);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_dead_backend_did_not_take_before_the_stop_goes_out_after_the_next_start() {
    let backend = Backend::start().await;
    backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    let worker = Harness::start_with(&backend, |settings| settings.stop_grace = Duration::from_millis(200)).await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    let dir = worker.stop().await;
    backend.answer(StatusCode::NO_CONTENT);
    let worker = Harness::run(settings(dir.path()), one_shard(), vec![to("main", &backend.url)], dir).await;
    let received = backend.wait("the total of before", |got| got.last("requests_total{") == Some(5.0)).await;
    received.assert_in_order();
    let samples = received.samples("requests_total{").unwrap();
    assert_eq!(samples.iter().filter(|sample| sample.value == 0.0).count(), 1, "its zero is still owed: {samples:?}");
    worker.stop().await;
}

#[tokio::test]
async fn after_an_unclean_death_totals_start_anew_rather_than_from_stale_ones() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    let dir = worker.stop().await;
    // A process that loaded this checkpoint and died: its claim says that it was running.
    fs::write(dir.path().join("shard-0.claim"), "running\n").unwrap();
    let worker =
        Harness::run(settings(dir.path()), one_shard(), vec![to("main", &backend.url)], Arc::clone(&dir)).await;
    worker.sender().await.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    let received = backend.wait("a total that began anew", |got| got.last("requests_total{") == Some(2.0)).await;
    received.assert_in_order();
    let values: Vec<f64> = received.samples("requests_total{").unwrap().iter().map(|sample| sample.value).collect();
    assert_eq!(values, [0.0, 5.0, 0.0, 2.0], "a reset that a backend sees as one");
    assert!(dir.path().join("shard-0.checkpoint.stale").exists(), "kept for whoever wants to look");
    worker.stop().await;
}

#[tokio::test]
async fn a_damaged_checkpoint_is_named_and_not_used() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    worker.sender().await.accept(vec![counter("requests", "a", now(), now() + 1, 5.0)]).await;
    let dir = worker.stop().await;
    let path = dir.path().join("shard-0.checkpoint");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = Harness::try_run(settings(dir.path()), one_shard(), vec![to("main", &backend.url)], dir).await;
    let text = chain(&refused.unwrap_err());
    assert!(text.contains("shard-0.checkpoint can not be used: its checksum is wrong"), "{text}");
    assert!(text.contains("move it away"), "{text}");
}

#[tokio::test]
async fn a_data_directory_belongs_to_one_worker() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let again = Harness::try_run(settings(worker.dir.path()), one_shard(), Vec::new(), Arc::clone(&worker.dir)).await;
    let text = chain(&again.unwrap_err());
    assert!(text.contains("another worker uses this data directory"), "{text}");
    worker.stop().await;
}
