//! The name of a stream: 128 bits that stand for everything that makes two points the same time series.
//!
//! Ids are compared, the identity bytes behind them are not: among 10^9 streams the chance of one collision is about
//! 1.5e-21. How an id is derived stands in `shardset_otlp::identity`, which is the only place that makes one from points;
//! the derivation is versioned and kept by golden vectors because ids are written to disk and sent between workers.

use std::fmt;

/// A stream's identity, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    high: u64,
    low: u64,
}

impl StreamId {
    /// The id that has this digest. For the derivation in `shardset_otlp` and for decoders.
    pub const fn from_digest(digest: u128) -> Self {
        Self { high: (digest >> 64) as u64, low: digest as u64 }
    }

    /// All 128 bits.
    pub const fn digest(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The lower 64 bits: what decides the shard under the routing key `streamID`.
    pub const fn low64(self) -> u64 {
        self.low
    }

    /// The higher 64 bits: independent of the shard, hence what tables inside one shard may index by.
    pub const fn high64(self) -> u64 {
        self.high
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.digest())
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::StreamId;

    #[test]
    fn a_digest_survives_the_round_trip_and_prints_as_32_hex_digits() {
        let digest = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        let stream = StreamId::from_digest(digest);
        assert_eq!(stream.digest(), digest);
        assert_eq!(stream.high64(), 0x0011_2233_4455_6677);
        assert_eq!(stream.low64(), 0x8899_aabb_ccdd_eeff);
        assert_eq!(stream.to_string(), "00112233445566778899aabbccddeeff");
    }
}
