//! For tests: attributes and contexts to begin with, and the messages of `prompb` as structs to end with.

use std::sync::Arc;

use prost::Message;
use shardset_model::{Context, Identity, MetricKind, Temporality};

use crate::prompb::{put_message, put_string, put_varint};
use crate::{Family, Labels, SeriesBatch, Translation};

pub(crate) const COUNTER: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: true };
pub(crate) const UP_DOWN: MetricKind = MetricKind::Sum { temporality: Temporality::Delta, monotonic: false };
pub(crate) const HISTOGRAM: MetricKind = MetricKind::Histogram { temporality: Temporality::Delta };
pub(crate) const EXPONENTIAL: MetricKind = MetricKind::ExponentialHistogram { temporality: Temporality::Delta };

/// Attributes as frames, all of them strings.
pub(crate) fn frames(attributes: &[(&str, &str)]) -> Box<[u8]> {
    let mut frames = Vec::new();
    for (key, value) in attributes {
        let mut key_value = Vec::new();
        put_string(&mut key_value, 1, key);
        put_message(&mut key_value, 2, |buf| {
            buf.push(1 << 3 | 2);
            put_varint(buf, value.len() as u64);
            buf.extend_from_slice(value.as_bytes());
        });
        put_varint(&mut frames, key_value.len() as u64);
        frames.extend(key_value);
    }
    frames.into()
}

/// A metric without resource or scope.
pub(crate) fn metric(name: &str, unit: &str, kind: MetricKind) -> Context {
    Context {
        resource_attributes: Box::default(),
        scope_name: "".into(),
        scope_version: "".into(),
        scope_attributes: Box::default(),
        name: name.into(),
        unit: unit.into(),
        description: "what it is".into(),
        kind,
    }
}

/// A metric of the service `api`, as its family and the labels of its stream with these attributes.
pub(crate) fn stream(name: &str, unit: &str, kind: MetricKind, attributes: &[(&str, &str)]) -> (Family, Labels) {
    stream_of(
        Context { resource_attributes: frames(&[("service.name", "api")]), ..metric(name, unit, kind) },
        attributes,
    )
}

pub(crate) fn stream_of(context: Context, attributes: &[(&str, &str)]) -> (Family, Labels) {
    let translation = Translation::default();
    let family = Family::of(&context, &translation).unwrap();
    let identity = Identity { context: Arc::new(context), attributes: frames(attributes) };
    (family, Labels::of(&identity, &translation))
}

/// A whole batch, decoded.
pub(crate) fn decode(batch: &SeriesBatch) -> WriteRequest {
    WriteRequest::decode(batch.message().as_slice()).unwrap()
}

/// Names and values of labels as one line: `a=b c=d`.
pub(crate) fn line(labels: &[LabelPair]) -> String {
    labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect::<Vec<_>>().join(" ")
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<LabelPair>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<SamplePair>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) exemplars: Vec<ExemplarMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) histograms: Vec<NativeHistogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LabelPair {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct SamplePair {
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    #[prost(int64, tag = "2")]
    pub(crate) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExemplarMessage {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<LabelPair>,
    #[prost(double, tag = "2")]
    pub(crate) value: f64,
    #[prost(int64, tag = "3")]
    pub(crate) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetricMetadata {
    #[prost(int32, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(string, tag = "2")]
    pub(crate) metric_family_name: String,
    #[prost(string, tag = "4")]
    pub(crate) help: String,
    #[prost(string, tag = "5")]
    pub(crate) unit: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NativeHistogram {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) count_int: Option<u64>,
    #[prost(double, tag = "3")]
    pub(crate) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(crate) schema: i32,
    #[prost(double, tag = "5")]
    pub(crate) zero_threshold: f64,
    #[prost(uint64, optional, tag = "6")]
    pub(crate) zero_count_int: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub(crate) negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub(crate) positive_deltas: Vec<i64>,
    #[prost(int32, tag = "14")]
    pub(crate) reset_hint: i32,
    #[prost(int64, tag = "15")]
    pub(crate) timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(crate) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(crate) length: u32,
}
