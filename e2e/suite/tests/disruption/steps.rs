//! The operator that acts is killed after each step of a move that can be seen, each in turn: whoever comes next ends the move.
//!
//! One of those that streams move to is stopped meanwhile, so that some have moved and others have not when the operator dies.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use rustix::process::{Pid, Signal, kill_process};
use shardset_crds::{MetricsShardSet, RebalanceState, RebalanceStatus};
use shardset_model::Phase;
use shardset_slice::{format, names};
use shardset_suite::load::under_load;
use shardset_suite::node::process_of;
use shardset_suite::operator::Acting;
use shardset_suite::set::Set;
use shardset_suite::space::within;
use shardset_suite::watch::when;

use crate::{ALONE, lasting};

#[tokio::test]
async fn a_move_ends_although_the_operator_is_killed_after_each_of_its_steps() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, prometheus, load) = under_load(&space, 2, &lasting("130s")).await?;
        let mut acting = Acting::new(&space.client);
        let steps = Steps { set: &set, shards: 4 };
        begins(&mut acting, &steps).await?;
        acting.dies_after(steps.runs()).await?;
        moves(&mut acting, &steps).await?;
        acting.dies_after(steps.is_done()).await?;
        set.serves(4).await?;

        let steps = Steps { set: &set, shards: 2 };
        begins(&mut acting, &steps).await?;
        moves(&mut acting, &steps).await?;
        acting.dies_after(steps.runs()).await?;
        acting.dies_after(steps.is_done()).await?;
        set.serves(2).await?;

        acting.acts().await?;
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}

/// The number is changed, and whoever acts dies before anything is done about it.
async fn begins(acting: &mut Acting, steps: &Steps<'_>) -> anyhow::Result<()> {
    acting.stops().await?;
    steps.set.scale(steps.shards).await?;
    acting.dies_after(steps.is_asked()).await
}

/// From a membership that moves to one that is stable.
async fn moves(acting: &mut Acting, steps: &Steps<'_>) -> anyhow::Result<()> {
    acting.dies_after(steps.is_published(Phase::Moving)).await?;
    let stopped = Stopped::new(steps.set, steps.shards - 1).await?;
    acting.dies_after(steps.has_moved_some()).await?;
    drop(stopped);
    acting.dies_after(steps.is_published(Phase::Stable)).await
}

/// The steps to so many shards, each of which is waited for.
struct Steps<'a> {
    set: &'a Set,
    shards: u32,
}

impl Steps<'_> {
    fn is(&self, number: i32) -> bool {
        u32::try_from(number) == Ok(self.shards)
    }

    async fn is_asked(&self) -> anyhow::Result<()> {
        self.of_set("another number is asked for", |set| self.is(set.spec.workers.replicas)).await
    }

    async fn runs(&self) -> anyhow::Result<()> {
        let is_so =
            |set: &StatefulSet| set.spec.as_ref().and_then(|spec| spec.replicas).is_some_and(|now| self.is(now));
        when(&self.set.space.api(), &names::workers(&self.set.name), "as many workers run", is_so).await.map(drop)
    }

    async fn is_published(&self, phase: Phase) -> anyhow::Result<()> {
        let is_so = |slice: &EndpointSlice| {
            let record = format::read(&self.set.name, slice);
            let is = |phase_of: Phase, shards: u32| phase_of == phase && shards == self.shards;
            record.is_ok_and(|record| is(record.membership().phase(), record.membership().shards().get()))
        };
        when(&self.set.space.api(), &names::membership(&self.set.name), "it is published", is_so).await.map(drop)
    }

    async fn has_moved_some(&self) -> anyhow::Result<()> {
        let is_so = |status: &RebalanceStatus| {
            let some = 0 < status.streams_moved && status.streams_moved < status.streams_to_move;
            status.state == RebalanceState::Moving && self.is(status.to) && some
        };
        self.of_set("some streams have moved", |set| rebalance(set).is_some_and(is_so)).await
    }

    async fn is_done(&self) -> anyhow::Result<()> {
        let is_so = |status: &RebalanceStatus| status.state == RebalanceState::Done && self.is(status.to);
        self.of_set("the move is over", |set| rebalance(set).is_some_and(is_so)).await
    }

    async fn of_set(&self, what: &str, is_so: impl Fn(&MetricsShardSet) -> bool) -> anyhow::Result<()> {
        when(&self.set.space.api(), &self.set.name, what, is_so).await.map(drop)
    }
}

fn rebalance(set: &MetricsShardSet) -> Option<&RebalanceStatus> {
    set.status.as_ref()?.rebalance.as_ref()
}

/// A worker that is stopped until this is dropped.
struct Stopped(Pid);

impl Stopped {
    async fn new(set: &Set, shard: u32) -> anyhow::Result<Self> {
        let pod = set.space.api::<Pod>().get(&names::worker(&set.name, shard)).await?;
        let process = process_of(&pod.uid().unwrap_or_default())?;
        kill_process(process, Signal::STOP)?;
        Ok(Self(process))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // One that has ended needs nothing.
        kill_process(self.0, Signal::CONT).unwrap_or_default();
    }
}
