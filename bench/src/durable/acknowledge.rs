//! How long a worker takes to answer, over loopback and from its disk: first as many requests as it takes, checkpoints included,
//! then parts of that, each request at its time.
//!
//! The loads take turns, for some rounds: a host that takes cores away for some seconds, as these do, makes a queue of its
//! own, and must not decide on one load alone. Figures are medians of the rounds. The client has the same two cores; how busy they were, and
//! how much of them the host took, is told beside the times.
//!
//! A disk that others use as well stalls whatever is written to it. So the disk alone takes a turn, too: the requests of the highest load, as
//! bytes of the log and nothing else. Under `TMPDIR` is what it all is written to.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use shardset_handoff::Adopt;
use shardset_wire::{AdoptRequest, ControlClient};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::disk;
use super::load::{self, Ring};
use super::shard::{alone, index};
use crate::machine::Cores;
use crate::measure::percentile;
use crate::server::{self, Server};
use crate::table::{Table, against};

/// A gateway has one connection; two, so that the client is not what is measured.
const CONNECTIONS: usize = 2;
/// Points of a request: what a gateway makes of a thousand for one of 8 workers.
const POINTS: u32 = 125;
/// Enough to have a group waiting whenever one is committed.
const IN_FLIGHT: usize = 64;
/// Streams: half a million, each of which has a point a second or so.
const REQUESTS: u64 = 4_096;
/// Points of each stream until it remembers as many as it may: from then on each new one lets an old one go, and costs what it
/// costs a worker that has run for long.
const WARM_UP: usize = 65;
/// Requests until the rate is known: two checkpoints long.
const SATURATING: usize = 160_000;
const LOADS: [f64; 3] = [0.3, 0.5, HIGHEST];
const HIGHEST: f64 = 0.7;
/// Of one load in one round: longer than from one checkpoint to the next at the highest.
const LENGTH: Duration = Duration::from_secs(20);

/// Of a request in the log, without checkpoints: 32 bytes a point of a known sum.
const LOGGED_BYTES: usize = 32 * POINTS as usize;

/// system.md: p99, durable, at 70 % load, in ms.
const BUDGET: f64 = 15.0;

pub(super) fn measure(binary: &Path, rounds: usize) -> anyhow::Result<Table> {
    let columns = [
        "a worker's answers, ms",
        "M points/s",
        "p50",
        "p99",
        "p99 of the rounds",
        "longest",
        "cores busy",
        "stolen",
        "budget, p99",
    ];
    let mut table = Table::new(&columns);
    for durability in ["fsync", "interval:100ms"] {
        let server = Server::worker(binary, server::empty_directory()?, &["--durability", durability])?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let turns = runtime.block_on(turns(&server, rounds))?;
        for (load, turns) in LOADS.into_iter().zip(&turns.loads) {
            let is_budgeted = durability == "fsync" && load == HIGHEST;
            let name = format!("{durability}, {:.0} % of the most", load * 1e2);
            row(&mut table, name, turns, is_budgeted.then_some(BUDGET));
        }
        if durability == "fsync" {
            row(&mut table, format!("the disk alone, {:.0} % of the most", HIGHEST * 1e2), &turns.disk, None);
        }
    }
    Ok(table)
}

fn row(table: &mut Table, name: String, turns: &[Turn], budget: Option<f64>) {
    let over = |of: &dyn Fn(&Turn) -> f64| {
        let mut figures: Vec<f64> = turns.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures
    };
    let median = |of: &dyn Fn(&Turn) -> f64| over(of)[turns.len() / 2];
    let took = |percent: f64| move |turn: &Turn| percentile(&turn.times, percent) * 1e3;
    let two = |figure: f64| format!("{figure:.2}");
    let each = over(&took(99.0)).iter().map(|p99| format!("{p99:.1}")).collect::<Vec<_>>().join(" ");
    let (points, p99) = (median(&|turn| turn.per_second * f64::from(POINTS) / 1e6), median(&took(99.0)));
    let figures = [two(points), two(median(&took(50.0))), two(p99), each, two(median(&took(100.0)))];
    let cores = [two(median(&|turn| turn.busy)), two(median(&|turn| turn.stolen))];
    table.row([name].into_iter().chain(figures).chain(cores).chain([against(budget, p99)]));
}

/// One load in one round.
struct Turn {
    /// Requests that were sent.
    per_second: f64,
    /// From sent to answered.
    times: Vec<Duration>,
    /// How many of the machine's cores were busy, whoever kept them so.
    busy: f64,
    /// How many of them the host gave to others.
    stolen: f64,
}

/// All rounds.
#[derive(Default)]
struct Turns {
    loads: [Vec<Turn>; LOADS.len()],
    disk: Vec<Turn>,
}

/// How many requests a second a worker takes, then parts of that.
async fn turns(server: &Server, rounds: usize) -> anyhow::Result<Turns> {
    let channels = load::connect(&server.grpc_url(), CONNECTIONS).await?;
    begin(channels[0].clone(), &server.grpc()).await?;
    let mut ring = Ring::of(REQUESTS, POINTS);
    let warm_up = WARM_UP * ring.len();
    load::send_all(&channels, &mut ring, warm_up, IN_FLIGHT).await?;
    let begun = Instant::now();
    load::send_all(&channels, &mut ring, SATURATING, IN_FLIGHT).await?;
    let most = SATURATING as f64 / begun.elapsed().as_secs_f64();
    let mut turns = Turns::default();
    for _ in 0..rounds {
        for (load, turns) in LOADS.into_iter().zip(&mut turns.loads) {
            let per_second = most * load;
            turns.push(turn(per_second, send(&channels, &mut ring, per_second)).await?);
        }
        let per_second = most * HIGHEST;
        let alone = spawn_blocking(move || disk::alone(LOGGED_BYTES, per_second, LENGTH));
        turns.disk.push(turn(per_second, async { alone.await? }).await?);
    }
    Ok(turns)
}

async fn turn(per_second: f64, takes: impl Future<Output = anyhow::Result<Vec<Duration>>>) -> anyhow::Result<Turn> {
    let (before, begun) = (Cores::read()?, Instant::now());
    let times = takes.await?;
    let (after, elapsed) = (Cores::read()?, begun.elapsed().as_secs_f64());
    let cores = |after: Duration, before: Duration| (after - before).as_secs_f64() / elapsed;
    let [busy, stolen] = [cores(after.busy, before.busy), cores(after.stolen, before.stolen)];
    Ok(Turn { per_second, times, busy, stolen })
}

/// Sends for so long. From sent to answered.
async fn send(channels: &[Channel], ring: &mut Ring, per_second: f64) -> anyhow::Result<Vec<Duration>> {
    let (over, is_over) = watch::channel(false);
    let sending = load::send_at(channels.to_vec(), ring, per_second, is_over);
    let (answers, ()) = tokio::join!(sending, async {
        sleep(LENGTH).await;
        over.send_replace(true);
    });
    let answers = answers?;
    anyhow::ensure!(answers.iter().all(|answer| answer.error.is_none()), "requests were not accepted");
    Ok(answers.iter().map(load::Answer::took).collect())
}

/// Tells a worker with an empty disk that it is alone. Answers when the worker serves.
pub(super) async fn begin(channel: Channel, address: &str) -> anyhow::Result<()> {
    let mut control = ControlClient::new(channel);
    let incarnation = control.status().await?.incarnation;
    let adopt = Adopt { incarnation, membership: alone(), incarnations: vec![(index(), incarnation)] };
    control.adopt(AdoptRequest { adopt, addresses: vec![(index(), address.to_owned())] }).await?;
    Ok(())
}
