//! Exponential histograms of OTLP as native histograms of Prometheus (OTel compatibility specification, Prometheus
//! native histogram specification).
//!
//! Both count in buckets whose bounds are powers of `2^(2^-scale)`. OTLP numbers a bucket by its lower bound, Prometheus by
//! its upper one, hence index + 1. Scales above 8 are merged down, which is exact; scales below -4 have no native form.
//!
//! Decisions:
//! - **Zero threshold**: the real one, and 1e-128 where OTLP says 0, as the specification has it. Prometheus' own endpoint
//!   always writes 1e-128, which is wrong by a bucket where the sender widened its zero bucket.
//! - **No sum**: NaN. The specification would drop the histogram and Prometheus says 0; quantiles and counts are right
//!   either way, and a NaN average is the truth where an average of 0 is not.
//! - **Reset hint**: unknown, always. A wrong "no reset" breaks the backend, "unknown" makes it look.
//! - **Gaps**: a single empty bucket between others is written as 0, which is smaller than a new span; more begin a span.
//!
//! Pure.

use shardset_model::{Buckets, ExponentialPoint};

use super::{NotEncodable, TIMESERIES, exemplars, put_labels, told};
use crate::prompb::{put_double, put_message, put_present_uint, put_sint, put_uint, put_varint, zigzag};
use crate::{Family, Form, Labels, Moment, Sample, SeriesBatch};

/// What native histograms can be told in.
const SCALES: std::ops::RangeInclusive<i32> = -4..=8;

/// Stands for "only zeros" where the sender names no threshold.
const DEFAULT_ZERO_THRESHOLD: f64 = 1e-128;

/// Runs of empty buckets up to this long are written as zeros.
const JOINED_GAP: i64 = 1;

/// Field numbers of `prompb.Histogram` that differ by sign: spans, deltas.
const NEGATIVE: (u64, u64) = (8, 9);
const POSITIVE: (u64, u64) = (11, 12);

/// Appends one native histogram series. Its exemplars go along in the order of their times, which backends insist on.
pub(super) fn append(
    batch: &mut SeriesBatch,
    family: &Family,
    labels: &Labels,
    sample: &Sample<'_>,
    point: &ExponentialPoint<'_>,
) -> Result<(), NotEncodable> {
    let native = Native::of(point)?;
    put_message(&mut batch.bytes, TIMESERIES, |buf| {
        put_labels(buf, family, labels, "", None);
        if sample.moments.iter().any(|moment| moment.form == Form::Value) {
            let mut in_order: Vec<_> = sample.exemplars.iter().collect();
            in_order.sort_by_key(|exemplar| exemplar.time);
            in_order.iter().for_each(|exemplar| exemplars::put(buf, exemplar, family.naming()));
        }
        for moment in sample.moments {
            put_message(buf, 4, |buf| native.put(buf, *moment));
        }
    });
    batch.close_series(sample.moments.len());
    Ok(())
}

/// A point with its buckets brought into the native form.
struct Native<'a> {
    point: &'a ExponentialPoint<'a>,
    schema: i32,
    negative: Layout,
    positive: Layout,
}

impl<'a> Native<'a> {
    fn of(point: &'a ExponentialPoint<'a>) -> Result<Self, NotEncodable> {
        if point.scale < *SCALES.start() {
            return Err(NotEncodable::Scale(point.scale));
        }
        let schema = point.scale.min(*SCALES.end());
        let down = (point.scale - schema) as u32;
        let negative = Layout::of(point.negative, down)?;
        let positive = Layout::of(point.positive, down)?;
        Ok(Self { point, schema, negative, positive })
    }

    /// `Histogram`, without its frame. An ended or not yet begun one has no buckets.
    fn put(&self, buf: &mut Vec<u8>, moment: Moment) {
        let has_value = moment.form == Form::Value;
        let count = |count: u64| if has_value { count } else { 0 };
        put_present_uint(buf, 1, count(self.point.count));
        put_double(buf, 3, told(self.point.sum.unwrap_or(f64::NAN), moment.form));
        put_sint(buf, 4, i64::from(self.schema));
        put_double(buf, 5, zero_threshold(self.point));
        put_present_uint(buf, 6, count(self.point.zero_count));
        if has_value {
            self.negative.put(buf, NEGATIVE);
            self.positive.put(buf, POSITIVE);
        }
        put_uint(buf, 15, moment.time.0 as u64);
    }
}

fn zero_threshold(point: &ExponentialPoint<'_>) -> f64 {
    if point.zero_threshold > 0.0 { point.zero_threshold } else { DEFAULT_ZERO_THRESHOLD }
}

/// Buckets of one sign: runs of them, and each count as the difference to the one before.
#[derive(PartialEq, Debug, Default)]
struct Layout {
    /// Empty buckets before the run (for the first: its index), and its length.
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
}

impl Layout {
    /// Merges `2^down` buckets into one and leaves empty ones out.
    fn of(buckets: Buckets<'_>, down: u32) -> Result<Self, NotEncodable> {
        let mut layout = Self::default();
        let mut last = None;
        let (mut index, mut count) = (0, 0);
        for (at, &more) in buckets.counts.iter().enumerate().filter(|(_, count)| **count != 0) {
            let native = ((i64::from(buckets.offset) + at as i64) >> down) + 1;
            if count != 0 && native != index {
                layout.push(&mut last, index, count)?;
                count = 0;
            }
            (index, count) = (native, count + more);
        }
        if count != 0 {
            layout.push(&mut last, index, count)?;
        }
        Ok(layout)
    }

    /// Appends a bucket; `last` is the one before, with its count.
    fn push(&mut self, last: &mut Option<(i64, u64)>, index: i64, count: u64) -> Result<(), NotEncodable> {
        let (gap, before) = match *last {
            Some((at, count)) => (index - at - 1, count as i64),
            None => (index, 0),
        };
        let (_, length) = match self.spans.last_mut() {
            Some(span) if gap <= JOINED_GAP => span,
            _ => {
                let start = i32::try_from(gap).map_err(|_| NotEncodable::BucketIndex)?;
                self.spans.push((start, 0));
                self.spans.last_mut().expect("it was just pushed")
            }
        };
        let filled = if last.is_some() && gap <= JOINED_GAP { gap } else { 0 };
        *length += filled as u32 + 1;
        if filled > 0 {
            self.deltas.extend([-before, count as i64]);
        } else {
            self.deltas.push(count as i64 - before);
        }
        *last = Some((index, count));
        i32::try_from(index).map(drop).map_err(|_| NotEncodable::BucketIndex)
    }

    fn put(&self, buf: &mut Vec<u8>, (spans, deltas): (u64, u64)) {
        for (offset, length) in &self.spans {
            put_message(buf, spans, |buf| {
                put_sint(buf, 1, i64::from(*offset));
                put_uint(buf, 2, u64::from(*length));
            });
        }
        if !self.deltas.is_empty() {
            put_message(buf, deltas, |buf| self.deltas.iter().for_each(|delta| put_varint(buf, zigzag(*delta))));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shardset_model::Buckets;

    use super::{Layout, NotEncodable};

    fn layout(offset: i32, counts: &[u64], down: u32) -> (Vec<(i32, u32)>, Vec<i64>) {
        let layout = Layout::of(Buckets { offset, counts }, down).unwrap();
        (layout.spans, layout.deltas)
    }

    /// Index and count of each non-empty bucket that a layout tells of.
    fn decode(spans: &[(i32, u32)], deltas: &[i64]) -> Vec<(i64, i64)> {
        let (mut index, mut count, mut deltas, mut buckets) = (0, 0, deltas.iter(), Vec::new());
        for (offset, length) in spans {
            index += i64::from(*offset);
            for _ in 0..*length {
                count += deltas.next().unwrap();
                buckets.push((index, count));
                index += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        buckets.retain(|(_, count)| *count != 0);
        buckets
    }

    #[test]
    fn buckets_become_spans_and_deltas() {
        // The example of the OTel compatibility specification.
        assert_eq!(layout(3, &[10, 0, 0, 20, 5, 2], 0), (vec![(4, 1), (2, 3)], vec![10, 10, -15, -3]));
        assert_eq!(layout(0, &[], 0), (vec![], vec![]));
        assert_eq!(layout(0, &[0, 0, 0], 0), (vec![], vec![]));
        assert_eq!(layout(-1, &[4], 0), (vec![(0, 1)], vec![4]));
        assert_eq!(layout(-5, &[1, 2], 0), (vec![(-4, 2)], vec![1, 1]));
        assert_eq!(layout(0, &[0, 0, 3, 0, 4, 0], 0), (vec![(3, 3)], vec![3, -3, 4]), "one empty bucket is written");
        assert_eq!(layout(0, &[1, 2, 3, 4], 1), (vec![(1, 2)], vec![3, 4]), "pairs are merged");
        assert_eq!(layout(1, &[1, 2, 3, 4], 1), (vec![(1, 3)], vec![1, 4, -1]), "pairs begin at even indexes");
        assert_eq!(layout(-3, &[1, 1, 1, 1], 2), (vec![(0, 2)], vec![3, -2]), "below zero too");
    }

    #[test]
    fn an_index_beyond_32_bits_is_not_encodable() {
        let beyond = Buckets { offset: i32::MAX, counts: &[1] };
        assert_eq!(Layout::of(beyond, 0), Err(NotEncodable::BucketIndex));
        assert!(Layout::of(beyond, 1).is_ok());
    }

    proptest! {
        #[test]
        fn a_layout_tells_of_every_bucket_once(
            offset in -1000i32..1000,
            counts in prop::collection::vec(prop_oneof![2 => Just(0u64), 1 => 1u64..1000], 0..60),
            down in 0u32..6,
        ) {
            let mut expected = std::collections::BTreeMap::new();
            for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count != 0) {
                *expected.entry(((i64::from(offset) + at as i64) >> down) + 1).or_insert(0) += *count as i64;
            }
            let (spans, deltas) = layout(offset, &counts, down);
            prop_assert_eq!(decode(&spans, &deltas), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
