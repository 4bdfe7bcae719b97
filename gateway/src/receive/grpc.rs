//! OTLP/gRPC: the metrics service, health, and a clear answer to everything else.
//!
//! tonic collects a message and decompresses it at once, on the thread that polls it, before anybody else sees its size.
//! So the bytes on the wire are charged as they come ([`super::meter`]) and the decompressed ones right after; in
//! between, at most one message per runtime thread is outside of the budget: threads x (64 MiB of message + what the
//! decoder holds, for zstd at most as much again). tonic also sets aside as much as a message claims to be, which is
//! address space until bytes come, and those are charged.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use shardset_wire::metrics_service::EXPORT_PATH;
use shardset_wire::{Export, ExportAnswer, MetricsServer, status};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::{Code, Request as GrpcRequest, Response as GrpcResponse, Status};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::Service;

use super::buffer::Full;
use super::listen::Serve;
use super::meter::ReadError;
use super::metrics::ProtocolLabel;
use super::{Answer, Intake, Outcome, Protocol, Request, Reservation, Shared};

/// A gRPC message is preceded by a flag and its length.
const PREFIX: usize = 5;

/// A health request is the name of a service.
const HEALTH_REQUEST_MAX: usize = 1024;

/// The gRPC port.
#[derive(Clone)]
pub(super) struct Grpc<I> {
    shared: Shared<I>,
    metrics_service: MetricsServer<Exporter<I>>,
    health: HealthServer<HealthService>,
}

impl<I: Intake> Grpc<I> {
    pub(super) fn new(shared: Shared<I>, health: HealthServer<HealthService>) -> Self {
        let exporter = Exporter { shared: shared.clone() };
        let metrics_service = MetricsServer::new(exporter, shared.settings.message_bytes_max)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Deflate)
            .accept_compressed(CompressionEncoding::Zstd);
        Self { shared, metrics_service, health }
    }

    async fn export(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let mut attended = self.shared.metrics.begin(Protocol::Grpc);
        let request = self.metered(request, self.shared.settings.message_bytes_max);
        let Ok(response) = self.metrics_service.clone().call(request).await;
        attended.ended(outcome(&response));
        response
    }

    /// The request with its body metered and its reservation among its extensions, where the answering end finds it.
    fn metered(&self, request: http::Request<Incoming>, message_bytes_max: usize) -> http::Request<Body> {
        let reservation = self.shared.budget.open();
        let retry_after = self.shared.settings.retry_after;
        let (mut head, body) = request.into_parts();
        head.extensions.insert(reservation.clone());
        let limit = message_bytes_max.saturating_add(PREFIX);
        let body = self.shared.metered(body, reservation, limit, Protocol::Grpc);
        http::Request::from_parts(head, Body::new(body.map_err(move |error| refusal(&error, retry_after))))
    }
}

impl<I: Intake> Serve for Grpc<I> {
    type Body = Body;
    const LABEL: ProtocolLabel = ProtocolLabel::Grpc;

    async fn serve(&self, request: http::Request<Incoming>) -> http::Response<Body> {
        let path = request.uri().path();
        if path == EXPORT_PATH && is_grpc(&request) {
            return self.export(request).await;
        }
        if path.strip_prefix('/').is_some_and(|path| path.starts_with(HealthServer::<HealthService>::NAME)) {
            let Ok(response) = self.health.clone().call(self.metered(request, HEALTH_REQUEST_MAX)).await;
            return response;
        }
        self.shared.metrics.begin(Protocol::Grpc).ended(Outcome::NotServed);
        if is_grpc(&request) { not_served(path).into_http() } else { no_grpc() }
    }
}

fn is_grpc(request: &http::Request<Incoming>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type
        .is_some_and(|value| value.starts_with(b"application/grpc") && !value.starts_with(b"application/grpc-web"))
}

fn not_served(path: &str) -> Status {
    let signal = ["logs", "trace", "profiles"]
        .into_iter()
        .find(|signal| path.starts_with(&format!("/opentelemetry.proto.collector.{signal}.")));
    Status::unimplemented(match signal {
        Some("trace") => "traces are not served here; this is a metrics gateway".to_owned(),
        Some(signal) => format!("{signal} are not served here; this is a metrics gateway"),
        None => format!("{path} is not served here; {EXPORT_PATH} is"),
    })
}

/// As the gRPC protocol wants it for what is no gRPC at all.
fn no_grpc() -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// What a client is told about a body that could not be read.
fn refusal(error: &ReadError, retry_after: Duration) -> Status {
    match error {
        ReadError::Full(Full::TooLarge { .. }) => Status::resource_exhausted(error.to_string()),
        ReadError::Full(Full::OverBudget(_)) | ReadError::TooSlow(_) => {
            status::unavailable(error.to_string(), retry_after)
        }
        // Nobody is there to hear it. Not `cancelled`, which tonic takes for the message's end.
        ReadError::Gone(_) => Status::aborted(error.to_string()),
    }
}

/// How a request ended, seen from its response: of an answer by the pipeline it says so itself, an error's code is in the
/// headers.
fn outcome(response: &http::Response<Body>) -> Outcome {
    if let Some(outcome) = response.extensions().get::<Outcome>() {
        return *outcome;
    }
    match response.headers().get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes())) {
        None | Some(Code::Ok) => Outcome::Accepted,
        Some(Code::ResourceExhausted) => Outcome::TooLarge,
        Some(Code::Unavailable) => Outcome::Unavailable,
        Some(Code::Unimplemented) => Outcome::NotServed,
        Some(Code::Aborted) => Outcome::Gone,
        Some(_) => Outcome::Malformed,
    }
}

/// Hands a collected message on, and turns the answer into gRPC's words.
#[derive(Clone)]
struct Exporter<I> {
    shared: Shared<I>,
}

impl<I: Intake> Export for Exporter<I> {
    async fn export(&self, mut request: GrpcRequest<Bytes>) -> Result<GrpcResponse<Bytes>, Status> {
        let reservation =
            request.extensions_mut().remove::<Reservation>().expect("`metered` puts it into every request");
        let body = request.into_inner();
        self.charge(&reservation, body.len())?;
        self.shared.metrics.taken(Protocol::Grpc, body.len());
        match self.shared.intake.take(Request { body, protocol: Protocol::Grpc, reservation }).await {
            Answer::Accepted { rejected_points, message } => Ok(success(rejected_points, message)),
            Answer::Malformed { message } => Err(Status::invalid_argument(message)),
            Answer::Unavailable { message, retry_after } => Err(status::unavailable(message, retry_after)),
        }
    }
}

impl<I> Exporter<I> {
    /// From what was charged on the wire to what is held now.
    fn charge(&self, reservation: &Reservation, held: usize) -> Result<(), Status> {
        let charged = usize::try_from(reservation.bytes()).expect("it was counted in usize");
        reservation.shrink(charged.saturating_sub(held));
        let more = reservation.grow(held.saturating_sub(charged));
        more.map_err(|over| status::unavailable(over.to_string(), self.shared.settings.retry_after))
    }
}

fn success(rejected_points: u64, message: String) -> GrpcResponse<Bytes> {
    let full = rejected_points == 0 && message.is_empty();
    let answer = ExportAnswer { rejected_points, message, refused: Vec::new() };
    let mut response = GrpcResponse::new(answer.encode());
    response.extensions_mut().insert(if full { Outcome::Accepted } else { Outcome::Partial });
    response
}
