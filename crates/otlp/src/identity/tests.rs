//! Golden vectors of stream ids, and what may and may not change an id.
//!
//! The digests were computed from the prose in `identity` by a program that shares no code with this one, on the reference
//! implementation of XXH3.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message as _;

use crate::oracle::{Random, keys_values, requests, rewrite};
use crate::read::{Scratch, read};
use crate::schema::REQUEST;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

/// One number point, taken apart so that tests can change any part.
#[derive(Clone)]
struct Parts {
    resource: Resource,
    resource_schema: String,
    scope: InstrumentationScope,
    metric: Metric,
    sum: Sum,
    point: NumberDataPoint,
}

/// Resource `service.name=claude-code`, `host.name=h`; scope `com.anthropic.claude_code` 2.1.34 with `scope=x`; delta
/// monotonic sum `claude_code.token.usage` in `tokens`; point `session.id=s-1`, `model=opus`.
fn parts() -> Parts {
    Parts {
        resource: Resource {
            attributes: vec![text("service.name", "claude-code"), text("host.name", "h")],
            ..Resource::default()
        },
        resource_schema: String::new(),
        scope: InstrumentationScope {
            name: "com.anthropic.claude_code".to_owned(),
            version: "2.1.34".to_owned(),
            attributes: vec![text("scope", "x")],
            ..InstrumentationScope::default()
        },
        metric: Metric { name: "claude_code.token.usage".to_owned(), unit: "tokens".to_owned(), ..Metric::default() },
        sum: Sum { aggregation_temporality: 1, is_monotonic: true, ..Sum::default() },
        point: NumberDataPoint {
            attributes: vec![text("session.id", "s-1"), text("model", "opus")],
            ..NumberDataPoint::default()
        },
    }
}

/// A change of one part, with its name.
type Change = (&'static str, fn(&mut Parts));

impl Parts {
    fn with_data(&self, data: metric::Data) -> ExportMetricsServiceRequest {
        let metric = Metric { data: Some(data), ..self.metric.clone() };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(self.scope.clone()),
                    metrics: vec![metric],
                    schema_url: "https://example.org/scope".to_owned(),
                }],
                schema_url: self.resource_schema.clone(),
            }],
        }
    }

    fn id(&self) -> String {
        let sum = Sum { data_points: vec![self.point.clone()], ..self.sum.clone() };
        only_id(&self.with_data(metric::Data::Sum(sum)).encode_to_vec())
    }
}

fn ids(request: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    read(request, &mut Scratch::new(), |point| ids.push(point.point.stream.to_string())).unwrap();
    ids
}

fn only_id(request: &[u8]) -> String {
    let mut ids = ids(request);
    assert_eq!(ids.len(), 1);
    ids.remove(0)
}

#[test]
fn a_stream_of_each_type_has_the_id_it_always_had() {
    let parts = parts();
    let attributes = || parts.point.attributes.clone();
    let number = || vec![parts.point.clone()];
    let cases = [
        (metric::Data::Gauge(Gauge { data_points: number() }), "fe0fcdd699e31c1fefd360a05f5485ef"),
        (
            metric::Data::Sum(Sum { data_points: number(), aggregation_temporality: 1, is_monotonic: true }),
            "e566fb2dfee9f0f16c362d6b3a2d507c",
        ),
        (
            metric::Data::Sum(Sum { data_points: number(), aggregation_temporality: 2, is_monotonic: false }),
            "c50a9fcafbad9bfaef1fe723d0512e97",
        ),
        (
            metric::Data::Sum(Sum { data_points: number(), aggregation_temporality: 7, is_monotonic: false }),
            "be931adbd244696aa74d320d6d40b06f",
        ),
        (
            metric::Data::Histogram(Histogram {
                data_points: vec![HistogramDataPoint { attributes: attributes(), ..Default::default() }],
                aggregation_temporality: 1,
            }),
            "0e78e605db127ce01b2a49fb413504e5",
        ),
        (
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![ExponentialHistogramDataPoint { attributes: attributes(), ..Default::default() }],
                aggregation_temporality: 2,
            }),
            "8e27a2ee7245198de896b632ab898964",
        ),
        (
            metric::Data::Summary(Summary {
                data_points: vec![SummaryDataPoint { attributes: attributes(), ..Default::default() }],
            }),
            "812c172cf43b8cf64b924a1e500053d2",
        ),
    ];
    for (data, expected) in cases {
        assert_eq!(only_id(&parts.with_data(data.clone()).encode_to_vec()), expected, "{data:?}");
    }
}

#[test]
fn a_point_without_anything_has_the_id_it_always_had() {
    // ResourceMetrics { ScopeMetrics { Metric { gauge { NumberDataPoint {} } } } }, without resource, scope and name.
    let request = [0x0a, 8, 0x12, 6, 0x12, 4, 0x2a, 2, 0x0a, 0];
    assert_eq!(only_id(&request), "3fad3a2a0ee6499ef49fa21889003508");
    let empty_resource_and_scope = [0x0a, 12, 0x0a, 0, 0x12, 8, 0x0a, 0, 0x12, 4, 0x2a, 2, 0x0a, 0];
    assert_eq!(only_id(&empty_resource_and_scope), "3fad3a2a0ee6499ef49fa21889003508");
}

#[test]
fn an_attribute_that_stands_twice_counts_twice() {
    let mut parts = parts();
    parts.point.attributes.clear();
    assert_eq!(parts.id(), "006509b8105a8f44031ef82d9ea491f5");
    parts.point.attributes = vec![text("session.id", "s-1"), text("session.id", "s-1")];
    assert_eq!(parts.id(), "b99e448cc2114873a51a27685e941616");
}

#[test]
fn everything_in_the_identity_changes_the_id_and_nothing_else_does() {
    let changing: [Change; 13] = [
        ("resource attribute", |parts| parts.resource.attributes[0] = text("service.name", "other")),
        ("no resource attribute", |parts| parts.resource.attributes.clear()),
        ("attribute moved to the scope", |parts| {
            let moved = parts.resource.attributes.remove(0);
            parts.scope.attributes.push(moved);
        }),
        ("scope name", |parts| parts.scope.name.push('x')),
        ("scope version", |parts| parts.scope.version.clear()),
        ("scope attribute", |parts| parts.scope.attributes.clear()),
        ("metric name", |parts| parts.metric.name.push('x')),
        ("text moved from the unit to the name", |parts| {
            parts.metric.name.push('t');
            parts.metric.unit = "okens".to_owned();
        }),
        ("unit", |parts| parts.metric.unit = "{token}".to_owned()),
        ("temporality", |parts| parts.sum.aggregation_temporality = 2),
        ("monotonic", |parts| parts.sum.is_monotonic = false),
        ("point attribute", |parts| parts.point.attributes.push(text("more", ""))),
        ("type of a value", |parts| parts.point.attributes[1] = pair("model", Value::BytesValue(b"opus".to_vec()))),
    ];
    let same: [Change; 8] = [
        ("resource schema", |parts| parts.resource_schema = "https://example.org/1".to_owned()),
        ("dropped counts", |parts| {
            parts.resource.dropped_attributes_count = 3;
            parts.scope.dropped_attributes_count = 4;
        }),
        ("description", |parts| parts.metric.description = "used tokens".to_owned()),
        ("metadata", |parts| parts.metric.metadata = vec![text("a", "b")]),
        ("times", |parts| (parts.point.start_time_unix_nano, parts.point.time_unix_nano) = (1, 2)),
        ("int", |parts| parts.point.value = Some(number_data_point::Value::AsInt(1))),
        ("double", |parts| parts.point.value = Some(number_data_point::Value::AsDouble(1.0))),
        ("flags", |parts| parts.point.flags = 1),
    ];
    let usual = parts().id();
    let mut seen = vec![usual.clone()];
    for (name, change) in changing {
        let mut parts = parts();
        change(&mut parts);
        assert!(!seen.contains(&parts.id()), "{name}");
        seen.push(parts.id());
    }
    for (name, change) in same {
        let mut parts = parts();
        change(&mut parts);
        assert_eq!(parts.id(), usual, "{name}");
    }
}

proptest! {
    #[test]
    fn the_order_of_attributes_never_matters(
        (attributes, shuffled) in keys_values().prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle()))
    ) {
        let mut straight = parts();
        let mut turned = parts();
        for (parts, attributes) in [(&mut straight, &attributes), (&mut turned, &shuffled)] {
            parts.resource.attributes.clone_from(attributes);
            parts.scope.attributes.clone_from(attributes);
            parts.point.attributes.clone_from(attributes);
        }
        prop_assert_eq!(straight.id(), turned.id());
    }

    #[test]
    fn the_order_of_an_array_matters(first in 0..100_i64, second in 0..100_i64) {
        let array = |values: [i64; 2]| {
            let values = values.map(|int| AnyValue { value: Some(Value::IntValue(int)) }).to_vec();
            let mut parts = parts();
            let array = Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue { values });
            parts.point.attributes.push(pair("list", array));
            parts.id()
        };
        prop_assert_eq!(array([first, second]) == array([second, first]), first == second);
    }

    #[test]
    fn ids_do_not_depend_on_the_order_of_fields(request in requests(), seed: u64) {
        let bytes = request.encode_to_vec();
        prop_assert_eq!(ids(&bytes), ids(&rewrite(&REQUEST, &bytes, &mut Random(seed))));
    }
}
