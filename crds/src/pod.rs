//! What may be said about the pods of either tier.
//!
//! The parts that Kubernetes defines itself (affinity, tolerations and so on) are taken as they are and not described here once more:
//! their schema would be most of the resource's, and beyond what `kubectl apply` can keep in its annotation. The API server
//! checks them when the operator applies the workload, and what it says becomes a condition. So they are not looked into here
//! either: one set that has a wrong one must not keep the operator from reading the others.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// How the pods of a tier look and where they run.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// The image; the operator's own one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Secrets for the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::secret_references")]
    pub image_pull_secrets: Vec<Value>,
    /// CPU and memory, as in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub resources: Option<Value>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that do not matter, as in a pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub tolerations: Vec<Value>,
    /// Near what and far from what, as in a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub affinity: Option<Value>,
    /// How pods spread over zones and nodes, as in a pod. Left out: over nodes, where that is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub topology_spread_constraints: Vec<Value>,
    /// The PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the pods, beside those by which the set knows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    #[x_kube(validation = (
        "self.all(name, !name.startsWith('app.kubernetes.io/') && !name.startsWith('shardset.dev/'))",
        "labels must not begin with app.kubernetes.io/ or shardset.dev/, by which the set knows its pods"
    ))]
    pub labels: BTreeMap<String, String>,
    /// Environment variables, as in a container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::any_objects")]
    pub env: Vec<Value>,
    /// The security context of the pod, as in a pod. Left out: what the restricted profile asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub pod_security_context: Option<Value>,
    /// The security context of the container, as in a container. Left out: what the restricted profile asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub security_context: Option<Value>,
    /// The ServiceAccount; one of the set's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
}

/// When an image is pulled.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Where it is not there.
    IfNotPresent,
    /// Never.
    Never,
}
