//! A service of our own, whatever its methods are: the server that tonic routes to, and the client.
//!
//! The methods are a `match` over paths, written where the service is; what tonic wants around it is written here, once.
//! Messages are read here and nowhere else: a server answers a malformed one with `INVALID_ARGUMENT`, and a client takes a
//! malformed answer as `INTERNAL`, both naming the field.

use std::convert::Infallible;
use std::future::Future;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response as HttpResponse;
use tonic::body::Body;
use tonic::codec::EnabledCompressionEncodings;
use tonic::codegen::{Body as HttpBody, Service, StdError};
use tonic::server::NamedService;
use tonic::{Request, Response, Status};

use crate::message::{self, Twin};
use crate::unary::{self, Accept, Connection, ServerFuture};

/// The methods of one service.
pub trait Methods: Clone + Send + Sync + 'static {
    /// The service's name, with its package.
    const SERVICE: &'static str;
    /// How large a request may be.
    const MESSAGE_BYTES_MAX: usize;

    /// Answers the bytes of a request with those of its answer. A path that is no method is `UNIMPLEMENTED`.
    fn answer(&self, path: &str, request: Bytes) -> impl Future<Output = Result<Bytes, Status>> + Send;
}

/// The answer to a path that is no method of the service.
pub(crate) fn no_method(path: &str) -> Status {
    Status::unimplemented(format!("there is no method {path}"))
}

/// A service, for tonic's router.
#[derive(Clone, Debug)]
pub struct Server<M>(pub(crate) M);

impl<M: Methods> NamedService for Server<M> {
    const NAME: &'static str = M::SERVICE;
}

impl<M, B> Service<http::Request<B>> for Server<M>
where
    M: Methods,
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
        let accept =
            Accept { encodings: EnabledCompressionEncodings::default(), message_bytes_max: M::MESSAGE_BYTES_MAX };
        let (methods, uri) = (self.0.clone(), request.uri().clone());
        unary::serve(accept, request, move |request| {
            let (methods, uri) = (methods.clone(), uri.clone());
            async move { methods.answer(uri.path(), request.into_inner()).await.map(Response::new) }
        })
    }
}

/// The client's end of any service.
#[derive(Clone, Debug)]
pub(crate) struct Client<C> {
    grpc: tonic::client::Grpc<C>,
}

impl<C: Connection> Client<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { grpc: tonic::client::Grpc::new(connection) }
    }

    /// Calls the method with this path, which answers with an `A`. An answer has at most tonic's 4 MiB: the largest, a report
    /// of 999 ways each way, has 50 KiB.
    pub(crate) async fn call<A: Twin>(
        &mut self,
        path: &'static str,
        request: &impl prost::Message,
    ) -> Result<A::Noun, Status> {
        let answer = unary::call(&mut self.grpc, path, Request::new(message::encode(request))).await?;
        message::decode::<A>(answer.into_inner())
            .map_err(|malformed| Status::internal(format!("the answer of {path}: {}", malformed.in_words())))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tonic::{Code, Status};

    use super::{Client, Methods, Server};
    use crate::message::{Report, StatusRequest};

    /// A service whose answers are no protobuf.
    #[derive(Clone)]
    struct Garbled;

    impl Methods for Garbled {
        const SERVICE: &'static str = "shardset.v1.Garbled";
        const MESSAGE_BYTES_MAX: usize = 1 << 10;

        async fn answer(&self, _: &str, _: Bytes) -> Result<Bytes, Status> {
            Ok(Bytes::from_static(&[0x0a]))
        }
    }

    #[tokio::test]
    async fn an_answer_that_can_not_be_read_is_an_internal_error() {
        let mut client = Client::new(Server(Garbled));
        let status = client.call::<Report>("/shardset.v1.Garbled/Status", &StatusRequest {}).await.unwrap_err();
        let expected = "the answer of /shardset.v1.Garbled/Status: the message can not be read: ";
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().starts_with(expected), "{}", status.message());
    }
}
