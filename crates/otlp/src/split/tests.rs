//! Splitting loses nothing, invents nothing, and sends every point to its owner.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message as _;
use shardset_model::{Identity, RoutingKey, ShardCount, StreamId};
use shardset_placement::owner;

use super::{Part, Splitter};
use crate::oracle::{Random, Seen, by_prost, by_read, requests, rewrite};
use crate::read::{Scratch, read};
use crate::route::of_stream;
use crate::schema::REQUEST;
use crate::wire::Fault;

fn shards(count: u32) -> ShardCount {
    ShardCount::new(count).unwrap()
}

/// Points in an order that does not depend on which part they are in.
fn sorted(points: impl IntoIterator<Item = Seen>) -> Vec<String> {
    let mut points: Vec<String> = points.into_iter().map(|point| format!("{:?}", point.anywhere())).collect();
    points.sort();
    points
}

fn streams(request: &[u8]) -> Vec<StreamId> {
    let mut streams = Vec::new();
    read(request, &mut Scratch::new(), |point| streams.push(point.point.stream)).unwrap();
    streams
}

fn key() -> impl Strategy<Value = RoutingKey> {
    prop_oneof![Just("streamID"), Just("resource"), Just("service"), Just("metric"), Just("attributes:a,b"),]
        .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_kept_stream_is_routed_as_its_points_were(request in requests(), seed: u64, key in key(), count in 1..20_u32) {
        let bytes = rewrite(&REQUEST, &request.encode_to_vec(), &mut Random(seed));
        let mut splitter = Splitter::new();
        for part in splitter.split(&bytes, &key, shards(count)).unwrap().parts() {
            read(part.bytes, &mut Scratch::new(), |read| {
                let context = Arc::new(read.context.to_context());
                let identity = Identity { context, attributes: read.attributes.to_frames() };
                let kept = of_stream(read.point.stream, &identity, &key);
                assert_eq!(owner(kept, shards(count)), part.shard);
            })
            .unwrap();
        }
    }

    #[test]
    fn the_parts_together_hold_the_points_of_the_request(request in requests(), seed: u64, key in key(), count in 1..20_u32) {
        let bytes = rewrite(&REQUEST, &request.encode_to_vec(), &mut Random(seed));
        let mut splitter = Splitter::new();
        let split = splitter.split(&bytes, &key, shards(count)).unwrap();
        let mut points = Vec::new();
        for part in split.parts() {
            let decoded = ExportMetricsServiceRequest::decode(part.bytes).unwrap();
            let held = by_prost(&decoded);
            prop_assert_eq!(part.points, held.len() as u64);
            prop_assert_eq!(part.resources as usize, decoded.resource_metrics.len());
            prop_assert_eq!(&by_read(part.bytes), &held);
            points.extend(held);
        }
        prop_assert_eq!(split.points(), points.len() as u64);
        prop_assert_eq!(sorted(points), sorted(by_read(&bytes)));
    }

    #[test]
    fn every_point_is_in_the_part_of_its_owner(request in requests(), count in 1..20_u32) {
        let bytes = request.encode_to_vec();
        let mut splitter = Splitter::new();
        let split = splitter.split(&bytes, &RoutingKey::StreamId, shards(count)).unwrap();
        for part in split.parts() {
            for stream in streams(part.bytes) {
                prop_assert_eq!(owner(stream.low64(), shards(count)), part.shard);
            }
        }
    }

    #[test]
    fn points_with_the_same_key_are_in_the_same_part(request in requests(), key in key(), count in 1..20_u32) {
        let bytes = request.encode_to_vec();
        let mut splitter = Splitter::new();
        let split = splitter.split(&bytes, &key, shards(count)).unwrap();
        let mut homes: Vec<(String, Part<'_>)> = Vec::new();
        for part in split.parts() {
            homes.extend(by_read(part.bytes).into_iter().map(|point| (expected_key(&key, &point), part)));
        }
        for (key, part) in &homes {
            prop_assert!(homes.iter().all(|(other, home)| other != key || home.shard == part.shard), "{}", key);
        }
    }

    #[test]
    fn concatenated_parts_are_one_request(first in requests(), second in requests(), count in 1..5_u32) {
        let requests = [first.encode_to_vec(), second.encode_to_vec()];
        let mut splitters = [Splitter::new(), Splitter::new()];
        let [one, two] = &mut splitters;
        let one = one.split(&requests[0], &RoutingKey::StreamId, shards(count)).unwrap();
        let two = two.split(&requests[1], &RoutingKey::StreamId, shards(count)).unwrap();
        for (a, b) in one.parts().flat_map(|a| two.parts().map(move |b| (a, b))) {
            let joined = [a.bytes, b.bytes].concat();
            let mut expected = by_read(a.bytes);
            expected.extend(by_read(b.bytes).into_iter().map(|point| Seen {
                resource_index: point.resource_index + a.resources,
                ..point
            }));
            prop_assert_eq!(by_read(&joined), expected);
        }
    }

    #[test]
    fn a_splitter_splits_the_same_every_time(first in requests(), second in requests(), key in key()) {
        let mut splitter = Splitter::new();
        for (request, count) in [(&first, 7), (&second, 3), (&first, 7), (&second, 1)] {
            let bytes = request.encode_to_vec();
            let mut fresh = Splitter::new();
            let again: Vec<Part<'_>> = splitter.split(&bytes, &key, shards(count)).unwrap().parts().collect();
            let once: Vec<Part<'_>> = fresh.split(&bytes, &key, shards(count)).unwrap().parts().collect();
            prop_assert_eq!(again, once);
        }
    }

    #[test]
    fn a_malformed_request_has_no_parts_whatever_the_shards(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let outcomes = [1, 8].map(|count| {
            let mut splitter = Splitter::new();
            splitter.split(&bytes, &RoutingKey::StreamId, shards(count)).map(|split| split.points())
        });
        prop_assert_eq!(&outcomes[0], &outcomes[1]);
    }
}

/// What two points have in common when they must be in one part.
fn expected_key(key: &RoutingKey, point: &Seen) -> String {
    let find = |attributes: &[KeyValue], name: &str| {
        attributes.iter().find(|attribute| attribute.key == name).map(|attribute| format!("{:?}", attribute.value))
    };
    let mut resource: Vec<String> = point.resource.iter().map(|attribute| format!("{attribute:?}")).collect();
    resource.sort();
    match key {
        RoutingKey::StreamId => format!("{resource:?} {:?} {:?} {:?}", point.scope, point.metric, point.attributes),
        RoutingKey::Resource => format!("{resource:?}"),
        RoutingKey::Service => find(&point.resource, "service.name").unwrap_or(format!("{resource:?}")),
        RoutingKey::Metric => point.metric.0.clone(),
        RoutingKey::Attributes(attributes) => {
            let value = |name| {
                find(&point.resource, name)
                    .or_else(|| find(&point.scope.2, name))
                    .or_else(|| find(&point.attributes, name))
            };
            format!("{:?}", attributes.names().map(value).collect::<Vec<_>>())
        }
    }
}

fn pair(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// A gauge with one point, under a resource.
fn gauge(resource: &[(&str, &str)], name: &str, attributes: &[(&str, &str)]) -> ResourceMetrics {
    let pairs = |from: &[(&str, &str)]| from.iter().map(|(key, text)| pair(key, text)).collect();
    let point = NumberDataPoint { attributes: pairs(attributes), time_unix_nano: 1, ..NumberDataPoint::default() };
    let metric = Metric {
        name: name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points: vec![point] })),
        ..Metric::default()
    };
    ResourceMetrics {
        resource: Some(Resource { attributes: pairs(resource), ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
        ..ResourceMetrics::default()
    }
}

/// The shard of the only point, among 1,000.
fn shard_of(key: &str, resource: &[(&str, &str)], name: &str, attributes: &[(&str, &str)]) -> u32 {
    let request = ExportMetricsServiceRequest { resource_metrics: vec![gauge(resource, name, attributes)] };
    let bytes = request.encode_to_vec();
    let mut splitter = Splitter::new();
    let split = splitter.split(&bytes, &key.parse().unwrap(), shards(1000)).unwrap();
    let shards: Vec<u32> = split.parts().map(|part| part.shard.get()).collect();
    assert_eq!(shards.len(), 1);
    shards[0]
}

#[test]
fn each_routing_key_places_a_point_where_it_always_did() {
    let resource = [("service.name", "claude-code"), ("region", "eu")];
    let point = [("session.id", "s-1"), ("model", "opus")];
    // From the prose of `route`, by the reference implementation of XXH3 and a reference loop of jump hash.
    let cases = [
        ("streamID", 347),
        ("resource", 693),
        ("service", 325),
        ("metric", 908),
        ("attributes:region", 160),
        ("attributes:region,model", 487),
        ("attributes:nowhere", 163),
    ];
    for (key, expected) in cases {
        assert_eq!(shard_of(key, &resource, "claude_code.token.usage", &point), expected, "{key}");
    }
}

#[test]
fn an_attribute_is_looked_up_on_the_resource_before_the_point_and_with_its_name() {
    let of = |resource: &[(&str, &str)], point: &[(&str, &str)]| shard_of("attributes:a,b", resource, "m", point);
    assert_eq!(of(&[("a", "1")], &[("a", "2"), ("b", "3")]), of(&[], &[("a", "1"), ("b", "3")]));
    assert_ne!(of(&[], &[("a", "1")]), of(&[], &[("b", "1")]), "a missing attribute is not a present one");
    assert_ne!(of(&[], &[("a", "")]), of(&[], &[]), "an empty attribute is not a missing one");
    assert_ne!(of(&[], &[("a", "12"), ("b", "3")]), of(&[], &[("a", "1"), ("b", "23")]));
}

#[test]
fn a_point_without_service_is_routed_by_its_resource_and_counted() {
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![
            gauge(&[("service.name", "a")], "m", &[]),
            gauge(&[("host.name", "h")], "m", &[("service.name", "not the resource's")]),
            gauge(&[("host.name", "h")], "n", &[]),
        ],
    };
    let bytes = request.encode_to_vec();
    for count in [1, 1000] {
        let mut splitter = Splitter::new();
        let split = splitter.split(&bytes, &RoutingKey::Service, shards(count)).unwrap();
        assert_eq!((split.points(), split.points_without_service()), (3, 2));
    }
    let of = |key| shard_of(key, &[("host.name", "h")], "m", &[]);
    assert_eq!(of("service"), of("resource"));
}

#[test]
fn what_nobody_knows_stays_where_it_stood() {
    // Every message has the unknown varint field 50, and its number says which message it was: 0x90 0x03 n.
    let point = |time: u8| [&[0x19, time, 0, 0, 0, 0, 0, 0, 0, 0x90, 0x03, 5][..]].concat();
    let frame = |key: u8, body: &[u8]| [&[key, body.len() as u8][..], body].concat();
    let data = [&[0x90, 0x03, 4][..], &frame(0x0a, &point(1)), &frame(0x0a, &point(2))].concat();
    let metric = [&frame(0x2a, &data)[..], &[0x90, 0x03, 3]].concat();
    let scope = [&frame(0x12, &metric)[..], &[0x90, 0x03, 2]].concat();
    let resource = [&frame(0x12, &scope)[..], &[0x90, 0x03, 1]].concat();
    let request = [&[0x90, 0x03, 0][..], &frame(0x0a, &resource)].concat();

    let mut splitter = Splitter::new();
    let split = splitter.split(&request, &RoutingKey::StreamId, shards(2)).unwrap();
    let parts: Vec<Part<'_>> = split.parts().collect();
    assert_eq!(parts.len(), 1, "both points are of one stream");
    let lengths = |message: &[u8]| [&[message.len() as u8 | 0x80, 0x80, 0x80, 0][..], message].concat();
    let data = [&[0x90, 0x03, 4][..], &frame(0x0a, &point(1)), &frame(0x0a, &point(2))].concat();
    let metric = [&[0x90, 0x03, 3, 0x2a][..], &lengths(&data)].concat();
    let scope = [&[0x90, 0x03, 2, 0x12][..], &lengths(&metric)].concat();
    let resource = [&[0x90, 0x03, 1, 0x12][..], &lengths(&scope)].concat();
    let expected = [&[0x90, 0x03, 0, 0x0a][..], &lengths(&resource)].concat();
    assert_eq!(parts[0].bytes, expected);
}

#[test]
fn a_flaw_is_named_with_its_place() {
    let mut request = ExportMetricsServiceRequest {
        resource_metrics: vec![gauge(&[], "a", &[]), gauge(&[("k", "v")], "b", &[("k", "v"), ("key", "value")])],
    };
    let mut points = vec![NumberDataPoint::default(); 3];
    points[2].attributes = vec![pair("key", "value")];
    request.resource_metrics[1].scope_metrics[0].metrics[0].data =
        Some(metric::Data::Gauge(Gauge { data_points: points }));
    let mut bytes = request.encode_to_vec();
    let place = bytes.len() - 1;
    bytes[place] = 0xff;
    let malformed = Splitter::new().split(&bytes, &RoutingKey::StreamId, shards(8)).map(|_| ()).unwrap_err();
    assert_eq!(malformed.what, Fault::Utf8);
    assert_eq!(malformed.at, bytes.len() - 7);
    assert_eq!(
        malformed.path,
        "resource_metrics[1].scope_metrics[0].metrics[0].gauge.data_points[2].attributes[0].value.string_value"
    );
    assert_eq!(
        malformed.to_string(),
        format!("malformed protobuf: the string is not valid UTF-8, at byte {}, in {}", malformed.at, malformed.path)
    );
}

#[test]
fn a_huge_resource_is_not_repeated_for_every_shard() {
    let point = |number: usize| NumberDataPoint {
        attributes: vec![pair("n", &number.to_string())],
        ..NumberDataPoint::default()
    };
    let mut request = ExportMetricsServiceRequest { resource_metrics: vec![gauge(&[], "m", &[])] };
    request.resource_metrics[0].schema_url = "x".repeat(1 << 20);
    request.resource_metrics[0].scope_metrics[0].metrics[0].data =
        Some(metric::Data::Gauge(Gauge { data_points: (0..100).map(point).collect() }));
    let bytes = request.encode_to_vec();
    let mut splitter = Splitter::new();
    assert!(splitter.split(&bytes, &RoutingKey::StreamId, shards(8)).is_ok());
    let malformed = splitter.split(&bytes, &RoutingKey::StreamId, shards(1000)).map(|_| ()).unwrap_err();
    assert_eq!(malformed.what, Fault::TooSpread);
    assert!(splitter.split(&bytes, &RoutingKey::Resource, shards(1000)).is_ok());
}

#[test]
fn a_metric_has_one_kind_of_data() {
    // Metric { gauge {}, sum {} } in a scope in a resource.
    let metric = [0x2a, 0, 0x3a, 0];
    let request = [&[0x0a, 8, 0x12, 6, 0x12, 4][..], &metric].concat();
    let malformed = Splitter::new().split(&request, &RoutingKey::StreamId, shards(8)).map(|_| ()).unwrap_err();
    assert_eq!((malformed.what, malformed.at), (Fault::Twice, 8));
    assert_eq!(malformed.path, "resource_metrics[0].scope_metrics[0].metrics[0].sum");
}
