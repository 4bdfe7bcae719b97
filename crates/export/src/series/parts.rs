//! Which series a stream has: the same for remote write and for text.
//!
//! A counter or gauge is one. A histogram is `_bucket` per bound and for `+Inf`, `_sum` where its sender knows the sum, and
//! `_count`; a bucket of Prometheus counts everything up to its bound. A summary is one per quantile, `_sum` and `_count`.
//! Smallest, largest, and exemplars of gauges and summaries have no place in Prometheus.
//!
//! Pure.

use shardset_model::{Exemplar, HistogramPoint, SummaryPoint, Value};

use super::{NotEncodable, newest};
use crate::FamilyType;

/// One series of a stream.
pub(crate) struct Part<'a> {
    /// What follows the family's name.
    pub(crate) suffix: &'static str,
    /// What `le` or `quantile` says.
    pub(crate) bound: Option<f64>,
    pub(crate) value: f64,
    pub(crate) exemplar: Option<&'a Exemplar<'a>>,
}

/// A value that fits its family.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    shape: Shape<'a>,
    exemplars: &'a [Exemplar<'a>],
}

#[derive(Clone, Copy)]
enum Shape<'a> {
    Number(f64),
    Histogram(HistogramPoint<'a>),
    Summary(SummaryPoint<'a>),
}

impl<'a> Parts<'a> {
    pub(crate) fn of(kind: FamilyType, value: Value<'a>, exemplars: &'a [Exemplar<'a>]) -> Result<Self, NotEncodable> {
        let shape = match (kind, value) {
            (FamilyType::Counter | FamilyType::Gauge | FamilyType::Info, Value::Int(int)) => Shape::Number(int as f64),
            (FamilyType::Counter | FamilyType::Gauge | FamilyType::Info, Value::Double(double)) => {
                Shape::Number(double)
            }
            (FamilyType::Histogram, Value::Histogram(point)) => Shape::Histogram(point),
            (FamilyType::Summary, Value::Summary(point)) => Shape::Summary(point),
            _ => return Err(NotEncodable::Mismatch),
        };
        let exemplars = if matches!(kind, FamilyType::Gauge | FamilyType::Info) { &[] } else { exemplars };
        Ok(Self { shape, exemplars })
    }

    /// Visits the series in the order in which they are written.
    pub(crate) fn each(self, mut visit: impl FnMut(Part<'a>)) {
        match self.shape {
            Shape::Number(value) => {
                visit(Part { exemplar: self.newest(f64::NEG_INFINITY, f64::INFINITY), ..plain("", value) })
            }
            Shape::Histogram(point) => self.histogram(point, &mut visit),
            Shape::Summary(point) => {
                for quantile in point.quantiles {
                    visit(Part { bound: Some(quantile.quantile), ..plain("", quantile.value) });
                }
                visit(plain("_sum", point.sum));
                visit(plain("_count", point.count as f64));
            }
        }
    }

    fn histogram(self, point: HistogramPoint<'a>, visit: &mut impl FnMut(Part<'a>)) {
        let mut below = 0;
        let mut lower = f64::NEG_INFINITY;
        // A bound of +Inf, which some senders spell out, is the last bucket anyway.
        for (&bound, &count) in point.bounds.iter().zip(point.counts).filter(|(bound, _)| **bound < f64::INFINITY) {
            below += count;
            visit(bucket(bound, below, self.newest(lower, bound)));
            lower = bound;
        }
        visit(bucket(f64::INFINITY, point.count, self.newest(lower, f64::INFINITY)));
        if let Some(sum) = point.sum {
            visit(plain("_sum", sum));
        }
        visit(plain("_count", point.count as f64));
    }

    fn newest(&self, lower: f64, upper: f64) -> Option<&'a Exemplar<'a>> {
        newest(self.exemplars, lower, upper)
    }
}

fn plain(suffix: &'static str, value: f64) -> Part<'static> {
    Part { suffix, bound: None, value, exemplar: None }
}

fn bucket<'a>(bound: f64, count: u64, exemplar: Option<&'a Exemplar<'a>>) -> Part<'a> {
    Part { suffix: "_bucket", bound: Some(bound), value: count as f64, exemplar }
}
