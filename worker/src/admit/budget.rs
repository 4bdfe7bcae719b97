//! The bytes of requests that a worker holds at one time, counted from the first byte read.
//!
//! gRPC says nothing about a request's length before its end, so the body is weighed frame by frame. Over the budget the
//! answer is retryable: the sender keeps its part and comes back. What is weighed is released when the request is answered.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use shardset_wire::status::unavailable;
use tonic::Status;
use tonic::codegen::{Service, StdError};
use tonic::server::NamedService;

/// When a sender may come back. Long enough to apply what is held (some 100 ms at 256 MiB), short for a sender that gives
/// up after 10 s.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many bytes may be held, and how many are.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    held: AtomicUsize,
    gauge: Gauge,
    refused: Counter,
}

/// A request's share of the budget, given back on drop.
#[derive(Clone, Debug)]
pub(crate) struct Share(Arc<Held>);

#[derive(Debug)]
struct Held {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Budget {
    /// A budget of `max` bytes that shows in `gauge` how much of it is used, and counts in `refused` the requests that
    /// are refused while they are read. Of those that are read, their reader counts the refusals.
    pub(crate) fn new(max: usize, gauge: Gauge, refused: Counter) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0), gauge, refused })
    }

    /// A share of no bytes yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share(Arc::new(Held { budget: Arc::clone(self), bytes: AtomicUsize::new(0) }))
    }

    fn take(&self, bytes: usize) -> bool {
        let grown = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|&sum| sum <= self.max)
        });
        self.show();
        grown.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.show();
    }

    fn count_refused(&self) {
        self.refused.inc();
    }

    fn show(&self) {
        self.gauge.set(i64::try_from(self.held.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
    }
}

impl Share {
    /// Makes the share this large, for a message that grew by decompression. It never shrinks before it is dropped.
    ///
    /// # Errors
    ///
    /// The retryable answer where the budget does not have that much.
    pub(crate) fn grow_to(&self, bytes: usize) -> Result<(), Status> {
        self.grow(bytes.saturating_sub(self.0.bytes.load(Ordering::Relaxed)))
    }

    fn grow(&self, bytes: usize) -> Result<(), Status> {
        if !self.0.budget.take(bytes) {
            return Err(unavailable("the worker holds as many bytes of requests as it may; send again", RETRY_AFTER));
        }
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(*self.bytes.get_mut());
    }
}

/// Weighs the bodies of all requests to `inner`, which finds the [`Share`] among the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Weighed<S> {
    inner: S,
    budget: Arc<Budget>,
}

impl<S> Weighed<S> {
    pub(crate) fn new(inner: S, budget: Arc<Budget>) -> Self {
        Self { inner, budget }
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
        let share = self.budget.share();
        request.extensions_mut().insert(share.clone());
        self.inner.call(request.map(|body| WeighedBody { body, share }))
    }
}

/// A body that takes its bytes out of the budget as they arrive.
#[derive(Debug)]
pub(crate) struct WeighedBody<B> {
    body: B,
    share: Share,
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
        this.share.grow(weight).inspect_err(|_| this.share.0.budget.count_refused())?;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use tonic::Code;

    use super::Budget;

    #[test]
    fn a_share_is_given_back_when_its_last_holder_is_gone() {
        let gauge = Gauge::default();
        let budget = Budget::new(100, gauge.clone(), Counter::default());
        let share = budget.share();
        share.grow_to(60).unwrap();
        let held_elsewhere = share.clone();
        drop(share);
        assert_eq!(gauge.get(), 60);
        drop(held_elsewhere);
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn over_the_budget_the_answer_is_retryable_and_nothing_is_taken() {
        let budget = Budget::new(100, Gauge::default(), Counter::default());
        let (first, second) = (budget.share(), budget.share());
        first.grow_to(60).unwrap();
        let status = second.grow_to(41).unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(shardset_wire::status::retry_after(&status).is_some());
        second.grow_to(40).unwrap();
        drop(first);
        second.grow_to(100).unwrap();
    }
}
