//! `opentelemetry.proto.collector.metrics.v1.MetricsService` in raw bytes: the server glue and the client.
//!
//! tonic answers a message above the limit with `OUT_OF_RANGE`, which OTLP clients take as "send it again": a poison
//! message would come back for ever. The server here turns that one code into `RESOURCE_EXHAUSTED`, which without a
//! `RetryInfo` is final (OTLP 1.11, "Failures").

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Response as HttpResponse};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codec::{CompressionEncoding, EnabledCompressionEncodings};
use tonic::codegen::{Body as HttpBody, Service, StdError};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};

use crate::RawCodec;

/// The gRPC path of `Export`.
pub const EXPORT_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

const OUT_OF_RANGE: HeaderValue = HeaderValue::from_static("11");
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");

/// Whoever answers an `Export`.
pub trait Export: Clone + Send + Sync + 'static {
    /// Takes the bytes of an `ExportMetricsServiceRequest`, answers with those of an `ExportMetricsServiceResponse`.
    fn export(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, Status>> + Send;
}

/// The service, for tonic's router.
#[derive(Clone, Debug)]
pub struct MetricsServer<T> {
    export: T,
    accept: EnabledCompressionEncodings,
    message_bytes_max: usize,
}

impl<T: Export> MetricsServer<T> {
    /// Messages of at most `message_bytes_max` bytes, before and after decompression, go to `export`.
    pub fn new(export: T, message_bytes_max: usize) -> Self {
        Self { export, accept: EnabledCompressionEncodings::default(), message_bytes_max }
    }

    /// Takes requests that are compressed so.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.accept.enable(encoding);
        self
    }
}

impl<T> NamedService for MetricsServer<T> {
    const NAME: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
}

type ServerFuture = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

impl<T, B> Service<http::Request<B>> for MetricsServer<T>
where
    T: Export,
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = ServerFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> ServerFuture {
        if request.uri().path() != EXPORT_PATH {
            let answer = Status::unimplemented("MetricsService has one method, Export").into_http();
            return Box::pin(std::future::ready(Ok(answer)));
        }
        let mut grpc = Grpc::new(RawCodec)
            .apply_compression_config(self.accept, EnabledCompressionEncodings::default())
            .apply_max_message_size_config(Some(self.message_bytes_max), None);
        let unary = Unary(self.export.clone());
        Box::pin(async move { Ok(make_too_large_final(grpc.unary(unary, request).await)) })
    }
}

struct Unary<T>(T);

impl<T: Export> UnaryService<Bytes> for Unary<T> {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let export = self.0.clone();
        Box::pin(async move { export.export(request).await })
    }
}

/// An error before the message was read is a response of headers only, so the code stands there.
fn make_too_large_final(mut response: HttpResponse<Body>) -> HttpResponse<Body> {
    if let Some(code) = response.headers_mut().get_mut(Status::GRPC_STATUS)
        && *code == OUT_OF_RANGE
    {
        *code = RESOURCE_EXHAUSTED;
    }
    response
}

/// The client's end.
#[derive(Clone, Debug)]
pub struct MetricsClient<C> {
    grpc: tonic::client::Grpc<C>,
}

impl<C> MetricsClient<C>
where
    C: GrpcService<Body>,
    C::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <C::ResponseBody as HttpBody>::Error: Into<StdError>,
    C::Error: Into<StdError>,
{
    /// A client over this connection.
    pub fn new(connection: C) -> Self {
        Self { grpc: tonic::client::Grpc::new(connection) }
    }

    /// Sends requests compressed so.
    #[must_use]
    pub fn send_compressed(self, encoding: CompressionEncoding) -> Self {
        Self { grpc: self.grpc.send_compressed(encoding) }
    }

    /// Sends the bytes of an `ExportMetricsServiceRequest`.
    ///
    /// # Errors
    ///
    /// The server's status, or `UNAVAILABLE` where there is no connection.
    pub async fn export(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        self.grpc.ready().await.map_err(|error| {
            Status::new(Code::Unavailable, format!("no connection: {}", Into::<StdError>::into(error)))
        })?;
        self.grpc.unary(request, PathAndQuery::from_static(EXPORT_PATH), RawCodec).await
    }
}
