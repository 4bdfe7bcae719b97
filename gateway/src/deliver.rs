//! Brings each shard's part of a request to its worker and comes back when all of them are durable.
//!
//! Many requests go to few workers, so parts are merged per shard: the fan-out of a request must not cost one RPC per
//! shard per request. Each part still has its own acknowledgement and its own deadline. A part whose worker is away is
//! retried against that worker alone until the deadline; it is never moved to another shard, because its stream's total
//! is there and nowhere else.
//!
//! There is no queue behind an acknowledgement: what waits here has a client that waits for it, and is covered by the
//! bytes that client's request has reserved.

mod batch;
mod link;
mod metrics;
mod retry;
mod shard;

use std::time::Duration;

use shardset_process::Tasks;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub use batch::{PartAnswer, Refused};
pub use link::Link;
pub use metrics::DeliverMetrics;

use batch::Part;

use crate::route::Routed;

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
        }
    }
}

/// Parts that may wait for one shard's merger. Their bytes are bounded by the budget of the receiver; this bounds their
/// number at 4,096 x about 200 bytes of bookkeeping.
const QUEUED_PARTS: usize = 4096;

/// The way to all shards. Clones share it.
#[derive(Clone, Debug)]
pub struct Deliver {
    shards: Vec<mpsc::Sender<Part>>,
    settings: DeliverSettings,
}

impl Deliver {
    /// Starts one merger per link; the position of a link is the number of its shard.
    pub fn start(links: Vec<Link>, settings: DeliverSettings, metrics: &DeliverMetrics, tasks: &Tasks) -> Self {
        let start = |(number, link): (usize, Link)| {
            let (sender, queue) = mpsc::channel(QUEUED_PARTS);
            let merger = shard::Merger::new(queue, link, settings.clone(), metrics.of_shard(number));
            tasks.spawn(format!("deliver-{number}"), merger.run());
            sender
        };
        Self { shards: links.into_iter().enumerate().map(start).collect(), settings }
    }

    /// What clients are told to wait when a part could not be delivered.
    pub fn retry_after(&self) -> Duration {
        self.settings.retry_after
    }

    /// Delivers all parts of one request, in parallel. The answers are in the order of the parts.
    pub async fn deliver(&self, parts: Vec<Routed>) -> Vec<PartAnswer> {
        let deadline = Instant::now() + self.settings.deadline;
        let mut waiting = Vec::with_capacity(parts.len());
        for part in parts {
            waiting.push(self.enqueue(part, deadline).await);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answer in waiting {
            answers.push(match answer {
                Ok(answer) => answer.await.unwrap_or_else(|_| PartAnswer::unavailable("the gateway is stopping")),
                Err(refused) => refused,
            });
        }
        answers
    }

    async fn enqueue(&self, part: Routed, deadline: Instant) -> Result<oneshot::Receiver<PartAnswer>, PartAnswer> {
        let queue =
            self.shards.get(part.shard.position()).expect("parts are split for as many shards as there are links");
        let (answer, answered) = oneshot::channel();
        let part = Part { bytes: part.bytes, resources: part.resources, points: part.points, deadline, answer };
        match tokio::time::timeout_at(deadline, queue.send(part)).await {
            Ok(Ok(())) => Ok(answered),
            Ok(Err(_)) => Err(PartAnswer::unavailable("the gateway is stopping")),
            Err(_) => Err(PartAnswer::unavailable("too many requests wait for this worker")),
        }
    }
}

#[cfg(test)]
mod tests;
