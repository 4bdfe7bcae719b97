//! `shardset load` in a pod: it sends, and compares what was accepted with what Prometheus shows in the end.

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::json;
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
        let container = json!({
            "name": "load",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "args": args,
            "securityContext": restricted_container(),
        });
        let object = json!({
            "metadata": { "name": pod },
            "spec": {
                "restartPolicy": "Never",
                "containers": [container],
                "securityContext": restricted_pod(),
                "automountServiceAccountToken": false,
            },
        });
        set.space.apply::<Pod>(object).await?;
        Ok(Self { set: set.clone(), pod })
    }

    /// Waits for its end; what it says, when nothing is lost and nothing doubled.
    ///
    /// # Errors
    ///
    /// What it says otherwise, or it does not end in time.
    pub async fn is_exact(self, seconds: u64) -> anyhow::Result<String> {
        let space = &self.set.space;
        let phase = self.phase_at_end(seconds).await?;
        let log = space.log(&self.pod, 40).await;
        ensure!(phase == "Succeeded", "what arrived is not what was accepted:\n{log}");
        Ok(log)
    }

    async fn phase_at_end(&self, seconds: u64) -> anyhow::Result<String> {
        let pods = self.set.space.api::<Pod>();
        self.set
            .space
            .until("the load ends", seconds, async || {
                let phase = pods.get(&self.pod).await?.status.and_then(|status| status.phase).unwrap_or_default();
                ensure!(["Succeeded", "Failed"].contains(&phase.as_str()), "it is {phase}");
                Ok(phase)
            })
            .await
    }
}
