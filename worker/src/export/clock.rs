//! The tick clock: which times exported samples are stamped with.
//!
//! Ticks lie on multiples of the interval since the Unix epoch, so that all shards and all restarts stamp alike. What is
//! handed out never goes back, whatever the wall clock does: a backend drops what is out of order. So a clock that is set
//! back makes ticks creep on by a millisecond each until it has caught up.

use std::time::Duration;

use shardset_model::{UnixMillis, UnixNanos};

/// Hands out times for samples.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TickClock {
    interval_nanos: u64,
    latest: UnixMillis,
}

impl TickClock {
    /// A clock that hands out no time at or before `floor`.
    pub(crate) fn new(interval: Duration, floor: UnixMillis) -> Self {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { interval_nanos: nanos.max(1_000_000), latest: floor }
    }

    /// The newest tick at `now`: as before until the next one is due.
    pub(crate) fn current(&mut self, now: UnixNanos) -> UnixMillis {
        let aligned = UnixNanos(now.0 - now.0 % self.interval_nanos).millis();
        self.latest = self.latest.max(aligned);
        self.latest
    }

    /// The newest tick at `now`, or what comes right after `last` where there is no newer one.
    pub(crate) fn after(&mut self, last: UnixMillis, now: UnixNanos) -> UnixMillis {
        self.latest = self.current(now).max(last.plus_millis(1));
        self.latest
    }

    /// The time `now` itself, without waiting for a tick: for the pass before a stop.
    pub(crate) fn at_once(&mut self, last: UnixMillis, now: UnixNanos) -> UnixMillis {
        self.latest = self.latest.max(now.millis()).max(last.plus_millis(1));
        self.latest
    }

    /// The tick that a time belongs to, counted since the Unix epoch.
    pub(crate) fn tick_of(&self, time: UnixMillis) -> u64 {
        u64::try_from(time.0).unwrap_or(0) / (self.interval_nanos / 1_000_000)
    }

    /// The newest time handed out.
    #[cfg(test)]
    pub(crate) fn latest(&self) -> UnixMillis {
        self.latest
    }
}

/// How long to wait at `now` for the next tick.
pub(crate) fn until_next(interval: Duration, now: UnixNanos) -> Duration {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1_000_000);
    Duration::from_nanos(nanos - now.0 % nanos)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use shardset_model::{UnixMillis, UnixNanos};

    use super::{TickClock, until_next};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn ticks_lie_on_multiples_of_the_interval() {
        let mut clock = TickClock::new(Duration::from_secs(15), UnixMillis(0));
        assert_eq!(clock.current(UnixNanos(29 * SECOND)), UnixMillis(15_000));
        assert_eq!(clock.current(UnixNanos(30 * SECOND)), UnixMillis(30_000));
        assert_eq!(until_next(Duration::from_secs(15), UnixNanos(29 * SECOND)), Duration::from_secs(1));
        assert_eq!(until_next(Duration::from_secs(15), UnixNanos(30 * SECOND)), Duration::from_secs(15));
    }

    #[test]
    fn a_clock_that_is_set_back_creeps_on() {
        let mut clock = TickClock::new(Duration::from_secs(15), UnixMillis(0));
        assert_eq!(clock.after(UnixMillis(0), UnixNanos(60 * SECOND)), UnixMillis(60_000));
        assert_eq!(clock.after(UnixMillis(60_000), UnixNanos(30 * SECOND)), UnixMillis(60_001));
        assert_eq!(clock.at_once(UnixMillis(60_001), UnixNanos(45 * SECOND)), UnixMillis(60_002));
        assert_eq!(clock.after(UnixMillis(60_002), UnixNanos(75 * SECOND)), UnixMillis(75_000));
    }

    #[test]
    fn nothing_is_stamped_at_or_before_the_floor() {
        let mut clock = TickClock::new(Duration::from_secs(15), UnixMillis(20_000));
        assert_eq!(clock.after(UnixMillis(20_000), UnixNanos(29 * SECOND)), UnixMillis(20_001));
    }

    proptest! {
        #[test]
        fn passes_of_a_destination_are_strictly_later_than_each_other(walls in prop::collection::vec(0u64..100, 1..50)) {
            let mut clock = TickClock::new(Duration::from_secs(7), UnixMillis(0));
            let mut last = UnixMillis(0);
            for wall in walls {
                let tick = clock.after(last, UnixNanos(wall * SECOND));
                prop_assert!(tick > last && tick == clock.latest());
                last = tick;
            }
        }
    }
}
