//! The disk keeps what it must and loses what it may.

use super::*;

/// A disk with a file of 2000 synced bytes and 3000 others, all of them ones.
fn written(seed: u64) -> (MemoryDisk, MemoryFile) {
    let disk = MemoryDisk::new(seed);
    let mut file = disk.create("file").unwrap();
    disk.append(&mut file, &[1; 1000], &[&[1; 400], &[1; 600]]).unwrap();
    disk.sync_data(&file).unwrap();
    disk.sync_directory().unwrap();
    disk.append(&mut file, &[1; 3000], &[]).unwrap();
    (disk, file)
}

fn after_crash(disk: &MemoryDisk) -> Vec<u8> {
    disk.crash();
    disk.bytes("file").unwrap()
}

#[test]
fn what_was_synced_stays_and_the_rest_is_lost_in_every_way() {
    let crashed: Vec<Vec<u8>> = (0..100).map(|seed| after_crash(&written(seed).0)).collect();
    assert!(crashed.iter().all(|bytes| bytes[..2000] == [1; 2000] && bytes.len() <= 5000));
    let has_hole = |bytes: &&Vec<u8>| bytes[2000..].windows(2).any(|pair| pair == [0, 1]);
    assert!(crashed.iter().filter(has_hole).count() > 20, "later sectors survive earlier ones");
    assert!(crashed.iter().filter(|bytes| bytes.len() % 512 > 0).count() > 20, "lengths are any");
    assert!(crashed.iter().any(|bytes| bytes[2000..].iter().any(|byte| *byte > 1)), "and rubbish is found");
}

#[test]
fn the_same_seed_does_the_same() {
    assert_eq!(after_crash(&written(7).0), after_crash(&written(7).0));
    let (disk, _) = written(7);
    assert_eq!(after_crash(&disk.fork()), after_crash(&disk));
}

#[test]
fn a_process_that_dies_loses_its_handles_and_nothing_else() {
    let (disk, mut file) = written(1);
    let lock = disk.lock("lock").unwrap();
    assert!(lock.is_some() && disk.lock("lock").unwrap().is_none());
    disk.kill();
    assert_eq!(disk.bytes("file").unwrap(), [1; 5000]);
    assert!(disk.append(&mut file, b"more", &[]).is_err() && disk.sync_data(&file).is_err());
    let next = disk.lock("lock").unwrap();
    drop(lock);
    assert!(next.is_some() && disk.lock("lock").unwrap().is_none(), "the dead one's lock is not the living one's");
}

#[test]
fn what_a_failed_sync_dropped_is_gone_though_a_later_one_succeeds() {
    let lost = (0..50).filter(|seed| {
        let (disk, mut file) = written(*seed);
        disk.fail(disk.operations(), Fault::Device);
        assert!(disk.sync_data(&file).is_err());
        disk.append(&mut file, &[1; 1000], &[]).unwrap();
        disk.sync_data(&file).unwrap();
        assert_eq!(disk.bytes("file").unwrap(), [1; 6000], "it is still to be read");
        let bytes = after_crash(&disk);
        assert!(bytes.len() == 6000 && bytes[5000..] == [1; 1000]);
        bytes != [1; 6000]
    });
    assert!(lost.count() > 40);
}

#[test]
fn names_that_were_not_synced_are_each_kept_or_lost() {
    let seen: std::collections::BTreeSet<Vec<String>> = (0..100)
        .map(|seed| {
            let (disk, _) = written(seed);
            disk.rename("file", "renamed").unwrap();
            disk.create("other").unwrap();
            disk.crash();
            disk.list().unwrap()
        })
        .collect();
    let expected: [&[&str]; 4] = [&["file"], &["file", "other"], &["other", "renamed"], &["renamed"]];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_full_disk_takes_what_fits_and_a_read_only_one_nothing() {
    let (disk, mut file) = written(2);
    disk.set_capacity(Some(5010));
    assert_eq!(disk.append(&mut file, &[1; 11], &[]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.files(), [("file".to_owned(), 5010)]);
    disk.set_capacity(None);
    disk.set_read_only(true);
    assert_eq!(disk.append(&mut file, &[1], &[]).unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert!(disk.create("new").is_err() && disk.remove("file").is_err() && disk.sync_directory().is_ok());
    let mut byte = [0];
    assert_eq!((disk.read_at(&file, 5009, &mut byte).unwrap(), byte), (1, [1]));
    assert_eq!(disk.read_at(&file, 5010, &mut byte).unwrap(), 0);
}

#[test]
fn a_process_dies_where_it_was_told_to() {
    for (moment, lengths) in
        [(Moment::Before, 5000..=5000), (Moment::During, 5000..=5100), (Moment::After, 5100..=5100)]
    {
        let (disk, mut file) = written(3);
        disk.die(disk.operations(), moment);
        assert!(disk.append(&mut file, &[1; 100], &[]).is_err() && disk.is_dead());
        assert!(disk.list().is_err(), "it is dead");
        assert!(lengths.contains(&disk.files()[0].1), "{moment:?}");
        disk.kill();
        assert!(disk.list().is_ok());
    }
}
