//! The operator without Helm, by the manifests that are shipped: it takes over what Helm's operator looked after, goes and leaves sets
//! as they are, comes again, and becomes Helm's. No set notices.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use shardset_crds::MetricsShardSet;
use shardset_suite::IMAGE;
use shardset_suite::install::{NAMESPACE, bring_back, is_gone, is_ready, kubectl, today, uninstall};
use shardset_suite::load::{Load, under_load};
use shardset_suite::node::folder;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::set::Set;
use shardset_suite::space::{Space, within};

use crate::{ALONE, goes_on, lasting, none_restarted, restarts};

const DEMO: &str = "shardset.dev/set=demo";

/// What the operator's objects have, and the resource has not.
const OF_OPERATOR: &str = "app.kubernetes.io/part-of=shardset";

#[tokio::test]
async fn an_operator_by_plain_manifests_looks_after_sets_of_before_and_leaves_them_when_it_goes() -> anyhow::Result<()>
{
    let _alone = ALONE.lock().await;
    folder()?;
    within(async |space| {
        let outcome = without_helm(&space).await;
        // Whatever came of it: the next test wants an operator.
        let back = bring_back(&space.client).await;
        outcome.and(back)
    })
    .await
}

async fn without_helm(space: &Space) -> anyhow::Result<()> {
    let (set, prometheus, load) = under_load(space, 2, &lasting("75s")).await?;
    let before = restarts(space, DEMO).await?;
    let manifests = Manifests::new()?;

    uninstall(&space.client).await?;
    namespace_goes(&space.client).await?;
    goes_on(space, &prometheus).await?;

    manifests.apply(&["--force-conflicts"])?;
    is_ready(&space.client).await?;
    counts(space, &prometheus).await?;
    set.scale(3).await?;
    set.serves(3).await?;

    manifests.delete()?;
    is_gone(&space.client).await?;
    goes_on(space, &prometheus).await?;
    can_be_deleted(space, "later").await?;

    manifests.apply(&[])?;
    is_ready(&space.client).await?;
    becomes_helms(&space.client).await?;
    set.scale(2).await?;
    set.serves(2).await?;
    none_restarted(space, DEMO, &before).await?;
    load.is_exact(180).await?;
    prometheus.nothing_was_reset().await
}

/// What is shipped, with the name of the image under test in it.
struct Manifests {
    resource: PathBuf,
    operator: PathBuf,
    _folder: tempfile::TempDir,
}

impl Manifests {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let operator = folder.path().join("install.yaml");
        let shipped = fs::read_to_string(today()?.join("install.yaml"))?;
        let image = format!("\"shardset:{}\"", env!("CARGO_PKG_VERSION"));
        ensure!(shipped.matches(&image).count() == 2, "the operator's image and that of sets are not {image}");
        fs::write(&operator, shipped.replace(&image, &format!("{IMAGE:?}")))?;
        let resource = today()?.with_file_name("crds").join("metricsshardsets.yaml");
        Ok(Self { resource, operator, _folder: folder })
    }

    /// As docs/kubernetes.md says.
    fn apply(&self, more: &[&str]) -> anyhow::Result<()> {
        for file in [&self.resource, &self.operator] {
            kubectl(&[&["apply", "--server-side", "--filename", &file.to_string_lossy()], more].concat())?;
        }
        Ok(())
    }

    /// As docs/kubernetes.md says: the operator, and not what is the sets'.
    fn delete(&self) -> anyhow::Result<()> {
        let file = self.operator.to_string_lossy();
        kubectl(&["delete", "--filename", &file, "--selector", OF_OPERATOR]).map(drop)
    }
}

/// So that the manifests' own is used.
async fn namespace_goes(client: &Client) -> anyhow::Result<()> {
    kubectl(&["delete", "namespace", NAMESPACE, "--timeout=60s"])?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    ensure!(namespaces.get_opt(NAMESPACE).await?.is_none(), "it is still there");
    Ok(())
}

/// A set that is made now serves, and what it is sent is what it tells.
async fn counts(space: &Space, prometheus: &Prometheus) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    let enforced = namespaces.get(NAMESPACE).await?.labels().get("pod-security.kubernetes.io/enforce").cloned();
    ensure!(enforced.as_deref() == Some("restricted"), "{enforced:?} is enforced");
    let set = Set::new(space, "later", 1, prometheus.export()).await?;
    set.serves(1).await?;
    Load::start(&set, prometheus, &["--points", "2000", "--rate", "500"]).await?.is_exact(120).await.map(drop)
}

/// A set goes with all its pods while there is no operator.
async fn can_be_deleted(space: &Space, name: &str) -> anyhow::Result<()> {
    space.api::<MetricsShardSet>().delete(name, &DeleteParams::background()).await?;
    space
        .until("its pods are gone", 60, async || {
            let pods = space.pods(&format!("shardset.dev/set={name}")).await?;
            ensure!(pods.is_empty(), "{} pods are left", pods.len());
            Ok(())
        })
        .await
}

/// Helm takes over what is there, and nothing is restarted for it.
async fn becomes_helms(client: &Client) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let uids = async || -> anyhow::Result<Vec<_>> {
        Ok(pods.list(&ListParams::default()).await?.iter().map(ResourceExt::uid).collect())
    };
    let before = uids().await?;
    bring_back(client).await.context("Helm takes it over")?;
    ensure!(uids().await? == before, "the operator was restarted");
    Ok(())
}
