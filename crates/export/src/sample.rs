//! What is told about a stream: its value, and the times it is told at.
//!
//! One value serves several samples of one series. A new counter is told as 0 and then as what it is; a stream that went idle
//! as what it was and then as ended. They go into one series, in order, because that is what backends check.
//!
//! Pure.

use shardset_model::{Exemplar, UnixMillis, Value};

/// How a stream's value is told at one time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// As it is.
    Value,
    /// As 0: every count and the sum, in the same buckets. What a monotonic stream was before its first value.
    Zero,
    /// As ended: the staleness marker.
    Stale,
}

/// One sample's time, and how the value is told at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Moment {
    /// The sample's time.
    pub time: UnixMillis,
    /// How.
    pub form: Form,
}

impl Moment {
    /// The value as it is.
    pub const fn value(time: UnixMillis) -> Self {
        Self { time, form: Form::Value }
    }

    /// The value before it was anything.
    pub const fn zero(time: UnixMillis) -> Self {
        Self { time, form: Form::Zero }
    }

    /// The end.
    pub const fn stale(time: UnixMillis) -> Self {
        Self { time, form: Form::Stale }
    }
}

/// A stream's value and when it is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample<'a> {
    /// The value: cumulative for counters and histograms. It must fit the family's type; [`Value::Missing`] fits numbers
    /// where every moment is stale. A histogram's bounds must be there even then, since they name its series.
    pub value: Value<'a>,
    /// When it is told, ascending. Nothing is told without one.
    pub moments: &'a [Moment],
    /// Examples, of which the newest per series goes with the value.
    pub exemplars: &'a [Exemplar<'a>],
}
