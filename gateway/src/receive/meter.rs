//! A body that is paid for as it comes in, that has a limit, and that may not take for ever.
//!
//! Everything that is read of a request is read through this, on both ports. The deadline is for the whole body: a
//! sender of one byte every few seconds would pass any limit on the pause between two.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use thiserror::Error;
use tokio::time::{Sleep, sleep};

use super::Reservation;
use super::buffer::Full;

/// Why a body was not read to its end.
#[derive(Debug, Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Full(#[from] Full),
    #[error("the body did not come within {0:?}")]
    TooSlow(Duration),
    #[error("the client went away")]
    Gone(#[source] hyper::Error),
}

/// A body under these rules. What has been read stays charged until the reservation shrinks or goes.
pub(super) struct Metered<B> {
    body: B,
    reservation: Reservation,
    limit: usize,
    read: usize,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    received: Counter,
}

impl<B> Metered<B> {
    /// `body` of at most `limit` bytes, all of them read within `patience`, at the expense of `reservation`.
    pub(super) fn new(body: B, reservation: Reservation, limit: usize, patience: Duration, received: Counter) -> Self {
        Self { body, reservation, limit, read: 0, patience, deadline: Box::pin(sleep(patience)), received }
    }

    fn charge(&mut self, data: &Bytes) -> Result<(), Full> {
        self.received.inc_by(data.len() as u64);
        self.read += data.len();
        if self.read > self.limit {
            return Err(Full::TooLarge { limit: self.limit });
        }
        Ok(self.reservation.grow(data.len())?)
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(ReadError::TooSlow(self.patience))));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(ReadError::Gone(error)))),
            None => return Poll::Ready(None),
        };
        let charged = frame.data_ref().map_or(Ok(()), |data| self.charge(data));
        Poll::Ready(Some(charged.map(|()| frame).map_err(ReadError::Full)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
