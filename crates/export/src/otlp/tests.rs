//! Requests, read back by the types of `opentelemetry-proto`.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as ProtoBuckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{self as proto, exemplar, number_data_point};
use proptest::prelude::*;
use prost::Message;
use shardset_model::{
    Buckets, Context, Exemplar, ExponentialPoint, HistogramPoint, Identity, MetricKind, Quantile, SummaryPoint,
    Temporality, UnixMillis, UnixNanos, Value,
};

use super::{Origin, PointsBatch};
use crate::fixtures::{COUNTER, EXPONENTIAL, HISTOGRAM, UP_DOWN, frames, metric};
use crate::{Moment, NotEncodable, Sample};

const START: UnixNanos = UnixNanos(1_000_000_000_500_000);
const TICK: UnixMillis = UnixMillis(1_000_015_000);
const CUMULATIVE: i32 = proto::AggregationTemporality::Cumulative as i32;

fn identity(context: Context, attributes: &[(&str, &str)]) -> Identity {
    Identity { context: Arc::new(context), attributes: frames(attributes) }
}

fn attributes(all: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    let pair =
        |(key, text): &(&str, &str)| KeyValue { key: (*key).to_owned(), value: value(text), ..KeyValue::default() };
    all.iter().map(pair).collect()
}

fn decode(batch: &PointsBatch) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(batch.message_of(0..batch.streams()).as_slice()).unwrap()
}

/// The data of a batch of one stream.
fn told(kind: MetricKind, value: Value<'_>, moments: &[Moment], exemplars: &[Exemplar<'_>]) -> Data {
    let identity = identity(metric("m", "s", kind), &[("a", "b")]);
    let own_time = (!kind.is_delta()).then_some(UnixNanos(1_000_009_000_123_456));
    let mut batch = PointsBatch::new();
    let origin = Origin { identity: &identity, start: START, own_time };
    batch.append(&origin, &Sample { value, moments, exemplars }).unwrap();
    let mut request = decode(&batch);
    let metric = request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0);
    assert_eq!((&*metric.name, &*metric.unit, &*metric.description), ("m", "s", "what it is"));
    metric.data.unwrap()
}

fn number(time: u64, value: Option<number_data_point::Value>) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes: attributes(&[("a", "b")]),
        start_time_unix_nano: START.0,
        time_unix_nano: time,
        value,
        ..proto::NumberDataPoint::default()
    }
}

#[test]
fn a_sum_is_cumulative_and_begins_with_a_zero_at_its_start() {
    let zero_at_start = Moment::zero(START.millis());
    for (value, zero, told_value) in [
        (Value::Int(20), number_data_point::Value::AsInt(0), number_data_point::Value::AsInt(20)),
        (Value::Double(0.5), number_data_point::Value::AsDouble(0.0), number_data_point::Value::AsDouble(0.5)),
    ] {
        let moments = [zero_at_start, Moment::value(TICK), Moment::stale(TICK.plus_millis(1))];
        let Data::Sum(sum) = told(COUNTER, value, &moments, &[]) else { panic!("a sum") };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (CUMULATIVE, true));
        let stale = proto::NumberDataPoint { flags: 1, ..number(1_000_015_001_000_000, None) };
        let expected = [number(START.0, Some(zero)), number(1_000_015_000_000_000, Some(told_value)), stale];
        assert_eq!(sum.data_points, expected);
    }
    let Data::Sum(sum) = told(UP_DOWN, Value::Int(-3), &[Moment::value(TICK)], &[]) else { panic!("a sum") };
    assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (CUMULATIVE, false));
    assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsInt(-3)));
}

#[test]
fn a_point_that_is_passed_on_keeps_its_time_and_a_start_that_is_yet_to_come_is_not_told() {
    let own = UnixNanos(1_000_009_000_123_456);
    let Data::Gauge(gauge) = told(MetricKind::Gauge, Value::Double(0.5), &[Moment::value(own.millis())], &[]) else {
        panic!("a gauge")
    };
    assert_eq!(gauge.data_points, [number(own.0, Some(number_data_point::Value::AsDouble(0.5)))]);
    let passed_on = MetricKind::Sum { temporality: Temporality::Cumulative, monotonic: true };
    let early = START.millis().minus_millis(1);
    let Data::Sum(sum) = told(passed_on, Value::Int(1), &[Moment::value(early)], &[]) else { panic!("a sum") };
    assert_eq!((sum.aggregation_temporality, sum.data_points[0].start_time_unix_nano), (CUMULATIVE, 0));
}

#[test]
fn exemplars_go_with_the_value_as_they_came() {
    let filtered = frames(&[("user", "u")]);
    let with = |trace_id: &'static [u8], span_id: &'static [u8]| Exemplar {
        time: UnixNanos(7),
        value: 2.0,
        trace_id,
        span_id,
        filtered_attributes: &filtered,
    };
    let exemplars = [with(&[1; 16], &[2; 8]), with(&[], &[])];
    let moments = [Moment::zero(TICK.minus_millis(1)), Moment::value(TICK)];
    let Data::Sum(sum) = told(COUNTER, Value::Int(20), &moments, &exemplars) else { panic!("a sum") };
    let expected = |trace_id: &[u8], span_id: &[u8]| proto::Exemplar {
        filtered_attributes: attributes(&[("user", "u")]),
        time_unix_nano: 7,
        span_id: span_id.to_vec(),
        trace_id: trace_id.to_vec(),
        value: Some(exemplar::Value::AsDouble(2.0)),
    };
    assert_eq!(sum.data_points[0].exemplars, []);
    assert_eq!(sum.data_points[1].exemplars, [expected(&[1; 16], &[2; 8]), expected(&[], &[])]);
}

#[test]
fn a_histogram_is_told_with_its_buckets_at_every_moment() {
    let point = HistogramPoint {
        count: 6,
        sum: Some(9.5),
        min: Some(0.5),
        max: Some(4.0),
        bounds: &[1.0, 2.0],
        counts: &[1, 2, 3],
    };
    let moments = [Moment::zero(TICK.minus_millis(1)), Moment::value(TICK), Moment::stale(TICK.plus_millis(1))];
    let Data::Histogram(histogram) = told(HISTOGRAM, Value::Histogram(point), &moments, &[]) else { panic!() };
    assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
    let empty = proto::HistogramDataPoint {
        attributes: attributes(&[("a", "b")]),
        start_time_unix_nano: START.0,
        explicit_bounds: vec![1.0, 2.0],
        bucket_counts: vec![0; 3],
        ..proto::HistogramDataPoint::default()
    };
    let zero = proto::HistogramDataPoint { time_unix_nano: 1_000_014_999_000_000, sum: Some(0.0), ..empty.clone() };
    let value = proto::HistogramDataPoint {
        time_unix_nano: 1_000_015_000_000_000,
        count: 6,
        sum: Some(9.5),
        min: Some(0.5),
        max: Some(4.0),
        bucket_counts: vec![1, 2, 3],
        ..empty.clone()
    };
    let stale = proto::HistogramDataPoint { time_unix_nano: 1_000_015_001_000_000, flags: 1, ..empty };
    assert_eq!(histogram.data_points, [zero, value, stale]);
}

#[test]
fn an_exponential_histogram_keeps_scale_and_thresholds() {
    let point = ExponentialPoint {
        count: 6,
        sum: None,
        min: None,
        max: Some(4.0),
        scale: -5,
        zero_count: 1,
        zero_threshold: 0.25,
        positive: Buckets { offset: -2, counts: &[1, 300, 0] },
        negative: Buckets { offset: 0, counts: &[] },
    };
    let moments = [Moment::zero(TICK.minus_millis(1)), Moment::value(TICK)];
    let Data::ExponentialHistogram(histogram) = told(EXPONENTIAL, Value::Exponential(point), &moments, &[]) else {
        panic!()
    };
    assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
    let empty = proto::ExponentialHistogramDataPoint {
        attributes: attributes(&[("a", "b")]),
        start_time_unix_nano: START.0,
        scale: -5,
        zero_threshold: 0.25,
        ..proto::ExponentialHistogramDataPoint::default()
    };
    let zero = proto::ExponentialHistogramDataPoint { time_unix_nano: 1_000_014_999_000_000, ..empty.clone() };
    let value = proto::ExponentialHistogramDataPoint {
        time_unix_nano: 1_000_015_000_000_000,
        count: 6,
        zero_count: 1,
        max: Some(4.0),
        positive: Some(ProtoBuckets { offset: -2, bucket_counts: vec![1, 300, 0] }),
        ..empty
    };
    assert_eq!(histogram.data_points, [zero, value]);
}

#[test]
fn a_summary_is_passed_on_with_its_quantiles_and_ends_with_them() {
    let quantiles = [Quantile { quantile: 0.5, value: 2.0 }, Quantile { quantile: 0.0, value: 0.0 }];
    let point = SummaryPoint { count: 3, sum: 6.0, quantiles: &quantiles };
    let moments = [Moment::value(TICK), Moment::stale(TICK.plus_millis(1))];
    let Data::Summary(summary) = told(MetricKind::Summary, Value::Summary(point), &moments, &[]) else { panic!() };
    let quantile = |quantile, value| ValueAtQuantile { quantile, value };
    let told: Vec<_> = summary.data_points.iter().map(|point| (point.count, point.sum, point.flags)).collect();
    assert_eq!(told, [(3, 6.0, 0), (0, 0.0, 1)]);
    assert_eq!(summary.data_points[0].quantile_values, [quantile(0.5, 2.0), quantile(0.0, 0.0)]);
    assert_eq!(summary.data_points[1].quantile_values, [quantile(0.5, 0.0), quantile(0.0, 0.0)]);
}

#[test]
fn a_value_that_is_not_of_its_metric_changes_nothing() {
    let table = [
        (COUNTER, Value::Missing, Moment::value(TICK)),
        (COUNTER, Value::Summary(SummaryPoint { count: 0, sum: 0.0, quantiles: &[] }), Moment::value(TICK)),
        (HISTOGRAM, Value::Int(1), Moment::value(TICK)),
        (HISTOGRAM, Value::Missing, Moment::stale(TICK)),
    ];
    for (kind, value, moment) in table {
        let identity = identity(metric("m", "", kind), &[]);
        let mut batch = PointsBatch::new();
        let origin = Origin { identity: &identity, start: START, own_time: None };
        let refused = batch.append(&origin, &Sample { value, moments: &[moment], exemplars: &[] });
        assert_eq!((refused, batch.is_empty()), (Err(NotEncodable::Mismatch), true), "{value:?}");
    }
    let Data::Gauge(ended) = told(MetricKind::Gauge, Value::Missing, &[Moment::stale(TICK)], &[]) else { panic!() };
    assert_eq!((ended.data_points[0].flags, ended.data_points[0].value), (1, None));
}

/// Streams of some resources, scopes and metrics, each named by its place among them.
fn mixed(places: &[(u8, u8, u8)]) -> PointsBatch {
    let context = |&(resource, scope, name): &(u8, u8, u8)| {
        Arc::new(Context {
            resource_attributes: frames(&[("service.name", &resource.to_string())]),
            scope_name: scope.to_string().into(),
            scope_version: "1".into(),
            scope_attributes: frames(&[("library", "l")]),
            ..metric(&name.to_string(), "", UP_DOWN)
        })
    };
    // One context stands behind all streams of a metric.
    let mut contexts = std::collections::BTreeMap::new();
    let mut batch = PointsBatch::new();
    for (n, place) in places.iter().enumerate() {
        let context = Arc::clone(contexts.entry(*place).or_insert_with(|| context(place)));
        let identity = Identity { context, attributes: frames(&[("n", &n.to_string())]) };
        let origin = Origin { identity: &identity, start: START, own_time: None };
        let moments = [Moment::value(TICK), Moment::stale(TICK.plus_millis(1))];
        batch.append(&origin, &Sample { value: Value::Int(n as i64), moments: &moments, exemplars: &[] }).unwrap();
    }
    batch
}

proptest! {
    #[test]
    fn every_stream_of_a_run_stands_once_below_its_own_resource_scope_and_metric(
        places in prop::collection::vec((0..3_u8, 0..3_u8, 0..3_u8), 1..60),
        run in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let batch = mixed(&places);
        let (a, b) = (run.0.index(places.len()), run.1.index(places.len()));
        let run = a.min(b)..a.max(b) + 1;
        let request = ExportMetricsServiceRequest::decode(batch.message_of(run.clone()).as_slice()).unwrap();
        let mut found = Vec::new();
        let mut groups = Vec::new();
        for resource in &request.resource_metrics {
            let of_resource = &resource.resource.as_ref().unwrap().attributes;
            for scope in &resource.scope_metrics {
                let of_scope = scope.scope.as_ref().unwrap();
                prop_assert_eq!(&*of_scope.version, "1");
                prop_assert_eq!(&of_scope.attributes, &attributes(&[("library", "l")]));
                for metric in &scope.metrics {
                    groups.push((of_resource.clone(), of_scope.name.clone(), metric.name.clone()));
                    let Some(Data::Sum(sum)) = &metric.data else { panic!("a sum") };
                    for pair in sum.data_points.chunks(2) {
                        let Some(number_data_point::Value::AsInt(n)) = pair[0].value else { panic!("a number") };
                        prop_assert_eq!((pair[1].flags, &pair[0].attributes), (1, &pair[1].attributes));
                        let (resource, scope, name) = places[n as usize];
                        prop_assert_eq!(of_resource, &attributes(&[("service.name", &resource.to_string())]));
                        prop_assert_eq!((&*of_scope.name, &*metric.name), (&*scope.to_string(), &*name.to_string()));
                        found.push(n as usize);
                    }
                }
            }
        }
        prop_assert_eq!(batch.points_in(run.clone()), 2 * run.len() as u64);
        found.sort_unstable();
        prop_assert_eq!(found, run.collect::<Vec<_>>());
        let written = groups.len();
        groups.sort_by_key(|group| format!("{group:?}"));
        groups.dedup();
        prop_assert_eq!(groups.len(), written, "each metric stands once");
    }
}

#[test]
fn a_batch_is_full_by_points_or_by_the_bytes_of_points_and_contexts() {
    let of = |streams: usize, attribute: usize| {
        let mut batch = PointsBatch::new();
        for n in 0..streams {
            let context =
                Context { resource_attributes: frames(&[("r", &"x".repeat(attribute))]), ..metric("m", "", UP_DOWN) };
            let identity = identity(context, &[("n", &n.to_string())]);
            let origin = Origin { identity: &identity, start: START, own_time: None };
            batch
                .append(&origin, &Sample { value: Value::Int(1), moments: &[Moment::value(TICK)], exemplars: &[] })
                .unwrap();
        }
        batch.is_full()
    };
    assert_eq!((of(1_999, 1), of(2_000, 1)), (false, true), "points");
    assert_eq!((of(20, 10_000), of(106, 10_000)), (false, true), "bytes");
}
