//! An exponential histogram in classic buckets, for formats that know no other.
//!
//! All scales above 0 are brought down to 0, whose bounds are powers of two. That costs resolution and buys bounds that stay
//! the same when a stream's scale changes: a classic bucket is a series, and series must not come and go with every
//! change of scale. Buckets between the lowest and the highest with something in them are all there.
//!
//! Pure.

use shardset_model::{Buckets, ExponentialPoint};

/// Upper bounds, ascending, and the count in each bucket; one more count than bounds is not told, it is what is left.
pub(super) fn buckets(point: &ExponentialPoint<'_>) -> (Vec<f64>, Vec<u64>) {
    let down = point.scale.max(0) as u32;
    let width = u32::try_from(-point.scale.min(0)).expect("the negative of a negative");
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for (index, count) in merged(point.negative, down).into_iter().rev() {
        buckets.push((-power_of_two(index, width), count));
    }
    buckets.push((point.zero_threshold, point.zero_count));
    for (index, count) in merged(point.positive, down) {
        buckets.push((power_of_two(index + 1, width), count));
    }
    buckets.into_iter().filter(|(bound, _)| bound.is_finite()).unzip()
}

/// Index and count of each merged bucket, from the lowest that is not empty to the highest, ascending.
fn merged(buckets: Buckets<'_>, down: u32) -> Vec<(i64, u64)> {
    let mut merged: Vec<(i64, u64)> = Vec::new();
    for (at, &count) in buckets.counts.iter().enumerate() {
        let index = (i64::from(buckets.offset) + at as i64) >> down;
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum += count,
            None if count == 0 => {}
            _ => merged.push((index, count)),
        }
    }
    while merged.pop_if(|(_, count)| *count == 0).is_some() {}
    merged
}

/// `2^(index * 2^width)`, infinite where that is beyond a double.
fn power_of_two(index: i64, width: u32) -> f64 {
    let exponent = index.saturating_mul(1 << width.min(32));
    f64::exp2(exponent as f64)
}

#[cfg(test)]
mod tests {
    use shardset_model::{Buckets, ExponentialPoint};

    use super::buckets;

    const NONE: Buckets<'static> = Buckets { offset: 0, counts: &[] };

    fn point<'a>(scale: i32, negative: Buckets<'a>, positive: Buckets<'a>) -> ExponentialPoint<'a> {
        let (count, sum, min, max) = (0, None, None, None);
        ExponentialPoint { count, sum, min, max, scale, zero_count: 3, zero_threshold: 0.0, positive, negative }
    }

    #[test]
    fn bounds_are_powers_of_two_whatever_the_scale() {
        let one_to_eight = Buckets { offset: 0, counts: &[1, 1, 1, 1, 1, 1] };
        assert_eq!(buckets(&point(1, NONE, one_to_eight)), (vec![0.0, 2.0, 4.0, 8.0], vec![3, 2, 2, 2]));
        assert_eq!(buckets(&point(0, NONE, Buckets { offset: -2, counts: &[0, 4, 0, 5, 0] })), {
            (vec![0.0, 1.0, 2.0, 4.0], vec![3, 4, 0, 5])
        });
        assert_eq!(buckets(&point(-1, NONE, Buckets { offset: 0, counts: &[1, 2] })).0, [0.0, 4.0, 16.0]);
    }

    #[test]
    fn negative_buckets_come_first_and_ascend() {
        let negative = Buckets { offset: 0, counts: &[1, 2, 4] };
        assert_eq!(buckets(&point(0, negative, NONE)), (vec![-4.0, -2.0, -1.0, 0.0], vec![4, 2, 1, 3]));
    }

    #[test]
    fn what_lies_beyond_a_double_is_left_to_the_last_bucket() {
        let huge = Buckets { offset: 1023, counts: &[7] };
        assert_eq!(buckets(&point(0, NONE, huge)), (vec![0.0], vec![3]));
    }
}
