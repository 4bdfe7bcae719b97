//! What is to be done about a set, and how it stands: a function of what is seen.
//!
//! Observe, plan, act. Nothing here looks at a cluster or a clock, so a plan can be printed, compared, and tried on any state that
//! a cluster may be in. What moves streams is not planned here: that is [`shardset_handoff::plan`], which every coordinator runs; its
//! round is part of what is seen.

mod conditions;
mod leftovers;
mod notices;
mod replicas;
mod rollout;
mod status;
mod volumes;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::core::ObjectMeta;
use shardset_coordinator::Round;
use shardset_crds::{MetricsShardSet, MetricsShardSetStatus};

use crate::objects::{Blueprint, Object, objects};
use crate::wish::Wanted;

pub use leftovers::Remove;
pub use notices::{Notice, notices};
pub use rollout::Replace;
pub(crate) use rollout::is_ready;
pub use volumes::Enlarge;

/// What is seen of a set.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// What is asked for.
    pub set: &'a MetricsShardSet,
    /// What of that may be brought about now.
    pub wanted: &'a Wanted,
    /// The image of tiers that name none.
    pub image: &'a str,
    /// The namespace that the operator is in.
    pub operator_namespace: &'a str,
    /// The workers as Kubernetes has them.
    pub workers: Option<&'a StatefulSet>,
    /// Their pods.
    pub worker_pods: &'a [&'a Pod],
    /// The claims of their volumes.
    pub claims: &'a [&'a PersistentVolumeClaim],
    /// The NetworkPolicies that carry the set's label.
    pub policies: &'a [&'a ObjectMeta],
    /// The gateways as Kubernetes has them.
    pub gateways: Option<&'a Deployment>,
    /// How many gateways route by the published epoch.
    pub gateways_at_epoch: u32,
    /// What the coordinator saw and did. Not there before its first round, or where it can do nothing.
    pub round: Option<&'a Round>,
    /// When the membership that is published was published.
    pub published_at: Option<Timestamp>,
    /// What could not be done the last time.
    pub blocked: Option<&'a str>,
}

/// What is to be done, and how things stand.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// What there shall be.
    pub objects: Vec<Object>,
    /// What there shall be no more.
    pub remove: Vec<Remove>,
    /// Volumes that are to be larger.
    pub enlarge: Vec<Enlarge>,
    /// A pod that is to make room for its successor.
    pub replace: Option<Replace>,
    /// How things stand.
    pub status: MetricsShardSetStatus,
}

/// A time as the API server keeps it, in whole seconds. A finer one would make a status differ from itself once it is stored.
fn stored(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The plan for what is seen at this time.
pub fn plan(seen: &Observed<'_>, now: Timestamp) -> Plan {
    let objects = objects(Blueprint {
        set: seen.set,
        image: seen.image,
        operator_namespace: seen.operator_namespace,
        workers: replicas::of_workers(seen),
        size: volumes::of_template(seen.workers),
    });
    Plan {
        remove: leftovers::remove(seen, &objects),
        objects,
        enlarge: volumes::enlarge(seen),
        replace: rollout::replace(seen),
        status: status::status(seen, now),
    }
}
