//! Gateways that start with nothing while the API server is away.

use std::fs;

use anyhow::{Context, ensure};
use kube::ResourceExt;
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use shardset_suite::load::under_load;
use shardset_suite::node::{pod_folder, process_of, signal};
use shardset_suite::space::{Space, within};

use super::{ALONE, lasting};

/// A pod of a gateway: what the node knows it by, and where it is.
struct Pod {
    uid: String,
    ip: String,
}

impl Pod {
    async fn gateways(space: &Space) -> anyhow::Result<Vec<Self>> {
        let found = space.pods("app.kubernetes.io/component=gateway").await?.into_iter().map(|pod| {
            let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            Ok(Self { uid: pod.uid().context("a pod has a uid")?, ip: ip.context("it has no address yet")? })
        });
        found.collect()
    }

    /// Starts its container anew without what it has from before. The node does that by itself; nobody is asked.
    fn begins_with_nothing(&self) -> anyhow::Result<()> {
        let kept = pod_folder(&self.uid)?.join("volumes/kubernetes.io~empty-dir/membership/membership.json");
        fs::remove_file(&kept).with_context(|| format!("{} is not there", kept.display()))?;
        kill_process(process_of(&self.uid)?, Signal::KILL)?;
        Ok(())
    }

    /// What it answers, without the API server.
    async fn ask(&self, path: &str) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://{}:9465{path}", self.ip)).await?.error_for_status()?.text().await?)
    }

    async fn holds_by(&self, origin: &str) -> anyhow::Result<()> {
        let status: Value = serde_json::from_str(&self.ask("/status").await?)?;
        ensure!(status["origin"] == origin && status["epoch"] != 0, "{status}");
        Ok(())
    }

    async fn has_accepted_points(&self) -> anyhow::Result<()> {
        let metrics = self.ask("/metrics").await?;
        let accepted = "shardset_gateway_points_total{outcome=\"accepted\"} ";
        let points = metrics.lines().find_map(|line| line.strip_prefix(accepted)?.parse::<f64>().ok());
        ensure!(points.is_some_and(|points| points > 0.0), "{points:?} points");
        Ok(())
    }
}

#[tokio::test]
async fn gateways_that_start_with_nothing_while_the_api_server_is_away_learn_the_membership_from_workers()
-> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    within(async |space| {
        let (set, prometheus, load) = under_load(&space, 3, &lasting("45s")).await?;
        let gateways = Pod::gateways(&space).await?;
        ensure!(gateways.len() == 2, "{} gateways", gateways.len());
        signal("kube-apiserver", Signal::STOP)?;
        let away = async {
            gateways.iter().try_for_each(Pod::begins_with_nothing)?;
            for gateway in &gateways {
                space.until("a worker says the membership", 30, async || gateway.holds_by("worker").await).await?;
                ensure!(gateway.ask("/readyz").await? == "ready\n");
                space.until("points are taken", 30, async || gateway.has_accepted_points().await).await?;
            }
            Ok(())
        };
        let outcome = away.await;
        signal("kube-apiserver", Signal::CONT)?;
        outcome?;
        for gateway in &gateways {
            space.until("it follows what is published", 60, async || gateway.holds_by("watch").await).await?;
        }
        set.serves(3).await?;
        load.is_exact(120).await?;
        prometheus.nothing_was_reset().await
    })
    .await
}
