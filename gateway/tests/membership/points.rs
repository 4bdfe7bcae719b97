//! Requests whose points can be told apart: each is a stream of its own, and its value is its name.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use shardset_gateway::route::Router;
use shardset_model::Membership;

/// Points of one resource.
const PER_RESOURCE: i64 = 10;

/// The request with the points of these names.
pub(crate) fn request(names: Range<i64>) -> Bytes {
    let names: Vec<i64> = names.collect();
    let resource_metrics = names.chunks(PER_RESOURCE as usize).map(resource).collect();
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

fn resource(names: &[i64]) -> ResourceMetrics {
    let sum =
        Sum { data_points: names.iter().copied().map(point).collect(), aggregation_temporality: 1, is_monotonic: true };
    let metric = Metric { name: "requests".into(), data: Some(Data::Sum(sum)), ..Metric::default() };
    ResourceMetrics {
        resource: Some(Resource { attributes: vec![attribute("host", names[0])], ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
}

fn point(name: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![attribute("name", name)],
        start_time_unix_nano: 1_000_000_000,
        time_unix_nano: 2_000_000_000,
        value: Some(number_data_point::Value::AsInt(name)),
        ..NumberDataPoint::default()
    }
}

fn attribute(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::IntValue(value)) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

/// The names of the points of each top-level resource.
pub(crate) fn names(request: &[u8]) -> Vec<Vec<i64>> {
    let request = ExportMetricsServiceRequest::decode(request).unwrap();
    request.resource_metrics.iter().map(names_of).collect()
}

fn names_of(resource: &ResourceMetrics) -> Vec<i64> {
    let metrics = resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
    let points = metrics.flat_map(|metric| match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.as_slice(),
        other => panic!("{other:?}"),
    });
    let name = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(name)) => name,
        other => panic!("{other:?}"),
    };
    points.map(name).collect()
}

/// Which shard owns each point of `request` under `membership`.
pub(crate) fn owners(request: &Bytes, membership: &Membership) -> BTreeMap<i64, u32> {
    let routed = Router::default().route(request, membership).unwrap();
    let of_part = |part: &shardset_gateway::route::Routed| {
        let shard = part.shard.get();
        names(&part.bytes).into_iter().flatten().map(move |name| (name, shard)).collect::<Vec<_>>()
    };
    routed.parts.iter().flat_map(of_part).collect()
}
