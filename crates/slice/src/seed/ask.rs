//! The questions: one connection each, which ends with its answer.

use std::ops::Range;
use std::time::Duration;

use shardset_membership::Address;
use shardset_process::logging::chain;
use shardset_wire::{ControlClient, to_set};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::transport::Endpoint;

use super::Seed;
use super::choice::Answer;

/// For one question: to resolve a name, to connect, and the answer, which a worker gives from its thread behind what waits there.
const QUESTION: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(1);
/// For a round of them. What was said by then is what there is.
const ROUND: Duration = Duration::from_secs(10);

pub(super) fn deadline() -> Instant {
    Instant::now() + ROUND
}

pub(super) fn is_over(deadline: Instant) -> bool {
    Instant::now() >= deadline
}

/// Asks these workers at once.
pub(super) async fn each(seed: &Seed, shards: Range<u32>) -> Vec<(u32, Answer)> {
    let mut asked = JoinSet::new();
    for shard in shards {
        let (name, seed) = (seed.names.of(shard), seed.clone());
        asked.spawn(async move {
            let answer = timeout(QUESTION, one(shard, &name, &seed)).await;
            (shard, answer.unwrap_or_else(|_| Err(format!("{name} does not answer in time"))))
        });
    }
    let mut answers = asked.join_all().await;
    // Or who is told as the reason would be chance.
    answers.sort_by_key(|(shard, _)| *shard);
    answers
}

async fn one(shard: u32, name: &Address, seed: &Seed) -> Answer {
    let unreachable = |error: tonic::transport::Error| format!("{name} can not be reached: {}", chain(&error));
    let endpoint = Endpoint::from_shared(format!("http://{name}")).map_err(unreachable)?;
    let channel = seed.tls.connect(&endpoint.connect_timeout(CONNECT)).await.map_err(unreachable)?;
    let report = ControlClient::new(to_set(channel, Some(&seed.set)))
        .status()
        .await
        .map_err(|status| status.message().to_owned())?;
    if report.shard.get() == shard {
        Ok(report.membership)
    } else {
        Err(format!("{name} leads to worker {}", report.shard))
    }
}
