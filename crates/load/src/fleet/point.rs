//! A recorded point before it is encoded, and the numbers it adds to its stream.

use std::sync::Arc;

use crate::ledger::{Recorded, StreamName};
use crate::metric::{BOUNDS, EXPONENTIAL_SCALE};
use crate::payload::Attributes;
use crate::random::Random;

/// One stream of a session.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: Arc<StreamName>,
    /// The attributes that tell it apart, encoded; the session's stand beside them on each point.
    pub(crate) attributes: Attributes,
}

/// One point.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) stream: Arc<Stream>,
    /// Unix time in ms, as OTel JS stamps.
    pub(crate) start: i64,
    pub(crate) time: i64,
    pub(crate) value: Value,
}

/// A point's value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// A double, as the JavaScript SDK's counters are.
    Number(f64),
    /// Counts per bucket of [`BOUNDS`].
    Histogram { counts: Vec<u64>, summary: Moments },
    /// Counts of the positive buckets from `offset` on.
    Exponential { offset: i32, counts: Vec<u64>, summary: Moments },
}

/// What both kinds of histogram say about their values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Moments {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Point {
    /// What the ledger needs of it.
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { stream: Arc::clone(&self.stream.name), time: self.time, numbers: self.value.numbers() }
    }
}

impl Value {
    /// Up to 20 values in the buckets of [`BOUNDS`].
    pub(crate) fn histogram(random: &mut Random) -> Self {
        let values = values(random);
        let mut counts = vec![0; BOUNDS.len() + 1];
        for value in &values {
            counts[BOUNDS.partition_point(|bound| bound < value)] += 1;
        }
        Self::Histogram { counts, summary: Moments::of(&values) }
    }

    /// Up to 20 values in exponential buckets.
    pub(crate) fn exponential(random: &mut Random) -> Self {
        let values = values(random);
        let indexes: Vec<i32> = values.iter().map(|value| exponential_index(*value)).collect();
        let first = indexes.iter().copied().min().expect("there is at least one value");
        let last = indexes.iter().copied().max().expect("there is at least one value");
        let mut counts = vec![0; (last - first) as usize + 1];
        for index in indexes {
            counts[(index - first) as usize] += 1;
        }
        Self::Exponential { offset: first, counts, summary: Moments::of(&values) }
    }

    /// One number per component of its kind ([`crate::metric::Kind::components`]).
    fn numbers(&self) -> Box<[f64]> {
        match self {
            Self::Number(number) => [*number].into(),
            Self::Exponential { summary, .. } => [summary.count as f64, summary.sum].into(),
            Self::Histogram { counts, summary } => {
                let cumulative = counts.iter().scan(0, |total, count| {
                    *total += count;
                    Some(*total as f64)
                });
                [summary.count as f64, summary.sum].into_iter().chain(cumulative).collect()
            }
        }
    }
}

impl Moments {
    fn of(values: &[f64]) -> Self {
        Self {
            count: values.len() as u64,
            sum: values.iter().sum(),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

fn values(random: &mut Random) -> Vec<f64> {
    (0..random.between(1, 20)).map(|_| random.exact(12)).collect()
}

/// The bucket of a value: index *i* covers `(base^i, base^(i+1)]`, `base = 2^(2^-scale)`.
fn exponential_index(value: f64) -> i32 {
    (value.log2() * f64::from(1 << EXPONENTIAL_SCALE)).ceil() as i32 - 1
}

#[cfg(test)]
mod tests {
    use super::{Value, exponential_index};
    use crate::metric::Kind;
    use crate::random::Random;

    #[test]
    fn a_histogram_counts_each_value_once() {
        let mut random = Random::new(5, 0);
        for _ in 0..100 {
            let Value::Histogram { counts, summary } = Value::histogram(&mut random) else { unreachable!() };
            assert_eq!(counts.iter().sum::<u64>(), summary.count);
            assert!(summary.min <= summary.max);
            let Value::Exponential { counts, summary, .. } = Value::exponential(&mut random) else { unreachable!() };
            assert_eq!(counts.iter().sum::<u64>(), summary.count);
            assert!(counts[0] > 0 && counts[counts.len() - 1] > 0);
        }
    }

    #[test]
    fn upper_bounds_of_exponential_buckets_are_inclusive() {
        assert_eq!([1.0, 1.01, 2.0, 2.01].map(exponential_index), [-1, 0, 7, 8]);
    }

    #[test]
    fn there_is_a_number_for_each_component() {
        let mut random = Random::new(5, 1);
        assert_eq!(Value::histogram(&mut random).numbers().len(), Kind::Histogram.components().len());
        assert_eq!(Value::exponential(&mut random).numbers().len(), Kind::Exponential.components().len());
        assert_eq!(Value::Number(1.0).numbers().len(), Kind::Counter.components().len());
    }
}
