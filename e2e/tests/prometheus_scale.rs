//! The number of workers changes under load: nothing is lost, nothing is counted twice, and no counter resets in a real Prometheus.
#![cfg(feature = "real-parts")]

use std::time::Duration;

use anyhow::{Context, ensure};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::{PATIENCE, Shardset, load, mischief, output};
use shardset_e2e::wait;

/// A load and its verification.
const LOAD_PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test]
async fn no_counter_resets_while_the_number_of_workers_changes_under_load() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start().await?;
    let write = prometheus.write_url();
    let shardset = Shardset::start(&["--workers", "3", "--export-interval", "500ms", "--remote-write", &write]).await?;
    let flags = mischief(&["--duration", "25s", "--rate", "1000", "--patience", "60s", "--seed", "5"]);
    let running = load(&shardset, &prometheus.url(), &flags, folder.path())?;
    wait::until("the first export", PATIENCE, async || {
        let found = prometheus.query("count(claude_code_session_count_total)", None).await?;
        found.first().context("nothing arrived").map(|_| ())
    })
    .await?;
    for shards in ["5", "2", "4"] {
        shardset.scale(&[shards])?;
    }
    shardset.scale(&["4", "--routing-key", "resource"])?;
    running.succeed(LOAD_PATIENCE).await?;
    let fallen = prometheus.fallen(300).await?;
    ensure!(fallen.is_empty(), "{} counters were reset: {fallen:?}", fallen.len());
    Ok(())
}

#[tokio::test]
async fn a_number_of_workers_outlives_a_restart() -> anyhow::Result<()> {
    let mut shardset = Shardset::start(&["--export-interval", "500ms"]).await?;
    shardset.scale(&["2"])?;
    shardset.stop().await?;
    shardset.start_again().await?;
    wait::until("two workers of the second epoch", PATIENCE, async || {
        let (done, text) = output(&["status", "--admin", &shardset.admin.to_string()])?;
        ensure!(done.success() && text.starts_with("epoch 2 Stable: 2 shards"), "{text}");
        Ok(())
    })
    .await
}
