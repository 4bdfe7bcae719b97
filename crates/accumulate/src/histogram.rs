//! Histograms with explicit bounds.
//!
//! Equal bounds add bucket by bucket. Other bounds can not be brought together without guessing, so they restart the stream;
//! who calls tells that apart by [`Histogram::add`]'s answer.

use shardset_model::HistogramPoint;

use crate::statistics::Statistics;

/// A total of histogram points.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Histogram {
    pub(crate) statistics: Statistics,
    pub(crate) bounds: Box<[f64]>,
    /// `bounds.len() + 1`, or none where there are no bounds: the count says the same as a single bucket.
    pub(crate) counts: Box<[u64]>,
}

impl Histogram {
    pub(crate) fn of(point: &HistogramPoint<'_>) -> Self {
        Self {
            statistics: Statistics::of(point.count, point.sum, point.min, point.max),
            bounds: point.bounds.into(),
            counts: buckets(point).into(),
        }
    }

    /// Adds a point of the same bounds; `false` (and no change) where they differ.
    pub(crate) fn add(&mut self, point: &HistogramPoint<'_>) -> bool {
        if *self.bounds != *point.bounds {
            return false;
        }
        self.statistics.add(point.count, point.sum, point.min, point.max);
        for (total, delta) in self.counts.iter_mut().zip(buckets(point)) {
            *total = total.saturating_add(*delta);
        }
        true
    }

    pub(crate) fn view(&self) -> HistogramPoint<'_> {
        HistogramPoint {
            count: self.statistics.count,
            sum: self.statistics.sum(),
            min: self.statistics.min,
            max: self.statistics.max,
            bounds: &self.bounds,
            counts: &self.counts,
        }
    }
}

fn buckets<'a>(point: &HistogramPoint<'a>) -> &'a [u64] {
    if point.bounds.is_empty() { &[] } else { point.counts }
}
