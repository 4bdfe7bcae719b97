//! What a plan says is done: objects applied, a pod deleted, the status written, Events told.
//!
//! No decision is made here but one: what was applied and has not changed since is not applied again, so nothing is written
//! where nothing is different. What fails is said, and keeps nothing else from being done.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::GroupVersionKind;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt};
use serde_json::{Value, json};
use shardset_crds::{MetricsShardSet, MetricsShardSetStatus};
use shardset_process::logging::chain;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_64;

use crate::FIELD_MANAGER;
use crate::metrics::Metrics;
use crate::objects::{Kind, Object};
use crate::plan::{Enlarge, Notice, Remove, Replace};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Does what plans say about one set.
pub(crate) struct Act {
    client: Client,
    reporter: Reporter,
    metrics: Metrics,
    namespace: String,
    /// What was applied, and which version of the object that made.
    applied: HashMap<(Kind, String), (u64, String)>,
    /// What claims were let ask for, by their uids.
    enlarged: HashMap<String, Quantity>,
}

impl Act {
    pub(crate) fn new(client: Client, reporter: Reporter, metrics: Metrics, namespace: String) -> Self {
        Self { client, reporter, metrics, namespace, applied: HashMap::new(), enlarged: HashMap::new() }
    }

    /// Applies an object, unless the one of `version` is what it was made by the same application. What went wrong, for people.
    pub(crate) async fn apply(&mut self, object: &Object, version: Option<String>) -> Result<(), String> {
        let (key, body) = ((object.kind, object.name.clone()), object.body.to_string());
        let hash = xxh3_64(body.as_bytes());
        if version.is_some_and(|version| self.applied.get(&key) == Some(&(hash, version))) {
            return Ok(());
        }
        let (kind, objects) = (object.kind.version_and_name().1, self.objects(object.kind));
        let params = PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..apply() };
        let patch = Patch::Apply(&object.body);
        let applied = request(objects.patch(&object.name, &params, &patch))
            .await
            .map_err(|error| format!("the {kind} {} can not be applied: {error}", object.name))?;
        self.metrics.wrote(kind);
        self.applied.insert(key, (hash, version_of(object.kind, &applied.metadata)));
        Ok(())
    }

    /// Objects of a kind.
    fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        let (api_version, kind) = kind.version_and_name();
        let (group, api) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, api, kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Deletes the object that is meant, and no successor of it.
    pub(crate) async fn remove(&self, remove: &Remove) -> Result<(), String> {
        let kind = remove.kind.version_and_name().1;
        let preconditions = Preconditions { uid: Some(remove.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        // The watch may not have brought yet that it is gone, which is what was meant.
        let deleting = async {
            match self.objects(remove.kind).delete(&remove.name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(false),
                deleted => deleted.map(|_| true),
            }
        };
        let deleted = request(deleting)
            .await
            .map_err(|error| format!("the {kind} {} can not be deleted: {error}", remove.name))?;
        if deleted {
            self.metrics.wrote(kind);
        }
        Ok(())
    }

    /// Lets a claim ask for more, once.
    pub(crate) async fn enlarge(&mut self, enlarge: &Enlarge) -> Result<(), String> {
        if self.enlarged.get(&enlarge.uid) == Some(&enlarge.size) {
            return Ok(());
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({ "spec": { "resources": { "requests": { "storage": enlarge.size } } } }));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patching = claims.patch(&enlarge.claim, &params, &patch);
        request(patching)
            .await
            .map_err(|error| format!("the volume of {} can not be larger: {error}", enlarge.claim))?;
        self.metrics.wrote("PersistentVolumeClaim");
        self.enlarged.insert(enlarge.uid.clone(), enlarge.size.clone());
        Ok(())
    }

    /// Deletes the pod that is meant, and no successor of it.
    pub(crate) async fn replace(&self, replace: &Replace) -> Result<(), String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let preconditions = Preconditions { uid: Some(replace.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match request(pods.delete(&replace.pod, &params)).await {
            Ok(_) => {
                self.metrics.wrote("Pod");
                Ok(())
            }
            Err(error) => Err(format!("the pod {} can not be replaced: {error}", replace.pod)),
        }
    }

    /// Writes how the set stands.
    pub(crate) async fn status(&self, set: &MetricsShardSet, status: &MetricsShardSetStatus) -> Result<(), String> {
        let sets: Api<MetricsShardSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = json!({
            "apiVersion": MetricsShardSet::api_version(&()),
            "kind": MetricsShardSet::kind(&()),
            "metadata": { "name": set.name_any(), "uid": set.uid() },
            "status": status,
        });
        let (name, params, patch) = (set.name_any(), apply(), Patch::Apply(&patch));
        request(sets.patch_status(&name, &params, &patch))
            .await
            .map_err(|error| format!("the status can not be written: {error}"))?;
        self.metrics.wrote("MetricsShardSet");
        Ok(())
    }

    /// Tells what happened. An Event that can not be told is in the log, and is no reason to stop.
    pub(crate) async fn tell(&self, set: &MetricsShardSet, notices: &[Notice]) {
        for notice in notices {
            tracing::info!(set = set.name_any(), namespace = self.namespace, reason = notice.reason, "{}", notice.note);
            let event = Event {
                type_: if notice.is_warning { EventType::Warning } else { EventType::Normal },
                reason: notice.reason.to_owned(),
                note: Some(notice.note.chars().take(NOTE_MAX).collect()),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            let about = set.object_ref(&());
            // A new one for each: it would take events of one reason for one event, and show the first note only.
            let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
            match timeout(REQUEST_TIMEOUT, recorder.publish(&event, &about)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(error = chain(&error), "an Event can not be told"),
                Err(_) => tracing::warn!("an Event can not be told: the API server does not answer"),
            }
        }
    }
}

/// The most characters of a note, by the API's own limit of bytes.
const NOTE_MAX: usize = 250;

fn apply() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

/// What the API server says to a request, or why it says nothing.
async fn request<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(status.message),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err("the API server does not answer".to_owned()),
    }
}

/// What tells whether somebody has changed what was applied. Of objects whose status changes by itself the generation, which is
/// of the spec.
pub(crate) fn version_of(kind: Kind, metadata: &kube::core::ObjectMeta) -> String {
    match kind {
        Kind::StatefulSet | Kind::Deployment | Kind::PodDisruptionBudget => {
            let labels =
                Value::from_iter(metadata.labels.iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
            format!("{:?} {labels}", metadata.generation)
        }
        _ => metadata.resource_version.clone().unwrap_or_default(),
    }
}
