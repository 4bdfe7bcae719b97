//! What the SDK programs recorded, against what Prometheus holds.
//!
//! Sums of what the programs record are exact in binary, so they are compared exactly.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::sdk::Recorded;

/// Upper bounds of the programs' `latency` histogram.
const BOUNDS: [&str; 4] = ["0.125", "1", "8", "+Inf"];

/// Attributes, or the labels made of them.
pub type Labels = BTreeMap<String, Value>;

/// A PromQL selector of a metric's series with these attributes, whose keys have become label names.
pub fn selector(name: &str, attributes: &Labels) -> String {
    let label = |(key, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={text:?}", key.replace(['.', '-'], "_"))
    };
    let labels: Vec<String> = attributes.iter().map(label).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// Checks every series that a program called `instruments` recorded, for one service instance.
///
/// # Errors
///
/// When a total does not come to what was recorded.
pub async fn check(prometheus: &Prometheus, recorded: &[Recorded], instance: &str) -> anyhow::Result<()> {
    for series in recorded {
        let mut labels = series.attributes.clone();
        labels.insert("instance".to_owned(), instance.into());
        match series.instrument.as_str() {
            "requests" => counter(prometheus, &labels, series).await?,
            "latency" => histogram(prometheus, &labels, series).await?,
            "body.size" => native_histogram(prometheus, &labels, series).await?,
            "connections.open" => {
                prometheus.settles_at(&selector("connections_open", &labels), series.sum).await?;
            }
            other => anyhow::bail!("nothing is known of {other}"),
        }
    }
    Ok(())
}

async fn counter(prometheus: &Prometheus, labels: &Labels, recorded: &Recorded) -> anyhow::Result<()> {
    let selector = selector("requests_total", labels);
    let series = prometheus.settles_at(&selector, recorded.sum).await?;
    let samples = series.samples();
    ensure!(samples.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{selector} falls or stands still: {samples:?}");
    ensure!(prometheus.increase(&selector, &series).await? == recorded.sum, "increase({selector})");
    Ok(())
}

async fn histogram(prometheus: &Prometheus, labels: &Labels, recorded: &Recorded) -> anyhow::Result<()> {
    prometheus.settles_at(&selector("latency_seconds_count", labels), recorded.count).await?;
    prometheus.settles_at(&selector("latency_seconds_sum", labels), recorded.sum).await?;
    // Rounds 1 to 4 of 0.0625, 0.5, 2 and 16 seconds, each times the round.
    for (le, count) in BOUNDS.into_iter().zip([2.0, 6.0, 12.0, 16.0]) {
        let mut labels = labels.clone();
        labels.insert("le".to_owned(), le.into());
        prometheus.settles_at(&selector("latency_seconds_bucket", &labels), count).await?;
    }
    Ok(())
}

async fn native_histogram(prometheus: &Prometheus, labels: &Labels, recorded: &Recorded) -> anyhow::Result<()> {
    let selector = selector("body_size_bytes", labels);
    let expected = Some((recorded.count, recorded.sum));
    let series = prometheus.series(&selector, |series| series.histogram() == expected).await?;
    let buckets = series.buckets().context("buckets")?;
    // Rounds 1 to 4 of 0, 1, 3, 1000 and 65536 bytes, each times the round: four zeros, and no value left out.
    let within = |low: f64, high: f64| -> f64 {
        buckets.iter().filter(|(lower, upper, _)| *lower >= low && *upper <= high).map(|(.., count)| count).sum()
    };
    ensure!(within(f64::NEG_INFINITY, f64::INFINITY) == recorded.count, "all values are in buckets: {buckets:?}");
    ensure!(within(-0.5, 0.5) == 4.0, "the zeros are in the zero bucket: {buckets:?}");
    ensure!(within(0.5, 100.0) == 8.0 && within(500.0, 5_000.0) == 4.0, "each value is where it belongs: {buckets:?}");
    Ok(())
}
