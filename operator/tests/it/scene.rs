//! What an operator sees of a set, made up.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::core::ObjectMeta;
use serde_json::{Value, json};
use shardset_coordinator::{Answers, Round};
use shardset_crds::MetricsShardSet;
use shardset_handoff::Waiting;
use shardset_model::{Membership, Phase, ShardCount, ShardIndex};
use shardset_operator::{Observed, Plan, plan, wanted};

/// When everything happens.
pub(crate) fn now() -> Timestamp {
    Timestamp::new(1_700_000_000, 987_654_321).expect("a time")
}

/// A set called `demo` with this spec over the least one.
pub(crate) fn set(spec: Value) -> MetricsShardSet {
    let mut whole = json!({ "export": { "prometheus": {} } });
    for (key, value) in spec.as_object().expect("a spec is an object") {
        whole[key] = value.clone();
    }
    let set = json!({
        "apiVersion": "shardset.dev/v1alpha1",
        "kind": "MetricsShardSet",
        "metadata": { "name": "demo", "namespace": "metrics", "uid": "0-1-2", "generation": 7 },
        "spec": whole,
    });
    serde_json::from_value(set).expect("a set")
}

/// So many workers are asked for.
pub(crate) fn of(workers: u32) -> MetricsShardSet {
    set(json!({ "workers": { "replicas": workers } }))
}

pub(crate) fn shard(number: u32) -> ShardIndex {
    ShardCount::new(1000).and_then(|all| all.shard(number)).expect("a shard")
}

pub(crate) fn stable(epoch: u64, shards: u32) -> Membership {
    Membership::new(epoch, shards, shards, Phase::Stable).expect("a membership")
}

pub(crate) fn moving(epoch: u64, previous: u32, shards: u32) -> Membership {
    Membership::new(epoch, shards, previous, Phase::Moving).expect("a membership")
}

/// What is seen.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) set: MetricsShardSet,
    pub(crate) round: Option<Round>,
    pub(crate) workers: Option<StatefulSet>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    pub(crate) policies: Vec<ObjectMeta>,
    pub(crate) gateways: Option<Deployment>,
    pub(crate) published_at: Option<Timestamp>,
    pub(crate) blocked: Option<String>,
}

impl Scene {
    /// A set for which nothing is there yet.
    pub(crate) fn empty(set: MetricsShardSet) -> Self {
        Self {
            set,
            round: None,
            workers: None,
            pods: Vec::new(),
            claims: Vec::new(),
            policies: Vec::new(),
            gateways: None,
            published_at: None,
            blocked: None,
        }
    }

    /// A set that is as it was asked for, with so many workers that run and are ready.
    pub(crate) fn serving(set: MetricsShardSet, published: Membership, running: u32) -> Self {
        let round = Round {
            published: Some(published),
            answers: Answers::default(),
            waiting: Vec::new(),
            began_anew: Vec::new(),
            acted: false,
        };
        let gateways = json!({ "metadata": {}, "spec": {}, "status": { "replicas": 2, "readyReplicas": 2 } });
        let pods = (0..running).map(|number| pod(number, "new", true)).collect();
        let gateways = Some(serde_json::from_value(gateways).expect("a Deployment"));
        Self { round: Some(round), workers: Some(workers(running)), pods, gateways, ..Self::empty(set) }
    }

    /// The coordinator waits for this.
    pub(crate) fn waiting(mut self, waiting: Waiting) -> Self {
        self.round.as_mut().expect("a round").waiting.push(waiting);
        self
    }

    pub(crate) fn unable(mut self, worker: u32, why: &str) -> Self {
        let unable = BTreeMap::from([(shard(worker), why.to_owned())]);
        self.round.as_mut().expect("a round").answers.unable = unable;
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        let published = self.round.as_ref().and_then(|round| round.published.as_ref());
        let wanted = wanted(&self.set, published, None).expect("a routing key");
        let pods: Vec<&Pod> = self.pods.iter().collect();
        let claims: Vec<&PersistentVolumeClaim> = self.claims.iter().collect();
        let policies: Vec<&ObjectMeta> = self.policies.iter().collect();
        let seen = Observed {
            set: &self.set,
            wanted: &wanted,
            image: "shardset:test",
            operator_namespace: "shardset-system",
            workers: self.workers.as_ref(),
            worker_pods: &pods,
            claims: &claims,
            policies: &policies,
            gateways: self.gateways.as_ref(),
            gateways_at_epoch: 2,
            round: self.round.as_ref(),
            published_at: self.published_at,
            blocked: self.blocked.as_deref(),
        };
        plan(&seen, now())
    }
}

/// A StatefulSet that has looked at its present template, which is `new`.
pub(crate) fn workers(replicas: u32) -> StatefulSet {
    let workers = json!({
        "metadata": { "generation": 3 },
        "spec": { "replicas": replicas, "selector": {}, "serviceName": "", "template": {} },
        "status": { "observedGeneration": 3, "replicas": replicas, "updateRevision": "new", "currentRevision": "new" },
    });
    serde_json::from_value(workers).expect("a StatefulSet")
}

/// A worker's pod.
pub(crate) fn pod(number: u32, revision: &str, ready: bool) -> Pod {
    let status = if ready { "True" } else { "False" };
    let pod = json!({
        "metadata": {
            "name": format!("demo-worker-{number}"),
            "uid": format!("uid-{number}-{revision}"),
            "labels": { "controller-revision-hash": revision },
        },
        "status": { "conditions": [{ "type": "Ready", "status": status }] },
    });
    serde_json::from_value(pod).expect("a pod")
}
