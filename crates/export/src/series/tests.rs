//! Series, read back by a protobuf decoder that knows nothing of how they were written.

use prost::Message;
use shardset_model::{
    Buckets, Exemplar, ExponentialPoint, HistogramPoint, MetricKind, Quantile, SummaryPoint, UnixMillis, UnixNanos,
    Value,
};

use super::NotEncodable;
use crate::fixtures::{COUNTER, EXPONENTIAL, HISTOGRAM, TimeSeries, UP_DOWN, decode, frames, line, stream};
use crate::{Announcements, Family, Labels, Moment, Sample, SeriesBatch, Translation};

const T: UnixMillis = UnixMillis(1_700_000_000_000);
const NOW: [Moment; 1] = [Moment::value(T)];
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

fn append(
    stream: &(Family, Labels),
    value: Value<'_>,
    moments: &[Moment],
    exemplars: &[Exemplar<'_>],
) -> Vec<TimeSeries> {
    let mut batch = SeriesBatch::new();
    batch.append(&stream.0, &stream.1, &Sample { value, moments, exemplars }).unwrap();
    let timeseries = decode(&batch).timeseries;
    assert_eq!(batch.series(), timeseries.len());
    let samples: usize = timeseries.iter().map(|series| series.samples.len() + series.histograms.len()).sum();
    assert_eq!(batch.samples(), samples);
    timeseries
}

/// A series as `labels: value@offset …`, times as milliseconds from [`T`].
fn told(series: &TimeSeries) -> String {
    let samples: Vec<_> = series.samples.iter().map(|s| format!("{}@{}", s.value, s.timestamp - T.0)).collect();
    format!("{}: {}", line(&series.labels), samples.join(" "))
}

fn all_told(series: &[TimeSeries]) -> Vec<String> {
    series.iter().map(told).collect()
}

fn exemplar<'a>(value: f64, millis: i64, trace_id: &'a [u8], filtered_attributes: &'a [u8]) -> Exemplar<'a> {
    let time = UnixNanos((T.0 + millis) as u64 * 1_000_000);
    Exemplar { time, value, trace_id, span_id: &[], filtered_attributes }
}

const LATENCY: HistogramPoint<'static> = HistogramPoint {
    count: 9,
    sum: Some(4.5),
    min: Some(0.01),
    max: Some(30.0),
    bounds: &[0.005, 1.0, 2.5],
    counts: &[1, 2, 3, 3],
};

const SIZES: ExponentialPoint<'static> = ExponentialPoint {
    count: 45,
    sum: Some(100.5),
    min: None,
    max: None,
    scale: 2,
    zero_count: 3,
    zero_threshold: 0.0,
    positive: Buckets { offset: 3, counts: &[10, 0, 0, 20, 5, 2] },
    negative: Buckets { offset: -2, counts: &[5] },
};

#[test]
fn a_counter_is_one_series() {
    let requests = stream("requests", "", COUNTER, &[("Zone", "z"), ("path", "/")]);
    let told = all_told(&append(&requests, Value::Int(20), &NOW, &[]));
    assert_eq!(told, ["Zone=z __name__=requests_total job=api path=/: 20@0"]);
}

#[test]
fn a_number_without_exemplars_is_exactly_these_bytes() {
    let up = stream("up", "", UP_DOWN, &[]);
    let mut batch = SeriesBatch::new();
    batch.append(&up.0, &up.1, &Sample { value: Value::Double(1.5), moments: &NOW, exemplars: &[] }).unwrap();
    let expected = b"\x0a\x2e\
        \x0a\x0e\x0a\x08__name__\x12\x02up\
        \x0a\x0a\x0a\x03job\x12\x03api\
        \x12\x10\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\x80\xd0\x95\xff\xbc\x31";
    assert_eq!(batch.message(), expected);
    assert_eq!(decode(&batch).encode_to_vec(), expected, "as another encoder writes it");
}

#[test]
fn a_new_counter_begins_at_zero_and_an_ended_one_is_marked() {
    let requests = stream("requests", "", COUNTER, &[]);
    let born = [Moment::zero(T.minus_millis(5)), Moment::value(T)];
    assert_eq!(
        all_told(&append(&requests, Value::Double(2.5), &born, &[])),
        ["__name__=requests_total job=api: 0@-5 2.5@0"]
    );
    let ended = [Moment::value(T.minus_millis(1)), Moment::stale(T)];
    let series = append(&requests, Value::Double(2.5), &ended, &[]);
    assert_eq!(series[0].samples[1].value.to_bits(), STALE_BITS);
    let only_ended = append(&requests, Value::Missing, &[Moment::stale(T)], &[]);
    assert_eq!(only_ended[0].samples[0].value.to_bits(), STALE_BITS);
}

#[test]
fn no_value_can_pass_for_the_staleness_marker() {
    let gauge = stream("g", "", MetricKind::Gauge, &[]);
    let series = append(&gauge, Value::Double(f64::from_bits(STALE_BITS)), &NOW, &[]);
    assert_eq!(series[0].samples[0].value.to_bits(), 0x7ff8_0000_0000_0001);
}

#[test]
fn a_histogram_is_told_in_buckets_that_count_up() {
    let latency = stream("latency", "s", HISTOGRAM, &[("a", "b"), ("route", "/")]);
    let told = all_told(&append(&latency, Value::Histogram(LATENCY), &NOW, &[]));
    assert_eq!(
        told,
        [
            "__name__=latency_seconds_bucket a=b job=api le=0.005 route=/: 1@0",
            "__name__=latency_seconds_bucket a=b job=api le=1 route=/: 3@0",
            "__name__=latency_seconds_bucket a=b job=api le=2.5 route=/: 6@0",
            "__name__=latency_seconds_bucket a=b job=api le=+Inf route=/: 9@0",
            "__name__=latency_seconds_sum a=b job=api route=/: 4.5@0",
            "__name__=latency_seconds_count a=b job=api route=/: 9@0",
        ]
    );
}

#[test]
fn a_histogram_without_sum_or_buckets_has_no_series_for_them() {
    let latency = stream("latency", "s", HISTOGRAM, &[]);
    let bare = HistogramPoint { sum: None, bounds: &[], counts: &[], ..LATENCY };
    assert_eq!(
        all_told(&append(&latency, Value::Histogram(bare), &NOW, &[])),
        ["__name__=latency_seconds_bucket job=api le=+Inf: 9@0", "__name__=latency_seconds_count job=api: 9@0"]
    );
}

#[test]
fn a_bound_of_infinity_is_the_last_bucket() {
    let latency = stream("latency", "s", HISTOGRAM, &[]);
    let spelt = HistogramPoint { bounds: &[1.0, f64::INFINITY], counts: &[3, 6, 0], ..LATENCY };
    assert_eq!(
        all_told(&append(&latency, Value::Histogram(spelt), &NOW, &[]))[..2],
        ["__name__=latency_seconds_bucket job=api le=1: 3@0", "__name__=latency_seconds_bucket job=api le=+Inf: 9@0"]
    );
}

#[test]
fn zero_and_end_are_told_by_every_series_of_a_histogram() {
    let latency = stream("latency", "s", HISTOGRAM, &[]);
    let moments = [Moment::zero(T.minus_millis(2)), Moment::value(T.minus_millis(1)), Moment::stale(T)];
    for series in append(&latency, Value::Histogram(LATENCY), &moments, &[]) {
        assert_eq!((series.samples[0].value, series.samples[2].value.to_bits()), (0.0, STALE_BITS));
    }
}

#[test]
fn bounds_are_written_as_the_shortest_decimal_without_exponent() {
    let latency = stream("latency", "", HISTOGRAM, &[]);
    let bounds = &[-1.5, 0.1, 1e21, 1e-7];
    let wide = HistogramPoint { bounds, counts: &[0; 5], ..LATENCY };
    let les: Vec<String> = append(&latency, Value::Histogram(wide), &NOW, &[])[..4]
        .iter()
        .map(|series| series.labels[2].value.clone())
        .collect();
    assert_eq!(les, ["-1.5", "0.1", "1000000000000000000000", "0.0000001"]);
}

#[test]
fn a_summary_is_told_by_quantile_sum_and_count() {
    let summary = stream("latency", "s", MetricKind::Summary, &[("a", "b"), ("z", "y")]);
    let quantiles = &[Quantile { quantile: 0.5, value: 7.0 }, Quantile { quantile: 0.99, value: 9.5 }];
    let value = Value::Summary(SummaryPoint { count: 3, sum: 21.0, quantiles });
    assert_eq!(
        all_told(&append(&summary, value, &NOW, &[])),
        [
            "__name__=latency_seconds a=b job=api quantile=0.5 z=y: 7@0",
            "__name__=latency_seconds a=b job=api quantile=0.99 z=y: 9.5@0",
            "__name__=latency_seconds_sum a=b job=api z=y: 21@0",
            "__name__=latency_seconds_count a=b job=api z=y: 3@0",
        ]
    );
}

#[test]
fn an_exponential_histogram_is_one_native_histogram() {
    let sizes = stream("sizes", "By", EXPONENTIAL, &[]);
    let series = append(&sizes, Value::Exponential(SIZES), &NOW, &[]);
    assert_eq!(line(&series[0].labels), "__name__=sizes_bytes job=api");
    let native = &series[0].histograms[0];
    assert_eq!((native.count_int, native.zero_count_int, native.sum), (Some(45), Some(3), 100.5));
    assert_eq!((native.schema, native.zero_threshold, native.reset_hint), (2, 1e-128, 0));
    let spans: Vec<_> = native.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!((spans, native.positive_deltas.as_slice()), (vec![(4, 1), (2, 3)], [10, 10, -15, -3].as_slice()));
    assert_eq!((native.negative_spans[0].offset, native.negative_deltas.as_slice()), (-1, [5].as_slice()));
    assert_eq!(native.timestamp, T.0);
}

#[test]
fn a_native_histogram_begins_and_ends_without_buckets() {
    let sizes = stream("sizes", "By", EXPONENTIAL, &[]);
    let moments = [Moment::zero(T.minus_millis(2)), Moment::value(T.minus_millis(1)), Moment::stale(T)];
    let series = append(&sizes, Value::Exponential(SIZES), &moments, &[]);
    let [zero, value, stale] = series[0].histograms.as_slice() else { panic!("three samples") };
    assert_eq!((zero.count_int, zero.zero_count_int, zero.sum, zero.schema), (Some(0), Some(0), 0.0, 2));
    assert_eq!((stale.count_int, stale.sum.to_bits()), (Some(0), STALE_BITS));
    assert!(zero.positive_spans.is_empty() && stale.positive_deltas.is_empty() && !value.positive_spans.is_empty());
}

#[test]
fn a_scale_is_brought_down_to_8_and_is_not_encodable_below_minus_4() {
    let sizes = stream("sizes", "By", EXPONENTIAL, &[]);
    let schema_of = |scale| {
        append(&sizes, Value::Exponential(ExponentialPoint { scale, ..SIZES }), &NOW, &[])[0].histograms[0].schema
    };
    assert_eq!([20, 9, 8, 0, -4].map(schema_of), [8, 8, 8, 0, -4]);
    let coarse = Value::Exponential(ExponentialPoint { scale: -5, ..SIZES });
    let mut batch = SeriesBatch::new();
    let refused = batch.append(&sizes.0, &sizes.1, &Sample { value: coarse, moments: &NOW, exemplars: &[] });
    assert_eq!((refused, batch), (Err(NotEncodable::Scale(-5)), SeriesBatch::new()));
}

#[test]
fn a_native_histogram_keeps_its_zero_threshold_and_admits_an_unknown_sum() {
    let sizes = stream("sizes", "By", EXPONENTIAL, &[]);
    let point = ExponentialPoint { zero_threshold: 0.5, sum: None, ..SIZES };
    let native = append(&sizes, Value::Exponential(point), &NOW, &[])[0].histograms[0].clone();
    assert_eq!((native.zero_threshold, native.sum.to_bits()), (0.5, 0x7ff8_0000_0000_0001));
}

#[test]
fn the_newest_exemplar_of_a_counter_goes_with_its_value() {
    let requests = stream("requests", "", COUNTER, &[]);
    let attributes = frames(&[("user.id", "u"), ("empty", "")]);
    let exemplars = [exemplar(1.0, -2, &[1; 16], &[]), exemplar(3.0, -1, &[0xab; 16], &attributes)];
    let series = append(&requests, Value::Int(9), &NOW, &exemplars);
    let [newest] = series[0].exemplars.as_slice() else { panic!("one exemplar") };
    assert_eq!(line(&newest.labels), format!("trace_id={} user_id=u", "ab".repeat(16)));
    assert_eq!((newest.value, newest.timestamp), (3.0, T.0 - 1));
    assert!(append(&requests, Value::Int(9), &[Moment::zero(T)], &exemplars)[0].exemplars.is_empty());
    let gauge = stream("g", "", MetricKind::Gauge, &[]);
    assert!(append(&gauge, Value::Int(9), &NOW, &exemplars)[0].exemplars.is_empty());
}

#[test]
fn an_exemplar_keeps_its_attributes_only_within_128_characters() {
    let requests = stream("requests", "", COUNTER, &[]);
    // trace_id and its 32 digits take 40 characters.
    for (length, kept) in [(87, true), (88, false)] {
        let attributes = frames(&[("k", &"ü".repeat(length))]);
        let series = append(&requests, Value::Int(9), &NOW, &[exemplar(1.0, 0, &[1; 16], &attributes)]);
        assert_eq!(series[0].exemplars[0].labels.len() == 2, kept, "{length}");
    }
}

#[test]
fn each_bucket_has_the_newest_exemplar_that_fell_into_it() {
    let latency = stream("latency", "s", HISTOGRAM, &[]);
    let exemplars = [exemplar(1.0, 3, &[], &[]), exemplar(0.9, 2, &[], &[]), exemplar(7.0, 1, &[], &[])];
    let values: Vec<Vec<f64>> = append(&latency, Value::Histogram(LATENCY), &NOW, &exemplars)
        .iter()
        .map(|series| series.exemplars.iter().map(|exemplar| exemplar.value).collect())
        .collect();
    assert_eq!(values, [vec![], vec![1.0], vec![], vec![7.0], vec![], vec![]]);
}

#[test]
fn exemplars_of_a_native_histogram_come_in_the_order_of_their_times() {
    let sizes = stream("sizes", "By", EXPONENTIAL, &[]);
    let exemplars = [exemplar(1.0, 3, &[], &[]), exemplar(2.0, -2, &[], &[]), exemplar(3.0, 1, &[], &[])];
    let series = append(&sizes, Value::Exponential(SIZES), &NOW, &exemplars);
    let values: Vec<f64> = series[0].exemplars.iter().map(|exemplar| exemplar.value).collect();
    assert_eq!(values, [2.0, 3.0, 1.0]);
}

#[test]
fn a_value_of_another_type_is_refused_and_leaves_the_batch_as_it_was() {
    let streams = [
        (stream("a", "", COUNTER, &[]), Value::Histogram(LATENCY)),
        (stream("a", "", COUNTER, &[]), Value::Missing),
        (stream("a", "", HISTOGRAM, &[]), Value::Int(1)),
        (stream("a", "", EXPONENTIAL, &[]), Value::Histogram(LATENCY)),
        (stream("a", "", MetricKind::Summary, &[]), Value::Double(1.0)),
    ];
    for ((family, labels), value) in streams {
        let mut batch = SeriesBatch::new();
        let result = batch.append(&family, &labels, &Sample { value, moments: &NOW, exemplars: &[] });
        assert_eq!((result, batch), (Err(NotEncodable::Mismatch), SeriesBatch::new()), "{value:?}");
    }
}

#[test]
fn a_resource_is_told_as_target_info() {
    let translation = Translation::default();
    let resource = frames(&[("service.name", "api"), ("os.type", "linux")]);
    let labels = Labels::of_target(&resource, &translation).unwrap();
    let target = (Family::target_info(&translation), labels);
    let told = all_told(&append(&target, Value::Int(1), &NOW, &[]));
    assert_eq!(told, ["__name__=target_info job=api os_type=linux: 1@0"]);
}

#[test]
fn metadata_is_told_once_per_family_and_period() {
    let (bytes, labels) = stream("sent", "By", COUNTER, &[]);
    let (sizes, _) = stream("sizes", "", EXPONENTIAL, &[]);
    let mut announcements = Announcements::new();
    let mut told = |millis| {
        let mut batch = SeriesBatch::new();
        for family in [&bytes, &sizes, &bytes] {
            announcements.announce(&mut batch, family, T.plus_millis(millis));
        }
        batch.append(&bytes, &labels, &Sample { value: Value::Int(1), moments: &NOW, exemplars: &[] }).unwrap();
        decode(&batch).metadata
    };
    let first = told(0);
    assert_eq!(first.len(), 2);
    let sent = &first[0];
    assert_eq!((sent.r#type, sent.metric_family_name.as_str()), (1, "sent_bytes_total"));
    assert_eq!((sent.help.as_str(), sent.unit.as_str(), first[1].r#type), ("what it is", "bytes", 3));
    assert!(told(599_999).is_empty());
    assert_eq!(told(600_000).len(), 2);
}
