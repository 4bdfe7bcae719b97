//! Weighs the bytes of requests as they are read, out of the budget of what a worker may hold at one time.
//!
//! gRPC says nothing about a request's length before its end, so the body is weighed frame by frame. Over the budget the
//! answer is retryable: the sender keeps its part and comes back. What is weighed is released when the request is answered.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use shardset_process::budget::{Budget, OverBudget, Reservation};
use shardset_wire::status::unavailable;
use tonic::Status;
use tonic::codegen::{Service, StdError};
use tonic::server::NamedService;

/// When a sender may come back. Long enough to apply what is held (some 100 ms at 256 MiB), short for a sender that gives
/// up after 10 s.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The answer to a request for which there is no room now.
pub(super) fn over_budget(over: OverBudget) -> Status {
    unavailable(format!("{over}; send again"), RETRY_AFTER)
}

/// Weighs the bodies of all requests to `inner`, which finds its [`Reservation`] among the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Weighed<S> {
    inner: S,
    budget: Budget,
    refused: Counter,
}

impl<S> Weighed<S> {
    /// Counts in `refused` the requests that are refused while they are read. Of those that are read, their reader does.
    pub(crate) fn new(inner: S, budget: Budget, refused: Counter) -> Self {
        Self { inner, budget, refused }
    }
}

impl<S: NamedService> NamedService for Weighed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Weighed<S>
where
    S: Service<http::Request<WeighedBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> S::Future {
        let (reservation, refused) = (self.budget.open(), self.refused.clone());
        request.extensions_mut().insert(reservation.clone());
        self.inner.call(request.map(|body| WeighedBody { body, reservation, refused }))
    }
}

/// A body that takes its bytes out of the budget as they arrive.
#[derive(Debug)]
pub(crate) struct WeighedBody<B> {
    body: B,
    reservation: Reservation,
    refused: Counter,
}

impl<B> Body for WeighedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<StdError>,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = self.get_mut();
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(context)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        let weight = frame.data_ref().map_or(0, Buf::remaining);
        this.reservation.grow(weight).map_err(|over| {
            this.refused.inc();
            over_budget(over)
        })?;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
