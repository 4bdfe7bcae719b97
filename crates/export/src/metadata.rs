//! Metadata: type, unit and help of each family, told to each backend now and then.
//!
//! Backends keep metadata beside the series and lose it (Prometheus at a restart), so it is told again, but once per family
//! and period and not per series. How many families are remembered is bounded: AMP keeps metadata of 20,000 metrics, and
//! whoever has more is told no more of them in that period.
//!
//! Pure.

use std::collections::BTreeSet;

use shardset_model::UnixMillis;

use crate::prompb::{put_message, put_string, put_uint};
use crate::{Family, FamilyType, SeriesBatch};

/// How long a backend is trusted to remember: 10 minutes, so that a restart is healed before somebody looks.
const PERIOD_MILLIS: i64 = 600_000;

/// Families told of in one period.
const MAX_FAMILIES: usize = 20_000;

/// Of which families one backend has been told in this period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcements {
    told: BTreeSet<Box<str>>,
    since: UnixMillis,
}

impl Announcements {
    /// Nothing is told yet.
    pub const fn new() -> Self {
        Self { told: BTreeSet::new(), since: UnixMillis(i64::MIN) }
    }

    /// Adds the family's metadata to `batch`, unless this backend has been told in this period. `now` is the tick's time.
    pub fn announce(&mut self, batch: &mut SeriesBatch, family: &Family, now: UnixMillis) {
        if now.0.saturating_sub(self.since.0) >= PERIOD_MILLIS {
            self.told.clear();
            self.since = now;
        }
        if self.told.len() < MAX_FAMILIES && !self.told.contains(family.name()) {
            self.told.insert(family.name().into());
            put_metadata(&mut batch.metadata, family);
        }
    }
}

impl Default for Announcements {
    fn default() -> Self {
        Self::new()
    }
}

/// `MetricMetadata { type = 1, metric_family_name = 2, help = 4, unit = 5 }` as field 3 of a request.
fn put_metadata(buf: &mut Vec<u8>, family: &Family) {
    put_message(buf, 3, |buf| {
        put_uint(buf, 1, metric_type(family.kind()));
        put_string(buf, 2, family.name());
        put_string(buf, 4, family.help());
        put_string(buf, 5, family.unit());
    });
}

/// `MetricMetadata.MetricType`. Prometheus itself tells `target_info` as a gauge.
const fn metric_type(kind: FamilyType) -> u64 {
    match kind {
        FamilyType::Counter => 1,
        FamilyType::Gauge | FamilyType::Info => 2,
        FamilyType::Histogram | FamilyType::NativeHistogram => 3,
        FamilyType::Summary => 5,
    }
}
