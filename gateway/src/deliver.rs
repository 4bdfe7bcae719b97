//! Brings each shard's part of a request to its worker and comes back when all of them are durable.
//!
//! Many requests go to few workers, so parts are merged per shard: the fan-out of a request must not cost one RPC per
//! shard per request. Each part still has its own acknowledgement and its own deadline. A part whose worker is away is
//! retried against that worker alone until the deadline; it is never moved to another shard, because its stream's total
//! is there and nowhere else. Where the membership changes under a part, it comes back to be split again ([`Stale`]): which
//! shard its points belong to is not decided here.
//!
//! There is no queue behind an acknowledgement: what waits here has a client that waits for it, and is covered by the
//! bytes that client's request has reserved.

mod acks;
mod batch;
mod lanes;
mod link;
mod metrics;
mod retry;
mod shard;

use std::time::Duration;

use shardset_model::SetName;
use shardset_process::Tasks;
use shardset_tls::PeerTls;

pub use acks::{Acks, PartAnswer, Progress, Refused, Settled, Stale};
pub use lanes::Lanes;
pub use metrics::DeliverMetrics;

/// How parts are merged, sent and retried.
#[derive(Clone, Debug)]
pub struct DeliverSettings {
    /// How long a request may take altogether before its client is told to come back. Below the 10 s after which JS SDKs
    /// give up.
    pub deadline: Duration,
    /// How long one attempt may take before it counts as lost and the part is sent again.
    pub attempt_timeout: Duration,
    /// How long a part waits for company while others are on their way to its shard. With none on the way it leaves at once.
    pub linger: Duration,
    /// A merged request leaves when it has this many bytes.
    pub batch_bytes: usize,
    /// Merged requests on their way to one shard at a time.
    pub in_flight: usize,
    /// What clients are told to wait when a part could not be delivered.
    pub retry_after: Duration,
    /// Whose workers they are, which every request says.
    pub set: Option<SetName>,
    /// Whether they are reached with TLS.
    pub tls: PeerTls,
}

impl Default for DeliverSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(8),
            attempt_timeout: Duration::from_secs(4),
            linger: Duration::from_millis(2),
            batch_bytes: 1 << 20,
            in_flight: 4,
            retry_after: Duration::from_secs(1),
            set: None,
            tls: PeerTls::default(),
        }
    }
}

/// Makes the ways to workers ([`Lanes`]). Clones share what it counts.
#[derive(Clone, Debug)]
pub struct Deliver {
    settings: DeliverSettings,
    metrics: DeliverMetrics,
    tasks: Tasks,
}

impl Deliver {
    /// Delivers under these settings, by tasks among `tasks`.
    pub fn new(settings: DeliverSettings, metrics: &DeliverMetrics, tasks: &Tasks) -> Self {
        Self { settings, metrics: metrics.clone(), tasks: tasks.clone() }
    }

    /// Under which settings.
    pub const fn settings(&self) -> &DeliverSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests;
