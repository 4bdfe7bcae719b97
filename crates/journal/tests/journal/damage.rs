//! Bits flip and files go: what was durable is found as it was, or the shard does not start and says why.

use std::time::Duration;

use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{ColdError, Damage, Durability, OpenError, Settings};
use shardset_model::ShardCount;

use crate::world::{Step, World, open, read, settings};

/// A log of three segments with a checkpoint, after a clean stop.
fn stopped() -> (MemoryDisk, Settings) {
    let mut world = World::new(3, Durability::Fsync);
    world.run(&[Step::Commit(300), Step::Begin, Step::Commit(200), Step::End, Step::Commit(550)]).unwrap();
    world.run(&[Step::Commit(600), Step::Commit(100), Step::Commit(80), Step::Close]).unwrap();
    (world.disk.fork(), world.settings)
}

fn segments(disk: &MemoryDisk) -> Vec<String> {
    let names = disk.files().into_iter().map(|(name, _)| name);
    names.filter(|name| name.starts_with("segment-")).collect()
}

#[test]
fn a_flipped_bit_in_what_was_durable_is_never_replayed() {
    let (disk, settings) = stopped();
    let good = read(&disk, settings).unwrap();
    let (last, last_length) = disk.files().pop().unwrap();
    assert_eq!((segments(&disk).len(), good.len()), (3, 5));
    for (name, length) in disk.files().into_iter().filter(|(name, _)| name != "lock") {
        for offset in 0..length {
            let flipped = disk.fork();
            assert!(flipped.flip(&name, offset, (offset % 8) as u8));
            let found = read(&flipped, settings);
            // The last frame is the empty one of a clean stop: what is lost with it is nothing.
            if name == last && offset >= last_length - 32 {
                assert_eq!(found.unwrap(), good, "{offset} of {name}");
                continue;
            }
            let Err(OpenError::Damaged(Damage { path, offset: at, .. })) = found else { panic!("{found:?}") };
            assert!(path.ends_with(&name) && at <= offset, "{offset} of {name}: {path:?} at {at}");
            let distance = offset - at;
            assert!(distance < 650, "the damaged frame is named, not one far before: {offset} against {at}");
        }
    }
}

#[test]
fn a_file_of_the_log_that_is_cut_off_anywhere_is_not_replayed() {
    let (disk, settings) = stopped();
    let good = read(&disk, settings).unwrap();
    for (name, length) in disk.files().into_iter().filter(|(name, _)| name != "lock") {
        for end in 0..length {
            let cut = disk.fork();
            cut.truncate(&name, end);
            match read(&cut, settings) {
                Err(OpenError::Damaged(Damage { path, offset, .. })) => assert!(path.ends_with(&name) && offset <= end),
                // In the last segment, less is what a crash leaves: the frames before, in order.
                Ok(found) => assert!(name == *segments(&disk).last().unwrap() && good.starts_with(&found)),
                Err(error) => panic!("{name} cut at {end}: {error}"),
            }
        }
    }
}

#[test]
fn a_torn_tail_ends_the_log_whatever_is_in_it() {
    let mut world = World::new(4, Durability::Fsync);
    world.run(&[Step::Commit(30), Step::Commit(40)]).unwrap();
    let (disk, settings) = (world.disk.fork(), world.settings);
    let good = read(&disk, settings).unwrap();
    let (name, length) = disk.files().pop().unwrap();
    let last = length - (32 + 49);
    for offset in last..length {
        let flipped = disk.fork();
        flipped.flip(&name, offset, 0);
        assert_eq!(read(&flipped, settings).unwrap(), good[..1], "{offset}");
    }
}

#[test]
fn what_a_segment_was_begun_with_is_known_to_be_durable_without_a_later_frame() {
    let mut world = World::new(4, Durability::Fsync);
    world.run(&[Step::Commit(30)]).unwrap();
    let (name, length) = world.disk.files().pop().unwrap();
    assert_eq!(length, 72 + 32 + 39);
    for offset in 0..length {
        let flipped = world.disk.fork();
        flipped.flip(&name, offset, 0);
        assert!(matches!(read(&flipped, world.settings), Err(OpenError::Damaged(_))), "{offset}");
    }
}

#[test]
fn every_file_that_goes_is_missed() {
    let (disk, settings) = stopped();
    let segments = segments(&disk);
    for (name, by) in
        [(&segments[0], &segments[1]), (&segments[1], &segments[2]), (&segments[2], &"manifest".to_owned())]
    {
        let less = disk.fork();
        assert!(less.lose(name));
        let Err(OpenError::Missing { path, named_by }) = read(&less, settings) else { panic!("{name} is not missed") };
        assert!(path.ends_with(name) && named_by == *by, "{path:?} {named_by}");
    }
    let less = disk.fork();
    less.lose("manifest");
    let text = read(&less, settings).unwrap_err().to_string();
    assert!(text.starts_with("memory/manifest is missing, and the log needs it. Restore the disk"), "{text}");
}

#[test]
fn a_blob_that_is_damaged_cut_off_or_gone_is_not_read() {
    let disk = MemoryDisk::new(9);
    let settings = settings(Durability::Fsync);
    let (_journal, mut cold) = open(&disk, settings, 1, |_, _| {}).unwrap();
    let places = [cold.append(b"first").unwrap(), cold.append(b"").unwrap(), cold.append(b"third").unwrap()];
    cold.sync().unwrap();
    assert_eq!(cold.read(places[2]).unwrap(), b"third");
    let (name, length) = disk.files().remove(0);
    assert_eq!((name.as_str(), length), ("cold-00000000.log", 48 + 17 + 12 + 17));
    for offset in 0..length {
        let flipped = disk.fork();
        flipped.flip(&name, offset, 3);
        let (_journal, mut cold) = open(&flipped, settings, 1, |_, _| {}).unwrap();
        let bad = places.iter().filter(|place| matches!(cold.read(**place), Err(ColdError::Damaged(_)))).count();
        assert_eq!(bad, if offset < 48 { 3 } else { 1 }, "{offset}");
    }
    let less = disk.fork();
    less.truncate(&name, length - 1);
    let (_journal, mut cold) = open(&less, settings, 1, |_, _| {}).unwrap();
    assert!(matches!(cold.read(places[2]), Err(ColdError::Damaged(_))));
    assert!(cold.mark_live(places[0]).is_ok() && cold.mark_live(places[2]).is_err());
    let less = disk.fork();
    less.lose(&name);
    let (_journal, mut cold) = open(&less, settings, 1, |_, _| {}).unwrap();
    let text = cold.mark_live(places[0]).unwrap_err().to_string();
    assert!(text.starts_with("memory/cold-00000000.log is damaged at offset 0: the file is missing"), "{text}");
}

#[test]
fn files_of_another_shard_or_another_life_are_refused() {
    let (disk, settings) = stopped();
    let shard = ShardCount::new(2).unwrap().shard(1).unwrap();
    let error = read(&disk, Settings { shard, ..settings }).unwrap_err();
    assert!(error.to_string().starts_with("memory/manifest is of shard 0, not of 1"), "{error}");

    let other = MemoryDisk::new(8);
    let (mut journal, _) = open(&other, settings, 42, |_, _| {}).unwrap();
    for _ in 0..5 {
        journal.commit(&[1; 800], Duration::ZERO).unwrap();
    }
    drop(journal);
    let name = segments(&disk).pop().unwrap();
    disk.replace(&name, other.bytes(&name).unwrap());
    let error = read(&disk, settings).unwrap_err();
    assert!(matches!(error, OpenError::OtherIncarnation { .. }), "{error}");
}
