//! Vectors of scales, limits and zero thresholds, and a fold bucket by bucket as the oracle of a property.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shardset_model::{Buckets, ExponentialPoint};

use super::{Exponential, scale};

/// A point whose buckets are the same on both signs.
fn both(scale: i32, zero: (u64, f64), offset: i32, counts: &[u64]) -> ExponentialPoint<'_> {
    let buckets = Buckets { offset, counts };
    let count = zero.0 + 2 * counts.iter().sum::<u64>();
    ExponentialPoint {
        count,
        sum: None,
        min: None,
        max: None,
        scale,
        zero_count: zero.0,
        zero_threshold: zero.1,
        positive: buckets,
        negative: buckets,
    }
}

fn folded(points: &[ExponentialPoint<'_>], max_buckets: u32) -> Exponential {
    let mut total = Exponential::of(&points[0], max_buckets);
    for point in &points[1..] {
        total.add(point, max_buckets);
    }
    total
}

/// A name, two points of scale 0 as offset and buckets, and the scale, offset and buckets of their sum.
type Case = (&'static str, (i32, &'static [u64]), (i32, &'static [u64]), (i32, i32, &'static [u64]));

#[test]
fn buckets_of_one_scale_add_up_within_eight() {
    let table: &[Case] = &[
        ("all empty", (-3, &[0; 8]), (-3, &[0; 8]), (0, 0, &[])),
        ("shorter", (-3, &[0, 0, 0, 0, 0, 1, 1, 1]), (-3, &[0, 0, 1, 1, 1, 1, 1, 0]), (0, -1, &[1, 1, 1, 2, 2, 1])),
        ("longer", (-3, &[1; 5]), (-3, &[1; 8]), (0, -3, &[2, 2, 2, 2, 2, 1, 1, 1])),
        ("offsets", (-2, &[1, 2]), (-5, &[1, 2, 3]), (0, -5, &[1, 2, 3, 1, 2])),
        ("within the limit", (-3, &[1; 8]), (-3, &[2; 8]), (0, -3, &[3; 8])),
        ("one scale down", (0, &[1; 8]), (6, &[2; 8]), (-1, 0, &[2, 2, 2, 6, 4, 4, 4])),
        ("two scales down", (-6, &[1; 8]), (6, &[2; 8]), (-2, -2, &[2, 4, 2, 4, 8, 4])),
        (
            "empty ends take no room",
            (-2, &[0, 0, 1, 5, 5, 1, 0, 0]),
            (0, &[0, 2, 2, 3, 3, 2, 2, 0]),
            (0, 0, &[1, 7, 7, 4, 3, 2, 2]),
        ),
        (
            "empty buckets inside",
            (-4, &[0, 0, 1, 10, 10, 1, 0, 0]),
            (4, &[0, 0, 2, 10, 10, 2, 0, 0]),
            (-1, -1, &[11, 11, 0, 0, 12, 12]),
        ),
    ];
    for (name, (offset, counts), (other_offset, other), (scale, result_offset, result)) in table {
        let total = folded(&[both(0, (0, 0.0), *offset, counts), both(0, (0, 0.0), *other_offset, other)], 8);
        assert_eq!((total.scale, total.positive.counts.as_slice()), (*scale, *result), "{name}");
        assert_eq!(total.positive.counts, total.negative.counts, "{name}");
        if !result.is_empty() {
            assert_eq!(total.positive.offset, *result_offset, "{name}");
        }
    }
}

#[test]
fn zero_thresholds_widen_to_the_upper_bound_of_their_bucket() {
    let buckets = [0, 1, 1, 1];
    let total = folded(&[both(0, (2, 0.0), -1, &buckets), both(0, (2, 2.0), 1, &[1, 1])], 160);
    assert_eq!((total.zero_threshold, total.zero_count), (2.0, 6));
    assert_eq!((total.positive.offset, total.positive.counts.as_slice()), (1, [2, 2].as_slice()));

    let total = folded(&[both(0, (2, 0.2), -2, &[1, 0, 1]), both(0, (2, 0.3), 0, &[1])], 160);
    assert_eq!((total.zero_threshold, total.zero_count), (0.5, 6));
    assert_eq!((total.positive.offset, total.positive.counts.as_slice()), (0, [2].as_slice()));

    for (to, threshold, zero_count, offset) in [(2.0, 2.0, 8, 1), (3.0, 4.0, 14, 2), (64.0, 64.0, 32, 0)] {
        let total = folded(&[both(0, (2, 0.0), -1, &[1, 2, 3, 4, 5]), both(0, (0, to), 0, &[])], 160);
        assert_eq!((total.zero_threshold, total.zero_count, total.positive.offset), (threshold, zero_count, offset));
    }
}

#[test]
fn a_power_of_two_as_threshold_is_exact_at_negative_scales() {
    for scale in scale::MIN..0 {
        let total = folded(&[both(scale, (0, 0.0), -1, &[3, 5]), both(scale, (0, 1.0), 0, &[7])], 160);
        assert_eq!((total.zero_threshold, total.zero_count), (1.0, 6), "scale {scale}");
        assert_eq!(total.positive.counts, [12], "scale {scale}");
    }
}

#[test]
fn a_first_point_beyond_the_limit_comes_down_and_negative_ranges_are_exact() {
    let counts = vec![1; 322];
    let total = folded(&[both(0, (0, 0.0), -161, &counts)], 160);
    assert_eq!((total.scale, total.positive.offset, total.positive.counts.len()), (-2, -41, 82));
    let counts = vec![1; 319];
    let total = folded(&[both(0, (0, 0.0), -159, &counts)], 160);
    assert_eq!((total.scale, total.positive.counts.len()), (-1, 160));
    assert_eq!(total.positive.counts.iter().sum::<u64>(), 319);
}

/// Buckets by index, one at a time.
#[derive(Clone, Debug)]
struct Naive {
    scale: i32,
    threshold: f64,
    zero: u64,
    buckets: [BTreeMap<i32, u64>; 2],
}

impl Naive {
    fn of(point: &ExponentialPoint<'_>) -> Self {
        let buckets = [point.positive, point.negative].map(|sign| {
            let indexed = sign.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            indexed.map(|(at, count)| (sign.offset + at as i32, *count)).collect()
        });
        Self { scale: point.scale, threshold: point.zero_threshold, zero: point.zero_count, buckets }
    }

    fn halve(&mut self) {
        self.scale -= 1;
        for sign in &mut self.buckets {
            let mut halved = BTreeMap::new();
            sign.iter().for_each(|(index, count)| *halved.entry(index.div_euclid(2)).or_insert(0) += count);
            *sign = halved;
        }
    }

    fn widen(&mut self, wanted: f64) {
        let last = scale::index_of(wanted, self.scale);
        for sign in &mut self.buckets {
            self.zero += sign.iter().filter(|(index, _)| **index <= last).map(|(_, count)| count).sum::<u64>();
            sign.retain(|index, _| *index > last);
        }
        self.threshold = scale::upper_bound(last, self.scale).max(wanted);
    }

    fn add(mut self, mut other: Self, max_buckets: u32) -> Self {
        while self.scale > other.scale {
            self.halve();
        }
        while other.scale > self.scale {
            other.halve();
        }
        if self.threshold != other.threshold {
            let wanted = self.threshold.max(other.threshold);
            self.widen(wanted);
            other.widen(wanted);
        }
        self.zero += other.zero;
        for (sign, more) in self.buckets.iter_mut().zip(other.buckets) {
            more.into_iter().for_each(|(index, count)| *sign.entry(index).or_insert(0) += count);
        }
        self.fit(max_buckets)
    }

    fn fit(mut self, max_buckets: u32) -> Self {
        let width = |sign: &BTreeMap<i32, u64>| {
            sign.first_key_value().zip(sign.last_key_value()).map_or(0, |(low, high)| high.0 - low.0 + 1)
        };
        while self.buckets.iter().map(width).max() > Some(max_buckets as i32) {
            self.halve();
        }
        self
    }
}

prop_compose! {
    fn point()(
        scale in -10..=20_i32,
        spread in 0..2000_i32,
        offset in -500..500_i32,
        near in 0..20_usize,
        zero in 0..5_u64,
        threshold in prop_oneof![3 => Just(0.0), 1 => Just(0.25), 1 => 0.0..3.0_f64],
        positive in prop::collection::vec(0..4_u64, 0..40),
        negative in prop::collection::vec(0..4_u64, 0..40),
    ) -> (i32, [i32; 2], u64, f64, [Vec<u64>; 2]) {
        let (low, high) = scale::indexes(scale);
        let place = |offset: i32, len: usize| i64::from(offset).clamp(low, (high - len as i64).max(low)) as i32;
        let fit = |counts: Vec<u64>| counts.into_iter().take((high - low + 1) as usize).collect::<Vec<_>>();
        let (positive, negative) = (fit(positive), fit(negative));
        let offsets = [place(offset, positive.len()), place(offset - spread + near as i32, negative.len())];
        (scale, offsets, zero, threshold, [positive, negative])
    }
}

proptest! {
    #[test]
    fn points_fold_as_they_do_bucket_by_bucket(points in prop::collection::vec(point(), 1..8), max_buckets in 4..50_u32) {
        let points: Vec<ExponentialPoint<'_>> = points
            .iter()
            .map(|(scale, offsets, zero, threshold, counts)| ExponentialPoint {
                positive: Buckets { offset: offsets[0], counts: &counts[0] },
                negative: Buckets { offset: offsets[1], counts: &counts[1] },
                count: *zero + counts.iter().flatten().sum::<u64>(),
                ..both(*scale, (*zero, *threshold), 0, &[])
            })
            .collect();
        let total = folded(&points, max_buckets);
        let naive = points[1..]
            .iter()
            .fold(Naive::of(&points[0]).fit(max_buckets), |naive, point| naive.add(Naive::of(point), max_buckets));
        let view = total.view();
        let seen = Naive::of(&view);
        prop_assert_eq!(seen.buckets, naive.buckets);
        prop_assert_eq!((view.scale, view.zero_count, view.zero_threshold), (naive.scale, naive.zero, naive.threshold));
        prop_assert_eq!(view.count, points.iter().map(|point| point.count).sum::<u64>());
        let counted = view.zero_count + view.positive.counts.iter().chain(view.negative.counts).sum::<u64>();
        prop_assert_eq!(counted, view.count, "no count is lost");
        prop_assert!(view.positive.counts.len().max(view.negative.counts.len()) <= max_buckets as usize);
    }
}
