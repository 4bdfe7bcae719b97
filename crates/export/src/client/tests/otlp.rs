//! The client against a backend of OTLP that follows a script, by HTTP and by gRPC.
//!
//! Both are real servers on loopback; the one of gRPC is tonic's. A script says what is meant, and each server says it in the words of
//! its protocol.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use shardset_model::{Identity, UnixMillis, UnixNanos, Value};
use shardset_wire::{Export, ExportAnswer, MetricsServer, status};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Status};

use super::{destination, exposed, quick, taken};
use crate::client::{
    Auth, Compression, Delivered, DestinationSettings, DropReason, Protocol, RetrySettings, Secret, Stopped,
};
use crate::fixtures::{UP_DOWN, frames, metric};
use crate::{Batch, Moment, Origin, PointsBatch, Sample};

const PROTOCOLS: [Protocol; 4] = [
    Protocol::OtlpHttp(Compression::Gzip),
    Protocol::OtlpHttp(Compression::None),
    Protocol::OtlpGrpc(Compression::Gzip),
    Protocol::OtlpGrpc(Compression::None),
];

/// One answer of the script.
#[derive(Clone, Copy, Debug)]
enum Say {
    /// Taken, but for so many points.
    Partly(u64, &'static str),
    /// Come back, by each status that says so: 0 to 3.
    Busy(usize),
    /// Come back after so many seconds.
    BusyFor(u64),
    /// Something is refused.
    Refused(&'static str),
    /// Not to be asked again.
    Failed,
    /// Who are you?
    Unknown,
}

/// What a backend of either protocol does and keeps.
#[derive(Clone, Default)]
struct Backend(Arc<Kept>);

#[derive(Default)]
struct Kept {
    script: Mutex<VecDeque<Say>>,
    /// The stream that it refuses when the script is over, by the value of its point, and how.
    bad: Mutex<Option<(i64, Say)>>,
    /// Values of the points of each request, and its head.
    seen: Mutex<Vec<(Vec<i64>, HeaderMap)>>,
    stored: Mutex<Vec<i64>>,
}

impl Backend {
    fn of(script: impl IntoIterator<Item = Say>) -> Self {
        Self(Arc::new(Kept { script: Mutex::new(script.into_iter().collect()), ..Kept::default() }))
    }

    fn refusing(bad: i64, how: Say) -> Self {
        Self(Arc::new(Kept { bad: Mutex::new(Some((bad, how))), ..Kept::default() }))
    }

    #[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
    async fn serve(&self, protocol: Protocol) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let backend = self.clone();
        if matches!(protocol, Protocol::OtlpGrpc(_)) {
            let server = Server::builder()
                .add_service(MetricsServer::new(backend, 4 << 20).accept_compressed(CompressionEncoding::Gzip));
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
            return format!("http://{address}");
        }
        let router = axum::Router::new().route("/v1/metrics", axum::routing::post(by_http)).with_state(backend);
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/v1/metrics")
    }

    fn requests(&self) -> usize {
        self.0.seen.lock().unwrap().len()
    }

    fn header(&self, request: usize, name: &str) -> Option<String> {
        let seen = self.0.seen.lock().unwrap();
        seen[request].1.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// Keeps a request and says what to answer; nothing means that all is taken.
    fn take(&self, message: &[u8], head: HeaderMap) -> Option<Say> {
        let values = values(&ExportMetricsServiceRequest::decode(message).unwrap());
        self.0.seen.lock().unwrap().push((values.clone(), head));
        if let Some(said) = self.0.script.lock().unwrap().pop_front() {
            return Some(said);
        }
        let bad = *self.0.bad.lock().unwrap();
        if let Some((_, said)) = bad.filter(|(bad, _)| values.contains(bad)) {
            return Some(said);
        }
        self.0.stored.lock().unwrap().extend(values);
        None
    }
}

fn values(request: &ExportMetricsServiceRequest) -> Vec<i64> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let data = scopes.flat_map(|scope| &scope.metrics).map(|metric| metric.data.as_ref().unwrap());
    let points = data.flat_map(|data| match data {
        Data::Sum(sum) => &sum.data_points,
        other => panic!("{other:?}"),
    });
    points.map(|point| point.time_unix_nano as i64 - 1_700_000_000_000_000_000).map(|nanos| nanos / 1_000_000).collect()
}

/// What a backend says, in the words of OTLP/HTTP.
async fn by_http(State(backend): State<Backend>, headers: HeaderMap, body: Bytes) -> Response {
    let message = match headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
        Some("gzip") => {
            let mut message = Vec::new();
            flate2::read::GzDecoder::new(&*body).read_to_end(&mut message).unwrap();
            message
        }
        None => body.to_vec(),
        Some(other) => panic!("{other}"),
    };
    let protobuf = [("content-type", "application/x-protobuf")];
    match backend.take(&message, headers) {
        None => (protobuf, Vec::<u8>::new()).into_response(),
        Some(Say::Partly(rejected_points, message)) => {
            (protobuf, partly(rejected_points, message).encode()).into_response()
        }
        Some(Say::Busy(nth)) => StatusCode::from_u16([429, 502, 503, 504][nth]).unwrap().into_response(),
        Some(Say::BusyFor(seconds)) => {
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", seconds.to_string())]).into_response()
        }
        Some(Say::Refused(why)) => {
            (StatusCode::BAD_REQUEST, protobuf, status::encode(Code::InvalidArgument, why)).into_response()
        }
        Some(Say::Failed) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Say::Unknown) => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// The same in the words of gRPC.
impl Export for Backend {
    async fn export(&self, request: Request<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
        let head = request.metadata().clone().into_headers();
        match self.take(&request.into_inner(), head) {
            None => Ok(tonic::Response::new(Bytes::new())),
            Some(Say::Partly(rejected_points, message)) => {
                Ok(tonic::Response::new(partly(rejected_points, message).encode()))
            }
            Some(Say::Busy(nth)) => {
                Err(Status::new([Code::Aborted, Code::DataLoss, Code::Unavailable, Code::Cancelled][nth], "busy"))
            }
            Some(Say::BusyFor(seconds)) => {
                let wait = Duration::from_secs(seconds);
                Err(status::with_retry_info(Code::ResourceExhausted, "busy".to_owned(), wait))
            }
            Some(Say::Refused(why)) => Err(Status::invalid_argument(why)),
            Some(Say::Failed) => Err(Status::internal("no")),
            Some(Say::Unknown) => Err(Status::unauthenticated("who are you?")),
        }
    }
}

fn partly(rejected_points: u64, message: &str) -> ExportAnswer {
    ExportAnswer { rejected_points, message: message.to_owned(), refused: Vec::new() }
}

/// Points of a sum, told apart by their times.
fn batch(streams: i64) -> Batch {
    let context = Arc::new(metric("s", "", UP_DOWN));
    let mut batch = PointsBatch::new();
    for n in 0..streams {
        let identity = Identity { context: Arc::clone(&context), attributes: frames(&[("n", &n.to_string())]) };
        let origin = Origin { identity: &identity, start: UnixNanos(1), own_time: None };
        let moments = [Moment::value(UnixMillis(1_700_000_000_000 + n))];
        batch.append(&origin, &Sample { value: Value::Int(n), moments: &moments, exemplars: &[] }).unwrap();
    }
    Batch::Points(batch)
}

fn settings(protocol: Protocol, url: &str) -> DestinationSettings {
    quick(DestinationSettings::new(protocol, url))
}

async fn deliver(backend: &Backend, protocol: Protocol, batch: &Batch) -> (Delivered, String) {
    let (destination, metrics) = destination(&settings(protocol, &backend.serve(protocol).await));
    let delivered = destination.deliver(batch, &CancellationToken::new()).await.unwrap();
    (delivered, exposed(&metrics))
}

#[tokio::test]
async fn a_request_arrives_by_either_protocol_compressed_or_not() {
    for protocol in PROTOCOLS {
        let backend = Backend::of([]);
        let (delivered, metrics) = deliver(&backend, protocol, &batch(3)).await;
        assert_eq!((delivered, backend.requests()), (taken(3), 1), "{protocol:?}");
        assert_eq!(*backend.0.stored.lock().unwrap(), [0, 1, 2], "{protocol:?}");
        let agent = concat!("shardset/", env!("CARGO_PKG_VERSION"));
        assert_eq!(backend.header(0, "user-agent").as_deref(), Some(agent), "{protocol:?}");
        for line in ["samples_sent_total 3\n", "success_timestamp_seconds 1700000000.0\n", "requests_in_flight 0\n"] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_until_it_is_taken() {
    for protocol in PROTOCOLS {
        let backend =
            Backend::of([Say::Busy(0), Say::Busy(1), Say::Busy(2), Say::Busy(3), Say::BusyFor(1), Say::Unknown]);
        let (delivered, metrics) = deliver(&backend, protocol, &batch(2)).await;
        assert_eq!((delivered, backend.requests()), (taken(2), 7), "{protocol:?}");
        let seen = backend.0.seen.lock().unwrap();
        assert!(seen.iter().all(|(values, _)| *values == [0, 1]), "the same request each time");
        assert!(metrics.contains("retries_total{cause=\"misconfigured\"} 1\n"), "{metrics}");
    }
}

#[tokio::test]
async fn a_backend_that_says_when_to_come_back_is_left_alone_until_then() {
    for protocol in PROTOCOLS {
        let backend = Backend::of([Say::BusyFor(3_600)]);
        let mut settings = settings(protocol, &backend.serve(protocol).await);
        settings.retry = RetrySettings { longest_asked: Duration::from_secs(7_200), ..settings.retry };
        let (destination, metrics) = destination(&settings);
        let (batch, stop) = (batch(1), CancellationToken::new());
        let stopper = async {
            while !exposed(&metrics).contains("retries_total{") {
                tokio::task::yield_now().await;
            }
            // Many times what it would wait by itself.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.cancel();
        };
        let (delivered, ()) = tokio::join!(destination.deliver(&batch, &stop), stopper);
        assert_eq!((delivered, backend.requests()), (Err(Stopped), 1), "{protocol:?}");
    }
}

#[tokio::test]
async fn rejected_points_are_counted_and_not_sent_again() {
    for protocol in PROTOCOLS {
        let backend = Backend::of([Say::Partly(2, "too many labels")]);
        let (delivered, metrics) = deliver(&backend, protocol, &batch(5)).await;
        let expected = Delivered { dropped: [(DropReason::PartialSuccess, 2)].into(), ..taken(3) };
        assert_eq!((delivered, backend.requests()), (expected, 1), "{protocol:?}");
        assert!(metrics.contains("samples_dropped_total{reason=\"partial_success\"} 2\n"), "{metrics}");
        assert!(metrics.contains("samples_sent_total 3\n"), "{metrics}");
        let backend = Backend::of([Say::Partly(0, "a warning")]);
        assert_eq!(deliver(&backend, protocol, &batch(5)).await.0, taken(5), "{protocol:?}");
    }
}

#[tokio::test]
async fn the_one_stream_that_is_refused_is_dropped_and_the_others_are_taken() {
    for protocol in PROTOCOLS {
        for (said, reason) in
            [(Say::Refused("out of order sample"), DropReason::OutOfOrder), (Say::Failed, DropReason::ServerError)]
        {
            let backend = Backend::refusing(77, said);
            let (delivered, metrics) = deliver(&backend, protocol, &batch(200)).await;
            let expected = Delivered { dropped: [(reason, 1)].into(), ..taken(199) };
            assert_eq!(delivered, expected, "{protocol:?} {said:?}");
            let stored = backend.0.stored.lock().unwrap();
            assert_eq!(*stored, (0..200).filter(|n| *n != 77).collect::<Vec<_>>(), "once each and in order");
            assert!(metrics.contains(&format!("dropped_total{{reason=\"{}\"}} 1\n", reason.name())), "{metrics}");
        }
    }
}

#[tokio::test]
async fn a_backend_that_fails_at_everything_is_not_flooded_and_what_it_failed_at_may_be_told_again() {
    for protocol in PROTOCOLS {
        let backend = Backend::of(vec![Say::Failed; 100]);
        let (delivered, _) = deliver(&backend, protocol, &batch(2_000)).await;
        assert_eq!((delivered.samples, delivered.dropped), (0, [(DropReason::ServerError, 2_000)].into()));
        assert!(backend.requests() <= 1 + 12, "{}", backend.requests());
        let unproven: usize = delivered.unproven.iter().map(ExactSizeIterator::len).sum();
        assert!(unproven >= 1_990, "{unproven}");
    }
}

#[tokio::test]
async fn credentials_and_headers_go_with_either_protocol() {
    for protocol in PROTOCOLS {
        let backend = Backend::of([]);
        let headers = vec![("X-Scope-OrgID".to_owned(), "tenant".to_owned())];
        let auth = Auth::Bearer(Secret::Inline("token".to_owned()));
        let settings = DestinationSettings { headers, auth, ..settings(protocol, &backend.serve(protocol).await) };
        destination(&settings).0.deliver(&batch(1), &CancellationToken::new()).await.unwrap();
        assert_eq!(backend.header(0, "authorization").as_deref(), Some("Bearer token"), "{protocol:?}");
        assert_eq!(backend.header(0, "x-scope-orgid").as_deref(), Some("tenant"), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_a_misconfiguration_or_a_broken_connection_and_nothing_is_lost() {
    let backend = Backend::of([]);
    let (http, grpc) = (Protocol::OtlpHttp(Compression::Gzip), Protocol::OtlpGrpc(Compression::Gzip));
    for (speaks, url) in [
        (http, format!("{}/v1/metrics", backend.serve(grpc).await)),
        (grpc, backend.serve(http).await.replace("/v1/metrics", "")),
    ] {
        let (destination, metrics) = destination(&settings(speaks, &url));
        let (batch, stop) = (batch(1), CancellationToken::new());
        let stopper = async {
            while !exposed(&metrics).contains("retries_total{") {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let (delivered, ()) = tokio::join!(destination.deliver(&batch, &stop), stopper);
        assert_eq!(delivered, Err(Stopped), "{speaks:?}");
    }
}
