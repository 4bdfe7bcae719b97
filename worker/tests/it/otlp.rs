//! What reaches a backend of OTLP, and when: the rules of the other destinations, in the names that the streams came with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics};
use prost::Message;
use shardset_export::Protocol;
use shardset_export::client::Compression;
use shardset_journal::storage::faulty::MemoryDisk;
use shardset_worker::{CHUNKS_IN_FLIGHT_MAX, ExportTo, Settings};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backend::PATIENCE;
use crate::harness::{Harness, Launch, now, to, to_by};
use crate::sender::{DELTA, counter, cumulative, double, exemplar, exponential, gauge, histogram, number, sum, text};

const SECOND: u64 = 1_000_000_000;
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// What the backend has taken.
#[derive(Clone, Debug, Default)]
struct Received {
    /// The points of sums, by the name of the metric and the session.
    points: BTreeMap<(String, String), Vec<NumberDataPoint>>,
    /// The newest that was told of each metric, with its resource and scope.
    newest: BTreeMap<String, ResourceMetrics>,
    refused: usize,
}

impl Received {
    fn of(&self, name: &str, session: &str) -> &[NumberDataPoint] {
        self.points.get(&(name.to_owned(), session.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn last(&self, name: &str, session: &str) -> Option<f64> {
        self.of(name, session).last().and_then(value)
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        Some(&self.newest.get(name)?.scope_metrics[0].metrics[0])
    }

    /// Times ascend, starts stay, and the total begins with one zero and never falls.
    fn assert_one_life(&self, name: &str, session: &str) {
        let points = self.of(name, session);
        assert!(points.windows(2).all(|pair| pair[0].time_unix_nano < pair[1].time_unix_nano), "{points:?}");
        assert!(points.iter().all(|point| point.start_time_unix_nano == points[0].start_time_unix_nano), "{points:?}");
        let values: Vec<f64> = points.iter().filter_map(value).collect();
        assert!(values.is_sorted(), "{values:?}");
        assert_eq!(values.iter().filter(|value| **value == 0.0).count(), 1, "{values:?}");
    }

    fn take(&mut self, request: ExportMetricsServiceRequest) {
        for resource in request.resource_metrics {
            for scope in &resource.scope_metrics {
                for metric in &scope.metrics {
                    self.keep(metric);
                    let scope = opentelemetry_proto::tonic::metrics::v1::ScopeMetrics {
                        metrics: vec![metric.clone()],
                        ..scope.clone()
                    };
                    let alone = ResourceMetrics { scope_metrics: vec![scope], ..resource.clone() };
                    self.newest.insert(metric.name.clone(), alone);
                }
            }
        }
    }

    fn keep(&mut self, metric: &Metric) {
        let Some(Data::Sum(sum)) = &metric.data else { return };
        assert_eq!(sum.aggregation_temporality, CUMULATIVE);
        for point in &sum.data_points {
            let session = point.attributes.iter().find(|attribute| attribute.key == "session").unwrap();
            let Some(any_value::Value::StringValue(session)) = session.value.clone().unwrap().value else { panic!() };
            self.points.entry((metric.name.clone(), session)).or_default().push(point.clone());
        }
    }
}

fn value(point: &NumberDataPoint) -> Option<f64> {
    match point.value {
        Some(Value::AsDouble(value)) => Some(value),
        Some(Value::AsInt(value)) => Some(value as f64),
        None => None,
    }
}

/// A backend of OTLP/HTTP. It ends with its handle.
#[derive(Debug)]
struct Backend {
    url: String,
    answer: Arc<Mutex<StatusCode>>,
    received: watch::Receiver<Received>,
    _stop: DropGuard,
}

type Shared = (Arc<Mutex<StatusCode>>, Arc<watch::Sender<Received>>);

impl Backend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        let (sender, received) = watch::channel(Received::default());
        let answer = Arc::new(Mutex::new(StatusCode::OK));
        let shared: Shared = (Arc::clone(&answer), Arc::new(sender));
        let router = Router::new().route("/v1/metrics", post(take)).with_state(shared);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        Self { url, answer, received, _stop: stop.drop_guard() }
    }

    fn to(&self) -> ExportTo {
        to_by(Protocol::OtlpHttp(Compression::None), "otlp", &self.url)
    }

    fn answer(&self, status: StatusCode) {
        *self.answer.lock().unwrap() = status;
    }

    async fn wait(&self, what: &str, wished: impl Fn(&Received) -> bool) -> Received {
        let mut received = self.received.clone();
        match tokio::time::timeout(PATIENCE, received.wait_for(|now| wished(now))).await {
            Ok(now) => now.unwrap().clone(),
            Err(_) => panic!("waited in vain for {what}; the backend has {:#?}", self.received.borrow()),
        }
    }
}

async fn take(State((answer, received)): State<Shared>, body: Bytes) -> StatusCode {
    let answer = *answer.lock().unwrap();
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    received.send_modify(|received| {
        if answer.is_success() {
            received.take(request);
        } else {
            received.refused += 1;
        }
    });
    answer
}

async fn run(backend: &Backend, change: impl FnOnce(&mut Settings)) -> Harness {
    Launch { destinations: vec![backend.to()], ..Launch::on(MemoryDisk::new(1)) }.set(change).run().await
}

#[tokio::test]
async fn deltas_become_a_total_of_their_own_name_that_begins_with_zero_at_its_start() {
    let backend = Backend::start().await;
    let worker = run(&backend, |_| {}).await;
    // Not a whole number of milliseconds.
    let (sender, start) = (worker.sender().await, (now() - 10 * SECOND) | 1);
    sender.accept(vec![counter("claude_code.token.usage", "a", start, start + SECOND, 20.0)]).await;
    sender.accept(vec![counter("claude_code.token.usage", "a", start + SECOND, start + 2 * SECOND, 5.0)]).await;
    let is_whole = |got: &Received| got.last("claude_code.token.usage", "a") == Some(25.0);
    let received = backend.wait("the total", is_whole).await;
    received.assert_one_life("claude_code.token.usage", "a");
    let points = received.of("claude_code.token.usage", "a");
    assert_eq!((points[0].time_unix_nano, points[0].start_time_unix_nano), (start, start));
    assert!(points[1].time_unix_nano.is_multiple_of(1_000_000), "the clock's, and not the sender's: {points:?}");

    let told = &received.newest["claude_code.token.usage"];
    let resource = told.resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [text("service.name", "checkout"), text("os.type", "linux")]);
    assert_eq!(received.metric("claude_code.token.usage").unwrap().description, "help of claude_code.token.usage");
    let names: Vec<_> = received.newest.keys().collect();
    assert_eq!(names, ["claude_code.token.usage"], "nothing of Prometheus, such as target_info");
    worker.stop().await;
}

#[tokio::test]
async fn every_kind_of_point_arrives_as_it_is() {
    let backend = Backend::start().await;
    let worker = run(&backend, |_| {}).await;
    let (sender, start) = (worker.sender().await, (now() - 10 * SECOND) | 1);
    let mut with_exemplar = number("a", start, start + SECOND, double(2.0));
    with_exemplar.exemplars = vec![exemplar(start + SECOND, 2.0)];
    sender
        .accept(vec![
            sum("traced", with_exemplar.clone(), DELTA),
            histogram("latency", "a", start, start + SECOND, &[1.0, 10.0], &[1, 2, 3]),
            histogram("latency", "a", start + SECOND, start + 2 * SECOND, &[1.0, 10.0], &[1, 0, 0]),
            exponential("size", "a", start, start + SECOND, 7),
            cumulative("passed", "a", start, start + SECOND, 40.0),
            gauge("level", "a", start + SECOND, 0.5),
        ])
        .await;
    let received = backend
        .wait("all of them", |got| {
            let counted = |name: &str| match got.metric(name).and_then(|metric| metric.data.as_ref()) {
                Some(Data::Histogram(histogram)) => histogram.data_points[0].count,
                Some(Data::ExponentialHistogram(histogram)) => histogram.data_points[0].count,
                _ => 0,
            };
            let sums = [got.last("traced", "a"), got.last("passed", "a")] == [Some(2.0), Some(40.0)];
            sums && (counted("latency"), counted("size")) == (7, 7) && got.newest.contains_key("level")
        })
        .await;
    assert_eq!(received.of("traced", "a").last().unwrap().exemplars, with_exemplar.exemplars);
    let passed = received.of("passed", "a");
    assert_eq!((passed[0].start_time_unix_nano, passed[0].time_unix_nano), (start, start + SECOND));
    let Some(Data::Histogram(latency)) = &received.metric("latency").unwrap().data else { panic!("a histogram") };
    assert_eq!(latency.aggregation_temporality, CUMULATIVE);
    let point = &latency.data_points[0];
    assert_eq!((point.start_time_unix_nano, &*point.bucket_counts), (start, &[2, 2, 3][..]));
    assert_eq!((&*point.explicit_bounds, point.sum), (&[1.0, 10.0][..], Some(2.0)));
    let Some(Data::ExponentialHistogram(size)) = &received.metric("size").unwrap().data else { panic!("a histogram") };
    assert_eq!((size.aggregation_temporality, size.data_points[0].scale), (CUMULATIVE, 2));
    let Some(Data::Gauge(level)) = &received.metric("level").unwrap().data else { panic!("a gauge") };
    assert_eq!((level.data_points[0].time_unix_nano, value(&level.data_points[0])), (start + SECOND, Some(0.5)));
    worker.stop().await;
}

#[tokio::test]
async fn a_stream_is_repeated_at_its_heartbeat_ends_with_a_flag_and_continues_its_total() {
    let backend = Backend::start().await;
    let change = |settings: &mut Settings| {
        settings.heartbeat = Duration::from_millis(100);
        settings.accumulate.max_stale = Duration::from_millis(700);
    };
    let worker = run(&backend, change).await;
    let (sender, start) = (worker.sender().await, now() - SECOND);
    sender.accept(vec![counter("requests", "a", start, now(), 3.0)]).await;
    let ended = |got: &Received| got.of("requests", "a").last().is_some_and(|point| point.flags == 1);
    let received = backend.wait("the end", ended).await;
    let repeated = received.of("requests", "a").iter().filter(|point| value(point) == Some(3.0)).count();
    assert!(repeated >= 3, "{repeated}");
    sender.accept(vec![counter("requests", "a", now(), now() + 1, 4.0)]).await;
    let back = backend.wait("the stream's return", |got| got.last("requests", "a") == Some(7.0)).await;
    back.assert_one_life("requests", "a");
    worker.stop().await;
}

#[tokio::test]
async fn a_backend_that_was_away_gets_exact_totals_and_costs_a_few_chunks() {
    let backend = Backend::start().await;
    backend.answer(StatusCode::SERVICE_UNAVAILABLE);
    let worker = run(&backend, |_| {}).await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    // Enough streams for many chunks, each counted many times while the backend is away.
    let sessions: Vec<String> = (0..12_000).map(|session| format!("s{session}")).collect();
    for round in 0..3 {
        let time = start + (round + 1) * SECOND;
        let metrics = sessions.iter().map(|session| counter("requests", session, start, time, 1.0)).collect();
        sender.accept(metrics).await;
        backend.wait("another attempt", move |got| got.refused > 5 * round as usize).await;
    }
    let made_while_away = worker.metric("shardset_worker_export_samples_total{shard=\"0\",destination=\"otlp\"}");
    assert!(made_while_away <= (CHUNKS_IN_FLIGHT_MAX as u64) * 2_001, "{made_while_away} points were made");

    backend.answer(StatusCode::OK);
    let all = |got: &Received| sessions.iter().all(|session| got.last("requests", session) == Some(3.0));
    let received = backend.wait("every total", all).await;
    sessions.iter().for_each(|session| received.assert_one_life("requests", session));
    worker.stop().await;
}

#[tokio::test]
async fn a_process_that_is_killed_goes_on_with_the_same_start_and_tells_no_second_zero() {
    let (backend, disk) = (Backend::start().await, MemoryDisk::new(1));
    let launch = |disk: &MemoryDisk| Launch { destinations: vec![backend.to()], ..Launch::on(disk.clone()) };
    let worker = launch(&disk).run().await;
    let start = now() - 60 * SECOND;
    worker.sender().await.accept(vec![counter("requests", "a", start, start + SECOND, 5.0)]).await;
    backend.wait("the total", |got| got.last("requests", "a") == Some(5.0)).await;
    // What was told is in the journal a moment after it was.
    worker.sender().await.accept(vec![counter("other", "a", start, start + SECOND, 1.0)]).await;
    backend.wait("another total", |got| got.last("other", "a") == Some(1.0)).await;
    disk.crash();
    worker.kill().await;
    let worker = launch(&disk).untold().run().await;
    worker.sender().await.accept(vec![counter("requests", "a", start + SECOND, start + 2 * SECOND, 2.0)]).await;
    backend.wait("the total", |got| got.last("requests", "a") == Some(7.0)).await.assert_one_life("requests", "a");
    worker.stop().await;
}

#[tokio::test]
async fn a_backend_that_does_not_know_us_holds_back_no_other_and_no_stop() {
    let (otlp, remote_write) = (Backend::start().await, crate::backend::Backend::start().await);
    otlp.answer(StatusCode::UNAUTHORIZED);
    let destinations = vec![otlp.to(), to("remote-write", &remote_write.url)];
    let launch = Launch { destinations, ..Launch::on(MemoryDisk::new(1)) };
    let worker = launch.set(|settings| settings.stop_grace = Duration::from_millis(300)).run().await;
    let (sender, start) = (worker.sender().await, now() - 60 * SECOND);
    for round in 1..=5_u64 {
        sender.accept(vec![counter("requests", "a", start, start + round * SECOND, 1.0)]).await;
        remote_write.wait("the other's total", |got| got.last("requests_total{") == Some(round as f64)).await;
    }
    otlp.wait("an attempt", |got| got.refused > 0 && got.points.is_empty()).await;
    worker.stop().await;
}
