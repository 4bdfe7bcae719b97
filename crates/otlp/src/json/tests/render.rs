//! A request as OTLP/JSON, in any of the ways that proto3 JSON allows: numbers quoted or not, keys in any order, absent
//! fields left out or `null`, unknown keys in between. A seed picks the way.
//!
//! Ours and not a library's, since this is what the encoder is held against.

use std::fmt::Write;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

pub(super) fn request(request: &ExportMetricsServiceRequest, style: u64) -> String {
    let mut pen = Pen { style };
    let resources = pen.array(&request.resource_metrics, resource_metrics);
    pen.object(vec![("resourceMetrics", resources)])
}

/// Writes one way here and another way there.
struct Pen {
    style: u64,
}

type Fields = Vec<(&'static str, Option<String>)>;

impl Pen {
    fn pick(&mut self, ways: u64) -> u64 {
        self.style = self.style.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.style >> 33) % ways
    }

    /// Fields in any order, what is absent sometimes as null, and sometimes a key that nobody knows.
    fn object(&mut self, mut fields: Fields) -> String {
        if self.pick(8) == 0 {
            fields.push(("x-unknown", Some(r#"{"a":[1,"b",null,{"c":1.5}]}"#.to_owned())));
        }
        let mut text = String::new();
        while !fields.is_empty() {
            let next = self.pick(fields.len() as u64) as usize;
            let (key, value) = fields.swap_remove(next);
            let value = match value {
                Some(value) => value,
                None if self.pick(4) == 0 => "null".to_owned(),
                None => continue,
            };
            let comma = if text.is_empty() { "" } else { "," };
            let space = ["", " ", "\n\t"][self.pick(3) as usize];
            write!(text, "{comma}{space}\"{key}\":{space}{value}").unwrap();
        }
        format!("{{{text}}}")
    }

    /// Nothing where it is empty, or an empty array.
    fn array<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T) -> String) -> Option<String> {
        if items.is_empty() && self.pick(2) == 0 {
            return None;
        }
        let items: Vec<String> = items.iter().map(|each| item(self, each)).collect();
        Some(format!("[{}]", items.join(",")))
    }

    fn quoted(&mut self, number: String) -> String {
        if self.pick(2) == 0 { format!("\"{number}\"") } else { number }
    }

    fn integer(&mut self, value: impl ToString) -> String {
        self.quoted(value.to_string())
    }

    fn double(&mut self, value: f64) -> String {
        match value {
            _ if value.is_nan() => "\"NaN\"".to_owned(),
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            _ => self.quoted(format!("{value:?}")),
        }
    }

    /// A default that may be left out.
    fn plain(&mut self, is_default: bool, text: String) -> Option<String> {
        (!is_default || self.pick(2) == 0).then_some(text)
    }

    fn plain_integer(&mut self, value: u64) -> Option<String> {
        let text = self.integer(value);
        self.plain(value == 0, text)
    }

    fn plain_signed(&mut self, value: i32) -> Option<String> {
        let text = self.integer(value);
        self.plain(value == 0, text)
    }

    fn plain_double(&mut self, value: f64) -> Option<String> {
        let text = self.double(value);
        self.plain(value == 0.0, text)
    }

    fn plain_text(&mut self, value: &str) -> Option<String> {
        self.plain(value.is_empty(), text(value))
    }

    fn plain_hex(&mut self, value: &[u8]) -> Option<String> {
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = if self.pick(2) == 0 { hex.to_uppercase() } else { hex };
        self.plain(value.is_empty(), format!("\"{hex}\""))
    }

    fn base64(&mut self, value: &[u8]) -> String {
        let mut alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
        alphabet.extend(if self.pick(2) == 0 { ['+', '/'] } else { ['-', '_'] });
        let mut text = String::new();
        for group in value.chunks(3) {
            let bits =
                group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
            text.extend((0..=group.len()).map(|n| alphabet[bits >> (18 - 6 * n) & 63]));
        }
        if self.pick(2) == 0 {
            text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
        }
        format!("\"{text}\"")
    }
}

fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap()
}

fn resource_metrics(pen: &mut Pen, value: &ResourceMetrics) -> String {
    let fields = vec![
        ("resource", value.resource.as_ref().map(|resource| self::resource(pen, resource))),
        ("scopeMetrics", pen.array(&value.scope_metrics, scope_metrics)),
        ("schemaUrl", pen.plain_text(&value.schema_url)),
    ];
    pen.object(fields)
}

fn resource(pen: &mut Pen, value: &Resource) -> String {
    let fields = vec![
        ("attributes", pen.array(&value.attributes, key_value)),
        ("droppedAttributesCount", pen.plain_integer(value.dropped_attributes_count.into())),
        ("entityRefs", pen.array(&value.entity_refs, entity_ref)),
    ];
    pen.object(fields)
}

fn entity_ref(pen: &mut Pen, value: &EntityRef) -> String {
    let fields = vec![
        ("schemaUrl", pen.plain_text(&value.schema_url)),
        ("type", pen.plain_text(&value.r#type)),
        ("idKeys", pen.array(&value.id_keys, |_, key| text(key))),
        ("descriptionKeys", pen.array(&value.description_keys, |_, key| text(key))),
    ];
    pen.object(fields)
}

fn scope_metrics(pen: &mut Pen, value: &ScopeMetrics) -> String {
    let fields = vec![
        ("scope", value.scope.as_ref().map(|scope| self::scope(pen, scope))),
        ("metrics", pen.array(&value.metrics, metric)),
        ("schemaUrl", pen.plain_text(&value.schema_url)),
    ];
    pen.object(fields)
}

fn scope(pen: &mut Pen, value: &InstrumentationScope) -> String {
    let fields = vec![
        ("name", pen.plain_text(&value.name)),
        ("version", pen.plain_text(&value.version)),
        ("attributes", pen.array(&value.attributes, key_value)),
        ("droppedAttributesCount", pen.plain_integer(value.dropped_attributes_count.into())),
    ];
    pen.object(fields)
}

fn metric(pen: &mut Pen, value: &Metric) -> String {
    let mut fields = vec![
        ("name", pen.plain_text(&value.name)),
        ("description", pen.plain_text(&value.description)),
        ("unit", pen.plain_text(&value.unit)),
        ("metadata", pen.array(&value.metadata, key_value)),
    ];
    fields.extend(value.data.as_ref().map(|data| self::data(pen, data)));
    pen.object(fields)
}

fn data(pen: &mut Pen, value: &Data) -> (&'static str, Option<String>) {
    let temporality = |value: i32| Some(value.to_string());
    let (name, fields) = match value {
        Data::Gauge(gauge) => ("gauge", vec![("dataPoints", pen.array(&gauge.data_points, number_point))]),
        Data::Sum(sum) => {
            let monotonic = pen.plain(!sum.is_monotonic, sum.is_monotonic.to_string());
            let points = pen.array(&sum.data_points, number_point);
            let temporality = temporality(sum.aggregation_temporality);
            let fields =
                vec![("dataPoints", points), ("aggregationTemporality", temporality), ("isMonotonic", monotonic)];
            ("sum", fields)
        }
        Data::Histogram(histogram) => {
            let points = pen.array(&histogram.data_points, histogram_point);
            let temporality = temporality(histogram.aggregation_temporality);
            ("histogram", vec![("dataPoints", points), ("aggregationTemporality", temporality)])
        }
        Data::ExponentialHistogram(histogram) => {
            let points = pen.array(&histogram.data_points, exponential_point);
            let temporality = temporality(histogram.aggregation_temporality);
            ("exponentialHistogram", vec![("dataPoints", points), ("aggregationTemporality", temporality)])
        }
        Data::Summary(summary) => ("summary", vec![("dataPoints", pen.array(&summary.data_points, summary_point))]),
    };
    (name, Some(pen.object(fields)))
}

fn number_point(pen: &mut Pen, value: &NumberDataPoint) -> String {
    let mut fields = vec![
        ("attributes", pen.array(&value.attributes, key_value)),
        ("startTimeUnixNano", pen.plain_integer(value.start_time_unix_nano)),
        ("timeUnixNano", pen.plain_integer(value.time_unix_nano)),
        ("exemplars", pen.array(&value.exemplars, exemplar)),
        ("flags", pen.plain_integer(value.flags.into())),
    ];
    fields.extend(value.value.map(|value| match value {
        number_data_point::Value::AsDouble(double) => ("asDouble", Some(pen.double(double))),
        number_data_point::Value::AsInt(int) => ("asInt", Some(pen.integer(int))),
    }));
    pen.object(fields)
}

fn exemplar(pen: &mut Pen, value: &Exemplar) -> String {
    let mut fields = vec![
        ("filteredAttributes", pen.array(&value.filtered_attributes, key_value)),
        ("timeUnixNano", pen.plain_integer(value.time_unix_nano)),
        ("spanId", pen.plain_hex(&value.span_id)),
        ("traceId", pen.plain_hex(&value.trace_id)),
    ];
    fields.extend(value.value.map(|value| match value {
        exemplar::Value::AsDouble(double) => ("asDouble", Some(pen.double(double))),
        exemplar::Value::AsInt(int) => ("asInt", Some(pen.integer(int))),
    }));
    pen.object(fields)
}

fn histogram_point(pen: &mut Pen, value: &HistogramDataPoint) -> String {
    let fields = vec![
        ("attributes", pen.array(&value.attributes, key_value)),
        ("startTimeUnixNano", pen.plain_integer(value.start_time_unix_nano)),
        ("timeUnixNano", pen.plain_integer(value.time_unix_nano)),
        ("count", pen.plain_integer(value.count)),
        ("sum", value.sum.map(|sum| pen.double(sum))),
        ("bucketCounts", pen.array(&value.bucket_counts, |pen, count| pen.integer(count))),
        ("explicitBounds", pen.array(&value.explicit_bounds, |pen, bound| pen.double(*bound))),
        ("exemplars", pen.array(&value.exemplars, exemplar)),
        ("flags", pen.plain_integer(value.flags.into())),
        ("min", value.min.map(|min| pen.double(min))),
        ("max", value.max.map(|max| pen.double(max))),
    ];
    pen.object(fields)
}

fn exponential_point(pen: &mut Pen, value: &ExponentialHistogramDataPoint) -> String {
    let fields = vec![
        ("attributes", pen.array(&value.attributes, key_value)),
        ("startTimeUnixNano", pen.plain_integer(value.start_time_unix_nano)),
        ("timeUnixNano", pen.plain_integer(value.time_unix_nano)),
        ("count", pen.plain_integer(value.count)),
        ("sum", value.sum.map(|sum| pen.double(sum))),
        ("scale", pen.plain_signed(value.scale)),
        ("zeroCount", pen.plain_integer(value.zero_count)),
        ("positive", value.positive.as_ref().map(|buckets| self::buckets(pen, buckets))),
        ("negative", value.negative.as_ref().map(|buckets| self::buckets(pen, buckets))),
        ("flags", pen.plain_integer(value.flags.into())),
        ("exemplars", pen.array(&value.exemplars, exemplar)),
        ("min", value.min.map(|min| pen.double(min))),
        ("max", value.max.map(|max| pen.double(max))),
        ("zeroThreshold", pen.plain_double(value.zero_threshold)),
    ];
    pen.object(fields)
}

fn buckets(pen: &mut Pen, value: &Buckets) -> String {
    let fields = vec![
        ("offset", pen.plain_signed(value.offset)),
        ("bucketCounts", pen.array(&value.bucket_counts, |pen, count| pen.integer(count))),
    ];
    pen.object(fields)
}

fn summary_point(pen: &mut Pen, value: &SummaryDataPoint) -> String {
    let quantiles = pen.array(&value.quantile_values, |pen, quantile| {
        let fields =
            vec![("quantile", pen.plain_double(quantile.quantile)), ("value", pen.plain_double(quantile.value))];
        pen.object(fields)
    });
    let fields = vec![
        ("attributes", pen.array(&value.attributes, key_value)),
        ("startTimeUnixNano", pen.plain_integer(value.start_time_unix_nano)),
        ("timeUnixNano", pen.plain_integer(value.time_unix_nano)),
        ("count", pen.plain_integer(value.count)),
        ("sum", pen.plain_double(value.sum)),
        ("quantileValues", quantiles),
        ("flags", pen.plain_integer(value.flags.into())),
    ];
    pen.object(fields)
}

fn key_value(pen: &mut Pen, value: &KeyValue) -> String {
    let fields = vec![
        ("key", pen.plain_text(&value.key)),
        ("value", value.value.as_ref().map(|value| any_value(pen, value))),
        ("keyStrindex", pen.plain_signed(value.key_strindex)),
    ];
    pen.object(fields)
}

fn any_value(pen: &mut Pen, value: &AnyValue) -> String {
    let field = value.value.as_ref().map(|value| match value {
        Value::StringValue(value) => ("stringValue", text(value)),
        Value::BoolValue(value) => ("boolValue", value.to_string()),
        Value::IntValue(value) => ("intValue", pen.integer(value)),
        Value::DoubleValue(value) => ("doubleValue", pen.double(*value)),
        Value::ArrayValue(array) => {
            let values = pen.array(&array.values, any_value);
            ("arrayValue", pen.object(vec![("values", values)]))
        }
        Value::KvlistValue(list) => {
            let values = pen.array(&list.values, key_value);
            ("kvlistValue", pen.object(vec![("values", values)]))
        }
        Value::BytesValue(value) => ("bytesValue", pen.base64(value)),
        Value::StringValueStrindex(value) => ("stringValueStrindex", pen.integer(value)),
    });
    let fields = field.map(|(name, value)| (name, Some(value))).into_iter().collect();
    pen.object(fields)
}
