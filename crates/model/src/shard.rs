//! Shards: the numbers `0..N` that streams are spread over; shard *i* is served by the worker with ordinal *i*.

use std::fmt;
use std::num::NonZeroU32;

/// How many shards a membership has: 1 to 1,000, the most endpoints that one EndpointSlice may list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardCount(NonZeroU32);

impl ShardCount {
    /// The largest count.
    pub const MAX: u32 = 1000;

    /// One shard: everything at one worker.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// `None` where `count` is 0 or above [`ShardCount::MAX`].
    pub const fn new(count: u32) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) if count.get() <= Self::MAX => Some(Self(count)),
            _ => None,
        }
    }

    /// The count as a number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The shard with this number, or `None` where this membership has no such shard.
    pub const fn shard(self, index: u32) -> Option<ShardIndex> {
        if index < self.get() { Some(ShardIndex(index)) } else { None }
    }

    /// All shards, in order.
    pub fn shards(self) -> impl ExactSizeIterator<Item = ShardIndex> {
        (0..self.get()).map(ShardIndex)
    }
}

impl fmt::Display for ShardCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// One shard of a membership. Made only by [`ShardCount::shard`] and [`ShardCount::shards`], so it is below the count
/// that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardIndex(u32);

impl ShardIndex {
    /// The shard's number, which is also its worker's ordinal.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The shard's number as a position in a list that has one entry per shard.
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::ShardCount;

    #[test]
    fn a_count_is_from_1_to_1000() {
        assert_eq!(ShardCount::new(0), None);
        assert_eq!(ShardCount::new(1), Some(ShardCount::ONE));
        assert_eq!(ShardCount::new(1000).map(ShardCount::get), Some(1000));
        assert_eq!(ShardCount::new(1001), None);
    }

    #[test]
    fn a_shard_is_below_its_count() {
        let three = ShardCount::new(3).expect("3 is a count");
        assert_eq!(three.shard(3), None);
        assert_eq!(three.shards().map(|shard| shard.get()).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
