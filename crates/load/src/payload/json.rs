//! OTLP metrics in JSON, as OpenTelemetry's JavaScript SDK writes them: times as strings, counts as numbers, enumerations
//! as integers, attributes first.

use std::fmt::Write as _;

use super::{by_metric, nanos};
use crate::fleet::{Moments, Point, Value};
use crate::metric::{BOUNDS, EXPONENTIAL_SCALE, Kind, Metric, SCOPE};

/// `KeyValue` objects with strings, commas between them.
pub(super) fn key_values<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let objects: Vec<String> = attributes
        .map(|(key, value)| format!(r#"{{"key":{},"value":{{"stringValue":{}}}}}"#, quoted(key), quoted(value)))
        .collect();
    objects.join(",")
}

/// A `ResourceMetrics` object of one scope.
pub(super) fn resource_metrics(out: &mut Vec<u8>, resource: &str, session: &str, points: &[Point]) {
    let metrics: Vec<String> =
        by_metric(points).into_iter().map(|(metric, points)| self::metric(metric, session, &points)).collect();
    let text = format!(
        r#"{{"resource":{{"attributes":[{resource}],"droppedAttributesCount":0}},"scopeMetrics":[{{"scope":{{"name":"{SCOPE}","version":""}},"metrics":[{}]}}]}}"#,
        metrics.join(",")
    );
    out.extend_from_slice(text.as_bytes());
}

fn metric(metric: &Metric, session: &str, points: &[&Point]) -> String {
    let points: Vec<String> = points.iter().map(|point| self::point(point, session)).collect();
    let (field, about) = match metric.kind {
        Kind::Gauge => ("gauge", ""),
        Kind::Counter => ("sum", r#""aggregationTemporality":1,"isMonotonic":true,"#),
        Kind::UpDown => ("sum", r#""aggregationTemporality":1,"isMonotonic":false,"#),
        Kind::Cumulative => ("sum", r#""aggregationTemporality":2,"isMonotonic":true,"#),
        Kind::Histogram => ("histogram", r#""aggregationTemporality":1,"#),
        Kind::Exponential => ("exponentialHistogram", r#""aggregationTemporality":1,"#),
    };
    format!(
        r#"{{"name":{},"description":{},"unit":{},"{field}":{{{about}"dataPoints":[{}]}}}}"#,
        quoted(metric.name),
        quoted(metric.description),
        quoted(metric.unit),
        points.join(",")
    )
}

fn point(point: &Point, session: &str) -> String {
    let own = point.stream.attributes.text();
    let comma = if own.is_empty() { "" } else { "," };
    let mut out = format!(r#"{{"attributes":[{session}{comma}{own}],"#);
    match &point.value {
        Value::Number(number) => write!(out, r#""asDouble":{number}"#),
        Value::Histogram { counts, summary } => {
            write!(out, r#""bucketCounts":{counts:?},"explicitBounds":{BOUNDS:?},{}"#, moments(summary))
        }
        Value::Exponential { offset, counts, summary } => write!(
            out,
            r#"{},"scale":{EXPONENTIAL_SCALE},"zeroCount":0,"positive":{{"offset":{offset},"bucketCounts":{counts:?}}},"negative":{{"offset":0,"bucketCounts":[]}}"#,
            moments(summary)
        ),
    }
    .expect("a string takes everything");
    let (start, time) = (nanos(point.start), nanos(point.time));
    write!(out, r#","startTimeUnixNano":"{start}","timeUnixNano":"{time}"}}"#).expect("a string takes everything");
    out
}

fn moments(summary: &Moments) -> String {
    let Moments { count, sum, min, max } = summary;
    format!(r#""count":{count},"sum":{sum},"min":{min},"max":{max}"#)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shardset_model::UnixMillis;

    use crate::fleet::Fleet;
    use crate::metric::Kind;
    use crate::settings::{Extras, Settings};

    fn data(metric: &Value) -> &Value {
        let kinds = ["sum", "gauge", "histogram", "exponentialHistogram"];
        kinds.iter().find_map(|kind| metric.get(kind)).unwrap()
    }

    #[test]
    fn a_body_is_json_with_the_numbers_that_were_recorded() {
        let extras = Extras { histograms: 1.0, exponential: 1.0, up_down: 1.0, cumulative: 1.0, gauges: 1.0 };
        let settings = Settings { protocols: "http/json".parse().unwrap(), extras, ..Settings::default() };
        let mut fleet = Fleet::new(&settings, UnixMillis(1_800_000_000_000));
        for _ in 0..300 {
            let export = fleet.next_export();
            let body: Value = serde_json::from_slice(&export.body).unwrap();
            let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
            let points: Vec<&Value> =
                metrics.iter().flat_map(|metric| data(metric)["dataPoints"].as_array().unwrap()).collect();
            assert_eq!(points.len() as u64, export.points);
            assert!(points.iter().all(|point| point["timeUnixNano"].is_string()));
            let recorded: f64 = export
                .recorded
                .iter()
                .map(|recorded| match recorded.stream.metric.kind {
                    Kind::Histogram | Kind::Exponential => recorded.numbers[1],
                    _ => recorded.numbers[0],
                })
                .sum();
            let written: f64 =
                points.iter().map(|point| point["asDouble"].as_f64().or(point["sum"].as_f64()).unwrap()).sum();
            assert_eq!(written, recorded);
        }
    }
}
