//! How long requests took, in buckets of 1/16 of a power of two: any quantile within 6 %, in 8 KiB, from any thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const SUB_BITS: u32 = 4;
const SUBS: usize = 1 << SUB_BITS;
const BUCKETS: usize = 64 * SUBS;

/// Counts per bucket of microseconds.
#[derive(Debug)]
pub(crate) struct Latencies {
    counts: Vec<AtomicU64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Latencies {
    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)].fetch_add(1, Relaxed);
    }

    /// The upper end of the bucket that holds this quantile; zero where nothing was recorded.
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return Duration::ZERO;
        }
        let rank = ((total as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        Duration::from_micros(upper_end(found.expect("the ranks end at the total")))
    }
}

/// Below 16 each number has a bucket; above, each power of two has 16.
fn bucket(micros: u64) -> usize {
    if micros < SUBS as u64 {
        return micros as usize;
    }
    let shift = micros.ilog2() - SUB_BITS;
    shift as usize * SUBS + (micros >> shift) as usize
}

fn upper_end(bucket: usize) -> u64 {
    if bucket < 2 * SUBS {
        return bucket as u64;
    }
    let shift = (bucket / SUBS - 1) as u32;
    let top = (bucket % SUBS + SUBS) as u128;
    u64::try_from(((top + 1) << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, Latencies, bucket, upper_end};

    #[test]
    fn a_bucket_ends_at_most_a_sixteenth_above_what_is_in_it() {
        for micros in (0..10_000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let end = upper_end(bucket(micros));
            assert!(end >= micros && end - micros <= micros / 16, "{micros} ends at {end}");
            assert!(bucket(micros) < BUCKETS);
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), Duration::ZERO);
        for micros in 1..=10 {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.quantile(0.5), Duration::from_micros(5));
        assert_eq!(latencies.quantile(0.99), Duration::from_micros(10));
    }
}
