//! One data point, borrowed from the request (or from the reader's scratch) that carried it.
//!
//! Nothing here owns memory: a worker reads a point, counts it, and forgets it.

use crate::{MetricKind, StreamId, UnixNanos};

/// One data point and the stream it belongs to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point<'a> {
    /// The stream.
    pub stream: StreamId,
    /// The type of its metric.
    pub kind: MetricKind,
    /// When what it covers begins; [`UnixNanos::UNKNOWN`] where the sender did not say.
    pub start: UnixNanos,
    /// When it was taken.
    pub time: UnixNanos,
    /// Flag bit 1 of OTLP: the sender has no value any more.
    pub no_recorded_value: bool,
    /// What it says.
    pub value: Value<'a>,
    /// Examples of what was measured.
    pub exemplars: &'a [Exemplar<'a>],
}

/// A point's value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// A number point that carries no number.
    Missing,
    /// A number point with an integer.
    Int(i64),
    /// A number point with a double.
    Double(f64),
    /// A histogram point.
    Histogram(HistogramPoint<'a>),
    /// An exponential histogram point.
    Exponential(ExponentialPoint<'a>),
    /// A summary point.
    Summary(SummaryPoint<'a>),
}

/// A histogram with explicit bounds, as sent: nothing is checked yet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HistogramPoint<'a> {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Upper bounds (inclusive) of all buckets but the last, ascending.
    pub bounds: &'a [f64],
    /// Values in each bucket: `bounds.len() + 1`, or none at all.
    pub counts: &'a [u64],
}

/// An exponential histogram, as sent: bucket *i* of a scale covers `(base^i, base^(i+1)]` with `base = 2^(2^-scale)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ExponentialPoint<'a> {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// The resolution.
    pub scale: i32,
    /// Values whose magnitude is at most [`ExponentialPoint::zero_threshold`].
    pub zero_count: u64,
    /// The upper bound of the zero bucket.
    pub zero_threshold: f64,
    /// Buckets of positive values.
    pub positive: Buckets<'a>,
    /// Buckets of negative values, mirrored.
    pub negative: Buckets<'a>,
}

/// A dense run of exponential buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buckets<'a> {
    /// Index of the first.
    pub offset: i32,
    /// Values in each.
    pub counts: &'a [u64],
}

/// A summary, as sent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SummaryPoint<'a> {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The quantiles, in the order sent.
    pub quantiles: &'a [Quantile],
}

/// One quantile of a summary.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quantile {
    /// Which, from 0 to 1.
    pub quantile: f64,
    /// Its value.
    pub value: f64,
}

/// An example of a measured value, with the trace it was measured in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Exemplar<'a> {
    /// When it was measured.
    pub time: UnixNanos,
    /// What was measured.
    pub value: f64,
    /// 16 bytes, or empty.
    pub trace_id: &'a [u8],
    /// 8 bytes, or empty.
    pub span_id: &'a [u8],
    /// Attributes that the metric's view took away: frames as in [`crate::Identity::attributes`].
    pub filtered_attributes: &'a [u8],
}
