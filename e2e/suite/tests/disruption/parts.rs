//! Parts of the cluster are away, or restart.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use rustix::process::Signal;
use shardset_suite::load::under_load;
use shardset_suite::node::signal;
use shardset_suite::space::within;
use tokio::time::{Instant, sleep};

use crate::{ALONE, lasting, told};

/// How long the API server is away.
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn points_are_taken_and_told_while_the_api_server_is_away_for_a_minute() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, prometheus, load) = under_load(&space, 2, &lasting("90s")).await?;
        let before = told(&prometheus).await?;
        signal("kube-apiserver", Signal::STOP)?;
        let begun = Instant::now();
        let away = async {
            sleep(MINUTE / 2).await;
            let meanwhile = told(&prometheus).await?;
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
