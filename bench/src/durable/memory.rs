//! What a worker has resident for its streams: live ones, as they are counted and as they are told, and silent ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shardset_handoff::Report;
use shardset_wire::ControlClient;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::acknowledge::begin;
use super::load::{self, POINTS, Ring};
use crate::http;
use crate::server::{self, Server};
use crate::table::{Table, against};

/// system.md: a live sum stream with 8 attributes at most this, all in, in bytes.
const BUDGET: f64 = 600.0;
const IN_FLIGHT: usize = 4;
/// How often streams come again, at once: their memory of points is then as after so many minutes.
const AGAIN: usize = 5;
/// Streams that become silent: a quarter, because they leave memory some thousands a second.
const SILENT: u64 = 4;
/// A silent stream ends after this, and leaves memory some time later.
const MAX_STALE: &str = "3s";
/// What is not idle after this will not be.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn measure(binary: &Path, thousands: u64) -> anyhow::Result<Table> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut table = Table::new(&["a worker, resident bytes a stream, sums of 8 attributes", "measured", "budget"]);
    let mut row = |(name, bytes, budget): (&str, f64, Option<f64>)| {
        table.row([name.to_owned(), format!("{bytes:.0}"), against(budget, bytes)]);
    };
    runtime.block_on(live(binary, thousands))?.into_iter().for_each(&mut row);
    runtime.block_on(silent(binary, thousands / SILENT))?.into_iter().for_each(&mut row);
    Ok(table)
}

type Rows = Vec<(&'static str, f64, Option<f64>)>;

async fn live(binary: &Path, thousands: u64) -> anyhow::Result<Rows> {
    let server = Server::worker(binary, server::empty_directory()?, &["--max-streams", "10000000"])?;
    let channels = load::connect(&server.grpc_url(), 1).await?;
    begin(channels[0].clone(), &server.grpc()).await?;
    let (mut ring, empty) = (Ring::new(thousands), server.resident_bytes()?);
    let each = |bytes: u64| bytes.saturating_sub(empty) as f64 / thousands as f64 / f64::from(POINTS);
    load::send_all(&channels, &mut ring, thousands as usize, IN_FLIGHT).await?;
    let once = each(server.resident_bytes()?);
    load::send_all(&channels, &mut ring, thousands as usize * AGAIN, IN_FLIGHT).await?;
    let often = each(server.resident_bytes()?);
    let scrape = server.scrape();
    let text = tokio::task::spawn_blocking(move || http::get(&scrape, "/metrics")).await??;
    anyhow::ensure!(text.lines().count() as u64 > thousands * u64::from(POINTS), "streams are not told");
    let told = each(server.resident_bytes()?);
    Ok(vec![
        ("live, counted once", once, None),
        ("live, counted six times within the window", often, None),
        ("live, told once (labels are made then)", told, Some(BUDGET)),
    ])
}

async fn silent(binary: &Path, thousands: u64) -> anyhow::Result<Rows> {
    let (data, flags) = (server::empty_directory()?, ["--max-streams", "10000000", "--max-stale", MAX_STALE]);
    let server = Server::worker(binary, Arc::clone(&data), &flags)?;
    let channels = load::connect(&server.grpc_url(), 1).await?;
    begin(channels[0].clone(), &server.grpc()).await?;
    let (mut ring, empty) = (Ring::new(thousands), server.resident_bytes()?);
    let streams = thousands as f64 * f64::from(POINTS);
    let each = |bytes: u64| bytes.saturating_sub(empty) as f64 / streams;
    load::send_all(&channels, &mut ring, thousands as usize, IN_FLIGHT).await?;
    let begun = Instant::now();
    wait(channels[0].clone(), |report| report.idle == report.streams).await?;
    let laid_down = begun.elapsed().as_secs_f64();
    let after = each(server.resident_bytes()?);
    let metrics = http::get(&server.admin(), "/metrics")?;
    let on_disk = value(&metrics, "idle_bytes").context("no metric of idle bytes")? / streams;
    drop((server, channels));

    let server = Server::worker(binary, data, &flags)?;
    let channels = load::connect(&server.grpc_url(), 1).await?;
    wait(channels[0].clone(), |report| report.idle == report.streams).await?;
    Ok(vec![
        ("silent and on the disk, before the allocator gave back", after, None),
        ("silent and on the disk, after a restart", each(server.resident_bytes()?), None),
        ("silent: bytes on the disk", on_disk, None),
        ("silent streams that leave memory, per second", streams / laid_down, None),
    ])
}

async fn wait(channel: Channel, is_so: impl Fn(&Report) -> bool) -> anyhow::Result<()> {
    let (mut control, begun) = (ControlClient::new(channel), Instant::now());
    while !is_so(&control.status().await?) {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "streams do not leave memory");
        sleep(LOOK).await;
    }
    Ok(())
}

/// The value of the first line of a metric whose name holds this.
fn value(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| !line.starts_with('#') && line.contains(name))?;
    line.rsplit(' ').next()?.parse().ok()
}
