//! Backends that go away, come back, or scrape instead.
#![cfg(feature = "real-parts")]

use std::time::Duration;

use anyhow::{Context, ensure};
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::prometheus::Prometheus;
use shardset_e2e::shardset::{PATIENCE, Shardset, load, mischief};
use shardset_e2e::{ports, wait};

/// What the process may grow by while its backend is away: streams of new sessions, and no queue of samples.
const GROWTH_BYTES: u64 = 64 << 20;
/// How long the backend is away. Many exports fall due in it.
const AWAY: Duration = Duration::from_secs(20);
/// A load and its verification.
const LOAD_PATIENCE: Duration = Duration::from_secs(150);

#[tokio::test]
async fn what_was_accepted_is_what_prometheus_holds() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start().await?;
    let write = prometheus.write_url();
    let shardset = Shardset::start(&["--workers", "3", "--export-interval", "1s", "--remote-write", &write]).await?;
    let flags = mischief(&["--points", "20000", "--sessions", "100", "--seed", "2", "--batch", "5"]);
    load(&shardset, &prometheus.url(), &flags, folder.path())?.succeed(LOAD_PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_backend_that_was_away_under_load_ends_with_exact_totals() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut prometheus = Prometheus::start().await?;
    let write = prometheus.write_url();
    let mut shardset = Shardset::start(&["--export-interval", "500ms", "--remote-write", &write]).await?;
    let flags = ["--duration", "30s", "--rate", "1000", "--interval", "1s", "--send-twice", "0.05", "--seed", "4"];
    let running = load(&shardset, &prometheus.url(), &flags, folder.path())?;

    // The load is under way when the first of it has arrived.
    wait::until("the first export", PATIENCE, async || {
        let found = prometheus.query("count(claude_code_session_count_total)", None).await?;
        found.first().context("nothing arrived").map(|_| ())
    })
    .await?;
    let (before, _) = shardset.process().memory()?;
    prometheus.stop().await?;
    tokio::time::sleep(AWAY).await;
    shardset.is_well().await?;
    prometheus.start_again().await?;

    running.succeed(LOAD_PATIENCE).await?;
    let (_, peak) = shardset.process().memory()?;
    ensure!(peak < before + GROWTH_BYTES, "resident memory grew from {before} to {peak}");
    Ok(())
}

#[tokio::test]
async fn a_backend_that_never_answers_harms_no_other_and_no_stop() -> anyhow::Result<()> {
    let prometheus = Prometheus::start().await?;
    let nobody = format!("http://{}/api/v1/write", ports::free());
    let write = prometheus.write_url();
    let flags =
        ["--export-interval", "500ms", "--stop-grace", "2s", "--remote-write", &nobody, "--remote-write", &write];
    let mut shardset = Shardset::start(&flags).await?;
    let now = otlp::now();
    send(&shardset, &[Delta { metric: "heard", who: "a", start: now - 1000, time: now, value: 3.0 }]).await?;
    prometheus.settles_at("heard_total", 3.0).await?;
    shardset.stop().await
}

#[tokio::test]
async fn a_prometheus_that_scrapes_sees_the_same_totals() -> anyhow::Result<()> {
    let mut shardset = Shardset::start(&["--export-interval", "500ms"]).await?;
    let prometheus = Prometheus::start_scraping(&[shardset.scrape, shardset.admin]).await?;
    let now = otlp::now();
    for (nth, value) in [(0, 1.0), (1, 2.0), (2, 4.0)] {
        let delta = Delta { metric: "scraped", who: "a", start: now + nth, time: now + nth + 1, value };
        send(&shardset, &[delta]).await?;
    }
    prometheus.settles_at("scraped_total{who=\"a\"}", 7.0).await?;
    wait::until("both targets are up", PATIENCE, async || {
        let up = prometheus.query("sum(up)", None).await?;
        ensure!(up.first().and_then(|sum| sum.value()) == Some(2.0), "{up:?}");
        Ok(())
    })
    .await?;
    shardset.is_well().await
}

async fn send(shardset: &Shardset, deltas: &[Delta<'_>]) -> anyhow::Result<()> {
    let answer = shardset.send_json(otlp::request(deltas)).await?;
    ensure!(answer.status().is_success(), "it answers {}", answer.status());
    Ok(())
}
