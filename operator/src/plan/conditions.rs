//! The conditions of a set. All are there from the first time on, each with the generation that it speaks of.

use k8s_openapi::jiff::Timestamp;
use shardset_crds::{Condition, RebalanceMode};
use shardset_handoff::{Waiting, members};
use shardset_model::{Membership, Phase, ShardCount};

use super::rollout::is_ready;
use super::status::sending;
use super::{Observed, stored};
use crate::wish::{Held, is_stuck};

/// One aspect: whether it is so, why in one word, and why for people.
type Aspect = (bool, &'static str, String);

pub(super) fn conditions(seen: &Observed<'_>, now: Timestamp) -> Vec<Condition> {
    let facts = Facts::of(seen, now);
    let aspects = [
        ("Ready", facts.ready()),
        ("Available", facts.available()),
        ("Progressing", facts.progressing()),
        ("Rebalancing", facts.rebalancing()),
        ("Degraded", facts.degraded()),
        ("Paused", facts.paused()),
    ];
    let before = seen.set.status.iter().flat_map(|status| &status.conditions);
    let generation = seen.set.metadata.generation;
    let condition = |(name, (is_so, reason, message)): (&str, Aspect)| {
        let status = if is_so { "True" } else { "False" };
        let same = before.clone().find(|before| before.type_ == name && before.status == status);
        Condition {
            type_: name.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: generation,
            last_transition_time: same.map_or(stored(now), |same| same.last_transition_time.clone()),
        }
    };
    aspects.into_iter().map(condition).collect()
}

/// How many workers must serve: of those that come in a move, none yet.
fn needed(published: &Membership) -> ShardCount {
    match published.phase() {
        Phase::Stable => published.shards(),
        Phase::Moving => published.shards().min(published.previous()),
    }
}

/// How many workers serve: those whose pods are ready, or as many as said so to us, which may be seconds before their probes do.
fn serving(seen: &Observed<'_>) -> usize {
    let ready = seen.worker_pods.iter().filter(|pod| is_ready(pod)).count();
    let reports = seen.round.into_iter().flat_map(|round| round.answers.reports.values());
    ready.max(reports.filter(|report| report.membership.is_some()).count())
}

/// What conditions are made of.
struct Facts<'a> {
    seen: &'a Observed<'a>,
    published: Option<&'a Membership>,
    waiting: &'a [Waiting],
    workers_ready: usize,
    workers_needed: u32,
    gateways_ready: i32,
    is_stuck: bool,
}

impl<'a> Facts<'a> {
    fn of(seen: &'a Observed<'a>, now: Timestamp) -> Self {
        let published = seen.round.and_then(|round| round.published.as_ref());
        let waiting = seen.round.map_or(&[][..], |round| &round.waiting);
        let moving = published.filter(|published| published.phase() == Phase::Moving);
        let since = moving.and(seen.published_at);
        Self {
            seen,
            published,
            waiting,
            workers_ready: serving(seen),
            workers_needed: published.map_or(seen.wanted.wish.shards, needed).get(),
            gateways_ready: seen.gateways.and_then(|gateways| gateways.status.as_ref()?.ready_replicas).unwrap_or(0),
            is_stuck: since.is_some_and(|since| is_stuck(seen.set, since, now)),
        }
    }

    fn ready(&self) -> Aspect {
        let (degraded, reason, message) = self.degraded();
        if self.published.is_none() {
            return (false, "Starting", self.workers());
        }
        if degraded {
            return (false, reason, message);
        }
        if self.workers_ready < self.workers_needed as usize {
            return (false, "WorkersNotReady", self.workers());
        }
        if self.gateways_ready == 0 {
            return (false, "GatewaysNotReady", "no gateway is ready".to_owned());
        }
        match self.rebalancing() {
            (true, ..) => (true, "Rebalancing", "points are taken and counted while streams move".to_owned()),
            _ => (true, "Serving", "points are taken, counted and told".to_owned()),
        }
    }

    fn available(&self) -> Aspect {
        match (self.published, self.gateways_ready) {
            (None, _) => (false, "NoMembership", "no membership is published yet".to_owned()),
            (_, 0) => (false, "GatewaysNotReady", "no gateway is ready".to_owned()),
            _ => (true, "GatewaysReady", "points are taken".to_owned()),
        }
    }

    fn progressing(&self) -> Aspect {
        if let (true, reason, message) = self.rebalancing() {
            return (true, reason, message);
        }
        let rollout = self.seen.workers.and_then(|workers| workers.status.as_ref());
        let updated = rollout.is_some_and(|status| status.update_revision != status.current_revision);
        let outdated = rollout.map_or(0, |status| status.replicas - status.updated_replicas.unwrap_or(0));
        if updated && outdated > 0 {
            return (true, "RollingOut", format!("{outdated} workers are of an older template"));
        }
        match self.workers_ready < self.workers_needed as usize {
            true => (true, "WorkersStarting", self.workers()),
            false => (false, "AsAskedFor", "everything is as it was asked for".to_owned()),
        }
    }

    fn rebalancing(&self) -> Aspect {
        let Some(published) = self.published else {
            return (false, "NoMembership", "no membership is published yet".to_owned());
        };
        let (shards, previous) = (published.shards().get(), published.previous().get());
        if published.phase() == Phase::Moving {
            let (sent, all) = sending(self.seen);
            let waits = self.waiting.first().map_or_else(String::new, |waiting| format!("; {waiting}"));
            let message = format!("{previous} to {shards} shards: {sent} of {all} streams are moved{waits}");
            return (true, "Moving", message);
        }
        let wish = &self.seen.wanted.wish;
        if published.shards() != wish.shards || *published.routing() != wish.routing {
            let waits = self.waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return (true, "Starting", format!("{shards} to {} shards: {waits}", wish.shards));
        }
        (false, "Settled", format!("{shards} shards"))
    }

    fn degraded(&self) -> Aspect {
        if let Some(blocked) = self.seen.blocked {
            return (true, "Blocked", blocked.to_owned());
        }
        let unable = self.seen.round.and_then(|round| round.answers.unable.first_key_value());
        if let Some((worker, why)) = unable {
            return (true, "WorkerUnable", format!("worker {worker} is there: {why}"));
        }
        if self.is_stuck {
            let waits = self.waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return (true, "MoveStuck", format!("the move is not over in time: {waits}"));
        }
        // A worker that is to be added is not missing yet.
        let is_member =
            |worker| self.published.is_some_and(|published| members(published).any(|member| member == worker));
        let away = |waiting: &&Waiting| matches!(waiting, Waiting::Away(worker) if is_member(*worker));
        match self.waiting.iter().find(away) {
            Some(away) => (true, "WorkerAway", away.to_string()),
            None => (false, "AsItShouldBe", "no part is missing".to_owned()),
        }
    }

    fn paused(&self) -> Aspect {
        let is_paused = self.seen.set.spec.rebalance.mode == RebalanceMode::Paused;
        let target = self.seen.wanted.target;
        match self.seen.wanted.held {
            Some(Held::Paused) => {
                (true, "Paused", format!("{target} shards are asked for, and rebalance.mode is Paused"))
            }
            Some(Held::Unapproved) => {
                let message = format!(
                    "{target} shards are asked for: approve with the annotation {}={target}",
                    crate::wish::APPROVE
                );
                (true, "WaitsForApproval", message)
            }
            None if is_paused => (true, "Paused", "rebalance.mode is Paused".to_owned()),
            None => (false, "NotPaused", "changes are carried out".to_owned()),
        }
    }

    fn workers(&self) -> String {
        format!("{} of {} workers are ready", self.workers_ready, self.workers_needed)
    }
}
