//! What is known of the cluster: a cache per kind of object, kept by watches, and who waits for news of a set.
//!
//! Of the objects that the operator applies without looking into them only names and versions are kept. Each watch is renewed
//! every 20 to 30 s, so a connection that is dead and does not say so is noticed.

mod follow;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::{DeserializeGuard, ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use shardset_crds::MetricsShardSet;
use shardset_slice::names;
use tokio::sync::Notify;

use crate::objects::{COMPONENT, Kind, Tier};

pub(crate) use follow::{Scope, follow};

/// A set, by its namespace and its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What the watches know.
#[derive(Clone)]
pub(crate) struct Caches {
    sets: Store<Readable>,
    pub(crate) stateful_sets: Store<StatefulSet>,
    pub(crate) deployments: Store<Deployment>,
    pub(crate) pods: Store<Pod>,
    pub(crate) claims: Store<PersistentVolumeClaim>,
    pub(crate) slices: Store<EndpointSlice>,
    pub(crate) policies: Store<PartialObjectMeta<NetworkPolicy>>,
    pub(crate) versions: Versions,
    pub(crate) news: News,
}

/// A set, or why it is none: one that a later version wrote must not keep the operator from reading the others.
type Readable = DeserializeGuard<MetricsShardSet>;

/// The versions of objects that are there.
#[derive(Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<HashMap<Named, String>>>);

/// An object by its kind, namespace and name.
type Named = (Kind, String, String);

/// Who waits for news of which set.
#[derive(Clone, Default)]
pub(crate) struct News(Arc<Mutex<BTreeMap<Key, Arc<Notify>>>>);

impl Caches {
    pub(crate) fn set(&self, key: &Key) -> Option<Arc<MetricsShardSet>> {
        let readable = self.sets.get(&ObjectRef::new(&key.name).within(&key.namespace))?;
        readable.0.as_ref().ok().cloned().map(Arc::new)
    }

    /// All sets that can be read and are not about to go.
    pub(crate) fn sets(&self) -> Vec<Key> {
        let key = |readable: &Arc<Readable>| {
            let metadata = &readable.0.as_ref().ok()?.metadata;
            let stays = metadata.deletion_timestamp.is_none();
            stays.then(|| Some(Key { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? }))?
        };
        self.sets.state().iter().filter_map(key).collect()
    }

    pub(crate) fn workers(&self, key: &Key) -> Option<Arc<StatefulSet>> {
        self.stateful_sets.get(&ObjectRef::new(&names::workers(&key.name)).within(&key.namespace))
    }

    pub(crate) fn gateways(&self, key: &Key) -> Option<Arc<Deployment>> {
        self.deployments.get(&ObjectRef::new(&names::gateway(&key.name)).within(&key.namespace))
    }

    pub(crate) fn slice(&self, key: &Key) -> Option<Arc<EndpointSlice>> {
        self.slices.get(&ObjectRef::new(&names::membership(&key.name)).within(&key.namespace))
    }

    /// The pods of one tier.
    pub(crate) fn pods(&self, key: &Key, tier: Tier) -> Vec<Arc<Pod>> {
        self.pods.state_filter(|pod| is_of(key, tier, &pod.metadata))
    }

    /// The NetworkPolicies with the set's label.
    pub(crate) fn policies(&self, key: &Key) -> Vec<Arc<PartialObjectMeta<NetworkPolicy>>> {
        let tiers = [Tier::Worker, Tier::Gateway];
        self.policies.state_filter(|policy| tiers.iter().any(|tier| is_of(key, *tier, &policy.metadata)))
    }

    /// The claims of the workers.
    pub(crate) fn claims(&self, key: &Key) -> Vec<Arc<PersistentVolumeClaim>> {
        self.claims.state_filter(|claim| is_of(key, Tier::Worker, &claim.metadata))
    }
}

/// Whether an object in this namespace with these labels is of a tier of the set.
fn is_of(key: &Key, tier: Tier, metadata: &ObjectMeta) -> bool {
    let label = |name: &str| metadata.labels.as_ref().and_then(|labels| labels.get(name)).map(String::as_str);
    metadata.namespace.as_ref() == Some(&key.namespace)
        && label(names::SET) == Some(&key.name)
        && label(COMPONENT) == Some(tier.component())
}

impl Versions {
    pub(crate) fn of(&self, kind: Kind, namespace: &str, name: &str) -> Option<String> {
        self.lock().get(&(kind, namespace.to_owned(), name.to_owned())).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Named, String>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    /// What wakes whoever looks after this set.
    pub(crate) fn of(&self, key: &Key) -> Arc<Notify> {
        Arc::clone(self.lock().entry(key.clone()).or_default())
    }

    /// There is news of this set.
    pub(crate) fn tell(&self, key: &Key) {
        if let Some(notify) = self.lock().get(key) {
            notify.notify_one();
        }
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Arc<Notify>>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
