//! One call of a gRPC method in raw bytes, at either end. The services are built from it.
//!
//! tonic answers a message above the limit with `OUT_OF_RANGE`, which OTLP clients take as "send it again": a poison
//! message would come back for ever. The server here turns that one code into `RESOURCE_EXHAUSTED`, which without a
//! `RetryInfo` is final (OTLP 1.11, "Failures").

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Response as HttpResponse};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codec::EnabledCompressionEncodings;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Request, Response, Status};

use crate::RawCodec;

const OUT_OF_RANGE: HeaderValue = HeaderValue::from_static("11");
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");

/// What a server's call comes to.
pub(crate) type ServerFuture = Pin<Box<dyn Future<Output = Result<HttpResponse<Body>, Infallible>> + Send>>;

/// What a server takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accept {
    /// How requests may be compressed.
    pub(crate) encodings: EnabledCompressionEncodings,
    /// How large a message may be, before and after decompression.
    pub(crate) message_bytes_max: usize,
}

/// Answers one request with what `answer` makes of its message.
pub(crate) fn serve<B, F, A>(accept: Accept, request: http::Request<B>, answer: F) -> ServerFuture
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
    F: FnMut(Request<Bytes>) -> A + Send + 'static,
    A: Future<Output = Result<Response<Bytes>, Status>> + Send + 'static,
{
    let mut grpc = Grpc::new(RawCodec)
        .apply_compression_config(accept.encodings, EnabledCompressionEncodings::default())
        .apply_max_message_size_config(Some(accept.message_bytes_max), None);
    Box::pin(async move { Ok(make_too_large_final(grpc.unary(Unary(answer), request).await)) })
}

struct Unary<F>(F);

impl<F, A> UnaryService<Bytes> for Unary<F>
where
    F: FnMut(Request<Bytes>) -> A,
    A: Future<Output = Result<Response<Bytes>, Status>>,
{
    type Response = Bytes;
    type Future = A;

    fn call(&mut self, request: Request<Bytes>) -> A {
        (self.0)(request)
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

/// A client's connection: one of tonic's, or anything that behaves like it.
pub trait Connection:
    GrpcService<Body, ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError>> + Send + 'static>
{
}

impl<C> Connection for C where
    C: GrpcService<Body, ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError>> + Send + 'static>
{
}

/// Sends one request over a connection when it is ready: the server's answer, or `UNAVAILABLE` where there is no connection.
pub(crate) async fn call<C: Connection>(
    grpc: &mut tonic::client::Grpc<C>,
    path: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Status> {
    grpc.ready()
        .await
        .map_err(|error| Status::new(Code::Unavailable, format!("no connection: {}", Into::<StdError>::into(error))))?;
    grpc.unary(request, PathAndQuery::from_static(path), RawCodec).await
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::io;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use tonic::body::Body;
    use tonic::codegen::Service;
    use tonic::{Code, Request};

    /// A connection that never becomes one.
    struct Gone;

    impl Service<http::Request<Body>> for Gone {
        type Response = http::Response<Body>;
        type Error = io::Error;
        type Future = Ready<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            ready(Err(io::ErrorKind::NotConnected.into()))
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_not_there_is_unavailable() {
        let mut grpc = tonic::client::Grpc::new(Gone);
        let status = super::call(&mut grpc, "/a.B/C", Request::new(Bytes::new())).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "no connection: connection refused"));
    }
}
