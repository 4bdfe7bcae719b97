//! What a stop keeps, and what a start makes of it.

use std::fs;
use std::time::Duration;

use axum::http::StatusCode;
use shardset_journal::Disk;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_process::logging::chain;

use crate::backend::Backend;
use crate::harness::{Launch, now, one_shard, shard};
use crate::sender::counter;

const SECOND: u64 = 1_000_000_000;

fn disk(data_dir: &tempfile::TempDir) -> Disk {
    Disk::of_shard(data_dir.path(), shard(0)).unwrap()
}

#[tokio::test]
async fn a_restart_continues_totals_and_remembers_what_was_counted() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().unwrap());
    let worker = Launch::on(disk(&dir)).to(&backend).run().await;
    let start = now() - 60 * SECOND;
    let first = counter("requests", "a", start, start + SECOND, 5.0);
    worker.sender().await.accept(vec![first.clone()]).await;
    worker.stop().await;
    backend.wait("the last pass", |got| got.last("requests_total{") == Some(5.0)).await;

    let worker = Launch::on(disk(&dir)).untold().to(&backend).run().await;
    assert_eq!(worker.report().await.membership, Some(one_shard()), "its disk knows");
    let sender = worker.sender().await;
    sender.accept(vec![first]).await;
    sender.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    let received = backend.wait("the continued total", |got| got.last("requests_total{") == Some(7.0)).await;
    received.assert_in_order();
    received.assert_one_life("requests_total{");
    assert_eq!(worker.metric("shardset_worker_points_duplicate_total{shard=\"0\"}"), 1);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_dead_backend_did_not_take_before_the_stop_goes_out_after_the_next_start() {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    let launch = Launch::on(disk.clone()).to(&backend);
    let worker = launch.set(|settings| settings.stop_grace = Duration::from_millis(200)).run().await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    worker.stop().await;
    backend.answer(StatusCode::NO_CONTENT);
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    let received = backend.wait("the total of before", |got| got.last("requests_total{") == Some(5.0)).await;
    received.assert_in_order();
    received.assert_one_life("requests_total{");
    worker.stop().await;
}

#[tokio::test]
async fn a_damaged_journal_is_named_with_the_place_and_what_to_do_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Launch::on(disk(&dir)).run().await;
    worker.sender().await.accept(vec![counter("requests", "a", now(), now() + 1, 5.0)]).await;
    worker.stop().await;
    let segment = dir.path().join("shard-0/segment-0000000000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let text = chain(&*Launch::on(disk(&dir)).try_run().await.unwrap_err());
    assert!(text.contains("can not recover shard 0"), "{text}");
    assert!(text.contains("shard-0/segment-0000000000000001.log is damaged at offset "), "{text}");
    assert!(text.contains("Restore the disk from a backup, or move the directory away"), "{text}");
}

#[tokio::test]
async fn a_data_directory_belongs_to_one_worker() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Launch::on(disk(&dir)).run().await;
    let text = chain(&*Launch::on(disk(&dir)).try_run().await.unwrap_err());
    assert!(text.contains("another worker uses this directory"), "{text}");
    worker.stop().await;
    Launch::on(disk(&dir)).run().await.stop().await;
}

#[tokio::test]
async fn a_disk_belongs_to_one_shard() {
    let disk = MemoryDisk::new(1);
    Launch::on(disk.clone()).run().await.stop().await;
    let other = Launch::on(disk).of(1, crate::harness::three_shards(1));
    let text = chain(&*other.try_run().await.unwrap_err());
    assert!(text.contains("is of shard 0, not of 1: a disk was attached to the wrong worker"), "{text}");
}
