//! The watch against a real directory.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shardset_model::{Membership, Phase};
use shardset_process::Tasks;
use tempfile::TempDir;

use super::{Published, watch_every};
use crate::{Expect, Record, Refusals, WorkerAt, publish, to_json};

/// Nothing here takes as long; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(5);

struct Watched {
    folder: TempDir,
    path: PathBuf,
    refusals: Refusals,
    tasks: Tasks,
}

impl Watched {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("membership.json");
        Self { folder, path, refusals: Refusals::default(), tasks: Tasks::default() }
    }

    fn start(&self, read_again: Duration) -> Published {
        watch_every(read_again, &self.path, &self.refusals, &self.tasks)
    }

    fn publish(&self, epoch: u64) {
        publish(&self.path, Expect::Anything, &record(epoch)).unwrap();
    }
}

fn record(epoch: u64) -> Record {
    let membership = Membership::new(epoch, 1, 1, Phase::Stable).unwrap();
    Record::new(membership, vec![WorkerAt { shard: 0, address: "w0:4317".parse().unwrap(), uid: None }]).unwrap()
}

fn epoch(record: &Option<Arc<Record>>) -> Option<u64> {
    record.as_ref().map(|record| record.membership().epoch().get())
}

async fn reaches(published: &mut Published, wanted: u64) {
    let reached = published.records.wait_for(|record| epoch(record) == Some(wanted));
    tokio::time::timeout(PATIENCE, reached).await.expect("in time").unwrap();
}

async fn refuses(watched: &Watched, reason: &'static str, times: u64) {
    let refused = async {
        while watched.refusals.of(reason) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap_or_else(|_| panic!("not refused: {reason}"));
}

#[tokio::test]
async fn what_is_there_at_the_start_is_known_at_once() {
    let watched = Watched::new();
    assert_eq!(epoch(&watched.start(NEVER).records.borrow()), None);
    assert_eq!(watched.refusals.of("missing"), 1);
    assert!(watched.start(NEVER).trouble.now().unwrap().contains("membership.json"));
    watched.publish(3);
    let published = watched.start(NEVER);
    assert_eq!((epoch(&published.records.borrow()), published.trouble.now()), (Some(3), None));
}

#[tokio::test]
async fn a_file_that_is_replaced_is_noticed_each_time() {
    let watched = Watched::new();
    let mut published = watched.start(NEVER);
    for epoch in 1..4 {
        watched.publish(epoch);
        reaches(&mut published, epoch).await;
    }
    fs::write(&watched.path, to_json(&record(4))).unwrap();
    reaches(&mut published, 4).await;
}

#[tokio::test]
async fn what_no_notice_tells_is_read_all_the_same() {
    let (watched, elsewhere) = (Watched::new(), tempfile::tempdir().unwrap());
    let target = elsewhere.path().join("target");
    fs::write(&target, to_json(&record(1))).unwrap();
    std::os::unix::fs::symlink(&target, &watched.path).unwrap();
    let mut published = watched.start(OFTEN);
    fs::write(&target, to_json(&record(2))).unwrap();
    reaches(&mut published, 2).await;
}

#[tokio::test]
async fn a_directory_that_comes_later_or_is_replaced_is_followed() {
    let mut watched = Watched::new();
    let inner = watched.folder.path().join("inner");
    watched.path = inner.join("membership.json");
    let mut published = watched.start(OFTEN);
    for epoch in 1..3 {
        fs::create_dir(&inner).unwrap();
        watched.publish(epoch);
        reaches(&mut published, epoch).await;
        fs::remove_dir_all(&inner).unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_leaves_the_last_good_one_and_is_said_once() {
    let watched = Watched::new();
    watched.publish(5);
    let mut published = watched.start(OFTEN);
    fs::write(&watched.path, "{").unwrap();
    refuses(&watched, "malformed", 1).await;
    fs::remove_file(&watched.path).unwrap();
    refuses(&watched, "missing", 1).await;
    fs::write(&watched.path, r#"{"format": 2}"#).unwrap();
    refuses(&watched, "unknown_format", 1).await;
    fs::write(&watched.path, to_json(&record(4))).unwrap();
    refuses(&watched, "older_epoch", 1).await;
    assert_eq!(epoch(&published.records.borrow()), Some(5));
    watched.publish(6);
    reaches(&mut published, 6).await;
    // Each was read many times, since the clock ticks every few milliseconds. What was written in place may have been
    // read half, or empty, as well.
    for reason in ["missing", "unknown_format", "older_epoch"] {
        assert_eq!(watched.refusals.of(reason), 1, "{reason}");
    }
}

#[tokio::test]
async fn the_watch_ends_with_its_last_listener() {
    let watched = Watched::new();
    drop(watched.start(NEVER));
    tokio::time::timeout(PATIENCE, watched.tasks.finished()).await.expect("in time").unwrap();
}
