//! Commits that run aside, on a disk that hangs and fails.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use prometheus_client::registry::Registry;
use shardset_journal::storage::faulty::{Fault, MemoryDisk};
use shardset_journal::{Journal, Settings};
use shardset_model::{Incarnation, ShardCount, ShardIndex};

use super::{Committer, Persist, Step};
use crate::Metrics;

fn shard() -> ShardIndex {
    ShardCount::ONE.shards().next().unwrap()
}

/// What a start finds on the disk: the changes, joined.
fn found(disk: &MemoryDisk) -> Vec<u8> {
    disk.kill();
    let mut found = Vec::new();
    open(disk, &mut found);
    found
}

fn open(disk: &MemoryDisk, found: &mut Vec<u8>) -> Journal<MemoryDisk> {
    let opening = Journal::open(disk.clone(), Settings::new(shard()), Incarnation::new(1).unwrap()).unwrap();
    let replayed = opening.replay(|frame| {
        found.extend_from_slice(frame.payload);
        Ok::<_, Infallible>(())
    });
    replayed.unwrap()
}

fn persist(disk: &MemoryDisk) -> Persist<MemoryDisk> {
    let metrics = Metrics::register(&mut Registry::default()).of(shard());
    let (committer, commits) = Committer::new(metrics.journal.clone(), || {});
    thread::spawn(commits);
    let mut persist = Persist::new(open(disk, &mut Vec::new()), committer, metrics.journal);
    // The first commit makes a segment.
    persist.changes().extend_from_slice(b"zero ");
    assert!(persist.commit().is_some());
    persist
}

/// Appends `changes` and has them committed. Whether there was a receipt is told when it is known.
fn aside(persist: &mut Persist<MemoryDisk>, changes: &[u8]) -> Receiver<bool> {
    let (ended, is_durable) = sync_channel(1);
    persist.changes().extend_from_slice(changes);
    persist.commit_aside(None, move |receipt| ended.send(receipt.is_some()).unwrap());
    is_durable
}

#[test]
fn while_the_disk_hangs_changes_go_on_and_nobody_is_told() {
    let disk = MemoryDisk::new(1);
    let mut persist = persist(&disk);
    let hung = disk.hang();
    let first = aside(&mut persist, b"one ");
    persist.changes().extend_from_slice(b"two ");
    assert!(!persist.is_idle());
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    drop(hung);
    let second = aside(&mut persist, b"three");
    assert_eq!((first.recv(), second.recv()), (Ok(true), Ok(true)));
    assert_eq!(found(&disk), b"zero one two three");
}

#[test]
fn what_could_not_be_committed_is_committed_before_what_came_later() {
    let disk = MemoryDisk::new(1);
    let mut persist = persist(&disk);
    disk.fail(disk.operations(), Fault::NoSpace);
    let hung = disk.hang();
    let first = aside(&mut persist, b"one ");
    persist.changes().extend_from_slice(b"two");
    drop(hung);
    assert_eq!(first.recv(), Ok(false));
    let second = aside(&mut persist, b"");
    assert_eq!(second.recv(), Ok(false), "a disk that failed is left alone for a while");
    assert!(persist.commit().is_some());
    assert_eq!(found(&disk), b"zero one two");
}

#[test]
fn a_checkpoint_begins_behind_a_commit_and_ends_behind_another() {
    let disk = MemoryDisk::new(1);
    let mut persist = persist(&disk);
    persist.follow_with(Step::Begin);
    assert_eq!(aside(&mut persist, b"before ").recv(), Ok(true));
    persist.follow_with(Step::End);
    assert_eq!(aside(&mut persist, b"state").recv(), Ok(true));
    persist.await_journal();
    assert!(!persist.has_not_begun() && !persist.is_to_step());
    assert_eq!(found(&disk), b"state", "what is older is gone");
}

#[test]
fn a_checkpoint_that_can_not_begin_is_told_once() {
    let disk = MemoryDisk::new(1);
    // The write before it, and what begins it.
    for operation in [0, 2] {
        let mut persist = persist(&disk);
        disk.fail(disk.operations() + operation, Fault::Device);
        persist.follow_with(Step::Begin);
        assert_eq!(aside(&mut persist, b"before").recv(), Ok(operation > 0));
        persist.await_journal();
        assert!(persist.has_not_begun());
        assert!(!persist.has_not_begun());
        drop(persist);
        disk.kill();
    }
}
