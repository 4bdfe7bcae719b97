//! The payloads that everything is measured with, so that numbers of different days and parts can be compared.
//!
//! | shape | what | bytes per point |
//! | --- | --- | --- |
//! | big | 1 resource of 8 attributes, 8 delta sums, 8 string attributes per point | 379 |
//! | small | as many resources as tens of points, 5 metrics each | 450 |
//! | hist | as big, histograms of 16 bounds | 680 |
//! | tiny | as big, but 10 points | 450 |
//!
//! All points are of distinct streams, and all times are in places that are known, so that a benchmark can send a payload
//! again with newer times ([`StandardPayload::stamp`]): the same bytes twice would be a duplicate, which costs something else.

use super::protobuf::{bytes, fixed64, key_value, message, packed_fixed64, repeated, varint};
use crate::metric::{
    ACTIVE_TIME, COMMITS, COST, DECISIONS, LINES_OF_CODE, METRICS, Metric, PULL_REQUESTS, SCOPE, SESSION_COUNT, TOKENS,
};
use crate::random::Random;

/// How a payload is built up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PayloadShape {
    /// One resource, 8 sums.
    Big,
    /// A resource for every 10 points, 5 sums each.
    Small,
    /// One resource, 8 histograms.
    Hist,
    /// One resource, 8 sums; meant for 10 points.
    Tiny,
}

/// An `ExportMetricsServiceRequest` whose times can be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StandardPayload {
    bytes: Vec<u8>,
    /// Where each point's start and time are (8 bytes each, little endian).
    stamps: Vec<(usize, usize)>,
}

/// When the points of a payload begin and end that was not stamped: a Friday in January 2027.
const START: u64 = 1_800_000_000_000_000_000;
const TIME: u64 = START + 60_000_000_000;

/// Points that share a session.
const POINTS_PER_SESSION: u64 = 8;

/// The standard benchmark payload, shape [`PayloadShape::Big`]. Different seeds share no stream.
pub fn standard_payload(points: u32, seed: u64) -> StandardPayload {
    StandardPayload::new(PayloadShape::Big, points, seed)
}

impl PayloadShape {
    /// All shapes, with the number of points that each is measured with.
    pub const STANDARD: [(Self, u32); 4] =
        [(Self::Big, 1000), (Self::Small, 1000), (Self::Hist, 1000), (Self::Tiny, 10)];

    /// The shape's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Big => "big",
            Self::Small => "small",
            Self::Hist => "hist",
            Self::Tiny => "tiny",
        }
    }
}

impl StandardPayload {
    /// A payload of this shape. Different seeds share no stream.
    pub fn new(shape: PayloadShape, points: u32, seed: u64) -> Self {
        let mut writer = Writer { random: Random::new(seed, 0), shape, session: Vec::new(), point: 0 };
        let per_resource = if shape == PayloadShape::Small { 10 } else { points };
        let mut payload = Vec::new();
        let mut left = points;
        while left > 0 {
            let here = left.min(per_resource);
            writer.resource_metrics(&mut payload, here);
            left -= here;
        }
        Self { stamps: stamps(&payload), bytes: payload }
    }

    /// The request.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.stamps.len()
    }

    /// Sets start and time of all points, in Unix nanoseconds.
    pub fn stamp(&mut self, start: u64, time: u64) {
        for (at_start, at_time) in &self.stamps {
            self.bytes[*at_start..at_start + 8].copy_from_slice(&start.to_le_bytes());
            self.bytes[*at_time..at_time + 8].copy_from_slice(&time.to_le_bytes());
        }
    }
}

struct Writer {
    random: Random,
    shape: PayloadShape,
    /// The attributes of the present session, encoded.
    session: Vec<Box<[u8]>>,
    point: u64,
}

impl Writer {
    fn resource_metrics(&mut self, out: &mut Vec<u8>, points: u32) {
        let metrics: &[&Metric] = match self.shape {
            PayloadShape::Small => &[&TOKENS, &COST, &ACTIVE_TIME, &LINES_OF_CODE, &SESSION_COUNT],
            _ => &[&TOKENS, &COST, &ACTIVE_TIME, &LINES_OF_CODE, &SESSION_COUNT, &COMMITS, &PULL_REQUESTS, &DECISIONS],
        };
        let resource = self.resource();
        message(out, 1, |out| {
            message(out, 1, |out| repeated(out, 1, &resource));
            message(out, 2, |out| {
                message(out, 1, |out| bytes(out, 1, SCOPE.as_bytes()));
                for (number, metric) in metrics.iter().enumerate() {
                    let share = share(points as usize, metrics.len(), number);
                    if share > 0 {
                        message(out, 2, |out| self.metric(out, metric, share));
                    }
                }
            });
        });
    }

    fn resource(&mut self) -> Vec<Box<[u8]>> {
        [
            ("service.name", "claude-code".to_owned()),
            ("service.version", "2.1.239".to_owned()),
            ("service.instance.id", self.random.uuid()),
            ("os.type", "linux".to_owned()),
            ("os.version", "6.8.0-51-generic".to_owned()),
            ("host.arch", "amd64".to_owned()),
            ("host.name", format!("host-{}", self.random.below(1_000_000))),
            ("deployment.environment.name", "production".to_owned()),
        ]
        .map(|(key, value)| key_value(key, &value))
        .to_vec()
    }

    fn metric(&mut self, out: &mut Vec<u8>, metric: &Metric, points: usize) {
        bytes(out, 1, metric.name.as_bytes());
        bytes(out, 2, metric.description.as_bytes());
        bytes(out, 3, metric.unit.as_bytes());
        let is_histogram = self.shape == PayloadShape::Hist;
        message(out, if is_histogram { 9 } else { 7 }, |out| {
            for _ in 0..points {
                message(out, 1, |out| if is_histogram { self.histogram_point(out) } else { self.number_point(out) });
            }
            varint(out, 2, 1);
            varint(out, 3, u64::from(!is_histogram));
        });
    }

    fn number_point(&mut self, out: &mut Vec<u8>) {
        fixed64(out, 2, START);
        fixed64(out, 3, TIME);
        fixed64(out, 4, self.random.exact(100).to_bits());
        self.attributes(out, 7);
    }

    fn histogram_point(&mut self, out: &mut Vec<u8>) {
        let counts: Vec<u64> = (0..17).map(|_| self.random.below(100)).collect();
        fixed64(out, 2, START);
        fixed64(out, 3, TIME);
        fixed64(out, 4, counts.iter().sum());
        fixed64(out, 5, self.random.exact(100).to_bits());
        packed_fixed64(out, 6, counts.into_iter());
        packed_fixed64(out, 7, (0..16).map(|power| f64::from(1 << power).to_bits()));
        self.attributes(out, 9);
    }

    /// The 8 attributes of the next point, all of its streams distinct.
    fn attributes(&mut self, out: &mut Vec<u8>, field: u32) {
        if self.point.is_multiple_of(POINTS_PER_SESSION) {
            self.session = self.new_session();
        }
        repeated(out, field, &self.session);
        // The number makes the stream distinct, whatever metric the points of its session fall into.
        let model = format!("claude-opus-4-{}", self.point % 5);
        let kind =
            format!("{}-{}", self.random.pick(&["input", "output", "cacheRead"]), self.point % POINTS_PER_SESSION);
        bytes(out, field, &key_value("model", &model));
        bytes(out, field, &key_value("type", &kind));
        self.point += 1;
    }

    fn new_session(&mut self) -> Vec<Box<[u8]>> {
        let random = &mut self.random;
        [
            ("session.id", random.uuid()),
            ("user.id", random.hex(64)),
            ("organization.id", random.uuid()),
            ("user.email", format!("person{}@example.com", random.below(100_000))),
            ("app.version", "2.1.239".to_owned()),
            ("terminal.type", "iTerm.app".to_owned()),
        ]
        .map(|(key, value)| key_value(key, &value))
        .to_vec()
    }
}

/// How many of `points` the `number`-th of `parts` has.
fn share(points: usize, parts: usize, number: usize) -> usize {
    points / parts + usize::from(number < points % parts)
}

/// Every point has its start and time beside each other, each behind its one-byte tag.
fn stamps(payload: &[u8]) -> Vec<(usize, usize)> {
    let mut pattern = Vec::new();
    fixed64(&mut pattern, 2, START);
    fixed64(&mut pattern, 3, TIME);
    let mut stamps = Vec::new();
    let mut from = 0;
    while let Some(found) = payload[from..].windows(pattern.len()).position(|window| window == pattern) {
        let at = from + found;
        stamps.push((at + 1, at + 10));
        from = at + pattern.len();
    }
    stamps
}

const _: () = assert!(METRICS.len() > 8, "the first eight are Claude Code's");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use prost::Message;

    use super::{PayloadShape, StandardPayload, standard_payload};

    /// Metric name, attributes, start and time of each point.
    fn points(payload: &StandardPayload) -> Vec<(String, String, u64, u64)> {
        let request = ExportMetricsServiceRequest::decode(payload.bytes()).unwrap();
        assert_eq!(request.encode_to_vec(), payload.bytes(), "it is what a canonical encoder writes");
        let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        let of_metric = |metric: &opentelemetry_proto::tonic::metrics::v1::Metric| -> Vec<_> {
            let name = metric.name.clone();
            match metric.data.clone().unwrap() {
                Data::Sum(sum) => sum
                    .data_points
                    .into_iter()
                    .map(|point| {
                        (
                            name.clone(),
                            format!("{:?}", point.attributes),
                            point.start_time_unix_nano,
                            point.time_unix_nano,
                        )
                    })
                    .collect(),
                Data::Histogram(histogram) => histogram
                    .data_points
                    .into_iter()
                    .map(|point| {
                        (
                            name.clone(),
                            format!("{:?}", point.attributes),
                            point.start_time_unix_nano,
                            point.time_unix_nano,
                        )
                    })
                    .collect(),
                other => panic!("{other:?}"),
            }
        };
        scopes.flat_map(|scope| &scope.metrics).flat_map(of_metric).collect()
    }

    #[test]
    fn shapes_have_their_sizes_and_distinct_streams() {
        let expected = [
            (PayloadShape::Big, 379),
            (PayloadShape::Small, 449),
            (PayloadShape::Hist, 676),
            (PayloadShape::Tiny, 447),
        ];
        for ((shape, count), (_, per_point)) in PayloadShape::STANDARD.into_iter().zip(expected) {
            let payload = StandardPayload::new(shape, count, 1);
            let streams: BTreeSet<_> = points(&payload).into_iter().map(|(name, labels, ..)| (name, labels)).collect();
            assert_eq!((payload.points(), streams.len()), (count as usize, count as usize), "{shape:?}");
            let size = payload.bytes().len() as f64 / f64::from(count);
            assert!((size / f64::from(per_point) - 1.0).abs() < 0.06, "{shape:?}: {size} bytes per point");
        }
    }

    #[test]
    fn a_stamp_changes_all_times_and_nothing_else() {
        let mut payload = standard_payload(100, 1);
        let before = points(&payload);
        payload.stamp(7, 8);
        let after = points(&payload);
        assert!(after.iter().all(|point| (point.2, point.3) == (7, 8)));
        assert!(before.iter().zip(&after).all(|(before, after)| (&before.0, &before.1) == (&after.0, &after.1)));
    }

    #[test]
    fn seeds_share_no_stream() {
        let [first, second] = [1, 2].map(|seed| points(&standard_payload(1000, seed)));
        let first: BTreeSet<_> = first.into_iter().map(|point| point.1).collect();
        assert!(second.iter().all(|point| !first.contains(&point.1)));
    }
}
