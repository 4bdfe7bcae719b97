//! A namespace of a test's own, with the restricted profile enforced. Everything in it goes with it.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, anyhow};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shardset_e2e::wait;

/// Who the tests are, where they apply.
pub const FIELD_MANAGER: &str = "suite";

/// A namespace.
#[derive(Clone)]
pub struct Space {
    /// A client with every right.
    pub client: Client,
    /// Its name.
    pub name: String,
}

/// Runs a test in a namespace of its own. When it fails, what happened there is told with the error, and the namespace stays.
///
/// # Errors
///
/// The test's own.
pub async fn within(test: impl AsyncFnOnce(Space) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let space = Space::new().await?;
    match test(space.clone()).await {
        Ok(()) => space.clear().await,
        Err(error) => Err(anyhow!("{error:?}\n{}", space.story().await)),
    }
}

impl Space {
    async fn new() -> anyhow::Result<Self> {
        let client = crate::install::client().await?;
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "generateName": "suite-",
                "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/enforce-version": "latest",
                },
            },
        });
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let made = namespaces.create(&PostParams::default(), &serde_json::from_value(namespace)?).await?;
        Ok(Self { client, name: made.name_any() })
    }

    /// What is in it, of one kind.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Applies an object, which is named in it.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn apply<K>(&self, object: Value) -> anyhow::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let mut object = object;
        object["apiVersion"] = K::api_version(&()).into();
        object["kind"] = K::kind(&()).into();
        let name = object["metadata"]["name"].as_str().context("an object has a name")?.to_owned();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        Ok(self.api::<K>().patch(&name, &params, &Patch::Apply(&object)).await?)
    }

    /// Pods with these labels, in the order of their names.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn pods(&self, labels: &str) -> anyhow::Result<Vec<Pod>> {
        let mut pods = self.api::<Pod>().list(&ListParams::default().labels(labels)).await?.items;
        pods.sort_by_key(ResourceExt::name_any);
        Ok(pods)
    }

    /// The last lines of a pod's log.
    pub async fn log(&self, pod: &str, lines: i64) -> String {
        let params = LogParams { tail_lines: Some(lines), ..LogParams::default() };
        self.api::<Pod>().logs(pod, &params).await.unwrap_or_else(|error| format!("no log: {error}"))
    }

    /// What a pod answers over HTTP, through the API server.
    ///
    /// # Errors
    ///
    /// It does not answer, or with an error.
    pub async fn ask(&self, pod: &str, port: u16, path: &str) -> anyhow::Result<String> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy/{path}", self.name);
        Ok(self.client.request_text(http::Request::get(path).body(Vec::new())?).await?)
    }

    /// Asks again until the answer is there.
    ///
    /// # Errors
    ///
    /// The last reason why it is not, when time is up.
    pub async fn until<T>(
        &self,
        what: &str,
        seconds: u64,
        ask: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        wait::until(what, Duration::from_secs(seconds), ask).await
    }

    /// The rest is the cluster's: it takes its time, and nothing waits for it.
    async fn clear(&self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// What happened, for whoever reads of a failure.
    async fn story(&self) -> String {
        let mut story = format!("== namespace {} (it is left as it is)\n", self.name);
        if let Ok(sets) = self.api::<shardset_crds::MetricsShardSet>().list(&ListParams::default()).await {
            for set in sets {
                let status = serde_json::to_string(&set.status).unwrap_or_default();
                story.push_str(&format!("-- {}: {status}\n", set.name_any()));
            }
        }
        if let Ok(events) = self.api::<Event>().list(&ListParams::default()).await {
            for event in events {
                let (about, reason) =
                    (event.involved_object.name.unwrap_or_default(), event.reason.unwrap_or_default());
                story.push_str(&format!("-- {about}: {reason}: {}\n", event.message.unwrap_or_default()));
            }
        }
        for pod in self.pods("").await.unwrap_or_default() {
            let name = pod.name_any();
            let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
            story.push_str(&format!("-- pod {name} {phase}\n{}\n", self.log(&name, 15).await));
        }
        story
    }
}
