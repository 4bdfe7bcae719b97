//! Requests that no SDK makes: points with times and values that a test chooses, and inputs that are wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A delta point of a monotonic sum, times in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    /// The metric.
    pub metric: &'a str,
    /// The value of the attribute `who`, which sets streams of a metric apart.
    pub who: &'a str,
    /// Begin of what it covers.
    pub start: u64,
    /// End of what it covers.
    pub time: u64,
    /// What to add.
    pub value: f64,
}

/// Now, in milliseconds since the Unix epoch.
///
/// # Panics
///
/// With a clock set before 1970.
#[expect(clippy::disallowed_methods, reason = "points are made now")]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock set after 1970");
    u64::try_from(since.as_millis()).expect("milliseconds of this age fit")
}

/// An OTLP/JSON request with these points.
pub fn request(deltas: &[Delta<'_>]) -> String {
    let metrics: Vec<Value> = deltas.iter().map(metric).collect();
    let service = json!({"key": "service.name", "value": {"stringValue": "e2e"}});
    let scope = json!({"scope": {"name": "e2e"}, "metrics": metrics});
    json!({"resourceMetrics": [{"resource": {"attributes": [service]}, "scopeMetrics": [scope]}]}).to_string()
}

fn metric(delta: &Delta<'_>) -> Value {
    let nanos = |millis: u64| (u128::from(millis) * 1_000_000).to_string();
    let point = json!({
        "attributes": [{"key": "who", "value": {"stringValue": delta.who}}],
        "startTimeUnixNano": nanos(delta.start),
        "timeUnixNano": nanos(delta.time),
        "asDouble": delta.value,
    });
    json!({"name": delta.metric, "sum": {"dataPoints": [point], "aggregationTemporality": 1, "isMonotonic": true}})
}
