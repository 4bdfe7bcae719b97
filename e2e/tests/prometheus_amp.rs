//! Amazon Managed Service for Prometheus, which takes signed requests only: a Prometheus behind a server that checks signatures.
#![cfg(feature = "real-parts")]

use anyhow::ensure;
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::{PATIENCE, Shardset};
use shardset_e2e::wait;
use shardset_e2e::workspace::{REGION, Workspace};

#[tokio::test]
async fn a_workspace_takes_what_is_signed_with_the_keys_of_the_pod_which_change() -> anyhow::Result<()> {
    let prometheus = Prometheus::start().await?;
    let workspace = Workspace::start(prometheus.write_url()).await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("shardset.toml");
    let (url, region) = (workspace.url(), REGION);
    std::fs::write(&config, format!("[[remote-write]]\nurl = {url:?}\nsigv4 = {{ region = {region:?} }}\n"))?;
    let environment = workspace.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let flags = ["--export-interval", "500ms", "--heartbeat", "500ms", "--config", &config.display().to_string()];
    let mut shardset = Shardset::start_in(&environment, &flags).await?;

    let now = otlp::now();
    let delta = Delta { metric: "signed", who: "a", start: now - 1000, time: now, value: 3.0 };
    ensure!(shardset.send_json(otlp::request(&[delta])).await?.status().is_success(), "it is not taken");
    prometheus.settles_at("signed_total", 3.0).await?;
    wait::until("requests are signed with a third key", PATIENCE, async || {
        let seen = workspace.seen();
        ensure!(seen.keys > 2 && seen.signed > 5, "{seen:?}");
        Ok(())
    })
    .await?;
    let seen = workspace.seen();
    ensure!(seen.refused.is_empty(), "{:?}", seen.refused);
    shardset.stop().await
}
