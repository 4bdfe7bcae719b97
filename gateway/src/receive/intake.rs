//! What the receiver hands on, and what it wants back.
//!
//! The next stages are behind one trait, so the receiver knows nothing of streams or shards and a test scripts them in
//! three lines. Whatever a request came in (gRPC, HTTP, JSON, any compression), it goes on as plain protobuf bytes: from
//! here on there is one kind of request.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::Reservation;

/// The stages behind the receiver.
pub trait Intake: Clone + Send + Sync + 'static {
    /// Takes one request and says what became of it.
    ///
    /// The future is dropped when the client goes away before the answer. A client that saw no answer sends again, so
    /// it is harmless whether the points were counted or not.
    fn take(&self, request: Request) -> impl Future<Output = Answer> + Send;
}

/// One request to export metrics.
#[derive(Debug)]
pub struct Request {
    /// An `ExportMetricsServiceRequest`, plain protobuf, not checked yet. Where it came as JSON it is canonical.
    pub body: Bytes,
    /// What it came by. For counting only.
    pub protocol: Protocol,
    /// The bytes that this request takes of the budget, given back when the last clone goes. Keep one as long as `body`
    /// or anything of its size is kept.
    pub reservation: Reservation,
}

/// What a request came by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

/// What became of a request. All three are final for this attempt; only the last asks the client to come back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Every point is durable at its owner, or is one of the rejected.
    Accepted {
        /// Points that were refused for good; clients do not send them again.
        rejected_points: u64,
        /// Why. May be a warning where nothing was rejected; empty on full success.
        message: String,
    },
    /// The bytes are not what they should be; sending them again changes nothing. `INVALID_ARGUMENT`, 400.
    Malformed {
        /// What is wrong, and where.
        message: String,
    },
    /// Not now. `UNAVAILABLE` with `RetryInfo`, 503 with `Retry-After` (whole seconds, rounded up).
    Unavailable {
        /// What is in the way.
        message: String,
        /// When to come back. Beyond 3 s some SDKs give up at once.
        retry_after: Duration,
    },
}

impl Answer {
    /// Every point is durable.
    pub const fn accepted() -> Self {
        Self::Accepted { rejected_points: 0, message: String::new() }
    }
}
