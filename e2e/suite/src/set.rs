//! A MetricsShardSet in a namespace, and what is waited for.

use anyhow::{Context, ensure};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use shardset_crds::{MetricsShardSet, MetricsShardSetStatus, RebalanceState};
use shardset_membership::Record;
use shardset_model::Phase;
use shardset_slice::{format, names};

use crate::space::Space;

/// Seconds that a change of the cluster may take: pods start, volumes are made, images are there.
const PATIENCE: u64 = 90;

/// A set.
#[derive(Clone)]
pub struct Set {
    /// Where it is.
    pub space: Space,
    /// Its name.
    pub name: String,
}

impl Set {
    /// Makes a set of so many workers; `more` is laid over its spec.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn new(space: &Space, name: &str, workers: u32, more: Value) -> anyhow::Result<Self> {
        let pod = json!({ "imagePullPolicy": "IfNotPresent" });
        let mut spec = json!({
            "workers": { "replicas": workers, "storage": { "size": "64Mi" }, "pod": pod },
            "gateway": { "pod": pod },
            "export": { "prometheus": {}, "intervalSeconds": 1 },
        });
        lay_over(&mut spec, more);
        space.apply::<MetricsShardSet>(json!({ "metadata": { "name": name }, "spec": spec })).await?;
        Ok(Self { space: space.clone(), name: name.to_owned() })
    }

    /// The set as it is now.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn get(&self) -> anyhow::Result<MetricsShardSet> {
        Ok(self.space.api::<MetricsShardSet>().get(&self.name).await?)
    }

    /// Its status.
    ///
    /// # Errors
    ///
    /// The API server's, or there is none yet.
    pub async fn status(&self) -> anyhow::Result<MetricsShardSetStatus> {
        self.get().await?.status.context("it has no status yet")
    }

    /// Waits until it serves with so many shards, and nothing is under way.
    ///
    /// # Errors
    ///
    /// How it stands when time is up.
    pub async fn serves(&self, shards: i32) -> anyhow::Result<MetricsShardSetStatus> {
        let what = format!("{} serves with {shards} shards", self.name);
        self.space
            .until(&what, PATIENCE, async || {
                let (set, status) = (self.get().await?, self.status().await?);
                let is_settled =
                    status.rebalance.as_ref().is_none_or(|rebalance| rebalance.state == RebalanceState::Done);
                let pods = status.replicas == shards && status.ready_replicas == shards;
                let is_seen = status.observed_generation == set.metadata.generation;
                let is_so =
                    is_seen && status.shards == shards && is_settled && pods && condition(&status, "Ready") == "True";
                ensure!(is_so && condition(&status, "Progressing") == "False", "{}", serde_json::to_string(&status)?);
                Ok(status)
            })
            .await
    }

    /// Asks for another number of workers as `kubectl scale` and an HPA do.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn scale(&self, workers: u32) -> anyhow::Result<()> {
        let scale = json!({ "spec": { "replicas": workers } });
        let sets = self.space.api::<MetricsShardSet>();
        sets.patch_scale(&self.name, &PatchParams::default(), &Patch::Merge(&scale)).await?;
        Ok(())
    }

    /// Changes its spec.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn change(&self, patch: Value) -> anyhow::Result<MetricsShardSet> {
        let sets = self.space.api::<MetricsShardSet>();
        Ok(sets.patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch)).await?)
    }

    /// What is published.
    ///
    /// # Errors
    ///
    /// The API server's, or it is no membership.
    pub async fn published(&self) -> anyhow::Result<Record> {
        let slice = self.space.api::<EndpointSlice>().get(&names::membership(&self.name)).await?;
        Ok(format::read(&self.name, &slice)?)
    }

    /// Waits until streams move to so many shards.
    ///
    /// # Errors
    ///
    /// What is published when time is up.
    pub async fn moves_to(&self, shards: u32) -> anyhow::Result<()> {
        self.space
            .until("streams move", PATIENCE, async || {
                let record = self.published().await?;
                let membership = record.membership();
                ensure!(membership.phase() == Phase::Moving && membership.shards().get() == shards, "{membership:?}");
                Ok(())
            })
            .await
    }
}

/// Whether a condition is `True`, `False` or `Unknown`; nothing where it is not there.
pub fn condition<'a>(status: &'a MetricsShardSetStatus, name: &str) -> &'a str {
    status.conditions.iter().find(|condition| condition.type_ == name).map_or("", |condition| &condition.status)
}

/// Lays one JSON value over another; null takes away.
pub fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                match value {
                    Value::Null => drop(under.remove(&key)),
                    value => lay_over(under.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (under, over) => *under = over,
    }
}
