//! The file on a real disk: replaced whole, and by one of two at a time.

use std::fs;
use std::path::Path;

use shardset_model::{Epoch, Membership, Phase};

use super::{Expect, PublishError, directory, publish, read};
use crate::{Record, WorkerAt};

fn record(epoch: u64, shards: u32, phase: Phase) -> Record {
    let at = |shard| WorkerAt { shard, address: format!("w{shard}:4317").parse().unwrap(), uid: None };
    Record::new(Membership::new(epoch, shards, 3, phase).unwrap(), (0..9).map(at).collect()).unwrap()
}

fn at(epoch: u64, phase: Phase) -> Expect {
    Expect::At(Epoch::new(epoch).unwrap(), phase)
}

#[test]
fn a_record_is_published_over_what_is_expected_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("membership.json");
    let found = |expected, record: &Record| match publish(&path, expected, record) {
        Err(PublishError::Changed { found, .. }) => Some(found),
        done => done.map(|()| None).unwrap(),
    };
    let (first, moving, stable) =
        (record(1, 3, Phase::Stable), record(2, 5, Phase::Moving), record(2, 5, Phase::Stable));
    assert_eq!(found(at(1, Phase::Stable), &first), Some(Expect::Nothing));
    assert_eq!(found(Expect::Nothing, &first), None);
    assert_eq!(found(Expect::Nothing, &first), Some(at(1, Phase::Stable)));
    assert_eq!(found(at(1, Phase::Stable), &moving), None);
    assert_eq!(found(at(1, Phase::Stable), &moving), Some(at(2, Phase::Moving)));
    assert_eq!(found(at(2, Phase::Stable), &stable), Some(at(2, Phase::Moving)), "the phase counts");
    assert_eq!(read(&path).unwrap(), moving);
    assert_eq!(found(Expect::Anything, &stable), None);
    assert_eq!(read(&path).unwrap(), stable);
}

#[test]
fn what_readers_would_refuse_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("membership.json");
    publish(&path, Expect::Nothing, &record(7, 3, Phase::Stable)).unwrap();
    for (expected, older) in [(Expect::Anything, 6), (at(7, Phase::Stable), 6)] {
        let refused = publish(&path, expected, &record(older, 3, Phase::Stable));
        assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    }
    assert_eq!(read(&path).unwrap(), record(7, 3, Phase::Stable));
}

#[test]
fn a_broken_file_is_replaced_only_by_whoever_takes_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("membership.json");
    fs::write(&path, "{").unwrap();
    for expected in [Expect::Nothing, at(1, Phase::Stable)] {
        let refused = publish(&path, expected, &record(1, 3, Phase::Stable));
        assert!(matches!(refused, Err(PublishError::Read(_))), "{refused:?}");
    }
    publish(&path, Expect::Anything, &record(1, 3, Phase::Stable)).unwrap();
    assert_eq!(read(&path).unwrap(), record(1, 3, Phase::Stable));
}

#[test]
fn of_many_who_saw_the_same_membership_one_publishes_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("membership.json");
    publish(&path, Expect::Nothing, &record(1, 3, Phase::Stable)).unwrap();
    let race = |shards| publish(&path, at(1, Phase::Stable), &record(2, shards, Phase::Moving)).map(|()| shards);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let racing: Vec<_> = (1..9).map(|shards| scope.spawn(move || race(shards))).collect();
        racing.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let winners: Vec<u32> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(read(&path).unwrap().membership().shards().get(), winners[0]);
}

#[test]
fn nothing_is_left_beside_the_file_but_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    publish(&folder.path().join("m"), Expect::Nothing, &record(1, 3, Phase::Stable)).unwrap();
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["m", "m.lock"]);
    assert_eq!(directory(Path::new("m")), Path::new("."));
}
