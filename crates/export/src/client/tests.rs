//! The client against a backend that follows a script.
//!
//! The backend is a real HTTP server on loopback. It answers requests in the order of its script and remembers what it was
//! sent; nothing is asserted by how long something took.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use prometheus_client::registry::Registry;
use prost::Message;
use shardset_model::{UnixMillis, UnixNanos, Value};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::{
    Auth, ClientMetrics, Delivered, Destination, DestinationSettings, DropReason, Protocol, RetrySettings, Secret,
    Stopped,
};
use crate::fixtures::{UP_DOWN, WriteRequest, stream};
use crate::{Announcements, Batch, Moment, Sample, SeriesBatch};

mod otlp;

/// One answer of the script.
enum Reply {
    /// A status, headers, a body.
    Status(u16, &'static [(&'static str, &'static str)], &'static str),
    /// None, ever.
    Silence,
}

/// What one request said.
struct Seen {
    headers: HeaderMap,
    message: WriteRequest,
}

/// What the backend does once its script is over.
#[derive(Clone, Default)]
struct Rules {
    /// Series it refuses, by their label `n`.
    bad: BTreeSet<usize>,
    /// More series than this in a request are too many.
    most: Option<usize>,
    /// Metadata is refused.
    no_metadata: bool,
}

#[derive(Default)]
struct Backend {
    script: Mutex<VecDeque<Reply>>,
    rules: Mutex<Rules>,
    seen: Mutex<Vec<Seen>>,
    stored: Mutex<Vec<usize>>,
    arrived: tokio::sync::Notify,
}

impl Backend {
    fn of(script: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.into_iter().collect()), ..Self::default() })
    }

    fn refusing(rules: Rules) -> Arc<Self> {
        Arc::new(Self { rules: Mutex::new(rules), ..Self::default() })
    }

    async fn serve(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        self.serve_on(listener);
        address
    }

    #[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
    fn serve_on(self: &Arc<Self>, listener: TcpListener) {
        let router = Router::new().fallback(answer).with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn header(&self, request: usize, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        seen[request].headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// By the rules, when the script is over.
    fn judge(&self, message: &WriteRequest) -> Response {
        let rules = self.rules.lock().unwrap();
        let series: Vec<usize> = message.timeseries.iter().map(number_of).collect();
        if rules.most.is_some_and(|most| series.len() > most) {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        if rules.no_metadata && !message.metadata.is_empty() {
            return (StatusCode::BAD_REQUEST, "metadata is not welcome").into_response();
        }
        if series.iter().any(|n| rules.bad.contains(n)) {
            return (StatusCode::BAD_REQUEST, "out of order sample").into_response();
        }
        self.stored.lock().unwrap().extend(series);
        StatusCode::NO_CONTENT.into_response()
    }
}

async fn answer(State(backend): State<Arc<Backend>>, headers: HeaderMap, body: Bytes) -> Response {
    let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let message = WriteRequest::decode(message.as_slice()).unwrap();
    backend.seen.lock().unwrap().push(Seen { headers, message: message.clone() });
    backend.arrived.notify_one();
    let reply = backend.script.lock().unwrap().pop_front();
    match reply {
        None => backend.judge(&message),
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::Status(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
    }
}

fn number_of(series: &crate::fixtures::TimeSeries) -> usize {
    series.labels.iter().find(|label| label.name == "n").unwrap().value.parse().unwrap()
}

/// Series of a gauge, told apart by their label `n`.
fn batch(series: usize) -> Batch {
    Batch::Series(series_batch(series))
}

fn series_batch(series: usize) -> SeriesBatch {
    let mut batch = SeriesBatch::new();
    for n in 0..series {
        let (family, labels) = stream("g", "", UP_DOWN, &[("n", &n.to_string())]);
        let moments = [Moment::value(UnixMillis(1_700_000_000_000))];
        batch.append(&family, &labels, &Sample { value: Value::Int(1), moments: &moments, exemplars: &[] }).unwrap();
    }
    batch
}

fn clock() -> UnixNanos {
    UnixNanos(1_700_000_000_000_000_000)
}

/// Settings that do not make a test wait.
fn settings(address: SocketAddr) -> DestinationSettings {
    quick(DestinationSettings::new(Protocol::RemoteWrite, format!("http://{address}/api/v1/write")))
}

fn quick(settings: DestinationSettings) -> DestinationSettings {
    let retry = RetrySettings {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        longest_asked: Duration::from_millis(3),
        misconfigured: Duration::from_millis(1),
    };
    DestinationSettings { retry, ..settings }
}

fn destination(settings: &DestinationSettings) -> (Destination, Registry) {
    let mut registry = Registry::default();
    let metrics = ClientMetrics::register(&mut registry).of("it");
    (Destination::new(settings, metrics, clock).unwrap(), registry)
}

async fn deliver(backend: &Arc<Backend>, batch: &Batch) -> (Delivered, String) {
    let (destination, metrics) = destination(&settings(backend.serve().await));
    let delivered = destination.deliver(batch, &CancellationToken::new()).await.unwrap();
    (delivered, exposed(&metrics))
}

/// What was counted, without the label that every line has.
fn exposed(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text.replace("destination=\"it\",", "").replace("{destination=\"it\"}", "")
}

fn taken(samples: u64) -> Delivered {
    Delivered { samples, ..Delivered::default() }
}

#[tokio::test]
async fn a_request_is_remote_write_1_0() {
    let backend = Backend::of([]);
    let (delivered, metrics) = deliver(&backend, &batch(3)).await;
    assert_eq!((delivered, backend.requests()), (taken(3), 1));
    let table = [
        ("x-prometheus-remote-write-version", "0.1.0"),
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("user-agent", concat!("shardset/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in table {
        assert_eq!(backend.header(0, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(backend.header(0, "retry-attempt"), None);
    assert!(metrics.contains("export_samples_sent_total 3\n"), "{metrics}");
    assert!(metrics.contains("export_last_success_timestamp_seconds 1700000000.0\n"), "{metrics}");
    assert!(metrics.contains("export_requests_in_flight 0\n"), "{metrics}");
}

#[tokio::test]
async fn an_empty_batch_is_no_request() {
    let backend = Backend::of([]);
    let (delivered, _) = deliver(&backend, &Protocol::RemoteWrite.batch()).await;
    assert_eq!((delivered, backend.requests()), (taken(0), 0));
}

#[tokio::test]
async fn what_passes_is_tried_again_until_it_is_taken() {
    let later = [("retry-after", "1")].as_slice();
    let backend = Backend::of([
        Reply::Status(500, &[], "no"),
        Reply::Status(503, later, "not yet"),
        Reply::Status(429, later, "slow down"),
        Reply::Status(408, &[], ""),
    ]);
    let (delivered, metrics) = deliver(&backend, &batch(2)).await;
    assert_eq!((delivered, backend.requests()), (taken(2), 5));
    let attempts: Vec<_> = (0..5).map(|request| backend.header(request, "retry-attempt")).collect();
    assert_eq!(attempts, [None, Some("1".into()), Some("2".into()), Some("3".into()), Some("4".into())]);
    for line in [
        "retries_total{cause=\"server_error\"} 2\n",
        "retries_total{cause=\"too_many_requests\"} 1\n",
        "retries_total{cause=\"timeout\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_wrong_setting_loses_nothing() {
    let moved = [("location", "/elsewhere")].as_slice();
    let backend = Backend::of([
        Reply::Status(401, &[], "who are you?"),
        Reply::Status(403, &[], ""),
        Reply::Status(404, &[], ""),
        Reply::Status(307, moved, ""),
    ]);
    let (delivered, metrics) = deliver(&backend, &batch(2)).await;
    assert_eq!((delivered, backend.requests()), (taken(2), 5));
    assert!(metrics.contains("retries_total{cause=\"misconfigured\"} 4\n"), "{metrics}");
}

#[tokio::test]
async fn a_backend_that_comes_up_late_gets_everything() {
    let backend = Backend::of([]);
    // Bound, so that nobody else gets the port, but not listening: connections are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let (destination, metrics) = destination(&settings(address));
    let (batch, stop) = (batch(2), CancellationToken::new());
    let up = async {
        while !exposed(&metrics).contains("cause=\"transport\"") {
            tokio::task::yield_now().await;
        }
        backend.serve_on(socket.listen(16).unwrap());
    };
    let (delivered, ()) = tokio::join!(destination.deliver(&batch, &stop), up);
    assert_eq!((delivered, backend.requests()), (Ok(taken(2)), 1));
}

#[tokio::test]
async fn a_backend_that_never_answers_is_given_up_at_the_timeout() {
    let backend = Backend::of([Reply::Silence]);
    let timeout = Duration::from_millis(200);
    let (destination, metrics) = destination(&DestinationSettings { timeout, ..settings(backend.serve().await) });
    let delivered = destination.deliver(&batch(1), &CancellationToken::new()).await;
    assert_eq!(delivered, Ok(taken(1)));
    // On a busy machine the next attempt may be late as well.
    assert!(backend.requests() >= 2 && exposed(&metrics).contains("retries_total{cause=\"timeout\"} "));
}

#[tokio::test]
async fn stopping_ends_a_request_under_way_and_a_pause() {
    let backend = Backend::of([Reply::Silence]);
    let (destination, metrics) = destination(&settings(backend.serve().await));
    let (one, stop) = (batch(1), CancellationToken::new());
    let stopper = async {
        backend.arrived.notified().await;
        stop.cancel();
    };
    let (delivered, ()) = tokio::join!(destination.deliver(&one, &stop), stopper);
    assert_eq!(delivered, Err(Stopped));
    assert!(exposed(&metrics).contains("export_requests_in_flight 0\n"));

    let backend = Backend::of([Reply::Status(503, &[], "")]);
    let mut slow = settings(backend.serve().await);
    (slow.retry.first, slow.retry.longest) = (Duration::from_secs(3_600), Duration::from_secs(3_600));
    let (destination, metrics) = self::destination(&slow);
    let stop = CancellationToken::new();
    let stopper = async {
        while !exposed(&metrics).contains("cause=\"server_error\"") {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (delivered, ()) = tokio::join!(destination.deliver(&one, &stop), stopper);
    assert_eq!((delivered, backend.requests()), (Err(Stopped), 1));
}

#[tokio::test]
async fn exactly_the_refused_series_are_dropped() {
    let bad = BTreeSet::from([3, 500]);
    let backend = Backend::refusing(Rules { bad: bad.clone(), ..Rules::default() });
    let (delivered, metrics) = deliver(&backend, &batch(1_000)).await;
    assert_eq!(
        delivered,
        Delivered { samples: 998, dropped: [(DropReason::OutOfOrder, 2)].into(), ..Delivered::default() }
    );
    let stored = backend.stored.lock().unwrap().clone();
    assert_eq!(stored, (0..1_000).filter(|n| !bad.contains(n)).collect::<Vec<_>>(), "once each and in order");
    assert!(backend.requests() <= 1 + 2 * 20, "{}", backend.requests());
    assert!(metrics.contains("samples_dropped_total{reason=\"out_of_order\"} 2\n"), "{metrics}");
    assert!(metrics.contains("samples_sent_total 998\n"), "{metrics}");
}

#[tokio::test]
async fn a_backend_that_refuses_everything_gets_a_bounded_number_of_requests() {
    let backend = Backend::refusing(Rules { bad: (0..2_000).collect(), ..Rules::default() });
    let (delivered, _) = deliver(&backend, &batch(2_000)).await;
    let alone = 2_000 - delivered.unproven.iter().map(Range::len).sum::<usize>();
    assert!((3..64).contains(&alone), "these are known to be refused: {alone}");
    assert_eq!((delivered.samples, delivered.dropped), (0, [(DropReason::OutOfOrder, 2_000)].into()));
    assert!(backend.requests() <= 1 + 64 + 11, "{}", backend.requests());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_split() {
    let backend = Backend::refusing(Rules { most: Some(300), ..Rules::default() });
    let (delivered, _) = deliver(&backend, &batch(1_000)).await;
    assert_eq!((delivered, backend.stored.lock().unwrap().len()), (taken(1_000), 1_000));
    let backend = Backend::refusing(Rules { most: Some(0), ..Rules::default() });
    let (delivered, _) = deliver(&backend, &batch(1)).await;
    assert_eq!(delivered.dropped, [(DropReason::TooLarge, 1)].into());
}

#[tokio::test]
async fn refused_metadata_costs_no_samples() {
    for series in [0, 1, 5] {
        let backend = Backend::refusing(Rules { no_metadata: true, ..Rules::default() });
        let mut batch = series_batch(series);
        Announcements::new().announce(&mut batch, &stream("g", "", UP_DOWN, &[]).0, UnixMillis(1));
        let (delivered, _) = deliver(&backend, &Batch::Series(batch)).await;
        assert_eq!((delivered, backend.seen.lock().unwrap()[0].message.metadata.len()), (taken(series as u64), 1));
    }
}

#[tokio::test]
async fn a_half_is_tried_again_like_any_request() {
    let backend = Backend::of([Reply::Status(400, &[], "duplicate sample for timestamp"), Reply::Status(503, &[], "")]);
    *backend.rules.lock().unwrap() = Rules { bad: [1].into(), ..Rules::default() };
    let (delivered, _) = deliver(&backend, &batch(2)).await;
    assert_eq!(
        delivered,
        Delivered { samples: 1, dropped: [(DropReason::OutOfOrder, 1)].into(), ..Delivered::default() }
    );
    assert_eq!(*backend.stored.lock().unwrap(), [0]);
}

#[tokio::test]
async fn credentials_and_headers_are_sent_and_a_token_file_is_read_for_every_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let backend = Backend::of([]);
    let base = settings(backend.serve().await);
    let with = |auth: Auth| {
        let headers = vec![("X-Scope-OrgID".into(), "tenant".into())];
        destination(&DestinationSettings { auth, headers, ..base.clone() })
    };
    let stop = CancellationToken::new();
    let password = Secret::Inline("hunter2".into());
    let (basic, _) = with(Auth::Basic { username: "me".into(), password });
    basic.deliver(&batch(1), &stop).await.unwrap();
    assert_eq!(backend.header(0, "authorization").as_deref(), Some("Basic bWU6aHVudGVyMg=="));
    assert_eq!(backend.header(0, "x-scope-orgid").as_deref(), Some("tenant"));

    let (bearer, metrics) = with(Auth::Bearer(Secret::File(path.clone())));
    let one = batch(1);
    let write = async {
        while !exposed(&metrics).contains("cause=\"credentials\"") {
            tokio::task::yield_now().await;
        }
        std::fs::write(&path, "").unwrap();
        std::fs::write(&path, " first\n").unwrap();
    };
    let (delivered, ()) = tokio::join!(bearer.deliver(&one, &stop), write);
    assert_eq!(delivered, Ok(taken(1)), "it waits for its token");
    std::fs::write(&path, "second").unwrap();
    bearer.deliver(&one, &stop).await.unwrap();
    let tokens: Vec<_> = [1, 2].map(|request| backend.header(request, "authorization").unwrap()).into();
    assert_eq!(tokens, ["Bearer first", "Bearer second"]);
}
