//! OTLP metrics in protobuf. Field numbers are those of opentelemetry/proto/metrics/v1/metrics.proto; fields are written
//! in the order of their numbers and defaults are left out, as encoders do.

use prost::encoding::WireType;
use prost::encoding::{encode_key, encode_varint, encoded_len_varint};

use super::{by_metric, nanos};
use crate::fleet::{Moments, Point, Value};
use crate::metric::{BOUNDS, EXPONENTIAL_SCALE, Kind, Metric, SCOPE};

const DELTA: u64 = 1;
const CUMULATIVE: u64 = 2;

/// A `KeyValue` with a string.
pub(super) fn key_value(key: &str, value: &str) -> Box<[u8]> {
    let mut out = Vec::new();
    bytes(&mut out, 1, key.as_bytes());
    message(&mut out, 2, |any| bytes(any, 1, value.as_bytes()));
    out.into()
}

/// A `ResourceMetrics` with its tag, of one scope.
pub(super) fn resource_metrics(out: &mut Vec<u8>, resource: &[Box<[u8]>], session: &[Box<[u8]>], points: &[Point]) {
    message(out, 1, |out| {
        message(out, 1, |out| repeated(out, 1, resource));
        message(out, 2, |out| {
            message(out, 1, |out| bytes(out, 1, SCOPE.as_bytes()));
            for (metric, points) in by_metric(points) {
                message(out, 2, |out| self::metric(out, metric, session, &points));
            }
        });
    });
}

fn metric(out: &mut Vec<u8>, metric: &Metric, session: &[Box<[u8]>], points: &[&Point]) {
    bytes(out, 1, metric.name.as_bytes());
    bytes(out, 2, metric.description.as_bytes());
    bytes(out, 3, metric.unit.as_bytes());
    let (field, temporality, monotonic) = match metric.kind {
        Kind::Gauge => (5, 0, false),
        Kind::Counter => (7, DELTA, true),
        Kind::UpDown => (7, DELTA, false),
        Kind::Cumulative => (7, CUMULATIVE, true),
        Kind::Histogram => (9, DELTA, false),
        Kind::Exponential => (10, DELTA, false),
    };
    message(out, field, |out| {
        for point in points {
            message(out, 1, |out| self::point(out, point, session));
        }
        varint(out, 2, temporality);
        varint(out, 3, u64::from(monotonic));
    });
}

fn point(out: &mut Vec<u8>, point: &Point, session: &[Box<[u8]>]) {
    let own = point.stream.attributes.frames();
    let times = |out: &mut Vec<u8>| {
        fixed64(out, 2, nanos(point.start));
        fixed64(out, 3, nanos(point.time));
    };
    match &point.value {
        Value::Number(number) => {
            times(out);
            // Written even where it is 0: it is a member of a oneof.
            fixed64(out, 4, number.to_bits());
            repeated(out, 7, session);
            repeated(out, 7, own);
        }
        Value::Histogram { counts, summary } => {
            times(out);
            fixed64(out, 4, summary.count);
            fixed64(out, 5, summary.sum.to_bits());
            packed_fixed64(out, 6, counts.iter().copied());
            packed_fixed64(out, 7, BOUNDS.into_iter().map(f64::to_bits));
            repeated(out, 9, session);
            repeated(out, 9, own);
            extremes(out, [11, 12], summary);
        }
        Value::Exponential { offset, counts, summary } => {
            repeated(out, 1, session);
            repeated(out, 1, own);
            times(out);
            fixed64(out, 4, summary.count);
            fixed64(out, 5, summary.sum.to_bits());
            varint(out, 6, zigzag(EXPONENTIAL_SCALE));
            message(out, 8, |out| {
                varint(out, 1, zigzag(*offset));
                message(out, 2, |out| counts.iter().for_each(|count| encode_varint(*count, out)));
            });
            extremes(out, [12, 13], summary);
        }
    }
}

fn extremes(out: &mut Vec<u8>, fields: [u32; 2], summary: &Moments) {
    fixed64(out, fields[0], summary.min.to_bits());
    fixed64(out, fields[1], summary.max.to_bits());
}

fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

pub(super) fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        encode_key(field, WireType::Varint, out);
        encode_varint(value, out);
    }
}

pub(super) fn fixed64(out: &mut Vec<u8>, field: u32, bits: u64) {
    encode_key(field, WireType::SixtyFourBit, out);
    out.extend_from_slice(&bits.to_le_bytes());
}

pub(super) fn packed_fixed64(out: &mut Vec<u8>, field: u32, values: impl Iterator<Item = u64>) {
    message(out, field, |out| values.for_each(|value| out.extend_from_slice(&value.to_le_bytes())));
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    if !value.is_empty() {
        encode_key(field, WireType::LengthDelimited, out);
        encode_varint(value.len() as u64, out);
        out.extend_from_slice(value);
    }
}

pub(super) fn repeated(out: &mut Vec<u8>, field: u32, messages: &[Box<[u8]>]) {
    for message in messages {
        bytes(out, field, message);
    }
}

/// A message whose length is known only once it is written: its bytes are moved up by the size of the length.
pub(super) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(field, WireType::LengthDelimited, out);
    let from = out.len();
    write(out);
    let length = (out.len() - from) as u64;
    let mut prefix = Vec::with_capacity(encoded_len_varint(length));
    encode_varint(length, &mut prefix);
    out.splice(from..from, prefix);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message;
    use shardset_model::UnixMillis;

    use crate::fleet::Fleet;
    use crate::settings::{Extras, Settings};

    #[test]
    fn the_bytes_are_what_a_canonical_encoder_writes() {
        let extras = Extras { histograms: 1.0, exponential: 1.0, up_down: 1.0, cumulative: 1.0, gauges: 1.0 };
        let settings = Settings { protocols: "grpc".parse().unwrap(), extras, ..Settings::default() };
        let mut fleet = Fleet::new(&settings, UnixMillis(1_800_000_000_000));
        for _ in 0..300 {
            let body = fleet.next_export().body;
            let request = ExportMetricsServiceRequest::decode(body.clone()).unwrap();
            assert_eq!(request.encode_to_vec(), body);
        }
    }
}
