//! The resource: what is seen. The operator derives all of it afresh each time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How things stand.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsShardSetStatus {
    /// Of which generation of the spec this speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Worker pods that there are.
    #[serde(default)]
    pub replicas: i32,
    /// Worker pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// The worker pods and no others, as a label selector; what a HorizontalPodAutoscaler averages over.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub selector: String,
    /// The version of the published membership; 0 before the first one.
    #[serde(default)]
    pub epoch: i64,
    /// The number of shards that is published.
    #[serde(default)]
    pub shards: i32,
    /// The number of shards to which the set is on its way.
    #[serde(default)]
    pub target_shards: i32,
    /// Streams that the workers have.
    #[serde(default)]
    pub streams: i64,
    /// The gateways.
    #[serde(default)]
    pub gateway: GatewayStatus,
    /// The present change of who owns which streams, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<RebalanceStatus>,
    /// Ready, Available, Progressing, Rebalancing, Degraded and Paused; all from the first time on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// The gateways.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Gateway pods that there are.
    #[serde(default)]
    pub replicas: i32,
    /// Gateway pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Gateways that are known to route by the published epoch.
    #[serde(default)]
    pub at_epoch: i32,
}

/// A change of who owns which streams.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebalanceStatus {
    /// How far it has come.
    pub state: RebalanceState,
    /// The number of shards before.
    pub from: i32,
    /// The number of shards after.
    pub to: i32,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Streams that are at their new owner.
    #[serde(default)]
    pub streams_moved: i64,
    /// Streams that move.
    #[serde(default)]
    pub streams_to_move: i64,
}

/// How far a change has come.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
pub enum RebalanceState {
    /// It waits for an approval, or for a pause to end.
    Waiting,
    /// New workers come up.
    Starting,
    /// Streams move.
    Moving,
    /// Streams are at their owners; workers that are not needed any more leave.
    Shrinking,
    /// It is over.
    Done,
}
