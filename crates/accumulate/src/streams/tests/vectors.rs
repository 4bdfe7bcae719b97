//! The table of what counts, and the vectors that hold for the collector's processor as well.

use shardset_model::{HistogramPoint, InvalidReason, MetricKind, Refusal, StreamId, Temporality, UnixNanos, Value};

use super::fixtures::{COUNTER, NOW, after, apply_at, counted, exponential, histogram, outcome, point, value};
use crate::{Effect, Outcome, Settings, Streams, Writers};

#[test]
fn vector_1_all_five_points_count_and_a_resend_changes_nothing() {
    let times = [(1000, 1100), (1100, 1200), (1300, 1400), (1200, 1300), (500, 550)];
    let points: Vec<_> =
        times.iter().enumerate().map(|(at, (start, time))| point(*start, *time, Value::Int(1 << at))).collect();
    let mut streams = counted(Settings::default(), &points);
    assert_eq!(value(&streams), Value::Int(31));
    for point in &points {
        assert_eq!(outcome(&mut streams, point), Ok(Outcome::Duplicate));
    }
    assert_eq!(value(&streams), Value::Int(31));
    assert_eq!(streams.get(0).unwrap().start(), UnixNanos(1000), "the start is the first point's");
}

#[test]
fn late_points_are_told_apart() {
    let mut streams = counted(Settings::default(), &[point(1000, 1100, Value::Int(1))]);
    let late = |late| Ok(Outcome::Counted { late, effect: Effect::Added });
    assert_eq!(outcome(&mut streams, &point(900, 950, Value::Int(1))), late(true));
    assert_eq!(outcome(&mut streams, &point(1000, 1100, Value::Int(2))), late(false), "another writer's");
    assert_eq!(outcome(&mut streams, &point(0, 1200, Value::Int(4))), late(false), "an unknown start");
    assert_eq!(value(&streams), Value::Int(8));
}

#[test]
fn vector_2_histograms_add_and_restart_when_bounds_change() {
    let bounds = [0.1, 1.0, 10.0, 100.0];
    let first = |start, time| point(start, time, histogram(&bounds, &[1, 0, 1, 0, 1]));
    let mut streams = counted(Settings::default(), &[first(1, 10), first(10, 20)]);
    assert_eq!(value(&streams), histogram(&bounds, &[2, 0, 2, 0, 2]));
    let other = point(20, 30, histogram(&[1.0, 10.0, 100.0], &[1, 2, 3, 4]));
    assert_eq!(outcome(&mut streams, &other), Ok(Outcome::Counted { late: false, effect: Effect::BoundsChanged }));
    assert_eq!(value(&streams), histogram(&[1.0, 10.0, 100.0], &[1, 2, 3, 4]));
    assert_eq!(streams.get(0).unwrap().start(), UnixNanos(20));
    assert_eq!(outcome(&mut streams, &first(1, 10)), Ok(Outcome::Duplicate), "the memory outlives a restart");
}

#[test]
fn vector_3_exponential_histograms_of_one_scale_add() {
    let streams = counted(
        Settings::default(),
        &[
            point(1, 10, exponential(4, 5, (2, &[4, 7, 9, 6, 25]), (6, &[2, 13, 7, 12, 4]))),
            point(10, 20, exponential(4, 2, (2, &[1, 2, 1, 2, 1]), (6, &[1, 2, 1, 2, 1]))),
        ],
    );
    assert_eq!(value(&streams), exponential(4, 7, (2, &[5, 9, 10, 8, 26]), (6, &[3, 15, 8, 14, 5])));
}

#[test]
fn vector_4_the_finer_scale_comes_down() {
    let mut streams = counted(Settings::default(), &[point(1, 10, exponential(2, 1, (0, &[1, 2, 3, 4, 5]), (0, &[])))]);
    let coarser = point(10, 20, exponential(1, 0, (0, &[0; 5]), (0, &[])));
    assert_eq!(outcome(&mut streams, &coarser), Ok(Outcome::Counted { late: false, effect: Effect::Rescaled }));
    assert_eq!(value(&streams), exponential(1, 1, (0, &[3, 7, 5]), (0, &[])));
}

// Vectors 5 and 6 stand in `exponential::tests`, on both signs at once.

#[test]
fn vector_7_a_stream_beyond_the_limit_is_refused_and_the_others_go_on() {
    let mut streams = Streams::new(Settings { max_streams: 10, ..Settings::default() });
    let of = |id: u128, time| {
        let mut point = point(time - 1, time, Value::Int(1));
        point.stream = StreamId::from_digest(id << 64);
        point
    };
    for time in [10, 20] {
        for id in 0..10 {
            outcome(&mut streams, &of(id, time)).unwrap();
        }
    }
    assert_eq!(outcome(&mut streams, &of(10, 20)), Err(Refusal::StreamLimit));
    assert_eq!(streams.len(), 10);
    assert!((0..10).all(|slot| streams.get(slot).unwrap().value() == Value::Int(2)));
}

#[test]
fn vector_8_statistics_add_and_a_missing_one_is_gone_for_good() {
    let of = |count, sum, min, max| Value::Histogram(HistogramPoint { count, sum, min, max, bounds: &[], counts: &[] });
    let first = of(42, Some(777.12), Some(12.3), Some(66.8));
    let second = of(33, Some(568.2), Some(8.21), Some(23.6));
    let mut streams = counted(Settings::default(), &[point(1, 10, first), point(10, 20, second)]);
    // 1345.32 in decimals; the double nearest to the exact sum of these two doubles is its neighbour.
    assert_eq!(value(&streams), of(75, Some(777.12 + 568.2), Some(8.21), Some(66.8)));
    assert!((777.12_f64 + 568.2 - 1345.32).abs() <= 1345.32 * f64::EPSILON);
    outcome(&mut streams, &point(20, 30, of(1, None, None, Some(70.0)))).unwrap();
    outcome(&mut streams, &point(30, 40, second)).unwrap();
    assert_eq!(value(&streams), of(109, None, None, Some(70.0)));
}

#[test]
fn an_invalid_point_is_refused_with_its_reason_and_makes_no_stream() {
    let bounds = [1.0, 2.0];
    let wrong_count = |value: Value<'static>| match value {
        Value::Histogram(point) => Value::Histogram(HistogramPoint { count: 9, ..point }),
        other => other,
    };
    let table = [
        (point(0, 0, Value::Int(1)), InvalidReason::NoTime),
        (point(11, 10, Value::Int(1)), InvalidReason::StartAfterTime),
        (point(1, 10, Value::Double(f64::NAN)), InvalidReason::NotFinite),
        (point(1, 10, Value::Double(f64::INFINITY)), InvalidReason::NotFinite),
        (point(1, 10, Value::Int(-1)), InvalidReason::Negative),
        (point(1, 10, Value::Double(-0.5)), InvalidReason::Negative),
        (point(1, 10, Value::Missing), InvalidReason::NoValue),
        (point(1, 10, histogram(&bounds, &[1, 2])), InvalidReason::BucketCounts),
        (point(1, 10, histogram(&bounds, &[])), InvalidReason::BucketCounts),
        (point(1, 10, histogram(&[2.0, 1.0], &[1, 2, 3])), InvalidReason::Bounds),
        (point(1, 10, histogram(&[f64::NAN], &[1, 2])), InvalidReason::Bounds),
        (point(1, 10, wrong_count(histogram(&[1.0], &[1, 2]))), InvalidReason::Count),
        (point(1, 10, exponential(21, 0, (0, &[1]), (0, &[]))), InvalidReason::Scale),
        (point(1, 10, exponential(-11, 0, (0, &[1]), (0, &[]))), InvalidReason::Scale),
        (point(1, 10, exponential(0, 0, (1024, &[1]), (0, &[]))), InvalidReason::Scale),
        (point(1, 10, exponential(20, 0, (0, &[]), (i32::MAX, &[0, 1]))), InvalidReason::Scale),
    ];
    for (point, reason) in table {
        let mut streams = Streams::new(Settings::default());
        assert_eq!(outcome(&mut streams, &point), Err(Refusal::Invalid(reason)), "{point:?}");
        assert!(streams.is_empty());
    }
}

#[test]
fn a_point_below_the_floor_is_too_old_and_one_without_time_is_invalid() {
    let mut streams = counted(Settings::default(), &[point(1, 10, Value::Int(1))]);
    let later = after(301);
    assert_eq!(apply_at(&mut streams, &point(1, 10, Value::Int(1)), later), Err(Refusal::TooOld));
    assert_eq!(apply_at(&mut streams, &point(9, 9, Value::Int(1)), later), Err(Refusal::TooOld));
    let no_time = Err(Refusal::Invalid(InvalidReason::NoTime));
    assert_eq!(apply_at(&mut streams, &point(0, 0, Value::Int(1)), later), no_time);
    assert!(apply_at(&mut streams, &point(10, 11, Value::Int(1)), later).is_ok());
}

#[test]
fn one_writer_may_not_overlap_itself() {
    let one = Settings { writers: Writers::One, ..Settings::default() };
    let mut streams =
        counted(one, &[point(10, 20, Value::Int(1)), point(20, 30, Value::Int(1)), point(35, 35, Value::Int(1))]);
    assert_eq!(outcome(&mut streams, &point(29, 34, Value::Int(1))), Err(Refusal::Overlap));
    assert_eq!(outcome(&mut streams, &point(10, 20, Value::Int(1))), Ok(Outcome::Duplicate));
    assert_eq!(outcome(&mut streams, &point(10, 20, Value::Int(2))), Err(Refusal::Overlap));
    assert!(outcome(&mut streams, &point(30, 34, Value::Int(1))).is_ok());
    assert_eq!(value(&streams), Value::Int(4));
}

#[test]
fn numbers_keep_their_total_over_overflow_and_change_of_type() {
    let counted = |effect| Ok(Outcome::Counted { late: false, effect });
    let mut streams = Streams::new(Settings::default());
    outcome(&mut streams, &point(1, 10, Value::Int(i64::MAX))).unwrap();
    assert_eq!(outcome(&mut streams, &point(10, 20, Value::Int(2))), counted(Effect::Overflowed));
    assert_eq!(value(&streams), Value::Double(9_223_372_036_854_775_809.0));
    let mut streams = Streams::new(Settings::default());
    outcome(&mut streams, &point(1, 10, Value::Int(3))).unwrap();
    assert_eq!(outcome(&mut streams, &point(10, 20, Value::Double(0.5))), counted(Effect::Promoted));
    assert_eq!(outcome(&mut streams, &point(20, 30, Value::Int(1))), counted(Effect::Added));
    assert_eq!(value(&streams), Value::Double(4.5));
}

#[test]
fn a_point_without_value_ends_its_stream_and_keeps_the_total() {
    let mut streams = counted(Settings::default(), &[point(1, 10, Value::Int(3))]);
    let marker = |time| {
        let mut marker = point(1, time, Value::Missing);
        marker.no_recorded_value = true;
        marker
    };
    assert_eq!(outcome(&mut streams, &marker(9)), Ok(Outcome::Superseded), "a newer point came");
    assert_eq!(streams.get(0).unwrap().ended(), None);
    assert_eq!(outcome(&mut streams, &marker(20)), Ok(Outcome::NoRecordedValue));
    assert_eq!(streams.get(0).unwrap().ended(), Some(1));
    outcome(&mut streams, &point(20, 30, Value::Int(4))).unwrap();
    assert_eq!((value(&streams), streams.get(0).unwrap().ended()), (Value::Int(7), None));
    let mut empty = Streams::new(Settings::default());
    assert_eq!(apply_at(&mut empty, &marker(20), NOW).unwrap().slot, None);
    assert!(empty.is_empty());
}

#[test]
fn what_is_no_delta_is_passed_on_newest_first() {
    let cumulative = MetricKind::Sum { temporality: Temporality::Cumulative, monotonic: true };
    for kind in [cumulative, MetricKind::Gauge] {
        let of = |time, value| {
            let mut point = point(1, time, value);
            point.kind = kind;
            point
        };
        let mut streams = Streams::new(Settings::default());
        assert_eq!(outcome(&mut streams, &of(20, Value::Int(5))), Ok(Outcome::PassedOn));
        assert_eq!(outcome(&mut streams, &of(10, Value::Int(4))), Ok(Outcome::Superseded));
        assert_eq!(outcome(&mut streams, &of(30, Value::Double(f64::INFINITY))), Ok(Outcome::PassedOn));
        let stream = streams.get(0).unwrap();
        assert_eq!((stream.value(), stream.own_time()), (Value::Double(f64::INFINITY), Some(UnixNanos(30))));
    }
}

#[test]
fn a_sum_that_does_not_say_what_it_covers_is_refused() {
    let mut point = point(1, 10, Value::Int(1));
    point.kind = MetricKind::Sum { temporality: Temporality::Unspecified, monotonic: true };
    assert_eq!(outcome(&mut Streams::new(Settings::default()), &point), Err(Refusal::UnspecifiedTemporality));
    assert!(COUNTER.is_delta());
}

#[test]
fn a_sum_that_may_fall_adds_negative_deltas() {
    let mut down = point(10, 20, Value::Int(-5));
    down.kind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: false };
    let mut streams = Streams::new(Settings::default());
    outcome(&mut streams, &down).unwrap();
    assert_eq!(value(&streams), Value::Int(-5));
}
