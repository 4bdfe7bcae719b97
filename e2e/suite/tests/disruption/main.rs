//! What happens to a whole cluster, one test at a time: nobody else can be on it meanwhile.
#![cfg(feature = "cluster")]

mod cold_start;

use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use rustix::process::Signal;
use shardset_suite::install::{NAMESPACE, upgrade};
use shardset_suite::load::under_load;
use shardset_suite::node::signal;
use shardset_suite::space::within;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How long the API server is away.
const MINUTE: Duration = Duration::from_secs(60);

/// Flags of a load of so many seconds, whose senders wait for a minute.
fn lasting(seconds: &str) -> [&str; 6] {
    ["--duration", seconds, "--rate", "500", "--patience", "60s"]
}

#[tokio::test]
async fn points_are_taken_and_told_while_the_api_server_is_away_for_a_minute() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, prometheus, load) = under_load(&space, 2, &lasting("90s")).await?;
        let told = async || -> anyhow::Result<f64> {
            let found = prometheus.query_directly("sum(claude_code_token_usage_tokens_total)").await?;
            found.first().and_then(|series| series.value()).context("no totals")
        };
        let before = told().await?;
        signal("kube-apiserver", Signal::STOP)?;
        let begun = Instant::now();
        let away = async {
            sleep(MINUTE / 2).await;
            let meanwhile = told().await?;
            ensure!(meanwhile > before, "nothing was told while the API server was away: {before} and {meanwhile}");
            sleep(MINUTE.saturating_sub(begun.elapsed())).await;
            Ok(())
        };
        let outcome = away.await;
        signal("kube-apiserver", Signal::CONT)?;
        outcome?;
        set.scale(3).await?;
        set.serves(3).await?;
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}

#[tokio::test]
async fn an_upgrade_of_the_operator_restarts_no_worker_and_no_gateway() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, _prometheus, load) = under_load(&space, 2, &lasting("20s")).await?;
        let uids = async |of: &str| -> anyhow::Result<Vec<_>> {
            Ok(space.pods(of).await?.iter().map(ResourceExt::uid).collect())
        };
        let before = uids("shardset.dev/set").await?;
        let operators: Api<Pod> = Api::namespaced(space.client.clone(), NAMESPACE);
        let of_operator = ListParams::default().labels("app.kubernetes.io/component=operator");
        let old = operators.list(&of_operator).await?;
        upgrade(&["logLevel=debug"])?;
        space
            .until("the operators are others", 90, async || {
                let now = operators.list(&of_operator).await?;
                let is_new = |pod: &Pod| old.iter().all(|before| before.uid() != pod.uid());
                ensure!(now.items.len() == 2 && now.iter().all(is_new), "{} of them are there", now.items.len());
                Ok(())
            })
            .await?;
        set.scale(3).await?;
        set.serves(3).await?;
        let after = uids("shardset.dev/set").await?;
        ensure!(before.iter().all(|uid| after.contains(uid)), "a pod was restarted");
        load.is_exact(120).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_container_runtime_that_restarts_takes_nothing_with_it() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, _prometheus, load) = under_load(&space, 2, &lasting("30s")).await?;
        signal("containerd", Signal::KILL)?;
        set.serves(2).await?;
        // It works again: a worker restarts on it.
        let pods = space.api::<Pod>();
        let worker = pods.get("demo-worker-1").await?;
        pods.delete("demo-worker-1", &DeleteParams::default().grace_period(0)).await?;
        space
            .until("the worker is another pod", 60, async || {
                ensure!(pods.get("demo-worker-1").await?.uid() != worker.uid(), "it is the old one");
                Ok(())
            })
            .await?;
        set.serves(2).await?;
        load.is_exact(180).await.map(drop)
    })
    .await
}
