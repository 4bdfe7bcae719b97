//! The resource: what is asked for.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::{Export, Gateway, MetricsShardSetStatus, NetworkPolicy, Tls, Workers};

/// A set of workers that turn OTLP delta metrics into right cumulative series, and the gateways in front of them.
#[derive(CustomResource, Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[kube(
    group = "shardset.dev",
    version = "v1alpha1",
    kind = "MetricsShardSet",
    plural = "metricsshardsets",
    singular = "metricsshardset",
    shortname = "mss",
    category = "shardset",
    namespaced,
    derive = "PartialEq",
    doc = "A set of workers that turn OTLP delta metrics into right cumulative series, and the gateways in front of them.",
    status = "MetricsShardSetStatus",
    scale(
        spec_replicas_path = ".spec.workers.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    selectable = ".spec.rebalance.mode",
    printcolumn(
        name = "Shards",
        type_ = "integer",
        json_path = ".status.shards",
        description = "The number of shards that is published"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Workers that are ready"
    ),
    printcolumn(
        name = "Epoch",
        type_ = "integer",
        json_path = ".status.epoch",
        description = "The version of the published membership"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why the set is ready, or why not"
    ),
    printcolumn(
        name = "Streams",
        type_ = "integer",
        json_path = ".status.streams",
        description = "Streams that the workers have"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = ("size(self.metadata.name) <= 40", "metadata.name must have at most 40 characters: the names of pods and their labels are made from it"),
    validation = (
        "(!(has(self.spec.tls) && has(self.spec.tls.peers) && self.spec.tls.peers.mode == 'Required') || (has(oldSelf.spec.tls) && has(oldSelf.spec.tls.peers))) && (!(has(oldSelf.spec.tls) && has(oldSelf.spec.tls.peers) && oldSelf.spec.tls.peers.mode == 'Required') || (has(self.spec.tls) && has(self.spec.tls.peers)))",
        "tls.peers comes to a set, and goes from it, by way of mode Preferred: pods that are not replaced yet could not be reached otherwise"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MetricsShardSetSpec {
    /// What decides the shard of a data point.
    #[serde(default)]
    pub routing: Routing,
    /// The tier that counts, keeps and exports. One worker serves one shard.
    #[serde(default)]
    pub workers: Workers,
    /// The tier that senders talk to.
    #[serde(default)]
    pub gateway: Gateway,
    /// Where the cumulative series go.
    pub export: Export,
    /// How a change of the number of shards, or of what routes, is carried out.
    #[serde(default)]
    pub rebalance: Rebalance,
    /// TLS towards senders, and between the pods of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// NetworkPolicies of the pods, where they are asked for.
    #[serde(default)]
    pub network_policy: NetworkPolicy,
}

/// What decides the shard of a data point. A change moves streams, like a change of the number of workers.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "(self.key == 'attributes') == (has(self.attributes) && size(self.attributes) > 0)",
    "attributes must name at least one attribute where key is attributes, and must be left out otherwise"
))]
pub struct Routing {
    /// streamID (spreads best) routes each stream for itself; resource, service and metric keep together what shares those;
    /// attributes keeps together what has the same values of the attributes that are named.
    #[serde(default)]
    pub key: RoutingKeyKind,
    /// The names of attributes, of the resource or of the data point, whose values are looked at together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::attribute_names")]
    pub attributes: Vec<String>,
}

/// What points of one shard have in common.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum RoutingKeyKind {
    /// The stream.
    #[default]
    #[serde(rename = "streamID")]
    StreamId,
    /// The resource.
    #[serde(rename = "resource")]
    Resource,
    /// The attribute service.name of the resource.
    #[serde(rename = "service")]
    Service,
    /// The metric's name.
    #[serde(rename = "metric")]
    Metric,
    /// Attributes that are named.
    #[serde(rename = "attributes")]
    Attributes,
}

/// How streams move when the number of shards changes, or what routes.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rebalance {
    /// Automatic carries a change out when it is asked for. Manual waits until the annotation shardset.dev/approve-rebalance has
    /// the number of shards as its value. Paused carries out none; a move that has begun is ended all the same.
    #[serde(default)]
    pub mode: RebalanceMode,
    /// After how many seconds a move that is not over counts as stuck.
    #[serde(default = "schema::handoff_timeout")]
    #[schemars(range(min = 10, max = 86400))]
    pub handoff_timeout_seconds: i32,
    /// What happens to a move that is stuck. Wait keeps everything and sets the condition Degraded. Proceed ends the move without
    /// the workers that do not answer: what they had not sent is lost, and an Event says how much.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

/// Whether changes are carried out.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum RebalanceMode {
    /// When they are asked for.
    #[default]
    Automatic,
    /// When they are approved.
    Manual,
    /// Not now.
    Paused,
}

/// What happens to a move that is stuck.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum OnTimeout {
    /// It waits.
    #[default]
    Wait,
    /// It is ended, at a loss.
    Proceed,
}

impl Default for Rebalance {
    fn default() -> Self {
        Self {
            mode: RebalanceMode::default(),
            handoff_timeout_seconds: schema::handoff_timeout(),
            on_timeout: OnTimeout::default(),
        }
    }
}
