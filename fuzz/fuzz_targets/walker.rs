//! Any bytes as a request: splitting and reading never panic, agree with a full prost decode on what is well-formed, and
//! lose no point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use shardset_model::{RoutingKey, ShardCount, StreamId};
use shardset_otlp::Fault;
use shardset_otlp::attributes::attributes;
use shardset_otlp::read::{Scratch, read};
use shardset_otlp::split::Splitter;
use shardset_placement::owner;

const KEYS: [&str; 5] = ["streamID", "resource", "service", "metric", "attributes:a,b"];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (key, shards, request) = input;
    let key: RoutingKey = KEYS[usize::from(key) % KEYS.len()].parse().expect("a key of the list");
    let shards = ShardCount::new(u32::from(shards) + 1).expect("1 to 256 shards");
    let decoded = ExportMetricsServiceRequest::decode(request);
    let mut splitter = Splitter::new();
    match (splitter.split(request, &key, shards), decoded) {
        (Ok(split), Ok(decoded)) => {
            let mut expected = streams(request);
            assert_eq!(expected.len(), points(&decoded));
            let mut held = Vec::new();
            for part in split.parts() {
                let decoded = ExportMetricsServiceRequest::decode(part.bytes).expect("a part is a request");
                assert_eq!(part.points, points(&decoded) as u64);
                assert_eq!(part.resources as usize, decoded.resource_metrics.len());
                let streams = streams(part.bytes);
                if key == RoutingKey::StreamId {
                    assert!(streams.iter().all(|stream| owner(stream.low64(), shards) == part.shard));
                }
                held.extend(streams);
            }
            expected.sort_unstable();
            held.sort_unstable();
            assert_eq!(held, expected);
        }
        (Ok(_), Err(error)) => panic!("taken, though prost says: {error}"),
        (Err(malformed), Ok(_)) => {
            let stricter = [Fault::WireType, Fault::Twice, Fault::TooDeep, Fault::TooMany];
            assert!(stricter.contains(&malformed.what), "prost takes it, but: {malformed}");
        }
        (Err(_), Err(_)) => {}
    }
});

/// The streams of a request's points, in order, after everything that names them was read.
fn streams(request: &[u8]) -> Vec<StreamId> {
    let mut streams = Vec::new();
    let contents = read(request, &mut Scratch::new(), |point| {
        let context = point.context.to_context();
        let own = point.attributes.to_frames();
        for frames in [&context.resource_attributes, &context.scope_attributes, &own] {
            attributes(frames).for_each(|attribute| drop(attribute.value.to_text()));
        }
        streams.push(point.point.stream);
    });
    assert_eq!(contents.expect("what was split can be read").points, streams.len() as u64);
    streams
}

fn points(request: &ExportMetricsServiceRequest) -> usize {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let data = scopes.flat_map(|scope| &scope.metrics).filter_map(|metric| metric.data.as_ref());
    data.map(|data| match data {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
        Data::Summary(summary) => summary.data_points.len(),
    })
    .sum()
}
