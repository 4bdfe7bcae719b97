//! Where workers are, by the slices that Kubernetes keeps for their Service, over what was published.
//!
//! What is published is true when it is written; while nobody writes it, a worker that restarts elsewhere would not be found.
//! The slices of the workers' headless Service follow the pods without us. A StatefulSet has one pod of a name at a time,
//! and a pod that is gone is not in them: so an endpoint that is there, and does not end, is where that worker is. One that is
//! missing says nothing, because those slices may lag behind a pod that the operator has published already.
//!
//! Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use shardset_membership::{Address, Record, WorkerAt};

use crate::format::{port, worker_at};

/// `record` with the places that `slices` know. As it was, where they would put two workers in one place.
pub fn with_newer_places<'a>(
    set: &str,
    record: &Record,
    slices: impl IntoIterator<Item = &'a EndpointSlice>,
) -> Record {
    let family = |slice: &&EndpointSlice| slice.address_type == family_of(record);
    let endpoints = slices.into_iter().filter(family).flat_map(|slice| {
        let port = port(slice);
        slice.endpoints.iter().filter(|endpoint| stays(endpoint)).map(move |endpoint| (endpoint, port))
    });
    let known = endpoints.filter_map(|(endpoint, port)| worker_at(set, endpoint, port));
    let mut places: BTreeMap<u32, WorkerAt> = known.map(|worker| (worker.shard, worker)).collect();
    let workers = record.workers().iter();
    let workers = workers.map(|worker| places.remove(&worker.shard).unwrap_or_else(|| worker.clone())).collect();
    record.placed(workers).unwrap_or_else(|_| record.clone())
}

/// A record is of one family; a Service of two has slices of both.
fn family_of(record: &Record) -> &'static str {
    let is_v6 = |address: &Address| address.as_str().starts_with('[');
    if record.workers().iter().any(|worker| is_v6(&worker.address)) { "IPv6" } else { "IPv4" }
}

fn stays(endpoint: &Endpoint) -> bool {
    let ends = endpoint.conditions.as_ref().and_then(|conditions| conditions.terminating);
    !ends.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
    use shardset_membership::{Record, WorkerAt};
    use shardset_model::{Membership, Phase};

    use super::with_newer_places;

    fn published() -> Record {
        let worker = |shard| WorkerAt {
            shard,
            address: format!("10.0.0.{}:4317", shard + 1).parse().unwrap(),
            uid: Some("old".into()),
        };
        Record::new(Membership::new(7, 3, 3, Phase::Stable).unwrap(), (0..3).map(worker).collect()).unwrap()
    }

    fn endpoint(pod: &str, ip: &str, terminating: bool) -> Endpoint {
        Endpoint {
            addresses: vec![ip.to_owned()],
            hostname: Some(pod.to_owned()),
            conditions: Some(EndpointConditions { terminating: Some(terminating), ..EndpointConditions::default() }),
            target_ref: Some(ObjectReference { uid: Some("new".to_owned()), ..ObjectReference::default() }),
            ..Endpoint::default()
        }
    }

    fn slice(address_type: &str, endpoints: Vec<Endpoint>) -> EndpointSlice {
        let port = EndpointPort { name: Some("otlp".to_owned()), port: Some(4317), ..EndpointPort::default() };
        EndpointSlice {
            address_type: address_type.to_owned(),
            endpoints,
            ports: Some(vec![port]),
            ..EndpointSlice::default()
        }
    }

    fn places(slices: &[EndpointSlice]) -> Vec<String> {
        let record = with_newer_places("a", &published(), slices);
        record.workers().iter().map(|worker| format!("{} {}", worker.address, worker.uid.as_deref().unwrap())).collect()
    }

    #[test]
    fn a_pod_that_is_there_is_where_the_worker_is() {
        let as_published = ["10.0.0.1:4317 old", "10.0.0.2:4317 old", "10.0.0.3:4317 old"];
        assert_eq!(places(&[]), as_published);
        let moved = slice("IPv4", vec![endpoint("a-worker-1", "10.0.0.9", false)]);
        assert_eq!(places(&[moved]), ["10.0.0.1:4317 old", "10.0.0.9:4317 new", "10.0.0.3:4317 old"]);
        let ending = slice("IPv4", vec![endpoint("a-worker-1", "10.0.0.9", true)]);
        assert_eq!(places(&[ending]), as_published, "a pod that ends is no place");
        let strangers =
            slice("IPv4", vec![endpoint("a-worker-3", "10.0.0.9", false), endpoint("b-worker-1", "10.0.0.9", false)]);
        assert_eq!(places(&[strangers]), as_published, "who is no member gets nothing");
        let other_family = slice("IPv6", vec![endpoint("a-worker-1", "fd00::9", false)]);
        assert_eq!(places(&[other_family]), as_published);
    }

    #[test]
    fn two_workers_are_never_put_in_one_place() {
        let reused = slice("IPv4", vec![endpoint("a-worker-1", "10.0.0.1", false)]);
        assert_eq!(places(&[reused])[1], "10.0.0.2:4317 old", "until it is known where worker 0 is");
        let both = vec![endpoint("a-worker-1", "10.0.0.1", false), endpoint("a-worker-0", "10.0.0.8", false)];
        assert_eq!(places(&[slice("IPv4", both)])[..2], ["10.0.0.8:4317 new", "10.0.0.1:4317 new"]);
    }
}
