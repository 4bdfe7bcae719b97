//! A set's workers and membership, as the coordinator works on them.
//!
//! Workers are where their pods are. What is published is the set's EndpointSlice: written whole, over the version that was
//! seen, so of two operators one fails and looks again. How many workers run follows from what is published
//! ([`crate::plan()`]), so `run` and `stop` have nothing to do here.

mod latest;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointSlice};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use shardset_coordinator::{Cluster, ClusterError};
use shardset_crds::{IpFamily, MetricsShardSet, PeersTlsMode};
use shardset_handoff::members;
use shardset_membership::{Address, Record, WorkerAt};
use shardset_model::{Membership, SetName, ShardCount, ShardIndex};
use shardset_process::clock;
use shardset_slice::{format, names};
use shardset_tls::{Identity, Mode, PeerTls};
use tokio::time::timeout;

use self::latest::Latest;
use crate::metrics::Metrics;
use crate::objects::owner;
use crate::plan::is_ready;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// One set in the cluster. What it knows is given before each round.
pub(crate) struct SetCluster {
    client: Client,
    metrics: Metrics,
    set: Arc<MetricsShardSet>,
    /// Who the operator is to workers, where it has a certificate.
    identity: Option<Identity>,
    pods: BTreeMap<u32, Arc<Pod>>,
    slice: Latest,
}

impl SetCluster {
    pub(crate) fn new(client: Client, metrics: Metrics, set: Arc<MetricsShardSet>, identity: Option<Identity>) -> Self {
        Self { client, metrics, set, identity, pods: BTreeMap::new(), slice: Latest::default() }
    }

    /// What the watches know now.
    pub(crate) fn know(&mut self, set: Arc<MetricsShardSet>, pods: &[Arc<Pod>], slice: Option<Arc<EndpointSlice>>) {
        let name = set.name_any();
        let shard = |pod: &Arc<Pod>| Some((names::shard_of(&name, &pod.name_any())?, Arc::clone(pod)));
        self.pods = pods.iter().filter_map(shard).collect();
        self.set = set;
        self.slice.watch(slice);
    }

    /// Whether the set insists on TLS and the operator has no certificate for it.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        self.identity.is_none() && self.mode() == Some(Mode::Required)
    }

    fn mode(&self) -> Option<Mode> {
        let peers = self.set.spec.tls.as_ref()?.peers.as_ref()?;
        Some(match peers.mode {
            PeersTlsMode::Required => Mode::Required,
            PeersTlsMode::Preferred => Mode::Preferred,
        })
    }

    /// The record that is published.
    pub(crate) fn record(&self) -> Result<Option<Record>, ClusterError> {
        let Some(slice) = self.slice.current() else { return Ok(None) };
        let record = format::read(&self.set.name_any(), slice);
        record.map(Some).map_err(|bad| {
            let name = names::membership(&self.set.name_any());
            let what = format!(
                "the EndpointSlice {name} is no membership; delete it, and it is learnt from the workers again"
            );
            ClusterError::because(what, bad)
        })
    }

    /// Publishes what is published again where a worker's pod is another one, or elsewhere, by now. Whether it did.
    pub(crate) async fn publish_places(&mut self) -> Result<bool, ClusterError> {
        let Some(record) = self.record()? else { return Ok(false) };
        let now = self.compose(record.membership().clone(), Some(&record))?;
        let now = match record.published() {
            Some(time) => now.published_at(time),
            None => now,
        };
        let slice = self.slice_of(&now);
        let is_same = self.slice.current().is_some_and(|current| {
            current.endpoints == slice.endpoints && current.metadata.labels == slice.metadata.labels
        });
        if is_same {
            return Ok(false);
        }
        self.write(slice).await
    }

    /// The membership with the place of each member: where its pod is, or was when it was published last.
    fn compose(&self, membership: Membership, seen: Option<&Record>) -> Result<Record, ClusterError> {
        let before = |shard: u32| seen?.workers().iter().find(|worker| worker.shard == shard).cloned();
        let place = |member: ShardIndex| {
            let now = self.pods.get(&member.get()).and_then(|pod| self.place_of(member.get(), pod));
            now.or_else(|| before(member.get())).ok_or_else(|| {
                ClusterError::new(format!(
                    "worker {member} has no address yet, and a membership lists all of its workers"
                ))
            })
        };
        let workers = members(&membership).map(place).collect::<Result<_, _>>()?;
        Record::new(membership, workers)
            .map_err(|error| ClusterError::because("the membership can not be published", error))
    }

    fn place_of(&self, shard: u32, pod: &Pod) -> Option<WorkerAt> {
        place_of(shard, pod, self.set.spec.workers.ip_family)
    }

    fn slice_of(&self, record: &Record) -> EndpointSlice {
        let set = self.set.name_any();
        let mut slice = format::write(&set, record, |worker| self.endpoint(worker));
        slice.metadata.name = Some(names::membership(&set));
        slice.metadata.namespace = self.set.namespace();
        slice.metadata.owner_references = Some(vec![owner(&self.set)]);
        slice
    }

    /// What people see of a worker; nothing routes by it.
    fn endpoint(&self, worker: &WorkerAt) -> Endpoint {
        let uid = worker.uid.as_deref();
        let pod = self.pods.get(&worker.shard).filter(|pod| pod.metadata.uid.as_deref() == uid);
        let ready = pod.is_some_and(|pod| is_ready(pod));
        Endpoint {
            conditions: Some(EndpointConditions {
                ready: Some(ready),
                serving: Some(ready),
                terminating: Some(pod.is_none_or(|pod| pod.metadata.deletion_timestamp.is_some())),
            }),
            node_name: pod.and_then(|pod| pod.spec.as_ref()?.node_name.clone()),
            target_ref: uid.map(|uid| ObjectReference {
                kind: Some("Pod".to_owned()),
                namespace: self.set.namespace(),
                name: Some(names::worker(&self.set.name_any(), worker.shard)),
                uid: Some(uid.to_owned()),
                ..ObjectReference::default()
            }),
            ..Endpoint::default()
        }
    }

    /// Writes the slice over the one that was seen; whether it was still that one.
    async fn write(&mut self, mut slice: EndpointSlice) -> Result<bool, ClusterError> {
        let name = names::membership(&self.set.name_any());
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), &self.set.namespace().unwrap_or_default());
        let post = PostParams { field_manager: Some(crate::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        slice.metadata.resource_version = self.slice.current().and_then(|current| current.resource_version());
        let writing = async {
            match slice.metadata.resource_version {
                Some(_) => api.replace(&name, &post, &slice).await,
                None => api.create(&post, &slice).await,
            }
        };
        match timeout(REQUEST_TIMEOUT, writing).await {
            Ok(Ok(written)) => {
                self.metrics.wrote("EndpointSlice");
                self.slice.write(written);
                Ok(true)
            }
            // Somebody else was faster, or it is gone: what the watch says next counts.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 || status.code == 404 => {
                self.slice.lose();
                Ok(false)
            }
            Ok(Err(error)) => Err(ClusterError::because("the membership can not be published", error)),
            Err(_) => Err(ClusterError::new("the API server does not answer, so the membership is not published")),
        }
    }
}

/// Where a pod takes points, if it has an address, of this family where one is asked for, and has not ended.
fn place_of(shard: u32, pod: &Pod, family: Option<IpFamily>) -> Option<WorkerAt> {
    let status = pod.status.as_ref()?;
    let has_ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    let all = status.pod_ips.iter().flatten().map(|one| one.ip.as_str());
    let mut all = status.pod_ip.as_deref().into_iter().chain(all).filter_map(|ip| ip.parse::<IpAddr>().ok());
    let is_meant = |ip: &IpAddr| match family {
        None => true,
        Some(IpFamily::IPv4) => ip.is_ipv4(),
        Some(IpFamily::IPv6) => ip.is_ipv6(),
    };
    let ip = all.find(is_meant).filter(|_| !has_ended)?;
    let address = Address::from(SocketAddr::new(ip, names::WORKER_PORT));
    Some(WorkerAt { shard, address, uid: pod.metadata.uid.as_deref().map(Box::from) })
}

impl Cluster for SetCluster {
    fn set(&self) -> Option<SetName> {
        // Two names of Kubernetes always make one.
        format!("{}/{}", self.set.namespace().unwrap_or_default(), self.set.name_any()).parse().ok()
    }

    fn tls(&self) -> PeerTls {
        let workers = names::workers_in(&self.set.name_any(), &self.set.namespace().unwrap_or_default());
        let reach = |(identity, mode): (&Identity, Mode)| identity.to(&workers, mode).ok();
        self.identity.as_ref().zip(self.mode()).and_then(reach).unwrap_or_default()
    }

    async fn published(&mut self) -> Result<Option<Record>, ClusterError> {
        self.record()
    }

    fn workers(&mut self) -> BTreeMap<ShardIndex, Address> {
        let all = ShardCount::new(ShardCount::MAX).expect("the most is a count");
        let at = |(shard, pod): (&u32, &Arc<Pod>)| Some((all.shard(*shard)?, self.place_of(*shard, pod)?.address));
        self.pods.iter().filter_map(at).collect()
    }

    async fn publish(&mut self, seen: Option<&Record>, next: Membership) -> Result<bool, ClusterError> {
        let record = self.compose(next, seen)?.published_at(clock::now().millis());
        let slice = self.slice_of(&record);
        self.write(slice).await
    }

    async fn run(&mut self, _shards: ShardCount) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn stop(&mut self, _from: ShardCount) -> Result<(), ClusterError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;
    use shardset_crds::IpFamily::{self, IPv4, IPv6};

    use super::place_of;

    #[test]
    fn a_worker_is_where_its_pod_has_an_address_of_the_family_that_is_asked_for() {
        let place = |ips: &[&str], phase: &str, family: Option<IpFamily>| {
            let ips: Vec<_> = ips.iter().map(|ip| json!({ "ip": ip })).collect();
            let first = ips.first().map(|first| first["ip"].clone());
            let status = json!({ "podIP": first, "podIPs": ips, "phase": phase });
            let pod: Pod = serde_json::from_value(json!({ "status": status })).unwrap();
            place_of(0, &pod, family).map(|worker| worker.address.to_string())
        };
        let both = ["10.0.0.1", "fd00::1"];
        let table = [
            (&both[..], "Running", None, Some("10.0.0.1:4317")),
            (&both, "Running", Some(IPv4), Some("10.0.0.1:4317")),
            (&both, "Running", Some(IPv6), Some("[fd00::1]:4317")),
            (&both[1..], "Running", None, Some("[fd00::1]:4317")),
            (&both[..1], "Running", Some(IPv6), None),
            (&both, "Failed", None, None),
            (&[], "Pending", None, None),
        ];
        for (ips, phase, family, expected) in table {
            assert_eq!(place(ips, phase, family).as_deref(), expected, "{ips:?} {phase} {family:?}");
        }
    }
}
