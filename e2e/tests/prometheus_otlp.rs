//! Totals that go to a real Prometheus by OTLP: its translation of our names is the one we would have made, and its books are right.
#![cfg(feature = "real-parts")]

use std::time::Duration;

use anyhow::{Context, ensure};
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::{PATIENCE, Shardset, load, mischief};
use shardset_e2e::wait;

/// A load and its verification.
const LOAD_PATIENCE: Duration = Duration::from_secs(180);
/// How long the backend is away. Many exports fall due in it.
const AWAY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn what_was_accepted_is_what_prometheus_holds_though_workers_change_in_number_and_it_was_away()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut prometheus = Prometheus::start_for_otlp().await?;
    let flags = ["--workers", "3", "--export-interval", "500ms", "--export-otlp", &prometheus.otlp_url()];
    let mut shardset = Shardset::start(&flags).await?;
    let flags = mischief(&["--duration", "30s", "--rate", "1000", "--patience", "60s", "--seed", "6"]);
    let running = load(&shardset, &prometheus.url(), &flags, folder.path())?;
    wait::until("the first export", PATIENCE, async || {
        let found = prometheus.query("count(claude_code_session_count_total)", None).await?;
        found.first().context("nothing arrived").map(|_| ())
    })
    .await?;
    prometheus.stop().await?;
    tokio::time::sleep(AWAY).await;
    shardset.is_well().await?;
    prometheus.start_again().await?;
    shardset.scale(&["5"])?;
    shardset.scale(&["2"])?;
    running.succeed(LOAD_PATIENCE).await?;
    let fallen = prometheus.fallen(300).await?;
    ensure!(fallen.is_empty(), "{} counters were reset: {fallen:?}", fallen.len());
    nothing_was_dropped(&shardset).await
}

#[tokio::test]
async fn the_first_value_of_a_counter_is_an_increase_and_a_restart_is_none() -> anyhow::Result<()> {
    let prometheus = Prometheus::start_for_otlp().await?;
    let flags = ["--export-interval", "500ms", "--export-otlp", &prometheus.otlp_url()];
    let mut shardset = Shardset::start(&flags).await?;
    let now = otlp::now();
    send(&shardset, Delta { metric: "visits", who: "a", start: now - 5000, time: now, value: 3.0 }).await?;
    let series = prometheus.settles_at("visits_total{who=\"a\"}", 3.0).await?;
    ensure!(prometheus.increase("visits_total{who=\"a\"}", &series).await? == 3.0, "it begins with 0: {series:?}");
    shardset.process().kill()?;
    shardset.start_again().await?;
    let now = otlp::now();
    send(&shardset, Delta { metric: "visits", who: "a", start: now, time: now + 1, value: 4.0 }).await?;
    let series = prometheus.settles_at("visits_total{who=\"a\"}", 7.0).await?;
    ensure!(prometheus.increase("visits_total{who=\"a\"}", &series).await? == 7.0, "{series:?}");
    let resets = prometheus.query("resets(visits_total[5m])", None).await?;
    ensure!(resets.len() == 1 && resets[0].value() == Some(0.0), "a restart resets nothing: {resets:?}");
    nothing_was_dropped(&shardset).await
}

async fn nothing_was_dropped(shardset: &Shardset) -> anyhow::Result<()> {
    let shown = shardset.own_metrics().await?;
    let dropped = shown.sum("shardset_export_samples_dropped_total", &[]);
    ensure!(dropped == 0.0, "{dropped} points were dropped");
    ensure!(shown.sum("shardset_export_samples_sent_total", &[]) > 0.0, "points are counted");
    Ok(())
}

async fn send(shardset: &Shardset, delta: Delta<'_>) -> anyhow::Result<()> {
    let answer = shardset.send_json(otlp::request(&[delta])).await?;
    ensure!(answer.status().is_success(), "it answers {}", answer.status());
    Ok(())
}
