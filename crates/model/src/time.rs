//! Points in time: of data, in nanoseconds as OTLP has them, and of samples, in milliseconds as Prometheus has them.

use std::time::Duration;

/// Nanoseconds since the Unix epoch. 0 means unknown, as in OTLP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// The time that stands for "unknown" in OTLP.
    pub const UNKNOWN: Self = Self(0);

    /// This time, rounded down to milliseconds.
    pub const fn millis(self) -> UnixMillis {
        UnixMillis((self.0 / 1_000_000) as i64)
    }

    /// The time `before` earlier, not below 0.
    pub const fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(before.as_nanos() as u64))
    }

    /// The time `after` later, not above the largest.
    pub const fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.as_nanos() as u64))
    }
}

/// Milliseconds since the Unix epoch: what a Prometheus sample is stamped with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The time `millis` milliseconds earlier.
    pub const fn minus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// The time `millis` milliseconds later.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{UnixMillis, UnixNanos};

    #[test]
    fn nanoseconds_round_down_to_milliseconds() {
        assert_eq!(UnixNanos(1_999_999).millis(), UnixMillis(1));
    }

    #[test]
    fn times_saturate_at_both_ends() {
        assert_eq!(UnixNanos(5).minus(Duration::from_nanos(6)), UnixNanos(0));
        assert_eq!(UnixNanos(u64::MAX).plus(Duration::from_nanos(1)), UnixNanos(u64::MAX));
    }
}
