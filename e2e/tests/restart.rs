//! Stops and starts of shardset, and clients that die.
#![cfg(feature = "real-parts")]

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use shardset_e2e::child::Running;
use shardset_e2e::otlp::{self, Delta};
use shardset_e2e::shardset::{self, PATIENCE, Shardset, load};
use shardset_e2e::{ports, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn shows(shardset: &Shardset, metric: &str, total: f64) -> anyhow::Result<()> {
    wait::until(metric, PATIENCE, async || {
        let shown = shardset.series().await?.values(metric, &[]);
        ensure!(shown == [total], "shown: {shown:?}, expected: {total}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn totals_and_the_memory_of_counted_points_outlive_a_stop() -> anyhow::Result<()> {
    let mut shardset = Shardset::start(&["--export-interval", "200ms"]).await?;
    let now = otlp::now();
    let first = otlp::request(&[Delta { metric: "kept", who: "a", start: now - 2000, time: now - 1000, value: 5.0 }]);
    ensure!(shardset.send_json(first.clone()).await?.status().is_success());
    // Stopped at once: what was acknowledged is not exported yet.
    shardset.stop().await?;
    shardset.start_again().await?;
    shows(&shardset, "kept_total", 5.0).await?;

    let second = otlp::request(&[Delta { metric: "kept", who: "a", start: now - 1000, time: now, value: 2.0 }]);
    for request in [first, second] {
        ensure!(shardset.send_json(request).await?.status().is_success());
    }
    shows(&shardset, "kept_total", 7.0).await
}

#[tokio::test]
async fn a_stop_under_load_and_a_start_lose_nothing_and_count_nothing_twice() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut shardset = Shardset::start(&["--export-interval", "500ms", "--stop-grace", "2s"]).await?;
    let scrape = Shardset::url(shardset.scrape, "/metrics");
    let flags = [
        "--duration",
        "15s",
        "--rate",
        "1000",
        "--interval",
        "1s",
        "--send-twice",
        "0.05",
        "--patience",
        "30s",
        "--attempts",
        "60",
        "--seed",
        "5",
    ];
    let running = load(&shardset, &scrape, &flags, folder.path())?;
    for _ in 0..2 {
        let before = received(&shardset).await?;
        wait::until("load arrives", PATIENCE, async || {
            ensure!(received(&shardset).await? > before + 1000.0, "too little so far");
            Ok(())
        })
        .await?;
        shardset.stop().await?;
        shardset.start_again().await?;
    }
    running.succeed(Duration::from_secs(150)).await?;
    Ok(())
}

#[tokio::test]
async fn a_peer_that_never_says_goodbye_does_not_keep_a_worker() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let [listen, admin, scrape] = [(); 3].map(|()| ports::free());
    let mut command = Command::new(shardset::binary()?);
    command.args(["worker", "--shard", "0", "--stop-grace", "1s", "--data-dir"]).arg(folder.path());
    for (flag, address) in [("--listen", listen), ("--admin", admin), ("--scrape", scrape)] {
        command.args([flag, &address.to_string()]);
    }
    let mut worker = Running::start("worker", command, folder.path())?;
    // HTTP/2's preface and empty settings, and not a word more: as a gateway that was stopped where it stood.
    let mut peer = wait::until("the worker listens", PATIENCE, async || Ok(TcpStream::connect(listen).await?)).await?;
    peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await?;
    let _settings = peer.read_u8().await?;
    // Far above the grace period, far below the time after which the silent connection would be noticed.
    let status = worker.terminate(Duration::from_secs(15)).await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

#[tokio::test]
async fn a_process_that_is_killed_under_load_loses_nothing_and_counts_nothing_twice() -> anyhow::Result<()> {
    killed_under_load("fsync", "8").await
}

#[tokio::test]
async fn a_process_that_is_killed_loses_nothing_of_what_waits_to_be_synced_either() -> anyhow::Result<()> {
    killed_under_load("interval:1h", "9").await
}

/// SIGKILL, again and again, under load from clients that send until they are told that it counts; then every total is exact.
async fn killed_under_load(durability: &str, seed: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut shardset = Shardset::start(&["--export-interval", "500ms", "--durability", durability]).await?;
    let scrape = Shardset::url(shardset.scrape, "/metrics");
    #[rustfmt::skip]
    let flags = [
        "--duration", "20s", "--rate", "1000", "--interval", "1s", "--send-twice", "0.05", "--histograms", "0.05",
        "--exponential", "0.05", "--patience", "30s", "--attempts", "60", "--seed", seed,
    ];
    let mut running = load(&shardset, &scrape, &flags, folder.path())?;
    for _ in 0..3 {
        let before = received(&shardset).await?;
        wait::until("load arrives", PATIENCE, async || {
            running.is_running()?;
            ensure!(received(&shardset).await? > before + 1000.0, "too little so far");
            Ok(())
        })
        .await?;
        shardset.process().kill()?;
        shardset.start_again().await?;
    }
    running.succeed(Duration::from_secs(150)).await?;
    Ok(())
}

#[tokio::test]
async fn clients_killed_in_mid_request_harm_nobody() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut shardset = Shardset::start(&["--export-interval", "500ms"]).await?;
    let scrape = Shardset::url(shardset.scrape, "/metrics");
    let flags = ["--duration", "60s", "--rate", "2000", "--interval", "1s", "--seed", "6"];
    let mut killed = load(&shardset, &scrape, &flags, folder.path())?;
    wait::until("load arrives", PATIENCE, async || {
        ensure!(received(&shardset).await? > 2000.0, "too little so far");
        Ok(())
    })
    .await?;
    killed.kill()?;
    shardset.is_well().await?;
    let flags = ["--points", "2000", "--interval", "500ms", "--sessions", "50", "--seed", "7"];
    load(&shardset, &scrape, &flags, folder.path())?.succeed(Duration::from_secs(90)).await?;
    Ok(())
}

async fn received(shardset: &Shardset) -> anyhow::Result<f64> {
    Ok(shardset.own_metrics().await?.sum("shardset_gateway_points_received_total", &[]))
}
