//! What a point must be before it is counted or passed on.
//!
//! A delta must be a number, since it changes a total for good. A point that is passed on may be anything that can be told
//! on the other side; NaN is a value there.

use shardset_model::{Buckets, ExponentialPoint, HistogramPoint, InvalidReason, MetricKind, Point, Value};

use crate::exponential::scale;

/// Times that can be used.
///
/// # Errors
///
/// No time, or a start after it.
#[inline]
pub(crate) fn times(point: &Point<'_>) -> Result<(), InvalidReason> {
    if point.time.0 == 0 {
        return Err(InvalidReason::NoTime);
    }
    if point.start > point.time {
        return Err(InvalidReason::StartAfterTime);
    }
    Ok(())
}

/// A value that can be added to a total of its kind.
///
/// # Errors
///
/// The first rule that it breaks.
#[inline]
pub(crate) fn delta(point: &Point<'_>) -> Result<(), InvalidReason> {
    match (point.kind, &point.value) {
        (MetricKind::Sum { monotonic, .. }, Value::Int(value)) => not_negative(monotonic && *value < 0),
        (MetricKind::Sum { monotonic, .. }, Value::Double(value)) => {
            finite([*value])?;
            not_negative(monotonic && *value < 0.0)
        }
        (MetricKind::Histogram { .. }, Value::Histogram(value)) => {
            finite([value.sum, value.min, value.max].into_iter().flatten())?;
            histogram(value)
        }
        (MetricKind::ExponentialHistogram { .. }, Value::Exponential(value)) => {
            finite([value.sum, value.min, value.max, Some(value.zero_threshold)].into_iter().flatten())?;
            exponential(value)
        }
        _ => Err(InvalidReason::NoValue),
    }
}

/// A value that can be passed on.
///
/// # Errors
///
/// The first rule that it breaks.
pub(crate) fn passed_on(point: &Point<'_>) -> Result<(), InvalidReason> {
    match (point.kind, &point.value) {
        (_, Value::Missing) if point.no_recorded_value => Ok(()),
        (MetricKind::Sum { .. } | MetricKind::Gauge, Value::Int(_) | Value::Double(_))
        | (MetricKind::Summary, Value::Summary(_)) => Ok(()),
        (MetricKind::Histogram { .. }, Value::Histogram(value)) => histogram(value),
        (MetricKind::ExponentialHistogram { .. }, Value::Exponential(value)) => {
            finite([value.zero_threshold])?;
            exponential(value)
        }
        _ => Err(InvalidReason::NoValue),
    }
}

fn not_negative(negative: bool) -> Result<(), InvalidReason> {
    if negative { Err(InvalidReason::Negative) } else { Ok(()) }
}

fn finite(values: impl IntoIterator<Item = f64>) -> Result<(), InvalidReason> {
    if values.into_iter().all(f64::is_finite) { Ok(()) } else { Err(InvalidReason::NotFinite) }
}

/// What decoded histograms must be as well, lest their arithmetic leaves its ranges.
pub(crate) fn shape(value: &Value<'_>) -> Result<(), InvalidReason> {
    match value {
        Value::Histogram(value) => bounds(value),
        Value::Exponential(value) => indexes(value),
        Value::Missing | Value::Int(_) | Value::Double(_) | Value::Summary(_) => Ok(()),
    }
}

fn histogram(point: &HistogramPoint<'_>) -> Result<(), InvalidReason> {
    bounds(point)?;
    if !point.counts.is_empty() && total(point.counts) != u128::from(point.count) {
        return Err(InvalidReason::Count);
    }
    Ok(())
}

fn bounds(point: &HistogramPoint<'_>) -> Result<(), InvalidReason> {
    let empty = point.bounds.is_empty() && point.counts.is_empty();
    if !empty && point.counts.len() != point.bounds.len() + 1 {
        return Err(InvalidReason::BucketCounts);
    }
    let ascending = point.bounds.is_sorted_by(|a, b| a < b) && !point.bounds.iter().any(|bound| bound.is_nan());
    if ascending { Ok(()) } else { Err(InvalidReason::Bounds) }
}

fn indexes(point: &ExponentialPoint<'_>) -> Result<(), InvalidReason> {
    if !(scale::MIN..=scale::MAX).contains(&point.scale) {
        return Err(InvalidReason::Scale);
    }
    in_range(&point.positive, point.scale)?;
    in_range(&point.negative, point.scale)
}

fn exponential(point: &ExponentialPoint<'_>) -> Result<(), InvalidReason> {
    indexes(point)?;
    let counts = u128::from(point.zero_count) + total(point.positive.counts) + total(point.negative.counts);
    if counts != u128::from(point.count) {
        return Err(InvalidReason::Count);
    }
    Ok(())
}

/// Buckets that are not empty must be where a double can fall.
fn in_range(buckets: &Buckets<'_>, scale: i32) -> Result<(), InvalidReason> {
    let Some(first) = buckets.counts.iter().position(|count| *count > 0) else { return Ok(()) };
    let last = buckets.counts.iter().rposition(|count| *count > 0).unwrap_or(first);
    let (low, high) = scale::indexes(scale);
    let index = |at: usize| i64::from(buckets.offset) + at as i64;
    if index(first) < low || index(last) > high { Err(InvalidReason::Scale) } else { Ok(()) }
}

fn total(counts: &[u64]) -> u128 {
    counts.iter().map(|count| u128::from(*count)).sum()
}
