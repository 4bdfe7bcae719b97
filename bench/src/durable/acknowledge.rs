//! How long a worker takes to answer, over loopback and from its disk: first as many requests as it takes, then 70 % of
//! that, each at its time.

use std::path::Path;
use std::time::Duration;

use shardset_handoff::Adopt;
use shardset_wire::{AdoptRequest, ControlClient};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::load::{self, POINTS, Ring};
use super::shard::{alone, index};
use crate::measure::percentile;
use crate::server::{self, Server};
use crate::table::{Table, against};

/// A gateway has one connection; two, so that the client is not what is measured.
const CONNECTIONS: usize = 2;
/// Enough to have a group waiting whenever one is committed.
const IN_FLIGHT: usize = 24;
/// Streams: 64,000, more than fit into a core's cache.
const REQUESTS: u64 = 64;
/// Requests until it is warm, and until its rate is known.
const WARM_UP: usize = 1_000;
const SATURATING: usize = 4_000;
const LOAD: f64 = 0.7;
const LENGTH: Duration = Duration::from_secs(15);

/// system.md: p99, durable, at 70 % load, in ms.
const BUDGET: f64 = 15.0;

pub(super) fn measure(binary: &Path) -> anyhow::Result<Table> {
    let columns =
        ["a worker's answers, ms", "M points/s at most", "p50 at 70 %", "p99 at 70 %", "longest", "budget, p99"];
    let mut table = Table::new(&columns);
    for durability in ["fsync", "interval:100ms"] {
        let server = Server::worker(binary, server::empty_directory()?, &["--durability", durability])?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (most, took) = runtime.block_on(answers(&server))?;
        let [p50, p99, longest] = [50.0, 99.0, 100.0].map(|percent| percentile(&took, percent) * 1e3);
        let figures = [most / 1e6, p50, p99, longest].map(|figure| format!("{figure:.2}"));
        table.row([durability.to_owned()].into_iter().chain(figures).chain([against(Some(BUDGET), p99)]));
    }
    Ok(table)
}

/// Points per second at most, and how long answers took at a part of that.
async fn answers(server: &Server) -> anyhow::Result<(f64, Vec<Duration>)> {
    let channels = load::connect(&server.grpc_url(), CONNECTIONS).await?;
    begin(channels[0].clone(), &server.grpc()).await?;
    let mut ring = Ring::new(REQUESTS);
    load::send_all(&channels, &mut ring, WARM_UP, IN_FLIGHT).await?;
    let begun = Instant::now();
    load::send_all(&channels, &mut ring, SATURATING, IN_FLIGHT).await?;
    let requests = SATURATING as f64 / begun.elapsed().as_secs_f64();
    let (over, is_over) = watch::channel(false);
    let sending = load::send_at(channels, &mut ring, requests * LOAD, is_over);
    let (answers, ()) = tokio::join!(sending, async {
        sleep(LENGTH).await;
        over.send_replace(true);
    });
    let answers = answers?;
    anyhow::ensure!(answers.iter().all(|answer| answer.error.is_none()), "requests were not accepted");
    Ok((requests * f64::from(POINTS), answers.iter().map(load::Answer::took).collect()))
}

/// Tells a worker with an empty disk that it is alone. Answers when the worker serves.
pub(super) async fn begin(channel: Channel, address: &str) -> anyhow::Result<()> {
    let mut control = ControlClient::new(channel);
    let incarnation = control.status().await?.incarnation;
    let adopt = Adopt { incarnation, membership: alone(), incarnations: vec![(index(), incarnation)] };
    control.adopt(AdoptRequest { adopt, addresses: vec![(index(), address.to_owned())] }).await?;
    Ok(())
}
