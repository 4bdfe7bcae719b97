//! A disk that fails: nobody is told that something counts which may be lost, and the worker goes on when the disk does.

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_journal::storage::faulty::{Fault, MemoryDisk};
use shardset_wire::status;
use tonic::Code;

use crate::backend::{Backend, Received};
use crate::cluster::series;
use crate::harness::{Harness, Launch, now};
use crate::scrape::{endpoint, get};
use crate::sender::{Sender, counter};

const SECOND: u64 = 1_000_000_000;
const UNWRITABLE: &str = "shardset_worker_journal_unwritable{shard=\"0\"}";
const FAILURES: &str = "shardset_worker_journal_failures_total{shard=\"0\"}";

async fn refused_for_now(sender: &Sender, point: &Metric) {
    let refused = sender.send(vec![point.clone()]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("can not write its journal now"), "{refused}");
    assert!(status::retry_after(&refused).is_some(), "{refused}");
}

/// It has tried again and again: whatever it would do meanwhile, it has done.
async fn has_failed_some_times(worker: &Harness) {
    let before = worker.metric(FAILURES);
    worker.wait_metric(FAILURES, |failures| failures > before + 2).await;
}

/// Whether a scrape is cut off, before its head or after it.
async fn scrape_fails(url: &str) -> bool {
    match reqwest::get(url).await {
        Ok(response) => response.text().await.is_err(),
        Err(_) => true,
    }
}

/// What breaks a disk, and what mends it.
async fn a_broken_disk_refuses_and_goes_on_when_it_is_mended(breaks: fn(&MemoryDisk), mends: fn(&MemoryDisk)) {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    let worker = Launch::on(disk.clone()).to(&backend).run().await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    sender.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    backend.wait("the total", |got| got.last("requests_total{") == Some(5.0)).await;

    breaks(&disk);
    let known = counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0);
    let new = counter("requests", "b", start, start + SECOND, 3.0);
    for point in [&known, &new, &known] {
        refused_for_now(&sender, point).await;
    }
    has_failed_some_times(&worker).await;
    assert_eq!(worker.metric(UNWRITABLE), 1);
    let scrape = endpoint(&[&worker]).await;
    assert!(scrape_fails(&scrape.url).await, "a scrape tells nothing that may be lost");
    let told = backend.received();
    assert_eq!(told.last("requests_total{"), Some(5.0), "and remote write does not either");
    assert!(told.series.keys().all(|name| !name.contains("\"b\"")), "{told:?}");
    assert!(!worker.process.tasks.stop().is_cancelled(), "the process stays up");

    mends(&disk);
    worker.wait_metric(UNWRITABLE, |unwritable| unwritable == 0).await;
    for point in [known, new] {
        sender.accept(vec![point]).await;
    }
    sender.accept(vec![counter("requests", "a", start + 2 * SECOND, start + 3 * SECOND, 1.0)]).await;
    let is_all = |got: &Received| {
        got.last(&series("requests_total", "a")) == Some(8.0) && got.last(&series("requests_total", "b")) == Some(3.0)
    };
    backend.wait("what was refused, once", is_all).await.assert_in_order();
    assert!(get(&scrape.url, "text/plain").await.1.contains("requests_total{"));
    scrape.let_go(&worker);

    disk.crash();
    worker.kill().await;
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + 3 * SECOND, start + 4 * SECOND, 1.0)]).await;
    backend.wait("the total after a crash", |got| got.last("requests_total{") == Some(9.0)).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_scrape_tells_nothing_of_a_commit_that_is_under_way() {
    let disk = MemoryDisk::new(1);
    let worker = Launch::on(disk.clone()).run().await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    sender.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    let scrape = endpoint(&[&worker]).await;

    // It hangs, and is found full when it goes on.
    disk.set_capacity(Some(0));
    let hung = disk.hang();
    let counted = async {
        let point = counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0);
        sender.send(vec![point]).await
    };
    let scraped = async {
        worker.wait_metric("shardset_worker_points_accepted_total{shard=\"0\"}", |points| points == 2).await;
        let goes_on = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            drop(hung);
        };
        tokio::join!(scrape_fails(&scrape.url), goes_on).0
    };
    let (answer, has_failed) = tokio::join!(counted, scraped);
    assert!(has_failed, "the second point is not durable");
    answer.unwrap_err();
    disk.set_capacity(None);
    worker.wait_metric(UNWRITABLE, |unwritable| unwritable == 0).await;
    scrape.let_go(&worker);
    worker.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_retryably_and_counts_what_was_refused_once_when_it_has_room() {
    let (breaks, mends) = (|disk: &MemoryDisk| disk.set_capacity(Some(0)), |disk: &MemoryDisk| disk.set_capacity(None));
    a_broken_disk_refuses_and_goes_on_when_it_is_mended(breaks, mends).await;
}

#[tokio::test]
async fn a_read_only_disk_does_the_same() {
    let (breaks, mends) = (|disk: &MemoryDisk| disk.set_read_only(true), |disk: &MemoryDisk| disk.set_read_only(false));
    a_broken_disk_refuses_and_goes_on_when_it_is_mended(breaks, mends).await;
}

#[tokio::test]
async fn a_write_or_sync_that_failed_once_loses_nothing_that_was_acknowledged() {
    // An append, a sync, and what begins a new segment: whichever operation of the next commits fails.
    for operation in 0..8 {
        let (backend, disk) = (Backend::start().await, MemoryDisk::new(operation));
        let worker = Launch::on(disk.clone()).run().await;
        let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
        disk.fail(disk.operations() + operation, Fault::Device);
        let mut acknowledged = 0.0;
        for second in 0..8 {
            let point = counter("requests", "a", start + second * SECOND, start + (second + 1) * SECOND, 1.0);
            while sender.send(vec![point.clone()]).await.is_err() {
                worker.wait_metric(UNWRITABLE, |unwritable| unwritable == 0).await;
            }
            acknowledged += 1.0;
        }
        assert_eq!(worker.metric(FAILURES), 1, "operation {operation}");
        disk.crash();
        worker.kill().await;
        let worker = Launch::on(disk).untold().to(&backend).run().await;
        backend.wait("the total", |got| got.last("requests_total{") == Some(acknowledged)).await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_stop_on_a_broken_disk_says_that_the_state_is_not_kept_and_starts_from_what_is() {
    let disk = MemoryDisk::new(1);
    let worker = Launch::on(disk.clone()).run().await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    sender.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    disk.set_read_only(true);
    refused_for_now(&sender, &counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)).await;
    let error = worker.worker.stop().await.unwrap_err();
    assert_eq!(error.to_string(), "can not keep the state of shard 0");
    worker.process.tasks.finished().await.unwrap();
    disk.set_read_only(false);
    let backend = Backend::start().await;
    let worker = Launch::on(disk).untold().to(&backend).run().await;
    backend.wait("what was acknowledged", |got| got.last("requests_total{") == Some(5.0)).await;
    worker.stop().await;
}
