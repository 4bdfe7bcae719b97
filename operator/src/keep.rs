//! One set, looked after until it is gone: observe, plan, act, and wait for news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use shardset_coordinator::{Coordinator, Round};
use shardset_crds::{MetricsShardSet, MetricsShardSetStatus, OnTimeout};
use shardset_handoff::{Wish, members};
use shardset_membership::Record;
use shardset_model::{Phase, RoutingKey, ShardCount, ShardIndex};
use shardset_process::logging::chain;
use tokio::time::{Instant, sleep};

use crate::act::{Act, version_of};
use crate::cluster::SetCluster;
use crate::gateways::Gateways;
use crate::objects::{Kind, Object, Tier};
use crate::observe::{Caches, Key};
use crate::operator::Context;
use crate::plan::{Notice, Observed, Plan, notices, plan};
use crate::wish::{Wanted, given_up, is_stuck, wanted};

/// How often a set is looked at while streams move, or something was done that may have led to more.
const WHILE_MOVING: Duration = Duration::from_millis(100);
/// How often while something is waited for. Most of it is news, which wakes before.
const WHILE_WAITING: Duration = Duration::from_secs(1);
/// How often while something can not be done.
const WHILE_BLOCKED: Duration = Duration::from_secs(2);
/// How often while nothing is under way, and nothing is new. A worker that lost its disk is found by it, too.
const WHILE_QUIET: Duration = Duration::from_secs(5);
/// How often progress alone is written.
const PROGRESS: Duration = Duration::from_secs(1);

const NO_CERTIFICATE: &str = "tls.peers is Required and this operator has no certificate to reach the workers with: name a Secret with one of the same \
                              authority in the chart's value peerTls.secretName";

/// Looks after one set.
pub(crate) struct Keeper {
    key: Key,
    context: Context,
    coordinator: Coordinator<SetCluster>,
    gateways: Gateways,
    act: Act,
    /// Workers that answered in the last round.
    there: BTreeSet<ShardIndex>,
    /// How many streams all workers said they have, when all last said.
    streams: Option<u64>,
    /// What could not be done the last time.
    blocked: Option<String>,
    written: Option<(MetricsShardSetStatus, Instant)>,
}

impl Keeper {
    pub(crate) fn new(key: Key, set: Arc<MetricsShardSet>, context: Context) -> Self {
        let reporter = context.reporter.clone();
        let act = Act::new(context.client.clone(), reporter, context.metrics.clone(), key.namespace.clone());
        let cluster = SetCluster::new(context.client.clone(), context.metrics.clone(), set, context.identity.clone());
        let wish = Wish { shards: ShardCount::ONE, routing: RoutingKey::default() };
        let gateways = Gateways::new(context.http.clone());
        Self {
            key,
            context,
            coordinator: Coordinator::new(cluster, wish),
            gateways,
            act,
            there: BTreeSet::new(),
            streams: None,
            blocked: None,
            written: None,
        }
    }

    /// Until the set is gone.
    pub(crate) async fn keep(mut self) {
        let news = self.context.caches.news.of(&self.key);
        while let Some(set) = self.context.caches.set(&self.key).filter(|set| set.metadata.deletion_timestamp.is_none())
        {
            let begun = Instant::now();
            let pause = self.turn(&set).await;
            let outcome = if self.blocked.is_some() { "blocked" } else { "done" };
            self.context.metrics.turn(outcome, begun.elapsed());
            tokio::select! {
                () = news.notified() => {}
                () = sleep(pause) => {}
            }
        }
        self.context.caches.news.forget(&self.key);
        self.context.metrics.forget(&self.key.namespace, &self.key.name);
    }

    /// One look; how long to wait for the next one.
    async fn turn(&mut self, set: &Arc<MetricsShardSet>) -> Duration {
        let caches = self.context.caches.clone();
        let sight = Sight::of(&caches, &self.key);
        let mut blocked = Vec::new();
        let Some((wanted, record, round)) = self.coordinate(set, &sight, &mut blocked).await else {
            return WHILE_QUIET;
        };
        let published = round.as_ref().and_then(|round| round.published.as_ref());
        let gateways_at_epoch = match published {
            Some(published) => self.gateways.at_epoch(published.epoch().get(), &sight.gateway_pods).await,
            None => 0,
        };
        let before = self.blocked.take();
        let pods: Vec<_> = sight.worker_pods.iter().map(AsRef::as_ref).collect();
        let claims: Vec<_> = sight.claims.iter().map(AsRef::as_ref).collect();
        let policies: Vec<_> = sight.policies.iter().map(|policy| &policy.metadata).collect();
        let seen = Observed {
            set,
            wanted: &wanted,
            image: &self.context.image,
            operator_namespace: &self.context.namespace,
            workers: sight.workers.as_deref(),
            worker_pods: &pods,
            claims: &claims,
            policies: &policies,
            gateways: sight.gateways.as_deref(),
            gateways_at_epoch,
            round: round.as_ref(),
            published_at: record.as_ref().and_then(published_at),
            blocked: blocked.first().or(before.as_ref()).map(String::as_str),
        };
        let plan = plan(&seen, Timestamp::now());
        self.carry_out(set, &sight, &plan, &mut blocked).await;
        self.tell_of_lost_disks(set, round.as_ref()).await;
        if let Err(why) = self.write_status(set, plan.status).await {
            blocked.push(why);
        }
        self.say(&blocked, before.as_deref());
        self.blocked = blocked.into_iter().next();
        match (round, &self.blocked, before) {
            (_, Some(_), _) => WHILE_BLOCKED,
            // What was in the way is not any more; the status is to say so.
            (_, None, Some(_)) | (None, None, None) => WHILE_MOVING,
            (Some(round), None, None) => until_next(&round),
        }
    }

    /// Lets the coordinator bring about what is wanted: what that is, what is published, and what it saw. Nothing where it can not
    /// be known what is wanted.
    async fn coordinate(
        &mut self,
        set: &Arc<MetricsShardSet>,
        sight: &Sight,
        blocked: &mut Vec<String>,
    ) -> Option<(Wanted, Option<Record>, Option<Round>)> {
        let cluster = self.coordinator.cluster();
        cluster.know(Arc::clone(set), &sight.worker_pods, sight.slice.clone());
        let is_out_of_reach = cluster.is_out_of_reach();
        if is_out_of_reach {
            blocked.push(NO_CERTIFICATE.to_owned());
        }
        let record = cluster.record().unwrap_or_else(|error| {
            blocked.push(chain(&error));
            None
        });
        let wanted = match wanted(set, record.as_ref().map(Record::membership), self.streams) {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!(error = chain(&error), set = self.key.name, "the routing key of a set is none");
                return None;
            }
        };
        self.coordinator.wish(wanted.wish.clone());
        self.give_up(set, record.as_ref());
        let round = if is_out_of_reach {
            None
        } else {
            self.coordinator.round().await.map_err(|error| blocked.push(chain(&error))).ok()
        };
        self.learn(round.as_ref());
        if let Err(error) = self.coordinator.cluster().publish_places().await {
            blocked.push(chain(&error));
        }
        Some((wanted, record, round))
    }

    /// Does what the plan says, but for the status.
    async fn carry_out(&mut self, set: &MetricsShardSet, sight: &Sight, plan: &Plan, blocked: &mut Vec<String>) {
        for object in &plan.objects {
            let version = self.version(object, sight);
            blocked.extend(self.act.apply(object, version).await.err());
        }
        for remove in &plan.remove {
            blocked.extend(self.act.remove(remove).await.err());
        }
        for enlarge in &plan.enlarge {
            blocked.extend(self.act.enlarge(enlarge).await.err());
        }
        let Some(replace) = &plan.replace else { return };
        match self.act.replace(replace).await {
            Ok(()) => {
                let note = format!("pod {} makes room for one of the present template", replace.pod);
                self.act.tell(set, &[Notice::normal("WorkerReplaced", note)]).await;
            }
            Err(why) => blocked.push(why),
        }
    }

    /// Workers whose unsent streams are given up: because the user says so, or because the move takes too long and may.
    fn give_up(&mut self, set: &MetricsShardSet, record: Option<&Record>) {
        let Some(record) = record.filter(|record| record.membership().phase() == Phase::Moving) else { return };
        self.coordinator.give_up(given_up(set, record.membership()));
        let is_late = published_at(record).is_some_and(|since| is_stuck(set, since, Timestamp::now()));
        if is_late && set.spec.rebalance.on_timeout == OnTimeout::Proceed {
            let there = &self.there;
            self.coordinator.give_up(members(record.membership()).filter(|member| !there.contains(member)));
        }
    }

    fn learn(&mut self, round: Option<&Round>) {
        self.there = round.iter().flat_map(|round| round.answers.reports.keys().copied()).collect();
        let Some((round, published)) = round.and_then(|round| Some((round, round.published.as_ref()?))) else { return };
        let (epoch, shards) = (published.epoch().get(), published.shards().get());
        let moves = published.phase() == Phase::Moving;
        self.context.metrics.stands(&self.key.namespace, &self.key.name, epoch, shards, moves);
        let reports = &round.answers.reports;
        if !moves && members(published).all(|member| reports.contains_key(&member)) {
            self.streams = Some(reports.values().map(|report| report.streams).sum());
        }
    }

    /// The version of an object as the watches know it; none where it is not there.
    fn version(&self, object: &Object, sight: &Sight) -> Option<String> {
        match object.kind {
            Kind::StatefulSet => sight.workers.as_ref().map(|workers| version_of(object.kind, &workers.metadata)),
            Kind::Deployment => sight.gateways.as_ref().map(|gateways| version_of(object.kind, &gateways.metadata)),
            Kind::NetworkPolicy => {
                let policy =
                    sight.policies.iter().find(|policy| policy.metadata.name.as_ref() == Some(&object.name))?;
                Some(version_of(object.kind, &policy.metadata))
            }
            kind => self.context.caches.versions.of(kind, &self.key.namespace, &object.name),
        }
    }

    async fn tell_of_lost_disks(&self, set: &MetricsShardSet, round: Option<&Round>) {
        let lost = round.into_iter().flat_map(|round| &round.began_anew);
        let notices: Vec<Notice> = lost
            .map(|worker| {
                let note = format!("worker {worker} is back with an empty disk: streams that it alone had begin anew");
                Notice::warning("WorkerLostDisk", note)
            })
            .collect();
        self.act.tell(set, &notices).await;
    }

    /// Writes the status where it is another one; progress alone not more often than people look.
    async fn write_status(&mut self, set: &MetricsShardSet, status: MetricsShardSetStatus) -> Result<(), String> {
        let held = set.status.as_ref();
        // The watch may not have brought what was written last.
        let last = self.written.as_ref().map(|(status, _)| status).or(held);
        if last == Some(&status) && (held == Some(&status) || self.was_written_just_now()) {
            return Ok(());
        }
        if last.is_some_and(|last| is_progress(last, &status)) && self.was_written_just_now() {
            return Ok(());
        }
        self.act.tell(set, &notices(last, &status)).await;
        self.act.status(set, &status).await?;
        self.written = Some((status, Instant::now()));
        Ok(())
    }

    fn was_written_just_now(&self) -> bool {
        self.written.as_ref().is_some_and(|(_, at)| at.elapsed() < PROGRESS)
    }

    /// What can not be done is logged when it is another thing than before.
    fn say(&self, blocked: &[String], before: Option<&str>) {
        for why in blocked.iter().filter(|why| before != Some(why.as_str())) {
            tracing::error!(set = self.key.name, namespace = self.key.namespace, "{why}");
        }
    }
}

/// What the watches know of a set at the time of one look.
struct Sight {
    workers: Option<Arc<StatefulSet>>,
    worker_pods: Vec<Arc<Pod>>,
    claims: Vec<Arc<PersistentVolumeClaim>>,
    policies: Vec<Arc<PartialObjectMeta<NetworkPolicy>>>,
    gateways: Option<Arc<Deployment>>,
    gateway_pods: Vec<Arc<Pod>>,
    slice: Option<Arc<EndpointSlice>>,
}

impl Sight {
    fn of(caches: &Caches, key: &Key) -> Self {
        Self {
            workers: caches.workers(key),
            worker_pods: caches.pods(key, Tier::Worker),
            claims: caches.claims(key),
            policies: caches.policies(key),
            gateways: caches.gateways(key),
            gateway_pods: caches.pods(key, Tier::Gateway),
            slice: caches.slice(key),
        }
    }
}

/// How long to wait after a round for the next one.
fn until_next(round: &Round) -> Duration {
    let moves = round.published.as_ref().is_some_and(|published| published.phase() == Phase::Moving);
    match round.acted || moves {
        true => WHILE_MOVING,
        false if round.waiting.is_empty() => WHILE_QUIET,
        false => WHILE_WAITING,
    }
}

/// When a membership was published.
fn published_at(record: &Record) -> Option<Timestamp> {
    Timestamp::from_millisecond(record.published()?.0).ok()
}

/// Whether two statuses differ in numbers that change all the time only.
fn is_progress(before: &MetricsShardSetStatus, now: &MetricsShardSetStatus) -> bool {
    let essence = |status: &MetricsShardSetStatus| {
        let conditions: BTreeMap<_, _> =
            status.conditions.iter().map(|one| (one.type_.clone(), (one.status.clone(), one.reason.clone()))).collect();
        let state = status.rebalance.as_ref().map(|rebalance| (rebalance.state, rebalance.from, rebalance.to));
        (status.observed_generation, status.epoch, status.shards, status.target_shards, conditions, state)
    };
    essence(before) == essence(now)
}
