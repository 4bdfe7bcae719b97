//! One round: observe, plan, act.

use std::collections::{BTreeMap, BTreeSet};

use shardset_handoff::{Adopt, Observed, Report, Step, Waiting, Wish, plan};
use shardset_membership::{Address, Record};
use shardset_model::{Epoch, Membership, Phase, ShardCount, ShardIndex};

use crate::cluster::{Cluster, ClusterError};
use crate::workers::{Answers, Workers};

/// Brings a set of workers to what is wished, round by round.
#[derive(Debug)]
pub struct Coordinator<C> {
    cluster: C,
    workers: Workers,
    wish: Wish,
    given_up: BTreeSet<ShardIndex>,
    /// What workers were told last, so that nothing is said twice to one that remembers.
    told: BTreeMap<ShardIndex, (Adopt, BTreeMap<ShardIndex, Address>)>,
    /// From which ordinal on workers were stopped last, so that it is asked for once.
    stopped: Option<ShardCount>,
    /// Who began anew in this round.
    began_anew: Vec<ShardIndex>,
}

/// What a round has seen and done.
#[derive(Clone, Debug)]
pub struct Round {
    /// What is published, as it was seen.
    pub published: Option<Membership>,
    /// What the workers said.
    pub answers: Answers,
    /// What must happen before the wish comes true.
    pub waiting: Vec<Waiting>,
    /// Workers that came back with an empty disk and were told the membership now: streams that they alone had begin anew.
    pub began_anew: Vec<ShardIndex>,
    /// Whether something was done, so that there is something new to see.
    pub acted: bool,
}

impl Round {
    /// Whether everything is as wished.
    pub fn is_done(&self) -> bool {
        !self.acted && self.waiting.is_empty()
    }
}

impl<C: Cluster> Coordinator<C> {
    /// Brings `cluster` to what is wished.
    pub fn new(cluster: C, wish: Wish) -> Self {
        Self {
            workers: Workers::of(cluster.set()),
            cluster,
            wish,
            given_up: BTreeSet::new(),
            told: BTreeMap::new(),
            stopped: None,
            began_anew: Vec::new(),
        }
    }

    /// Wishes something else. What is under way is ended first; the last wish wins.
    pub fn wish(&mut self, wish: Wish) {
        self.wish = wish;
    }

    /// Ends the present move without these workers: streams that they have not sent are lost, and start anew elsewhere.
    pub fn give_up(&mut self, workers: impl IntoIterator<Item = ShardIndex>) {
        self.given_up.extend(workers);
    }

    /// What was worked on.
    pub fn into_cluster(self) -> C {
        self.cluster
    }

    /// What is worked on.
    pub fn cluster(&mut self) -> &mut C {
        &mut self.cluster
    }

    /// Looks at everything and does what can be done.
    ///
    /// # Errors
    ///
    /// What can not be done; the next round tries again.
    pub async fn round(&mut self) -> Result<Round, ClusterError> {
        let record = self.cluster.published().await?;
        let addresses = self.cluster.workers();
        self.workers.know(&addresses, self.cluster.tls());
        let answers = self.workers.ask().await;
        let reports = &answers.reports;
        let published = record.as_ref().map(|record| record.membership().clone());
        let seen = Observed { published: published.as_ref(), wish: &self.wish, reports, given_up: &self.given_up };
        let steps = plan(&seen);
        let (mut acted, mut waiting) = (false, Vec::new());
        for step in steps {
            match step {
                Step::Wait(what) => waiting.push(what),
                step => acted |= self.act(step, record.as_ref(), reports).await?,
            }
        }
        let began_anew = std::mem::take(&mut self.began_anew);
        Ok(Round { published, answers, waiting, began_anew, acted })
    }

    /// Does a step; whether that changed anything.
    async fn act(
        &mut self,
        step: Step,
        record: Option<&Record>,
        reports: &BTreeMap<ShardIndex, Report>,
    ) -> Result<bool, ClusterError> {
        match step {
            Step::Publish(next) => self.publish(record, next).await,
            Step::Tell(shard, adopt) => Ok(self.tell(shard, adopt, reports.get(&shard)).await),
            Step::Run(shards) => {
                self.stopped = None;
                self.cluster.run(shards).await.map(|()| false)
            }
            Step::Stop(from) if self.stopped == Some(from) => Ok(false),
            Step::Stop(from) => {
                self.cluster.stop(from).await?;
                self.stopped = Some(from);
                Ok(true)
            }
            Step::Wait(_) => Ok(false),
        }
    }

    /// Tells a worker, unless it was told the same and remembers it. Whether it was told.
    async fn tell(&mut self, shard: ShardIndex, adopt: Adopt, report: Option<&Report>) -> bool {
        let said = (adopt, self.cluster.workers());
        let remembers = report.is_some_and(|report| {
            let is_at = report.membership.as_ref() == Some(&said.0.membership);
            is_at && report.sending.iter().all(|sending| sending.completed || sending.receiver.is_some())
        });
        if remembers && self.told.get(&shard) == Some(&said) {
            return false;
        }
        let begins_anew =
            report.is_some_and(|report| report.membership.is_none()) && self.was_member(shard, &said.0.membership);
        match self.workers.tell(shard, said.0.clone()).await {
            Ok(_) => {
                if begins_anew {
                    tracing::warn!(%shard, incarnation = %said.0.incarnation, "a worker is back with an empty disk: streams that it alone had begin anew");
                    self.began_anew.push(shard);
                }
                self.told.insert(shard, said);
            }
            Err(status) => {
                tracing::debug!(%shard, error = %status, "a worker does not take the membership now");
                return false;
            }
        }
        true
    }

    /// Whether a worker had streams before: it was told, or others were, and it is none of those that are being added.
    fn was_member(&self, shard: ShardIndex, membership: &Membership) -> bool {
        let is_old = match membership.phase() {
            Phase::Stable => membership.epoch() != Epoch::FIRST,
            Phase::Moving => shard.get() < membership.previous().get(),
        };
        is_old || self.told.contains_key(&shard)
    }

    async fn publish(&mut self, seen: Option<&Record>, next: Membership) -> Result<bool, ClusterError> {
        let (epoch, shards, previous, phase) = (next.epoch(), next.shards().get(), next.previous().get(), next.phase());
        if self.cluster.publish(seen, next).await? {
            tracing::info!(%epoch, shards, previous, ?phase, "membership published");
            self.given_up.clear();
        }
        Ok(true)
    }
}
