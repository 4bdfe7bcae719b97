//! The scrape endpoint tells what remote write tells.

use std::collections::BTreeMap;

use shardset_worker::scrape::{self, Sources};
use tokio::net::TcpListener;

use crate::backend::Backend;
use crate::cluster::Cluster;
use crate::harness::{Harness, now};
use crate::sender::{counter, gauge, histogram};

const SECOND: u64 = 1_000_000_000;

/// A scrape endpoint. It holds what it reads from, so a worker that is to end must be let go first.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    sources: Sources,
}

impl Endpoint {
    pub(crate) fn let_go(&self, worker: &Harness) {
        self.sources.remove(worker.worker.shard());
    }
}

/// Serves the scrape endpoint of these workers.
pub(crate) async fn endpoint(workers: &[&Harness]) -> Endpoint {
    let sources = Sources::default();
    workers.iter().for_each(|worker| sources.insert(&worker.worker));
    let router = scrape::router(sources.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    Endpoint { url, sources }
}

pub(crate) async fn get(url: &str, accept: &str) -> (String, String) {
    let response = reqwest::Client::new().get(url).header("accept", accept).send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, response.text().await.unwrap())
}

/// Series and values of a text, without the heads of families.
fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs.map(|(name, value)| (sorted(name), value.parse().unwrap())).collect()
}

/// A series' name with its labels in one order: remote write prescribes one, text does not.
fn sorted(series: &str) -> String {
    let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
    let mut labels: Vec<&str> = labels.split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

#[tokio::test]
async fn a_scrape_tells_the_series_that_remote_write_tells() {
    let backend = Backend::start().await;
    let worker = Harness::start(&backend).await;
    let (sender, start) = (worker.sender().await, now() - 10 * SECOND);
    let time = start + SECOND;
    sender
        .accept(vec![
            counter("claude_code.token.usage", "a", start, time, 20.0),
            counter("claude_code.token.usage", "b", start, time, 7.0),
            histogram("latency", "a", start, time, &[1.0, 10.0], &[1, 2, 3]),
            gauge("level", "a", time, 0.5),
        ])
        .await;
    let arrived = |got: &crate::backend::Received| {
        let is_told = |name| got.last(name).is_some_and(|value| value != 0.0);
        ["level{", "target_info{", "latency_count{"].into_iter().all(is_told)
    };
    let received = backend.wait("everything", arrived).await;
    let told: BTreeMap<String, f64> =
        received.series.iter().map(|(name, samples)| (sorted(name), samples.last().unwrap().value)).collect();

    let Endpoint { url, .. } = endpoint(&[&worker]).await;
    let (kind, text) = get(&url, "text/plain").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(series(&text), told);
    let (kind, text) = get(&url, "application/openmetrics-text; version=1.0.0").await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE claude_code_token_usage counter\n"), "{text}");
    worker.stop().await;
}

#[tokio::test]
async fn one_endpoint_tells_each_family_of_all_shards_in_one_piece() {
    let cluster = Cluster::start(3, 3).await;
    let start = now() - 10 * SECOND;
    let point = |session: u32| {
        let name = if session.is_multiple_of(2) { "requests" } else { "errors" };
        counter(name, &session.to_string(), start, start + SECOND, 1.0)
    };
    let points: Vec<_> = (0..1800).map(point).collect();
    cluster.accept(&points).await;
    let workers = [0, 1, 2].map(|number| cluster.worker(number));
    let Endpoint { url, .. } = endpoint(&workers).await;
    let (_, text) = get(&url, "text/plain").await;
    let told = series(&text);
    let counters = told.iter().filter(|(name, _)| !name.starts_with("target_info"));
    assert_eq!(counters.map(|(_, value)| *value as usize).sum::<usize>(), points.len());
    for family in ["requests_total", "errors_total", "target_info"] {
        assert_eq!(text.matches(&format!("# TYPE {family} ")).count(), 1, "{family}");
    }
    let names: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('{').next().unwrap()).collect();
    assert!(names.is_sorted(), "families stand in one piece");
}
