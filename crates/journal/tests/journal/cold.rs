//! The life of blobs and of their files.

use std::time::Duration;

use shardset_journal::storage::faulty::MemoryDisk;
use shardset_journal::{Durability, Location};

use crate::world::{open, settings};

#[test]
fn files_that_nothing_lives_in_go_and_sparse_ones_are_named() {
    let disk = MemoryDisk::new(1);
    let (mut journal, mut cold) = open(&disk, settings(Durability::Fsync), 1, |_, _| {}).unwrap();
    let receipt = journal.commit(b"", Duration::ZERO).unwrap();
    let mut append = |byte: u8| {
        let location = cold.append(&[byte; 200]).unwrap();
        cold.sync().unwrap();
        location
    };
    // A file of 600 bytes takes three: 48 + 3 * 212.
    let places: Vec<Location> = (0..7).map(&mut append).collect();
    assert_eq!(places.iter().map(|place| place.file).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 2]);
    assert_eq!(cold.compaction_candidate(), None, "all are full, but the newest");

    places[..2].iter().for_each(|place| cold.release(*place));
    assert_eq!(cold.compaction_candidate(), Some(0));
    assert_eq!(cold.delete_unreferenced(&receipt).unwrap(), 0);
    cold.release(places[2]);
    assert_eq!(cold.compaction_candidate(), None, "there is nothing to move");
    assert_eq!(cold.delete_unreferenced(&receipt).unwrap(), 1);
    assert!(disk.bytes("cold-00000000.log").is_none());

    // The file that takes blobs stays, though nothing lives in it.
    cold.release(places[6]);
    assert_eq!(cold.delete_unreferenced(&receipt).unwrap(), 0);
    let next = cold.append(b"next").unwrap();
    assert_eq!((next.file, next.offset), (2, 48 + 212));
    assert_eq!(cold.read(next).unwrap(), b"next");
    assert_eq!((cold.live_bytes(), cold.disk_bytes()), (3 * 212 + 16, 48 + 3 * 212 + 48 + 212 + 16));
}
