//! The tier of workers: how many, on what disks, and how they count.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pod, schema};

/// The workers. Worker i is the pod NAME-worker-i and serves shard i, wherever it runs.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.ipFamily) == has(oldSelf.ipFamily) && (!has(self.ipFamily) || self.ipFamily == oldSelf.ipFamily)",
    "ipFamily can not be changed: make another MetricsShardSet, and move the senders"
))]
pub struct Workers {
    /// How many shards, and so workers, there should be. kubectl scale and a HorizontalPodAutoscaler write it. A change moves
    /// only the streams that must move, while points go on to come in.
    #[serde(default = "schema::workers")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,
    /// Where the workers keep their state.
    #[serde(default)]
    pub storage: Storage,
    /// Whether a worker answers before (Interval) or after (Fsync) what it answers for is on its disk.
    #[serde(default)]
    pub durability: Durability,
    /// How streams are counted, and how long they live.
    #[serde(default)]
    pub streams: Streams,
    /// Lets the operator choose replicas by the number of streams. Do not use it together with a HorizontalPodAutoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// By addresses of which family workers are reached, where pods have both; by a pod's first one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<IpFamily>,
    /// How the pods look and where they run.
    #[serde(default)]
    pub pod: Pod,
}

/// A family of addresses.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
pub enum IpFamily {
    /// Such as 10.0.0.1.
    IPv4,
    /// Such as fd00::1.
    IPv6,
}

/// Where the workers keep their state: on a volume that outlives the pod, or in the pod.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "has(self.size) != has(self.ephemeral)",
        "storage must have either size (a volume for each worker) or ephemeral (state is lost with the pod)"
    ),
    validation = (
        "has(self.size) || (!has(self.storageClassName) && !has(self.retention))",
        "storageClassName and retention are of volumes: give size too"
    ),
    validation = (
        "has(self.ephemeral) == has(oldSelf.ephemeral)",
        "storage can not be changed between size and ephemeral: make another MetricsShardSet, and move the senders"
    ),
    validation = (
        "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "storageClassName can not be changed: make another MetricsShardSet, and move the senders"
    ),
    validation = (
        "!has(self.size) || !has(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
        "size can not be lowered"
    )
)]
pub struct Storage {
    /// How large the volume of each worker is: 850 bytes for each sum of eight attributes, live or silent, five times, and 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::volume_size")]
    pub size: Option<Quantity>,
    /// The storage class of the volumes; the cluster's default one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// What becomes of the volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// State in an emptyDir: the totals of a worker are lost with its pod, and its counters begin anew. For trying things out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<Ephemeral>,
}

/// What becomes of volumes that no worker uses.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// When the MetricsShardSet is deleted.
    #[serde(default)]
    pub when_deleted: Retain,
    /// When the number of workers is lowered. A worker leaves only when its streams are at their new owners.
    #[serde(default)]
    pub when_scaled: Retain,
}

/// Whether a volume is kept.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum Retain {
    /// It is kept.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
}

/// State in the pod.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ephemeral {
    /// How large the emptyDir may become; no limit where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::volume_size")]
    pub size_limit: Option<Quantity>,
}

/// When a worker answers.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum Durability {
    /// When it is on the disk.
    #[default]
    Fsync,
    /// At once; it is on the disk 100 ms later. A node that loses power loses so much, a pod that dies nothing.
    Interval,
}

/// How streams are counted, and how long they live.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "self.forgetAfterSeconds >= self.idleSeconds",
    "forgetAfterSeconds must be at least idleSeconds"
))]
pub struct Streams {
    /// The most streams of one worker; above it points of new streams are refused. Left out: what half of the worker's memory holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max: Option<i32>,
    /// After how many seconds without a point a series is marked as stale. Its total is kept, on the disk.
    #[serde(default = "schema::idle")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub idle_seconds: i32,
    /// After how many seconds without a point a stream's total is forgotten.
    #[serde(default = "schema::forget_after")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub forget_after_seconds: i32,
    /// For how many seconds a counted point is remembered, so that a resent one is recognised.
    #[serde(default = "schema::dedupe_window")]
    #[schemars(range(min = 1, max = 86_400))]
    pub dedupe_window_seconds: i32,
    /// Whether a stream may have many writers, or one (then points that overlap what is counted are refused).
    #[serde(default)]
    pub writers: Writers,
}

/// Who may write one stream.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
pub enum Writers {
    /// Anybody.
    #[default]
    Many,
    /// One writer.
    One,
}

/// The operator's own choice of the number of workers.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.minReplicas <= self.maxReplicas", "minReplicas must be at most maxReplicas"))]
pub struct Autoscaling {
    /// The fewest workers.
    #[serde(default = "schema::min_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// The most workers.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// How many streams a worker should have. Workers are added above it, and taken away where the rest would stay 20 % below it.
    #[serde(default = "schema::target_streams")]
    #[schemars(range(min = 1000, max = 100_000_000))]
    pub target_streams_per_shard: i32,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            replicas: schema::workers(),
            storage: Storage::default(),
            durability: Durability::default(),
            streams: Streams::default(),
            autoscaling: None,
            ip_family: None,
            pod: Pod::default(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: Some(schema::storage_size()), storage_class_name: None, retention: None, ephemeral: None }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            max: None,
            idle_seconds: schema::idle(),
            forget_after_seconds: schema::forget_after(),
            dedupe_window_seconds: schema::dedupe_window(),
            writers: Writers::default(),
        }
    }
}
