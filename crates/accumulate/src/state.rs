//! What a stream has come to: its total, or the newest point that it passes on.

mod summary;

use shardset_model::Value;

use self::summary::Summary;
use crate::applied::Effect;
use crate::exponential::Exponential;
use crate::histogram::Histogram;
use crate::number::DoubleSum;

/// A total. Histograms are boxed: most streams are numbers, and theirs should be small.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum State {
    /// Nothing was counted yet, or the point passed on carries nothing.
    Missing,
    Int(i64),
    Double(DoubleSum),
    Histogram(Box<Histogram>),
    Exponential(Box<Exponential>),
    Summary(Box<Summary>),
}

impl State {
    /// What one point says.
    pub(crate) fn of(value: &Value<'_>, max_buckets: u32) -> Self {
        match value {
            Value::Missing => Self::Missing,
            Value::Int(value) => Self::Int(*value),
            Value::Double(value) => Self::Double(DoubleSum::of(*value)),
            Value::Histogram(point) => Self::Histogram(Box::new(Histogram::of(point))),
            Value::Exponential(point) => Self::Exponential(Box::new(Exponential::of(point, max_buckets))),
            Value::Summary(point) => Self::Summary(Box::new(Summary::of(point))),
        }
    }

    /// Adds a delta. With [`Effect::BoundsChanged`] the total is the point's alone.
    #[inline]
    pub(crate) fn add(&mut self, value: &Value<'_>, max_buckets: u32) -> Effect {
        match (&mut *self, value) {
            (Self::Int(total), Value::Int(delta)) => match total.checked_add(*delta) {
                Some(sum) => *total = sum,
                None => {
                    *self = Self::Double(DoubleSum::of_int(i128::from(*total) + i128::from(*delta)));
                    return Effect::Overflowed;
                }
            },
            (Self::Int(total), Value::Double(delta)) => {
                let mut sum = DoubleSum::of_int(i128::from(*total));
                sum.add(*delta);
                *self = Self::Double(sum);
                return Effect::Promoted;
            }
            (Self::Double(total), Value::Double(delta)) => total.add(*delta),
            (Self::Double(total), Value::Int(delta)) => total.add_int(*delta),
            (Self::Histogram(total), Value::Histogram(point)) => {
                if !total.add(point) {
                    **total = Histogram::of(point);
                    return Effect::BoundsChanged;
                }
            }
            (Self::Exponential(total), Value::Exponential(point)) => {
                if total.add(point, max_buckets) {
                    return Effect::Rescaled;
                }
            }
            // The first point. A kind is part of a stream's id, so nothing else can meet.
            (_, value) => *self = Self::of(value, max_buckets),
        }
        Effect::Added
    }

    pub(crate) fn view(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Int(total) => Value::Int(*total),
            Self::Double(total) => Value::Double(total.value()),
            Self::Histogram(total) => Value::Histogram(total.view()),
            Self::Exponential(total) => Value::Exponential(total.view()),
            Self::Summary(point) => Value::Summary(point.view()),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Self::Missing | Self::Int(_) | Self::Double(_) => 0,
            Self::Histogram(total) => size_of::<Histogram>() + 8 * (total.bounds.len() + total.counts.len()),
            Self::Exponential(total) => {
                size_of::<Exponential>() + 8 * (total.positive.counts.capacity() + total.negative.counts.capacity())
            }
            Self::Summary(point) => size_of::<Summary>() + 16 * point.quantiles.len(),
        }
    }
}
