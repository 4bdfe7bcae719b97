//! Structures are read as they were written, or not at all. Their exact bytes are in `tests/journal/files.rs`.

use shardset_model::Incarnation;

use super::*;

fn owner() -> Owner {
    Owner { shard: 3, incarnation: Incarnation::new(0xabc).unwrap() }
}

/// Reads every header that differs in one bit, and one of the next version.
fn assert_refuses_others<T: std::fmt::Debug + PartialEq, const N: usize>(
    good: [u8; N],
    read: impl Fn(&[u8; N]) -> Result<T, Invalid>,
) {
    for bit in 0..N * 8 {
        let mut flipped = good;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(read(&flipped), Err(Invalid::Damaged(_))), "bit {bit}");
    }
    let mut later = good;
    later[8] = 2;
    let checksum = xxh3_64(&later[..N - 8]);
    later[N - 8..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(read(&later), Err(Invalid::Version(2)));
}

#[test]
fn headers_are_read_as_they_were_written_and_no_other_way() {
    let manifest = Manifest { owner: owner(), first: 2, last: 9, checkpoint: true };
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    assert_refuses_others(manifest.encode(), Manifest::decode);

    let segment = SegmentHeader { owner: owner(), number: 9, previous: 7, previous_end: 1234, established: 99 };
    assert_eq!(SegmentHeader::decode(&segment.encode()), Ok(segment));
    assert_refuses_others(segment.encode(), SegmentHeader::decode);

    let cold = ColdHeader { owner: owner(), number: 5 };
    assert_eq!(ColdHeader::decode(&cold.encode()), Ok(cold));
    assert_refuses_others(cold.encode(), ColdHeader::decode);
}

#[test]
fn a_frame_is_good_only_where_it_was_written() {
    let seed = SegmentHeader::seed(owner(), 9);
    let head = Head::of(Kind::Changes, 72, &[b"pay", b"load"], seed, 500);
    let bytes = head.encode(seed, 500);
    assert_eq!(Head::decode(&bytes, seed, 500), Some(head));
    assert!(head.is_of(b"payload", seed, 500) && !head.is_of(b"payloae", seed, 500));
    let elsewhere = [SegmentHeader::seed(owner(), 10), ColdHeader::seed(owner(), 9)];
    assert!(elsewhere.iter().all(|seed| Head::decode(&bytes, *seed, 500).is_none()));
    assert_eq!(Head::decode(&bytes, seed, 501), None);
    assert!(!head.is_of(b"payload", seed, 501));
    assert_eq!(Head::decode(&bytes[..31], seed, 500), None);
}
