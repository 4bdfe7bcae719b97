//! The bytes of records, and that what is no record is told.

use proptest::prelude::*;
use shardset_model::{Incarnation, Membership, Phase, ShardCount, StreamId, UnixMillis, UnixNanos};

use super::{BadRecord, Item, Received, Record, items};

fn shard(index: u32) -> shardset_model::ShardIndex {
    ShardCount::new(1000).unwrap().shard(index).unwrap()
}

fn sender() -> Incarnation {
    Incarnation::new(0xab).unwrap()
}

fn moving() -> Membership {
    let moving = Membership::new(7, 5, 3, Phase::Moving).unwrap();
    moving.routed_by("attributes:a,b".parse().unwrap(), "streamID".parse().unwrap())
}

fn records() -> [Record; 7] {
    let received = Received { sender: sender(), through: 9, completed: true };
    [
        Record::Standing { membership: None, latest: UnixMillis(-1), received: Vec::new() },
        Record::Standing { membership: Some(moving()), latest: UnixMillis(2), received: vec![(shard(3), received)] },
        Record::Adopted { membership: moving() },
        Record::Received { from: shard(2), sender: sender(), through: 300 },
        Record::Completed { from: shard(2), sender: sender() },
        Record::Stamped { latest: UnixMillis(5) },
        Record::Sends { to: shard(2), receiver: sender() },
    ]
}

fn written(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.write(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_records_are_these() {
    let membership = "0700000000000000".to_owned()
        + "05000000"
        + "03000000"
        + "01"
        + "0e00"
        + "617474726962757465733a612c62"
        + "0800"
        + "73747265616d4944";
    let from = |index: u32| format!("{:02x}000000ab000000000000000000000000000000", index);
    let expected = [
        "2000ffffffffffffffff00000000".to_owned(),
        format!("2001{membership}020000000000000001000000{}090000000000000001", from(3)),
        format!("21{membership}"),
        format!("22{}2c01000000000000", from(2)),
        format!("23{}", from(2)),
        "240500000000000000".to_owned(),
        format!("25{}", from(2)),
    ];
    for (record, expected) in records().iter().zip(expected) {
        assert_eq!(hex(&written(record)), expected, "{record:?}");
    }
}

#[test]
fn records_are_read_as_they_were_written_and_cut_ones_are_not() {
    for record in records() {
        let mut bytes = written(&record);
        let length = bytes.len();
        bytes.extend([1, 2]);
        assert_eq!(Record::read(&bytes), Ok((record, &[1, 2][..])));
        for cut in 0..length {
            assert!(Record::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
    assert_eq!(Record::read(&[99]), Err(BadRecord::Tag(99)));
}

#[test]
fn the_bytes_of_items_are_these() {
    let mut bytes = Vec::new();
    let remains = Item::Remains { stream: StreamId::from_digest(1), floor: UnixNanos(2), since: 3 };
    Item::Stream(&[7, 8]).write(&mut bytes);
    remains.write(&mut bytes);
    assert_eq!(
        hex(&bytes),
        "01020000000708".to_owned() + "0201000000000000000000000000000000" + "0200000000000000" + "03000000"
    );
    assert_eq!(items(&bytes).collect::<Result<Vec<_>, _>>(), Ok(vec![Item::Stream(&[7, 8]), remains]));
    assert_eq!(items(&bytes[..3]).collect::<Vec<_>>(), [Err(BadRecord::Truncated)]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), tag in 30..40_u8) {
        let _record = Record::read(&[&[tag], bytes.as_slice()].concat());
        prop_assert!(items(&bytes).count() <= bytes.len());
    }
}
