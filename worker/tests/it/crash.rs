//! Workers that die: nothing that was acknowledged is lost, and no backend sees a value fall.

use std::time::Duration;

use axum::http::StatusCode;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{Disk, Durability};

use crate::backend::{Backend, Received};
use crate::harness::{Launch, now, shard, to, wait};
use crate::sender::{counter, exponential, gauge, histogram};

const SECOND: u64 = 1_000_000_000;
const REQUESTS: &str = "requests_total{";

fn zeros(received: &Received) -> usize {
    let samples = received.samples(REQUESTS).unwrap_or_default();
    let mut times: Vec<i64> = samples.iter().filter(|sample| sample.value == 0.0).map(|zero| zero.timestamp).collect();
    times.dedup();
    times.len()
}

#[tokio::test]
async fn what_was_acknowledged_before_the_power_went_is_counted_once_after_it() {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    let worker = Launch::on(disk.clone()).to(&backend).run().await;
    let start = now() - 60 * SECOND;
    let before = vec![
        counter("requests", "a", start, start + SECOND, 5.0),
        histogram("latency", "a", start, start + SECOND, &[1.0, 10.0], &[1, 2, 3]),
        exponential("size", "a", start, start + SECOND, 4),
        gauge("level", "a", start + SECOND, 0.5),
    ];
    worker.sender().await.accept(before.clone()).await;
    disk.crash();
    worker.kill().await;

    let worker = Launch::on(disk).untold().to(&backend).run().await;
    let sender = worker.sender().await;
    sender.accept(before).await;
    let after = vec![
        counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0),
        histogram("latency", "a", start + SECOND, start + 2 * SECOND, &[1.0, 10.0], &[1, 0, 0]),
        exponential("size", "a", start + SECOND, start + 2 * SECOND, 2),
    ];
    sender.accept(after).await;
    let all = |got: &Received| {
        let counted = got.last(REQUESTS) == Some(7.0) && got.last("latency_count{") == Some(7.0);
        counted && got.last("size{") == Some(6.0) && got.last("level{") == Some(0.5)
    };
    backend.wait("the continued totals", all).await.assert_in_order();
    assert_eq!(worker.metric("shardset_worker_points_duplicate_total{shard=\"0\"}"), 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_process_that_dies_on_a_real_disk_loses_nothing_whatever_waits_to_be_synced() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().unwrap());
    let disk = || Disk::of_shard(dir.path(), shard(0)).unwrap();
    let start = now() - 60 * SECOND;
    for life in 0..3_u64 {
        let mut launch = Launch::on(disk()).to(&backend);
        launch.journal.durability = Durability::Interval(Duration::from_secs(3600));
        let worker = launch.run().await;
        let sender = worker.sender().await;
        for point in 0..20 {
            let time = start + (life * 20 + point) * 1_000_000;
            sender.accept(vec![counter("requests", "a", time, time + 1_000_000, 1.0)]).await;
        }
        worker.kill().await;
    }
    let worker = Launch::on(disk()).untold().to(&backend).run().await;
    backend.wait("all of it", |got| got.last(REQUESTS) == Some(60.0)).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_machine_that_loses_power_within_the_interval_loses_the_end_and_nothing_that_was_synced() {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    let mut launch = Launch::on(disk.clone()).to(&backend);
    launch.journal.durability = Durability::Interval(Duration::from_millis(100));
    let worker = launch.run().await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    // Two sweeps later, each of which syncs what has waited for long enough, and the ticks between them write more.
    let interval_is_over = now() + 300 * 1_000_000;
    wait("the interval to pass", || now() > interval_is_over).await;
    let operations = disk.operations();
    wait("two sweeps", || disk.operations() > operations + 8).await;
    disk.crash();
    worker.kill().await;
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 1.0)]).await;
    backend.wait("the continued total", |got| got.last(REQUESTS) == Some(6.0)).await;
    worker.stop().await;
}

/// A worker counts a stream that began so long ago, and dies when the backend `has` its zero or not, in both cases without
/// learning of it. What the backend has got when the next life has told it a later total.
async fn told_over_a_crash(began: u64, has: bool) -> Received {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    if has {
        backend.be_silent(true);
    } else {
        backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    }
    let worker = Launch::on(disk.clone()).to(&backend).run().await;
    let start = now() - began * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    backend.wait("an offer", |got| if has { got.last(REQUESTS) == Some(0.0) } else { got.refused > 0 }).await;
    disk.crash();
    worker.kill().await;

    backend.be_silent(false);
    backend.answer(StatusCode::NO_CONTENT);
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    let received = backend.wait("the later total", |got| got.last(REQUESTS) == Some(7.0)).await;
    worker.stop().await;
    received
}

#[tokio::test]
async fn a_zero_that_the_backend_has_is_told_again_at_the_same_time_and_nowhere_else() {
    let received = told_over_a_crash(60, true).await;
    received.assert_one_life(REQUESTS);
    assert_eq!(zeros(&received), 1, "it is the same sample: {received:?}");
}

#[tokio::test]
async fn a_zero_that_the_backend_does_not_have_is_told_after_the_crash() {
    let received = told_over_a_crash(60, false).await;
    received.assert_one_life(REQUESTS);
    received.assert_in_order();
}

#[tokio::test]
async fn a_zero_that_can_not_stand_at_the_start_is_told_after_a_crash_too() {
    // Older than a zero may be put, so it stands five minutes before its value.
    for has in [true, false] {
        told_over_a_crash(3600, has).await.assert_one_life(REQUESTS);
    }
}

#[tokio::test]
async fn a_worker_that_dies_again_and_again_before_it_learns_tells_one_zero() {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    backend.be_silent(true);
    let start = now() - 60 * SECOND;
    for life in 0..4_u64 {
        let worker = Launch::on(disk.clone()).to(&backend).run().await;
        let time = start + life * SECOND;
        worker.sender().await.accept(vec![counter("requests", "a", time, time + SECOND, 1.0)]).await;
        let offered = |got: &Received| got.samples(REQUESTS).map_or(0, |samples| samples.len()) > life as usize;
        backend.wait("an offer", offered).await;
        disk.crash();
        worker.kill().await;
    }
    backend.be_silent(false);
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + 4 * SECOND, start + 5 * SECOND, 1.0)]).await;
    let received = backend.wait("the total", |got| got.last(REQUESTS) == Some(5.0)).await;
    received.assert_one_life(REQUESTS);
    assert_eq!(zeros(&received), 1, "it is the same sample: {received:?}");
    worker.stop().await;
}

#[tokio::test]
async fn a_destination_that_was_away_over_a_crash_sees_no_value_fall_either() {
    let (near, far, disk) = (Backend::start().await, Backend::start().await, MemoryDisk::new(1));
    far.answer(StatusCode::SERVICE_UNAVAILABLE);
    let launch =
        || Launch { destinations: vec![to("near", &near.url), to("far", &far.url)], ..Launch::on(disk.clone()) };
    let worker = launch().run().await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    near.wait("the total", |got| got.last(REQUESTS) == Some(5.0)).await;
    disk.crash();
    worker.kill().await;
    far.answer(StatusCode::NO_CONTENT);
    let worker = launch().untold().run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    for backend in [&near, &far] {
        let received = backend.wait("the total", |got| got.last(REQUESTS) == Some(7.0)).await;
        let mut samples = received.samples(REQUESTS).unwrap().to_vec();
        samples.sort_by_key(|sample| sample.timestamp);
        assert!(samples.is_sorted_by_key(|sample| sample.value), "{samples:?}");
    }
    worker.stop().await;
}
