//! What both kinds of histogram keep beside their buckets: count, sum, smallest and largest.
//!
//! The last three are optional in OTLP. A total has one only while every point carried it: a sum that leaves some points out
//! is no sum. Once gone, it does not come back.

use crate::number::DoubleSum;

/// Count, sum and extremes over the life of a stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Statistics {
    pub(crate) count: u64,
    pub(crate) sum: Option<DoubleSum>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Statistics {
    pub(crate) fn of(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> Self {
        Self { count, sum: sum.map(DoubleSum::of), min, max }
    }

    pub(crate) fn add(&mut self, count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) {
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.zip(sum).map(|(mut total, delta)| {
            total.add(delta);
            total
        });
        self.min = self.min.zip(min).map(|(a, b)| a.min(b));
        self.max = self.max.zip(max).map(|(a, b)| a.max(b));
    }

    pub(crate) fn sum(&self) -> Option<f64> {
        self.sum.map(DoubleSum::value)
    }
}
