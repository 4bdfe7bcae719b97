//! `opentelemetry.proto.collector.metrics.v1.MetricsService` in raw bytes: the server glue and the client.
//!
//! Unlike our own services it takes compressed requests and hands their metadata on.

use std::convert::Infallible;
use std::future::Future;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response as HttpResponse};
use shardset_model::ShardIndex;
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, EnabledCompressionEncodings};
use tonic::codegen::{Body as HttpBody, Service, StdError};
use tonic::server::NamedService;
use tonic::{Request, Response, Status};

use crate::membership::FROM;
use crate::unary::{self, Accept, Connection, ServerFuture};

/// The gRPC path of `Export`.
pub const EXPORT_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Whoever answers an `Export`.
pub trait Export: Clone + Send + Sync + 'static {
    /// Takes the bytes of an `ExportMetricsServiceRequest`, answers with those of an `ExportMetricsServiceResponse`.
    fn export(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, Status>> + Send;
}

/// The service, for tonic's router.
#[derive(Clone, Debug)]
pub struct MetricsServer<T> {
    export: T,
    accept: Accept,
    from: Option<HeaderValue>,
}

impl<T: Export> MetricsServer<T> {
    /// Messages of at most `message_bytes_max` bytes, before and after decompression, go to `export`.
    pub fn new(export: T, message_bytes_max: usize) -> Self {
        let accept = Accept { encodings: EnabledCompressionEncodings::default(), message_bytes_max };
        Self { export, accept, from: None }
    }

    /// Says in every answer that it is of this shard's worker ([`crate::membership::is_from`]).
    #[must_use]
    pub fn of_shard(mut self, shard: ShardIndex) -> Self {
        self.from = Some(HeaderValue::from(shard.get()));
        self
    }

    /// Takes requests that are compressed so.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.accept.encodings.enable(encoding);
        self
    }
}

impl<T> NamedService for MetricsServer<T> {
    const NAME: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
}

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
        let export = self.export.clone();
        let serving = unary::serve(self.accept, request, move |request| {
            let export = export.clone();
            async move { export.export(request).await }
        });
        let Some(from) = self.from.clone() else { return serving };
        Box::pin(async move {
            let mut answer = serving.await?;
            answer.headers_mut().insert(HeaderName::from_static(FROM), from);
            Ok(answer)
        })
    }
}

/// The client's end.
#[derive(Clone, Debug)]
pub struct MetricsClient<C> {
    grpc: tonic::client::Grpc<C>,
}

impl<C: Connection> MetricsClient<C> {
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
        unary::call(&mut self.grpc, EXPORT_PATH, request).await
    }
}
