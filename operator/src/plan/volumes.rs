//! How large the workers' volumes are.
//!
//! The size in a StatefulSet's claims is the one of its first day. A larger one is written into each claim that is there, also into
//! those of workers that come later: they begin with the first size, and are made larger like the others.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::Observed;

/// A claim that is to ask for more.
#[derive(Clone, PartialEq, Debug)]
pub struct Enlarge {
    /// Its name.
    pub claim: String,
    /// Which of that name: a worker that comes again has another one, of the first size.
    pub uid: String,
    /// How much it is to ask for.
    pub size: Quantity,
}

/// How large the volumes are that a StatefulSet asks for.
pub(super) fn of_template(workers: Option<&StatefulSet>) -> Option<&Quantity> {
    requested(workers?.spec.as_ref()?.volume_claim_templates.as_ref()?.first()?)
}

/// The schema lets a size only grow, so another one is a larger one, or the same in other words, which changes nothing.
pub(super) fn enlarge(seen: &Observed<'_>) -> Vec<Enlarge> {
    let Some(size) = &seen.set.spec.workers.storage.size else { return Vec::new() };
    let smaller = seen.claims.iter().filter(|claim| requested(claim).is_some_and(|requested| requested != size));
    let enlarge = |claim: &&PersistentVolumeClaim| {
        Some(Enlarge { claim: claim.name_any(), uid: claim.uid()?, size: size.clone() })
    };
    smaller.filter_map(enlarge).collect()
}

fn requested(claim: &PersistentVolumeClaim) -> Option<&Quantity> {
    claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")
}
