//! Checkpoints: they shorten the log while requests go on, and whenever a worker dies, a restart comes to the same totals.
//!
//! Large histograms fill a log to its first checkpoint with a few hundred points. Their state is a few pieces of a checkpoint.

use opentelemetry_proto::tonic::metrics::v1::Metric;
use shardset_journal::storage::faulty::{MemoryDisk, Moment};

use crate::backend::{Backend, PATIENCE, Received};
use crate::cluster::{a_minute_ago, series};
use crate::harness::{Harness, Launch};
use crate::sender::{LARGE_BUCKETS, Sender, counter, large, large_count};

const MILLIS: u64 = 1_000_000;
/// 1 MiB of state.
const STREAMS: u64 = 100;
const DISK_BYTES: &str = "shardset_worker_journal_disk_bytes{shard=\"0\"}";
const COMMITTED: &str = "shardset_worker_journal_committed_bytes_total{shard=\"0\"}";
const CHECKPOINTS: &str = "shardset_worker_journal_checkpoints_total{shard=\"0\"}";
const UNWRITABLE: &str = "shardset_worker_journal_unwritable{shard=\"0\"}";
/// No test needs as many.
const ROUNDS_MAX: u64 = 1_000;
const MIB: u64 = 1 << 20;
/// From this length on the log is due for its first checkpoint.
const DUE: u64 = 4 * MIB;

fn launch(disk: &MemoryDisk) -> Launch<MemoryDisk> {
    let mut launch = Launch::on(disk.clone()).set(|settings| settings.accumulate.max_buckets = 2 * LARGE_BUCKETS);
    launch.journal.segment_bytes = MIB;
    launch.journal.log_bytes_min = DUE;
    launch
}

/// Sends rounds of points, one of each stream, and knows what they come to.
#[derive(Clone, Copy, Debug)]
struct Rounds {
    start: u64,
    sent: u64,
}

impl Rounds {
    fn new() -> Self {
        Self { start: a_minute_ago(), sent: 0 }
    }

    fn points(self) -> Vec<Metric> {
        assert!(self.sent < ROUNDS_MAX, "what is waited for does not come");
        let from = self.start + self.sent * MILLIS;
        let point = |stream: u64| large("size", &stream.to_string(), from, from + MILLIS);
        let small = counter("requests", "a", from, from + MILLIS, 1.0);
        (0..STREAMS).map(point).chain([small]).collect()
    }

    async fn send(&mut self, sender: &Sender) {
        sender.accept(self.points()).await;
        self.sent += 1;
    }

    /// What a worker on this disk tells is what was sent.
    async fn are_counted(self, disk: &MemoryDisk) {
        let backend = Backend::start().await;
        let worker = launch(disk).untold().to(&backend).run().await;
        let (size, requests) = (Some(large_count(self.sent)), Some(self.sent as f64));
        let is_all = |got: &Received| {
            let told = |stream: u64| got.last(&series("size", &stream.to_string()));
            got.last(&series("requests_total", "a")) == requests && (0..STREAMS).all(|stream| told(stream) == size)
        };
        backend.wait("the totals of what was sent", is_all).await;
        worker.kill().await;
    }
}

fn used(disk: &MemoryDisk) -> u64 {
    disk.files().iter().map(|(_, bytes)| bytes).sum()
}

#[tokio::test]
async fn the_log_is_shortened_again_and_again_and_a_crash_finds_every_total() {
    let disk = MemoryDisk::new(1);
    let worker = launch(&disk).run().await;
    let (sender, mut rounds) = (worker.sender().await, Rounds::new());
    let mut longest = 0;
    // Far more than stays.
    while worker.metric(CHECKPOINTS) < 3 || worker.metric(COMMITTED) < 8 * DUE {
        rounds.send(&sender).await;
        longest = longest.max(used(&disk));
    }
    // What is due, a checkpoint beside it, and what a quick machine sends within the sweep that notices and while it is written.
    assert!(longest < 5 * DUE, "{longest} bytes at the longest");
    assert!(worker.metric(DISK_BYTES) < 5 * DUE);
    disk.crash();
    worker.kill().await;
    rounds.are_counted(&disk).await;
}

/// A disk whose log is nearly due, and what was sent to it.
async fn nearly_due() -> (MemoryDisk, Rounds) {
    let disk = MemoryDisk::new(7);
    let worker = launch(&disk).run().await;
    let (sender, mut rounds) = (worker.sender().await, Rounds::new());
    while used(&disk) < DUE - MIB {
        rounds.send(&sender).await;
    }
    assert_eq!(worker.metric(CHECKPOINTS), 0);
    worker.kill().await;
    (disk, rounds)
}

/// Sends until the worker's disk is dead, which is when nothing is acknowledged any more.
async fn sends_until_dead(worker: &Harness, disk: &MemoryDisk, rounds: &mut Rounds) {
    let sender = worker.sender().await;
    let sending = async {
        while sender.send(rounds.points()).await.is_ok() {
            rounds.sent += 1;
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.unwrap();
    assert!(disk.is_dead());
}

#[tokio::test]
async fn a_crash_at_any_moment_of_a_checkpoint_loses_nothing() {
    let (base, before) = nearly_due().await;
    let mut checkpoints = 0;
    // A checkpoint of this state is begun and ended within some 40 operations, among the commits of requests. On a quick machine
    // hundreds go by before a sweep begins it.
    for (operation, moment) in (4..60)
        .step_by(7)
        .chain([120, 200, 300, 500])
        .zip([Moment::Before, Moment::During, Moment::After].into_iter().cycle())
    {
        let (disk, mut rounds) = (base.fork(), before);
        let worker = launch(&disk).untold().run().await;
        let sender = worker.sender().await;
        // A sweep notices that it is due; the rounds that follow are what a checkpoint is mixed with.
        while used(&disk) < DUE {
            rounds.send(&sender).await;
        }
        disk.die(disk.operations() + operation, moment);
        sends_until_dead(&worker, &disk, &mut rounds).await;
        checkpoints += worker.metric(CHECKPOINTS);
        disk.crash();
        worker.kill().await;
        // The round that was not answered may have been counted or not; sent again, it is.
        let worker = launch(&disk).untold().run().await;
        rounds.send(&worker.sender().await).await;
        worker.kill().await;
        rounds.are_counted(&disk).await;
    }
    assert!(checkpoints > 0, "some had come to the end of the checkpoint");
}

#[tokio::test]
async fn a_checkpoint_that_a_full_disk_interrupts_is_written_when_there_is_room() {
    let (disk, mut rounds) = nearly_due().await;
    let worker = launch(&disk).untold().run().await;
    let sender = worker.sender().await;
    disk.set_capacity(Some(DUE + MIB));
    while sender.send(rounds.points()).await.is_ok() {
        rounds.sent += 1;
    }
    let checkpoints = worker.metric(CHECKPOINTS);
    disk.set_capacity(None);
    worker.wait_metric(UNWRITABLE, |unwritable| unwritable == 0).await;
    // What was refused may be counted: it is sent again in any case.
    rounds.send(&sender).await;
    while worker.metric(CHECKPOINTS) == checkpoints {
        rounds.send(&sender).await;
    }
    disk.crash();
    worker.kill().await;
    rounds.are_counted(&disk).await;
}
