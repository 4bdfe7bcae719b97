//! What tests compare with: requests of every shape, the same requests as other encoders might write them, and their
//! points by a full prost decode.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, exemplar, metric, number_data_point};
use prost::Message as _;
use shardset_model::{MetricKind, Temporality, Value};

use crate::read::{PointRef, Scratch, read};

mod arbitrary;
mod rewrite;

pub(crate) use arbitrary::{keys_values, requests};
pub(crate) use rewrite::{Random, rewrite};

/// A point with all that names it, from whichever decoder.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    pub(crate) resource_index: u32,
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) scope: (String, String, Vec<KeyValue>),
    pub(crate) metric: (String, String, String, MetricKind),
    pub(crate) attributes: Vec<KeyValue>,
    /// Start, time, and whether there is a recorded value.
    pub(crate) header: (u64, u64, bool),
    /// Type, integers and bits of doubles, in an order of its own for each type.
    pub(crate) value: (&'static str, Vec<u64>),
    pub(crate) exemplars: Vec<SeenExemplar>,
}

/// Time, bits of the value, trace id, span id, attributes.
type SeenExemplar = (u64, u64, Vec<u8>, Vec<u8>, Vec<KeyValue>);

impl Seen {
    /// The point without its place in the request.
    pub(crate) fn anywhere(self) -> Self {
        Self { resource_index: 0, ..self }
    }
}

/// The points of a request as prost decodes it.
pub(crate) fn by_prost(request: &ExportMetricsServiceRequest) -> Vec<Seen> {
    let mut points = Vec::new();
    for (resource_index, resource_metrics) in (0..).zip(&request.resource_metrics) {
        for scope_metrics in &resource_metrics.scope_metrics {
            let scope = scope_metrics.scope.clone().unwrap_or_default();
            for metric in &scope_metrics.metrics {
                let Some(data) = &metric.data else { continue };
                let kind = kind(data);
                points.extend(data_points(data).into_iter().map(|(attributes, header, value, exemplars)| Seen {
                    resource_index,
                    resource: resource_metrics.resource.clone().unwrap_or_default().attributes,
                    scope: (scope.name.clone(), scope.version.clone(), scope.attributes.clone()),
                    metric: (metric.name.clone(), metric.description.clone(), metric.unit.clone(), kind),
                    attributes,
                    header,
                    value,
                    exemplars,
                }));
            }
        }
    }
    points
}

/// The points of a request as [`read`] visits them, after which they are prost's to decode.
pub(crate) fn by_read(request: &[u8]) -> Vec<Seen> {
    let mut points = Vec::new();
    read(request, &mut Scratch::new(), |point| points.push(seen(point))).unwrap();
    points
}

fn seen(point: &PointRef<'_>) -> Seen {
    let context = point.context.to_context();
    Seen {
        resource_index: point.resource_index,
        resource: decode_frames(&context.resource_attributes),
        scope: (context.scope_name.into(), context.scope_version.into(), decode_frames(&context.scope_attributes)),
        metric: (context.name.into(), context.description.into(), context.unit.into(), context.kind),
        attributes: decode_frames(&point.attributes.to_frames()),
        header: (point.point.start.0, point.point.time.0, point.point.no_recorded_value),
        value: value(&point.point.value),
        exemplars: point.point.exemplars.iter().map(exemplar_of_model).collect(),
    }
}

fn decode_frames(mut frames: &[u8]) -> Vec<KeyValue> {
    std::iter::from_fn(|| (!frames.is_empty()).then(|| KeyValue::decode_length_delimited(&mut frames).unwrap()))
        .collect()
}

fn kind(data: &metric::Data) -> MetricKind {
    let temporality = |value| match value {
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => Temporality::Unspecified,
    };
    match data {
        metric::Data::Gauge(_) => MetricKind::Gauge,
        metric::Data::Sum(sum) => {
            MetricKind::Sum { temporality: temporality(sum.aggregation_temporality), monotonic: sum.is_monotonic }
        }
        metric::Data::Histogram(data) => {
            MetricKind::Histogram { temporality: temporality(data.aggregation_temporality) }
        }
        metric::Data::ExponentialHistogram(data) => {
            MetricKind::ExponentialHistogram { temporality: temporality(data.aggregation_temporality) }
        }
        metric::Data::Summary(_) => MetricKind::Summary,
    }
}

type Parts = (Vec<KeyValue>, (u64, u64, bool), (&'static str, Vec<u64>), Vec<SeenExemplar>);

macro_rules! parts {
    ($point:expr, $exemplars:expr, $value:expr) => {
        (
            $point.attributes.clone(),
            ($point.start_time_unix_nano, $point.time_unix_nano, $point.flags & 1 != 0),
            $value,
            $exemplars.iter().map(exemplar_of_prost).collect(),
        )
    };
}

fn data_points(data: &metric::Data) -> Vec<Parts> {
    const NO_EXEMPLARS: [Exemplar; 0] = [];
    let numbers = match data {
        metric::Data::Gauge(gauge) => &gauge.data_points,
        metric::Data::Sum(sum) => &sum.data_points,
        metric::Data::Histogram(data) => {
            let points = data.data_points.iter();
            return points
                .map(|point| {
                    let mut value = vec![point.count, bits(point.sum), bits(point.min), bits(point.max)];
                    value.extend_from_slice(&point.bucket_counts);
                    value.extend(point.explicit_bounds.iter().map(|bound| bound.to_bits()));
                    parts!(point, point.exemplars, ("histogram", value))
                })
                .collect();
        }
        metric::Data::ExponentialHistogram(data) => {
            let points = data.data_points.iter();
            return points
                .map(|point| {
                    let mut value = vec![point.count, bits(point.sum), bits(point.min), bits(point.max)];
                    value.extend([point.scale as u64, point.zero_count, point.zero_threshold.to_bits()]);
                    for buckets in [&point.positive, &point.negative] {
                        let buckets = buckets.clone().unwrap_or_default();
                        value.extend([buckets.offset as u64, buckets.bucket_counts.len() as u64]);
                        value.extend(buckets.bucket_counts);
                    }
                    parts!(point, point.exemplars, ("exponential", value))
                })
                .collect();
        }
        metric::Data::Summary(summary) => {
            let points = summary.data_points.iter();
            return points
                .map(|point| {
                    let mut value = vec![point.count, point.sum.to_bits()];
                    let quantiles = point.quantile_values.iter();
                    value.extend(quantiles.flat_map(|at| [at.quantile.to_bits(), at.value.to_bits()]));
                    parts!(point, NO_EXEMPLARS, ("summary", value))
                })
                .collect();
        }
    };
    numbers
        .iter()
        .map(|point| {
            let value = match point.value {
                None => ("missing", vec![]),
                Some(number_data_point::Value::AsInt(int)) => ("int", vec![int as u64]),
                Some(number_data_point::Value::AsDouble(double)) => ("double", vec![double.to_bits()]),
            };
            parts!(point, point.exemplars, value)
        })
        .collect()
}

fn value(value: &Value<'_>) -> (&'static str, Vec<u64>) {
    match value {
        Value::Missing => ("missing", vec![]),
        Value::Int(int) => ("int", vec![*int as u64]),
        Value::Double(double) => ("double", vec![double.to_bits()]),
        Value::Histogram(point) => {
            let mut value = vec![point.count, bits(point.sum), bits(point.min), bits(point.max)];
            value.extend_from_slice(point.counts);
            value.extend(point.bounds.iter().map(|bound| bound.to_bits()));
            ("histogram", value)
        }
        Value::Exponential(point) => {
            let mut value = vec![point.count, bits(point.sum), bits(point.min), bits(point.max)];
            value.extend([point.scale as u64, point.zero_count, point.zero_threshold.to_bits()]);
            for buckets in [point.positive, point.negative] {
                value.extend([buckets.offset as u64, buckets.counts.len() as u64]);
                value.extend_from_slice(buckets.counts);
            }
            ("exponential", value)
        }
        Value::Summary(point) => {
            let mut value = vec![point.count, point.sum.to_bits()];
            value.extend(point.quantiles.iter().flat_map(|at| [at.quantile.to_bits(), at.value.to_bits()]));
            ("summary", value)
        }
    }
}

/// The bits of an optional double; something that no test generates where it is missing.
fn bits(double: Option<f64>) -> u64 {
    double.map_or(0x7ff8_dead_beef_0000, f64::to_bits)
}

fn exemplar_of_prost(exemplar: &Exemplar) -> SeenExemplar {
    let value = match exemplar.value {
        None => 0.0,
        Some(exemplar::Value::AsDouble(double)) => double,
        Some(exemplar::Value::AsInt(int)) => int as f64,
    };
    let (trace, span) = (exemplar.trace_id.clone(), exemplar.span_id.clone());
    (exemplar.time_unix_nano, value.to_bits(), trace, span, exemplar.filtered_attributes.clone())
}

fn exemplar_of_model(exemplar: &shardset_model::Exemplar<'_>) -> SeenExemplar {
    (
        exemplar.time.0,
        exemplar.value.to_bits(),
        exemplar.trace_id.to_vec(),
        exemplar.span_id.to_vec(),
        decode_frames(exemplar.filtered_attributes),
    )
}
