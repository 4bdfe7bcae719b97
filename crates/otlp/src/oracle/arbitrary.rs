//! Requests of every shape that prost can encode: all types of metrics and values, exemplars, nested values, missing parts.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Whole requests.
pub(crate) fn requests() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    vec(resource_metrics(), 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

fn resource_metrics() -> impl Strategy<Value = ResourceMetrics> {
    let resource = (keys_values(), 0..3_u32).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    });
    (option::of(resource), vec(scope_metrics(), 0..3), text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url })
}

fn scope_metrics() -> impl Strategy<Value = ScopeMetrics> {
    let scope = (text(), text(), keys_values()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        dropped_attributes_count: 0,
    });
    (option::of(scope), vec(metric(), 0..4), text()).prop_map(|(scope, metrics, schema_url)| ScopeMetrics {
        scope,
        metrics,
        schema_url,
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    (text(), text(), text(), option::weighted(0.9, data()), vec(key_value(), 0..2))
        .prop_map(|(name, description, unit, data, metadata)| Metric { name, description, unit, metadata, data })
}

fn data() -> impl Strategy<Value = metric::Data> {
    prop_oneof![
        vec(number_point(), 0..4).prop_map(|data_points| metric::Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..4), -1..4, any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| metric::Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram_point(), 0..4), 0..3).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential_point(), 0..4), 0..3).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..4).prop_map(|data_points| metric::Data::Summary(Summary { data_points })),
    ]
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = option::weighted(
        0.9,
        prop_oneof![
            any::<i64>().prop_map(number_data_point::Value::AsInt),
            any::<f64>().prop_map(number_data_point::Value::AsDouble),
        ],
    );
    (keys_values(), any::<u64>(), any::<u64>(), exemplars(), 0..300_u32, value).prop_map(
        |(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        },
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let buckets = (vec(any::<u64>(), 0..20), vec(any::<f64>(), 0..20));
    let stats = [option::of(any::<f64>()), option::of(any::<f64>()), option::of(any::<f64>())];
    (keys_values(), any::<u64>(), any::<u64>(), exemplars(), 0..2_u32, buckets, stats).prop_map(
        |(attributes, time_unix_nano, count, exemplars, flags, (bucket_counts, explicit_bounds), [sum, min, max])| {
            HistogramDataPoint {
                attributes,
                start_time_unix_nano: time_unix_nano / 2,
                time_unix_nano,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max,
            }
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        let some = (any::<i32>(), vec(any::<u64>(), 0..20))
            .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts });
        option::of(some)
    };
    let stats = [option::of(any::<f64>()), option::of(any::<f64>()), option::of(any::<f64>())];
    (keys_values(), any::<u64>(), (any::<i32>(), any::<f64>()), exemplars(), buckets(), buckets(), stats).prop_map(
        |(attributes, time_unix_nano, (scale, zero_threshold), exemplars, positive, negative, [sum, min, max])| {
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano: 0,
                time_unix_nano,
                count: time_unix_nano / 3,
                sum,
                scale,
                zero_count: time_unix_nano / 5,
                positive,
                negative,
                flags: 1,
                exemplars,
                min,
                max,
                zero_threshold,
            }
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = [any::<f64>(), any::<f64>()].prop_map(|[quantile, value]| ValueAtQuantile { quantile, value });
    (keys_values(), any::<u64>(), any::<f64>(), vec(quantile, 0..4), 0..2_u32).prop_map(
        |(attributes, time_unix_nano, sum, quantile_values, flags)| SummaryDataPoint {
            attributes,
            start_time_unix_nano: 7,
            time_unix_nano,
            count: time_unix_nano,
            sum,
            quantile_values,
            flags,
        },
    )
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value = option::of(prop_oneof![
        any::<i64>().prop_map(exemplar::Value::AsInt),
        any::<f64>().prop_map(exemplar::Value::AsDouble),
    ]);
    let exemplar = (keys_values(), any::<u64>(), vec(any::<u8>(), 0..17), vec(any::<u8>(), 0..9), value).prop_map(
        |(filtered_attributes, time_unix_nano, trace_id, span_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    prop_oneof![3 => Just(Vec::new()), 1 => vec(exemplar, 1..3)]
}

/// Attributes, with keys that repeat now and then.
pub(crate) fn keys_values() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(), 0..5)
}

fn key_value() -> impl Strategy<Value = KeyValue> {
    let key = prop_oneof!["[a-c]{1,2}", text()];
    (key, option::weighted(0.95, any_value())).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() })
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        1 => any::<f64>().prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    let leaf = option::weighted(0.95, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let entry =
            (text(), option::of(inner.clone())).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(entry, 0..3).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// Strings: mostly short and ASCII, some not ASCII, some too long for a length of one byte.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[ -~]{0,12}", 2 => "\\PC{0,6}", 1 => "[a-z]{120,140}"]
}
