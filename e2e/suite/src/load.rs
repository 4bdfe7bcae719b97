//! `shardset load` in a pod: it sends, and compares what was accepted with what Prometheus shows in the end.

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use shardset_e2e::shardset::mischief;
use shardset_slice::names;

use crate::IMAGE;
use crate::prometheus::{Prometheus, restricted_container, restricted_pod};
use crate::set::Set;
use crate::space::Space;

/// A load that runs.
pub struct Load {
    set: Set,
    pod: String,
}

/// A set of so many workers that serves, a Prometheus that its totals are written to, and a load that has begun.
///
/// # Errors
///
/// One of them does not come up.
pub async fn under_load(space: &Space, workers: u32, flags: &[&str]) -> anyhow::Result<(Set, Prometheus, Load)> {
    let prometheus = Prometheus::start(space).await?;
    let set = Set::new(space, "demo", workers, prometheus.export()).await?;
    set.serves(workers.try_into()?).await?;
    let load = Load::start(&set, &prometheus, flags).await?;
    prometheus.has_totals().await?;
    Ok((set, prometheus, load))
}

impl Load {
    /// Sends to the gateways of `set` with these flags, some of it twice, some of it given up half-way; what Prometheus shows must be
    /// what was accepted.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn start(set: &Set, prometheus: &Prometheus, flags: &[&str]) -> anyhow::Result<Self> {
        Self::plain(set, prometheus, &mischief(flags)).await
    }

    /// The same with these flags and no others.
    ///
    /// # Errors
    ///
    /// The API server's.
    pub async fn plain(set: &Set, prometheus: &Prometheus, flags: &[&str]) -> anyhow::Result<Self> {
        let service = set.space.api::<Service>().get(&names::gateway(&set.name)).await?;
        let gateway = service.spec.and_then(|spec| spec.cluster_ip).context("a Service has an address")?;
        let urls = [
            format!("--otlp-grpc=http://{gateway}:4317"),
            format!("--otlp-http=http://{gateway}:4318"),
            format!("--verify={}", prometheus.url()),
        ];
        let args: Vec<String> =
            ["load".to_owned()].into_iter().chain(urls).chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        let pod = format!("load-{}", set.name);
        run(&set.space, &pod, "sender", &args).await?;
        Ok(Self { set: set.clone(), pod })
    }

    /// Waits for its end; what it says, when nothing is lost and nothing doubled.
    ///
    /// # Errors
    ///
    /// What it says otherwise, or it does not end in time.
    pub async fn is_exact(self, seconds: u64) -> anyhow::Result<String> {
        let (phase, log) = end(&self.set.space, &self.pod, seconds).await?;
        ensure!(phase == "Succeeded", "what arrived is not what was accepted:\n{log}");
        Ok(log)
    }
}

/// How many points are accepted of the few that a pod with this `role` sends by gRPC to an address.
///
/// # Errors
///
/// The API server's, or it does not end in time.
pub async fn accepted(space: &Space, role: &str, address: &str) -> anyhow::Result<u64> {
    let to = format!("--otlp-grpc=http://{address}");
    // A network learns of a pod a while after it runs.
    let patience = ["--timeout=2s", "--attempts=20", "--patience=8s"];
    let flags = ["--protocols=grpc", "--points=5", "--sessions=1", "--interval=100ms"].into_iter().chain(patience);
    let args: Vec<String> = ["load", "--json", &to].into_iter().chain(flags).map(str::to_owned).collect();
    let pod = format!("few-of-{role}");
    run(space, &pod, role, &args).await?;
    let (_, log) = end(space, &pod, 60).await?;
    space.api::<Pod>().delete(&pod, &DeleteParams::default().grace_period(0)).await?;
    // Its progress comes first.
    let summary = log.find('{').map_or("", |begin| &log[begin..]);
    let summary: Value = serde_json::from_str(summary).with_context(|| log.clone())?;
    summary["points_accepted"].as_u64().context(log)
}

/// Runs Shardset's image with these arguments, in a pod that has a `role`.
async fn run(space: &Space, pod: &str, role: &str, args: &[String]) -> anyhow::Result<()> {
    let container = json!({
        "name": "load",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "securityContext": restricted_container(),
    });
    let object = json!({
        "metadata": { "name": pod, "labels": { "role": role } },
        "spec": {
            "restartPolicy": "Never",
            "containers": [container],
            "securityContext": restricted_pod(),
            "automountServiceAccountToken": false,
        },
    });
    space.apply::<Pod>(object).await.map(drop)
}

/// The phase of a pod that has ended, and its log.
async fn end(space: &Space, pod: &str, seconds: u64) -> anyhow::Result<(String, String)> {
    let pods = space.api::<Pod>();
    let phase = space
        .until(&format!("the pod {pod} ends"), seconds, async || {
            let phase = pods.get(pod).await?.status.and_then(|status| status.phase).unwrap_or_default();
            ensure!(["Succeeded", "Failed"].contains(&phase.as_str()), "it is {phase}");
            Ok(phase)
        })
        .await?;
    Ok((phase, space.log(pod, 40).await))
}
