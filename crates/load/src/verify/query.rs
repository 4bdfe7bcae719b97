//! A Prometheus query API: `/api/v1/query`, one metric at a time, and a large metric in sixteen parts by the first digit of
//! `session_id`, so that no answer grows with the fleet without bound.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::expected::Expected;
use super::{VerifyError, get};
use crate::metric::Kind;

/// Series that are asked for at once.
const PAGE: usize = 20_000;

/// The parts of an answer that are read.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: HashMap<String, String>,
    value: Option<(f64, String)>,
    histogram: Option<(f64, Histogram)>,
}

#[derive(Deserialize)]
struct Histogram {
    count: String,
    sum: String,
}

/// Reads the last value of every series that is expected.
pub(super) async fn query(
    client: &reqwest::Client,
    base: &Url,
    window: Duration,
    expected: &mut Expected,
) -> Result<(), VerifyError> {
    let metrics: Vec<_> = expected.metrics().collect();
    for (metric, series) in metrics {
        let suffixes: &[&str] = if metric.kind == Kind::Histogram { &["_count", "_sum", "_bucket"] } else { &[""] };
        for suffix in suffixes {
            let name = format!("{}{suffix}", metric.prometheus);
            for part in parts(series) {
                let url = url(base, &name, part, window);
                let body = fetch(client, url.clone()).await?;
                observe(&name, &body, expected).map_err(|what| VerifyError::Format { url: url.to_string(), what })?;
            }
        }
    }
    Ok(())
}

/// The matchers that a metric is asked for by.
fn parts(series: usize) -> Vec<Option<char>> {
    if series <= PAGE { vec![None] } else { "0123456789abcdef".chars().map(Some).collect() }
}

fn url(base: &Url, name: &str, part: Option<char>, window: Duration) -> Url {
    let part = part.map(|digit| format!(",session_id=~\"{digit}.*\"")).unwrap_or_default();
    let expression = format!("last_over_time({{__name__=\"{name}\"{part}}}[{}s])", window.as_secs().max(1));
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v1/query", base.path().trim_end_matches('/')));
    url.query_pairs_mut().append_pair("query", &expression);
    url
}

async fn fetch(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, VerifyError> {
    let failed = |source| VerifyError::Http { url: url.to_string(), source };
    let response = get(client, url.clone()).await?;
    Ok(response.bytes().await.map_err(failed)?.to_vec())
}

fn observe(name: &str, body: &[u8], expected: &mut Expected) -> Result<(), String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let number = |text: &str| text.parse::<f64>().map_err(|error| format!("`{text}`: {error}"));
    for series in answer.data.result {
        let labels = || series.metric.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        if let Some((_, value)) = &series.value {
            expected.observe(name, labels(), number(value)?);
        }
        if let Some((_, histogram)) = &series.histogram {
            expected.observe(&format!("{name}_count"), labels(), number(&histogram.count)?);
            expected.observe(&format!("{name}_sum"), labels(), number(&histogram.sum)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Url;

    use super::{PAGE, parts, url};

    #[test]
    fn a_query_asks_for_the_last_value_within_the_window() {
        let base = Url::parse("http://prometheus:9090/prefix/").unwrap();
        let url = url(&base, "a_total", Some('7'), Duration::from_secs(90));
        assert_eq!(url.path(), "/prefix/api/v1/query");
        let expression = r#"last_over_time({__name__="a_total",session_id=~"7.*"}[90s])"#;
        assert_eq!(url.query_pairs().next().unwrap().1, expression);
    }

    #[test]
    fn large_metrics_are_asked_for_in_parts() {
        assert_eq!(parts(PAGE), [None]);
        assert_eq!(parts(PAGE + 1).len(), 16);
    }
}
