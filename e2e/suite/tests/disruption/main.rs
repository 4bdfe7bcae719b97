//! What happens to a whole cluster, one test at a time: nobody else can be on it meanwhile.
#![cfg(feature = "cluster")]

mod cold_start;
mod manifests;
mod parts;
mod policies;
mod steps;
mod tls;
mod upgrade;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use kube::ResourceExt;
use shardset_suite::prometheus::Prometheus;
use shardset_suite::space::Space;
use tokio::sync::Mutex;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Flags of a load of so many seconds, whose senders wait for a minute.
fn lasting(seconds: &str) -> [&str; 6] {
    ["--duration", seconds, "--rate", "500", "--patience", "60s"]
}

/// The tokens that Prometheus is told of, asked for without the API server.
async fn told(prometheus: &Prometheus) -> anyhow::Result<f64> {
    let found = prometheus.query_directly("sum(claude_code_token_usage_tokens_total)").await?;
    found.first().and_then(|series| series.value()).context("no totals")
}

/// Waits until more is told than now.
async fn goes_on(space: &Space, prometheus: &Prometheus) -> anyhow::Result<()> {
    let before = told(prometheus).await?;
    space
        .until("more is told", 30, async || {
            let now = told(prometheus).await?;
            ensure!(now > before, "{before} and {now}");
            Ok(())
        })
        .await
}

/// How often the containers of each pod of these labels were restarted, by the pod.
async fn restarts(space: &Space, labels: &str) -> anyhow::Result<BTreeMap<String, i32>> {
    let of = |pod: &k8s_openapi::api::core::v1::Pod| {
        let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        containers.into_iter().flatten().map(|container| container.restart_count).sum()
    };
    Ok(space.pods(labels).await?.iter().map(|pod| (pod.uid().unwrap_or_default(), of(pod))).collect())
}

/// Whether the pods of before are all there still, and their containers are the same.
async fn none_restarted(space: &Space, labels: &str, before: &BTreeMap<String, i32>) -> anyhow::Result<()> {
    let now = restarts(space, labels).await?;
    ensure!(before.iter().all(|(uid, count)| now.get(uid) == Some(count)), "before {before:?}, and now {now:?}");
    Ok(())
}
