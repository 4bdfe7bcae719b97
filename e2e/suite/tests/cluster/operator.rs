//! The operator is away, killed or cut off: streams stay exact, and whoever comes next goes on.

use std::time::Duration;

use anyhow::{Context, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;
use shardset_suite::install::{NAMESPACE, client, metric_of_leader};
use shardset_suite::load::under_load;
use shardset_suite::set::Set;
use shardset_suite::space::within;
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn an_operator_that_is_killed_again_and_again_in_a_move_loses_nothing() -> anyhow::Result<()> {
    within(async |space| {
        let flags = ["--duration", "60s", "--rate", "1000", "--patience", "60s"];
        let (set, prometheus, load) = under_load(&space, 3, &flags).await?;
        let operators: Api<Pod> = Api::namespaced(client().await?, NAMESPACE);
        for shards in [5, 2] {
            set.scale(shards).await?;
            for _ in 0..3 {
                for operator in operators.list(&ListParams::default()).await? {
                    operators.delete(&operator.name_any(), &DeleteParams::default().grace_period(0)).await?;
                }
                sleep(Duration::from_millis(1500)).await;
            }
            set.serves(shards.try_into()?).await?;
        }
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}

#[tokio::test]
async fn nothing_is_written_where_nothing_has_changed() -> anyhow::Result<()> {
    within(async |space| {
        let set = Set::new(&space, "quiet", 1, json!({})).await?;
        let status = set.serves(1).await?;
        let version = async || -> anyhow::Result<_> { Ok(set.get().await?.metadata.resource_version) };
        let before = version().await?;
        let turns = metric_of_leader("shardset_operator_turns_total").await?;
        // Two looks of a set that is quiet are five seconds apart.
        space
            .until("it was looked at again", 60, async || {
                let now = metric_of_leader("shardset_operator_turns_total").await?;
                ensure!(now >= turns + 3.0, "{turns} and {now} looks");
                Ok(())
            })
            .await?;
        ensure!(version().await? == before && set.status().await? == status, "it was written");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn another_number_in_quick_succession_ends_at_the_last_one() -> anyhow::Result<()> {
    within(async |space| {
        let flags = ["--duration", "30s", "--rate", "1000", "--patience", "60s"];
        let (set, prometheus, load) = under_load(&space, 3, &flags).await?;
        let begun = Instant::now();
        for shards in [5, 4, 5] {
            set.scale(shards).await?;
            sleep(Duration::from_millis(700)).await;
        }
        let status = set.serves(5).await.context("5 in the end")?;
        ensure!(status.epoch >= 2, "{} after {:?}", status.epoch, begun.elapsed());
        load.is_exact(180).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}
