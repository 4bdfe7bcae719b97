//! How many workers run.
//!
//! More before a larger membership is published, fewer after a smaller one is settled: whoever is a member, or was and may have
//! something to send still, keeps running. So the number follows from what is published and from what the members said, and not
//! from what was done before.

use shardset_handoff::Waiting;
use shardset_model::Phase;

use super::Observed;

pub(super) fn of_workers(seen: &Observed<'_>) -> u32 {
    let wished = seen.wanted.wish.shards.get();
    let running = seen.workers.and_then(|workers| workers.spec.as_ref()?.replicas);
    let running = running.and_then(|running| u32::try_from(running).ok()).unwrap_or(0);
    let Some(round) = seen.round else { return if running == 0 { wished } else { running } };
    let Some(published) = &round.published else { return wished };
    let members = published.shards().get();
    match published.phase() {
        // What is wished meanwhile waits: another number would be another move.
        Phase::Moving => members.max(published.previous().get()),
        Phase::Stable if all_have_heard(&round.waiting) => members.max(wished),
        Phase::Stable => members.max(wished).max(running),
    }
}

/// Whether all members know that nothing moves, so that nobody needs those who left.
fn all_have_heard(waiting: &[Waiting]) -> bool {
    !waiting.iter().any(|waiting| matches!(waiting, Waiting::Away(_) | Waiting::Behind(_)))
}
