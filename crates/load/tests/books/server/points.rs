//! Both encodings of a request, flattened to the series that Prometheus would show. Nothing of the generator is used here
//! but what OTLP and Prometheus say.

use std::io::Read as _;

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message;
use serde_json::Value;

/// A point.
pub(super) struct Flat {
    pub(super) stream: String,
    pub(super) start: u64,
    pub(super) time: u64,
    pub(super) is_latest: bool,
    /// The series and what it adds to each.
    pub(super) numbers: Vec<(String, f64)>,
}

/// A histogram's part of a point: count, sum, bounds, counts per bucket. No bounds where it is exponential.
type Histogram = (f64, f64, Vec<f64>, Vec<f64>);

pub(super) fn inflate(body: &[u8]) -> Bytes {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut out).unwrap();
    out.into()
}

pub(super) fn of_protobuf(body: Bytes) -> Vec<Flat> {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let mut flat = Vec::new();
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let name = metric.name;
        match metric.data.unwrap() {
            Data::Sum(sum) => {
                let is_latest = sum.aggregation_temporality == 2;
                flat.extend(sum.data_points.into_iter().map(|point| number(&name, point, is_latest)));
            }
            Data::Gauge(gauge) => flat.extend(gauge.data_points.into_iter().map(|point| number(&name, point, true))),
            Data::Histogram(histogram) => flat.extend(histogram.data_points.into_iter().map(|point| {
                let counts = point.bucket_counts.iter().map(|count| *count as f64).collect();
                let parts = (point.count as f64, point.sum.unwrap(), point.explicit_bounds, counts);
                let times = (point.start_time_unix_nano, point.time_unix_nano);
                self::histogram(&name, &labels(&point.attributes), times, &parts)
            })),
            Data::ExponentialHistogram(histogram) => flat.extend(histogram.data_points.into_iter().map(|point| {
                let parts = (point.count as f64, point.sum.unwrap(), Vec::new(), Vec::new());
                let times = (point.start_time_unix_nano, point.time_unix_nano);
                self::histogram(&name, &labels(&point.attributes), times, &parts)
            })),
            Data::Summary(_) => panic!("no summaries are sent"),
        }
    }
    flat
}

fn number(name: &str, point: opentelemetry_proto::tonic::metrics::v1::NumberDataPoint, is_latest: bool) -> Flat {
    let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("doubles only") };
    let series = format!("{}{{{}}}", prometheus(name), labels(&point.attributes));
    let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
    Flat { stream: series.clone(), start, time, is_latest, numbers: vec![(series, value)] }
}

fn labels(attributes: &[KeyValue]) -> String {
    let mut labels: Vec<String> = attributes
        .iter()
        .map(|attribute| {
            let Some(any_value::Value::StringValue(value)) = attribute.value.clone().unwrap().value else { panic!() };
            label(&attribute.key, &value)
        })
        .collect();
    labels.sort();
    labels.join(",")
}

fn label(key: &str, value: &str) -> String {
    format!("{}=\"{value}\"", key.replace('.', "_"))
}

fn histogram(name: &str, labels: &str, (start, time): (u64, u64), parts: &Histogram) -> Flat {
    let (count, sum, bounds, counts) = parts;
    let name = prometheus(name);
    let mut numbers = vec![(format!("{name}_count{{{labels}}}"), *count), (format!("{name}_sum{{{labels}}}"), *sum)];
    let mut cumulative = 0.0;
    let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(counts) {
        cumulative += count;
        numbers.push((format!("{name}_bucket{{{labels},le=\"{bound}\"}}"), cumulative));
    }
    Flat { stream: format!("{name}{{{labels}}}"), start, time, is_latest: false, numbers }
}

pub(super) fn of_json(body: &[u8]) -> Vec<Flat> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let scopes = list(&request, "resourceMetrics").into_iter().flat_map(|resource| list(&resource, "scopeMetrics"));
    let metrics = scopes.flat_map(|scope| list(&scope, "metrics"));
    metrics.flat_map(|metric| of_json_metric(&metric)).collect()
}

fn of_json_metric(metric: &Value) -> Vec<Flat> {
    let name = metric["name"].as_str().unwrap();
    let kinds = ["sum", "gauge", "histogram", "exponentialHistogram"];
    let data = kinds.iter().find_map(|kind| metric.get(kind)).unwrap();
    let is_latest =
        metric.get("gauge").is_some() || (metric.get("sum").is_some() && data["aggregationTemporality"] == 2);
    data["dataPoints"].as_array().unwrap().iter().map(|point| of_json_point(name, point, is_latest)).collect()
}

fn of_json_point(name: &str, point: &Value, is_latest: bool) -> Flat {
    let time = |key: &str| point[key].as_str().unwrap().parse::<u64>().unwrap();
    let times = (time("startTimeUnixNano"), time("timeUnixNano"));
    let attributes = point["attributes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut labels: Vec<String> =
        attributes.map(|pair| label(&text(&pair["key"]), &text(&pair["value"]["stringValue"]))).collect();
    labels.sort();
    let labels = labels.join(",");
    if let Some(value) = point.get("asDouble") {
        let series = format!("{}{{{labels}}}", prometheus(name));
        let numbers = vec![(series.clone(), value.as_f64().unwrap())];
        return Flat { stream: series, start: times.0, time: times.1, is_latest, numbers };
    }
    let numbers = |value: &Value| value.as_array().into_iter().flatten().map(|n| n.as_f64().unwrap()).collect();
    let (bounds, counts) = (numbers(&point["explicitBounds"]), numbers(&point["bucketCounts"]));
    histogram(name, &labels, times, &(point["count"].as_f64().unwrap(), point["sum"].as_f64().unwrap(), bounds, counts))
}

/// Table 1.1 of what Claude Code dashboards use, and the generator's own metrics.
fn prometheus(name: &str) -> &'static str {
    match name {
        "claude_code.session.count" => "claude_code_session_count_total",
        "claude_code.lines_of_code.count" => "claude_code_lines_of_code_count_total",
        "claude_code.pull_request.count" => "claude_code_pull_request_count_total",
        "claude_code.commit.count" => "claude_code_commit_count_total",
        "claude_code.cost.usage" => "claude_code_cost_usage_USD_total",
        "claude_code.token.usage" => "claude_code_token_usage_tokens_total",
        "claude_code.code_edit_tool.decision" => "claude_code_code_edit_tool_decision_total",
        "claude_code.active_time.total" => "claude_code_active_time_seconds_total",
        "load.request.duration" => "load_request_duration_seconds",
        "load.request.size" => "load_request_size_bytes",
        "load.queue.length" => "load_queue_length",
        "load.items.handled" => "load_items_handled_total",
        "load.temperature" => "load_temperature_celsius",
        other => panic!("nobody sends {other}"),
    }
}
