//! Golden vectors of jump hash from other public implementations and from a reference loop, and the movement properties.

use proptest::prelude::*;
use shardset_model::ShardCount;

use super::{bucket, owner};

/// (key, buckets, bucket) from the tests of ClickHouse, of Guava's users, and of other crates.
const PUBLIC: [(u64, u32, u32); 17] = [
    (1, 1, 0),
    (42, 57, 43),
    (256, 1024, 520),
    (3_735_883_980, 1, 0),
    (3_735_883_980, 666, 361),
    (16_045_690_984_833_335_023, 255, 237),
    (10_863_919_174_838_991, 11, 6),
    (2_016_238_256_797_177_309, 11, 3),
    (1_673_758_223_894_951_030, 11, 5),
    (2, 100_001, 80_343),
    (2201, 100_001, 22_152),
    (2202, 100_001, 15_018),
    (100, 20, 4),
    (123_456, 1000, 984),
    (1, 10, 6),
    (2, 100, 62),
    (0xdead_beef, 1000, 285),
];

/// Keys 0 to 19 in 100 buckets, from the same sources.
const GOLDEN_100: [u32; 20] = [0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83];

/// Numbers of buckets, one for each column of [`REFERENCE`].
const COUNTS: [u32; 17] = [2, 3, 4, 5, 7, 8, 10, 16, 32, 50, 64, 128, 256, 1024, 4096, 65_536, 2_147_483_647];

/// A reference loop in IEEE-754 doubles: a key and its bucket for each of [`COUNTS`].
#[rustfmt::skip]
const REFERENCE: [(u64, [u32; 17]); 17] = [
    (0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1, [0, 0, 0, 0, 6, 6, 6, 6, 17, 45, 55, 55, 192, 549, 2323, 21134, 262355607]),
    (2, [0, 0, 3, 3, 6, 6, 6, 15, 31, 46, 62, 62, 62, 338, 3927, 3927, 736532115]),
    (3, [0, 2, 3, 3, 3, 3, 8, 8, 8, 8, 8, 107, 198, 961, 1517, 59579, 1315363102]),
    (7, [0, 0, 0, 0, 0, 0, 0, 13, 26, 26, 26, 97, 97, 97, 2468, 20139, 1388389443]),
    (255, [1, 1, 3, 4, 4, 7, 7, 7, 7, 7, 63, 63, 232, 521, 3295, 3295, 228411835]),
    (65535, [0, 0, 0, 0, 0, 0, 0, 0, 0, 35, 52, 83, 178, 874, 1884, 60380, 778649948]),
    (0xdeadbeef, [1, 2, 3, 3, 5, 5, 5, 5, 16, 16, 16, 87, 87, 285, 2238, 64244, 1452406526]),
    (0xffffffff, [0, 2, 2, 2, 5, 5, 5, 5, 5, 5, 5, 74, 247, 875, 2997, 23215, 860568]),
    (0x100000000, [1, 2, 2, 2, 2, 2, 2, 2, 27, 27, 62, 62, 209, 937, 3776, 30364, 1378953490]),
    (0x7fffffffffffffff, [0, 2, 2, 2, 2, 7, 8, 8, 24, 24, 51, 97, 97, 972, 1246, 8550, 213047985]),
    (0x8000000000000000, [1, 1, 3, 4, 5, 5, 5, 12, 27, 27, 27, 107, 107, 453, 453, 53854, 1119800965]),
    (0xffffffffffffffff, [1, 2, 2, 2, 2, 7, 9, 10, 10, 10, 10, 92, 248, 313, 1921, 18311, 699554662]),
    (0x0123456789abcdef, [0, 0, 0, 0, 0, 0, 0, 13, 13, 35, 57, 57, 194, 194, 1504, 33301, 1651575352]),
    (0xfedcba9876543210, [1, 1, 1, 1, 1, 1, 1, 10, 27, 41, 63, 70, 143, 143, 143, 18725, 1321243869]),
    (0x9e3779b97f4a7c15, [1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 71, 71, 838, 1096, 56183, 1680513372]),
    (14695981039346656037, [1, 1, 1, 1, 1, 1, 1, 13, 17, 17, 17, 90, 90, 266, 3422, 14284, 1857788335]),];

/// (key, the counts at which its bucket changes, each to the newest bucket).
const GROWTH: [(u64, &[u32]); 2] = [
    (0xdead_beef, &[1, 2, 3, 4, 6, 17, 88, 286, 2239]),
    (0x0123_4567_89ab_cdef, &[1, 12, 14, 36, 58, 195, 1069, 1505]),
];

/// Keys that reach the state whose product is `u64::MAX` in the first, second and third step, with their buckets among
/// 3, 8, 57 and 100, from a reference loop that wraps.
const OVERFLOWING: [(u64, [u32; 4]); 3] = [
    (0x2019_97f8_6663_13ab, [0, 0, 0, 0]),
    (0x1e96_a8a3_ea9e_3f72, [0, 7, 7, 7]),
    (0xe938_4b26_fae3_3c85, [0, 0, 8, 71]),
];

#[test]
fn keys_go_to_the_buckets_that_other_implementations_choose() {
    for (key, buckets, expected) in PUBLIC {
        assert_eq!(bucket(key, buckets), expected, "key {key} in {buckets} buckets");
    }
    for (key, expected) in (0..).zip(GOLDEN_100) {
        assert_eq!(bucket(key, 100), expected, "key {key} in 100 buckets");
    }
    for (key, expected) in REFERENCE {
        for (buckets, expected) in COUNTS.into_iter().zip(expected) {
            assert_eq!(bucket(key, buckets), expected, "key {key:#x} in {buckets} buckets");
        }
    }
}

#[test]
fn a_key_changes_its_bucket_at_the_known_counts_only() {
    for (key, expected) in GROWTH {
        let last = expected[expected.len() - 1];
        let changes: Vec<u32> =
            (1..=last).filter(|&count| count == 1 || bucket(key, count) != bucket(key, count - 1)).collect();
        assert_eq!(changes, expected, "key {key:#x}");
        assert!(changes.iter().all(|&count| bucket(key, count) == count - 1), "key {key:#x} moves to new buckets only");
    }
}

#[test]
fn keys_whose_state_overflows_are_placed_and_not_a_panic() {
    for (key, expected) in OVERFLOWING {
        assert_eq!([3, 8, 57, 100].map(|buckets| bucket(key, buckets)), expected, "key {key:#x}");
    }
}

#[test]
fn growth_moves_one_share_of_the_keys_and_shards_are_even() {
    const KEYS: u64 = 100_000;
    let before = ShardCount::new(4).unwrap();
    let after = ShardCount::new(5).unwrap();
    let mut held = [0_u64; 5];
    let mut moved = 0_u64;
    for ordinal in 0..KEYS {
        let key = ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let shard = owner(key, after);
        held[shard.position()] += 1;
        moved += u64::from(shard != owner(key, before));
    }
    assert!(moved.abs_diff(KEYS / 5) < KEYS / 100, "{moved} of {KEYS} keys moved");
    assert!(held.iter().all(|held| held.abs_diff(KEYS / 5) < KEYS / 100), "uneven: {held:?}");
}

proptest! {
    #[test]
    fn a_new_shard_takes_keys_and_no_other_shard_does(key: u64, count in 1..ShardCount::MAX) {
        let before = owner(key, ShardCount::new(count).unwrap());
        let after = owner(key, ShardCount::new(count + 1).unwrap());
        prop_assert!(after == before || after.get() == count, "{before} to {after} when {count} grows by one");
    }

    #[test]
    fn one_shard_owns_everything(key: u64) {
        prop_assert_eq!(owner(key, ShardCount::ONE).get(), 0);
    }

    #[test]
    fn the_owner_never_falls_while_shards_are_added(key: u64) {
        let owners: Vec<u32> =
            (1..=64).map(|count| owner(key, ShardCount::new(count).unwrap()).get()).collect();
        prop_assert!(owners.is_sorted(), "{owners:?}");
    }
}
