//! Operations fail and the process lives: what is tried again works, and nothing that was acknowledged is lost.

use std::time::Duration;

use shardset_journal::storage::faulty::{Fault, MemoryDisk, Moment};
use shardset_journal::{CommitError, Durability, Journal};
use shardset_model::Incarnation;

use crate::crash::LIFE;
use crate::world::{self, Step, World, read};

const FAULTS: [Fault; 3] = [Fault::NoSpace, Fault::Device, Fault::ReadOnly];
const DURABILITIES: [Durability; 2] = [Durability::Fsync, Durability::Interval(Duration::from_millis(100))];

#[test]
fn whatever_operation_fails_once_trying_again_works_and_nothing_is_lost() {
    for durability in DURABILITIES {
        let mut operations = 400;
        for operation in 0.. {
            if operation >= operations {
                break;
            }
            let faults = if durability == Durability::Fsync { &FAULTS[..] } else { &FAULTS[1..2] };
            for (seed, &fault) in (1..).zip(faults) {
                let mut world = World::new(seed * 999_983 + operation, durability);
                world.disk.fail(operation, fault);
                world.run(LIFE).unwrap();
                operations = world.disk.operations().min(1000);
                world.restart(true).unwrap();
                world.run(&[Step::Commit(9)]).unwrap();
                world.assert_no_rubbish();
                world.restart(false).unwrap();
            }
        }
    }
}

#[test]
fn a_process_that_dies_while_it_recovers_from_a_failure_loses_nothing() {
    for durability in DURABILITIES {
        for operation in (0..400).step_by(1 + usize::from(durability != Durability::Fsync)) {
            for later in [1, 3, 8] {
                let mut world = World::new(later * 7_919 + operation, durability);
                world.disk.fail(operation, FAULTS[later as usize % 2]);
                world.disk.die(operation + later, Moment::During);
                if world.dies(LIFE) {
                    world.restart(later % 3 > 0).unwrap();
                    world.run(&[Step::Commit(9)]).unwrap();
                    world.restart(true).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_leaves_no_rubbish_and_goes_on_when_there_is_room() {
    let mut world = World::new(5, Durability::Fsync);
    world.run(&[Step::Commit(100), Step::Commit(200)]).unwrap();
    let used: u64 = world.disk.files().iter().map(|(_, length)| length).sum();
    world.disk.set_capacity(Some(used + 90));
    for _ in 0..50 {
        let error = world.journal().commit(&[7; 300], Duration::ZERO).unwrap_err();
        assert!(error.is_retryable() && matches!(error, CommitError::File(_)), "{error:?}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "No space left on device (os error 28)");
    }
    assert!(world.disk.files().len() <= 3, "{:?}", world.disk.files());
    world.disk.set_capacity(None);
    world.run(&[Step::Commit(300), Step::Crash, Step::Commit(10), Step::Crash]).unwrap();
}

#[test]
fn a_read_only_disk_is_replayed_and_refuses_commits() {
    let mut world = World::new(6, Durability::Fsync);
    world.run(&[Step::Commit(100), Step::Close]).unwrap();
    world.disk.set_read_only(true);
    world.restart(false).unwrap();
    assert!(world.journal().commit(b"more", Duration::ZERO).unwrap_err().is_retryable());
    assert!(world.journal().begin_checkpoint().unwrap_err().is_retryable());
    world.restart(true).unwrap();
    world.disk.set_read_only(false);
    world.run(&[Step::Commit(1), Step::Crash]).unwrap();
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_written_again_before_anyone_relies_on_it() {
    // The system drops what it could not write, says so once, and the process dies before it can act on it. The next one
    // reads the frame from the cache; the power goes after its first commit.
    for seed in 0..50 {
        let disk = MemoryDisk::new(seed);
        let settings = world::settings(Durability::Fsync);
        let (mut journal, _) = world::open(&disk, settings, 1, |_, _| {}).unwrap();
        journal.commit(&[1; 100], Duration::ZERO).unwrap();
        disk.fail(disk.operations() + 1, Fault::Device);
        assert!(journal.commit(&[2; 600], Duration::ZERO).is_err());
        drop(journal);
        disk.kill();
        let (mut journal, _) = world::open(&disk, settings, 1, |_, _| {}).unwrap();
        journal.commit(&[], Duration::ZERO).unwrap();
        drop(journal);
        disk.crash();
        assert_eq!(read(&disk, settings).unwrap(), [vec![1; 100], vec![2; 600]]);
    }
}

#[test]
fn commits_wait_for_their_interval_or_until_too_much_waits() {
    let mut world = World::new(7, Durability::Interval(Duration::from_millis(100)));
    world.run(&[Step::Commit(10)]).unwrap();
    let journal = world.journal();
    let at = Duration::from_millis;
    let mut syncs_after = |commit: &[u8], now: u64| {
        journal.commit(commit, at(now)).unwrap();
        journal.statistics().syncs
    };
    // The first one began a segment.
    assert_eq!([syncs_after(b"a", 2000), syncs_after(b"b", 2099), syncs_after(b"", 2099)], [1, 1, 1]);
    assert_eq!([syncs_after(b"c", 2100), syncs_after(b"d", 2101), syncs_after(b"", 2201)], [2, 2, 3]);
    // 1500 bytes may wait, and a segment that is full is synced when it ends.
    assert_eq!([syncs_after(&[0; 300], 3000), syncs_after(&[0; 1400], 3000), syncs_after(b"e", 3000)], [3, 4, 5]);
    journal.sync_if_due(at(3001)).unwrap();
    assert_eq!(journal.statistics().syncs, 5);
}

#[test]
fn two_processes_can_not_have_one_directory() {
    let disk = MemoryDisk::new(1);
    let settings = world::settings(Durability::Fsync);
    let (journal, cold) = world::open(&disk, settings, 1, |_, _| {}).unwrap();
    let again = || Journal::open(disk.clone(), settings, Incarnation::new(2).unwrap()).map(drop);
    let text = again().unwrap_err().to_string();
    assert!(text.contains("lock is locked: another worker uses this directory"), "{text}");
    drop(journal);
    assert!(again().is_err(), "the cold store still works with it");
    drop(cold);
    again().unwrap();
}
