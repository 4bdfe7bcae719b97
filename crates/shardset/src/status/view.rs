//! What a status shows, as JSON has it. A public interface of `/status` and `shardset status --json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shardset_coordinator::Round;
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

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// Whether it answered; everything below is of its answer.
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
        Self::new(round.published.as_ref(), &round.reports, &round.waiting)
    }

    /// This membership and these reports.
    pub(crate) fn new(
        membership: Option<&Membership>,
        reports: &BTreeMap<ShardIndex, Report>,
        waiting: &[Waiting],
    ) -> Self {
        let mut workers: BTreeMap<u32, WorkerView> = BTreeMap::new();
        let members = membership.into_iter().flat_map(shardset_handoff::members);
        for shard in members.map(|member| member.get()) {
            workers.insert(shard, WorkerView { shard, ..WorkerView::default() });
        }
        workers.extend(reports.values().map(|report| (report.shard.get(), WorkerView::of(report))));
        Self {
            membership: membership.map(MembershipView::of),
            waiting: waiting.iter().map(Waiting::to_string).collect(),
            workers: workers.into_values().collect(),
        }
    }
}

impl MembershipView {
    fn of(membership: &Membership) -> Self {
        Self {
            epoch: membership.epoch().get(),
            shards: membership.shards().get(),
            previous_shards: membership.previous().get(),
            phase: phase(membership.phase()).to_owned(),
            routing: membership.routing().to_string(),
        }
    }
}

impl WorkerView {
    fn of(report: &Report) -> Self {
        let known = report.membership.as_ref();
        Self {
            shard: report.shard.get(),
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
