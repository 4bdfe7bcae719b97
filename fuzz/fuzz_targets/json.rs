//! Any bytes as OTLP/JSON: never a panic, never more output than allowed, and what comes out is a request that prost
//! decodes and the walk takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;
use shardset_otlp::json::to_protobuf;
use shardset_otlp::read::{Scratch, check};

/// Far above what an input of libFuzzer's usual 4 KiB makes.
const LIMIT: usize = 1 << 20;

fuzz_target!(|json: &[u8]| {
    let Ok(request) = to_protobuf(json, LIMIT) else { return };
    assert!(request.len() <= LIMIT);
    ExportMetricsServiceRequest::decode(&*request).expect("JSON becomes a request");
    if let Err(malformed) = check(&request, &mut Scratch::new()) {
        panic!("prost takes it, but: {malformed}");
    }
});
