//! What to do next about the membership: a function of what is published, what is wished, and what the workers report.
//!
//! Whoever owns the membership (the operator, `shardset scale`) asks the workers, calls [`plan`], does the steps, and begins again.
//! Nothing is remembered in between: another coordinator that takes over goes on from what it sees, and every step may be
//! done twice.
//!
//! | what is seen | what is done |
//! | --- | --- |
//! | nothing is published, all workers answer and none knows of a membership | the first one is published |
//! | a worker knows of a later membership than is published (a restored backup) | that one is published |
//! | a worker is behind what is published, does not know of a new life of another's disk, or has streams to send and may not know whereto | it is told |
//! | nobody who answers knows of a membership, and a member does not answer | nobody is told: what is published may have gone back, and that member may know |
//! | a member does not answer | it must run: a coordinator that was late may have stopped it |
//! | streams move, and everyone has sent and received everything | the move's end is published |
//! | nothing moves, workers run that are no members | they are stopped, once all members know that nothing moves |
//! | another number of shards or another routing key is wished | when everyone is done with what was before and all new workers run and are empty, the change is published |
//!
//! Changes are made one at a time, so the last wish wins. A worker that does not answer keeps its shard: readiness is no
//! membership.

use std::collections::{BTreeMap, BTreeSet};

use shardset_model::{Epoch, Incarnation, Membership, Phase, RoutingKey, ShardCount, ShardIndex};
use thiserror::Error;

use crate::fence::same_change;
use crate::message::{Adopt, Report};
use crate::peers::members;
use crate::rule::{Rule, holds};

/// What the user wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// How many shards.
    pub shards: ShardCount,
    /// What decides a stream's shard.
    pub routing: RoutingKey,
}

/// What a coordinator sees.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// What is published.
    pub published: Option<&'a Membership>,
    /// What is wanted.
    pub wish: &'a Wish,
    /// What the workers that answer say, members or not.
    pub reports: &'a BTreeMap<ShardIndex, Report>,
    /// Workers whose unsent streams the user gives up.
    pub given_up: &'a BTreeSet<ShardIndex>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Publish this membership, on condition that what was seen is still what is published. Nothing else is done before.
    Publish(Membership),
    /// Tell a worker.
    Tell(ShardIndex, Adopt),
    /// So many workers must run.
    Run(ShardCount),
    /// Workers from this ordinal on are not needed any more.
    Stop(ShardCount),
    /// Something must happen first.
    Wait(Waiting),
}

/// What must happen first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
pub enum Waiting {
    /// A worker does not answer.
    #[error("worker {0} does not answer")]
    Away(ShardIndex),
    /// A worker has not taken the membership that is published.
    #[error("worker {0} has not taken the membership yet")]
    Behind(ShardIndex),
    /// Streams are on their way.
    #[error("worker {from} sends streams to worker {to}: {sent} of {total}")]
    Sends {
        /// From whom.
        from: ShardIndex,
        /// To whom.
        to: ShardIndex,
        /// Streams sent.
        sent: u64,
        /// Streams to send.
        total: u64,
    },
    /// A worker has not heard that another one is done.
    #[error("worker {to} waits for worker {from}")]
    Receives {
        /// Who waits.
        to: ShardIndex,
        /// For whom.
        from: ShardIndex,
    },
    /// A worker still clears away what is left of the last move.
    #[error("worker {0} clears away what is left of the last move")]
    Settles(ShardIndex),
    /// A worker that is to be added has streams.
    #[error("worker {0} is to be added and is not empty")]
    NotEmpty(ShardIndex),
}

/// What to do next; nothing where everything is as it should be.
pub fn plan(seen: &Observed<'_>) -> Vec<Step> {
    let Some(published) = seen.published else {
        return newest(seen).map_or_else(|| first(seen), |known| vec![Step::Publish(known.clone())]);
    };
    if let Some(newer) = newest(seen).filter(|known| is_later(known, published)) {
        return vec![Step::Publish(newer.clone())];
    }
    let mut steps = tell(seen, published);
    steps.extend(run(seen, published));
    match published.phase() {
        Phase::Moving => steps.extend(end_of_move(seen, published)),
        Phase::Stable => steps.extend(next_change(seen, published)),
    }
    steps
}

/// Nobody who answers knows of a membership. That there never was one is sure only when all have answered: what was published
/// may have been deleted.
fn first(seen: &Observed<'_>) -> Vec<Step> {
    let Wish { shards, routing } = seen.wish;
    let away = shards.shards().filter(|shard| !seen.reports.contains_key(shard));
    let waiting: Vec<Step> = away.map(|shard| Step::Wait(Waiting::Away(shard))).collect();
    if !waiting.is_empty() {
        return std::iter::once(Step::Run(*shards)).chain(waiting).collect();
    }
    let first = Membership::stable(Epoch::FIRST, *shards);
    vec![Step::Publish(first.routed_by(routing.clone(), routing.clone()))]
}

/// The newest membership that any worker knows of.
fn newest<'a>(seen: &Observed<'a>) -> Option<&'a Membership> {
    let known = seen.reports.values().filter_map(|report| report.membership.as_ref());
    known.max_by_key(|known| (known.epoch(), known.phase() == Phase::Stable))
}

fn is_later(known: &Membership, published: &Membership) -> bool {
    let is_end = published.phase() == Phase::Moving && known.phase() == Phase::Stable;
    known.epoch() > published.epoch() || (known.epoch() == published.epoch() && is_end)
}

fn tell(seen: &Observed<'_>, published: &Membership) -> Vec<Step> {
    let incarnations: Vec<(ShardIndex, Incarnation)> =
        seen.reports.iter().map(|(shard, report)| (*shard, report.incarnation)).collect();
    let adopt = |report: &Report| Adopt {
        incarnation: report.incarnation,
        membership: published.clone(),
        incarnations: incarnations.clone(),
    };
    let unaware = seen.reports.iter().filter(|(_, report)| must_be_told(seen, published, report));
    unaware.map(|(shard, report)| Step::Tell(*shard, adopt(report))).collect()
}

fn run(seen: &Observed<'_>, published: &Membership) -> Option<Step> {
    let wished = match published.phase() {
        Phase::Stable => seen.wish.shards,
        Phase::Moving => published.previous(),
    };
    let is_away = members(published).any(|member| !seen.reports.contains_key(&member));
    let is_more = published.phase() == Phase::Stable && wished > published.shards();
    (is_away || is_more).then(|| Step::Run(wished.max(published.shards())))
}

fn must_be_told(seen: &Observed<'_>, published: &Membership, report: &Report) -> bool {
    let is_member = members(published).any(|member| member == report.shard);
    match &report.membership {
        // A worker that waits to be added is told when it is.
        None => is_member && is_current(seen, published),
        // Whoever took the membership from a gateway knows of no other worker; after a restart nobody does.
        Some(known) if known.epoch() == published.epoch() && known.phase() == published.phase() => {
            report.sending.iter().any(|sending| !sending.completed || !is_present(seen, sending.to, sending.receiver))
        }
        Some(_) => true,
    }
}

/// Whether what is published can be told to a disk that is empty. It may have gone back. A worker that answers with a membership shows
/// that no later move has ended, for it would have taken part; where all who answer are empty, it takes every member.
fn is_current(seen: &Observed<'_>, published: &Membership) -> bool {
    let is_known = seen.reports.values().any(|report| report.membership.is_some());
    is_known || members(published).all(|member| seen.reports.contains_key(&member) || seen.given_up.contains(&member))
}

/// Whether the disk of a worker is in this life; true where nothing is known to the contrary.
fn is_present(seen: &Observed<'_>, shard: ShardIndex, incarnation: Option<Incarnation>) -> bool {
    seen.reports.get(&shard).is_none_or(|report| Some(report.incarnation) == incarnation)
}

fn end_of_move(seen: &Observed<'_>, published: &Membership) -> Vec<Step> {
    let waiting: Vec<Step> = members(published)
        .filter(|member| !seen.given_up.contains(member))
        .flat_map(|member| unfinished(seen, published, member))
        .map(Step::Wait)
        .collect();
    if waiting.is_empty() || !holds(Rule::StableIsLast) {
        vec![Step::Publish(published.clone().settled())]
    } else {
        waiting
    }
}

fn unfinished(seen: &Observed<'_>, published: &Membership, member: ShardIndex) -> Vec<Waiting> {
    let Some(report) = seen.reports.get(&member) else { return vec![Waiting::Away(member)] };
    if !report
        .membership
        .as_ref()
        .is_some_and(|known| same_change(known, published) && known.epoch() == published.epoch())
    {
        return vec![Waiting::Behind(member)];
    }
    let counts = |other: &ShardIndex| !seen.given_up.contains(other);
    let sends = report.sending.iter().filter(|sending| counts(&sending.to));
    let sends = sends.filter(|sending| !sending.completed || !is_present(seen, sending.to, sending.receiver));
    let receives = report.receiving.iter().filter(|reception| counts(&reception.from) && !reception.completed);
    sends
        .map(|s| Waiting::Sends { from: member, to: s.to, sent: s.sent, total: s.total })
        .chain(receives.map(|reception| Waiting::Receives { to: member, from: reception.from }))
        .collect()
}

fn next_change(seen: &Observed<'_>, published: &Membership) -> Vec<Step> {
    let Wish { shards, routing } = seen.wish;
    let is_wished = published.shards() == *shards && published.routing() == routing;
    let unsettled: Vec<Waiting> = members(published).filter_map(|member| unsettled(seen, published, member)).collect();
    let mut steps = Vec::new();
    let keep = published.shards().max(*shards);
    let are_told = !unsettled.iter().any(|waiting| matches!(waiting, Waiting::Away(_) | Waiting::Behind(_)));
    if are_told && seen.reports.keys().any(|shard| shard.get() >= keep.get()) {
        steps.push(Step::Stop(keep));
    }
    if is_wished {
        steps.extend(unsettled.into_iter().map(Step::Wait));
        return steps;
    }
    let added = (published.shards().get()..shards.get()).filter_map(|number| shards.shard(number));
    let waiting: Vec<Step> =
        unsettled.into_iter().chain(added.filter_map(|shard| not_ready(seen, shard))).map(Step::Wait).collect();
    match published.epoch().next() {
        Some(epoch) if waiting.is_empty() => steps.push(Step::Publish(change(epoch, published, seen.wish))),
        _ => steps.extend(waiting),
    }
    steps
}

fn change(epoch: Epoch, published: &Membership, wish: &Wish) -> Membership {
    let (shards, previous) = (wish.shards.get(), published.shards().get());
    let moving = Membership::new(epoch.get(), shards, previous, Phase::Moving);
    let moving = moving.expect("an epoch and counts that were checked make a membership");
    moving.routed_by(wish.routing.clone(), published.routing().clone())
}

fn unsettled(seen: &Observed<'_>, published: &Membership, member: ShardIndex) -> Option<Waiting> {
    let Some(report) = seen.reports.get(&member) else { return Some(Waiting::Away(member)) };
    match &report.membership {
        Some(known) if known.epoch() == published.epoch() && known.phase() == Phase::Stable => {
            (!report.is_settled()).then_some(Waiting::Settles(member))
        }
        _ => Some(Waiting::Behind(member)),
    }
}

fn not_ready(seen: &Observed<'_>, shard: ShardIndex) -> Option<Waiting> {
    match seen.reports.get(&shard) {
        None => Some(Waiting::Away(shard)),
        Some(report) if report.streams > 0 || !report.is_settled() => Some(Waiting::NotEmpty(shard)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
