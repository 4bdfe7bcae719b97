//! The watches, and what they fill.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;

use futures_util::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use shardset_process::logging::chain;
use shardset_process::{Readiness, Tasks};
use shardset_slice::{names, watch_seconds};

use super::{Caches, Key, Named, News, Readable, Versions};
use crate::act::version_of;
use crate::objects::Kind;

/// Where sets are looked after.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) client: Client,
    /// The one namespace; all of them where there is none.
    pub(crate) namespace: Option<String>,
}

/// Begins to watch everything. The caches are filled when the readiness says so.
pub(crate) fn follow(scope: &Scope, readiness: &Readiness, tasks: &Tasks) -> Caches {
    let watches = Watches { scope, readiness, tasks, news: News::default(), versions: Versions::default() };
    let everything = watcher::Config::default();
    let ours = watcher::Config::default().labels(names::SET);
    let caches = Caches {
        sets: watches.sets("metricsshardsets", everything),
        stateful_sets: watches.store::<StatefulSet>("statefulsets", ours.clone()),
        deployments: watches.store::<Deployment>("deployments", ours.clone()),
        pods: watches.store::<Pod>("pods", ours.clone()),
        claims: watches.store::<PersistentVolumeClaim>("persistentvolumeclaims", ours.clone()),
        policies: watches.store::<PartialObjectMeta<NetworkPolicy>>("networkpolicies", ours),
        slices: watches.store::<EndpointSlice>("endpointslices", slices()),
        versions: watches.versions.clone(),
        news: watches.news.clone(),
    };
    watches.versions::<ServiceAccount>(Kind::ServiceAccount, "serviceaccounts");
    watches.versions::<Role>(Kind::Role, "roles");
    watches.versions::<RoleBinding>(Kind::RoleBinding, "rolebindings");
    watches.versions::<ConfigMap>(Kind::ConfigMap, "configmaps");
    watches.versions::<Service>(Kind::Service, "services");
    watches.versions::<PodDisruptionBudget>(Kind::PodDisruptionBudget, "poddisruptionbudgets");
    caches
}

/// Ours, and not those that Kubernetes makes of our Services, which inherit their labels.
fn slices() -> watcher::Config {
    let (label, value) = names::MANAGED_BY;
    watcher::Config::default().labels(&format!("{},{label}={value}", names::SET))
}

/// What the watches take.
trait Watched:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Watched for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

struct Watches<'a> {
    scope: &'a Scope,
    readiness: &'a Readiness,
    tasks: &'a Tasks,
    news: News,
    versions: Versions,
}

impl Watches<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let client = self.scope.client.clone();
        match &self.scope.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }

    /// Keeps sets, and says which can not be read.
    fn sets(&self, what: &'static str, config: watcher::Config) -> Store<Readable> {
        let (store, writer) = reflector::store();
        let stream = watcher(self.api::<Readable>(), config.timeout(watch_seconds())).default_backoff().reflect(writer);
        self.run(what, stream, |event: &Event<Readable>| {
            if let Event::Apply(DeserializeGuard(Err(bad))) | Event::InitApply(DeserializeGuard(Err(bad))) = event {
                let name = bad.metadata.name.as_deref().unwrap_or_default();
                tracing::error!(set = name, error = %bad.error, "a set can not be read, and is left as it is");
            }
        });
        store
    }

    /// Keeps whole objects.
    fn store<K: Watched>(&self, what: &'static str, config: watcher::Config) -> Store<K> {
        let (store, writer) = reflector::store();
        let stream = watcher(self.api::<K>(), config.timeout(watch_seconds())).default_backoff();
        let stream = stream.modify(|object| object.managed_fields_mut().clear()).reflect(writer);
        self.run(what, stream, |_| {});
        store
    }

    /// Keeps names and versions.
    fn versions<K: Watched>(&self, kind: Kind, what: &'static str) {
        let config = watcher::Config::default().labels(names::SET).timeout(watch_seconds());
        let stream = watcher(self.api::<PartialObjectMeta<K>>(), config).default_backoff();
        let (versions, mut list) = (self.versions.clone(), HashMap::new());
        self.run(what, stream, move |event| versions.take(kind, event, &mut list));
    }

    /// Runs a watch until the process stops: its objects go to `each`, and whoever waits for news of their sets is woken.
    fn run<K>(
        &self,
        what: &'static str,
        stream: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        mut each: impl FnMut(&Event<K>) + Send + 'static,
    ) where
        K: ResourceExt + Send + 'static,
    {
        let (news, known) = (self.news.clone(), self.readiness.condition(format!("the list of {what}")));
        let watching = async move {
            let mut stream = std::pin::pin!(stream);
            let mut complained = false;
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        // A list that is begun again after an error is no success yet.
                        complained &= matches!(event, Event::Init);
                        each(&event);
                        known_from(&event).for_each(|is_known| known.set(is_known));
                        touched(&event).for_each(|key| news.tell(&key));
                    }
                    Err(error) if !complained => {
                        complained = true;
                        tracing::error!(
                            error = chain(&error),
                            what,
                            "the API server does not say what there is; it is asked again"
                        );
                    }
                    Err(_) => {}
                }
            }
        };
        self.spawn(what, watching);
    }

    fn spawn(&self, what: &str, watching: impl Future<Output = ()> + Send + 'static) {
        let stop = self.tasks.stop();
        self.tasks.spawn(format!("watch-{what}"), async move {
            stop.run_until_cancelled(watching).await;
            Ok::<(), Infallible>(())
        });
    }
}

/// A whole list makes a cache usable; what is lost later is caught up with.
fn known_from<K>(event: &Event<K>) -> impl Iterator<Item = bool> {
    matches!(event, Event::InitDone).then_some(true).into_iter()
}

/// The set that an object is, or that its label names.
fn touched<K: ResourceExt>(event: &Event<K>) -> impl Iterator<Item = Key> {
    let object = match event {
        Event::Apply(object) | Event::Delete(object) | Event::InitApply(object) => Some(object),
        Event::Init | Event::InitDone => None,
    };
    object.into_iter().filter_map(|object| {
        let name = object.labels().get(names::SET).cloned().unwrap_or_else(|| object.name_any());
        Some(Key { namespace: object.namespace()?, name })
    })
}

impl Versions {
    /// Learns from an event of a kind's watch; `list` is what has come of a list that is not whole yet.
    fn take<K: ResourceExt>(&self, kind: Kind, event: &Event<K>, list: &mut HashMap<Named, String>) {
        let named = |object: &K| (kind, object.namespace().unwrap_or_default(), object.name_any());
        let version = |object: &K| version_of(kind, object.meta());
        match event {
            Event::Init => list.clear(),
            Event::InitApply(object) => drop(list.insert(named(object), version(object))),
            // A watch that is lost begins with a list. Until that is whole, what was known counts: an object that was forgotten
            // meanwhile would be applied again. What was deleted while nobody watched is missing from the new list.
            Event::InitDone => {
                let mut known = self.lock();
                known.retain(|(of, ..), _| *of != kind);
                known.extend(list.drain());
            }
            Event::Apply(object) => drop(self.lock().insert(named(object), version(object))),
            Event::Delete(object) => drop(self.lock().remove(&named(object))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::ObjectMeta;
    use kube::runtime::watcher::Event;

    use crate::objects::Kind;
    use crate::observe::Versions;

    fn object(name: &str, version: &str) -> ConfigMap {
        let metadata = ObjectMeta {
            namespace: Some("metrics".to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    #[test]
    fn what_is_known_stays_known_until_a_list_that_is_begun_again_is_whole() {
        let (versions, mut list) = (Versions::default(), HashMap::new());
        let other = (Kind::Service, "metrics".to_owned(), "a".to_owned());
        versions.lock().insert(other, "1".to_owned());
        let events = [
            (Event::Init, ["", "", ""]),
            (Event::InitApply(object("a", "1")), ["", "", ""]),
            (Event::InitApply(object("b", "2")), ["", "", ""]),
            (Event::InitDone, ["1", "2", ""]),
            (Event::Apply(object("c", "3")), ["1", "2", "3"]),
            (Event::Delete(object("b", "2")), ["1", "", "3"]),
            // It is lost, and `c` is deleted before the next list.
            (Event::Init, ["1", "", "3"]),
            (Event::InitApply(object("b", "5")), ["1", "", "3"]),
            // That list broke off as well.
            (Event::Init, ["1", "", "3"]),
            (Event::InitApply(object("a", "4")), ["1", "", "3"]),
            (Event::InitDone, ["4", "", ""]),
        ];
        for (number, (event, expected)) in events.into_iter().enumerate() {
            versions.take(Kind::ConfigMap, &event, &mut list);
            let known = ["a", "b", "c"].map(|name| versions.of(Kind::ConfigMap, "metrics", name).unwrap_or_default());
            assert_eq!(known, expected, "after event {number}");
        }
        assert!(versions.of(Kind::Service, "metrics", "a").is_some(), "another kind's");
    }
}
