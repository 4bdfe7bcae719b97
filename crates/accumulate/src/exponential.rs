//! Exponential histograms: bucket *i* of a scale covers `(base^i, base^(i+1)]` with `base = 2^(2^-scale)`.
//!
//! Points of different scale, zero threshold or range are brought together in this order, each step losing no count:
//!
//! 1. the finer scale is brought down to the coarser, which merges whole buckets (index >> difference);
//! 2. where zero thresholds differ, both sides take the larger one, raised to the upper bound of the bucket that holds it;
//!    buckets up to there go to the zero count;
//! 3. the scale falls until both signs fit the limit of buckets. Shifting rounds to the lower index, for negative ones too,
//!    so the limit is exact;
//! 4. buckets add up.

mod run;
pub(crate) mod scale;

use shardset_model::{Buckets, ExponentialPoint};

pub(crate) use self::run::Run;
use crate::statistics::Statistics;

/// A total of exponential histogram points.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Exponential {
    pub(crate) statistics: Statistics,
    pub(crate) scale: i32,
    pub(crate) zero_count: u64,
    pub(crate) zero_threshold: f64,
    pub(crate) positive: Run,
    pub(crate) negative: Run,
}

/// A point's buckets as they are added: shifted to another scale, those near zero cut off.
#[derive(Clone, Copy, Debug)]
struct Incoming<'a> {
    buckets: Buckets<'a>,
    shift: u32,
}

impl Exponential {
    /// The total that one point makes.
    pub(crate) fn of(point: &ExponentialPoint<'_>, max_buckets: u32) -> Self {
        let mut total = Self {
            statistics: Statistics::of(point.count, point.sum, point.min, point.max),
            scale: point.scale,
            zero_count: 0,
            zero_threshold: threshold(point),
            positive: Run::default(),
            negative: Run::default(),
        };
        total.merge(point, max_buckets);
        total
    }

    /// Adds a point; whether the scale fell.
    pub(crate) fn add(&mut self, point: &ExponentialPoint<'_>, max_buckets: u32) -> bool {
        let before = self.scale;
        self.statistics.add(point.count, point.sum, point.min, point.max);
        self.merge(point, max_buckets);
        self.scale < before
    }

    pub(crate) fn view(&self) -> ExponentialPoint<'_> {
        ExponentialPoint {
            count: self.statistics.count,
            sum: self.statistics.sum(),
            min: self.statistics.min,
            max: self.statistics.max,
            scale: self.scale,
            zero_count: self.zero_count,
            zero_threshold: self.zero_threshold,
            positive: self.positive.view(),
            negative: self.negative.view(),
        }
    }

    fn merge(&mut self, point: &ExponentialPoint<'_>, max_buckets: u32) {
        self.downscale(self.scale.saturating_sub(point.scale).max(0) as u32);
        let shift = (point.scale - self.scale) as u32;
        let mut positive = Incoming::new(&point.positive, shift);
        let mut negative = Incoming::new(&point.negative, shift);
        self.zero_count = self.zero_count.saturating_add(point.zero_count);
        self.widen_zero(threshold(point), &mut positive, &mut negative);

        let by = excess(&self.positive, &positive, max_buckets).max(excess(&self.negative, &negative, max_buckets));
        self.downscale(by);
        self.positive.add(&positive.buckets, shift + by);
        self.negative.add(&negative.buckets, shift + by);
    }

    fn downscale(&mut self, by: u32) {
        self.scale -= by as i32;
        self.positive.downscale(by);
        self.negative.downscale(by);
    }

    fn widen_zero(&mut self, other: f64, positive: &mut Incoming<'_>, negative: &mut Incoming<'_>) {
        if other == self.zero_threshold {
            return;
        }
        let wanted = self.zero_threshold.max(other);
        let last = scale::index_of(wanted, self.scale);
        let folded = [
            self.positive.cut_through(last),
            self.negative.cut_through(last),
            positive.cut_through(last),
            negative.cut_through(last),
        ];
        self.zero_count = folded.into_iter().fold(self.zero_count, u64::saturating_add);
        self.zero_threshold = scale::upper_bound(last, self.scale).max(wanted);
    }
}

impl<'a> Incoming<'a> {
    fn new(buckets: &Buckets<'a>, shift: u32) -> Self {
        Self { buckets: run::trimmed(buckets), shift }
    }

    fn cut_through(&mut self, last: i32) -> u64 {
        let offset = self.buckets.offset;
        let near = (0..self.buckets.counts.len()).take_while(|at| (offset + *at as i32) >> self.shift <= last).count();
        let (folded, kept) = self.buckets.counts.split_at(near);
        self.buckets = run::trimmed(&Buckets { offset: offset + near as i32, counts: kept });
        folded.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn range(&self) -> Option<(i32, i32)> {
        run::range(&self.buckets).map(|(low, high)| (low >> self.shift, high >> self.shift))
    }
}

/// A threshold below zero means nothing; it is taken as zero.
fn threshold(point: &ExponentialPoint<'_>) -> f64 {
    if point.zero_threshold > 0.0 { point.zero_threshold } else { 0.0 }
}

/// By how many scales a sign must come down to fit the limit with what is added to it.
fn excess(run: &Run, incoming: &Incoming<'_>, max_buckets: u32) -> u32 {
    let ranges = [run::range(&run.view()), incoming.range()];
    let (Some(low), Some(high)) =
        (ranges.iter().flatten().map(|range| range.0).min(), ranges.iter().flatten().map(|range| range.1).max())
    else {
        return 0;
    };
    let width = |by: u32| i64::from(high >> by) - i64::from(low >> by) + 1;
    (0..31).find(|by| width(*by) <= i64::from(max_buckets)).unwrap_or(31)
}

#[cfg(test)]
mod tests;
