//! Which worker's pod is replaced next by one of the present template.
//!
//! One at a time: the next when the last one has recovered and serves, and none while streams move. Only a pod that is of an old
//! template and does not work is replaced at any time: it serves nothing, it may be what a move waits for, and what it lacks
//! may be in the new template.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use shardset_model::Phase;
use shardset_slice::names;

use super::Observed;

/// A pod that is to be deleted, so that its StatefulSet makes another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replace {
    /// Its name.
    pub pod: String,
    /// Which of that name: another one is not meant.
    pub uid: String,
}

const REVISION: &str = "controller-revision-hash";

pub(super) fn replace(seen: &Observed<'_>) -> Option<Replace> {
    let workers = seen.workers?;
    let (status, generation) = (workers.status.as_ref()?, workers.metadata.generation);
    // What the StatefulSet says of its revisions is of this template only when it has looked at it.
    let wanted = status.update_revision.as_deref().filter(|_| status.observed_generation == generation)?;
    let is_old = |pod: &&&Pod| pod.labels().get(REVISION).is_some_and(|revision| revision != wanted);
    let mut old: Vec<&&Pod> = seen.worker_pods.iter().filter(is_old).collect();
    old.sort_by_key(|pod| names::shard_of(&seen.set.name_any(), &pod.name_any()));
    if seen.worker_pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_some()) {
        return None;
    }
    let broken = old.iter().find(|pod| !is_ready(pod));
    let next = broken.or_else(|| old.first().filter(|_| all_is_well(seen)))?;
    Some(Replace { pod: next.name_any(), uid: next.uid()? })
}

/// Whether all workers that shall run do, serve, and nothing is under way.
fn all_is_well(seen: &Observed<'_>) -> bool {
    let Some(round) = seen.round else { return false };
    let Some(published) = &round.published else { return false };
    let is_quiet = published.phase() == Phase::Stable && round.waiting.is_empty() && !round.acted;
    let is_wished = *published.routing() == seen.wanted.wish.routing && published.shards() == seen.wanted.wish.shards;
    let members = published.shards().get() as usize;
    is_quiet && is_wished && seen.worker_pods.iter().filter(|pod| is_ready(pod)).count() >= members
}

/// Whether a pod says that it may be sent work.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
