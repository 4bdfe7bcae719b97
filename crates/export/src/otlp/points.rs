//! The four kinds of data points.
//!
//! | form | told |
//! | --- | --- |
//! | value | as it is, with the exemplars |
//! | zero | counts and sum of 0, in the same buckets; neither minimum nor maximum |
//! | stale | the flag; counts of 0 in the same buckets, and no number |
//!
//! Pure.

use shardset_model::{Buckets, Exemplar, ExponentialPoint, HistogramPoint, SummaryPoint, UnixNanos, Value};

use super::exemplars;
use super::protobuf::{
    put_attributes, put_fixed64, put_optional_double, put_packed_fixed64, put_packed_varint, put_present_fixed64,
};
use crate::Form;
use crate::prompb::{put_double, put_message, put_sint, put_uint};

/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`.
const NO_RECORDED_VALUE: u64 = 1;

/// A point, but for its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'a> {
    /// As frames.
    pub(super) attributes: &'a [u8],
    pub(super) start: UnixNanos,
    pub(super) time: UnixNanos,
    pub(super) form: Form,
    pub(super) exemplars: &'a [Exemplar<'a>],
}

impl Point<'_> {
    /// Writes the fields of the point that tells `value`, which is not missing unless the form is stale.
    pub(super) fn put(&self, buf: &mut Vec<u8>, value: &Value<'_>) {
        put_fixed64(buf, 2, self.start.0);
        put_fixed64(buf, 3, self.time.0);
        match value {
            Value::Missing | Value::Int(_) | Value::Double(_) => self.put_number(buf, value),
            Value::Histogram(point) => self.put_histogram(buf, point),
            Value::Exponential(point) => self.put_exponential(buf, point),
            Value::Summary(point) => self.put_summary(buf, point),
        }
    }

    fn put_number(&self, buf: &mut Vec<u8>, value: &Value<'_>) {
        match (self.form, *value) {
            (Form::Value, Value::Int(int)) => put_present_fixed64(buf, 6, int as u64),
            (Form::Zero, Value::Int(_)) => put_present_fixed64(buf, 6, 0),
            (Form::Value, Value::Double(double)) => put_present_fixed64(buf, 4, double.to_bits()),
            (Form::Zero, _) => put_present_fixed64(buf, 4, 0),
            (Form::Value | Form::Stale, _) => {}
        }
        exemplars::put(buf, 5, self.told_exemplars());
        put_attributes(buf, 7, self.attributes);
        put_uint(buf, 8, self.flags());
    }

    fn put_histogram(&self, buf: &mut Vec<u8>, point: &HistogramPoint<'_>) {
        put_fixed64(buf, 4, self.count(point.count));
        put_optional_double(buf, 5, self.sum(point.sum));
        put_packed_fixed64(buf, 6, point.counts.iter().map(|&count| self.count(count)));
        put_packed_fixed64(buf, 7, point.bounds.iter().map(|bound| bound.to_bits()));
        exemplars::put(buf, 8, self.told_exemplars());
        put_attributes(buf, 9, self.attributes);
        put_uint(buf, 10, self.flags());
        put_optional_double(buf, 11, point.min.filter(|_| self.is_value()));
        put_optional_double(buf, 12, point.max.filter(|_| self.is_value()));
    }

    fn put_exponential(&self, buf: &mut Vec<u8>, point: &ExponentialPoint<'_>) {
        put_attributes(buf, 1, self.attributes);
        put_fixed64(buf, 4, self.count(point.count));
        put_optional_double(buf, 5, self.sum(point.sum));
        put_sint(buf, 6, point.scale.into());
        put_fixed64(buf, 7, self.count(point.zero_count));
        if self.is_value() {
            put_buckets(buf, 8, &point.positive);
            put_buckets(buf, 9, &point.negative);
        }
        put_uint(buf, 10, self.flags());
        exemplars::put(buf, 11, self.told_exemplars());
        put_optional_double(buf, 12, point.min.filter(|_| self.is_value()));
        put_optional_double(buf, 13, point.max.filter(|_| self.is_value()));
        put_double(buf, 14, point.zero_threshold);
    }

    fn put_summary(&self, buf: &mut Vec<u8>, point: &SummaryPoint<'_>) {
        put_fixed64(buf, 4, self.count(point.count));
        put_double(buf, 5, self.number(point.sum));
        for quantile in point.quantiles {
            put_message(buf, 6, |buf| {
                put_double(buf, 1, quantile.quantile);
                put_double(buf, 2, self.number(quantile.value));
            });
        }
        put_attributes(buf, 7, self.attributes);
        put_uint(buf, 8, self.flags());
    }

    fn is_value(&self) -> bool {
        self.form == Form::Value
    }

    fn count(&self, count: u64) -> u64 {
        if self.is_value() { count } else { 0 }
    }

    fn number(&self, number: f64) -> f64 {
        if self.is_value() { number } else { 0.0 }
    }

    fn sum(&self, sum: Option<f64>) -> Option<f64> {
        sum.filter(|_| self.form != Form::Stale).map(|sum| self.number(sum))
    }

    fn flags(&self) -> u64 {
        if self.form == Form::Stale { NO_RECORDED_VALUE } else { 0 }
    }

    fn told_exemplars(&self) -> &[Exemplar<'_>] {
        if self.is_value() { self.exemplars } else { &[] }
    }
}

/// `Buckets { offset = 1, bucket_counts = 2 }`; none where there are no buckets.
fn put_buckets(buf: &mut Vec<u8>, field: u64, buckets: &Buckets<'_>) {
    if buckets.counts.is_empty() {
        return;
    }
    put_message(buf, field, |buf| {
        put_sint(buf, 1, buckets.offset.into());
        put_packed_varint(buf, 2, buckets.counts);
    });
}
