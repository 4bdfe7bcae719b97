//! The one place that reads the wall clock.
//!
//! Everything that can be proved takes the time as an argument; shells read it here. `clippy.toml` bans the other ways.

use std::time::SystemTime;

use shardset_model::UnixNanos;

/// The wall clock's time, in nanoseconds since the Unix epoch. A clock set before 1970 reads as unknown.
#[expect(clippy::disallowed_methods, reason = "this is the place the ban points to")]
pub fn now() -> UnixNanos {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn the_clock_counts_nanoseconds_since_1970() {
        let year_2020 = 1_577_836_800_000_000_000;
        assert!(now().0 > year_2020);
    }
}
