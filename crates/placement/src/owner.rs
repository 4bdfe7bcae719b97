//! The owner of a key: jump consistent hash (Lamping and Veach, 2014, arXiv 1406.2294).
//!
//! Gateways, workers and the operator must agree on this function for ever: it decides which disk holds a stream. It is
//! kept by the vectors below, which other public implementations share.
//!
//! The crate that computes it adds 1 to a wrapped product without wrapping. That sum overflows for the one state whose
//! product is `u64::MAX`, which panics where overflow is checked and is right where it is not. The workspace therefore
//! builds that crate without overflow checks in every profile; a test below visits the state.

use shardset_model::{ShardCount, ShardIndex};

/// The shard that owns `key` among `shards`.
///
/// Keys must be spread well over all 64 bits (hashes): key 0, for one, never leaves shard 0.
pub fn owner(key: u64, shards: ShardCount) -> ShardIndex {
    shards.shard(bucket(key, shards.get())).expect("jump hash returns a bucket below the number of buckets")
}

fn bucket(key: u64, buckets: u32) -> u32 {
    jump_consistent_hash::hash(key, buckets as usize)
}

#[cfg(test)]
mod tests;
