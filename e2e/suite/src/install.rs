//! The operator, installed once for all tests of a process, from what users get.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, Config, ResourceExt};
use shardset_e2e::{tool, wait};
use tokio::sync::OnceCell;

/// Where the operator is.
pub const NAMESPACE: &str = "shardset-system";
/// Its Deployment.
pub const OPERATOR: &str = "shardset-operator";

/// The resource's definition.
pub const RESOURCE: &str = "metricsshardsets.shardset.dev";

/// The image under test.
const IMAGE_VALUES: [&str; 3] = ["image.registry=shardset.invalid", "image.tag=dev", "image.pullPolicy=IfNotPresent"];
/// As the READMEs of the charts say of what `kubectl apply` has brought.
const TAKE_OVER: [&str; 2] = ["--take-ownership", "--force-conflicts"];

const READY: Duration = Duration::from_secs(60);

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A client of the cluster, when the operator runs in it.
///
/// # Errors
///
/// There is no cluster, or the operator can not be installed.
pub async fn client() -> anyhow::Result<Client> {
    let client = bare_client().await?;
    let installed = client.clone();
    INSTALLED.get_or_try_init(|| install(installed)).await?;
    Ok(client)
}

/// A client of the cluster, whatever runs in it.
///
/// # Errors
///
/// There is none.
pub async fn bare_client() -> anyhow::Result<Client> {
    let mut config =
        Config::infer().await.context("no cluster: set KUBECONFIG, or run `cargo xtask e2e --cluster local`")?;
    // Or an answer of "not now" is waited for during minutes.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// As a user does: a namespace that enforces the restricted profile, the resource, and the operator with the role that it has.
async fn install(client: Client) -> anyhow::Result<()> {
    apply_namespace()?;
    upgrade_resource()?;
    upgrade(&[])?;
    is_ready(&client).await
}

/// Brings the operator by Helm, whatever was there: what somebody else has brought is Helm's then.
///
/// # Errors
///
/// Helm's, or it does not get ready.
pub async fn bring_back(client: &Client) -> anyhow::Result<()> {
    apply_namespace()?;
    release(&today()?, "shardset-crds", &TAKE_OVER)?;
    release(&today()?, "shardset", &[&["--set", &IMAGE_VALUES.join(",")], &TAKE_OVER[..]].concat())?;
    is_ready(client).await
}

/// Takes both releases away. The resource stays where it is, and so do sets.
///
/// # Errors
///
/// Helm's, or operators do not end.
pub async fn uninstall(client: &Client) -> anyhow::Result<()> {
    for name in ["shardset", "shardset-crds"] {
        helm(&["uninstall", "--namespace", NAMESPACE, name])?;
    }
    is_gone(client).await
}

/// Waits until both operators are ready, and of the template that is there now.
///
/// # Errors
///
/// How they stand when time is up.
pub async fn is_ready(client: &Client) -> anyhow::Result<()> {
    kubectl(&["wait", "--for=condition=established", &format!("crd/{RESOURCE}"), "--timeout=20s"])?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    wait::until("the operator is ready", READY, async || {
        let deployment = deployments.get(OPERATOR).await?;
        let status = deployment.status.context("no status")?;
        let counts = [status.replicas, status.updated_replicas, status.ready_replicas];
        let is_seen = status.observed_generation == deployment.metadata.generation;
        ensure!(is_seen && counts.iter().all(|count| *count == Some(2)), "{status:?}");
        Ok(())
    })
    .await
}

/// Waits until no operator is there.
///
/// # Errors
///
/// Which are when time is up.
pub async fn is_gone(client: &Client) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    wait::until("no operator is there", READY, async || {
        let pods = pods.list(&ListParams::default()).await?;
        ensure!(pods.items.is_empty(), "{:?}", pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
        Ok(())
    })
    .await
}

/// Installs the resource, or upgrades it.
///
/// # Errors
///
/// Helm's.
pub fn upgrade_resource() -> anyhow::Result<()> {
    release(&today()?, "shardset-crds", &[])
}

/// Installs the operator with these values, or upgrades it to them. Of what `kubectl apply` has brought before, and Helm taken over,
/// kubectl still owns what was the same; so Helm insists.
///
/// # Errors
///
/// Helm's.
pub fn upgrade(values: &[&str]) -> anyhow::Result<()> {
    let values = [&IMAGE_VALUES[..], values].concat().join(",");
    release(&today()?, "shardset", &["--set", &values, "--force-conflicts"])
}

/// Installs the resource and the operator by the charts that users upgrade from, with the image under test.
///
/// # Errors
///
/// Helm's.
pub fn install_previous() -> anyhow::Result<()> {
    apply_namespace()?;
    let charts = tool("SHARDSET_SUITE_CHARTS_BEFORE")?;
    release(&charts, "shardset-crds", &[])?;
    release(&charts, "shardset", &["--set", &IMAGE_VALUES.join(",")])
}

/// The folder of the charts under test.
///
/// # Errors
///
/// Nobody says where it is.
pub fn today() -> anyhow::Result<PathBuf> {
    tool("SHARDSET_SUITE_CHARTS")
}

fn release(charts: &Path, name: &str, more: &[&str]) -> anyhow::Result<()> {
    let chart = charts.join(name).to_string_lossy().into_owned();
    helm(&[&["upgrade", "--install", "--namespace", NAMESPACE, name, &chart], more].concat()).map(drop)
}

fn apply_namespace() -> anyhow::Result<()> {
    let namespace = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": NAMESPACE, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("namespace.json");
    std::fs::write(&file, namespace.to_string())?;
    kubectl(&["apply", "--server-side", "--filename", &file.to_string_lossy()]).map(drop)
}

/// Runs Helm to its end; what it says.
///
/// # Errors
///
/// What it says when it fails.
pub fn helm(arguments: &[&str]) -> anyhow::Result<String> {
    said("helm", Command::new(tool("SHARDSET_E2E_HELM")?).args(arguments))
}

/// Runs kubectl to its end; what it says.
///
/// # Errors
///
/// What it says when it fails.
pub fn kubectl(arguments: &[&str]) -> anyhow::Result<String> {
    said("kubectl", Command::new("kubectl").args(arguments))
}

fn said(program: &str, command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{program} can not be run"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{command:?}: {text}");
    Ok(text)
}

/// The sum of a metric's series at the operator that acts.
///
/// # Errors
///
/// There is no such operator, or it does not answer.
pub async fn metric_of_leader(name: &str) -> anyhow::Result<f64> {
    let client = client().await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    for pod in pods.list(&ListParams::default()).await? {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{}:9465/proxy/metrics", pod.name_any());
        let Ok(text) = client.request_text(http::Request::get(path).body(Vec::new())?).await else { continue };
        if text.contains("\nshardset_operator_leader 1") {
            let of_name = |line: &&str| line.starts_with(name);
            let values = text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            return Ok(values.sum());
        }
    }
    anyhow::bail!("no operator acts")
}
