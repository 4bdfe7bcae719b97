//! What can be set about counting.
//!
//! Settings rule decisions about points to come; they never reinterpret what was counted.

use std::time::Duration;

/// How points are counted and how long streams live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How long a counted point is remembered after its arrival, so that it can be told from a duplicate. In whole seconds,
    /// rounded up.
    pub dedupe_window: Duration,
    /// The most points that are remembered per stream; at least 1.
    pub dedupe_points: u16,
    /// Whether one stream may have several writers.
    pub writers: Writers,
    /// The most buckets of each sign of an exponential histogram; at least 4, which any range fits at scale -10.
    pub max_buckets: u32,
    /// How long after its last counted point a stream ends: no heartbeat, a staleness marker.
    pub max_stale: Duration,
    /// How long after its last counted point an ended stream loses its total.
    pub forget_after: Duration,
    /// The most streams; new ones are refused at the limit.
    pub max_streams: u32,
}

/// Who may write one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writers {
    /// Anybody: deltas are additive, so overlapping intervals count.
    Many,
    /// One writer: a point whose interval overlaps a remembered one is refused.
    One,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dedupe_window: Duration::from_secs(5 * 60),
            dedupe_points: 64,
            writers: Writers::Many,
            max_buckets: 160,
            max_stale: Duration::from_secs(15 * 60),
            forget_after: Duration::from_secs(24 * 60 * 60),
            max_streams: u32::MAX,
        }
    }
}

impl Settings {
    pub(crate) fn dedupe_seconds(&self) -> u32 {
        let seconds = self.dedupe_window.as_secs() + u64::from(self.dedupe_window.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}
