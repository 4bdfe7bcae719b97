//! Admit: takes requests off the wire, weighs and checks them, and hands them to the shard's thread.
//!
//! The hop is plain OTLP/gRPC `Export` with the sender's membership as metadata. What can be refused without the shard's
//! state is refused here, on the server's threads: too many bytes, half a membership, malformed bytes. A request is
//! checked as a whole before its first point is counted, because a client that is told "malformed" was told that nothing of it counts.
//!
//! | what | answer |
//! | --- | --- |
//! | more bytes in flight than the budget has, or a shard that stops | `UNAVAILABLE` with RetryInfo |
//! | a message above the limit | `RESOURCE_EXHAUSTED`, final |
//! | malformed bytes, half a membership | `INVALID_ARGUMENT` |
//! | a membership older than the worker's, or no membership | `FAILED_PRECONDITION`; with the worker's membership as metadata |
//! | a request for another worker, which had this one's address before | `UNAVAILABLE` with RetryInfo |
//! | an empty disk, a journal that can not be written, too many points that wait for their streams | `UNAVAILABLE` with RetryInfo |
//! | another membership with the same epoch, or points of another shard's streams | `INTERNAL`: a bug of ours or two sets mixed up, never a matter of waiting |
//!
//! Does not look at points: that is the shard's thread's work.

mod weigh;

use std::time::Duration;

use bytes::Bytes;
use shardset_handoff::Fenced;
use shardset_model::{Membership, ShardIndex};
use shardset_otlp::Malformed;
use shardset_otlp::read::{Scratch, check};
use shardset_process::budget::{Budget, Reservation};
use shardset_wire::membership::{self, BadMembership};
use shardset_wire::status::unavailable;
use shardset_wire::{Export, MetricsServer};
use thiserror::Error;
use tokio::sync::oneshot;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};

pub(crate) use self::weigh::RETRY_AFTER;
use self::weigh::{Weighed, over_budget};
use crate::metrics::ShardMetrics;
use crate::persist::Answered;
use crate::shard::{Event, Mailbox, Unserved};

/// When a sender may come back to a worker that waits to be told the membership: the coordinator is about to.
const TOLD_AFTER: Duration = Duration::from_millis(20);

/// The value of the label `outcome` for requests beyond the byte budget, whichever way they are noticed.
const OVER_BUDGET: &str = "over_budget";
/// The outcome of a request that is for another worker.
pub(crate) const MISADDRESSED: &str = "misaddressed";

/// A request whose bytes are sound. Whether it may be counted is decided where it is counted.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// An `ExportMetricsServiceRequest`.
    pub(crate) bytes: Bytes,
    /// The membership it was routed by.
    pub(crate) theirs: Option<Membership>,
    /// Who waits for the answer.
    pub(crate) reply: oneshot::Sender<Result<Answered, Unserved>>,
    /// Its part of the budget, held until it is answered.
    pub(crate) reservation: Reservation,
}

/// Why a request was refused as a whole.
#[derive(Debug, Error)]
enum NotTaken {
    #[error(transparent)]
    Membership(#[from] BadMembership),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("over the budget")]
    OverBudget(#[source] Status),
    #[error(transparent)]
    Unserved(#[from] Unserved),
    #[error("the worker stops; send again")]
    Stopping,
}

/// The server of the hop, for tonic's router.
pub(crate) fn service(
    shard: ShardIndex,
    mailbox: Mailbox,
    message_bytes_max: usize,
    inflight_bytes_max: usize,
    metrics: ShardMetrics,
) -> Weighed<MetricsServer<Admit>> {
    let budget = Budget::shown_by(metrics.inflight.clone(), inflight_bytes_max as u64);
    let refused = metrics.requests(OVER_BUDGET);
    let server = MetricsServer::new(Admit { shard, mailbox, metrics }, message_bytes_max)
        .of_shard(shard)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd);
    Weighed::new(server, budget, refused)
}

/// Takes the requests of one shard.
#[derive(Clone, Debug)]
pub(crate) struct Admit {
    shard: ShardIndex,
    mailbox: Mailbox,
    metrics: ShardMetrics,
}

impl Export for Admit {
    async fn export(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        match self.take(request).await {
            Ok(answered) => {
                self.metrics.answered("accepted");
                Ok(Response::new(answered.into_bytes()))
            }
            Err(not_taken) => {
                self.metrics.answered(not_taken.outcome());
                Err(not_taken.into_status())
            }
        }
    }
}

impl Admit {
    async fn take(&self, request: Request<Bytes>) -> Result<Answered, NotTaken> {
        let theirs = membership::read(request.metadata())?;
        if let Some(to) = membership::read_to(request.metadata())?.filter(|to| *to != self.shard.get()) {
            return Err(Unserved::Misaddressed { is: self.shard, to }.into());
        }
        let weighed = request.extensions().get::<Reservation>().expect("the server is wrapped in Weighed");
        let reservation = weighed.clone();
        let bytes = request.into_inner();
        // A message that grew by decompression weighs what it is now.
        let more = bytes.len().saturating_sub(usize::try_from(reservation.bytes()).unwrap_or(usize::MAX));
        reservation.grow(more).map_err(|over| NotTaken::OverBudget(over_budget(over)))?;
        check(&bytes, &mut Scratch::default())?;
        let (reply, answer) = oneshot::channel();
        let admitted = Admitted { bytes, theirs, reply, reservation };
        self.mailbox.send(Event::Request(admitted)).await.map_err(|_| NotTaken::Stopping)?;
        Ok(answer.await.map_err(|_| NotTaken::Stopping)??)
    }
}

impl NotTaken {
    /// The value of the label `outcome`.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Membership(_) => "bad_membership",
            Self::Malformed(_) => "malformed",
            Self::OverBudget(_) => OVER_BUDGET,
            Self::Unserved(Unserved::Fenced(fenced)) => match **fenced {
                Fenced::NoMembership => "no_membership",
                Fenced::NoEpoch => "no_epoch",
                Fenced::Stale { .. } => "stale_epoch",
                Fenced::Conflict { .. } => "epoch_conflict",
            },
            Self::Unserved(Unserved::Misaddressed { .. }) => MISADDRESSED,
            Self::Unserved(Unserved::Unwritable) => "unwritable",
            Self::Unserved(Unserved::NoRoomToPark) => "no_room_to_park",
            Self::Unserved(Unserved::Foreign | Unserved::Unreadable(_)) => "foreign",
            Self::Stopping => "stopping",
        }
    }

    fn into_status(self) -> Status {
        let message = self.to_string();
        match self {
            Self::Membership(_) | Self::Malformed(_) => Status::invalid_argument(message),
            Self::OverBudget(status) => status,
            Self::Unserved(unserved) => unserved_status(unserved),
            Self::Stopping => unavailable(message, RETRY_AFTER),
        }
    }
}

/// What a peer is told of what the shard did not do.
pub(crate) fn unserved_status(unserved: Unserved) -> Status {
    let message = unserved.to_string();
    match unserved {
        Unserved::Fenced(fenced) => fenced_status(message, &fenced),
        Unserved::Misaddressed { .. } | Unserved::Unwritable | Unserved::NoRoomToPark => {
            unavailable(message, RETRY_AFTER)
        }
        Unserved::Foreign | Unserved::Unreadable(_) => Status::internal(message),
    }
}

fn fenced_status(message: String, fenced: &Fenced) -> Status {
    match fenced {
        Fenced::Stale { mine, .. } => {
            let mut status = Status::failed_precondition(message);
            membership::write(mine, status.metadata_mut());
            status
        }
        Fenced::NoMembership => Status::failed_precondition(message),
        Fenced::NoEpoch => unavailable(message, TOLD_AFTER),
        Fenced::Conflict { .. } => Status::internal(message),
    }
}
