//! Why the shard did not do what it was asked, for now: nothing of it is done, and it may be asked again.

use shardset_handoff::Fenced;
use shardset_model::ShardIndex;
use thiserror::Error;

/// Why nothing was done.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum Unserved {
    /// It is for another worker.
    #[error("this is worker {is}, and the request is for worker {to}: the address was another worker's before")]
    Misaddressed {
        /// Who this is.
        is: ShardIndex,
        /// Whom it is for.
        to: u32,
    },
    /// The request was routed by another membership.
    #[error(transparent)]
    Fenced(Box<Fenced>),
    /// What would be counted can not be made durable.
    #[error("this worker can not write its journal now (its log says why); send again")]
    Unwritable,
    /// Too many points wait for streams that are on their way.
    #[error("too many points wait for streams that are on their way to this worker; send again")]
    NoRoomToPark,
    /// The request holds points of streams that this shard does not own under the membership that both mean.
    #[error(
        "the request holds points of streams that another shard owns: the gateway and this worker are of different sets, or do not agree what routes"
    )]
    Foreign,
    /// Another worker's message can not be read.
    #[error("the message can not be read: {0}")]
    Unreadable(String),
}
