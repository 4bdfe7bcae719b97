//! How a set stands, for its status. Derived afresh each time; only times of what has not changed are taken from before.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use shardset_crds::{GatewayStatus, MetricsShardSetStatus, RebalanceState, RebalanceStatus};
use shardset_handoff::Report;
use shardset_model::{Membership, Phase};

use super::rollout::is_ready;
use super::{Observed, conditions, stored};
use crate::objects::{Tier, selector_text};

pub(super) fn status(seen: &Observed<'_>, now: Timestamp) -> MetricsShardSetStatus {
    let published = seen.round.and_then(|round| round.published.as_ref());
    let ready = seen.worker_pods.iter().filter(|pod| is_ready(pod)).count();
    let gateways = seen.gateways.and_then(|gateways| gateways.status.as_ref());
    MetricsShardSetStatus {
        observed_generation: seen.set.metadata.generation,
        replicas: number(seen.worker_pods.len()),
        ready_replicas: number(ready),
        selector: selector_text(&seen.set.name_any(), Tier::Worker),
        epoch: published.map_or(0, |published| number(published.epoch().get())),
        shards: published.map_or(0, |published| number(published.shards().get())),
        target_shards: number(seen.wanted.target.get()),
        streams: number(reports(seen).map(|report| report.streams).sum::<u64>()),
        gateway: GatewayStatus {
            replicas: gateways.and_then(|gateways| gateways.replicas).unwrap_or(0),
            ready_replicas: gateways.and_then(|gateways| gateways.ready_replicas).unwrap_or(0),
            at_epoch: number(seen.gateways_at_epoch),
        },
        rebalance: rebalance(seen, published),
        conditions: conditions::conditions(seen, now),
    }
}

/// Counts of things that there are fit into any number that shows them.
fn number<From, To: TryFrom<From> + Bounded>(from: From) -> To {
    To::try_from(from).unwrap_or(To::LARGEST)
}

trait Bounded {
    const LARGEST: Self;
}

impl Bounded for i32 {
    const LARGEST: Self = Self::MAX;
}

impl Bounded for i64 {
    const LARGEST: Self = Self::MAX;
}

fn reports<'a>(seen: &Observed<'a>) -> impl Iterator<Item = &'a Report> {
    seen.round.into_iter().flat_map(|round| round.answers.reports.values())
}

fn rebalance(seen: &Observed<'_>, published: Option<&Membership>) -> Option<RebalanceStatus> {
    let published = published?;
    let before = seen.set.status.as_ref().and_then(|status| status.rebalance.as_ref());
    let (sent, to_send) = sending(seen);
    let state = |state, from: u32, to: u32| RebalanceStatus {
        state,
        from: number(from),
        to: number(to),
        started_at: None,
        streams_moved: 0,
        streams_to_move: 0,
    };
    let (shards, previous) = (published.shards().get(), published.previous().get());
    let target = seen.wanted.target.get();
    let is_wished = shards == target && *published.routing() == seen.wanted.wish.routing;
    match published.phase() {
        Phase::Moving => Some(RebalanceStatus {
            started_at: seen.published_at.map(stored),
            streams_moved: number(sent),
            streams_to_move: number(to_send),
            ..state(RebalanceState::Moving, previous, shards)
        }),
        Phase::Stable if seen.wanted.held.is_some() => Some(state(RebalanceState::Waiting, shards, target)),
        Phase::Stable if !is_wished => Some(state(RebalanceState::Starting, shards, target)),
        Phase::Stable => {
            let leaving = seen.worker_pods.len() > shards as usize;
            let now = if leaving { RebalanceState::Shrinking } else { RebalanceState::Done };
            let before = before.filter(|before| before.to == number::<u32, i32>(shards) && before.from != before.to)?;
            let moved = before.streams_to_move;
            Some(RebalanceStatus { state: now, streams_moved: moved, ..before.clone() })
        }
    }
}

/// Streams that are at their new owners, and all that move.
pub(super) fn sending(seen: &Observed<'_>) -> (u64, u64) {
    let sending = reports(seen).flat_map(|report| &report.sending);
    sending.fold((0, 0), |(sent, total), one| (sent + one.sent, total + one.total))
}
