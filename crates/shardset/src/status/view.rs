//! What a status shows, as JSON has it. A public interface of `/status` and `shardset status --json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shardset_coordinator::{Answers, Round};
use shardset_handoff::{Report, Waiting};
use shardset_model::{Membership, Phase, ShardIndex};

/// A set of workers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    /// What is published; none before the first membership.
    pub(crate) membership: Option<MembershipView>,
    /// What must happen before what was asked for is so.
    pub(crate) waiting: Vec<String>,
    /// The workers that are known, those that do not answer included.
    pub(crate) workers: Vec<WorkerView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MembershipView {
    pub(crate) epoch: u64,
    pub(crate) shards: u32,
    pub(crate) previous_shards: u32,
    /// `Stable` or `Moving`.
    pub(crate) phase: String,
    pub(crate) routing: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkerView {
    pub(crate) shard: u32,
    /// Why it can not say how things stand, where it is there and can not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unable: Option<String>,
    /// Whether it said how things stand; everything below is of its answer.
    pub(crate) answers: bool,
    pub(crate) incarnation: String,
    /// 0 where it has none.
    pub(crate) epoch: u64,
    pub(crate) phase: String,
    pub(crate) streams: u64,
    /// Those of them that are on the disk only.
    pub(crate) idle: u64,
    pub(crate) leftovers: u64,
    pub(crate) parked_points: u64,
    pub(crate) parked_bytes: u64,
    /// Streams sent in the present move, and to be sent.
    pub(crate) sent: u64,
    pub(crate) to_send: u64,
    /// From how many workers it waits to hear that they are done.
    pub(crate) waits_for: u64,
}

impl View {
    /// What a coordinator saw.
    pub(crate) fn of(round: &Round) -> Self {
        Self::new(round.published.as_ref(), &round.answers, &round.waiting)
    }

    /// This membership and these answers.
    pub(crate) fn new(membership: Option<&Membership>, answers: &Answers, waiting: &[Waiting]) -> Self {
        let mut workers: BTreeMap<u32, WorkerView> = BTreeMap::new();
        let members = membership.into_iter().flat_map(shardset_handoff::members);
        for shard in members.map(|member| member.get()) {
            workers.insert(shard, WorkerView { shard, ..WorkerView::default() });
        }
        workers.extend(answers.unable.iter().map(|(shard, why)| (shard.get(), WorkerView::unable(*shard, why))));
        workers.extend(answers.reports.values().map(|report| (report.shard.get(), WorkerView::of(report))));
        Self {
            membership: membership.map(MembershipView::of),
            waiting: waiting.iter().map(|waiting| describe(waiting, answers)).collect(),
            workers: workers.into_values().collect(),
        }
    }
}

impl MembershipView {
    pub(crate) fn of(membership: &Membership) -> Self {
        Self {
            epoch: membership.epoch().get(),
            shards: membership.shards().get(),
            previous_shards: membership.previous().get(),
            phase: phase(membership.phase()).to_owned(),
            routing: membership.routing().to_string(),
        }
    }
}

/// What is waited for; the worker's own word where it has said why.
fn describe(waiting: &Waiting, answers: &Answers) -> String {
    match waiting {
        Waiting::Away(shard) if answers.unable.contains_key(shard) => {
            format!("worker {shard} is there: {}", answers.unable[shard])
        }
        waiting => waiting.to_string(),
    }
}

impl WorkerView {
    fn unable(shard: ShardIndex, why: &str) -> Self {
        Self { shard: shard.get(), unable: Some(why.to_owned()), ..Self::default() }
    }

    fn of(report: &Report) -> Self {
        let known = report.membership.as_ref();
        Self {
            shard: report.shard.get(),
            unable: None,
            answers: true,
            incarnation: report.incarnation.to_string(),
            epoch: known.map_or(0, |known| known.epoch().get()),
            phase: known.map_or("", |known| phase(known.phase())).to_owned(),
            streams: report.streams,
            idle: report.idle,
            leftovers: report.leftovers,
            parked_points: report.parked_points,
            parked_bytes: report.parked_bytes,
            sent: report.sending.iter().map(|sending| sending.sent).sum(),
            to_send: report.sending.iter().map(|sending| sending.total).sum(),
            waits_for: report.receiving.iter().filter(|reception| !reception.completed).count() as u64,
        }
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Stable => "Stable",
        Phase::Moving => "Moving",
    }
}
