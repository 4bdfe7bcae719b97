//! Requests as bytes, written directly: a generator that builds message structs first would cost more than the server it
//! is to load. Attributes are encoded once per session and once per stream, in the encoding that the session uses.

mod json;
mod protobuf;
mod standard;

use bytes::Bytes;

pub use standard::{PayloadShape, StandardPayload, standard_payload};

use crate::fleet::Point;
use crate::metric::Metric;
use crate::settings::Protocol;

/// A run of string attributes, encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Attributes {
    /// One `KeyValue` message each.
    Protobuf(Vec<Box<[u8]>>),
    /// JSON objects with commas between them.
    Json(String),
}

/// A request that grows by the parts of sessions.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    is_json: bool,
    parts: u32,
}

impl Attributes {
    pub(crate) fn new<V: AsRef<str>>(protocol: Protocol, attributes: &[(&'static str, V)]) -> Self {
        let attributes = attributes.iter().map(|(key, value)| (*key, value.as_ref()));
        match protocol {
            Protocol::Grpc | Protocol::HttpProtobuf => {
                Self::Protobuf(attributes.map(|(key, value)| protobuf::key_value(key, value)).collect())
            }
            Protocol::HttpJson => Self::Json(json::key_values(attributes)),
        }
    }

    fn frames(&self) -> &[Box<[u8]>] {
        match self {
            Self::Protobuf(frames) => frames,
            Self::Json(_) => unreachable!("a session's parts are all in one encoding"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Json(text) => text,
            Self::Protobuf(_) => unreachable!("a session's parts are all in one encoding"),
        }
    }
}

impl Body {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { bytes: Vec::new(), is_json: protocol == Protocol::HttpJson, parts: 0 }
    }

    /// Adds a session's points as one `ResourceMetrics`.
    pub(crate) fn push(&mut self, resource: &Attributes, session: &Attributes, points: &[Point]) {
        self.comma();
        if self.is_json {
            json::resource_metrics(&mut self.bytes, resource.text(), session.text(), points);
        } else {
            protobuf::resource_metrics(&mut self.bytes, resource.frames(), session.frames(), points);
        }
        self.parts += 1;
    }

    /// Adds another request's parts.
    pub(crate) fn append(&mut self, other: Self) {
        self.comma();
        self.bytes.extend_from_slice(&other.bytes);
        self.parts += other.parts;
    }

    pub(crate) fn parts(&self) -> u32 {
        self.parts
    }

    /// The whole request.
    pub(crate) fn finish(self) -> Bytes {
        if self.is_json {
            let list = String::from_utf8(self.bytes).expect("it is made of strings");
            return format!("{{\"resourceMetrics\":[{list}]}}").into();
        }
        self.bytes.into()
    }

    fn comma(&mut self) {
        if self.is_json && self.parts > 0 {
            self.bytes.push(b',');
        }
    }
}

/// The points grouped by metric, both in the order of their first appearance.
fn by_metric(points: &[Point]) -> Vec<(&'static Metric, Vec<&Point>)> {
    let mut groups: Vec<(&'static Metric, Vec<&Point>)> = Vec::new();
    for point in points {
        let metric = point.stream.name.metric;
        match groups.iter_mut().find(|(of, _)| std::ptr::eq(*of, metric)) {
            Some((_, group)) => group.push(point),
            None => groups.push((metric, vec![point])),
        }
    }
    groups
}

fn nanos(millis: i64) -> u64 {
    millis as u64 * 1_000_000
}
