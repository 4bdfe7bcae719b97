//! What a set consists of in the cluster: the objects that are applied for it, as functions of its spec.
//!
//! Written as the JSON that is applied: what is not said here is left to the API server and to other managers of the same
//! object. The API server checks every field by name when it takes them, and tests compare them with files.
//!
//! The number of shards stands in no template, so a change of it restarts nobody. Nothing of the operator itself does either,
//! but the image where the set names none.

mod budget;
mod config;
mod gateway;
mod identity;
mod network;
mod pod;
mod service;
mod tls;
mod worker;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use shardset_crds::MetricsShardSet;
use shardset_slice::names;

pub(crate) use self::pod::ADMIN_PORT;

/// One object to be applied.
#[derive(Clone, PartialEq, Debug)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name, in the set's namespace.
    pub name: String,
    /// All of it.
    pub body: Value,
}

/// The kinds of objects that a set consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Who pods are.
    ServiceAccount,
    /// What gateways may do.
    Role,
    /// That they may.
    RoleBinding,
    /// The workers' settings.
    ConfigMap,
    /// Ways to pods.
    Service,
    /// How many pods may be away at a time.
    PodDisruptionBudget,
    /// Who may talk to pods, and to whom they may.
    NetworkPolicy,
    /// The workers.
    StatefulSet,
    /// The gateways.
    Deployment,
}

/// One of the two tiers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// What counts.
    Worker,
    /// What takes requests.
    Gateway,
}

/// What objects are made from.
#[derive(Clone, Copy, Debug)]
pub struct Blueprint<'a> {
    /// What is asked for.
    pub set: &'a MetricsShardSet,
    /// The image of tiers that name none.
    pub image: &'a str,
    /// The namespace that the operator is in.
    pub operator_namespace: &'a str,
    /// How many workers run: not what is asked for while streams move.
    pub workers: u32,
    /// How large the volumes of the StatefulSet that is there are, which it can not change.
    pub size: Option<&'a Quantity>,
}

/// All objects of a set, in an order in which each finds what it needs.
pub fn objects(of: Blueprint<'_>) -> Vec<Object> {
    let mut objects = identity::of_both_tiers(of);
    objects.push(config::of_workers(of));
    objects.extend(service::of_both_tiers(of));
    objects.extend(budget::of_both_tiers(of));
    objects.extend(network::of_both_tiers(of));
    objects.push(worker::stateful_set(of));
    objects.push(gateway::deployment(of));
    objects
}

impl Tier {
    /// The value of the label that tells tiers apart.
    pub const fn component(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }

    /// The name of the tier's objects.
    pub fn name(self, set: &str) -> String {
        match self {
            Self::Worker => names::workers(set),
            Self::Gateway => names::gateway(set),
        }
    }
}

/// The label that tells tiers apart.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";

/// The labels by which a tier's pods are known. They never change: a StatefulSet can not change its selector.
pub(crate) fn selector(set: &str, tier: Tier) -> Value {
    json!({ names::SET: set, COMPONENT: tier.component() })
}

/// The selector of a tier's pods as a text.
pub fn selector_text(set: &str, tier: Tier) -> String {
    format!("{}={set},{COMPONENT}={}", names::SET, tier.component())
}

impl Blueprint<'_> {
    fn name(&self) -> String {
        self.set.name_any()
    }

    /// An object of a tier, with what all of them have in common.
    fn object(&self, kind: Kind, tier: Tier, mut body: Value) -> Object {
        let name = tier.name(&self.name());
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            namespace: self.set.namespace(),
            owner_references: Some(vec![owner(self.set)]),
            ..ObjectMeta::default()
        };
        let mut metadata = json!(metadata);
        metadata["labels"] = labels(&self.name(), tier);
        if let Some(annotations) = body.as_object_mut().and_then(|body| body.remove("annotations")) {
            metadata["annotations"] = annotations;
        }
        body["metadata"] = metadata;
        let (api_version, kind_name) = kind.version_and_name();
        body["apiVersion"] = api_version.into();
        body["kind"] = kind_name.into();
        Object { kind, name, body }
    }
}

fn labels(set: &str, tier: Tier) -> Value {
    let mut labels = selector(set, tier);
    labels["app.kubernetes.io/name"] = "shardset".into();
    labels["app.kubernetes.io/instance"] = set.into();
    labels["app.kubernetes.io/managed-by"] = "shardset-operator".into();
    labels
}

/// Whoever deletes the set deletes what it owns.
pub(crate) fn owner(set: &MetricsShardSet) -> OwnerReference {
    set.controller_owner_ref(&()).expect("a set that was read from the API server has a name and a uid")
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::ServiceAccount,
        Self::Role,
        Self::RoleBinding,
        Self::ConfigMap,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
        Self::StatefulSet,
        Self::Deployment,
    ];

    /// `apiVersion` and `kind`.
    pub const fn version_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::ServiceAccount => ("v1", "ServiceAccount"),
            Self::Role => ("rbac.authorization.k8s.io/v1", "Role"),
            Self::RoleBinding => ("rbac.authorization.k8s.io/v1", "RoleBinding"),
            Self::ConfigMap => ("v1", "ConfigMap"),
            Self::Service => ("v1", "Service"),
            Self::PodDisruptionBudget => ("policy/v1", "PodDisruptionBudget"),
            Self::NetworkPolicy => ("networking.k8s.io/v1", "NetworkPolicy"),
            Self::StatefulSet => ("apps/v1", "StatefulSet"),
            Self::Deployment => ("apps/v1", "Deployment"),
        }
    }
}
