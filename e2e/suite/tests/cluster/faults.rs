//! Pods are deleted and killed, disks are wiped: what was accepted is there.

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use shardset_slice::names;
use shardset_suite::load::under_load;
use shardset_suite::set::Set;
use shardset_suite::space::{Space, within};

/// A worker is away for some seconds; its senders wait for so long.
const PATIENT: [&str; 6] = ["--duration", "40s", "--rate", "500", "--patience", "90s"];

/// Deletes a pod at once, as if its node had died, or as a drain does, and waits for its successor.
async fn replaced(space: &Space, pod: &str, params: &DeleteParams) -> anyhow::Result<()> {
    let pods = space.api::<Pod>();
    let before = pods.get(pod).await?.uid();
    pods.delete(pod, params).await?;
    space
        .until("there is another pod of that name", 60, async || {
            let now = pods.get(pod).await?;
            ensure!(now.uid() != before, "it is still the old one");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_worker_that_is_deleted_or_killed_takes_nothing_with_it() -> anyhow::Result<()> {
    within(async |space| {
        let (set, prometheus, load) = under_load(&space, 2, &PATIENT).await?;
        replaced(&space, "demo-worker-0", &DeleteParams::default()).await?;
        set.serves(2).await?;
        replaced(&space, "demo-worker-1", &DeleteParams::default().grace_period(0)).await?;
        set.serves(2).await?;
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await?;
        ensure!(set.status().await?.epoch == 1, "a worker that restarts keeps its shard, and nothing moves");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_gateway_that_is_deleted_takes_nothing_with_it() -> anyhow::Result<()> {
    within(async |space| {
        let (set, _prometheus, load) = under_load(&space, 2, &PATIENT).await?;
        for gateway in space.pods("shardset.dev/set=demo,app.kubernetes.io/component=gateway").await? {
            space.api::<Pod>().delete(&gateway.name_any(), &DeleteParams::default().grace_period(0)).await?;
            set.serves(2).await?;
        }
        load.is_exact(180).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_membership_that_is_deleted_is_published_again_as_the_workers_know_it() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 1, json!({})).await?;
        set.serves(1).await?;
        set.scale(2).await?;
        let before = set.serves(2).await?.epoch;
        space.api::<EndpointSlice>().delete(&names::membership("demo"), &DeleteParams::default()).await?;
        space
            .until("it is published again", 30, async || {
                let record = set.published().await?;
                let membership = record.membership();
                ensure!(i64::try_from(membership.epoch().get())? == before, "{membership:?}");
                Ok(())
            })
            .await?;
        set.serves(2).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_worker_whose_volume_is_lost_begins_anew_and_the_user_is_told() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "demo", 2, json!({})).await?;
        set.serves(2).await?;
        let claims = space.api::<PersistentVolumeClaim>();
        claims.delete("data-demo-worker-1", &DeleteParams::default()).await?;
        replaced(&space, "demo-worker-1", &DeleteParams::default().grace_period(0)).await?;
        let events = space.api::<k8s_openapi::api::events::v1::Event>();
        let told = space
            .until("the loss is told", 60, async || {
                let events = events.list(&ListParams::default()).await?;
                let lost = events.into_iter().find(|event| event.reason.as_deref() == Some("WorkerLostDisk"));
                lost.and_then(|event| event.note).context("no such Event")
            })
            .await?;
        ensure!(told.starts_with("worker 1 is back with an empty disk"), "{told}");
        set.serves(2).await.map(drop)
    })
    .await
}
