//! Another template: one worker at a time, and none while streams move.

use anyhow::{Context, ensure};
use kube::ResourceExt;
use serde_json::json;
use shardset_suite::load::under_load;
use shardset_suite::set::Set;
use shardset_suite::space::within;

const WORKERS: &str = "shardset.dev/set=demo,app.kubernetes.io/component=worker";

#[tokio::test]
async fn another_template_reaches_one_worker_after_the_other_under_load() -> anyhow::Result<()> {
    within(async |space| {
        let flags = ["--duration", "45s", "--rate", "500", "--patience", "90s"];
        let (set, prometheus, load) = under_load(&space, 3, &flags).await?;
        let uids = async || -> anyhow::Result<Vec<_>> {
            Ok(space.pods(WORKERS).await?.iter().map(ResourceExt::uid).collect())
        };
        let before = uids().await?;
        set.change(json!({ "spec": { "workers": { "pod": { "annotations": { "a": "b" } } } } })).await?;
        let mut fewest = 3;
        space
            .until("all workers are of the new template", 120, async || {
                let pods = space.pods(WORKERS).await?;
                let ready = set.status().await?.ready_replicas;
                fewest = fewest.min(ready);
                let new =
                    pods.iter().filter(|pod| pod.annotations().get("a").is_some_and(|value| value == "b")).count();
                ensure!(new == 3 && ready == 3, "{new} of 3");
                Ok(())
            })
            .await?;
        ensure!(fewest >= 2, "{fewest} workers were ready at a time");
        let after = uids().await?;
        ensure!(before.iter().all(|uid| !after.contains(uid)), "a pod is still the old one");
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}

#[tokio::test]
async fn an_image_that_does_not_run_stops_at_one_worker_and_a_better_one_goes_on() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 2, json!({})).await?;
        set.serves(2).await?;
        let image = |image: &str| json!({ "spec": { "workers": { "pod": { "image": image } } } });
        set.change(image("shardset.invalid/no-such-image:1")).await?;
        space
            .until("a worker is away", 60, async || {
                let status = set.status().await?;
                ensure!(status.ready_replicas == 1, "{}", serde_json::to_string(&status)?);
                Ok(())
            })
            .await?;
        let ready = shardset_suite::set::condition(&set.status().await?, "Ready").to_owned();
        let degraded = space
            .until("it says why", 30, async || {
                let status = set.status().await?;
                let degraded = status.conditions.iter().find(|one| one.type_ == "Degraded" && one.status == "True");
                degraded.map(|one| one.message.clone()).context("it is not degraded")
            })
            .await?;
        ensure!(degraded == "worker 0 does not answer", "{ready}: {degraded}");
        set.change(image(shardset_suite::IMAGE)).await?;
        set.serves(2).await.map(drop)
    })
    .await
}
